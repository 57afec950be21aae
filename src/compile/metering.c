/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits: a table for each kind of frames, where they go through the guest's meter.  OpenFlow 1.3
 * takes a packet through one meter in a table.  Connections are limited behind the filter, by the
 * flows that begin them (guest.c).
 *
 * A flow's cookie has the rate in the place of a rule: another rate is another flow, so that
 * nobody overlooks a change of what is no flow.  In audit mode nothing is withheld. */
#include <config.h>

#include "metering.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>

#include "actions.h"
#include "nwf/pipeline.h"

#include "lib/packets.h"

#define PRIORITY_METERED 100

static bool
has_limits(const struct nwf_bridge *bridge, const struct nwf_port *port)
{
    bool any = false;

    for (int limit = 0; limit < NWF_N_TABLE_LIMITS; limit++) {
        any |= port->limits[limit] > 0;
    }
    return any && !bridge->audit && !bridge->no_meters;
}

/* The rate is loaded into a register that nobody reads, for want of a place in the cookie. */
void
nwf_put_new_limit(const struct nwf_bridge *bridge, const struct nwf_port *port,
                  struct ofpbuf *actions)
{
    if (port->limits[NWF_LIMIT_NEW] && !bridge->audit && !bridge->no_meters) {
        ofpact_put_METER(actions)->meter_id = nwf_meter_id(NWF_LIMIT_NEW, port->ofport);
        nwf_put_load(actions, MFF_REG0 + NWF_REG_OPERAND, port->limits[NWF_LIMIT_NEW]);
    }
}

uint8_t
nwf_first_table(const struct nwf_bridge *bridge, const struct nwf_port *port)
{
    return has_limits(bridge, port) ? NWF_TABLE_LIMITS : NWF_TABLE_BEFORE;
}

static void
add_limit(const struct nwf_port *port, enum nwf_limit limit, bool metered, struct match *match,
          struct nwf_flow_set *flows)
{
    bool is_last = limit + 1 == NWF_N_TABLE_LIMITS;
    uint8_t table = (uint8_t) (NWF_TABLE_LIMITS + limit);
    NWF_ACTIONS(actions);

    if (metered) {
        ofpact_put_METER(&actions)->meter_id = nwf_meter_id(limit, port->ofport);
    }
    nwf_put_goto(&actions, is_last ? NWF_TABLE_BEFORE : (uint8_t) (table + 1));
    match_set_in_port(match, OFP_PORT_C(port->ofport));
    nwf_flow_set_add(flows, table, metered ? PRIORITY_METERED : 1,
                     nwf_cookie(NWF_COOKIE_CLASSIFY, port->ofport,
                                metered ? port->limits[limit] : (uint32_t) NWF_COOKIE_NO_RULE),
                     match, &actions);
}

static void
add_broadcast(const struct nwf_port *port, struct nwf_flow_set *flows)
{
    static const struct eth_addr group_bit = ETH_ADDR_C(01, 00, 00, 00, 00, 00);
    struct match match;

    match_init_catchall(&match);
    match_set_dl_dst_masked(&match, group_bit, group_bit);
    add_limit(port, NWF_LIMIT_BROADCAST, true, &match, flows);
}

/* ARP, and the five messages of neighbour discovery (RFC 4861). */
static void
add_arp(const struct nwf_port *port, struct nwf_flow_set *flows)
{
    struct match match;

    match_init_catchall(&match);
    match_set_dl_type(&match, htons(ETH_TYPE_ARP));
    add_limit(port, NWF_LIMIT_ARP, true, &match, flows);
    for (uint16_t type = ND_ROUTER_SOLICIT; type <= ND_REDIRECT; type++) {
        match_init_catchall(&match);
        match_set_dl_type(&match, htons(ETH_TYPE_IPV6));
        match_set_nw_proto(&match, IPPROTO_ICMPV6);
        match_set_tp_src(&match, htons(type));
        add_limit(port, NWF_LIMIT_ARP, true, &match, flows);
    }
}

void
nwf_add_limits(const struct nwf_bridge *bridge, const struct nwf_port *port,
               struct nwf_flow_set *flows)
{
    if (!has_limits(bridge, port)) {
        return;
    }
    if (port->limits[NWF_LIMIT_BROADCAST]) {
        add_broadcast(port, flows);
    }
    if (port->limits[NWF_LIMIT_ARP]) {
        add_arp(port, flows);
    }
    for (int limit = 0; limit < NWF_N_TABLE_LIMITS; limit++) {
        struct match match;

        match_init_catchall(&match);
        add_limit(port, (enum nwf_limit) limit, false, &match, flows);
    }
}
