/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole bridge's flows: each of a guest's own flows is tied to its port, a flood
 * reaches whom it shall and nobody twice, whatever the number of guests, VLANs are
 * admitted as Open vSwitch does it, and every flow fits into a message. */
#include <config.h>

#include "support.h"

#include <errno.h>
#include <stdio.h>

#include "nwf/compile.h"
#include "nwf/flow.h"
#include "nwf/pipeline.h"
#include "nwf/routed.h"
#include "nwf/text.h"
#include "openvswitch/match.h"
#include "openvswitch/ofpbuf.h"
#include "sent.h"
#include "tag.h"

#include "lib/flow.h"
#include "lib/packets.h"

/* ---- Bridges to compile. ---- */

/* Tables that ARP meets there, of 3,900; it meets one of "some". */
#define LONG_COST 60

static char long_filter[LONG_COST * 256];

static const struct text_filter filters[] = {
    {"open", "<filter name='open'/>"},
    {"shut", "<filter name='shut'><rule action='drop' direction='inout'/></filter>"},
    /* Some frames of every kind pass. */
    {"some", "<filter name='some'><rule action='drop' direction='inout'>"
             "<mac srcmacaddr='02:00:00:00:00:99'/></rule>"
             "<rule action='drop' direction='in'><ip match='no' srcipaddr='10.0.0.1'/></rule>"
             "<rule action='accept' direction='in'><mac match='no' protocolid='ipv4'/></rule>"
             "</filter>"},
    {"no-arp", "<filter name='no-arp'><rule action='drop' direction='in'><arp/></rule></filter>"},
    {"own", "<filter name='own'><rule action='drop' direction='out'>"
            "<mac match='no' srcmacaddr='52:54:00:00:00:03'/></rule></filter>"},
    {"own-4", "<filter name='own-4'><rule action='drop' direction='out'>"
              "<mac match='no' srcmacaddr='52:54:00:00:00:04'/></rule></filter>"},
    {"long", long_filter},
    {NULL, NULL},
};

/* Rules that cannot be merged into fewer tables. */
static void
write_long_filter(void)
{
    size_t n = (size_t) sprintf(long_filter, "<filter name='long'>");

    for (unsigned int i = 0; i < LONG_COST; i++) {
        n += (size_t) sprintf(long_filter + n,
                              "<rule action='drop' direction='in'><arp match='no' "
                              "arpsrcipaddr='10.0.%u.0' arpsrcipmask='24' "
                              "arpdstipaddr='10.1.%u.0' arpdstipmask='24' "
                              "arpsrcmacaddr='02:00:00:00:00:%02x' "
                              "arpdstmacaddr='02:00:00:00:00:01'/></rule>",
                              i, i, i);
    }
    sprintf(long_filter + n, "</filter>");
}

struct built {
    struct nwf_bridge bridge;
    struct nwf_flow_set flows;
    size_t n_unreached; /* Guests that flooded ARP does not reach. */
};

/* 'vlan' is taken. */
static void
compile_port(struct built *b, struct nwf_port port, const char *filter)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = store_of(filters);
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    struct nwf_params params = {.list.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_filter *root;
    struct nwf_guest_size size;

    if (port.role == NWF_GUEST) {
        nwf_vec_push(&port.macs, (struct nwf_mac){{0x52, 0x54, 0, 0, (uint8_t) (port.ofport >> 8),
                                                   (uint8_t) port.ofport}});
        expect_ok(nwf_store_get(store, filter, &root, &err), &err);
        expect_ok(nwf_program_new(store, root, &params, &program, &err), &err);
        expect_ok(nwf_compile_guest(&b->bridge, &port, program, &size, &b->flows, &err), &err);
    } else if (port.role == NWF_QUARANTINED) {
        nwf_compile_quarantined(&b->bridge, &port, &b->flows);
    }
    nwf_vec_push(&b->bridge.ports, port);
}

static void
add_port(struct built *b, uint16_t ofport, enum nwf_port_role role, struct nwf_vlan vlan,
         const char *filter)
{
    compile_port(b, (struct nwf_port){.ofport = ofport, .role = role, .vlan = vlan}, filter);
}

static void
start(struct built *b)
{
    memset(b, 0, sizeof *b);
    b->bridge.mac_aging = 300;
    nwf_flow_set_init(&b->flows);
}

static void
finish(struct built *b)
{
    nwf_compile_bridge(&b->bridge, &b->flows);
    nwf_vec_foreach (port, &b->bridge.ports) {
        b->n_unreached += port->unreached & 1;
    }
}

static void
built_free(struct built *b)
{
    nwf_bridge_finish(&b->bridge);
    nwf_flow_set_finish(&b->flows);
}

static const struct nwf_vlan any_vlan = {.mode = NWF_VLAN_TRUNK};

static struct nwf_vlan
access_vlan(uint16_t vid)
{
    return (struct nwf_vlan){.mode = NWF_VLAN_ACCESS, .tag = vid};
}

/* ---- A flood, walked. ---- */

struct reached {
    unsigned int outputs[0x10000], visits[0x10000];
};

static const struct nwf_flow *
look_up(const struct nwf_flow_set *flows, uint8_t table, const struct flow *frame)
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

static void walk(const struct nwf_flow_set *flows, uint8_t table, struct flow *frame,
                 struct reached *ret);

static void
walk_actions(const struct nwf_flow_set *flows, const struct ofpact *actions, size_t len,
             struct flow *frame, struct reached *ret)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, actions, len) {
        if (a->type == OFPACT_OUTPUT) {
            ret->outputs[ofp_to_u16(ofpact_get_OUTPUT(a)->port)]++;
        } else if (a->type == OFPACT_SET_FIELD) {
            const struct ofpact_set_field *load = ofpact_get_SET_FIELD(a);
            if (mf_is_register(load->field->id)) {
                frame->regs[load->field->id - MFF_REG0] = ntohl(load->value->be32);
            }
        } else if (a->type == OFPACT_RESUBMIT
                   && ofpact_get_RESUBMIT(a)->table_id == NWF_TABLE_TO_VM) {
            ret->visits[frame->regs[0]]++;
        } else if (a->type == OFPACT_RESUBMIT) {
            walk(flows, ofpact_get_RESUBMIT(a)->table_id, frame, ret);
        } else if (a->type == OFPACT_CLONE) {
            const struct ofpact_nest *clone = ofpact_get_CLONE(a);
            struct flow copy = *frame;
            walk_actions(flows, clone->actions, ofpact_nest_get_action_len(clone), &copy, ret);
        }
    }
}

static void
walk(const struct nwf_flow_set *flows, uint8_t table, struct flow *frame, struct reached *ret)
{
    /* What takes tags off is fixed, and ends at the receivers. */
    table = table == NWF_TABLE_UNTAG ? NWF_TABLE_RECEIVERS : table;
    const struct nwf_flow *flow = look_up(flows, table, frame);

    expect(flow, "table %u has no flow", table);
    walk_actions(flows, flow->form->ofpacts, flow->form->ofpacts_len, frame, ret);
}

/* 'owner' is what stands in NWF_REG_OWNER. */
static struct reached
flood_of(const struct built *b, uint16_t vid, uint16_t eth_type, uint32_t owner, bool isolated)
{
    struct reached reached;
    struct match match;
    struct flow frame;

    memset(&reached, 0, sizeof reached);
    match_init_catchall(&match);
    match_set_dl_type(&match, htons(eth_type));
    match_set_reg(&match, 1, vid ? 0x1000u | vid : 0);
    match_set_default_packet_type(&match);
    match_set_reg(&match, NWF_REG_OWNER, owner);
    match_set_reg(&match, NWF_REG_MEMBER, isolated ? NWF_ISOLATED : 0);
    frame = match.flow;
    walk(&b->flows, NWF_TABLE_FLOOD, &frame, &reached);
    return reached;
}

static struct reached
flood(const struct built *b, uint16_t vid, uint16_t eth_type)
{
    return flood_of(b, vid, eth_type, 0, false);
}

/* ---- Tests. ---- */

/* Invariant 6: one port's odd filter never widens another's megaflows. */
static void
test_flows_are_a_ports_own(void **state)
{
    const struct nwf_flow *flow;
    size_t n_rules = 0;
    struct built b;

    (void) state;
    start(&b);
    add_port(&b, 3, NWF_GUEST, any_vlan, "some");
    add_port(&b, 4, NWF_GUEST, access_vlan(5), "open");
    add_port(&b, 5, NWF_GUEST, any_vlan, "shut");
    add_port(&b, 6, NWF_QUARANTINED, any_vlan, NULL);
    finish(&b);
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
    start(&b);
    add_port(&b, 1, NWF_TRUSTED, any_vlan, NULL);
    add_port(&b, 2, NWF_TRUSTED, access_vlan(6), NULL);
    add_port(&b, 3, NWF_GUEST, any_vlan, "some");
    add_port(&b, 4, NWF_GUEST, access_vlan(5), "open");
    add_port(&b, 5, NWF_GUEST, any_vlan, "shut");
    add_port(&b, 6, NWF_QUARANTINED, any_vlan, NULL);
    finish(&b);
    static const struct {
        uint16_t vid, eth_type;
        const char *outputs, *visits; /* Port numbers. */
    } rows[] = {
        {0, 0x0800, "1", "35"},  {0, 0x0806, "1", "35"},  {5, 0x0800, "14", "35"},
        {5, 0x0806, "14", "35"}, {6, 0x86dd, "12", "35"}, {7, 0x8847, "1", "35"},
    };
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct reached reached = flood(&b, rows[i].vid, rows[i].eth_type);
        for (char port = '1'; port <= '6'; port++) {
            expect(reached.outputs[port - '0'] == (strchr(rows[i].outputs, port) != NULL),
                   "row %zu: port %c is output to %u times", i, port, reached.outputs[port - '0']);
            expect(reached.visits[port - '0'] == (strchr(rows[i].visits, port) != NULL),
                   "row %zu: port %c is visited %u times", i, port, reached.visits[port - '0']);
        }
    }
    built_free(&b);
}

static void
check_encoding(const struct built *b)
{
    const struct nwf_flow *flow;

    HMAP_FOR_EACH (flow, node, &b->flows.flows) {
        expect(comes_back(flow), "a flow that a switch gets as another one");
    }
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
    const struct nwf_flow *flow = look_up(&b->flows, NWF_TABLE_TO_VM, &match.flow);
    return flow && !flow->form->ofpacts_len && nwf_cookie_rule(flow->cookie) == NWF_RULE_ISOLATED;
}

static void
build_isolated(struct built *b, bool audit, uint16_t n_long)
{
    start(b);
    b->bridge.audit = audit;
    add_port(b, 1, NWF_TRUSTED, any_vlan, NULL);
    for (uint16_t port = 3; port <= 8; port++) {
        bool isolated = port <= 6;
        compile_port(b,
                     (struct nwf_port){.ofport = port,
                                       .role = NWF_GUEST,
                                       .vlan = port % 2 ? any_vlan : access_vlan(5),
                                       .is_isolated = isolated},
                     port == 5 || port == 7 ? "some" : "open");
    }
    for (uint16_t port = 0; port < n_long; port++) {
        compile_port(b,
                     (struct nwf_port){
                         .ofport = (uint16_t) (100 + port), .role = NWF_GUEST, .is_isolated = true},
                     "long");
    }
    finish(b);
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
            struct reached reached = flood_of(&b, rows[i].vid, 0x0800, 0, rows[i].isolated);
            for (char port = '1'; port <= '8'; port++) {
                expect(reached.outputs[port - '0'] == (strchr(rows[i].outputs, port) != NULL),
                       "row %zu: port %c is output to %u times", i, port,
                       reached.outputs[port - '0']);
                expect(reached.visits[port - '0'] == (strchr(rows[i].visits, port) != NULL),
                       "row %zu: port %c is visited %u times", i, port, reached.visits[port - '0']);
            }
        }
        check_encoding(&b);
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
    struct reached others = flood_of(&b, 0, 0x0806, 0, false);
    struct reached isolated = flood_of(&b, 0, 0x0806, 0, true);
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

        start(&b);
        b.bridge.audit = rows[i].audit;
        b.bridge.no_meters = rows[i].no_meters;
        compile_port(&b,
                     (struct nwf_port){.ofport = 3,
                                       .role = NWF_GUEST,
                                       .limits = {rows[i].broadcast, rows[i].arp}},
                     "open");
        add_port(&b, 4, NWF_GUEST, any_vlan, "open");
        finish(&b);
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
        check_encoding(&b);
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

        start(&b);
        b.bridge.unknown = rows[i].unknown;
        b.bridge.audit = rows[i].audit;
        add_port(&b, 1, NWF_TRUSTED, any_vlan, NULL);
        add_port(&b, 2, NWF_TRUSTED, access_vlan(5), NULL);
        add_port(&b, 3, NWF_GUEST, any_vlan, "own");
        add_port(&b, 4, NWF_GUEST, any_vlan, rows[i].fourth);
        finish(&b);
        struct match match;
        match_init_catchall(&match);
        match_set_default_packet_type(&match);
        expect((look_up(&b.flows, NWF_TABLE_KNOWN, &match.flow) != NULL) == rows[i].spares,
               "row %zu: unknown addresses are marked", i);
        for (uint16_t vid = 0; rows[i].spares && vid < 6; vid += 5) {
            struct reached reached = flood_of(&b, vid, 0x0800, NWF_NOWHERE, i % 2);
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

        start(&b);
        add_port(&b, 1, NWF_TRUSTED, any_vlan, NULL);
        for (uint16_t port = 0; port < rows[i].n; port++) {
            add_port(&b, (uint16_t) (100 + port), NWF_GUEST,
                     rows[i].vid ? access_vlan(rows[i].vid) : any_vlan, rows[i].filter);
        }
        finish(&b);
        bool shut = !strcmp(rows[i].filter, "shut"); /* They are visited to be counted. */
        assert_int_equal(b.n_unreached, shut ? 0 : rows[i].n - rows[i].n_reached);
        struct reached reached = flood(&b, rows[i].vid, 0x0806);
        size_t n = 0;
        for (uint16_t port = 0; port < rows[i].n; port++) {
            unsigned int times = reached.outputs[100 + port] + reached.visits[100 + port];
            expect(times <= 1, "port %u is reached %u times", port, times);
            n += times;
        }
        assert_int_equal(reached.outputs[1], 1);
        assert_int_equal(n, rows[i].n_reached);
        check_encoding(&b);
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

        start(&b);
        b.bridge.has_patch = rows[i].patch;
        for (; n < rows[i].n_long + rows[i].n_some; n++) {
            add_port(&b, (uint16_t) (100 + n), NWF_GUEST, n % 2 ? any_vlan : access_vlan(0),
                     n < rows[i].n_long ? "long" : "some");
        }
        finish(&b);
        struct reached reached = flood(&b, 0, 0x0806);
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
    start(&b);
    b.bridge.audit = true;
    add_port(&b, 3, NWF_GUEST, any_vlan, "some");
    add_port(&b, 4, NWF_QUARANTINED, access_vlan(5), NULL);
    nwf_vec_push(&b.bridge.ports.data[1].macs, b.bridge.ports.data[0].macs.data[0]);
    finish(&b);
    for (uint16_t vid = 4; vid <= 5; vid++) {
        const struct nwf_flow *flow;
        const struct ofpact *a;
        size_t n[16] = {0};

        match_init_catchall(&match);
        match_set_dl_dst(&match, (struct eth_addr){.ea = {0x52, 0x54, 0, 0, 0, 3}});
        match_set_reg(&match, 1, 0x1000u | vid);
        match_set_default_packet_type(&match);
        flow = look_up(&b.flows, NWF_TABLE_FORWARD, &match.flow);
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

        start(&b);
        compile_port(
            &b,
            (struct nwf_port){
                .ofport = 3, .role = NWF_GUEST, .vlan = any_vlan, .is_sighted = rows[i].is_sighted},
            rows[i].filter);
        finish(&b);
        HMAP_FOR_EACH (flow, node, &b.flows.flows) {
            n_senders += flow->table == NWF_TABLE_SENDER && nwf_cookie_port(flow->cookie);
            n_pins += nwf_cookie_kind(flow->cookie) == NWF_COOKIE_PINNED;
        }
        expect(n_senders == rows[i].n_senders && n_pins == rows[i].n_pins,
               "row %zu: %zu flows for senders, %zu pins", i, n_senders, n_pins);
        built_free(&b);
    }
}

/* ---- VLANs. ---- */

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

        start(&b);
        b.bridge.inner_tags = rows[i].inner_tags;
        add_port(&b, 3, NWF_GUEST, access_vlan(5), rows[i].filter);
        finish(&b);
        struct reached reached = flood(&b, rows[i].vid, rows[i].eth_type);
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

        start(&b);
        add_port(&b, 1, NWF_TRUSTED, any_vlan, NULL);
        add_port(&b, 2, NWF_TRUSTED, access_vlan(0), NULL);
        for (uint16_t vid = 1; vid <= rows[i].n_vlans; vid++) {
            nwf_vlan_add_trunk(&vlan, vid);
        }
        add_port(&b, 3, NWF_GUEST, vlan, "open");
        finish(&b);
        HMAP_FOR_EACH (flow, node, &b.flows.flows) {
            if (flow->table == NWF_TABLE_LEARN) {
                n[nwf_cookie_port(flow->cookie) - 1]++;
            }
        }
        expect(n[0] == rows[i].n_trunk && n[1] == rows[i].n_access, "row %zu: %zu and %zu", i, n[0],
               n[1]);
        check_encoding(&b);
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
    start(&b);
    b.bridge.is_host_routed = true;
    b.bridge.isolated = &addresses;
    add_port(&b, 1, NWF_GUEST, any_vlan, "open");
    add_port(&b, 0xfffe, NWF_TRUSTED, any_vlan, NULL);
    finish(&b);
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
        const struct nwf_flow *flow = look_up(&b.flows, NWF_TABLE_CLASSIFY, &frame);
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
        cmocka_unit_test(test_vlans),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_vlan_copies),
        cmocka_unit_test(test_hidden_tags),
        cmocka_unit_test(test_trunk_sets),
        cmocka_unit_test(test_learning),
        cmocka_unit_test(test_routed_arrivals),
    };

    write_long_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
