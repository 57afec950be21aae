/* SPDX-License-Identifier: Apache-2.0
 *
 * The IP layers as stages: what they say of a packet of a connection, as Open vSwitch sees
 * both, is what iptables' rules say of it (reference.c), for random filters that mix both
 * layers, lists that become sets, fragments, states, and packets of the host itself. */
#include <config.h>

#include "random_filter.h"
#include "reference.h"

#include <errno.h>
#include <netinet/in.h>

#include "nwf/stages.h"
#include "nwf/text.h"
#include "nwf/walk.h"

#include "lib/packets.h"

struct compiled {
    struct nwf_store *store;
    struct nwf_program *program;
    struct nwf_stages stages[NWF_N_DIRECTIONS];
};

static int
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
    }
    return r;
}

static void
compiled_free(struct compiled *c)
{
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        nwf_stages_clear(&c->stages[d]);
    }
    if (c->program) {
        nwf_program_free(c->program);
    }
    nwf_store_free(c->store);
}

/* ---- One frame. ---- */

/* What conntrack says; ports and types as the connection began. */
static struct nwf_walk_ct
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
    struct nwf_walk_ct ct = {
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

/* 'ret_joined': only if all fragments of the packet are accepted. */
static bool
stages_accept(const struct nwf_stages *stages, const struct frame *frame, bool *ret_joined)
{
    struct nwf_walk_ct ct = connection_of(frame);
    struct nwf_walk walk;
    struct flow flow;

    frame_to_flow(frame, &flow);
    flow.in_port.ofp_port = frame->from_host ? OFPP_LOCAL : OFP_PORT_C(9);
    nwf_walk(stages, &flow, &ct, &walk);
    expect(walk.steps.n <= stages->list.n, "a walk of %zu steps", walk.steps.n);
    *ret_joined = false;
    nwf_vec_foreach (step, &walk.steps) {
        *ret_joined |= step->row->verdict == NWF_V_JOIN;
    }
    bool accepted = walk.steps.data[walk.steps.n - 1].row->verdict == NWF_V_ACCEPT;
    nwf_walk_clear(&walk);
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
        || (frame->fragment != WHOLE && tracked && frame->connection == CONN_INVALID)
        || (frame->fragment == LATER_FRAGMENT && !tracked && frame->eth_type == 0x86dd)) {
        return expected || !accepted;
    }
    return accepted == expected || (accepted && joined && frame->fragment == LATER_FRAGMENT);
}

static bool
check_frame(const struct compiled *c, enum nwf_direction direction, const struct frame *frame)
{
    struct verdict expected = reference_verdict_of_all(c->program, direction, frame);
    bool joined, accepted = stages_accept(&c->stages[direction], frame, &joined);
    bool good = is_right(c, frame, expected.accepted, accepted, joined);

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

static size_t
check_frames(const struct compiled *c, uint64_t seed, size_t n_frames)
{
    struct dice dice = dice_seed(seed);
    size_t n_wrong = 0;

    for (size_t i = 0; i < n_frames; i++) {
        struct frame frame;

        frame_roll(&dice, &frame);
        for (int d = 0; d < NWF_N_DIRECTIONS && n_wrong < 3; d++) {
            n_wrong += !check_frame(c, (enum nwf_direction) d, &frame);
        }
    }
    return n_wrong;
}

/* ---- Random filters. ---- */

#define N_PROGRAMS 1500
#define N_FRAMES 80

static bool
is_tracked(const struct compiled *c)
{
    return nwf_program_is_stateful(c->program);
}

static bool
has_sets(const struct compiled *c)
{
    return c->stages[NWF_OUT].list.data[0].rows.data[0].verdict == NWF_V_SET;
}

static void
test_random(void **state)
{
    size_t n_compiled = 0, n_wrong = 0, n_tracked = 0, n_sets = 0;

    (void) state;
    for (uint64_t seed = 0; seed < N_PROGRAMS && n_wrong < 3; seed++) {
        struct dice dice = dice_seed(seed);
        struct nwf_error err = NWF_ERROR_INIT;
        struct random_filter filter;
        struct compiled c;

        random_filter_roll(&dice, true, &filter);
        int r = compile(filter.filters, random_filter_variables, &c, &err);
        if (!r) {
            n_compiled++;
            n_tracked += is_tracked(&c);
            n_sets += has_sets(&c);
            if (check_frames(&c, seed, N_FRAMES)) {
                print_error("  ... with the random filter %llu:\n", (unsigned long long) seed);
                random_filter_print(&filter);
                n_wrong++;
            }
        } else {
            expect(r == -EOPNOTSUPP || r == -E2BIG, "filter %llu: %s", (unsigned long long) seed,
                   nwf_error_text(&err));
        }
        nwf_error_clear(&err);
        compiled_free(&c);
        random_filter_free(&filter);
    }
    assert_int_equal(n_wrong, 0);
    /* All kinds were among them. */
    assert_true(n_compiled > N_PROGRAMS * 9 / 10);
    assert_true(n_tracked > n_compiled / 2 && n_tracked < n_compiled);
    assert_true(n_sets > n_compiled / 50);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
