/* SPDX-License-Identifier: Apache-2.0
 *
 * Other people's flows; see nwf/foreign.h.
 *
 * What such a flow does is judged without running it: in doubt it is in a guest's way.  A
 * flow without actions only drops, and those below all of ours in table 0 are never met.  In the
 * operator's own tables a flow may do more, as long as its frames go the way that they would have
 * gone without it. */
#include <config.h>

#include "nwf/foreign.h"

#include <errno.h>

#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

#include "../compile/match.h"

/* ---- One flow, one guest. ---- */

bool
nwf_is_foreign(const struct nwf_flow *flow)
{
    return (flow->cookie & NWF_COOKIE_ALL_MASK) != NWF_COOKIE_MAGIC;
}

bool
nwf_is_table_of_pipeline(uint8_t table)
{
    return table == NWF_TABLE_CLASSIFY
           || (table >= NWF_TABLE_LIMITS && table < NWF_TABLE_LIMITS + NWF_N_TABLE_LIMITS)
           || (table >= NWF_TABLE_FROM_VM && table < NWF_TABLE_TO_VM + NWF_MAX_STAGES)
           || (table >= NWF_TABLE_GROUP && table < NWF_TABLE_END) || table == NWF_TABLE_BEFORE
           || table == NWF_TABLE_BEHIND;
}

/* Whether frames can meet the flow at all. */
static bool
is_met(const struct nwf_flow *flow)
{
    return flow->form->ofpacts_len && nwf_is_table_of_pipeline(flow->table)
           && (flow->table != NWF_TABLE_CLASSIFY || flow->priority);
}

/* Whether the field is one of those that our flows tell frames' ways by. */
static bool
is_of_pipeline(const struct mf_field *field)
{
    return field->id == MFF_IN_PORT || field->id == MFF_IN_PORT_OXM || mf_is_register(field->id);
}

static bool
goes_to(const struct ofpact *a, uint8_t table)
{
    if (a->type == OFPACT_GOTO_TABLE) {
        return ofpact_get_GOTO_TABLE(a)->table_id == table;
    }
    return a->type == OFPACT_RESUBMIT && ofpact_get_RESUBMIT(a)->table_id == table
           && ofpact_get_RESUBMIT(a)->in_port == OFPP_IN_PORT
           && !ofpact_get_RESUBMIT(a)->with_ct_orig;
}

/* Where frames go on that an operator's flow lets pass. */
static uint8_t
table_behind(uint8_t table)
{
    return table == NWF_TABLE_BEFORE   ? NWF_TABLE_FROM_VM
           : table == NWF_TABLE_BEHIND ? NWF_TABLE_FORWARD
                                       : NWF_TABLE_GUARD;
}

/* Whether the action, in one of the operator's tables, leads past none of ours. */
static bool
is_harmless(const struct ofpact *a, uint8_t table)
{
    switch (a->type) {
    case OFPACT_SET_FIELD:
        return !is_of_pipeline(ofpact_get_SET_FIELD(a)->field);
    case OFPACT_REG_MOVE:
        return !is_of_pipeline(ofpact_get_REG_MOVE(a)->dst.field);
    case OFPACT_GOTO_TABLE:
    case OFPACT_RESUBMIT:
        return goes_to(a, table_behind(table));
    case OFPACT_CONTROLLER:
    case OFPACT_NOTE:
    case OFPACT_SET_QUEUE:
    case OFPACT_POP_QUEUE:
    case OFPACT_METER:
    case OFPACT_SAMPLE:
    case OFPACT_DEC_TTL:
        return true;
    default:
        return false;
    }
}

/* Whether it does no more in the operator's table than that is for. */
static bool
keeps_to_its_place(const struct nwf_flow *flow)
{
    struct ofpbuf buffer CLEANUP(ofpbuf_uninit) = {.data = NULL};
    const struct ofpact *a;

    if (!nwf_is_table_of_operator(flow->table)) {
        return false;
    }
    const struct ofpact *first = nwf_flow_ofpacts(flow, &buffer);
    OFPACT_FOR_EACH (a, first, flow->form->ofpacts_len) {
        if (!is_harmless(a, flow->table)) {
            return false;
        }
    }
    return true;
}

/* Whether frames that the guest sends meet it before the filter has let them pass. */
static bool
takes_from(const struct nwf_flow *flow, const struct match *match, uint16_t ofport)
{
    bool compares = flow->table >= NWF_TABLE_COMPARE_FIRST && flow->table <= NWF_TABLE_COMPARE_LAST;

    return (flow->table < NWF_TABLE_FORWARD || compares)
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
    struct ofpbuf buffer CLEANUP(ofpbuf_uninit) = {.data = NULL};
    const struct ofpact *a;

    if (flow->table >= NWF_TABLE_TO_VM && flow->table < NWF_TABLE_GROUP
        && match->wc.masks.regs[0] == UINT32_MAX && match->flow.regs[0] != ofport) {
        return false; /* Frames for another guest. */
    }
    const struct ofpact *first = nwf_flow_ofpacts(flow, &buffer);
    OFPACT_FOR_EACH (a, first, flow->form->ofpacts_len) {
        if (action_reaches(a, ofport)
            && !(nwf_is_table_of_operator(flow->table) && is_harmless(a, flow->table))) {
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
    nwf_error_set(&port->foreign, -EEXIST,
                  "a flow that is not ours comes before its filter: %.400s", ds_cstr(&text));
}

static void
judge(struct nwf_plan *plan, const struct nwf_flow *flow)
{
    struct match match;

    if (!is_met(flow) || keeps_to_its_place(flow)) {
        return;
    }
    nwf_flow_expand_match(flow, &match);
    nwf_vec_foreach (item, &plan->ports) {
        struct nwf_plan_port *port = *item;
        uint16_t ofport = port->config.ofport;
        /* One such flow will do. */
        if (port->role == NWF_GUEST && ofport && !port->foreign.text
            && (takes_from(flow, &match, ofport) || gives_to(flow, &match, ofport))) {
            accuse(port, flow);
        }
    }
}

/* Flows of others, in the order in which people list them, so that each run shows the same one.
 * A new array of *ret_n. */
static const struct nwf_flow **
sort_foreign(const struct nwf_image *image, size_t *ret_n)
{
    const struct ovs_list *list = nwf_image_flows(image, NWF_OWNER_FOREIGN);
    const struct nwf_flow **flows =
        nwf_zalloc((nwf_image_count(image, NWF_OWNER_FOREIGN) + 1) * sizeof *flows);
    const struct nwf_flow *flow;

    *ret_n = 0;
    if (list) {
        LIST_FOR_EACH (flow, owned, list) {
            flows[(*ret_n)++] = flow;
        }
        qsort(flows, *ret_n, sizeof flows[0], nwf_flow_compare);
    }
    return flows;
}

void
nwf_foreign_judge(struct nwf_plan *plan, const struct nwf_image *image)
{
    const struct nwf_flow **flows CLEANUP_FREE = NULL;
    size_t n;

    flows = sort_foreign(image, &n);
    nwf_vec_foreach (port, &plan->ports) {
        (*port)->has_report |= (*port)->foreign.text != NULL;
        nwf_error_clear(&(*port)->foreign);
    }
    for (size_t i = 0; i < n; i++) {
        judge(plan, flows[i]);
    }
    nwf_vec_foreach (port, &plan->ports) {
        (*port)->has_report |= (*port)->foreign.text != NULL;
    }
}

char *
nwf_foreign_find(const struct nwf_flow_set *flows)
{
    const struct nwf_flow **sorted CLEANUP_FREE = nwf_flow_set_sort(flows);

    for (size_t i = 0; i < nwf_flow_set_count(flows); i++) {
        if (sorted[i]->table == NWF_TABLE_CLASSIFY && nwf_is_foreign(sorted[i])
            && is_met(sorted[i])) {
            struct ds text = DS_EMPTY_INITIALIZER;
            nwf_flow_format(sorted[i], &text);
            return ds_steal_cstr(&text);
        }
    }
    return NULL;
}

bool
nwf_foreign_is_covered(const struct nwf_flow *flow, const struct nwf_flow_set *flows)
{
    struct match match, above;
    const struct nwf_flow *other;

    nwf_flow_expand_match(flow, &match);
    HMAP_FOR_EACH (other, node, &flows->flows) {
        if (other->table == flow->table && other->priority > flow->priority
            && !nwf_is_foreign(other)) {
            nwf_flow_expand_match(other, &above);
            if (nwf_match_covers(&above, &match)) {
                return true;
            }
        }
    }
    return false;
}
