/* SPDX-License-Identifier: Apache-2.0
 *
 * What flows that route know; see nwf/routing.h. */
#include "nwf/routing.h"

#include <string.h>

#include "nwf/vec.h"

void
nwf_routing_clear(struct nwf_routing *routing)
{
    nwf_vec_clear(&routing->inwards);
    nwf_vec_clear(&routing->gateway_addresses);
    memset(routing, 0, sizeof *routing);
}

void
nwf_routing_copy(const struct nwf_routing *from, struct nwf_routing *ret)
{
    *ret = *from;
    memset(&ret->inwards, 0, sizeof ret->inwards);
    memset(&ret->gateway_addresses, 0, sizeof ret->gateway_addresses);
    nwf_vec_foreach (inward, &from->inwards) {
        nwf_vec_push(&ret->inwards, *inward);
    }
    nwf_vec_foreach (address, &from->gateway_addresses) {
        nwf_vec_push(&ret->gateway_addresses, *address);
    }
}

static bool
gateways_equal(const struct nwf_gateway *a, const struct nwf_gateway *b)
{
    return a->has_mac == b->has_mac && (!a->has_mac || !memcmp(&a->mac, &b->mac, sizeof a->mac));
}

static bool
inwards_equal(const struct nwf_inwards *a, const struct nwf_inwards *b)
{
    for (size_t i = 0; a->n == b->n && i < a->n; i++) {
        if (a->data[i].is_own != b->data[i].is_own
            || !nwf_address_equals(&a->data[i].address, &b->data[i].address)) {
            return false;
        }
    }
    return a->n == b->n;
}

static bool
addresses_equal(const struct nwf_addresses *a, const struct nwf_addresses *b)
{
    for (size_t i = 0; a->n == b->n && i < a->n; i++) {
        if (!nwf_address_equals(&a->data[i], &b->data[i])) {
            return false;
        }
    }
    return a->n == b->n;
}

bool
nwf_routing_equals(const struct nwf_routing *a, const struct nwf_routing *b)
{
    for (int family = 0; family < NWF_N_ROUTED; family++) {
        if (!gateways_equal(&a->gateways[family], &b->gateways[family])) {
            return false;
        }
    }
    return a->has_mac == b->has_mac && !memcmp(&a->mac, &b->mac, sizeof a->mac) && a->mtu == b->mtu
           && a->answers_nd == b->answers_nd && inwards_equal(&a->inwards, &b->inwards)
           && addresses_equal(&a->gateway_addresses, &b->gateway_addresses);
}

bool
nwf_address_covers(const struct nwf_address *outer, const struct nwf_address *inner)
{
    unsigned int whole = outer->prefix_len / 8, rest = outer->prefix_len % 8;

    return outer->family == inner->family && outer->prefix_len <= inner->prefix_len
           && !memcmp(outer->bytes, inner->bytes, whole)
           && (!rest || !((outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest)));
}

bool
nwf_address_is_link_local(const struct nwf_address *address)
{
    static const struct nwf_address range = {AF_INET6, {0xfe, 0x80}, 10};

    return nwf_address_covers(&range, address);
}

bool
nwf_address_is_private(const struct nwf_address *address)
{
    static const struct nwf_address ranges[] = {
        {AF_INET, {10}, 8},           {AF_INET, {172, 16}, 12},  {AF_INET, {192, 168}, 16},
        {AF_INET, {100, 64}, 10},     {AF_INET, {169, 254}, 16}, {AF_INET6, {0xfc}, 7},
        {AF_INET6, {0xfe, 0x80}, 10},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (nwf_address_covers(&ranges[i], address)) {
            return true;
        }
    }
    return false;
}
