/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses as matches; see route_match.h. */
#include <config.h>

#include "route_match.h"

#include <string.h>

#include "lib/packets.h"

#define PRIORITY_FIRST 1000

struct nwf_prefix
nwf_prefix_of(const struct nwf_address *address)
{
    struct nwf_prefix prefix;

    memset(&prefix, 0, sizeof prefix);
    if (address->family == AF_INET) {
        memcpy(&prefix.ip4, address->bytes, sizeof prefix.ip4);
        prefix.mask4 = be32_prefix_mask(address->prefix_len);
    } else {
        memcpy(&prefix.ip6, address->bytes, sizeof prefix.ip6);
        prefix.mask6 = ipv6_create_mask(address->prefix_len);
    }
    return prefix;
}

void
nwf_match_source(const struct nwf_address *address, struct match *match)
{
    struct nwf_prefix prefix = nwf_prefix_of(address);

    match_init_catchall(match);
    if (address->family == AF_INET) {
        match_set_dl_type(match, htons(ETH_TYPE_IP));
        match_set_nw_src_masked(match, prefix.ip4, prefix.mask4);
    } else {
        match_set_dl_type(match, htons(ETH_TYPE_IPV6));
        match_set_ipv6_src_masked(match, &prefix.ip6, &prefix.mask6);
    }
}

void
nwf_match_destination(const struct nwf_address *address, struct match *match)
{
    struct nwf_prefix prefix = nwf_prefix_of(address);

    match_init_catchall(match);
    if (address->family == AF_INET) {
        match_set_dl_type(match, htons(ETH_TYPE_IP));
        match_set_nw_dst_masked(match, prefix.ip4, prefix.mask4);
    } else {
        match_set_dl_type(match, htons(ETH_TYPE_IPV6));
        match_set_ipv6_dst_masked(match, &prefix.ip6, &prefix.mask6);
    }
}

uint16_t
nwf_route_priority(const struct nwf_address *address, bool is_guest)
{
    return (uint16_t) (PRIORITY_FIRST + 2 * address->prefix_len + is_guest);
}
