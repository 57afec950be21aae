/* SPDX-License-Identifier: Apache-2.0
 *
 * Bringing one port's own flows to its plan, without a look at the others. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "apply.h"
#include "nwf/foreign.h"

/* Deliveries are in a port's name, but not its alone. */
static void
remove_deliveries(struct nwf_flow_set *installed)
{
    struct nwf_flow *flow, *next;

    HMAP_FOR_EACH_SAFE (flow, next, node, &installed->flows) {
        if (nwf_cookie_kind(flow->cookie) == NWF_COOKIE_DELIVER) {
            nwf_flow_set_remove(installed, flow);
        }
    }
}

/* Whether what is installed is a guest's that floods do reach, and what it shares with other
 * ports is what the plan has. */
static bool
is_alone(const struct nwf_flow_set *installed, const struct nwf_plan_port *port)
{
    const struct nwf_flow *flow;
    bool found = false;

    HMAP_FOR_EACH (flow, node, &installed->flows) {
        enum nwf_cookie_kind kind = nwf_cookie_kind(flow->cookie);
        struct nwf_stamp stamp;

        if (kind == NWF_COOKIE_CLASSIFY) {
            if (!nwf_stamp_get(flow, &stamp) || stamp.unreached
                || memcmp(&stamp.shared, &port->stamp.shared, sizeof stamp.shared)) {
                return false;
            }
            found = true;
        } else if (kind != NWF_COOKIE_FROM_VM && kind != NWF_COOKIE_TO_VM) {
            return false;
        }
    }
    return found;
}

static bool
is_out_of_trees(const struct nwf_plan_port *port)
{
    for (size_t i = 0; i < NWF_N_TREES; i++) {
        if (!port->old_trees[i] || strcmp(port->old_trees[i], "false")) {
            return false;
        }
    }
    return true;
}

/* What the database has to say for the port's flows to be all that may change. */
static bool
is_simple(const struct nwf_ovs_bridge *bridge, const struct nwf_plan *plan)
{
    return nwf_ovs_bridge_is_secured(bridge) && !bridge->has_vlan_mirror && !plan->bridge.use_normal
           && plan->ports.n == 1 && plan->ports.data[0].role == NWF_GUEST
           && is_out_of_trees(&plan->ports.data[0]);
}

/* What is asked of the switch at once. */
struct questions {
    struct nwf_question flows, pending, frags;
};

static int
ask(struct nwf_switch *sw, uint16_t ofport, struct questions *ret, struct nwf_error *err)
{
    int r = nwf_switch_ask_flows(sw, NWF_COOKIE_MAGIC | (uint64_t) ofport << 16,
                                 NWF_COOKIE_MASK | NWF_COOKIE_PORT_MASK, &ret->flows, err);

    r = r ? r : nwf_switch_ask_flows(sw, NWF_PENDING, UINT64_MAX, &ret->pending, err);
    return r ? r : nwf_switch_ask_frags(sw, &ret->frags, err);
}

/* Compiles the port while its flows are on their way.  *ret_alone is false if there is
 * more to do than to compare those. */
static int
prepare(struct nwf_switch *sw, struct nwf_store *store, struct nwf_plan *plan,
        struct nwf_flow_set *installed, struct nwf_question *ret_frags, bool *ret_alone,
        struct nwf_error *err)
{
    struct nwf_plan_port *port = &plan->ports.data[0];
    struct nwf_flow_set pending CLEANUP(nwf_flow_set_finish);
    struct questions questions = {.frags = {0}};
    int r = ask(sw, port->ofport, &questions, err);

    nwf_flow_set_init(&pending);
    if (!r) {
        nwf_plan_compute_port(plan, store);
        r = nwf_switch_take_flows(sw, questions.flows, installed, err);
    }
    if (!r) {
        r = nwf_switch_take_flows(sw, questions.pending, &pending, err);
    }
    remove_deliveries(installed);
    *ret_frags = questions.frags;
    /* What a large guest may have depends on the others. */
    *ret_alone = !r && port->role == NWF_GUEST && !port->new_zone
                 && port->stamp.n_flows <= NWF_FLOWS_FREE && !nwf_flow_set_count(&pending)
                 && is_alone(installed, port);
    return r;
}

int
nwf_sync_port(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_store *store,
              struct nwf_plan *plan, const struct nwf_sync_options *options,
              struct nwf_sync_result *ret, bool *ret_done, struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = NULL;
    struct nwf_flow_set installed CLEANUP(nwf_flow_set_finish);
    struct nwf_changes changes = {.data = NULL};
    struct nwf_question frags;

    memset(ret, 0, sizeof *ret);
    nwf_flow_set_init(&installed);
    *ret_done = false;
    if (!is_simple(bridge, plan)) {
        return 0;
    }
    nwf_ovsdb_count_zones(db, plan->zones);
    int r = nwf_switch_open(bridge->name, options->versions, options->timeout_ms, &sw, err);
    r = r ? r : nwf_foreign_check(sw, plan, err);
    r = r ? r : prepare(sw, store, plan, &installed, &frags, ret_done, err);
    if (r || !*ret_done) {
        return r;
    }
    ret->n_flows = nwf_flow_set_count(&plan->flows);
    nwf_compare(&installed, plan, options->report, &changes, ret);
    if (!options->dry_run) {
        r = nwf_apply(sw, db, plan, frags, &changes, options, err);
    }
    nwf_vec_clear(&changes);
    return r;
}
