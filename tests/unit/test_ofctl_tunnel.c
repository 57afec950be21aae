/* SPDX-License-Identifier: Apache-2.0
 *
 * Matches on tunnel metadata: those that mean the same are equal in one layout, however they were
 * written, and those that do not are not. */
#include <config.h>

#include "support.h"

#include "openvswitch/ofp-flow.h"
#include "tunnel.h"

#include "lib/util.h"

static struct match
parse(const char *text)
{
    enum ofputil_protocol usable;
    struct ofputil_flow_mod mod;
    struct match match;
    char *error = parse_ofp_str(&mod, OFPFC_DELETE, text, NULL, NULL, &usable);

    if (error) {
        fail_msg("%s: %s", text, error);
    }
    minimatch_expand(&mod.match, &match);
    minimatch_destroy(&mod.match);
    return match;
}

/* The matches with a common layout, and whether they are equal in it. */
static bool
is_same(const char *a_text, const char *b_text)
{
    struct ofctl_tunnel_layout layout = {.widths = {0}};
    struct match a = parse(a_text), b = parse(b_text);

    ofctl_tunnel_layout_add(&layout, &a);
    ofctl_tunnel_layout_add(&layout, &b);
    ofctl_tunnel_layout_apply(&layout, &a);
    ofctl_tunnel_layout_apply(&layout, &b);
    return match_equal(&a, &b);
}

static void
test_order_and_width(void **state)
{
    (void) state;
    assert_true(is_same("tun_metadata0=1,tun_metadata1=2", "tun_metadata1=2,tun_metadata0=1"));
    assert_true(is_same("tun_metadata3=0xabcd,tun_metadata1=0xef/0xff",
                        "tun_metadata1=0x00ef/0xff,tun_metadata3=0x0000abcd"));
    assert_true(is_same("tun_metadata0=0", "tun_metadata0=0x00000000"));
    assert_true(is_same("tun_metadata0", "tun_metadata0"));
}

static void
test_differences(void **state)
{
    (void) state;
    assert_false(is_same("tun_metadata0=1", "tun_metadata1=1"));
    assert_false(is_same("tun_metadata0=1", "tun_metadata0=2"));
    assert_false(is_same("tun_metadata0=0xef", "tun_metadata0=0xef/0xff"));
    assert_false(is_same("tun_metadata0=1,tun_metadata1=2", "tun_metadata0=2,tun_metadata1=1"));
}

static void
test_reads(void **state)
{
    const struct mf_field *field = mf_from_id(MFF_TUN_METADATA2);
    struct ofctl_tunnel_layout layout = {.widths = {0}};
    struct match match = parse("tun_metadata0=0x1122334455,tun_metadata2=0xabcdef");
    union mf_value value;

    (void) state;
    ofctl_tunnel_layout_add(&layout, &match);
    for (int i = 0; i < 2; i++) { /* As it came, and in the layout. */
        ofctl_tunnel_read(&match, field, &value);
        assert_int_equal(value.tun_metadata[field->n_bytes - 4], 0);
        assert_int_equal(value.tun_metadata[field->n_bytes - 3], 0xab);
        assert_int_equal(value.tun_metadata[field->n_bytes - 1], 0xef);
        ofctl_tunnel_layout_apply(&layout, &match);
    }
    assert_int_equal(layout.widths[0], 8);
    assert_int_equal(layout.widths[2], 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_width),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
