/* SPDX-License-Identifier: Apache-2.0
 *
 * What routing knows of one guest; the tables are described in route.c.
 *
 * A guest is routed to where it gets frames without a tag outside of VLANs, as the host does.  Of
 * overlapping addresses, one guest's inside of another's subnet, the longest prefix counts. */
#include <config.h>

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <string.h>

#include "route.h"

#include "actions.h"
#include "nwf/pipeline.h"
#include "route_match.h"

#include "lib/packets.h"

static void
add(const struct nwf_port *port, uint8_t table, uint16_t priority, const struct match *match,
    const struct ofpbuf *actions, struct nwf_flow_set *flows)
{
    nwf_flow_set_add(flows, table, priority,
                     nwf_cookie(NWF_COOKIE_ROUTE, port->ofport, NWF_COOKIE_NO_RULE), match,
                     actions);
}

/* What asks who has the address: ARP, or a neighbour solicitation. */
static void
match_question(const struct nwf_address *address, struct match *match)
{
    struct nwf_prefix prefix = nwf_prefix_of(address);

    match_init_catchall(match);
    if (address->family == AF_INET) {
        match_set_dl_type(match, htons(ETH_TYPE_ARP));
        match_set_nw_dst_masked(match, prefix.ip4, prefix.mask4);
    } else {
        match_set_dl_type(match, htons(ETH_TYPE_IPV6));
        match_set_nw_proto(match, IPPROTO_ICMPV6);
        match_set_icmp_type(match, ND_NEIGHBOR_SOLICIT);
        match_set_icmp_code(match, 0);
        match_set_nd_target_masked(match, &prefix.ip6, &prefix.mask6);
    }
}

/* A guest that asks for an address of its own looks for duplicates, or tells others where it is:
 * nobody answers in their place. */
static void
add_own_question(const struct nwf_port *port, const struct nwf_address *address,
                 struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_question(address, &match);
    match_set_in_port(&match, OFP_PORT_C(port->ofport));
    nwf_put_resubmit(&actions, NWF_TABLE_GROUP);
    add(port, address->family == AF_INET ? NWF_TABLE_ROUTE_ARP : NWF_TABLE_ROUTE_ND,
        NWF_PRIORITY_ROUTE_OWN, &match, &actions, flows);
}

static void
add_source(const struct nwf_port *port, const struct nwf_address *address,
           struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    nwf_match_source(address, &match);
    match_set_in_port(&match, OFP_PORT_C(port->ofport));
    nwf_put_load(&actions, MFF_REG0 + NWF_REG_INWARD, nwf_address_is_private(address));
    nwf_put_resubmit(&actions, NWF_TABLE_ROUTE_TTL);
    add(port, NWF_TABLE_ROUTE_SOURCE, NWF_PRIORITY_ROUTE_SOURCE, &match, &actions, flows);
}

/* From outside nothing is routed to a private address past the host's own rules. */
static void
add_destination(const struct nwf_port *port, const struct nwf_address *address,
                struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;
    struct eth_addr mac;

    memcpy(&mac, port->macs.data[port->own_mac].octets, sizeof mac);
    nwf_match_destination(address, &match);
    if (nwf_address_is_private(address)) {
        match_set_reg(&match, NWF_REG_INBOUND, 0);
    }
    nwf_put_load(&actions, MFF_REG0 + NWF_REG_GUEST, port->ofport);
    nwf_put_text(&actions, "set_field:" ETH_ADDR_FMT "->eth_dst,dec_ttl", ETH_ADDR_ARGS(mac));
    nwf_put_resubmit(&actions, NWF_TABLE_ROUTE_DELIVER);
    add(port, NWF_TABLE_ROUTE, nwf_route_priority(address, true), &match, &actions, flows);
}

/* The provider's router asks for the address where it is on its link. */
static void
add_asked(const struct nwf_bridge *bridge, const struct nwf_port *port,
          const struct nwf_address *address, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    if (address->family == AF_INET6 && !bridge->routing->answers_nd) {
        return;
    }
    match_question(address, &match);
    nwf_put_resubmit(&actions, NWF_TABLE_ROUTE_ANSWER);
    add(port, NWF_TABLE_ROUTE_ASKED, NWF_PRIORITY_ROUTE_OWN, &match, &actions, flows);
}

/* The host tells the provider's router where the address is; to the guest, that would be somebody
 * who has taken it. */
static void
add_announcement(const struct nwf_port *port, const struct nwf_address *address,
                 struct nwf_flow_set *flows)
{
    struct nwf_prefix prefix = nwf_prefix_of(address);
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    if (address->family == AF_INET) {
        match_set_dl_type(&match, htons(ETH_TYPE_ARP));
        match_set_nw_src_masked(&match, prefix.ip4, prefix.mask4);
    } else {
        match_set_dl_type(&match, htons(ETH_TYPE_IPV6));
        match_set_nw_proto(&match, IPPROTO_ICMPV6);
        match_set_icmp_type(&match, ND_NEIGHBOR_ADVERT);
        match_set_icmp_code(&match, 0);
        match_set_nd_target_masked(&match, &prefix.ip6, &prefix.mask6);
    }
    nwf_put_resubmit(&actions, NWF_TABLE_ROUTE_WIRE);
    add(port, NWF_TABLE_ROUTE_HOST, NWF_PRIORITY_ROUTE_ANNOUNCED, &match, &actions, flows);
}

void
nwf_compile_guest_routes(const struct nwf_bridge *bridge, const struct nwf_port *port,
                         struct nwf_flow_set *flows)
{
    if (!bridge->routing || port->own_mac >= port->macs.n || !nwf_vlan_has(&port->vlan, 0)) {
        return;
    }
    nwf_vec_foreach (address, &port->addresses) {
        add_own_question(port, address, flows);
        add_source(port, address, flows);
        add_destination(port, address, flows);
        add_asked(bridge, port, address, flows);
        add_announcement(port, address, flows);
    }
}
