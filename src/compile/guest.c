/* SPDX-License-Identifier: Apache-2.0
 *
 * A guest's own flows.  Every one matches its in_port or, towards the guest, its
 * number in reg0: one port's odd filter never widens another's megaflows. */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "actions.h"
#include "builder.h"
#include "compare.h"
#include "deliver.h"
#include "flood.h"
#include "guard.h"
#include "guest.h"
#include "metering.h"
#include "match.h"
#include "nwf/compile.h"
#include "nwf/pipeline.h"
#include "nwf/stages.h"
#include "nwf/text.h"
#include "route.h"
#include "rule_query.h"
#include "sighting.h"
#include "tag.h"

#include "lib/packets.h"

static void
match_port(struct match *match, enum nwf_direction direction, uint16_t ofport)
{
    if (direction == NWF_OUT) {
        match_set_in_port(match, OFP_PORT_C(ofport));
    } else {
        match_set_reg(match, 0, ofport);
    }
}

static uint8_t
stage_table(enum nwf_direction direction, size_t stage)
{
    return (uint8_t) ((direction == NWF_OUT ? NWF_TABLE_FROM_VM : NWF_TABLE_TO_VM) + stage);
}

static void
put_accept(struct ofpbuf *actions, enum nwf_direction direction)
{
    if (direction == NWF_OUT) {
        nwf_put_goto(actions, NWF_TABLE_SENDER);
    } else {
        nwf_put_output_receiver(actions);
    }
}

static void
put_ct(struct ofpbuf *actions, const struct nwf_port *port, const char *what)
{
    nwf_put_text(actions, "ct(zone=%u%s)", port->zone, what);
}

static void
put_set(const struct nwf_row *row, struct ofpbuf *actions)
{
    if (row->set.mask == UINT32_MAX) { /* A mask would come back from a switch as none. */
        nwf_put_load(actions, MFF_REG0 + row->set.reg, row->set.value);
    } else {
        nwf_put_load_masked(actions, MFF_REG0 + row->set.reg, row->set.value, row->set.mask);
    }
}

/* What the row's verdict stands for. */
static void
put_verdict(const struct nwf_bridge *bridge, const struct nwf_port *port,
            enum nwf_direction direction, const struct nwf_row *row, struct ofpbuf *actions)
{
    char *track CLEANUP_FREE = nwf_asprintf(",table=%d", stage_table(direction, row->target));
    /* Behind a ct() that does not go on in a table, nothing is known of the connection
     * any more (ovs-actions(7)). */
    char *join CLEANUP_FREE = nwf_asprintf("%s,commit", track);
    char *mark CLEANUP_FREE = nwf_asprintf("%s,exec(set_field:0x%x/0x%x->ct_mark)", join,
                                           row->mark.value, row->mark.mask);

    switch (row->verdict) {
    case NWF_V_TRACK:
        /* Connection tracking keeps fragments, and gives out others: of a flooded frame the
         * receivers that come next would get none, or those of which their filters know nothing. */
        if (direction == NWF_IN) {
            nwf_put_text(actions, "clone(ct(zone=%u%s))", port->zone, track);
        } else {
            put_ct(actions, port, track);
        }
        break;
    case NWF_V_MARK:
        put_ct(actions, port, mark);
        break;
    case NWF_V_COMMIT:
        if (direction == NWF_OUT) {
            nwf_put_new_limit(bridge, port, actions);
        }
        put_ct(actions, port, row->mark.mask ? mark : join);
        break;
    case NWF_V_JOIN:
        put_ct(actions, port, join);
        break;
    case NWF_V_SET:
        put_set(row, actions);
        nwf_put_goto(actions, stage_table(direction, row->target));
        break;
    case NWF_V_GOTO:
        nwf_put_goto(actions, stage_table(direction, row->target));
        break;
    case NWF_V_ACCEPT:
        put_accept(actions, direction);
        break;
    case NWF_V_DROP:
        if (bridge->audit) {
            put_accept(actions, direction);
        }
        break;
    }
}

/* Where a flow stands. */
struct place {
    uint8_t table;
    uint16_t priority;
};

static void
add_row(const struct nwf_bridge *bridge, const struct nwf_port *port, enum nwf_direction direction,
        struct place place, const struct nwf_row *row, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match = row->match;
    enum nwf_cookie_kind kind = direction == NWF_OUT ? NWF_COOKIE_FROM_VM : NWF_COOKIE_TO_VM;

    put_verdict(bridge, port, direction, row, &actions);
    match_port(&match, direction, port->ofport);
    nwf_flow_set_add(flows, place.table, place.priority, nwf_cookie(kind, port->ofport, row->rule),
                     &match, &actions);
}

/* Rows that come from one rule and say one thing need no order among them, so that
 * a value more or less changes no other flow. */
static bool
same_level(const struct nwf_side *side, const struct nwf_row *a, const struct nwf_row *b)
{
    if (a->verdict == NWF_V_SET && b->verdict == NWF_V_SET) {
        return a->set.level == b->set.level;
    }
    return a->verdict == b->verdict && (!nwf_row_has_target(a) || a->target == b->target)
           && a->rule != NWF_RULE_END && b->rule != NWF_RULE_END
           && side->rules.data[a->rule].rule == side->rules.data[b->rule].rule;
}

/* The row that is looked at first. */
static uint16_t
top_priority(const struct nwf_port *port, enum nwf_direction direction)
{
    return direction == NWF_IN && nwf_flood_accepts_all(&port->flood) ? NWF_PRIORITY_OPEN_ROWS
                                                                      : NWF_PRIORITY_ROWS;
}

/* A comparison is written down as a row for each value and one for none: a flow. */
static size_t
add_comparison(const struct nwf_port *port, size_t stage, uint16_t priority,
               const struct nwf_row *rows, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    enum nwf_compared field = (enum nwf_compared) rows[0].set.field;
    size_t n = 0;

    for (; !rows[n].set.is_last; n++) {
        struct nwf_operand operand = nwf_compared_get(field, &rows[n].match);
        unsigned int bit = nwf_compared_first_bit(field) + (unsigned int) n;

        if (rows[n].set.is_dropped) {
            nwf_put_compare_dropped(&actions, field, &operand, bit);
        } else {
            nwf_put_compare(&actions, field, &operand, bit);
        }
    }
    struct match match = rows[n].match;
    if (rows[n].set.value) {
        nwf_put_load_masked(&actions, MFF_REG0 + NWF_REG_COMPARED, rows[n].set.value,
                            rows[n].set.value);
    }
    nwf_put_goto(&actions, stage_table(NWF_OUT, rows[n].target));
    match_port(&match, NWF_OUT, port->ofport);
    nwf_flow_set_add(flows, stage_table(NWF_OUT, stage), priority,
                     nwf_cookie(NWF_COOKIE_FROM_VM, port->ofport, NWF_RULE_END), &match, &actions);
    return n;
}

static void
add_stages(const struct nwf_bridge *bridge, const struct nwf_port *port,
           enum nwf_direction direction, const struct nwf_side *side,
           const struct nwf_stages *stages, struct nwf_flow_set *flows)
{
    for (size_t i = 0; i < stages->list.n; i++) {
        const struct nwf_stage *stage = &stages->list.data[i];
        uint16_t priority = top_priority(port, direction);

        for (size_t j = 0; j < stage->rows.n; j++) {
            const struct nwf_row *row = &stage->rows.data[j];
            priority -= j && !same_level(side, row - 1, row);
            if (row->verdict == NWF_V_SET && row->set.compares) {
                j += add_comparison(port, i, priority, row, flows);
            } else {
                add_row(bridge, port, direction,
                        (struct place){stage_table(direction, i), priority}, row, flows);
            }
        }
    }
}

/* The port's way in: its frames' VLAN is noted, and they go to 'table'. */
static void
add_admissions(const struct nwf_port *port, enum nwf_cookie_kind kind, uint8_t table,
               struct nwf_flow_set *flows)
{
    struct nwf_admissions list;

    nwf_vlan_guest_admissions(&port->vlan, &list);
    nwf_vec_foreach (admission, &list) {
        NWF_ACTIONS(actions);

        nwf_put_admission(&actions, admission);
        if (port->is_isolated) {
            nwf_put_load(&actions, MFF_REG0 + NWF_REG_MEMBER, NWF_ISOLATED);
        }
        nwf_put_goto(&actions, table);
        match_port(&admission->match, NWF_OUT, port->ofport);
        nwf_flow_set_add(flows, NWF_TABLE_CLASSIFY, 100,
                         nwf_cookie(kind, port->ofport, NWF_COOKIE_NO_RULE), &admission->match,
                         &actions);
    }
    nwf_vec_clear(&list);
}

/* A filter that drops every frame with a tag does not need to know which VLAN it is of: to note
 * that would make a cached flow for each. */
static void
add_tagged_admission(const struct nwf_port *port, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    nwf_match_tagged(&match);
    match_port(&match, NWF_OUT, port->ofport);
    nwf_put_goto(&actions, NWF_TABLE_BEFORE);
    nwf_flow_set_add(flows, NWF_TABLE_CLASSIFY, 110,
                     nwf_cookie(NWF_COOKIE_CLASSIFY, port->ofport, NWF_COOKIE_NO_RULE), &match,
                     &actions);
}

static bool
drops_tagged(const struct nwf_stages *stages)
{
    struct match tagged;

    nwf_match_tagged(&tagged);
    return nwf_stages_drop(stages, &tagged);
}

/* Every copy for a guest comes by its first table, or is the floods' (flood.c).  There, before its
 * filter and before connection tracking, ends what comes from one isolated guest to another. */
static void
add_isolation(const struct nwf_bridge *bridge, const struct nwf_port *port,
              struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    match_port(&match, NWF_IN, port->ofport);
    match_set_reg_masked(&match, NWF_REG_MEMBER, NWF_ISOLATED, NWF_ISOLATED);
    if (bridge->audit) {
        nwf_put_output_receiver(&actions);
    }
    nwf_flow_set_add(flows, NWF_TABLE_TO_VM, NWF_PRIORITY_ISOLATED,
                     nwf_cookie(NWF_COOKIE_TO_VM, port->ofport, NWF_RULE_ISOLATED), &match,
                     &actions);
}

void
nwf_add_unadmitted(const struct nwf_port *port, enum nwf_cookie_kind kind,
                   struct nwf_flow_set *flows)
{
    struct match match;

    if (port->vlan.mode != NWF_VLAN_TRUNK || port->vlan.limited) {
        match_init_catchall(&match);
        match_port(&match, NWF_OUT, port->ofport);
        nwf_flow_set_add(flows, NWF_TABLE_CLASSIFY, 50,
                         nwf_cookie(kind, port->ofport, NWF_COOKIE_NO_RULE), &match, NULL);
    }
}

/* Where a tag inside of another one shows, an Ethernet type is that of what is behind both, and a
 * rule that asks for the type behind one would match. */
static int
check_types(const struct nwf_side *side, const struct nwf_stages *stages, struct nwf_error *err)
{
    nwf_vec_foreach (stage, &stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            const struct flow *masks = &row->match.wc.masks;
            bool untagged = masks->vlans[0].tci & ~row->match.flow.vlans[0].tci & htons(VLAN_CFI);

            if (masks->dl_type && !untagged && row->rule < side->rules.n) {
                return nwf_rule_fail(
                    &side->rules.data[row->rule], err, -EOPNOTSUPP,
                    "with a dot1q-tunnel, or another other_config:vlan-limit than "
                    "1, Open vSwitch does not tell the type behind a tag from that "
                    "behind two",
                    NULL);
            }
        }
    }
    return 0;
}

int
nwf_guest_check_side(const struct nwf_bridge *bridge, const struct nwf_side *side,
                     const struct nwf_stages *stages, struct nwf_error *err)
{
    return bridge->inner_tags ? check_types(side, stages, err) : 0;
}

int
nwf_guest_check_floods(const struct nwf_bridge *bridge, const struct nwf_flood_verdicts *to_vm,
                       struct nwf_error *err)
{
    return !bridge->blurred_tags || nwf_flood_accepts_all(to_vm)
               ? 0
               : nwf_error_set(
                   err, -EOPNOTSUPP,
                   "with another other_config:vlan-limit than 1, the userspace datapath "
                   "takes frames with two tags for such with one, and the guest would get "
                   "them past this filter");
}

/* Whether the filter lets other addresses pass than the guest's own. */
static bool
has_floats(const struct nwf_port *port, const struct nwf_stages *from_vm)
{
    return port->own_mac >= port->macs.n
           || !nwf_stages_confine_sender(from_vm, &port->macs.data[port->own_mac]);
}

/* What stands before and behind the stages that its frames go through. */
static void
add_way_out(const struct nwf_bridge *bridge, struct nwf_port *port, const struct nwf_stages *stages,
            struct nwf_flow_set *flows)
{
    port->has_floats = has_floats(port, stages);
    nwf_add_sightings(bridge, port, port->has_floats, flows);
    if (port->vlan.mode != NWF_VLAN_ACCESS && !bridge->audit && drops_tagged(stages)) {
        add_tagged_admission(port, flows);
    }
}

struct guest {
    const struct nwf_bridge *bridge;
    struct nwf_port *port;
    struct nwf_guest_size *size;
    struct nwf_flow_set *flows;
};

/* One direction's stages are gone before the next one's are made. */
static int
compile_side(struct guest *guest, const struct nwf_program *program, enum nwf_direction direction,
             struct nwf_error *err)
{
    const struct nwf_bridge *bridge = guest->bridge;
    struct nwf_port *port = guest->port;
    struct nwf_stages stages;
    int r = nwf_stages_build(program, direction, &stages, err);

    if (r) {
        return r;
    }
    if (direction == NWF_IN) {
        nwf_stages_split_types(&stages);
        nwf_flood_judge(&stages, &port->flood);
        r = nwf_guest_check_floods(bridge, &port->flood, err);
    }
    if (!r && !(r = nwf_guest_check_side(bridge, &program->side[direction], &stages, err))) {
        if (direction == NWF_OUT) {
            add_way_out(bridge, port, &stages, guest->flows);
            guest->size->compared = nwf_stages_guard(&stages);
        }
        add_stages(bridge, port, direction, &program->side[direction], &stages, guest->flows);
        guest->size->n_stages[direction] = (uint8_t) stages.list.n;
    }
    nwf_stages_clear(&stages);
    return r;
}

int
nwf_compile_guest(const struct nwf_bridge *bridge, struct nwf_port *port,
                  const struct nwf_program *program, struct nwf_guest_size *ret_size,
                  struct nwf_flow_set *flows, struct nwf_error *err)
{
    struct nwf_flow_set own CLEANUP(nwf_flow_set_finish);

    struct guest guest = {bridge, port, ret_size, &own};

    nwf_flow_set_init(&own);
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        int r = compile_side(&guest, program, (enum nwf_direction) d, err);
        if (r) {
            return r;
        }
    }
    ret_size->n_flows = (uint32_t) nwf_flow_set_count(&own);
    add_admissions(port, NWF_COOKIE_CLASSIFY, nwf_first_table(bridge, port), &own);
    nwf_add_limits(bridge, port, &own);
    nwf_add_known(port, NWF_COOKIE_CLASSIFY, &own);
    nwf_compile_guest_routes(bridge, port, &own);
    if (port->is_isolated) {
        add_isolation(bridge, port, &own);
    }
    if (bridge->audit) {
        nwf_add_unadmitted(port, NWF_COOKIE_CLASSIFY, &own);
    }
    nwf_flow_set_move(flows, &own);
    return 0;
}

void
nwf_compile_quarantined(const struct nwf_bridge *bridge, struct nwf_port *port,
                        struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    uint64_t cookie = nwf_cookie(NWF_COOKIE_QUARANTINE, port->ofport, NWF_COOKIE_NO_RULE);
    struct match match;

    if (bridge->audit) {
        add_admissions(port, NWF_COOKIE_QUARANTINE, NWF_TABLE_BEHIND, flows);
        nwf_add_unadmitted(port, NWF_COOKIE_QUARANTINE, flows);
        nwf_add_known(port, NWF_COOKIE_QUARANTINE, flows);
        nwf_put_output_receiver(&actions);
    } else {
        match_init_catchall(&match);
        match_port(&match, NWF_OUT, port->ofport);
        nwf_flow_set_add(flows, NWF_TABLE_CLASSIFY, 100, cookie, &match, NULL);
    }
    match_init_catchall(&match);
    match_port(&match, NWF_IN, port->ofport);
    nwf_flow_set_add(flows, NWF_TABLE_TO_VM, NWF_PRIORITY_ROWS, cookie, &match, &actions);
}
