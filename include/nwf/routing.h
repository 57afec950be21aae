/* SPDX-License-Identifier: Apache-2.0
 *
 * What flows that route are to know of the host and of the provider's network. */
#ifndef NWF_ROUTING_H
#define NWF_ROUTING_H

#include "nwf/mac.h"
#include "nwf/routed.h"

enum { NWF_ROUTED_IP, NWF_ROUTED_IPV6, NWF_N_ROUTED };

/* Where packets go that the host has no other way for. */
struct nwf_gateway {
    bool has_mac;
    struct nwf_mac mac;
};

/* A destination that the host's kernel is to see the packets for. */
struct nwf_inward {
    struct nwf_address address;
    bool is_own; /* An address of the host's. */
};

struct nwf_inwards {
    struct nwf_inward *data;
    size_t n, allocated;
};

/* Destinations of NWF_INWARDS_MAX routes; a host with more is no place for this. */
#define NWF_INWARDS_MAX 4096

struct nwf_routing {
    bool has_mac;
    struct nwf_mac mac; /* The host's, which the uplink and the bridge have. */
    struct nwf_gateway gateways[NWF_N_ROUTED];
    struct nwf_inwards inwards; /* Ordered; each once. */
    /* Addresses that guests alone know a router by. */
    struct nwf_addresses gateway_addresses;
    uint32_t mtu;    /* Of the uplink, if some other port's is larger; or 0. */
    bool answers_nd; /* The datapath can make an answer of a solicitation. */
};

void nwf_routing_copy(const struct nwf_routing *from, struct nwf_routing *ret);
void nwf_routing_clear(struct nwf_routing *routing);
bool nwf_routing_equals(const struct nwf_routing *a, const struct nwf_routing *b);

/* IPv6's. */
bool nwf_address_is_link_local(const struct nwf_address *address);

/* Whether the provider's network does not route to the address: it is private, or of no use
 * outside of a link. */
bool nwf_address_is_private(const struct nwf_address *address);

/* Whether 'outer' has all of 'inner'. */
bool nwf_address_covers(const struct nwf_address *outer, const struct nwf_address *inner);

#endif
