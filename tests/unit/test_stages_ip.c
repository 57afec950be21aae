/* SPDX-License-Identifier: Apache-2.0
 *
 * The IP layers as stages: what they say of a packet of a connection, as Open vSwitch sees
 * both, is what iptables' rules say of it (reference.c), for random filters that mix both
 * layers, lists that become sets, fragments, states, and packets of the host itself. */
#include <config.h>

#include "compiled.h"
#include "random_filter.h"

#include <errno.h>

#include "nwf/text.h"

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

/* Sanitizers, who look for other mistakes, make it slow. */
#ifdef __SANITIZE_ADDRESS__
#define N_PROGRAMS 200
#else
#define N_PROGRAMS 1500
#endif
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
