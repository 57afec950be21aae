/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses as matches, and the order of flows about them. */
#ifndef NWF_COMPILE_ROUTE_MATCH_H
#define NWF_COMPILE_ROUTE_MATCH_H

#include <netinet/in.h>

#include "nwf/routing.h"
#include "openvswitch/match.h"

/* In NWF_TABLE_ROUTE_ARP, _ND and _ASKED: addresses of guests; and in NWF_TABLE_ROUTE_SOURCE. */
#define NWF_PRIORITY_ROUTE_OWN 200
#define NWF_PRIORITY_ROUTE_SOURCE 200

/* In NWF_TABLE_ROUTE_HOST: what the host says of guests' addresses. */
#define NWF_PRIORITY_ROUTE_ANNOUNCED 380

/* An address as Open vSwitch has it: one of the pairs, by its family. */
struct nwf_prefix {
    ovs_be32 ip4, mask4;
    struct in6_addr ip6, mask6;
};

struct nwf_prefix nwf_prefix_of(const struct nwf_address *address);

/* All packets from the address, and to it. */
void nwf_match_source(const struct nwf_address *address, struct match *match);
void nwf_match_destination(const struct nwf_address *address, struct match *match);

/* In NWF_TABLE_ROUTE: the longer the prefix, the earlier; a guest's before one that the host has
 * as well. */
uint16_t nwf_route_priority(const struct nwf_address *address, bool is_guest);

#endif
