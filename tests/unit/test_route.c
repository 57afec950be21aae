/* SPDX-License-Identifier: Apache-2.0
 *
 * Routing by flows, frame by frame: where each goes, and what it is like there. */
#include <config.h>

#include "support.h"

#include <stdio.h>

#include "../../src/engine/plan.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-flow.h"
#include "sent.h"
#include "walk.h"

#include "lib/flow.h"

#define UPLINK 1
#define GUEST 2 /* And the next: another, and an isolated pair. */
#define N_GUESTS 4

#define HOST_MAC "02:00:00:00:00:0a"
#define GATEWAY_MAC "02:00:00:00:00:0b"
#define ELSE_MAC "02:00:00:00:00:0c"
#define GUEST_MAC "52:54:00:00:00:02"
#define OTHER_MAC "52:54:00:00:00:03"
#define ALL_MAC "ff:ff:ff:ff:ff:ff"

/* ---- A bridge. ---- */

static const struct text_filter filters[] = {{"open", "<filter name='open'/>"}, {NULL, NULL}};

static const char *const addresses[N_GUESTS] = {
    "IP=192.0.2.2,10.0.0.2 IPV6=2001:db8::2",
    "IP=192.0.2.3,198.51.100.0/28 IPV6=2001:db8::3,2001:db8:0:3::/64",
    "IP=192.0.2.4 IPV6=2001:db8::4",
    "IP=192.0.2.5 IPV6=2001:db8::5",
};

struct bridge {
    struct nwf_plan plan;
    struct nwf_flow_set flows;
    struct nwf_store *store;
    uint8_t zones[0x10000];
};

static struct nwf_mac
mac_of(const char *text)
{
    struct nwf_mac mac;

    assert_int_equal(nwf_mac_parse(text, &mac, NULL), 0);
    return mac;
}

static void
add_port(struct bridge *b, const char *name, uint16_t ofport, enum nwf_port_role role)
{
    struct nwf_port_config config = {.name = nwf_strdup(name), .ofport = ofport, .role = role};

    if (role == NWF_GUEST) {
        config.binding.filter = nwf_strdup("open");
        config.binding.own_mac = nwf_asprintf("52:54:00:00:00:%02x", ofport);
        config.binding.isolated = ofport >= GUEST + 2;
        params_of(addresses[ofport - GUEST], &config.binding.params);
    }
    if (ofport == UPLINK) {
        config.is_uplink = true;
        config.leader = ofport;
        config.guarding = NWF_GUARDED;
        nwf_vec_push(&config.nics, ((struct nwf_nic){ofport, true, mac_of(HOST_MAC)}));
    }
    nwf_plan_add_port(&b->plan, &config);
}

static struct nwf_address
address_of(const char *text)
{
    struct nwf_address address;
    struct nwf_error err = NWF_ERROR_INIT;

    expect_ok(nwf_address_parse(text, true, &address, &err), &err);
    return address;
}

struct situation {
    bool no_gateway, no_nd, audit;
    uint32_t mtu;
};

static void
describe(const struct situation *s, struct nwf_routing *routing)
{
    static const struct {
        const char *address;
        bool is_own;
    } inwards[] = {{"192.0.2.1", true}, {"2001:db8::1", true}, {"203.0.113.0/24", false}};

    memset(routing, 0, sizeof *routing);
    routing->has_mac = true;
    routing->mac = mac_of(HOST_MAC);
    for (int family = 0; family < NWF_N_ROUTED && !s->no_gateway; family++) {
        routing->gateways[family] = (struct nwf_gateway){true, mac_of(GATEWAY_MAC)};
    }
    for (size_t i = 0; i < N_ROWS(inwards); i++) {
        nwf_vec_push(&routing->inwards,
                     ((struct nwf_inward){address_of(inwards[i].address), inwards[i].is_own}));
    }
    nwf_vec_push(&routing->gateway_addresses,
                 ((struct nwf_address){AF_INET6, {0xfe, 0x80, [15] = 1}, 128}));
    routing->mtu = s->mtu;
    routing->answers_nd = !s->no_nd;
}

static struct bridge *
bridge_new(const struct situation *s)
{
    struct bridge *b = calloc(1, sizeof *b);
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_routing routing;

    assert_non_null(b);
    b->store = store_of(filters);
    nwf_plan_init(&b->plan, "br0");
    b->plan.zones = b->zones;
    b->plan.bridge.audit = s->audit;
    b->plan.bridge.has_guards = true;
    b->plan.bridge.routing = &b->plan.routing;
    describe(s, &routing);
    nwf_plan_set_routing(&b->plan, &routing);
    add_port(b, "br0", NWF_OFPORT_LOCAL, NWF_TRUSTED);
    add_port(b, "eth0", UPLINK, NWF_TRUSTED);
    for (uint16_t i = 0; i < N_GUESTS; i++) {
        char name[8];
        snprintf(name, sizeof name, "vnet%u", i);
        add_port(b, name, (uint16_t) (GUEST + i), NWF_GUEST);
    }
    nwf_plan_sort(&b->plan);
    const struct nwf_sources sources = {.store = b->store};
    expect_ok(nwf_plan_compute(&b->plan, &sources, &err), &err);
    nwf_plan_merge_parts(&b->plan, &b->flows);
    return b;
}

static void
bridge_free(struct bridge *b)
{
    nwf_flow_set_finish(&b->flows);
    nwf_plan_finish(&b->plan);
    nwf_store_free(b->store);
    free(b);
}

/* ---- Frames. ---- */

static struct flow
frame_of(const char *text, struct flow_wildcards *wc)
{
    struct flow frame;
    char *cause = parse_ofp_exact_flow(&frame, wc, NULL, text, NULL);

    expect(!cause, "%s: %s", text, cause);
    return frame;
}

/* Ports in the order in which they get a copy: "1 LOCAL". */
static char *
ports_of(const struct walk *walk)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    nwf_vec_foreach (copy, &walk->copies) {
        ds_put_cstr(&s, s.length ? " " : "");
        if (copy->port == NWF_OFPORT_LOCAL) {
            ds_put_cstr(&s, "LOCAL");
        } else {
            ds_put_format(&s, "%u", copy->port);
        }
    }
    return ds_steal_cstr(&s);
}

static bool
is_like(const struct flow *frame, const char *text)
{
    struct flow_wildcards wc;
    struct flow expected = frame_of(text, &wc);
    const uint8_t *a = (const uint8_t *) frame, *b = (const uint8_t *) &expected;
    const uint8_t *mask = (const uint8_t *) &wc.masks;

    for (size_t i = 0; i < sizeof expected; i++) {
        if ((a[i] ^ b[i]) & mask[i]) {
            return false;
        }
    }
    return true;
}

/* What becomes of a frame: "" if it is dropped.  'like': what the first copy is like; NULL: as it
 * came. */
struct row {
    const char *frame, *ports, *like;
    size_t size;
};

static void
check_row(const struct bridge *b, const struct row *row)
{
    struct walk walk = {.flows = &b->flows, .packet_size = row->size ? row->size : 100};
    struct flow frame = frame_of(row->frame, NULL);

    walk_frame(&walk, &frame);
    char *ports CLEANUP_FREE = ports_of(&walk);
    expect(!strcmp(ports, row->ports), "%s: goes to \"%s\", not to \"%s\"", row->frame, ports,
           row->ports);
    if (walk.copies.n) {
        char *out CLEANUP_FREE = flow_to_string(&walk.copies.data[0].frame, NULL);
        expect(is_like(&walk.copies.data[0].frame, row->like ? row->like : row->frame),
               "%s: is %s, not %s", row->frame, out, row->like ? row->like : "as it came");
    }
    walk_clear(&walk);
}

static void
check_rows(const struct situation *s, const struct row *rows, size_t n)
{
    struct bridge *b = bridge_new(s);

    for (size_t i = 0; i < n; i++) {
        check_row(b, &rows[i]);
    }
    bridge_free(b);
}

#define CHECK(SITUATION, ...)                                                                      \
    do {                                                                                           \
        const struct row rows_[] = {__VA_ARGS__};                                                  \
        check_rows(&(const struct situation) SITUATION, rows_, N_ROWS(rows_));                     \
    } while (0)

/* Of a guest to its router, and of the router to the host. */
#define OUT "in_port=2,dl_src=" GUEST_MAC ",dl_dst=" HOST_MAC ","
#define OUT_3 "in_port=3,dl_src=" OTHER_MAC ",dl_dst=" HOST_MAC ","
#define IN "in_port=1,dl_src=" GATEWAY_MAC ",dl_dst=" HOST_MAC ","
#define LEFT "dl_src=" HOST_MAC ",dl_dst=" GATEWAY_MAC ","
#define CAME "dl_src=" HOST_MAC ",dl_dst=" GUEST_MAC ","

/* ---- Tests. ---- */

static void
test_packets_of_guests(void **state)
{
    (void) state;
    CHECK({0},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=8.8.8.8,nw_ttl=64", "1",
           LEFT "ip,nw_src=192.0.2.2,nw_dst=8.8.8.8,nw_ttl=63", 0},
          {OUT "ipv6,ipv6_src=2001:db8::2,ipv6_dst=2001:db8:f::8,nw_ttl=64", "1",
           LEFT "ipv6,ipv6_src=2001:db8::2,ipv6_dst=2001:db8:f::8,nw_ttl=63", 0},
          {OUT_3 "ip,nw_src=198.51.100.9,nw_dst=8.8.8.8,nw_ttl=2", "1", LEFT "ip,nw_ttl=1", 0},
          {OUT_3 "ipv6,ipv6_src=2001:db8:0:3::77,ipv6_dst=2001:db8:f::8,nw_ttl=2", "1",
           LEFT "ipv6,nw_ttl=1", 0},
          /* What is not bound to the guest. */
          {OUT "ip,nw_src=192.0.2.3,nw_dst=8.8.8.8,nw_ttl=64", "", NULL, 0},
          {OUT "ip,nw_src=8.8.4.4,nw_dst=192.0.2.3,nw_ttl=64", "", NULL, 0},
          {OUT "ipv6,ipv6_src=2001:db8::3,ipv6_dst=2001:db8:f::8,nw_ttl=64", "", NULL, 0},
          {OUT "ipv6,ipv6_src=fe80::2,ipv6_dst=2001:db8:f::8,nw_ttl=64", "", NULL, 0},
          /* But to the host itself, as DHCP needs it. */
          {OUT "udp,nw_src=0.0.0.0,nw_dst=192.0.2.1,nw_ttl=64,udp_src=68,udp_dst=67", "LOCAL", NULL,
           0},
          {OUT "icmp6,ipv6_src=fe80::2,ipv6_dst=fe80::1,nw_ttl=255,icmpv6_type=136", "LOCAL", NULL,
           0},
          /* For other guests. */
          {OUT "ip,nw_src=192.0.2.2,nw_dst=192.0.2.3,nw_ttl=64", "3",
           "dl_src=" HOST_MAC ",dl_dst=" OTHER_MAC ",ip,nw_ttl=63", 0},
          {OUT_3 "ip,nw_src=192.0.2.3,nw_dst=10.0.0.2,nw_ttl=64", "2", CAME "ip,nw_ttl=63", 0},
          {OUT "ipv6,ipv6_src=2001:db8::2,ipv6_dst=2001:db8:0:3::9,nw_ttl=64", "3",
           "dl_src=" HOST_MAC ",dl_dst=" OTHER_MAC ",ipv6,nw_ttl=63", 0},
          /* Tagged frames are not routed. */
          {"in_port=2,dl_vlan=5,dl_src=" GUEST_MAC ",dl_dst=" HOST_MAC
           ",ip,nw_src=192.0.2.2,nw_dst=8.8.8.8,nw_ttl=64",
           "3 4 5 LOCAL", NULL, 0});
}

/* For what flows cannot do there is the kernel, which gets the frame as it came. */
static void
test_for_the_kernel(void **state)
{
    (void) state;
    CHECK({.mtu = 1400}, {OUT "ip,nw_src=192.0.2.2,nw_dst=192.0.2.1,nw_ttl=64", "LOCAL", NULL, 0},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=8.8.8.8,nw_ttl=1", "LOCAL", NULL, 0},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=192.0.2.3,nw_ttl=0", "LOCAL", NULL, 0},
          {OUT "ipv6,ipv6_src=2001:db8::2,ipv6_dst=2001:db8:f::8,nw_ttl=1", "LOCAL", NULL, 0},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=203.0.113.7,nw_ttl=64", "LOCAL", NULL, 0},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=10.1.1.1,nw_ttl=64", "LOCAL", NULL, 0},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=224.0.0.5,nw_ttl=64", "LOCAL", NULL, 0},
          {OUT "ip,nw_src=10.0.0.2,nw_dst=8.8.8.8,nw_ttl=64", "LOCAL", NULL, 0},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=8.8.8.8,nw_ttl=64", "1", LEFT "ip,nw_ttl=63", 1414},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=8.8.8.8,nw_ttl=64", "LOCAL", NULL, 1415},
          {IN "ip,nw_src=8.8.8.8,nw_dst=192.0.2.2,nw_ttl=1", "LOCAL", NULL, 0},
          {IN "ip,nw_src=8.8.8.8,nw_dst=192.0.2.1,nw_ttl=9", "LOCAL", NULL, 0},
          {IN "ip,nw_src=8.8.8.8,nw_dst=192.0.2.99,nw_ttl=9", "LOCAL", NULL, 0},
          {IN "ip,nw_src=8.8.8.8,nw_dst=10.0.0.2,nw_ttl=9", "LOCAL", NULL, 0});
    /* And for everything, while nobody knows where the gateway is. */
    CHECK({.no_gateway = true},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=8.8.8.8,nw_ttl=64", "LOCAL", NULL, 0},
          {OUT "ip,nw_src=192.0.2.3,nw_dst=8.8.8.8,nw_ttl=64", "", NULL, 0},
          {OUT "ip,nw_src=192.0.2.2,nw_dst=192.0.2.3,nw_ttl=64", "3", "ip,nw_ttl=63", 0});
}

static void
test_packets_for_guests(void **state)
{
    (void) state;
    CHECK({0},
          {IN "ip,nw_src=8.8.8.8,nw_dst=192.0.2.2,nw_ttl=9", "2",
           CAME "ip,nw_src=8.8.8.8,nw_dst=192.0.2.2,nw_ttl=8", 0},
          {IN "ipv6,ipv6_src=2001:db8:f::8,ipv6_dst=2001:db8::2,nw_ttl=9", "2",
           CAME "ipv6,nw_ttl=8", 0},
          {IN "ipv6,ipv6_src=2001:db8:f::8,ipv6_dst=2001:db8:0:3:1::2,nw_ttl=9", "3",
           "dl_dst=" OTHER_MAC ",ipv6,nw_ttl=8", 0},
          /* Everything else is the host's alone. */
          {"in_port=1,dl_src=" GATEWAY_MAC ",dl_dst=" GUEST_MAC
           ",ip,nw_src=8.8.8.8,nw_dst=192.0.2.2,nw_ttl=9",
           "LOCAL", NULL, 0},
          {"in_port=1,dl_src=" GATEWAY_MAC ",dl_dst=" ALL_MAC
           ",ip,nw_src=8.8.8.8,nw_dst=192.0.2.2,nw_ttl=9",
           "LOCAL", NULL, 0},
          {"in_port=1,dl_src=" GATEWAY_MAC ",dl_dst=33:33:00:00:00:01,icmp6,ipv6_src=fe80::1,"
           "ipv6_dst=ff02::1,nw_ttl=255,icmpv6_type=134",
           "LOCAL", NULL, 0});
}

/* Guests are isolated from each other, not from who routes. */
static void
test_isolated(void **state)
{
    (void) state;
    CHECK({0},
          {"in_port=4,dl_src=52:54:00:00:00:04,dl_dst=" HOST_MAC
           ",ip,nw_src=192.0.2.4,nw_dst=192.0.2.5,nw_ttl=64",
           "", NULL, 0},
          {"in_port=4,dl_src=52:54:00:00:00:04,dl_dst=" HOST_MAC
           ",ip,nw_src=192.0.2.4,nw_dst=192.0.2.2,nw_ttl=64",
           "2", "ip,nw_ttl=63", 0},
          {"in_port=4,dl_src=52:54:00:00:00:04,dl_dst=" ALL_MAC
           ",arp,arp_op=1,arp_sha=52:54:00:00:00:04,arp_spa=192.0.2.4,arp_tpa=192.0.2.1",
           "4", "arp,arp_op=2", 0});
}

#define ASK "arp,arp_op=1,arp_sha=" GUEST_MAC ",arp_spa=192.0.2.2,arp_tpa="
#define ASK_6 "nw_ttl=255,icmpv6_type=135,nd_sll=" GUEST_MAC ",nd_target="

static void
test_questions_of_guests(void **state)
{
    (void) state;
    CHECK({0},
          {"in_port=2,dl_src=" GUEST_MAC ",dl_dst=" ALL_MAC "," ASK "192.0.2.1", "2",
           CAME "arp,arp_op=2,arp_sha=" HOST_MAC ",arp_spa=192.0.2.1,arp_tha=" GUEST_MAC
                ",arp_tpa=192.0.2.2",
           0},
          {OUT ASK "192.0.2.3", "2", CAME "arp,arp_op=2,arp_spa=192.0.2.3", 0},
          {"in_port=2,dl_src=" GUEST_MAC ",dl_dst=" ALL_MAC "," ASK "192.0.2.2", "3 4 5 LOCAL",
           NULL, 0},
          {"in_port=2,dl_src=" GUEST_MAC ",dl_dst=33:33:ff:00:00:01,icmp6,ipv6_src=2001:db8::2,"
           "ipv6_dst=ff02::1:ff00:1," ASK_6 "fe80::1",
           "2",
           CAME "icmp6,ipv6_src=fe80::1,ipv6_dst=2001:db8::2,nw_ttl=255,icmpv6_type=136,"
                "nd_target=fe80::1,nd_tll=" HOST_MAC,
           0},
          {"in_port=2,dl_src=" GUEST_MAC ",dl_dst=33:33:ff:00:00:09,icmp6,ipv6_src=2001:db8::2,"
           "ipv6_dst=ff02::1:ff00:9," ASK_6 "2001:db8::9",
           "2", "icmp6,icmpv6_type=136,nd_target=2001:db8::9,nd_tll=" HOST_MAC, 0},
          /* Duplicates, and stations of the link. */
          {"in_port=2,dl_src=" GUEST_MAC ",dl_dst=33:33:ff:00:00:02,icmp6,ipv6_src=::,"
           "ipv6_dst=ff02::1:ff00:2,nw_ttl=255,icmpv6_type=135,nd_target=2001:db8::2",
           "3 4 5 LOCAL", NULL, 0},
          {"in_port=2,dl_src=" GUEST_MAC ",dl_dst=33:33:ff:00:00:03,icmp6,ipv6_src=fe80::2,"
           "ipv6_dst=ff02::1:ff00:3," ASK_6 "fe80::3",
           "3 4 5 LOCAL", NULL, 0});
    CHECK({.no_nd = true},
          {"in_port=2,dl_src=" GUEST_MAC ",dl_dst=33:33:ff:00:00:01,icmp6,ipv6_src=2001:db8::2,"
           "ipv6_dst=ff02::1:ff00:1," ASK_6 "fe80::1",
           "LOCAL", NULL, 0});
}

#define ASKED                                                                                      \
    "in_port=1,dl_src=" GATEWAY_MAC ",dl_dst=" ALL_MAC ",arp,arp_op=1,arp_sha=" GATEWAY_MAC        \
    ",arp_spa=192.0.2.254,arp_tpa="
#define ASKED_6                                                                                    \
    "in_port=1,dl_src=" GATEWAY_MAC ",dl_dst=33:33:ff:00:00:02,icmp6,ipv6_src=2001:db8:e::1,"      \
    "ipv6_dst=ff02::1:ff00:2,nw_ttl=255,icmpv6_type=135,nd_sll=" GATEWAY_MAC ",nd_target="

/* For guests' addresses, and for no other. */
static void
test_questions_of_the_provider(void **state)
{
    (void) state;
    CHECK({0},
          {ASKED "192.0.2.2", "1",
           LEFT "arp,arp_op=2,arp_sha=" HOST_MAC ",arp_spa=192.0.2.2,arp_tpa=192.0.2.254", 0},
          {ASKED "198.51.100.15", "1", LEFT "arp,arp_op=2,arp_spa=198.51.100.15", 0},
          {ASKED "198.51.100.16", "LOCAL", NULL, 0}, {ASKED "192.0.2.1", "LOCAL", NULL, 0},
          {ASKED_6 "2001:db8::2", "1",
           LEFT "icmp6,ipv6_src=2001:db8::2,ipv6_dst=2001:db8:e::1,nw_ttl=255,icmpv6_type=136,"
                "nd_target=2001:db8::2,nd_tll=" HOST_MAC,
           0},
          {ASKED_6 "2001:db8:0:3::9", "1", "icmp6,icmpv6_type=136,nd_target=2001:db8:0:3::9", 0},
          {ASKED_6 "2001:db8::1", "LOCAL", NULL, 0}, {ASKED_6 "2001:db8::99", "LOCAL", NULL, 0});
    CHECK({.no_nd = true}, {ASKED_6 "2001:db8::2", "LOCAL", NULL, 0});
}

#define FROM_HOST "in_port=LOCAL,dl_src=" HOST_MAC ",dl_dst="

static void
test_frames_of_the_host(void **state)
{
    (void) state;
    CHECK({0}, {FROM_HOST GATEWAY_MAC ",ip,nw_src=192.0.2.1,nw_dst=8.8.8.8", "1", NULL, 0},
          {FROM_HOST ELSE_MAC ",ip,nw_src=192.0.2.1,nw_dst=192.0.2.99", "2 3 4 5", NULL, 0},
          {FROM_HOST ELSE_MAC ",arp,arp_op=2,arp_sha=" HOST_MAC
                              ",arp_spa=192.0.2.1,arp_tpa=192.0.2.99",
           "1", NULL, 0},
          {FROM_HOST ALL_MAC ",arp,arp_op=1,arp_sha=" HOST_MAC
                             ",arp_spa=192.0.2.1,arp_tpa=192.0.2.254",
           "1 2 3 4 5", NULL, 0},
          {FROM_HOST "33:33:00:00:00:01,icmp6,ipv6_src=fe80::a,ipv6_dst=ff02::1,nw_ttl=255,"
                     "icmpv6_type=134",
           "2 3 4 5", NULL, 0});
}

/* A flow that the switch takes as it is, in every version of OpenFlow. */
static void
test_encoding(void **state)
{
    struct bridge *b = bridge_new(&(struct situation){.mtu = 1400, .audit = true});
    const struct nwf_flow *flow;

    (void) state;
    HMAP_FOR_EACH (flow, node, &b->flows.flows) {
        expect(comes_back(flow), "a flow that a switch gets as another one");
    }
    bridge_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_of_guests),
        cmocka_unit_test(test_for_the_kernel),
        cmocka_unit_test(test_packets_for_guests),
        cmocka_unit_test(test_isolated),
        cmocka_unit_test(test_questions_of_guests),
        cmocka_unit_test(test_questions_of_the_provider),
        cmocka_unit_test(test_frames_of_the_host),
        cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
