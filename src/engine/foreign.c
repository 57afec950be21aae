/* SPDX-License-Identifier: Apache-2.0
 *
 * Other people's flows; see nwf/foreign.h.
 *
 * What such a flow does is judged without running it: in doubt it is in a guest's way.  A
 * flow without actions only drops, and those below all of ours in table 0 are never met. */
#include <config.h>

#include "nwf/foreign.h"

#include <errno.h>

#include "nwf/pipeline.h"
#include "openvswitch/dynamic-string.h"

/* ---- One flow, one guest. ---- */

static bool
is_foreign(const struct nwf_flow *flow)
{
    return (flow->cookie & NWF_COOKIE_ALL_MASK) != NWF_COOKIE_MAGIC;
}

/* Whether frames can meet the flow at all. */
static bool
is_met(const struct nwf_flow *flow)
{
    bool in_pipeline =
        flow->table >= NWF_TABLE_FROM_VM && flow->table < NWF_TABLE_TO_VM + NWF_MAX_STAGES;

    return flow->ofpacts_len && (flow->table == NWF_TABLE_CLASSIFY ? flow->priority : in_pipeline);
}

/* Whether frames that the guest sends meet it before the filter has let them pass. */
static bool
takes_from(const struct nwf_flow *flow, const struct match *match, uint16_t ofport)
{
    return flow->table < NWF_TABLE_FORWARD
           && (!match->wc.masks.in_port.ofp_port
               || match->flow.in_port.ofp_port == OFP_PORT_C(ofport));
}

static bool
action_reaches(const struct ofpact *a, uint16_t ofport)
{
    switch (a->type) {
    case OFPACT_OUTPUT: {
        ofp_port_t port = ofpact_get_OUTPUT(a)->port;
        return port == OFP_PORT_C(ofport) || port == OFPP_NORMAL || port == OFPP_FLOOD
               || port == OFPP_ALL || port == OFPP_TABLE || port == OFPP_IN_PORT;
    }
    case OFPACT_CONTROLLER:
    case OFPACT_NOTE:
    case OFPACT_SET_FIELD:
    case OFPACT_REG_MOVE:
    case OFPACT_SET_QUEUE:
    case OFPACT_POP_QUEUE:
    case OFPACT_METER:
    case OFPACT_DEC_TTL:
    case OFPACT_PUSH_VLAN:
    case OFPACT_STRIP_VLAN:
        return false;
    default:
        return true;
    }
}

/* Whether it may put frames out to the guest, past its filter. */
static bool
gives_to(const struct nwf_flow *flow, const struct match *match, uint16_t ofport)
{
    const struct ofpact *a;

    if (flow->table >= NWF_TABLE_TO_VM && match->wc.masks.regs[0] == UINT32_MAX
        && match->flow.regs[0] != ofport) {
        return false; /* Frames for another guest. */
    }
    OFPACT_FOR_EACH (a, flow->ofpacts, flow->ofpacts_len) {
        if (action_reaches(a, ofport)) {
            return true;
        }
    }
    return false;
}

/* ---- All of them. ---- */

static void
accuse(struct nwf_plan_port *port, const struct nwf_flow *flow)
{
    struct ds text CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;

    nwf_flow_format(flow, &text);
    nwf_error_set(&port->error, -EEXIST, "a flow that is not ours comes before its filter: %.400s",
                  ds_cstr(&text));
}

static void
judge(struct nwf_plan *plan, const struct nwf_flow *flow)
{
    struct match match;

    if (!is_foreign(flow) || !is_met(flow)) {
        return;
    }
    minimatch_expand(&flow->match, &match);
    nwf_vec_foreach (port, &plan->ports) {
        /* One such flow will do; that a flood does not reach the guest is less. */
        if (port->role == NWF_GUEST && port->ofport && port->error.code != -EEXIST
            && (takes_from(flow, &match, port->ofport) || gives_to(flow, &match, port->ofport))) {
            accuse(port, flow);
        }
    }
}

/* In the order in which people list them, so that each run shows the same one. */
static void
judge_all(struct nwf_plan *plan, const struct nwf_flow_set *flows)
{
    const struct nwf_flow **sorted CLEANUP_FREE = nwf_flow_set_sort(flows);

    for (size_t i = 0; i < nwf_flow_set_count(flows); i++) {
        judge(plan, sorted[i]);
    }
}

/* How many flows of others the table, or the switch, has.  What it learns meanwhile may be
 * counted once, and then something is read that need not be. */
static int
count_foreign(struct nwf_switch *sw, uint8_t table, uint64_t *ret, struct nwf_error *err)
{
    uint64_t all, ours;
    int r = nwf_switch_count(sw, table, 0, 0, &all, err);

    if (!r) {
        r = nwf_switch_count(sw, table, NWF_COOKIE_MAGIC, NWF_COOKIE_ALL_MASK, &ours, err);
    }
    if (!r) {
        *ret = all - ours;
    }
    return r;
}

int
nwf_foreign_check(struct nwf_switch *sw, struct nwf_plan *plan, struct nwf_error *err)
{
    struct nwf_flow_set flows CLEANUP(nwf_flow_set_finish);
    uint64_t n, n_classify;
    int r = count_foreign(sw, NWF_TABLES_ALL, &n, err);

    nwf_flow_set_init(&flows);
    if (r || !n) {
        return r;
    }
    if ((r = count_foreign(sw, NWF_TABLE_CLASSIFY, &n_classify, err))) {
        return r;
    }
    r = nwf_switch_dump_table(sw, n == n_classify ? NWF_TABLE_CLASSIFY : NWF_TABLES_ALL, &flows,
                              err);
    if (!r) {
        judge_all(plan, &flows);
    }
    return r;
}

int
nwf_foreign_find(struct nwf_switch *sw, char **ret_text, struct nwf_error *err)
{
    struct nwf_flow_set flows CLEANUP(nwf_flow_set_finish);

    nwf_flow_set_init(&flows);
    *ret_text = NULL;
    int r = nwf_switch_dump_table(sw, NWF_TABLE_CLASSIFY, &flows, err);
    const struct nwf_flow **sorted CLEANUP_FREE = nwf_flow_set_sort(&flows);
    for (size_t i = 0; !r && !*ret_text && i < nwf_flow_set_count(&flows); i++) {
        if (is_foreign(sorted[i]) && is_met(sorted[i])) {
            struct ds text = DS_EMPTY_INITIALIZER;
            nwf_flow_format(sorted[i], &text);
            *ret_text = ds_steal_cstr(&text);
        }
    }
    return r;
}
