/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink guard: frames are walked through its tables, on the way that every copy for a trusted
 * port takes. */
#include <config.h>

#include "support.h"

#include "compare.h"
#include "nwf/compile.h"
#include "nwf/flow.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "openvswitch/match.h"
#include "openvswitch/ofpbuf.h"
#include "sent.h"
#include "walk.h"
#include "uplink.h"

#include "lib/flow.h"

#define UPLINK 9

/* ---- A walk. ---- */

struct outcome {
    size_t n_outputs, n_learned;
    uint16_t output; /* The last. */
};

static void walk(const struct nwf_flow_set *flows, uint8_t table, struct flow *frame,
                 struct outcome *ret);

static void
walk_action(const struct nwf_flow_set *flows, const struct ofpact *a, struct flow *frame,
            struct outcome *ret)
{
    struct flow_wildcards wc;
    struct flow copy = *frame;

    memset(&wc, 0, sizeof wc);
    switch (a->type) {
    case OFPACT_OUTPUT:
        ret->n_outputs++;
        ret->output = ofp_to_u16(ofpact_get_OUTPUT(a)->port);
        break;
    case OFPACT_BUNDLE:
        ret->n_outputs++;
        ret->output = ofp_to_u16(ofpact_get_BUNDLE(a)->members[0]);
        break;
    case OFPACT_SET_FIELD: {
        const struct ofpact_set_field *set = ofpact_get_SET_FIELD(a);
        mf_set_flow_value_masked(set->field, set->value, ofpact_set_field_mask(set), frame);
        break;
    }
    case OFPACT_REG_MOVE:
        mf_subfield_copy(&ofpact_get_REG_MOVE(a)->src, &ofpact_get_REG_MOVE(a)->dst, frame, &wc);
        break;
    case OFPACT_RESUBMIT:
        walk(flows, ofpact_get_RESUBMIT(a)->table_id, frame, ret);
        break;
    case OFPACT_GOTO_TABLE:
        walk(flows, ofpact_get_GOTO_TABLE(a)->table_id, frame, ret);
        break;
    case OFPACT_CLONE: {
        const struct ofpact *inner;
        OFPACT_FOR_EACH (inner, ofpact_get_CLONE(a)->actions,
                         ofpact_nest_get_action_len(ofpact_get_CLONE(a))) {
            walk_action(flows, inner, &copy, ret);
        }
        break;
    }
    case OFPACT_LEARN:
        ret->n_learned++;
        break;
    default:
        expect(false, "an action that nobody expects here");
    }
}

static void
walk(const struct nwf_flow_set *flows, uint8_t table, struct flow *frame, struct outcome *ret)
{
    const struct nwf_flow *flow = walk_look_up(flows, table, frame);
    const struct ofpact *a;

    expect(flow, "table %u has no flow", table);
    OFPACT_FOR_EACH (a, flow->form->ofpacts, flow->form->ofpacts_len) {
        walk_action(flows, a, frame, ret);
    }
}

/* A frame as ovs-ofctl(8) writes a match; it comes from port 1 unless it says otherwise. */
static struct outcome
put_out(const struct nwf_flow_set *flows, const struct nwf_port *port, const char *text)
{
    char *words CLEANUP_FREE = nwf_asprintf("in_port=1,%s actions=drop", text);
    struct nwf_flow_set set CLEANUP(nwf_flow_set_finish);
    struct nwf_error err = NWF_ERROR_INIT;
    struct outcome outcome = {.n_outputs = 0};
    uint64_t stub[64];
    struct ofpbuf actions = OFPBUF_STUB_INITIALIZER(stub);
    const struct ofpact *a;
    struct match match;

    nwf_flow_set_init(&set);
    expect_ok(nwf_flow_set_parse(&set, text, words, 0, &err), &err);
    nwf_flow_expand_match(CONTAINER_OF(hmap_first(&set.flows), struct nwf_flow, node), &match);
    match_set_default_packet_type(&match);
    nwf_put_trusted_output(port, &actions);
    OFPACT_FOR_EACH (a, actions.data, actions.size) {
        walk_action(flows, a, &match.flow, &outcome);
    }
    ofpbuf_uninit(&actions);
    return outcome;
}

/* ---- Bridges. ---- */

#define OWN "02:aa:00:00:00:01"
#define BOUGHT "00:50:56:00:00:07"
#define LISTED "00:50:56:00:00:08"
#define VSWITCH "00:50:56:00:00:09"
#define FOREIGN "52:54:00:00:00:66"

struct guarded {
    struct nwf_routed_config config;
    struct nwf_bridge bridge;
    struct nwf_flow_set flows;
};

static void
start(struct guarded *g, const char *macs)
{
    const struct nwf_tag tags[] = {{NWF_BRIDGE_GUARD, "eth0"}, {NWF_BRIDGE_GUARD_MAC, macs}};
    struct nwf_error err = NWF_ERROR_INIT;

    memset(g, 0, sizeof *g);
    expect_ok(nwf_routed_config_read(tags, macs ? 2 : 1, &g->config, &err), &err);
    g->bridge.mac_aging = 300;
    g->bridge.has_guards = true;
    g->bridge.guard_macs = &g->config.guard_macs;
    nwf_flow_set_init(&g->flows);
}

static void
add_port(struct guarded *g, uint16_t ofport, uint16_t leader, enum nwf_guarding guarding,
         const uint16_t *members)
{
    struct nwf_port port = {
        .ofport = ofport, .role = NWF_TRUSTED, .leader = leader, .guarding = guarding};

    for (; leader && *members; members++) {
        nwf_vec_push(
            &port.nics,
            (struct nwf_nic){.ofport = *members, .has_mac = true, .mac = {{2, 0xaa, 0, 0, 0, 1}}});
        port.nics.data[port.nics.n - 1].mac.octets[4] = port.nics.n > 1;
    }
    nwf_vec_push(&g->bridge.ports, port);
}

static void
finish(struct guarded *g)
{
    nwf_compile_bridge(&g->bridge, &g->flows);
    nwf_compile_comparisons(nwf_guard_compares(), &g->flows);
}

static void
guarded_free(struct guarded *g)
{
    nwf_bridge_finish(&g->bridge);
    nwf_flow_set_finish(&g->flows);
    nwf_routed_config_clear(&g->config);
}

/* ---- Tests. ---- */

#define ND ",nw_ttl=255,icmpv6_code=0,nd_target=2001:db8::1"
#define NS "icmp6,icmpv6_type=135" ND
#define NA "icmp6,icmpv6_type=136" ND

enum { KEPT, LEAVES, OFFENDS };

static const struct {
    const char *frame;
    int fate;
} rows[] = {
    {"dl_src=" OWN ",ip,nw_src=192.0.2.1", LEAVES},
    {"dl_src=" OWN ",dl_vlan=7,ip", LEAVES},
    {"dl_src=" BOUGHT ",ipv6", LEAVES},
    {"dl_src=" BOUGHT ",vlan_tci=0x3000,ip", LEAVES},
    {"dl_src=" BOUGHT ",dl_vlan=7,ip", OFFENDS},
    {"dl_src=" VSWITCH ",dl_vlan=4000,dl_type=0x88b5", LEAVES},
    {"dl_src=" VSWITCH ",dl_vlan=4001,dl_type=0x88b5", OFFENDS},
    {"dl_src=" VSWITCH ",dl_type=0x88b5", OFFENDS},
    {"dl_src=" FOREIGN ",ip", OFFENDS},
    {"dl_src=" FOREIGN ",arp,arp_sha=" OWN, OFFENDS},
    {"dl_src=" OWN ",dl_vlan=7,dl_type=0x8100", KEPT},
    /* IP addresses. */
    {"dl_src=" LISTED ",ip,nw_src=192.0.2.8", LEAVES},
    {"dl_src=" LISTED ",ip,nw_src=192.0.2.9", OFFENDS},
    {"dl_src=" LISTED ",ip,nw_src=198.51.100.77", LEAVES},
    {"dl_src=" LISTED ",ipv6,ipv6_src=2001:db8:8::1", LEAVES},
    {"dl_src=" LISTED ",ipv6,ipv6_src=2001:db8:9::1", OFFENDS},
    {"dl_src=" LISTED ",ipv6,ipv6_src=fe80::250:56ff:fe00:8", LEAVES},
    {"dl_src=" LISTED ",ipv6,ipv6_src=fe80::1", KEPT},
    {"dl_src=" LISTED ",icmp6,ipv6_src=::,icmp_type=143", LEAVES},
    {"dl_src=" LISTED ",udp,nw_src=0.0.0.0,tp_src=68,tp_dst=67", LEAVES},
    {"dl_src=" LISTED ",udp,nw_src=0.0.0.0,tp_src=67,tp_dst=68", OFFENDS},
    {"dl_src=" LISTED ",dl_type=0x88b5", OFFENDS},
    /* ARP. */
    {"dl_src=" BOUGHT ",arp,arp_sha=" BOUGHT, LEAVES},
    {"dl_src=" BOUGHT ",arp,arp_sha=" OWN, OFFENDS},
    {"dl_src=" BOUGHT ",arp,arp_sha=00:50:56:00:00:06", OFFENDS},
    {"dl_src=" BOUGHT ",arp,arp_sha=80:50:56:00:00:07", OFFENDS},
    {"dl_src=" LISTED ",arp,arp_sha=" LISTED ",arp_spa=192.0.2.8", LEAVES},
    {"dl_src=" LISTED ",arp,arp_sha=" LISTED ",arp_spa=198.51.100.1", LEAVES},
    {"dl_src=" LISTED ",arp,arp_sha=" LISTED ",arp_spa=0.0.0.0", LEAVES},
    {"dl_src=" LISTED ",arp,arp_sha=" LISTED ",arp_spa=192.0.2.9", OFFENDS},
    {"dl_src=" LISTED ",arp,arp_sha=" BOUGHT ",arp_spa=192.0.2.8", OFFENDS},
    {"dl_src=" BOUGHT ",rarp,arp_sha=" BOUGHT, LEAVES},
    {"dl_src=" BOUGHT ",rarp,arp_sha=" FOREIGN, OFFENDS},
    /* Neighbour discovery. */
    {"dl_src=" BOUGHT "," NS, LEAVES},
    {"dl_src=" BOUGHT "," NS ",nd_sll=" BOUGHT, LEAVES},
    {"dl_src=" BOUGHT "," NS ",nd_sll=" FOREIGN, OFFENDS},
    {"dl_src=" BOUGHT "," NS ",nd_sll=00:50:56:00:00:06", OFFENDS},
    {"dl_src=" BOUGHT "," NA, LEAVES},
    {"dl_src=" BOUGHT "," NA ",nd_tll=" BOUGHT, LEAVES},
    {"dl_src=" BOUGHT "," NA ",nd_tll=" FOREIGN, OFFENDS},
    {"dl_src=" BOUGHT ",icmp6,nw_ttl=255,icmpv6_type=135,icmpv6_code=0,nd_target=::", OFFENDS},
    {"dl_src=" BOUGHT ",icmp6,nw_ttl=64,icmpv6_type=135,icmpv6_code=0,nd_target=2001:db8::1",
     OFFENDS},
    {"dl_src=" BOUGHT ",icmp6,nw_ttl=255,icmpv6_type=135,icmpv6_code=1", OFFENDS},
    {"dl_src=" BOUGHT ",nw_frag=first," NS, OFFENDS},
    {"dl_src=" BOUGHT ",icmp6,nw_frag=later", LEAVES},
    {"dl_src=" BOUGHT ",icmp6,nw_ttl=255,icmpv6_type=133,icmpv6_code=0", KEPT},
    {"dl_src=" BOUGHT ",icmp6,nw_ttl=255,icmpv6_type=134,icmpv6_code=0", OFFENDS},
    {"dl_src=" BOUGHT ",icmp6,nw_ttl=255,icmpv6_type=137,icmpv6_code=0", OFFENDS},
    {"dl_src=" BOUGHT ",icmp6,nw_ttl=64,icmpv6_type=128,icmpv6_code=0", LEAVES},
    {"dl_src=" LISTED ",ipv6_src=2001:db8:8::1," NA ",nd_tll=" LISTED, OFFENDS},
    {"dl_src=" LISTED ",ipv6_src=2001:db8:8::1,icmp6,nw_ttl=255,icmpv6_type=136,icmpv6_code=0,"
     "nd_target=2001:db8:8::9,nd_tll=" LISTED,
     LEAVES},
};

#define MACS                                                                                       \
    BOUGHT "," LISTED "/192.0.2.8," LISTED "/198.51.100.0/24," LISTED "/2001:db8:8::/64," VSWITCH  \
           "@4000"

static void
test_frames(void **state)
{
    static const uint16_t nic[] = {UPLINK, 0};
    struct guarded g;

    (void) state;
    start(&g, MACS);
    add_port(&g, 1, 0, NWF_UNGUARDED, NULL);
    add_port(&g, UPLINK, UPLINK, NWF_GUARDED, nic);
    finish(&g);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct outcome o = put_out(&g.flows, &g.bridge.ports.data[1], rows[i].frame);
        expect(o.n_outputs == (rows[i].fate == LEAVES) && o.n_learned == (rows[i].fate == OFFENDS),
               "%s: %zu outputs, %zu offences", rows[i].frame, o.n_outputs, o.n_learned);
        expect(!o.n_outputs || o.output == UPLINK, "%s: out of port %u", rows[i].frame, o.output);
    }
    guarded_free(&g);
}

/* By one member, and never back; nothing where nothing may. */
static void
test_bonds(void **state)
{
    static const uint16_t members[] = {4, 3, 0}, others[] = {5, 6, 0}, shut[] = {7, 0};
    struct guarded g;

    (void) state;
    start(&g, NULL);
    add_port(&g, 1, 0, NWF_UNGUARDED, NULL);
    add_port(&g, 3, 3, NWF_GUARDED, members);
    add_port(&g, 4, 3, NWF_GUARDED, members);
    add_port(&g, 5, 5, NWF_UNGUARDED, others);
    add_port(&g, 6, 5, NWF_UNGUARDED, others);
    add_port(&g, 7, 7, NWF_SHUT_OUT, shut);
    finish(&g);
    const struct nwf_port *ports = g.bridge.ports.data;
    static const struct {
        const char *frame;
        size_t port;
        uint16_t output; /* 0: none. */
    } cases[] = {
        {"dl_src=" OWN, 1, 4},
        {"dl_src=" OWN, 2, 4},
        {"dl_src=02:aa:00:00:01:01", 2, 4},
        {"dl_src=" FOREIGN, 1, 0},
        {"in_port=3,dl_src=" OWN, 1, 0},
        {"in_port=4,dl_src=" OWN, 1, 0},
        {"in_port=5,dl_src=" OWN, 1, 4},
        {"dl_src=" FOREIGN, 3, 5},
        {"in_port=6,dl_src=" FOREIGN, 3, 0},
        {"in_port=3,dl_src=" FOREIGN, 4, 5},
        {"dl_src=" OWN, 5, 0},
    };
    for (size_t i = 0; i < N_ROWS(cases); i++) {
        struct outcome o = put_out(&g.flows, &ports[cases[i].port], cases[i].frame);
        expect(o.n_outputs == (cases[i].output != 0)
                   && (!o.n_outputs || o.output == cases[i].output),
               "case %zu: %zu outputs, of port %u", i, o.n_outputs, o.output);
    }
    expect(nwf_is_flooded(&ports[0]) && nwf_is_flooded(&ports[1]) && !nwf_is_flooded(&ports[2])
               && nwf_is_flooded(&ports[3]) && !nwf_is_flooded(&ports[4])
               && !nwf_is_flooded(&ports[5]),
           "who gets floods");
    guarded_free(&g);
}

/* There is one flow that puts out of a guarded port, and a switch gives all back as they were. */
static void
test_flows(void **state)
{
    static const uint16_t nic[] = {UPLINK, 0};
    const struct nwf_flow *flow;
    struct guarded g;
    size_t n = 0;

    (void) state;
    start(&g, MACS);
    add_port(&g, 1, 0, NWF_UNGUARDED, NULL);
    add_port(&g, UPLINK, UPLINK, NWF_GUARDED, nic);
    finish(&g);
    HMAP_FOR_EACH (flow, node, &g.flows.flows) {
        const struct ofpact *a;
        OFPACT_FOR_EACH (a, flow->form->ofpacts, flow->form->ofpacts_len) {
            n += a->type == OFPACT_OUTPUT && ofpact_get_OUTPUT(a)->port == OFP_PORT_C(UPLINK);
            expect(a->type != OFPACT_OUTPUT || ofpact_get_OUTPUT(a)->port != OFPP_NORMAL, "NORMAL");
        }
        expect(comes_back(flow), "a flow that a switch gets as another one");
    }
    expect(n == 1, "%zu flows put out of the uplink", n);
    guarded_free(&g);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_bonds),
        cmocka_unit_test(test_flows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
