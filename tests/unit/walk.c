/* SPDX-License-Identifier: Apache-2.0
 *
 * A frame's way through a set of flows; see walk.h. */
#include <config.h>

#include "walk.h"

#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "support.h"

#include "lib/flow.h"
#include "lib/util.h"

#define DEPTH_MAX 64

static void walk_table(struct walk *w, uint8_t table, struct flow *frame, int depth);

const struct nwf_flow *
walk_look_up(const struct nwf_flow_set *flows, uint8_t table, const struct flow *frame)
{
    const struct nwf_flow *flow, *best = NULL;

    HMAP_FOR_EACH (flow, node, &flows->flows) {
        const struct minimatch match = nwf_flow_match(flow);
        if (flow->table == table && (!best || flow->priority > best->priority)
            && minimatch_matches_flow(&match, frame)) {
            best = flow;
        }
    }
    return best;
}

/* A port gets nothing back of what came from it. */
static void
put_out(struct walk *w, uint16_t port, const struct flow *frame)
{
    if (port != ofp_to_u16(frame->in_port.ofp_port)) {
        nwf_vec_push(&w->copies, ((struct copy){port, *frame}));
    }
}

static void
set_field(const struct ofpact_set_field *set, struct flow *frame)
{
    mf_set_flow_value_masked(set->field, set->value, ofpact_set_field_mask(set), frame);
}

static void
compare_size(const struct walk *w, const struct ofpact_check_pkt_larger *check, struct flow *frame)
{
    union mf_subvalue larger = {.u8 = {[127] = w->packet_size > check->pkt_len}};

    mf_write_subfield_flow(&check->dst, &larger, frame);
}

static void
walk_actions(struct walk *w, const struct ofpact *actions, size_t size, struct flow *frame,
             int depth)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, actions, size) {
        struct flow copy = *frame;

        switch (a->type) {
        case OFPACT_OUTPUT:
            put_out(w, ofp_to_u16(ofpact_get_OUTPUT(a)->port), frame);
            break;
        case OFPACT_OUTPUT_REG:
            put_out(w, (uint16_t) mf_get_subfield(&ofpact_get_OUTPUT_REG(a)->src, frame), frame);
            break;
        case OFPACT_SET_FIELD:
            set_field(ofpact_get_SET_FIELD(a), frame);
            break;
        case OFPACT_REG_MOVE:
            mf_subfield_copy(&ofpact_get_REG_MOVE(a)->src, &ofpact_get_REG_MOVE(a)->dst, frame,
                             NULL);
            break;
        case OFPACT_DEC_TTL:
            frame->nw_ttl--;
            break;
        case OFPACT_CHECK_PKT_LARGER:
            compare_size(w, ofpact_get_CHECK_PKT_LARGER(a), frame);
            break;
        case OFPACT_LEARN:
            w->n_learned++;
            break;
        case OFPACT_CLONE:
            walk_actions(w, ofpact_get_CLONE(a)->actions,
                         ofpact_nest_get_action_len(ofpact_get_CLONE(a)), &copy, depth);
            break;
        case OFPACT_RESUBMIT:
            walk_table(w, ofpact_get_RESUBMIT(a)->table_id, frame, depth + 1);
            break;
        case OFPACT_GOTO_TABLE:
            walk_table(w, ofpact_get_GOTO_TABLE(a)->table_id, frame, depth);
            break;
        default:
            fail_msg("an action that this test does not know: %d", (int) a->type);
        }
    }
}

static void
walk_table(struct walk *w, uint8_t table, struct flow *frame, int depth)
{
    const struct nwf_flow *flow = walk_look_up(w->flows, table, frame);

    expect(depth <= DEPTH_MAX, "more than %d resubmits within each other", DEPTH_MAX);
    if (!flow) {
        fail_msg("table %u has no flow for the frame", table);
        return;
    }
    walk_actions(w, flow->form->ofpacts, flow->form->ofpacts_len, frame, depth);
}

void
walk_frame(struct walk *w, const struct flow *frame)
{
    struct flow copy = *frame;

    walk_table(w, 0, &copy, 0);
}

void
walk_clear(struct walk *w)
{
    nwf_vec_clear(&w->copies);
    w->n_learned = 0;
}
