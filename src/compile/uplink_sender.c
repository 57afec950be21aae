/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink guard's look at what frames say of their sender (NWF_TABLE_GUARD_SENDER): ARP's
 * sender, and neighbour discovery's link-layer options, are those of the Ethernet source.
 *
 * They are compared bit by bit (compare.c), so that a guest who makes them up costs few cached
 * flows.
 *
 * Open vSwitch reads the options of solicitations and advertisements of neighbours alone, and lets
 * a flow ask for one of the two in each.  Both are looked at by changing the type for the while:
 * what is put back before the frame leaves is not changed for the datapath. */
#include <config.h>

#include <arpa/inet.h>
#include <netinet/icmp6.h>

#include "actions.h"
#include "compare.h"
#include "uplink.h"

#include "lib/packets.h"

/* The table is visited again, with this in NWF_REG_EQUAL, to see whether there is a target; the
 * visit leaves 1 there if there is. */
#define VISIT_TARGET 4
#define PRIORITY_VISIT 1100
#define PRIORITY_VISIT_END 1000
#define PRIORITY_HIDDEN_TAG 600
#define PRIORITY_SENDER 300
#define PRIORITY_REST 200

static void
match_icmpv6(uint8_t type, struct match *match)
{
    match_set_dl_type(match, htons(ETH_TYPE_IPV6));
    match_set_nw_proto(match, IPPROTO_ICMPV6);
    match_set_tp_src(match, htons(type));
}

/* As RFC 4861 has it: anything else is nothing to its receivers, and not for a provider's eyes. */
static void
match_whole_nd(uint8_t type, struct match *match)
{
    match_icmpv6(type, match);
    match_set_tp_dst(match, htons(0));
    match_set_nw_ttl(match, 255);
    match_set_nw_frag_masked(match, 0, FLOW_NW_FRAG_MASK);
}

/* Frames of which nothing is wrong but what of 'missing' is. */
static void
add_verdict(uint16_t priority, uint16_t leader, const struct match *match, uint32_t missing,
            struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);

    nwf_put_load(&actions, MFF_REG0 + NWF_REG_COMPARED, NWF_LEAVE_ALL & ~missing);
    nwf_put_goto(&actions, NWF_TABLE_LEAVE);
    nwf_add_guard_flow(NWF_TABLE_GUARD_SENDER, priority, leader, match, &actions, flows);
}

/* ---- The visit. ---- */

static void
add_visit_flow(uint16_t priority, struct match *match, bool good, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);

    match_set_reg(match, NWF_REG_EQUAL, VISIT_TARGET);
    nwf_put_load(&actions, MFF_REG0 + NWF_REG_EQUAL, good);
    nwf_add_guard_flow(NWF_TABLE_GUARD_SENDER, priority, 0, match, &actions, flows);
}

/* Where options are odd, such as one that is there twice, Open vSwitch shows none, and no target
 * either.  No address that is anybody's begins with eight bits of zero. */
static void
add_target_visit(struct nwf_flow_set *flows)
{
    static const uint8_t types[] = {ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT};
    const struct in6_addr none = {.s6_addr = {0}}, mask = ipv6_create_mask(8);
    struct match match;

    for (size_t i = 0; i < 2; i++) {
        match_init_catchall(&match);
        match_icmpv6(types[i], &match);
        match_set_tp_dst(&match, htons(0));
        match_set_nd_target_masked(&match, &none, &mask);
        add_visit_flow(PRIORITY_VISIT, &match, false, flows);
    }
    match_init_catchall(&match);
    add_visit_flow(PRIORITY_VISIT_END, &match, true, flows);
}

static void
put_visit(struct ofpbuf *actions)
{
    nwf_put_load(actions, MFF_REG0 + NWF_REG_EQUAL, VISIT_TARGET);
    nwf_put_resubmit(actions, NWF_TABLE_GUARD_SENDER);
    nwf_put_text(actions, "move:NXM_NX_REG%d[0]->NXM_NX_REG%d[%d]", NWF_REG_EQUAL, NWF_REG_COMPARED,
                 __builtin_ctz(NWF_LEAVE_TARGET));
}

/* ---- One leaver's. ---- */

static struct nwf_operand
operand_of(const struct nwf_mac *mac)
{
    struct nwf_operand operand = {.mask = {0xffff, UINT32_MAX}};
    struct eth_addr address;

    memcpy(&address, mac->octets, sizeof address);
    uint64_t value = eth_addr_to_uint64(address);
    operand.value[0] = (uint32_t) (value >> 32);
    operand.value[1] = (uint32_t) value;
    return operand;
}

/* The IP address of ARP's sender is one of the station's, or it asks whether it may have one. */
static void
put_arp_addresses(const struct nwf_leaver *leaver, struct ofpbuf *actions)
{
    unsigned int bit = __builtin_ctz(NWF_LEAVE_SPA);
    struct nwf_operand operand = {.mask = {UINT32_MAX}};

    nwf_put_compare(actions, NWF_COMPARED_ARP_SPA, &operand, bit++);
    nwf_vec_foreach (address, &leaver->addresses) {
        if (address->family == AF_INET) {
            ovs_be32 value;
            memcpy(&value, address->bytes, sizeof value);
            operand.value[0] = ntohl(value);
            operand.mask[0] = ntohl(be32_prefix_mask(address->prefix_len));
            nwf_put_compare(actions, NWF_COMPARED_ARP_SPA, &operand, bit++);
        }
    }
    _Static_assert(NWF_GUARD_ADDRESSES_MAX < __builtin_popcount(NWF_LEAVE_SPA),
                   "bits of comparisons");
}

static void
add_arp(const struct nwf_leaver *leaver, struct nwf_flow_set *flows)
{
    uint32_t compared = NWF_LEAVE_SHA | (leaver->addresses.n ? NWF_LEAVE_SPA : 0);
    const struct nwf_operand sha = operand_of(&leaver->mac);
    NWF_ACTIONS(actions);
    struct match match;

    nwf_leaver_match(leaver, &match);
    match_set_dl_type(&match, htons(ETH_TYPE_ARP));
    nwf_put_load(&actions, MFF_REG0 + NWF_REG_COMPARED, NWF_LEAVE_ALL & ~compared);
    nwf_put_compare(&actions, NWF_COMPARED_ARP_SHA, &sha, __builtin_ctz(NWF_LEAVE_SHA));
    if (leaver->addresses.n) {
        put_arp_addresses(leaver, &actions);
    }
    nwf_put_goto(&actions, NWF_TABLE_LEAVE);
    nwf_add_guard_flow(NWF_TABLE_GUARD_SENDER, PRIORITY_SENDER, leaver->leader, &match, &actions,
                       flows);
}

/* Announcements at the end of a migration. */
static void
add_rarp(const struct nwf_leaver *leaver, struct nwf_flow_set *flows)
{
    struct eth_addr sha;
    struct match match;

    memcpy(&sha, leaver->mac.octets, sizeof sha);
    nwf_leaver_match(leaver, &match);
    match_set_dl_type(&match, htons(ETH_TYPE_RARP));
    match_set_arp_sha(&match, sha);
    add_verdict(PRIORITY_SENDER, leaver->leader, &match, 0, flows);
}

static void
add_nd_flow(const struct nwf_leaver *leaver, uint8_t type, const struct match *match,
            struct nwf_flow_set *flows)
{
    static const struct {
        uint8_t type;
        enum nwf_compared field;
        uint32_t bits;
    } options[] = {
        {ND_NEIGHBOR_SOLICIT, NWF_COMPARED_NS_SLL, NWF_LEAVE_SLL},
        {ND_NEIGHBOR_ADVERT, NWF_COMPARED_NA_TLL, NWF_LEAVE_TLL},
    };
    const struct nwf_operand own = operand_of(&leaver->mac);
    struct nwf_operand none = own;
    NWF_ACTIONS(actions);

    memset(none.value, 0, sizeof none.value);
    nwf_put_load(&actions, MFF_REG0 + NWF_REG_COMPARED,
                 NWF_LEAVE_ALL & ~(NWF_LEAVE_SLL | NWF_LEAVE_TLL | NWF_LEAVE_TARGET));
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        unsigned int bit = (unsigned int) __builtin_ctz(options[i].bits);
        nwf_put_text(&actions, "set_field:%u->icmpv6_type", options[i].type);
        nwf_put_compare(&actions, options[i].field, &own, bit);
        nwf_put_compare(&actions, options[i].field, &none, bit + 1);
    }
    nwf_put_text(&actions, "set_field:%u->icmpv6_type", type);
    put_visit(&actions);
    nwf_put_goto(&actions, NWF_TABLE_LEAVE);
    nwf_add_guard_flow(NWF_TABLE_GUARD_SENDER, PRIORITY_SENDER, leaver->leader, match, &actions,
                       flows);
}

static void
add_nd(const struct nwf_leaver *leaver, uint8_t type, struct nwf_flow_set *flows)
{
    struct match match;

    nwf_leaver_match(leaver, &match);
    match_whole_nd(type, &match);
    add_nd_flow(leaver, type, &match, flows);
}

/* What an advertisement is about is one of the station's addresses. */
static void
add_advert_of(const struct nwf_leaver *leaver, const struct nwf_address *address,
              struct nwf_flow_set *flows)
{
    struct in6_addr target, mask = ipv6_create_mask(address->prefix_len);
    struct match match;

    memcpy(&target, address->bytes, sizeof target);
    nwf_leaver_match(leaver, &match);
    match_whole_nd(ND_NEIGHBOR_ADVERT, &match);
    match_set_nd_target_masked(&match, &target, &mask);
    add_nd_flow(leaver, ND_NEIGHBOR_ADVERT, &match, flows);
}

static void
add_adverts(const struct nwf_leaver *leaver, struct nwf_flow_set *flows)
{
    struct nwf_address own;

    if (!leaver->addresses.n) {
        add_nd(leaver, ND_NEIGHBOR_ADVERT, flows);
        return;
    }
    nwf_leaver_link_local(leaver, &own);
    add_advert_of(leaver, &own, flows);
    nwf_vec_foreach (address, &leaver->addresses) {
        if (address->family == AF_INET6) {
            add_advert_of(leaver, address, flows);
        }
    }
}

void
nwf_add_sender_checks(const struct nwf_leaver *leaver, struct nwf_flow_set *flows)
{
    add_arp(leaver, flows);
    add_rarp(leaver, flows);
    add_nd(leaver, ND_NEIGHBOR_SOLICIT, flows);
    add_adverts(leaver, flows);
}

/* ---- For all. ---- */

uint32_t
nwf_guard_compares(void)
{
    return UINT32_C(1) << NWF_COMPARED_ARP_SHA | UINT32_C(1) << NWF_COMPARED_ARP_SPA
           | UINT32_C(1) << NWF_COMPARED_NS_SLL | UINT32_C(1) << NWF_COMPARED_NA_TLL;
}

/* Open vSwitch does not see what is behind a second tag. */
static void
add_hidden_tags(struct nwf_flow_set *flows)
{
    static const uint16_t types[] = {ETH_TYPE_VLAN_8021Q, ETH_TYPE_VLAN_8021AD};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct match match;

        match_init_catchall(&match);
        match_set_dl_type(&match, htons(types[i]));
        add_verdict(PRIORITY_HIDDEN_TAG, 0, &match, NWF_LEAVE_MAY, flows);
    }
}

/* Open vSwitch does not read the options of what hosts and routers say to each other.  The host's
 * own kernel tells the truth; a guest's solicitation is kept back without being its offence, and
 * routers are none of those here. */
static void
add_routers(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    struct match match;

    nwf_vec_foreach (port, &bridge->ports) {
        if (port->has_own_mac) {
            match_init_catchall(&match);
            match_set_in_port(&match, OFP_PORT_C(port->ofport));
            match_whole_nd(ND_ROUTER_SOLICIT, &match);
            add_verdict(PRIORITY_SENDER, port->ofport, &match, 0, flows);
        }
    }
    match_init_catchall(&match);
    match_icmpv6(ND_ROUTER_SOLICIT, &match);
    add_verdict(PRIORITY_REST, 0, &match, NWF_LEAVE_MAY, flows);
}

void
nwf_add_common_checks(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    static const uint8_t refused[] = {ND_ROUTER_ADVERT, ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT,
                                      ND_REDIRECT};
    static const uint16_t arp[] = {ETH_TYPE_ARP, ETH_TYPE_RARP};
    struct match match;

    add_target_visit(flows);
    add_hidden_tags(flows);
    add_routers(bridge, flows);
    for (size_t i = 0; i < sizeof refused; i++) {
        match_init_catchall(&match);
        match_icmpv6(refused[i], &match);
        add_verdict(PRIORITY_REST, 0, &match, NWF_LEAVE_TARGET, flows);
    }
    for (size_t i = 0; i < sizeof arp / sizeof arp[0]; i++) {
        match_init_catchall(&match);
        match_set_dl_type(&match, htons(arp[i]));
        add_verdict(PRIORITY_REST, 0, &match, NWF_LEAVE_SHA, flows);
    }
    match_init_catchall(&match);
    add_verdict(0, 0, &match, 0, flows);
}
