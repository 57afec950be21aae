/* SPDX-License-Identifier: Apache-2.0
 *
 * What is compiled is what a switch gets: every flow of a filter is written as OpenFlow and
 * read again.  For what the language itself asks, nothing looks at that but this test; what a
 * <flow> asks for is refused if it does not come back. */
#include <config.h>

#include "compiled.h"

#include <errno.h>

#include "nwf/compile.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/meta-flow.h"
#include "random_filter.h"
#include "sent.h"

#include "lib/util.h"

#ifdef __SANITIZE_ADDRESS__
#define N_FILTERS 100
#else
#define N_FILTERS 800
#endif
#define N_TEXTS 60000

/* The number of flows of the program's that do not come back. */
static size_t
count_lost(const struct nwf_program *program, size_t *ret_n_flows)
{
    struct nwf_bridge bridge = {.audit = false};
    struct nwf_port port = {.ofport = 7, .role = NWF_GUEST, .zone = 0x8007};
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_guest_size size;
    struct nwf_flow_set flows;
    const struct nwf_flow *flow;
    size_t n = 0;

    nwf_flow_set_init(&flows);
    expect_ok(nwf_compile_guest(&bridge, &port, program, &size, &flows, &err), &err);
    HMAP_FOR_EACH (flow, node, &flows.flows) {
        n += !comes_back(flow);
    }
    *ret_n_flows = nwf_flow_set_count(&flows);
    nwf_flow_set_finish(&flows);
    return n;
}

/* ---- The language. ---- */

static void
test_random_filters(void **state)
{
    size_t n_wrong = 0, n_compiled = 0;

    (void) state;
    for (uint64_t seed = 0; seed < N_FILTERS && n_wrong < 3; seed++) {
        struct dice dice = dice_seed(seed);
        struct random_filter filter;
        struct compiled c;
        size_t n_flows;

        random_filter_roll(&dice, seed & 1, &filter);
        if (!compile(filter.filters, random_filter_variables, &c, NULL)) {
            n_compiled++;
            if (count_lost(c.program, &n_flows)) {
                random_filter_print(&filter);
                n_wrong++;
            }
        }
        compiled_free(&c);
        random_filter_free(&filter);
    }
    assert_int_equal(n_wrong, 0);
    assert_true(n_compiled > N_FILTERS * 9 / 10);
}

/* ---- <flow>. ---- */

/* Prerequisites that many fields have. */
static const char *const prefixes[] = {
    "",
    "",
    "ip,",
    "ipv6,",
    "arp,",
    "rarp,",
    "tcp,",
    "tcp6,",
    "udp,",
    "sctp6,",
    "icmp,icmp_type=8,",
    "icmp6,",
    "mpls,",
    "dl_type=0x894f,",
    "dl_vlan=5,",
    "vlan_tci=0x1000/0x1000,",
    "icmp6,icmp_type=135,icmp_code=0,",
    "icmp6,icmp_type=136,",
    "tcp,ct_state=+trk-inv,",
};

static void
roll_bytes(struct dice *dice, void *bytes_, size_t n)
{
    uint8_t *bytes = bytes_;

    for (size_t i = 0; i < n; i++) {
        bytes[i] = dice_roll(dice, 3) ? (uint8_t) dice_roll(dice, 256) : 0;
    }
}

/* Values that few bits are set in are more often such as the field can have. */
static void
roll_field(struct dice *dice, struct ds *s)
{
    const struct mf_field *mf = mf_from_id(
        (enum mf_field_id)(MFF_ETH_SRC + (int) dice_roll(dice, MFF_N_IDS - MFF_ETH_SRC)));
    union mf_value value, mask;

    if (!dice_roll(dice, 6)) {
        mf = mf_from_id(MFF_CT_STATE);
    } else if (!dice_roll(dice, 4)) {
        mf = mf_from_id(MFF_VLAN_TCI);
    }
    memset(&value, 0, sizeof value);
    memset(&mask, 0xff, sizeof mask);
    roll_bytes(dice, &value, mf->n_bytes);
    if (mf->maskable != MFM_NONE && dice_roll(dice, 2)) {
        roll_bytes(dice, &mask, mf->n_bytes);
    }
    for (size_t i = 0; i < mf->n_bytes; i++) {
        ((uint8_t *) &value)[i] &= ((uint8_t *) &mask)[i];
    }
    ds_put_format(s, "%s=", mf->name);
    mf_format(mf, &value, is_all_ones(&mask, mf->n_bytes) ? NULL : &mask, NULL, s);
}

static void
test_random_texts(void **state)
{
    size_t n_compiled = 0, n_refused = 0, n_wrong = 0;

    (void) state;
    for (uint64_t seed = 0; seed < N_TEXTS && n_wrong < 3; seed++) {
        struct dice dice = dice_seed(seed);
        struct nwf_error err = NWF_ERROR_INIT;
        struct ds text = DS_EMPTY_INITIALIZER;
        struct compiled c;
        size_t n_flows;

        ds_put_cstr(&text, prefixes[dice_roll(&dice, N_ROWS(prefixes))]);
        for (uint32_t n = 1 + dice_roll(&dice, 3); n; n--) {
            roll_field(&dice, &text);
            ds_put_cstr(&text, n > 1 ? "," : "");
        }
        char *xml CLEANUP_FREE =
            nwf_asprintf("<filter name='f'><rule action='drop' direction='in'>"
                         "%s<flow match='%s'/></rule></filter>",
                         strstr(ds_cstr(&text), "ct_") ? "<all/>" : "", ds_cstr(&text));
        const struct text_filter filters[] = {{"f", xml}, {NULL, NULL}};
        if (strchr(ds_cstr(&text), '<')) { /* libopenvswitch has no words for the value. */
            ds_destroy(&text);
            continue;
        }
        if (!compile(filters, "", &c, &err)) {
            n_compiled++;
            n_wrong += count_lost(c.program, &n_flows) > 0;
        } else {
            n_refused +=
                err.code == -EOPNOTSUPP && strstr(err.text, "OpenFlow has no room") != NULL;
        }
        nwf_error_clear(&err);
        compiled_free(&c);
        ds_destroy(&text);
    }
    print_message("%zu texts compiled, %zu have no room\n", n_compiled, n_refused);
    assert_int_equal(n_wrong, 0);
    assert_true(n_compiled > N_TEXTS / 50);
    assert_true(n_refused > N_TEXTS / 500);
}

/* Rows that come back each, and not together: ND is looked into under code 0 only. */
static void
test_folding(void **state)
{
    static const struct text_filter filters[] = {
        {"f", "<filter name='f' chain='root'><filterref filter='c'/>"
              "<rule action='drop' direction='out'>"
              "<flow match='icmp6,icmp_type=135,icmp_code=5'/></rule></filter>"},
        {"c",
         "<filter name='c' chain='ipv6'><rule action='return' direction='out'>"
         "<flow "
         "match='icmp6,nw_ttl=255,icmp_type=135,icmp_code=0,nd_target=fe80::1'/></rule></filter>"},
        {NULL, NULL},
    };
    struct nwf_error err = NWF_ERROR_INIT;
    struct compiled c;
    size_t n_flows;

    (void) state;
    expect_ok(compile(filters, "", &c, &err), &err);
    assert_int_equal(count_lost(c.program, &n_flows), 0);
    compiled_free(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_filters),
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_folding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
