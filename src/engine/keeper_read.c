/* SPDX-License-Identifier: Apache-2.0
 *
 * A keeper's way to know the switch: securing the bridge, connecting, the flows that are there,
 * and what others do to them later. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "keeper.h"
#include "nwf/foreign.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/vlog.h"

#include "lib/timeval.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_read);

/* How often the flows are read where the switch does not tell what others do to them. */
#define REREAD_MS 60000

/* ---- What the database says. ---- */

static int
update_from(struct nwf_keeper *k, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};
    int r;

    nwf_plan_update(&k->plan, bridge, k->sources, k->needs_update_all);
    if (k->options->dry_run) {
        return 0;
    }
    if (k->recorded && !strcmp(k->recorded, bridge->settings)) {
        return 0;
    }
    /* What an operator has changed by hand is on record from now on. */
    free(k->recorded);
    k->recorded = nwf_strdup(bridge->settings);
    nwf_record_from_tags(bridge->tags.data, bridge->tags.n, &record);
    r = nwf_record_store(bridge->name, &record, err);
    if (r && !k->options->once) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
        VLOG_WARN_RL(&rl, "%s", nwf_error_text(err));
        nwf_error_clear(err);
        r = 0;
    }
    return r;
}

/* Rows that are not managed are those of a bridge that some tool of the host has cleared: until
 * they are restored, what was there before holds. */
int
nwf_keeper_read_rows(struct nwf_keeper *k, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *found = NULL;
    int r;

    nwf_ovsdb_bare_bridges(k->db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        found = !strcmp(bridge->name, k->plan.name) ? bridge : found;
    }
    if (!found) {
        return nwf_error_set(err, -ENOENT, "%.80s: no such bridge", k->plan.name);
    }
    k->is_secured = nwf_ovs_bridge_is_secured(found);
    if (found->config.managed != NWF_UNMANAGED) {
        if ((r = update_from(k, found, err))) {
            return r;
        }
        k->needs_update_all = false;
        k->is_secured &= k->options->dry_run || nwf_keeper_is_pinned(k, found);
    } else if (k->options->once) {
        return nwf_error_set(err, -EIDRM, "%s: not managed any more", k->plan.name);
    } else {
        k->is_secured = true; /* As far as we may say now. */
    }
    k->needs_update = false;
    k->seqno = nwf_ovsdb_seqno(k->db);
    return 0;
}

/* ---- SECURE. ---- */

static const struct nwf_ovs_bridge *
find_bridge(const struct nwf_ovs_bridges *bridges, const char *name)
{
    nwf_vec_foreach (bridge, bridges) {
        if (!strcmp(bridge->name, name)) {
            return bridge;
        }
    }
    return NULL;
}

/* A bridge may have been tagged by hand, or opened by another tool. */
int
nwf_keeper_secure(struct nwf_keeper *k, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    int r;

    if (k->txn) {
        if ((r = nwf_keeper_run_txn(k, err)) && r != -EAGAIN) {
            nwf_error_wrap(err, "setting fail_mode");
        }
        if (r != -EAGAIN) {
            nwf_keeper_end_pin(k);
        }
        return r;
    }
    /* The bridge's address depends on its ports. */
    if (!k->plan.settings && (r = nwf_keeper_read_rows(k, err))) {
        return r;
    }
    nwf_ovsdb_bare_bridges(k->db, &bridges);
    const struct nwf_ovs_bridge *bridge = find_bridge(&bridges, k->plan.name);
    if (!bridge) {
        return nwf_error_set(err, -ENOENT, "%.80s: no such bridge", k->plan.name);
    }
    bool is_secured = nwf_ovs_bridge_is_secured(bridge),
         is_pinned = nwf_keeper_is_pinned(k, bridge);
    if (is_secured && is_pinned) {
        return 0;
    }
    k->txn = nwf_txn_new(k->db);
    if (!is_secured) {
        nwf_txn_secure(k->txn, bridge);
    }
    if (!is_pinned) {
        nwf_keeper_pin(k, bridge);
    }
    nwf_txn_wait_for_vswitchd(k->txn);
    return nwf_keeper_secure(k, err);
}

/* ---- CONNECT. ---- */

int
nwf_keeper_connect(struct nwf_keeper *k, struct nwf_error *err)
{
    if (!k->conn) {
        k->conn = nwf_conn_new(k->plan.name, k->options->versions, k->options->timeout_ms);
        k->is_monitored = false;
        nwf_keeper_forget_meters(k);
        nwf_keeper_forgive(k);
    }
    return nwf_keeper_run_conn(k, err);
}

/* ---- READ. ---- */

enum { READ_BEGIN, READ_MONITOR, READ_FRAGS, READ_DUMP };

/* All tables of ours. */
static size_t
list_tables(uint8_t tables[UINT8_MAX])
{
    size_t n = 0;

    for (uint8_t table = 0; table < UINT8_MAX; table++) {
        if (nwf_is_table_of_pipeline(table)) {
            tables[n++] = table;
        }
    }
    return n;
}

/* The switch tells of changes from before the dump on: none is missed, and those that the dump
 * shows already do no harm. */
static void
begin_monitor(struct nwf_keeper *k)
{
    nwf_conn_monitor(k->conn, k->tables, list_tables(k->tables));
}

/* Whether the switch has made the flow by itself, out of one of ours. */
static bool
is_learned(const struct nwf_flow *flow)
{
    return (flow->cookie & NWF_COOKIE_ALL_MASK) == NWF_COOKIE_MAGIC
           && nwf_owner_of(flow->cookie) == NWF_OWNER_FOREIGN
           && (flow->table == NWF_TABLE_LEARNED || flow->table == NWF_TABLE_OFFENDERS
               || flow->table == NWF_TABLE_ROUTE_HEARD);
}

static void
put_flow(struct nwf_keeper *k, struct nwf_flow *flow)
{
    nwf_owner owner = nwf_owner_of(flow->cookie);

    if (is_learned(flow)
        || (owner == NWF_OWNER_FOREIGN && !nwf_is_table_of_pipeline(flow->table))) {
        nwf_flow_free(flow);
        return;
    }
    k->foreign_changed |= owner == NWF_OWNER_FOREIGN;
    nwf_image_put(&k->image, owner, flow);
}

static void
load_image(struct nwf_keeper *k)
{
    struct nwf_flow *flow, *next;

    k->foreign_changed = true;
    k->is_to_trim |= nwf_flow_set_count(&k->dump) > NWF_TRIM_MIN;
    HMAP_FOR_EACH_SAFE (flow, next, node, &k->dump.flows) {
        nwf_flow_set_detach(&k->dump, flow);
        put_flow(k, flow);
    }
    nwf_flow_set_clear(&k->dump);
    nwf_plan_dirty_all(&k->plan);
    k->has_mark |= nwf_image_count(&k->image, NWF_OWNER_PENDING) > 0;
    k->is_fresh = true;
    k->needs_resync = false;
    k->reread_at = k->options->once || k->is_monitored ? 0 : time_msec() + REREAD_MS;
}

int
nwf_keeper_read(struct nwf_keeper *k, struct nwf_error *err)
{
    int r = k->phase == READ_BEGIN ? 0 : nwf_keeper_run_conn(k, err);

    if (r == -EOPNOTSUPP && k->phase == READ_MONITOR) {
        VLOG_WARN("bridge %s: what others do to its flows is noticed once a minute: %s",
                  k->plan.name, nwf_error_text(err));
        nwf_error_clear(err);
        r = 0;
    } else if (!r && k->phase == READ_MONITOR) {
        k->is_monitored = !k->options->once;
    }
    if (r) {
        return r;
    }
    switch (k->phase++) {
    case READ_BEGIN:
        if (!k->options->once && !k->is_monitored) {
            begin_monitor(k);
        }
        return nwf_keeper_read(k, err);
    case READ_MONITOR:
        if (!k->options->dry_run) {
            nwf_conn_set_frags(k->conn);
        }
        return nwf_keeper_read(k, err);
    case READ_FRAGS:
        nwf_image_clear(&k->image); /* Which nothing is known of, so that there are not two. */
        nwf_conn_dump(k->conn, 0, 0, &k->dump);
        return nwf_keeper_read(k, err);
    default:
        load_image(k);
        return 0;
    }
}

/* ---- Later. ---- */

static void
mark_dirty(struct nwf_keeper *k, nwf_owner owner)
{
    if (owner == NWF_OWNER_FOREIGN) {
        k->foreign_changed = true;
        return;
    }
    k->counts.n_repairs++;
    nwf_plan_dirty_owner(&k->plan, owner);
}

/* Whether the event is that a guest was heard for the first time. */
static bool
is_sighting(struct nwf_keeper *k, const struct nwf_flow_event *event)
{
    uint16_t ofport = nwf_cookie_port(event->flow->cookie);

    if (event->deleted || nwf_cookie_kind(event->flow->cookie) != NWF_COOKIE_PINNED) {
        return false;
    }
    nwf_vec_foreach (item, &k->plan.ports) {
        if ((*item)->config.ofport == ofport && (*item)->role == NWF_GUEST) {
            return nwf_plan_note_sighting(*item, event->flow);
        }
    }
    return false;
}

/* Whether a cached flow of a guest that is none any more has taught once more as it went, which is
 * nobody's change. */
static bool
is_late_sighting(const struct nwf_flow_event *event)
{
    return !event->deleted && nwf_cookie_kind(event->flow->cookie) == NWF_COOKIE_PINNED
           && event->flow->table == NWF_TABLE_LEARNED
           && event->flow->priority == NWF_PRIORITY_PINNED;
}

static void
take_event(struct nwf_keeper *k, const struct nwf_flow_event *event)
{
    const struct nwf_flow *known = nwf_flow_set_find(&k->image.flows, event->flow);
    nwf_owner owner;

    /* What the switch makes itself, and what we have made over another connection. */
    if (!event->deleted) {
        nwf_keeper_tell_offender(k, event->flow);
    }
    if (event->deleted || !known ? is_learned(event->flow) && !known
                                 : nwf_flow_data_equal(known, event->flow)) {
        nwf_flow_free(event->flow);
        return;
    }
    if (is_sighting(k, event)) {
        put_flow(k, event->flow);
        return;
    }
    if (!known && is_late_sighting(event)) {
        nwf_plan_dirty_owner(&k->plan, nwf_owner_of(event->flow->cookie));
        put_flow(k, event->flow);
        return;
    }
    if (nwf_image_remove(&k->image, event->flow, &owner)) {
        mark_dirty(k, owner);
    }
    if (event->deleted) {
        nwf_flow_free(event->flow);
        return;
    }
    mark_dirty(k, nwf_owner_of(event->flow->cookie));
    put_flow(k, event->flow);
}

void
nwf_keeper_take_events(struct nwf_keeper *k)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(6, 6);
    struct nwf_flow_event event;
    size_t before = k->counts.n_repairs;

    if (nwf_conn_lost_events(k->conn)) {
        k->needs_resync = true;
        return;
    }
    while (nwf_conn_next_event(k->conn, &event)) {
        take_event(k, &event);
    }
    if (k->counts.n_repairs > before) {
        k->since_us = k->since_us ? k->since_us : time_usec();
        VLOG_WARN_RL(&rl, "bridge %s: somebody else has changed %zu of its flows; repairing them",
                     k->plan.name, k->counts.n_repairs - before);
    }
}
