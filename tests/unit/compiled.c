/* SPDX-License-Identifier: Apache-2.0
 *
 * See compiled.h. */
#include <config.h>

#include "compiled.h"

#include <netinet/in.h>

#include "guard.h"
#include "match.h"
#include "nwf/evaluate.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

#include "lib/flow.h"
#include "lib/packets.h"

/* What holds for stages whatever they stand for. */
static void
check_form(const struct nwf_stages *stages, const struct nwf_side *side)
{
    expect(stages->list.n >= 1 && stages->list.n <= NWF_MAX_STAGES, "%zu stages", stages->list.n);
    nwf_vec_foreach (stage, &stages->list) {
        size_t i = (size_t) (stage - stages->list.data);

        expect(stage->rows.n > 0, "stage %zu is empty", i);
        expect(flow_wildcards_is_catchall(&stage->rows.data[stage->rows.n - 1].match.wc),
               "stage %zu does not end in a row for all", i);
        nwf_vec_foreach (row, &stage->rows) {
            expect(row->rule == NWF_RULE_END || row->rule < side->rules.n, "rule %u", row->rule);
        }
    }
}

int
compile(const struct text_filter *filters, const char *variables, struct compiled *ret,
        struct nwf_error *err)
{
    struct nwf_params params CLEANUP(nwf_params_clear);
    const struct nwf_filter *filter;

    memset(ret, 0, sizeof *ret);
    params_of(variables, &params);
    ret->store = store_of(filters);
    expect_ok(nwf_store_get(ret->store, filters[0].name, &filter, err), err);
    int r = nwf_program_new(ret->store, filter, &params, &ret->program, err);
    for (int d = 0; !r && d < NWF_N_DIRECTIONS; d++) {
        r = nwf_stages_build(ret->program, (enum nwf_direction) d, &ret->stages[d], err);
        if (!r) {
            if (d == NWF_IN) {
                nwf_stages_split_types(&ret->stages[d]);
            }
            check_form(&ret->stages[d], &ret->program->side[d]);
            nwf_flood_judge(&ret->stages[d], &ret->flood[d]);
        }
    }
    if (!r) {
        expect_ok(nwf_stages_build(ret->program, NWF_OUT, &ret->guarded, err), err);
        nwf_stages_guard(&ret->guarded);
        check_form(&ret->guarded, &ret->program->side[NWF_OUT]);
    }
    return r;
}

void
compiled_free(struct compiled *c)
{
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        nwf_stages_clear(&c->stages[d]);
    }
    nwf_stages_clear(&c->guarded);
    if (c->program) {
        nwf_program_free(c->program);
    }
    nwf_store_free(c->store);
}

bool
guard_agrees(const struct compiled *c, const struct flow *packet, const struct nwf_row *plain,
             const struct nwf_row *last)
{
    if (last->verdict != plain->verdict) {
        return false;
    }
    if (last->verdict != NWF_V_DROP || last->rule == plain->rule) {
        return last->rule == plain->rule;
    }
    nwf_vec_foreach (stage, &c->stages[NWF_OUT].list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (row->verdict == NWF_V_DROP && row->rule == last->rule
                && nwf_match_holds(&row->match, packet)) {
                return true;
            }
        }
    }
    return false;
}

/* What conntrack says; ports and types as the connection began. */
static struct nwf_evaluation_ct
connection_of(const struct frame *f)
{
    static const uint32_t states[N_CONNECTIONS] = {
        [CONN_NEW] = CS_TRACKED | CS_NEW,
        [CONN_AGAIN] = CS_TRACKED | CS_ESTABLISHED,
        [CONN_ANSWER] = CS_TRACKED | CS_ESTABLISHED | CS_REPLY_DIR,
        [CONN_RELATED] = CS_TRACKED | CS_RELATED,
        [CONN_INVALID] = CS_TRACKED | CS_INVALID,
    };
    bool is_icmp = f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;
    bool is_answer = f->connection == CONN_ANSWER;
    struct nwf_evaluation_ct ct = {
        .state = states[f->connection],
        .answered = f->connection == CONN_AGAIN,
        .has_ports = f->connection != CONN_INVALID,
        .proto = f->proto,
        .src_port = is_answer ? f->dst_port : f->src_port,
        .dst_port = is_answer ? f->src_port : f->dst_port,
    };

    if (is_icmp) {
        uint8_t request = f->proto == IPPROTO_ICMP ? 8 : 128;
        ct.src_port = is_answer ? request : f->icmp_type;
        ct.dst_port = f->icmp_code;
    }
    return ct;
}

static void
packet_of(const struct frame *frame, struct flow *ret)
{
    frame_to_flow(frame, ret);
    ret->in_port.ofp_port = frame->from_host ? OFPP_LOCAL : OFP_PORT_C(9);
    /* What another port's lookups have left there. */
    memset(&ret->regs[NWF_REG_SETS], 0xff, 5 * sizeof ret->regs[0]);
}

/* *ret_joined: only if all fragments of the packet are accepted.  *ret_met: whether the frame
 * meets rule 'rule'. */
static bool
stages_accept(const struct nwf_stages *stages, const struct frame *frame, uint32_t rule,
              bool *ret_joined, bool *ret_met)
{
    struct nwf_evaluation_ct ct = connection_of(frame);
    struct nwf_evaluation evaluation;
    struct flow flow;

    packet_of(frame, &flow);
    nwf_evaluate(stages, &flow, &ct, &evaluation);
    expect(evaluation.steps.n <= stages->list.n, "an evaluation of %zu steps", evaluation.steps.n);
    *ret_joined = false;
    nwf_vec_foreach (step, &evaluation.steps) {
        *ret_joined |= step->row->verdict == NWF_V_JOIN;
    }
    bool accepted = evaluation.steps.data[evaluation.steps.n - 1].row->verdict == NWF_V_ACCEPT;
    *ret_met = rule == NWF_RULE_END;
    nwf_vec_foreach (step, &evaluation.steps) {
        *ret_met |= step->row->rule == rule;
    }
    nwf_evaluation_clear(&evaluation);
    return accepted;
}

/* A later fragment may go where the first one is stopped, and wait for it in vain.  Without
 * conntrack, one of IPv6 is dropped if its protocol would matter; and so are fragments
 * that conntrack finds invalid. */
static bool
is_right(const struct compiled *c, const struct frame *frame, bool expected, bool accepted,
         bool joined)
{
    bool tracked = reference_is_tracked(c->program, frame);

    if (frame->oddity != CLEAR
        || (frame->fragment != WHOLE && tracked
            && (frame->connection == CONN_INVALID || frame_is_untracked(frame)))
        || (frame->fragment == LATER_FRAGMENT && !tracked && frame->eth_type == 0x86dd)) {
        return expected || !accepted;
    }
    return accepted == expected || (accepted && joined && frame->fragment == LATER_FRAGMENT);
}

static bool
is_guarded_well(const struct compiled *c, const struct frame *frame)
{
    struct nwf_evaluation_ct ct = connection_of(frame);
    struct nwf_evaluation plain, guarded;
    struct flow flow;

    packet_of(frame, &flow);
    nwf_evaluate(&c->stages[NWF_OUT], &flow, &ct, &plain);
    nwf_evaluate(&c->guarded, &flow, &ct, &guarded);
    bool agrees = guard_agrees(c, &flow, plain.steps.data[plain.steps.n - 1].row,
                               guarded.steps.data[guarded.steps.n - 1].row);
    nwf_evaluation_clear(&plain);
    nwf_evaluation_clear(&guarded);
    return agrees;
}

bool
check_frame(const struct compiled *c, enum nwf_direction direction, const struct frame *frame)
{
    struct verdict expected = reference_verdict_of_all(c->program, direction, frame);
    bool joined, met;
    bool accepted = stages_accept(&c->stages[direction], frame, expected.rule, &joined, &met);
    /* Flows are counted by rule: the one that decides must be among them.  (What the Ethernet
     * layer accepts can meet the IP layer's rules in the same flow.) */
    bool decisive =
        expected.rule != NWF_RULE_END
        && (!expected.accepted
            || nwf_rule_is_ip(c->program->side[direction].rules.data[expected.rule].rule));
    bool good = (direction == NWF_IN || is_guarded_well(c, frame))
                && is_right(c, frame, expected.accepted, accepted, joined)
                && (met || !decisive || frame->fragment != WHOLE || frame->oddity != CLEAR
                    || accepted != expected.accepted);

    if (!good) {
        struct ds s = DS_EMPTY_INITIALIZER;
        frame_format(frame, &s);
        print_error("direction %s, frame %s\n  the rules: %s by rule %#x; the stages: %s\n",
                    nwf_direction_to_string(direction), ds_cstr(&s),
                    expected.accepted ? "accepted" : "dropped", expected.rule,
                    accepted ? "accepted" : "dropped");
        ds_destroy(&s);
    }
    return good;
}
