/* SPDX-License-Identifier: Apache-2.0
 *
 * Bringing a bridge's switch to its plan.  See apply.c for the order of steps. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "apply.h"
#include "nwf/foreign.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"

#include "lib/hash.h"

/* ---- What is installed. ----
 *
 * Flows that ports share, and their ways in with the stamps, are always read.  Those
 * of filters, most of all flows, are read for ports that have changed. */

#define SHARED_MASK (NWF_COOKIE_MASK | NWF_COOKIE_RULE_BIT)
#define RULES (NWF_COOKIE_MAGIC | NWF_COOKIE_RULE_BIT)

/* Past this many changed ports, one dump of everything is cheaper than one each. */
#define PORT_DUMPS_MAX 32

static int
compare_stamps(const void *a_, const void *b_)
{
    const struct nwf_port_stamp *a = a_, *b = b_;

    return (int) a->ofport - (int) b->ofport;
}

static void
collect_stamps(const struct nwf_flow_set *installed, struct nwf_port_stamps *ret)
{
    const struct nwf_flow *flow;

    HMAP_FOR_EACH (flow, node, &installed->flows) {
        struct nwf_port_stamp s = {.ofport = nwf_cookie_port(flow->cookie)};
        if (nwf_cookie_kind(flow->cookie) == NWF_COOKIE_CLASSIFY && nwf_stamp_get(flow, &s.stamp)) {
            nwf_vec_push(ret, s);
        }
    }
    if (ret->n) {
        qsort(ret->data, ret->n, sizeof ret->data[0], compare_stamps);
    }
    /* A port that admits several VLANs has its stamp on each of the flows. */
    size_t kept = 0;
    for (size_t i = 0; i < ret->n; i++) {
        if (!kept || ret->data[kept - 1].ofport != ret->data[i].ofport) {
            ret->data[kept++] = ret->data[i];
        }
    }
    ret->n = kept;
}

/* Which ports the flows on the switch deliver addresses to. */
static void
collect_holders(const struct nwf_flow_set *installed, struct nwf_holders *ret)
{
    const struct nwf_flow *flow;

    HMAP_FOR_EACH (flow, node, &installed->flows) {
        if (nwf_cookie_kind(flow->cookie) == NWF_COOKIE_DELIVER) {
            struct nwf_holder holder = {.ofport = nwf_cookie_port(flow->cookie)};
            struct match match;

            minimatch_expand(&flow->match, &match);
            memcpy(holder.mac.octets, &match.flow.dl_dst, sizeof holder.mac.octets);
            nwf_vec_push(ret, holder);
        }
    }
}

/* Whether the stamps account for every filter's flow on the switch. */
static int
check_count(struct nwf_switch *sw, const struct nwf_port_stamps *stamps, bool *ret_good,
            struct nwf_error *err)
{
    uint64_t expected = 0, found;
    int r = nwf_switch_count(sw, NWF_TABLES_ALL, RULES, SHARED_MASK, &found, err);

    nwf_vec_foreach (s, stamps) {
        expected += s->stamp.n_flows;
    }
    *ret_good = !r && found == expected;
    return r;
}

/* By port number: whether the plan keeps the port's filter as it is. */
static bool *
list_unchanged(const struct nwf_plan *plan)
{
    bool *unchanged = nwf_zalloc(0x10000 * sizeof *unchanged);

    nwf_vec_foreach (port, &plan->ports) {
        unchanged[port->ofport] |= port->unchanged;
    }
    return unchanged;
}

/* Ports with stamps on the switch that the plan does not keep as they are. */
static void
collect_changed(const bool *unchanged, const struct nwf_port_stamps *stamps,
                struct nwf_port_stamps *ret)
{
    nwf_vec_foreach (s, stamps) {
        if (!unchanged[s->ofport]) {
            nwf_vec_push(ret, *s);
        }
    }
}

/* Takes out what a dump of all ports has on unchanged ones, which the plan's set has
 * not either. */
static void
remove_unchanged(const bool *unchanged, struct nwf_flow_set *installed)
{
    struct nwf_flow *flow, *next;

    HMAP_FOR_EACH_SAFE (flow, next, node, &installed->flows) {
        if ((flow->cookie & NWF_COOKIE_RULE_BIT) && unchanged[nwf_cookie_port(flow->cookie)]) {
            nwf_flow_set_remove(installed, flow);
        }
    }
}

/* Reads the filter flows of ports that have changed into 'installed'. */
static int
dump_changed(struct nwf_switch *sw, const struct nwf_plan *plan,
             const struct nwf_port_stamps *stamps, struct nwf_flow_set *installed,
             struct nwf_error *err)
{
    struct nwf_port_stamps changed = {.data = NULL};
    bool *unchanged CLEANUP_FREE = list_unchanged(plan);
    int r = 0;

    collect_changed(unchanged, stamps, &changed);
    if (changed.n <= PORT_DUMPS_MAX) {
        nwf_vec_foreach (s, &changed) {
            r = r ? r
                  : nwf_switch_dump(sw, RULES | (uint64_t) s->ofport << 16,
                                    SHARED_MASK | NWF_COOKIE_PORT_MASK, installed, err);
        }
    } else {
        r = nwf_switch_dump(sw, RULES, SHARED_MASK, installed, err);
        remove_unchanged(unchanged, installed);
    }
    nwf_vec_clear(&changed);
    return r;
}

/* Computes the plan and reads what is to be compared with it. */
static int
prepare(struct nwf_switch *sw, struct nwf_store *store, struct nwf_plan *plan, bool full,
        struct nwf_flow_set *installed, struct nwf_error *err)
{
    struct nwf_port_stamps stamps = {.data = NULL};
    bool incremental = false;
    int r = nwf_switch_dump(sw, NWF_COOKIE_MAGIC, SHARED_MASK, installed, err);

    if (!r && !full) {
        collect_stamps(installed, &stamps);
        r = check_count(sw, &stamps, &incremental, err);
    }
    if (!r) {
        nwf_vec_clear(&plan->holders);
        collect_holders(installed, &plan->holders);
        r = nwf_plan_compute(plan, store, incremental ? &stamps : NULL, err);
    }
    if (!r) {
        r = incremental ? dump_changed(sw, plan, &stamps, installed, err)
                        : nwf_switch_dump(sw, RULES, SHARED_MASK, installed, err);
    }
    nwf_vec_clear(&stamps);
    return r;
}

static size_t
count_flows(const struct nwf_plan *plan)
{
    size_t n = nwf_flow_set_count(&plan->flows);

    nwf_vec_foreach (port, &plan->ports) {
        n += port->unchanged ? port->stamp.n_flows : 0;
    }
    return n;
}

/* One try, on a connection of its own. */
static int
sync_once(struct nwf_ovsdb *db, struct nwf_store *store, struct nwf_plan *plan,
          const struct nwf_sync_options *options, struct nwf_sync_result *ret,
          struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = NULL;
    struct nwf_flow_set installed CLEANUP(nwf_flow_set_finish);
    struct nwf_changes changes = {.data = NULL};

    memset(ret, 0, sizeof *ret);
    nwf_flow_set_init(&installed);
    int r = nwf_switch_open(plan->name, options->versions, options->timeout_ms, &sw, err);
    r = r ? r : prepare(sw, store, plan, options->full, &installed, err);
    r = r ? r : nwf_foreign_check(sw, plan, err);
    if (r) {
        return r;
    }
    ret->n_flows = count_flows(plan);
    nwf_compare(&installed, plan, options->report, &changes, ret);
    if (!options->dry_run) {
        struct nwf_question frags;
        r = nwf_switch_ask_frags(sw, &frags, err);
        r = r ? r : nwf_apply(sw, db, plan, frags, &changes, options, err);
    }
    nwf_vec_clear(&changes);
    return r;
}

int
nwf_sync_bridge(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_store *store,
                struct nwf_plan *plan, const struct nwf_sync_options *options,
                struct nwf_sync_result *ret, struct nwf_error *err)
{
    if (!bridge->secure && !options->dry_run) {
        return nwf_error_set(err, -EINVAL, "bridge %s: fail_mode is not secure", bridge->name);
    }
    nwf_ovsdb_count_zones(db, plan->zones);
    plan->zone_base = nwf_ovsdb_count_managed(db) > 1 ? hash_string(bridge->name, 0) : 0;
    for (;;) {
        int r = sync_once(db, store, plan, options, ret, err);
        if (r != NWF_REFUSED) {
            return r;
        }
        nwf_error_clear(err); /* Now that of ports, fewer of which are guests each time. */
    }
}

static bool
has_flows_of_others(const struct nwf_flow_set *all)
{
    const struct nwf_flow *flow;

    HMAP_FOR_EACH (flow, node, &all->flows) {
        if ((flow->cookie & NWF_COOKIE_ALL_MASK) != NWF_COOKIE_MAGIC) {
            return true;
        }
    }
    return false;
}

/* A bridge that was "secure" before gets the flow that makes it a switch again. */
static int
add_normal_flow(struct nwf_switch *sw, struct nwf_error *err)
{
    uint64_t stub[8];
    struct ofpbuf actions = OFPBUF_STUB_INITIALIZER(stub);
    struct nwf_flow_set all;
    struct nwf_changes changes = {.data = NULL};
    struct match match;

    nwf_flow_set_init(&all);
    int r = nwf_switch_dump(sw, 0, 0, &all, err);
    if (!r && !has_flows_of_others(&all)) {
        match_init_catchall(&match);
        ofpact_put_OUTPUT(&actions)->port = OFPP_NORMAL;
        nwf_vec_push(&changes, (struct nwf_change){NWF_CHANGE_ADD,
                                                   nwf_flow_set_add(&all, 0, 0, 0, &match,
                                                                    actions.data, actions.size)});
        r = nwf_switch_apply(sw, &changes, NULL, err);
    }
    nwf_vec_clear(&changes);
    nwf_flow_set_finish(&all);
    return r;
}

/* Ports that NORMAL must not flood to, because we have set so, get its floods again. */
static int
include_in_floods(const struct nwf_ovs_bridge *bridge, unsigned int timeout_ms,
                  struct nwf_error *err)
{
    enum nwf_no_flood wanted[0x10000] = {NWF_NO_FLOOD_KEEP};
    bool any = false;

    nwf_vec_foreach (port, &bridge->ports) {
        if (port->ofport && nwf_tag_find(port->tags.data, port->tags.n, NWF_TAG_NO_FLOOD)) {
            wanted[port->ofport] = NWF_NO_FLOOD_CLEAR;
            any = true;
        }
    }
    return any ? nwf_switch_set_no_flood(bridge->name, timeout_ms, wanted, err) : 0;
}

static int
delete_all(struct nwf_switch *sw, struct nwf_error *err)
{
    return nwf_switch_delete(sw, NWF_COOKIE_MAGIC, NWF_COOKIE_ALL_MASK, err);
}

int
nwf_sync_remove(const struct nwf_ovs_bridge *bridge, const struct nwf_sync_options *options,
                struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = NULL;
    int r = nwf_switch_open(bridge->name, options->versions, options->timeout_ms, &sw, err);

    r = r ? r : delete_all(sw, err);
    /* A cached flow that goes may learn for a last time, which makes a flow. */
    r = r ? r : nwf_vswitchd_flush_cache(options->timeout_ms, err);
    r = r ? r : delete_all(sw, err);
    if (!r && bridge->stays_secure) {
        r = add_normal_flow(sw, err);
    }
    return r ? r : include_in_floods(bridge, options->timeout_ms, err);
}
