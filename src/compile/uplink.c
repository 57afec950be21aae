/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink guard: the last tables on the way out of a NIC that is guarded.
 *
 * NWF_TABLE_GUARD asks whether a frame's Ethernet source may leave, in its VLAN and, where that is
 * listed, with its IP source; NWF_TABLE_GUARD_SENDER whether what ARP and neighbour discovery say
 * in it is about the same station (uplink_sender.c).  NWF_TABLE_LEAVE puts the frame out, or sends
 * it to NWF_TABLE_OFFENDERS, where the switch learns who has sent it.
 *
 * They hold in audit mode as well: a provider does not audit.  Bonds are forwarded to here too:
 * NORMAL, which would do that, cannot be told what not to put out. */
#include <config.h>

#include "uplink.h"

#include <arpa/inet.h>

#include "actions.h"
#include "compare.h"
#include "nwf/text.h"

#include "lib/packets.h"

/* In NWF_TABLE_GUARD. */
#define PRIORITY_OWN_MEMBER 650 /* What has come by the same bond does not go back. */
#define PRIORITY_FREE 600       /* Bonds that are not guarded. */
#define PRIORITY_SHUT 500
#define PRIORITY_ADDRESS 300 /* An Ethernet address with an IP address that belongs to it; */
#define PRIORITY_CHATTER 250 /* with one of no importance; */
#define PRIORITY_MAC 200     /* and by itself. */
#define PRIORITY_REST 100

/* RFC 2131. */
#define DHCP_CLIENT 68
#define DHCP_SERVER 67

/* In NWF_TABLE_OFFENDERS. */
#define PRIORITY_OFFENDER 200
#define PRIORITY_FROM_NIC 150
#define PRIORITY_PORT 100

/* In NWF_TABLE_LEAVE. */
#define PRIORITY_OFFENCE 900 /* Less the place among them. */
#define PRIORITY_LEAVE 100

/* Addresses that are learned of one port's offences, and seconds after the last until they are
 * forgotten: the most that OpenFlow has. */
#define OFFENDERS_MAX 16
#define OFFENDER_IDLE UINT16_MAX

/* ---- To a port. ---- */

/* What the guard writes into registers is gone behind it. */
char *
nwf_trusted_output_text(const struct nwf_port *port)
{
    return port->leader ? nwf_asprintf("clone(set_field:0x%x->reg%d,resubmit(,%d))", port->leader,
                                       NWF_REG_KNOWN, NWF_TABLE_UPLINK)
                        : nwf_asprintf("output:%u", port->ofport);
}

void
nwf_put_trusted_output(const struct nwf_port *port, struct ofpbuf *actions)
{
    char *text CLEANUP_FREE = nwf_trusted_output_text(port);

    nwf_put_text(actions, "%s", text);
}

bool
nwf_is_flooded(const struct nwf_port *port)
{
    return !port->leader || (port->leader == port->ofport && port->guarding != NWF_SHUT_OUT);
}

/* A bond without LACP has one member that sends; the other end of one with it takes frames from
 * any.  By source address, so that no more of a frame is looked at than the guard did. */
static void
put_out(const struct nwf_port *port, struct ofpbuf *actions)
{
    char *members CLEANUP_FREE = nwf_strdup("");

    nwf_vec_foreach (nic, &port->nics) {
        char *old CLEANUP_FREE = members;
        members = nic->ofport ? nwf_asprintf("%s,%u", old, nic->ofport) : nwf_strdup(old);
    }
    if (port->nics.n == 1) {
        nwf_put_output(actions, port->leader);
    } else {
        nwf_put_text(actions, "bundle(eth_src,0,%s,ofport,members:%s)",
                     port->is_hashed ? "hrw" : "active_backup", members + 1);
    }
}

/* ---- Flows. ---- */

static void
match_leader(uint16_t leader, struct match *match)
{
    match_init_catchall(match);
    match_set_reg_masked(match, NWF_REG_KNOWN, leader, 0xffff);
}

/* ---- Who may leave: NWF_TABLE_GUARD. ---- */

static void
add_source(uint16_t priority, const struct nwf_leaver *leaver, const struct match *match,
           struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);

    nwf_put_load(&actions, MFF_REG0 + NWF_REG_EQUAL, 0);
    nwf_put_goto(&actions, NWF_TABLE_GUARD_SENDER);
    nwf_add_guard_flow(NWF_TABLE_GUARD, priority, leaver->leader, match, &actions, flows);
}

/* What of 'missing' is wrong with the frames, NWF_TABLE_LEAVE makes something of. */
static void
add_refusal(uint16_t priority, uint32_t missing, uint16_t leader, const struct match *match,
            struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);

    nwf_put_load(&actions, MFF_REG0 + NWF_REG_COMPARED, NWF_LEAVE_ALL & ~missing);
    nwf_put_goto(&actions, NWF_TABLE_LEAVE);
    nwf_add_guard_flow(NWF_TABLE_GUARD, priority, leader, match, &actions, flows);
}

static void
match_source(const struct nwf_address *address, struct match *match)
{
    if (address->family == AF_INET) {
        ovs_be32 value;
        memcpy(&value, address->bytes, sizeof value);
        match_set_dl_type(match, htons(ETH_TYPE_IP));
        match_set_nw_src_masked(match, value, be32_prefix_mask(address->prefix_len));
    } else {
        struct in6_addr value, mask = ipv6_create_mask(address->prefix_len);
        memcpy(&value, address->bytes, sizeof value);
        match_set_dl_type(match, htons(ETH_TYPE_IPV6));
        match_set_ipv6_src_masked(match, &value, &mask);
    }
}

/* Who asks for an address has none yet. */
static void
add_dhcp(const struct nwf_leaver *leaver, struct nwf_flow_set *flows)
{
    struct match match;

    nwf_leaver_match(leaver, &match);
    match_set_dl_type(&match, htons(ETH_TYPE_IP));
    match_set_nw_proto(&match, IPPROTO_UDP);
    match_set_nw_src(&match, htonl(0));
    match_set_tp_src(&match, htons(DHCP_CLIENT));
    match_set_tp_dst(&match, htons(DHCP_SERVER));
    add_source(PRIORITY_ADDRESS, leaver, &match, flows);
}

/* What every IPv6 host says, from the link-local address that its Ethernet address makes, or from
 * none.  Of a station that is to have no IPv6 it is no offence, and does not leave. */
static void
add_ipv6_chatter(const struct nwf_leaver *leaver, bool leaves, struct nwf_flow_set *flows)
{
    const struct nwf_address link_local = {
        .family = AF_INET6, .bytes = {0xfe, 0x80}, .prefix_len = 10};
    const struct nwf_address none = {.family = AF_INET6, .prefix_len = 128};
    struct nwf_address own;
    struct match match;

    nwf_leaver_link_local(leaver, &own);
    nwf_leaver_match(leaver, &match);
    match_source(&own, &match);
    if (leaves) {
        add_source(PRIORITY_ADDRESS, leaver, &match, flows);
    }
    nwf_leaver_match(leaver, &match);
    match_source(&none, &match);
    match_set_nw_proto(&match, IPPROTO_ICMPV6);
    if (leaves) {
        add_source(PRIORITY_ADDRESS, leaver, &match, flows);
    } else {
        add_refusal(PRIORITY_CHATTER, NWF_LEAVE_MAY, leaver->leader, &match, flows);
    }
    nwf_leaver_match(leaver, &match);
    match_source(&link_local, &match);
    add_refusal(PRIORITY_CHATTER, NWF_LEAVE_MAY, leaver->leader, &match, flows);
}

/* Only IP, ARP and RARP: of other protocols nobody knows whose address they carry. */
static void
add_addresses(const struct nwf_leaver *leaver, struct nwf_flow_set *flows)
{
    static const uint16_t types[] = {ETH_TYPE_ARP, ETH_TYPE_RARP};
    bool has_ipv6 = false;
    struct match match;

    nwf_vec_foreach (address, &leaver->addresses) {
        nwf_leaver_match(leaver, &match);
        match_source(address, &match);
        add_source(PRIORITY_ADDRESS, leaver, &match, flows);
        has_ipv6 |= address->family == AF_INET6;
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        nwf_leaver_match(leaver, &match);
        match_set_dl_type(&match, htons(types[i]));
        add_source(PRIORITY_ADDRESS, leaver, &match, flows);
    }
    add_dhcp(leaver, flows);
    add_ipv6_chatter(leaver, has_ipv6, flows);
    nwf_leaver_match(leaver, &match);
    add_refusal(PRIORITY_MAC, NWF_LEAVE_SPA, leaver->leader, &match, flows);
}

static void
add_leaver(const struct nwf_leaver *leaver, struct nwf_flow_set *flows)
{
    struct match match;

    if (leaver->addresses.n) {
        add_addresses(leaver, flows);
    } else {
        nwf_leaver_match(leaver, &match);
        add_source(PRIORITY_MAC, leaver, &match, flows);
    }
    nwf_add_sender_checks(leaver, flows);
}

static bool
is_own(const struct nwf_port *port, const struct nwf_mac *mac)
{
    nwf_vec_foreach (nic, &port->nics) {
        if (nic->has_mac && !memcmp(&nic->mac, mac, sizeof *mac)) {
            return true;
        }
    }
    return false;
}

static bool
is_same_station(const struct nwf_guard_mac *a, const struct nwf_guard_mac *b)
{
    return a->vid == b->vid && !memcmp(&a->mac, &b->mac, sizeof a->mac);
}

/* The list is sorted: IP addresses of one station stand together. */
static void
add_listed(const struct nwf_port *port, const struct nwf_guard_macs *macs,
           struct nwf_flow_set *flows)
{
    for (size_t first = 0, end; macs && first < macs->n; first = end) {
        const struct nwf_guard_mac *mac = &macs->data[first];
        struct nwf_leaver leaver = {.leader = port->leader, .mac = mac->mac, .vid = mac->vid};

        for (end = first; end < macs->n && is_same_station(mac, &macs->data[end]); end++) {
            if (mac->has_address) {
                nwf_vec_push(&leaver.addresses, macs->data[end].address);
            }
        }
        if (!is_own(port, &mac->mac)) {
            add_leaver(&leaver, flows);
        }
        nwf_vec_clear(&leaver.addresses);
    }
}

static void
add_guarded(const struct nwf_bridge *bridge, const struct nwf_port *port,
            struct nwf_flow_set *flows)
{
    struct match match;

    nwf_vec_foreach (nic, &port->nics) {
        if (nic->has_mac) {
            add_leaver(
                &(const struct nwf_leaver){.leader = port->leader, .mac = nic->mac, .vid = -1},
                flows);
        }
    }
    add_listed(port, bridge->guard_macs, flows);
    match_leader(port->leader, &match);
    add_refusal(PRIORITY_REST, NWF_LEAVE_SOURCE, port->leader, &match, flows);
}

/* ---- Out of the port, or not: NWF_TABLE_LEAVE. ---- */

static void
add_offence(uint16_t place, uint32_t missing, enum nwf_offence offence, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    match_set_reg_masked(&match, NWF_REG_COMPARED, 0, missing);
    if (offence != NWF_OFFENCE_NONE) {
        nwf_put_load(&actions, MFF_REG0 + NWF_REG_OFFENCE, offence);
        nwf_put_resubmit(&actions, NWF_TABLE_OFFENDERS);
    }
    nwf_flow_set_add(flows, NWF_TABLE_LEAVE, PRIORITY_OFFENCE - place,
                     nwf_cookie(NWF_COOKIE_GUARD, 0, offence), &match, &actions);
}

static void
add_offences(struct nwf_flow_set *flows)
{
    static const struct {
        uint32_t missing;
        enum nwf_offence offence;
    } offences[] = {
        {NWF_LEAVE_MAY, NWF_OFFENCE_NONE},  {NWF_LEAVE_SOURCE, NWF_OFFENCE_SOURCE},
        {NWF_LEAVE_SHA, NWF_OFFENCE_ARP},   {NWF_LEAVE_SPA, NWF_OFFENCE_IP},
        {NWF_LEAVE_SLL, NWF_OFFENCE_ND},    {NWF_LEAVE_TLL, NWF_OFFENCE_ND},
        {NWF_LEAVE_TARGET, NWF_OFFENCE_ND},
    };

    for (uint16_t i = 0; i < sizeof offences / sizeof offences[0]; i++) {
        add_offence(i, offences[i].missing, offences[i].offence, flows);
    }
}

/* The only flow by which frames leave the port.  What an operator wants to do with those that may
 * leave belongs before its output. */
static void
add_leave(const struct nwf_port *port, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_leader(port->leader, &match);
    put_out(port, &actions);
    nwf_add_guard_flow(NWF_TABLE_LEAVE, PRIORITY_LEAVE, port->leader, &match, &actions, flows);
}

/* ---- Who it was: NWF_TABLE_OFFENDERS. ---- */

/* What comes in by a NIC and would go out by another is no leak of a port's here. */
static void
add_from_nic(uint16_t ofport, struct nwf_flow_set *flows)
{
    struct match match;

    match_init_catchall(&match);
    match_set_in_port(&match, OFP_PORT_C(ofport));
    nwf_add_guard_flow(NWF_TABLE_OFFENDERS, PRIORITY_FROM_NIC, ofport, &match, NULL, flows);
}

/* Each port has room of its own, so that none hides what others do.  What does not fit is counted
 * by the flow that learns. */
static void
add_port(const struct nwf_port *port, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    match_set_in_port(&match, OFP_PORT_C(port->ofport));
    nwf_put_text(
        &actions,
        "learn(table=%d,idle_timeout=%d,priority=%d,cookie=0x%llx,limit=%d,"
        "NXM_OF_IN_PORT[],NXM_OF_ETH_SRC[],NXM_OF_VLAN_TCI[0..11],"
        "NXM_NX_REG%d[0..15],NXM_NX_REG%d[0..7])",
        NWF_TABLE_OFFENDERS, OFFENDER_IDLE, PRIORITY_OFFENDER,
        (unsigned long long) nwf_cookie(NWF_COOKIE_OFFENDER, port->ofport, NWF_COOKIE_NO_RULE),
        OFFENDERS_MAX, NWF_REG_KNOWN, NWF_REG_OFFENCE);
    nwf_add_guard_flow(NWF_TABLE_OFFENDERS, PRIORITY_PORT, port->ofport, &match, &actions, flows);
}

/* ---- All of it. ---- */

/* A bond's members do not send each other's frames back. */
static void
add_own_members(const struct nwf_port *port, struct nwf_flow_set *flows)
{
    nwf_vec_foreach (nic, &port->nics) {
        struct match match;

        match_leader(port->leader, &match);
        match_set_in_port(&match, OFP_PORT_C(nic->ofport));
        if (nic->ofport && port->nics.n > 1) {
            nwf_add_guard_flow(NWF_TABLE_GUARD, PRIORITY_OWN_MEMBER, port->leader, &match, NULL,
                               flows);
        }
    }
}

/* Its leader stands for a Port. */
static void
add_leader(const struct nwf_bridge *bridge, const struct nwf_port *port, struct nwf_flow_set *flows)
{
    struct match match;

    match_leader(port->leader, &match);
    if (port->guarding == NWF_SHUT_OUT) {
        nwf_add_guard_flow(NWF_TABLE_GUARD, PRIORITY_SHUT, port->leader, &match, NULL, flows);
        return;
    }
    add_own_members(port, flows);
    add_leave(port, flows);
    if (port->guarding == NWF_GUARDED) {
        add_guarded(bridge, port, flows);
    } else {
        add_refusal(PRIORITY_FREE, 0, port->leader, &match, flows);
    }
}

/* As NWF_RECEIVER_TRUSTED. */
static void
add_receiver(struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    match_set_reg_masked(&match, NWF_REG_RECEIVER, NWF_RECEIVER_GUARDED, ~NWF_RECEIVER_ACCESS);
    nwf_put_resubmit(&actions, NWF_TABLE_UPLINK);
    nwf_add_guard_flow(NWF_TABLE_RECEIVERS, 100, 0, &match, &actions, flows);
}

/* Behind the operator's own flows. */
static void
add_entrance(struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    nwf_put_resubmit(&actions, NWF_TABLE_GUARD);
    nwf_add_guard_flow(NWF_TABLE_UPLINK, 0, 0, &match, &actions, flows);
}

void
nwf_compile_guards(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    struct match all;

    match_init_catchall(&all);
    for (uint8_t table = NWF_TABLE_GUARD; table <= NWF_TABLE_LEAVE; table++) {
        if (table != NWF_TABLE_GUARD_SENDER) { /* What it does not look at passes. */
            nwf_add_guard_flow(table, 0, 0, &all, NULL, flows);
        }
    }
    add_entrance(flows);
    add_receiver(flows);
    add_offences(flows);
    nwf_add_common_checks(bridge, flows);
    nwf_vec_foreach (port, &bridge->ports) {
        if (port->leader == port->ofport) {
            add_leader(bridge, port, flows);
        }
        if (port->leader && port->guarding != NWF_UNGUARDED) {
            add_from_nic(port->ofport, flows);
        } else {
            add_port(port, flows);
        }
    }
}
