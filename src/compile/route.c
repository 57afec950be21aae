/* SPDX-License-Identifier: Apache-2.0
 *
 * Routing by flows.
 *
 * The uplink is a port of the bridge, and what it has in common with the guests is only the wire:
 * untagged frames do not pass between them.  Guests know a router by the host's address.  What they
 * send to it is routed here: to another guest, to the provider's gateway, or to the host's kernel,
 * which is the router for all that flows cannot do: packets whose hops are used up, or that are
 * too big, or that are to be translated (private addresses), or for which the host has routes of
 * its own, and all of them as long as nobody knows where the gateway is.
 *
 *   ROUTE_ARP, ROUTE_ND   A guest's questions: those for its own address are flooded, as they look
 *                         for duplicates; all others are answered, whoever is asked for.
 *   ROUTE_ANSWER          Makes an answer of a question.
 *   ROUTE_SOURCE          A guest's packet: only from its own addresses, but to the host itself.
 *   ROUTE_TTL             To the kernel, if this is its last hop.
 *   ROUTE                 By destination: a guest, the kernel, the gateway.
 *   ROUTE_LEAVE           To the gateway, unless it is too big.
 *   ROUTE_DELIVER         To a guest's filter.
 *   ROUTE_ARRIVE          From the uplink: questions, packets for guests; all else is the host's.
 *   ROUTE_ASKED           Whether a question is for a guest's address.
 *   ROUTE_HOST            From the host: to the gateway, to groups, to stations on either side.
 *   ROUTE_WIRE            What the host says of guests' addresses, to the uplink alone.
 *   ROUTE_HEARD           Filled by the switch: stations that were heard on the uplink.
 *   ROUTE_STATION         To them, and to nobody else there.
 *
 * What is one guest's is in route_guest.c. */
#include <config.h>

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "actions.h"
#include "nwf/compile.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "route_match.h"
#include "uplink.h"

#include "lib/packets.h"

/* Stations on the uplink that the host may send to without their being its gateway, and for how
 * long after it has last done so. */
#define HEARD_MAX 256
#define HEARD_SECONDS 300

#define UNTAGGED "reg1=0/0x1fff"
#define IN_NO_VLAN "reg1=0/0xfff"
#define MAC_SIZE (ETH_ADDR_STRLEN + 1)

static const char *const families[NWF_N_ROUTED] = {
    [NWF_ROUTED_IP] = "ip", [NWF_ROUTED_IPV6] = "ipv6"};

struct routes {
    const struct nwf_bridge *bridge;
    const struct nwf_routing *routing;
    const struct nwf_port *uplink; /* NULL: there is none. */
    char mac[MAC_SIZE];            /* The host's. */
    char *leave;                   /* The actions that bring a frame to the uplink's guard. */
    struct nwf_flow_set *flows;
};

static void add(const struct routes *r, uint8_t table, unsigned int priority, const char *match,
                const char *actions, ...) __attribute__((format(printf, 5, 6)));

/* Adds a flow that is written in ovs-ofctl's syntax. */
static void
add(const struct routes *r, uint8_t table, unsigned int priority, const char *match,
    const char *actions, ...)
{
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = NULL;
    va_list args;

    va_start(args, actions);
    if (vasprintf(&text, actions, args) < 0) {
        abort();
    }
    va_end(args);
    char *flow CLEANUP_FREE = nwf_asprintf("table=%u,priority=%u,%s%sactions=%s", table, priority,
                                           match, *match ? "," : "", text);
    if (nwf_flow_set_parse(r->flows, "routing", flow,
                           nwf_cookie(NWF_COOKIE_ROUTE, 0, NWF_COOKIE_NO_RULE), &err)) {
        fprintf(stderr, "%s: %s\n", flow, nwf_error_text(&err));
        abort(); /* Our own text. */
    }
}

static void
mac_to_text(const struct nwf_mac *mac, char text[MAC_SIZE])
{
    struct eth_addr address;

    memcpy(&address, mac->octets, sizeof address);
    snprintf(text, MAC_SIZE, ETH_ADDR_FMT, ETH_ADDR_ARGS(address));
}

/* ---- What guests send. ---- */

/* A guest's frames in no VLAN, out of the ordinary way by address. */
static void
add_entries(const struct routes *r)
{
    char *packet CLEANUP_FREE = nwf_asprintf("reg4=0," UNTAGGED ",dl_dst=%s", r->mac);
    char *other CLEANUP_FREE = nwf_asprintf(UNTAGGED ",dl_dst=%s", r->mac);

    add(r, NWF_TABLE_FORWARD, NWF_PRIORITY_ROUTE_ASKED, "reg4=0," UNTAGGED ",arp,arp_op=1",
        "resubmit(,%d)", NWF_TABLE_ROUTE_ARP);
    add(r, NWF_TABLE_FORWARD, NWF_PRIORITY_ROUTE_ASKED,
        "reg4=0," UNTAGGED ",icmp6,nw_ttl=255,icmp_type=135,icmp_code=0", "resubmit(,%d)",
        NWF_TABLE_ROUTE_ND);
    for (int family = 0; family < NWF_N_ROUTED; family++) {
        char *match CLEANUP_FREE = nwf_asprintf("%s,%s", packet, families[family]);
        add(r, NWF_TABLE_FORWARD, NWF_PRIORITY_ROUTE_PACKET, match, "resubmit(,%d)",
            NWF_TABLE_ROUTE_SOURCE);
    }
    add(r, NWF_TABLE_FORWARD, NWF_PRIORITY_ROUTE_HOST, other, "output:LOCAL");
}

/* Link-local addresses are those of stations on the bridge, but for a router's.  Where the host's
 * kernel is to answer, it would do so for guests that look for duplicates as well. */
static void
add_questions(const struct routes *r)
{
    char *to_answer CLEANUP_FREE = nwf_asprintf("resubmit(,%d)", NWF_TABLE_ROUTE_ANSWER);
    const char *answer = r->routing->answers_nd ? to_answer : "output:LOCAL";
    char *dad CLEANUP_FREE = r->routing->answers_nd ? nwf_asprintf("resubmit(,%d)", NWF_TABLE_GROUP)
                                                    : nwf_strdup("drop");

    add(r, NWF_TABLE_ROUTE_ARP, 100, "arp", "resubmit(,%d)", NWF_TABLE_ROUTE_ANSWER);
    add(r, NWF_TABLE_ROUTE_ND, 300, "ipv6,ipv6_src=::", "%s", dad);
    nwf_vec_foreach (gateway, &r->routing->gateway_addresses) {
        char *text CLEANUP_FREE = nwf_address_format(gateway);
        char *match CLEANUP_FREE =
            nwf_asprintf("icmp6,icmp_type=135,icmp_code=0,nd_target=%s", text);
        if (nwf_address_is_link_local(gateway)) {
            add(r, NWF_TABLE_ROUTE_ND, 150, match, "%s", answer);
        }
    }
    add(r, NWF_TABLE_ROUTE_ND, 140, "icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::/10",
        "resubmit(,%d)", NWF_TABLE_GROUP);
    add(r, NWF_TABLE_ROUTE_ND, 100, "ipv6", "%s", answer);
}

/* An answer is the host's: it comes from its port, and goes to a guest by that one's filter.  Open
 * vSwitch looks for the option of an advertisement only once the type says that it is one. */
static void
add_answers(const struct routes *r)
{
    static const char swap_ip6[] =
        "move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[],move:NXM_NX_ND_TARGET[]->NXM_NX_IPV6_SRC[]";
    char *guest CLEANUP_FREE = nwf_asprintf(
        "move:NXM_OF_IN_PORT[]->NXM_NX_REG%d[0..15],set_field:0->reg%d,set_field:1->reg%d,"
        "set_field:LOCAL->in_port,resubmit(,%d)",
        NWF_REG_GUEST, NWF_REG_MEMBER, NWF_REG_INBOUND, NWF_TABLE_TO_VM);
    const char *const to[] = {guest, r->leave};

    for (int inbound = 0; inbound < 2; inbound++) {
        char *arp CLEANUP_FREE = nwf_asprintf("reg4=%d,arp", inbound);
        char *nd CLEANUP_FREE = nwf_asprintf("reg4=%d,icmp6,icmp_type=136,icmp_code=0", inbound);
        if (!to[inbound]) {
            continue;
        }
        add(r, NWF_TABLE_ROUTE_ANSWER, 100, arp,
            "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:%s->eth_src,set_field:2->arp_op,"
            "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],set_field:%s->arp_sha,"
            "move:NXM_OF_ARP_SPA[]->NXM_NX_REG%d[],move:NXM_OF_ARP_TPA[]->NXM_OF_ARP_SPA[],"
            "move:NXM_NX_REG%d[]->NXM_OF_ARP_TPA[],%s%s",
            r->mac, r->mac, NWF_REG_SWAP, NWF_REG_SWAP, inbound ? "set_field:LOCAL->in_port," : "",
            to[inbound]);
        add(r, NWF_TABLE_ROUTE_ANSWER, 100, nd, "set_field:%s->nd_tll,%s%s", r->mac,
            inbound ? "set_field:LOCAL->in_port," : "", to[inbound]);
    }
    add(r, NWF_TABLE_ROUTE_ANSWER, 100, "icmp6,icmp_type=135,icmp_code=0",
        "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:%s->eth_src,%s,"
        "set_field:%s->nd_sll,set_field:136->icmpv6_type,set_field:0xe0000000->nd_reserved,"
        "set_field:2->nd_options_type,resubmit(,%d)",
        r->mac, swap_ip6, r->mac, NWF_TABLE_ROUTE_ANSWER);
}

/* ---- Packets. ---- */

static char *
destination_text(const struct nwf_address *address)
{
    char *text CLEANUP_FREE = nwf_address_format(address);

    return nwf_asprintf("%s%s", address->family == AF_INET ? "ip,nw_dst=" : "ipv6,ipv6_dst=", text);
}

/* Of a source that is not bound to it a guest sends to the host at most, where its filter lets
 * that pass: DHCP, and neighbour discovery. */
static void
add_sources(const struct routes *r)
{
    nwf_vec_foreach (inward, &r->routing->inwards) {
        char *match CLEANUP_FREE = destination_text(&inward->address);
        if (inward->is_own) {
            add(r, NWF_TABLE_ROUTE_SOURCE, 300, match, "output:LOCAL");
        }
    }
    add(r, NWF_TABLE_ROUTE_SOURCE, 300, "ipv6,ipv6_dst=fe80::/10", "output:LOCAL");
    if (r->bridge->audit) {
        add(r, NWF_TABLE_ROUTE_SOURCE, 0, "", "set_field:0->reg%d,resubmit(,%d)", NWF_REG_INWARD,
            NWF_TABLE_ROUTE_TTL);
    } else {
        add(r, NWF_TABLE_ROUTE_SOURCE, 0, "", "drop");
    }
}

static void
add_hops(const struct routes *r)
{
    for (int family = 0; family < NWF_N_ROUTED; family++) {
        for (int ttl = 0; ttl < 2; ttl++) {
            char *match CLEANUP_FREE = nwf_asprintf("%s,nw_ttl=%d", families[family], ttl);
            add(r, NWF_TABLE_ROUTE_TTL, 100, match, "output:LOCAL");
        }
    }
    add(r, NWF_TABLE_ROUTE_TTL, 0, "", "resubmit(,%d)", NWF_TABLE_ROUTE);
}

/* What no provider routes, whatever the host's routes are. */
static void
add_nowhere(const struct routes *r)
{
    static const struct {
        const char *match;
        struct nwf_address length;
    } ranges[] = {
        {"ip,nw_dst=0.0.0.0/8", {.prefix_len = 8}},
        {"ip,nw_dst=10.0.0.0/8", {.prefix_len = 8}},
        {"ip,nw_dst=100.64.0.0/10", {.prefix_len = 10}},
        {"ip,nw_dst=127.0.0.0/8", {.prefix_len = 8}},
        {"ip,nw_dst=169.254.0.0/16", {.prefix_len = 16}},
        {"ip,nw_dst=172.16.0.0/12", {.prefix_len = 12}},
        {"ip,nw_dst=192.168.0.0/16", {.prefix_len = 16}},
        {"ip,nw_dst=224.0.0.0/3", {.prefix_len = 3}},
        {"ipv6,ipv6_dst=::/127", {.prefix_len = 127}},
        {"ipv6,ipv6_dst=fc00::/7", {.prefix_len = 7}},
        {"ipv6,ipv6_dst=fe80::/10", {.prefix_len = 10}},
        {"ipv6,ipv6_dst=ff00::/8", {.prefix_len = 8}},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        add(r, NWF_TABLE_ROUTE, nwf_route_priority(&ranges[i].length, false), ranges[i].match,
            "output:LOCAL");
    }
}

/* A packet for anywhere else.  Private sources are the kernel's to translate. */
static void
add_default(const struct routes *r, int family)
{
    const struct nwf_gateway *gateway = &r->routing->gateways[family];
    char *match CLEANUP_FREE = nwf_asprintf("reg4=0,reg13=0,%s", families[family]);
    char mac[MAC_SIZE];

    if (!gateway->has_mac || !r->leave) {
        return;
    }
    mac_to_text(&gateway->mac, mac);
    if (r->routing->mtu) {
        add(r, NWF_TABLE_ROUTE, 100, match, "check_pkt_larger(%u)->NXM_NX_REG%d[0],resubmit(,%d)",
            (unsigned int) (r->routing->mtu + ETH_HEADER_LEN), NWF_REG_ROUTED,
            NWF_TABLE_ROUTE_LEAVE);
    } else {
        add(r, NWF_TABLE_ROUTE, 100, match, "resubmit(,%d)", NWF_TABLE_ROUTE_LEAVE);
    }
    add(r, NWF_TABLE_ROUTE_LEAVE, 100, families[family],
        "set_field:%s->eth_src,set_field:%s->eth_dst,dec_ttl,%s", r->mac, mac, r->leave);
}

static void
add_destinations(const struct routes *r)
{
    nwf_vec_foreach (inward, &r->routing->inwards) {
        char *match CLEANUP_FREE = destination_text(&inward->address);
        add(r, NWF_TABLE_ROUTE, nwf_route_priority(&inward->address, false), match, "output:LOCAL");
    }
    add_nowhere(r);
    for (int family = 0; family < NWF_N_ROUTED; family++) {
        add_default(r, family);
    }
    add(r, NWF_TABLE_ROUTE, 0, "", "output:LOCAL");
    if (r->routing->mtu) {
        add(r, NWF_TABLE_ROUTE_LEAVE, 200, "reg15=0x1/0x1", "output:LOCAL");
    }
    add(r, NWF_TABLE_ROUTE_LEAVE, 0, "", "drop");
    add(r, NWF_TABLE_ROUTE_DELIVER, 0, "", "set_field:%s->eth_src,resubmit(,%d)", r->mac,
        NWF_TABLE_TO_VM);
}

/* ---- What comes from the uplink. ---- */

/* Who speaks there of its address is somebody whom the host may answer. */
static void
add_heard(const struct routes *r, const char *match, const char *whose, const char *then)
{
    add(r, NWF_TABLE_ROUTE_ARRIVE, 300, match,
        "learn(table=%d,idle_timeout=%d,priority=100,cookie=0x%llx,limit=%d,"
        "NXM_OF_ETH_DST[]=%s[],load:1->NXM_NX_REG%d[0]),%s",
        NWF_TABLE_ROUTE_HEARD, HEARD_SECONDS,
        (unsigned long long) nwf_cookie(NWF_COOKIE_LEARNED, r->uplink->ofport, NWF_COOKIE_NO_RULE),
        HEARD_MAX, whose, NWF_REG_STATION, then);
}

static void
add_arrivals(const struct routes *r)
{
    static const char sha[] = "NXM_NX_ARP_SHA", src[] = "NXM_OF_ETH_SRC";
    char *asked CLEANUP_FREE = nwf_asprintf("resubmit(,%d)", NWF_TABLE_ROUTE_ASKED);

    add_heard(r, UNTAGGED ",arp,arp_op=1", sha, asked);
    add_heard(r, UNTAGGED ",arp,arp_op=2", sha, "output:LOCAL");
    add_heard(r, UNTAGGED ",icmp6,nw_ttl=255,icmp_type=135,icmp_code=0", src, asked);
    add_heard(r, UNTAGGED ",icmp6,nw_ttl=255,icmp_type=136,icmp_code=0", src, "output:LOCAL");
    for (int family = 0; family < NWF_N_ROUTED; family++) {
        char *match CLEANUP_FREE = nwf_asprintf(UNTAGGED ",dl_dst=%s,%s", r->mac, families[family]);
        add(r, NWF_TABLE_ROUTE_ARRIVE, 200, match, "resubmit(,%d)", NWF_TABLE_ROUTE_TTL);
    }
}

/* Every member of a bond is the uplink. */
static void
add_uplinks(const struct routes *r)
{
    nwf_vec_foreach (port, &r->bridge->ports) {
        char *match CLEANUP_FREE = nwf_asprintf("in_port=%u," IN_NO_VLAN, port->ofport);
        if (!port->is_uplink) {
            continue;
        }
        add(r, NWF_TABLE_LEARN, NWF_PRIORITY_LEARN_ROUTED, match, "drop");
        add(r, NWF_TABLE_FORWARD, NWF_PRIORITY_ROUTE_OUTSIDE, match,
            "move:NXM_NX_REG1[0..15]->NXM_OF_VLAN_TCI[],resubmit(,%d)", NWF_TABLE_ROUTE_ARRIVE);
    }
    add(r, NWF_TABLE_ROUTE_ARRIVE, 0, "", "output:LOCAL");
    add(r, NWF_TABLE_ROUTE_ASKED, 300, "ipv6,ipv6_src=::", "output:LOCAL");
    add(r, NWF_TABLE_ROUTE_ASKED, 0, "", "output:LOCAL");
}

/* ---- What the host sends. ---- */

/* What is said of an address that guests alone know a router by: another one may have it outside.
 */
static void
add_gateway_announcements(const struct routes *r)
{
    nwf_vec_foreach (gateway, &r->routing->gateway_addresses) {
        char *text CLEANUP_FREE = nwf_address_format(gateway);
        char *match CLEANUP_FREE = gateway->family == AF_INET
                                       ? nwf_asprintf("arp,arp_spa=%s", text)
                                       : nwf_asprintf("icmp6,icmp_type=136,nd_target=%s", text);
        add(r, NWF_TABLE_ROUTE_HOST, 390, match, "resubmit(,%d)", NWF_TABLE_FORWARD);
    }
}

/* Advertisements of a router, and a DHCP server's answers, are for guests. */
static void
add_host_groups(const struct routes *r, const char *leave)
{
    static const char group[] = "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00";
    static const char *const inner[] = {"icmp6,icmp_type=134", "udp,tp_src=67", "udp6,tp_src=547"};

    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        char *match CLEANUP_FREE = nwf_asprintf("%s,%s", group, inner[i]);
        add(r, NWF_TABLE_ROUTE_HOST, 350, match, "resubmit(,%d)", NWF_TABLE_FORWARD);
    }
    add(r, NWF_TABLE_ROUTE_HOST, 300, group, "%sresubmit(,%d)", leave, NWF_TABLE_FORWARD);
}

static void
add_host(const struct routes *r)
{
    char *leave CLEANUP_FREE = r->leave ? nwf_asprintf("%s,", r->leave) : nwf_strdup("");

    add(r, NWF_TABLE_FORWARD, NWF_PRIORITY_ROUTE_OUTSIDE, "in_port=LOCAL," IN_NO_VLAN ",reg15=0",
        "move:NXM_NX_REG1[0..15]->NXM_OF_VLAN_TCI[],set_field:1->reg15,resubmit(,%d)",
        NWF_TABLE_ROUTE_HOST);
    for (int family = 0; family < NWF_N_ROUTED; family++) {
        char mac[MAC_SIZE];
        mac_to_text(&r->routing->gateways[family].mac, mac);
        char *match CLEANUP_FREE = nwf_asprintf("dl_dst=%s", mac);
        if (r->routing->gateways[family].has_mac && r->leave) {
            add(r, NWF_TABLE_ROUTE_HOST, 400, match, "%s", r->leave);
        }
    }
    add_gateway_announcements(r);
    add_host_groups(r, leave);
    add(r, NWF_TABLE_ROUTE_WIRE, 0, "", "%s", r->leave ? r->leave : "drop");
    add(r, NWF_TABLE_ROUTE_HOST, 0, "", "resubmit(,%d)", NWF_TABLE_FORWARD);
    add(r, NWF_TABLE_FORWARD, NWF_PRIORITY_ROUTE_STATION, "in_port=LOCAL," IN_NO_VLAN ",reg15=1",
        "resubmit(,%d),resubmit(,%d)", NWF_TABLE_ROUTE_HEARD, NWF_TABLE_ROUTE_STATION);
    add(r, NWF_TABLE_ROUTE_HEARD, 0, "", "drop");
}

/* A frame of the host's for one station, which is no guest's own address. */
static void
add_stations(const struct routes *r)
{
    static const char *const finding[] = {"reg14=1", "arp", "icmp6,nw_ttl=255,icmp_type=135",
                                          "icmp6,nw_ttl=255,icmp_type=136"};

    for (size_t i = 0; r->leave && i < sizeof finding / sizeof finding[0]; i++) {
        add(r, NWF_TABLE_ROUTE_STATION, i ? 100 : 200, finding[i], "%s", r->leave);
    }
    add(r, NWF_TABLE_ROUTE_STATION, 0, "", "resubmit(,%d),resubmit(,%d)", NWF_TABLE_LEARNED,
        NWF_TABLE_KNOWN);
}

/* ---- All of it. ---- */

/* It is guarded; of a bond one member stands for all. */
static const struct nwf_port *
find_uplink(const struct nwf_bridge *bridge)
{
    nwf_vec_foreach (port, &bridge->ports) {
        if (port->is_uplink && port->leader == port->ofport) {
            return port;
        }
    }
    return NULL;
}

/* Of tables that have flows of guests only, or none yet. */
static void
add_ends(const struct routes *r)
{
    static const uint8_t tables[] = {NWF_TABLE_ROUTE_ARP, NWF_TABLE_ROUTE_ND,
                                     NWF_TABLE_ROUTE_ANSWER};

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        add(r, tables[i], 0, "", "drop");
    }
}

void
nwf_compile_routing(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    struct routes r = {.bridge = bridge, .routing = bridge->routing, .flows = flows};

    if (!r.routing) {
        return;
    }
    r.uplink = find_uplink(bridge);
    if (r.uplink && r.routing->has_mac) {
        r.leave = nwf_trusted_output_text(r.uplink);
    }
    mac_to_text(&r.routing->mac, r.mac);
    add_uplinks(&r);
    add_host(&r);
    add_stations(&r);
    if (r.routing->has_mac) {
        add_entries(&r);
        add_questions(&r);
        add_answers(&r);
        add_sources(&r);
        add_hops(&r);
        add_destinations(&r);
        if (r.uplink) {
            add_arrivals(&r);
        }
    }
    add_ends(&r);
    free(r.leave);
}
