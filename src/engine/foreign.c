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

/* Tables that frames come to by our flows. */
static bool
is_of_pipeline(uint8_t table)
{
    return table == NWF_TABLE_CLASSIFY
           || (table >= NWF_TABLE_FROM_VM && table < NWF_TABLE_TO_VM + NWF_MAX_STAGES);
}

/* Whether frames can meet the flow at all. */
static bool
is_met(const struct nwf_flow *flow)
{
    return flow->ofpacts_len && is_of_pipeline(flow->table)
           && (flow->table != NWF_TABLE_CLASSIFY || flow->priority);
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

/* Whether any of the flows counted is of others.  What the switch learns meanwhile may be counted
 * once, and then something is read that need not be. */
static int
has_any(struct nwf_switch *sw, const uint32_t counts[NWF_TABLES_ALL], bool *ret,
        struct nwf_error *err)
{
    uint64_t all = 0, ours;
    int r = nwf_switch_count(sw, NWF_TABLES_ALL, NWF_COOKIE_MAGIC, NWF_COOKIE_ALL_MASK, &ours, err);

    for (unsigned int table = 0; table < NWF_TABLES_ALL; table++) {
        all += counts[table];
    }
    *ret = !r && all != ours;
    return r;
}

/* Reads the table if it has flows of others among its 'n'. */
static int
read_table(struct nwf_switch *sw, uint8_t table, uint32_t n, struct nwf_flow_set *flows,
           struct nwf_error *err)
{
    uint64_t ours;
    int r = n ? nwf_switch_count(sw, table, NWF_COOKIE_MAGIC, NWF_COOKIE_ALL_MASK, &ours, err) : 0;

    return r || !n || n == ours ? r : nwf_switch_dump_table(sw, table, flows, err);
}

int
nwf_foreign_check(struct nwf_switch *sw, struct nwf_plan *plan, struct nwf_error *err)
{
    struct nwf_flow_set flows CLEANUP(nwf_flow_set_finish);
    uint32_t counts[NWF_TABLES_ALL];
    bool any = false;
    int r = nwf_switch_count_tables(sw, counts, err);

    nwf_flow_set_init(&flows);
    if (!r) {
        r = has_any(sw, counts, &any, err);
    }
    if (r || !any) {
        return r;
    }
    for (unsigned int table = 0; !r && table < NWF_TABLES_ALL; table++) {
        if (is_of_pipeline((uint8_t) table)) {
            r = read_table(sw, (uint8_t) table, counts[table], &flows, err);
        }
    }
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
