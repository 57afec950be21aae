/* SPDX-License-Identifier: Apache-2.0
 *
 * VLANs of a bridge: which frames a port admits, who gets a copy and with which tags, and where
 * addresses are learned. */
#include <config.h>

#include "support.h"

#include "built.h"

#include "nwf/compile.h"
#include "nwf/flow.h"
#include "nwf/pipeline.h"
#include "tag.h"

#include "lib/packets.h"

static struct nwf_vlan
vlan_of(enum nwf_vlan_mode mode, uint16_t tag, const char *trunks)
{
    struct nwf_vlan vlan = {.mode = mode, .tag = tag};

    for (const char *p = trunks; *p; p += strspn(p, ",")) {
        nwf_vlan_add_trunk(&vlan, (uint16_t) strtoul(p, (char **) &p, 10));
    }
    return vlan;
}

/* The VLAN that a frame with this TCI is in, as one of 'blank' frames or of all others; -1
 * when the port does not take it. */
static int
admitted_as(const struct nwf_admissions *list, uint16_t tci, bool blank)
{
    int vid = -1;

    nwf_vec_foreach (admission, list) {
        const union flow_vlan_hdr *mask = &admission->match.wc.masks.vlans[0];
        const union flow_vlan_hdr *value = &admission->match.flow.vlans[0];
        if (admission->is_blank == blank && ((htons(tci) ^ value->tci) & mask->tci) == 0) {
            assert_int_equal(vid, -1); /* Not two flows for one frame. */
            vid = admission->fixed ? admission->vid : tci & 0xfff;
        }
    }
    return vid;
}

static int
admitted(const struct nwf_admissions *list, uint16_t tci)
{
    return admitted_as(list, tci, false);
}

/* ovs-vswitchd.conf.db(5), table Port, column vlan_mode. */
static void
test_vlans(void **state)
{
    static const struct {
        enum nwf_vlan_mode mode;
        uint16_t tag;
        const char *trunks;
        int of_untagged, of_priority, of_5, of_6; /* The frame's VLAN, or -1. */
        bool leaves_5_untagged;
    } rows[] = {
        {NWF_VLAN_TRUNK, 0, "", 0, 0, 5, 6, false},
        {NWF_VLAN_TRUNK, 0, "5", -1, -1, 5, -1, false},
        {NWF_VLAN_TRUNK, 0, "0,5", 0, 0, 5, -1, false},
        {NWF_VLAN_TRUNK, 0, "6,7", -1, -1, -1, 6, false},
        {NWF_VLAN_ACCESS, 5, "", 5, 5, -1, -1, true},
        {NWF_VLAN_ACCESS, 6, "", 6, 6, -1, -1, false},
        {NWF_VLAN_NATIVE_TAGGED, 5, "", 5, 5, 5, 6, false},
        {NWF_VLAN_NATIVE_TAGGED, 5, "6", 5, 5, 5, 6, false},
        {NWF_VLAN_NATIVE_TAGGED, 5, "7", 5, 5, 5, -1, false},
        {NWF_VLAN_NATIVE_UNTAGGED, 5, "", 5, 5, 5, 6, true},
        {NWF_VLAN_NATIVE_UNTAGGED, 6, "5", 6, 6, 5, 6, false},
        {NWF_VLAN_ACCESS, 0, "", 0, 0, -1, -1, false},
        {NWF_VLAN_NATIVE_TAGGED, 0, "5", 0, 0, 5, -1, false},
        {NWF_VLAN_TUNNEL, 5, "", 5, 5, 5, 5, true},
        {NWF_VLAN_TUNNEL, 5, "0", 5, 5, -1, -1, true},
        {NWF_VLAN_TUNNEL, 5, "6", -1, -1, -1, 5, true},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_vlan vlan = vlan_of(rows[i].mode, rows[i].tag, rows[i].trunks);
        struct nwf_admissions list;

        nwf_vlan_admissions(&vlan, &list);
        expect(admitted(&list, 0) == rows[i].of_untagged, "row %zu: untagged", i);
        expect(admitted(&list, 0x3000) == rows[i].of_priority, "row %zu: priority tag", i);
        expect(admitted(&list, 0x7005) == rows[i].of_5, "row %zu: VLAN 5", i);
        expect(admitted(&list, 0x1006) == rows[i].of_6, "row %zu: VLAN 6", i);
        expect(nwf_vlan_has(&vlan, 5)
                   == (rows[i].of_5 == 5 || rows[i].of_untagged == 5
                       || rows[i].mode == NWF_VLAN_TUNNEL),
               "row %zu: member of VLAN 5", i);
        expect(admitted_as(&list, 0x1000, true) == (rows[i].of_untagged == 0 ? 0 : -1)
                   && admitted_as(&list, 0x3000, true) == -1
                   && admitted_as(&list, 0x1005, true) == -1,
               "row %zu: a priority tag that is as good as none", i);
        expect(nwf_vlan_is_untagged(&vlan, 5) == rows[i].leaves_5_untagged, "row %zu: leaves", i);
        nwf_vec_clear(&list);
        if (rows[i].mode == NWF_VLAN_TUNNEL) { /* No guest's. */
            nwf_vlan_clear(&vlan);
            continue;
        }

        /* A guest gets nothing into its own VLAN by a tag that its filter stops at. */
        nwf_vlan_guest_admissions(&vlan, &list);
        expect(admitted(&list, 0) == rows[i].of_untagged, "row %zu: a guest's, untagged", i);
        expect(admitted(&list, 0x3000)
                   == (rows[i].mode == NWF_VLAN_TRUNK ? rows[i].of_priority : -1),
               "row %zu: a guest's, priority tag", i);
        expect(admitted(&list, 0x7005) == rows[i].of_5, "row %zu: a guest's, VLAN 5", i);
        nwf_vec_clear(&list);
        nwf_vlan_clear(&vlan);
    }
}

/* Who is in which VLAN; untagged frames are in that of ports without a VLAN of their own. */
static void
test_members(void **state)
{
    static const struct {
        enum nwf_vlan_mode mode;
        uint16_t tag;
        const char *trunks, *members; /* Of VLANs 0, 5 and 6. */
        bool all;
    } rows[] = {
        {NWF_VLAN_TRUNK, 0, "", "056", true},
        {NWF_VLAN_TRUNK, 0, "5", "5", false},
        {NWF_VLAN_TRUNK, 0, "0,6", "06", false},
        {NWF_VLAN_ACCESS, 0, "", "0", false},
        {NWF_VLAN_ACCESS, 5, "", "5", false},
        {NWF_VLAN_NATIVE_TAGGED, 5, "", "56", true},
        {NWF_VLAN_NATIVE_TAGGED, 5, "0,6", "56", false},
        {NWF_VLAN_NATIVE_UNTAGGED, 0, "", "056", true},
        {NWF_VLAN_NATIVE_UNTAGGED, 0, "0", "0", false},
        {NWF_VLAN_NATIVE_UNTAGGED, 0, "6", "6", false},
        {NWF_VLAN_TUNNEL, 5, "", "5", false},
        {NWF_VLAN_TUNNEL, 5, "6", "5", false},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_vlan vlan = vlan_of(rows[i].mode, rows[i].tag, rows[i].trunks);

        for (const char *vid = "056"; *vid; vid++) {
            expect(nwf_vlan_has(&vlan, (uint16_t) (*vid - '0'))
                       == (strchr(rows[i].members, *vid) != NULL),
                   "row %zu: VLAN %c", i, *vid);
        }
        expect(nwf_vlan_has_all(&vlan) == rows[i].all, "row %zu: all", i);
        nwf_vlan_clear(&vlan);
    }
}

/* A copy is its own, and differs as soon as anything does. */
static void
test_vlan_copies(void **state)
{
    struct nwf_vlan vlan = vlan_of(NWF_VLAN_NATIVE_TAGGED, 5, "6,7"), all = any_vlan;
    struct nwf_vlan copy = nwf_vlan_copy(&vlan);

    (void) state;
    assert_true(nwf_vlan_equals(&vlan, &copy));
    assert_false(nwf_vlan_equals(&all, &copy));
    nwf_vlan_add_trunk(&copy, 8);
    assert_false(nwf_vlan_equals(&vlan, &copy));
    assert_false(nwf_vlan_has(&vlan, 8));
    nwf_vlan_clear(&copy);
    copy = nwf_vlan_copy(&vlan);
    copy.tag = 6;
    assert_false(nwf_vlan_equals(&vlan, &copy));
    nwf_vlan_clear(&copy);
    assert_true(nwf_vlan_equals(&all, &copy));
    nwf_vlan_clear(&vlan);
}

/* Who gets a frame without its VLAN's tag may get another tag with it: nothing is said
 * beforehand of a guest whose filter tells frames apart. */
static void
test_hidden_tags(void **state)
{
    static const struct {
        const char *filter;
        bool inner_tags;
        uint16_t vid, eth_type;
        unsigned int outputs, visits;
    } rows[] = {
        {"no-arp", false, 5, 0x0800, 1, 0}, {"no-arp", false, 5, 0x0806, 0, 1},
        {"no-arp", false, 5, 0x88b5, 0, 1}, {"no-arp", true, 5, 0x0800, 0, 1},
        {"open", false, 5, 0x88b5, 1, 0},   {"open", true, 5, 0x0800, 1, 0},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct built b;

        built_start(&b);
        b.bridge.inner_tags = rows[i].inner_tags;
        built_add_port(&b, 3, NWF_GUEST, access_vlan(5), rows[i].filter);
        built_compile(&b);
        struct reached reached = built_flood(&b, rows[i].vid, rows[i].eth_type);
        expect(reached.outputs[3] == rows[i].outputs && reached.visits[3] == rows[i].visits,
               "row %zu: %u outputs, %u visits", i, reached.outputs[3], reached.visits[3]);
        built_free(&b);
    }
}

/* Every set of VLANs is admitted, and nothing beside it. */
static void
test_trunk_sets(void **state)
{
    struct dice dice = dice_seed(4);

    (void) state;
    for (int i = 0; i < 40; i++) {
        struct nwf_vlan vlan = {.mode = NWF_VLAN_TRUNK, .limited = true};
        struct nwf_admissions list;

        for (int n = 0; n < 4; n++) {
            uint32_t first = dice_roll(&dice, NWF_N_VLANS), len = dice_roll(&dice, 300);
            for (uint32_t vid = first; vid < NWF_N_VLANS && vid < first + len; vid++) {
                nwf_vlan_add_trunk(&vlan, (uint16_t) vid);
            }
        }
        nwf_vlan_admissions(&vlan, &list);
        for (uint16_t vid = 1; vid < NWF_N_VLANS; vid++) {
            expect((admitted(&list, (uint16_t) (0x1000 | vid)) == vid) == nwf_vlan_has(&vlan, vid),
                   "VLAN %u", vid);
        }
        nwf_vec_clear(&list);
        nwf_vlan_clear(&vlan);
    }
}

/* What is learned has room by port, VLAN and last bits; not more than so many VLANs have their
 * own. */
static void
test_learning(void **state)
{
    static const struct {
        uint16_t n_vlans; /* That a guest's port names. */
        size_t n_trunk, n_access;
    } rows[] = {{0, 8, 4}, {3, 20, 4}, {31, 132, 4}, {32, 132, 4}, {4000, 132, 4}};

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_vlan vlan = {.mode = NWF_VLAN_TRUNK, .limited = true};
        size_t n[2] = {0, 0};
        const struct nwf_flow *flow;
        struct built b;

        built_start(&b);
        built_add_port(&b, 1, NWF_TRUSTED, any_vlan, NULL);
        built_add_port(&b, 2, NWF_TRUSTED, access_vlan(0), NULL);
        for (uint16_t vid = 1; vid <= rows[i].n_vlans; vid++) {
            nwf_vlan_add_trunk(&vlan, vid);
        }
        built_add_port(&b, 3, NWF_GUEST, vlan, "open");
        built_compile(&b);
        HMAP_FOR_EACH (flow, node, &b.flows.flows) {
            if (flow->table == NWF_TABLE_LEARN) {
                n[nwf_cookie_port(flow->cookie) - 1]++;
            }
        }
        expect(n[0] == rows[i].n_trunk && n[1] == rows[i].n_access, "row %zu: %zu and %zu", i, n[0],
               n[1]);
        built_check_encoding(&b);
        built_free(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vlans),       cmocka_unit_test(test_members),
        cmocka_unit_test(test_vlan_copies), cmocka_unit_test(test_hidden_tags),
        cmocka_unit_test(test_trunk_sets),  cmocka_unit_test(test_learning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
