/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole bridge's flows: each of a guest's own flows is tied to its port, a flood reaches whom it
 * shall and nobody twice, whatever the number of guests, and every flow fits into a message. */
#include <config.h>

#include "support.h"

#include "built.h"

#include "nwf/compile.h"
#include "nwf/flow.h"
#include "nwf/pipeline.h"
#include "nwf/routed.h"
#include "openvswitch/match.h"
#include "walk.h"

#include "lib/flow.h"
#include "lib/packets.h"

/* ---- Ports of one kind and another. ---- */

/* Invariant 6: one port's odd filter never widens another's megaflows. */
static void
test_flows_are_a_ports_own(void **state)
{
    const struct nwf_flow *flow;
    size_t n_rules = 0;
    struct built b;

    (void) state;
    built_start(&b);
    built_add_port(&b, 3, NWF_GUEST, any_vlan, "some");
    built_add_port(&b, 4, NWF_GUEST, access_vlan(5), "open");
    built_add_port(&b, 5, NWF_GUEST, any_vlan, "shut");
    built_add_port(&b, 6, NWF_QUARANTINED, any_vlan, NULL);
    built_compile(&b);
    HMAP_FOR_EACH (flow, node, &b.flows.flows) {
        uint16_t port = nwf_cookie_port(flow->cookie);
        struct match match;

        nwf_flow_expand_match(flow, &match);
        if (nwf_cookie_kind(flow->cookie) == NWF_COOKIE_TO_VM) {
            assert_int_equal(match.wc.masks.regs[0], UINT32_MAX);
            assert_int_equal(match.flow.regs[0], port);
            n_rules++;
        } else if (flow->table == NWF_TABLE_KNOWN && port) {
            assert_int_equal(match.wc.masks.regs[NWF_REG_KNOWN], UINT16_MAX);
            assert_int_equal(match.flow.regs[NWF_REG_KNOWN], port);
            n_rules++;
        } else if (nwf_cookie_kind(flow->cookie) == NWF_COOKIE_FROM_VM
                   || nwf_cookie_kind(flow->cookie) == NWF_COOKIE_CLASSIFY) {
            assert_int_equal(match.wc.masks.in_port.ofp_port, u16_to_ofp(UINT16_MAX));
            assert_int_equal(ofp_to_u16(match.flow.in_port.ofp_port), port);
            n_rules++;
        }
    }
    assert_true(n_rules > 12);
    built_free(&b);
}

static void
test_flood_reaches(void **state)
{
    struct built b;

    (void) state;
    built_start(&b);
    built_add_port(&b, 1, NWF_TRUSTED, any_vlan, NULL);
    built_add_port(&b, 2, NWF_TRUSTED, access_vlan(6), NULL);
    built_add_port(&b, 3, NWF_GUEST, any_vlan, "some");
    built_add_port(&b, 4, NWF_GUEST, access_vlan(5), "open");
    built_add_port(&b, 5, NWF_GUEST, any_vlan, "shut");
    built_add_port(&b, 6, NWF_QUARANTINED, any_vlan, NULL);
    built_compile(&b);
    static const struct {
        uint16_t vid, eth_type;
        const char *outputs, *visits; /* Port numbers. */
    } rows[] = {
        {0, 0x0800, "1", "35"},  {0, 0x0806, "1", "35"},  {5, 0x0800, "14", "35"},
        {5, 0x0806, "14", "35"}, {6, 0x86dd, "12", "35"}, {7, 0x8847, "1", "35"},
    };
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct reached reached = built_flood(&b, rows[i].vid, rows[i].eth_type);
        for (char port = '1'; port <= '6'; port++) {
            expect(reached.outputs[port - '0'] == (strchr(rows[i].outputs, port) != NULL),
                   "row %zu: port %c is output to %u times", i, port, reached.outputs[port - '0']);
            expect(reached.visits[port - '0'] == (strchr(rows[i].visits, port) != NULL),
                   "row %zu: port %c is visited %u times", i, port, reached.visits[port - '0']);
        }
    }
    built_free(&b);
}

/* Whether the guest's first table drops what another isolated guest sends to it. */
static bool
refuses_isolated(const struct built *b, uint16_t port)
{
    struct match match;

    match_init_catchall(&match);
    match_set_default_packet_type(&match);
    match_set_reg(&match, NWF_REG_GUEST, port);
    match_set_reg(&match, NWF_REG_MEMBER, NWF_ISOLATED);
    const struct nwf_flow *flow = walk_look_up(&b->flows, NWF_TABLE_TO_VM, &match.flow);
    return flow && !flow->form->ofpacts_len && nwf_cookie_rule(flow->cookie) == NWF_RULE_ISOLATED;
}

static void
build_isolated(struct built *b, bool audit, uint16_t n_long)
{
    built_start(b);
    b->bridge.audit = audit;
    built_add_port(b, 1, NWF_TRUSTED, any_vlan, NULL);
    for (uint16_t port = 3; port <= 8; port++) {
        bool isolated = port <= 6;
        built_compile_port(b,
                           (struct nwf_port){.ofport = port,
                                             .role = NWF_GUEST,
                                             .vlan = port % 2 ? any_vlan : access_vlan(5),
                                             .is_isolated = isolated},
                           port == 5 || port == 7 ? "some" : "open");
    }
    for (uint16_t port = 0; port < n_long; port++) {
        built_compile_port(b,
                           (struct nwf_port){.ofport = (uint16_t) (100 + port),
                                             .role = NWF_GUEST,
                                             .is_isolated = true},
                           "long");
    }
    built_compile(b);
}

/* An isolated guest is put nothing out that another one sends, whatever its filter accepts. */
static void
test_isolated(void **state)
{
    static const struct {
        uint16_t vid;
        bool isolated;
        const char *outputs, *visits;
    } rows[] = {
        {0, false, "13", "57"},   {0, true, "1", "357"},  {5, false, "13468", "57"},
        {5, true, "18", "34567"}, {6, false, "13", "57"}, {6, true, "1", "357"},
    };

    (void) state;
    for (int audit = 0; audit < 2; audit++) {
        struct built b;

        build_isolated(&b, audit, 0);
        for (char port = '3'; port <= '8'; port++) {
            expect(refuses_isolated(&b, (uint16_t) (port - '0')) == (port <= '6' && !audit),
                   "port %c: its first table", port);
        }
        for (size_t i = 0; i < N_ROWS(rows); i++) {
            struct reached reached = built_flood_of(&b, rows[i].vid, 0x0800, 0, rows[i].isolated);
            for (char port = '1'; port <= '8'; port++) {
                expect(reached.outputs[port - '0'] == (strchr(rows[i].outputs, port) != NULL),
                       "row %zu: port %c is output to %u times", i, port,
                       reached.outputs[port - '0']);
                expect(reached.visits[port - '0'] == (strchr(rows[i].visits, port) != NULL),
                       "row %zu: port %c is visited %u times", i, port, reached.visits[port - '0']);
            }
        }
        built_check_encoding(&b);
        built_free(&b);
    }
}

/* What an isolated guest sends has room for all of them: it ends in the first table. */
static void
test_isolated_room(void **state)
{
    struct built b;

    (void) state;
    build_isolated(&b, false, 75);
    struct reached others = built_flood_of(&b, 0, 0x0806, 0, false);
    struct reached isolated = built_flood_of(&b, 0, 0x0806, 0, true);
    size_t n_others = 0, n_isolated = 0;
    for (uint16_t port = 100; port < 175; port++) {
        n_others += others.visits[port];
        n_isolated += isolated.visits[port];
    }
    assert_int_equal(n_others, 64);
    assert_int_equal(n_isolated, 75);
    built_free(&b);
}

/* A guest's limits stand between its way in and its filter, and are its own. */
static void
test_limits(void **state)
{
    static const struct {
        uint16_t broadcast, arp;
        bool audit, no_meters;
        size_t n[3]; /* Flows of tables 0 that lead to table 1, and of 1 and 2. */
    } rows[] = {
        {0, 0, false, false, {0, 0, 0}}, {50, 0, false, false, {1, 2, 1}},
        {0, 9, false, false, {1, 1, 7}}, {50, 9, false, false, {1, 2, 7}},
        {50, 9, true, false, {0, 0, 0}}, {50, 9, false, true, {0, 0, 0}},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        const struct nwf_flow *flow;
        size_t n[3] = {0};
        struct built b;

        built_start(&b);
        b.bridge.audit = rows[i].audit;
        b.bridge.no_meters = rows[i].no_meters;
        built_compile_port(&b,
                           (struct nwf_port){.ofport = 3,
                                             .role = NWF_GUEST,
                                             .limits = {rows[i].broadcast, rows[i].arp}},
                           "open");
        built_add_port(&b, 4, NWF_GUEST, any_vlan, "open");
        built_compile(&b);
        HMAP_FOR_EACH (flow, node, &b.flows.flows) {
            struct match match;

            nwf_flow_expand_match(flow, &match);
            if (flow->table == NWF_TABLE_CLASSIFY || flow->table == NWF_TABLE_LIMITS
                || flow->table == NWF_TABLE_LIMITS + 1) {
                const struct ofpact *last = NULL, *a;
                OFPACT_FOR_EACH (a, flow->form->ofpacts, flow->form->ofpacts_len) {
                    last = a;
                }
                bool counts = flow->table
                              || (last && last->type == OFPACT_GOTO_TABLE
                                  && ofpact_get_GOTO_TABLE(last)->table_id == NWF_TABLE_LIMITS);
                n[flow->table] += counts;
                expect(!counts || match.flow.in_port.ofp_port == OFP_PORT_C(3), "row %zu: port", i);
            }
        }
        expect(!memcmp(n, rows[i].n, sizeof n), "row %zu: %zu %zu %zu", i, n[0], n[1], n[2]);
        built_check_encoding(&b);
        built_free(&b);
    }
}

/* Frames for an address that nobody knows are for trusted ports alone where no guest may have it.
 */
static void
test_unknown(void **state)
{
    static const struct {
        enum nwf_unknown unknown;
        bool audit;
        const char *fourth; /* The other guest's filter. */
        bool spares;
    } rows[] = {
        {NWF_UNKNOWN_AUTO, false, "own-4", true},    {NWF_UNKNOWN_AUTO, false, "open", false},
        {NWF_UNKNOWN_AUTO, true, "own-4", false},    {NWF_UNKNOWN_FLOOD, false, "own-4", false},
        {NWF_UNKNOWN_TRUSTED, false, "open", true},  {NWF_UNKNOWN_TRUSTED, false, "own-4", true},
        {NWF_UNKNOWN_TRUSTED, true, "own-4", false},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct built b;

        built_start(&b);
        b.bridge.unknown = rows[i].unknown;
        b.bridge.audit = rows[i].audit;
        built_add_port(&b, 1, NWF_TRUSTED, any_vlan, NULL);
        built_add_port(&b, 2, NWF_TRUSTED, access_vlan(5), NULL);
        built_add_port(&b, 3, NWF_GUEST, any_vlan, "own");
        built_add_port(&b, 4, NWF_GUEST, any_vlan, rows[i].fourth);
        built_compile(&b);
        struct match match;
        match_init_catchall(&match);
        match_set_default_packet_type(&match);
        expect((walk_look_up(&b.flows, NWF_TABLE_KNOWN, &match.flow) != NULL) == rows[i].spares,
               "row %zu: unknown addresses are marked", i);
        for (uint16_t vid = 0; rows[i].spares && vid < 6; vid += 5) {
            struct reached reached = built_flood_of(&b, vid, 0x0800, NWF_NOWHERE, i % 2);
            expect(reached.outputs[1] == 1 && reached.outputs[2] == (vid == 5),
                   "row %zu: trusted ports", i);
            expect(!reached.outputs[3] && !reached.visits[3] && !reached.outputs[4]
                       && !reached.visits[4],
                   "row %zu: a guest gets it", i);
        }
        built_free(&b);
    }
}

/* Long lists are in parts; everybody gets a frame once. */
static void
test_many_guests(void **state)
{
    static const struct {
        const char *filter;
        uint16_t n;
        size_t n_reached;
        uint16_t vid; /* Of access ports; 0: trunks. */
    } rows[] = {
        {"open", 3000, 3000, 0}, {"some", 1000, 1000, 0}, {"some", 3000, 2664, 0},
        {"long", 60, 60, 0},     {"long", 75, 65, 0},     {"shut", 3000, 2664, 0},
        {"open", 3000, 3000, 5}, {"some", 1024, 1024, 5},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct built b;

        built_start(&b);
        built_add_port(&b, 1, NWF_TRUSTED, any_vlan, NULL);
        for (uint16_t port = 0; port < rows[i].n; port++) {
            built_add_port(&b, (uint16_t) (100 + port), NWF_GUEST,
                           rows[i].vid ? access_vlan(rows[i].vid) : any_vlan, rows[i].filter);
        }
        built_compile(&b);
        bool shut = !strcmp(rows[i].filter, "shut"); /* They are visited to be counted. */
        assert_int_equal(b.n_unreached, shut ? 0 : rows[i].n - rows[i].n_reached);
        struct reached reached = built_flood(&b, rows[i].vid, 0x0806);
        size_t n = 0;
        for (uint16_t port = 0; port < rows[i].n; port++) {
            unsigned int times = reached.outputs[100 + port] + reached.visits[100 + port];
            expect(times <= 1, "port %u is reached %u times", port, times);
            n += times;
        }
        assert_int_equal(reached.outputs[1], 1);
        assert_int_equal(n, rows[i].n_reached);
        built_check_encoding(&b);
        built_free(&b);
    }
}

/* The first by number have room, and keep it whoever comes. */
static void
test_room(void **state)
{
    static const struct {
        uint16_t n_long, n_some; /* Guests, in this order. */
        bool patch;
        size_t n_long_reached, n_some_reached;
    } rows[] = {
        {75, 0, false, 65, 0},  {65, 0, false, 65, 0},   {64, 60, false, 64, 60},
        {75, 2, false, 65, 0},  {64, 70, false, 64, 60}, {75, 0, true, 32, 0},
        {33, 40, true, 32, 30},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct built b;
        uint16_t n = 0;

        built_start(&b);
        b.bridge.has_patch = rows[i].patch;
        for (; n < rows[i].n_long + rows[i].n_some; n++) {
            built_add_port(&b, (uint16_t) (100 + n), NWF_GUEST, n % 2 ? any_vlan : access_vlan(0),
                           n < rows[i].n_long ? "long" : "some");
        }
        built_compile(&b);
        struct reached reached = built_flood(&b, 0, 0x0806);
        for (n = 0; n < rows[i].n_long + rows[i].n_some; n++) {
            bool wanted = n < rows[i].n_long
                              ? n < rows[i].n_long_reached
                              : n - rows[i].n_long < (uint16_t) rows[i].n_some_reached;
            expect(reached.visits[100 + n] == wanted, "row %zu: guest %u is visited %u times", i, n,
                   reached.visits[100 + n]);
            expect(!(b.bridge.ports.data[n].unreached & 1) == wanted, "row %zu: guest %u: %x", i, n,
                   b.bridge.ports.data[n].unreached);
        }
        built_free(&b);
    }
}

/* In audit mode a port that claims a guest's own address, and is quarantined for it, gets the
 * frames too. */
static void
test_shared_address(void **state)
{
    struct match match;
    struct built b;

    (void) state;
    built_start(&b);
    b.bridge.audit = true;
    built_add_port(&b, 3, NWF_GUEST, any_vlan, "some");
    built_add_port(&b, 4, NWF_QUARANTINED, access_vlan(5), NULL);
    nwf_vec_push(&b.bridge.ports.data[1].macs, b.bridge.ports.data[0].macs.data[0]);
    built_compile(&b);
    for (uint16_t vid = 4; vid <= 5; vid++) {
        const struct nwf_flow *flow;
        const struct ofpact *a;
        size_t n[16] = {0};

        match_init_catchall(&match);
        match_set_dl_dst(&match, (struct eth_addr){.ea = {0x52, 0x54, 0, 0, 0, 3}});
        match_set_reg(&match, 1, 0x1000u | vid);
        match_set_default_packet_type(&match);
        flow = walk_look_up(&b.flows, NWF_TABLE_FORWARD, &match.flow);
        assert_non_null(flow);
        OFPACT_FOR_EACH (a, flow->form->ofpacts, flow->form->ofpacts_len) {
            if (a->type == OFPACT_SET_FIELD) {
                n[ofpact_get_SET_FIELD(a)->field->id - MFF_REG0]++;
            }
        }
        assert_int_equal(n[NWF_REG_OWNER], 1);
        assert_int_equal(n[NWF_REG_KNOWN], vid == 5);
    }
    built_free(&b);
}

/* A guest's own address is where it was seen last until it is heard; others are learned of it only
 * if its filter lets them pass. */
static void
test_sightings(void **state)
{
    static const struct {
        const char *filter;
        bool is_sighted;
        size_t n_senders, n_pins;
    } rows[] = {
        {"open", false, 2, 0},
        {"open", true, 2, 1},
        {"shut", true, 1, 1},
        {"own", false, 1, 0},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        size_t n_senders = 0, n_pins = 0;
        const struct nwf_flow *flow;
        struct built b;

        built_start(&b);
        built_compile_port(
            &b,
            (struct nwf_port){
                .ofport = 3, .role = NWF_GUEST, .vlan = any_vlan, .is_sighted = rows[i].is_sighted},
            rows[i].filter);
        built_compile(&b);
        HMAP_FOR_EACH (flow, node, &b.flows.flows) {
            n_senders += flow->table == NWF_TABLE_SENDER && nwf_cookie_port(flow->cookie);
            n_pins += nwf_cookie_kind(flow->cookie) == NWF_COOKIE_PINNED;
        }
        expect(n_senders == rows[i].n_senders && n_pins == rows[i].n_pins,
               "row %zu: %zu flows for senders, %zu pins", i, n_senders, n_pins);
        built_free(&b);
    }
}

/* ---- A host that routes between guests. ---- */

/* What comes out of the host with this source is an isolated guest's, or not; or it is dropped. */
static void
test_routed_arrivals(void **state)
{
    static const struct {
        const char *source;
        uint8_t icmp6_type;
        bool is_isolated, is_dropped;
    } rows[] = {
        {"192.0.2.5", 0, true, false},
        {"192.0.2.6", 0, false, false},
        {"198.51.100.9", 0, true, false}, /* Of a subnet. */
        {"198.51.100.16", 0, false, false},
        {"2001:db8::5", 128, true, false},
        {"2001:db8::6", 128, false, false},
        {"2001:db8::5", 137, false, true}, /* Nobody gets redirects. */
        {"fe80::1", 137, false, true},
        {"fe80::1", 136, false, false},
    };
    static const char *const isolated[] = {"192.0.2.5", "198.51.100.8/29", "2001:db8::5"};
    struct nwf_addresses addresses = {.data = NULL};
    struct built b;

    (void) state;
    for (size_t i = 0; i < N_ROWS(isolated); i++) {
        struct nwf_address address;
        expect_ok(nwf_address_parse(isolated[i], true, &address, NULL), NULL);
        nwf_vec_push(&addresses, address);
    }
    built_start(&b);
    b.bridge.is_host_routed = true;
    b.bridge.isolated = &addresses;
    built_add_port(&b, 1, NWF_GUEST, any_vlan, "open");
    built_add_port(&b, 0xfffe, NWF_TRUSTED, any_vlan, NULL);
    built_compile(&b);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct flow frame;
        struct nwf_address source;
        struct ds text = DS_EMPTY_INITIALIZER;

        expect_ok(nwf_address_parse(rows[i].source, false, &source, NULL), NULL);
        memset(&frame, 0, sizeof frame);
        frame.in_port.ofp_port = OFPP_LOCAL;
        if (source.family == AF_INET) {
            frame.dl_type = htons(ETH_TYPE_IP);
            memcpy(&frame.nw_src, source.bytes, sizeof frame.nw_src);
        } else {
            frame.dl_type = htons(ETH_TYPE_IPV6);
            memcpy(&frame.ipv6_src, source.bytes, sizeof frame.ipv6_src);
            frame.nw_proto = IPPROTO_ICMPV6;
            frame.tp_src = htons(rows[i].icmp6_type);
        }
        const struct nwf_flow *flow = walk_look_up(&b.flows, NWF_TABLE_CLASSIFY, &frame);
        expect(flow, "row %zu: no flow", i);
        nwf_flow_format(flow, &text);
        expect((strstr(ds_cstr(&text), "0x10000->reg5") != NULL) == rows[i].is_isolated
                   && (strstr(ds_cstr(&text), "actions=drop") != NULL) == rows[i].is_dropped,
               "row %zu: %s", i, ds_cstr(&text));
        ds_destroy(&text);
    }
    built_free(&b);
    nwf_vec_clear(&addresses);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flows_are_a_ports_own),
        cmocka_unit_test(test_flood_reaches),
        cmocka_unit_test(test_isolated),
        cmocka_unit_test(test_isolated_room),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_guests),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_shared_address),
        cmocka_unit_test(test_sightings),
        cmocka_unit_test(test_routed_arrivals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
