/* SPDX-License-Identifier: Apache-2.0
 *
 * Items: what it takes to reach a guest's address; see nwf/host.h.  Nothing here asks anybody. */
#include <config.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "item.h"
#include "nwf/text.h"

#include "lib/hash.h"

static const char *const kind_names[NWF_N_HOST_KINDS] = {
    [NWF_HOST_UP] = "device up",          [NWF_HOST_ADDRESS] = "address",
    [NWF_HOST_NEIGHBOUR] = "neighbour",   [NWF_HOST_ROUTE] = "route",
    [NWF_HOST_PROXY] = "neighbour proxy",
};

char *
nwf_host_item_format(const struct nwf_host_item *item)
{
    char *address CLEANUP_FREE = NULL;
    char via[INET6_ADDRSTRLEN] = "";

    if (item->kind == NWF_HOST_UP) {
        return nwf_asprintf("%s: up", item->device);
    }
    address = nwf_address_format(&item->address);
    if (item->has_via) {
        (void) inet_ntop(AF_INET6, item->via, via, sizeof via);
    }
    return nwf_asprintf("%s %s%s%s dev %s", kind_names[item->kind], address, *via ? " via " : "",
                        via, item->device);
}

/* ---- Keys. ---- */

/* A route's device is none of its key: two to one address are at odds wherever they lead. */
static bool
has_device_in_key(enum nwf_host_kind kind)
{
    return kind != NWF_HOST_ROUTE;
}

uint32_t
nwf_host_item_hash(const struct nwf_host_item *item)
{
    uint32_t hash = hash_bytes(item->address.bytes, sizeof item->address.bytes, item->kind);

    hash = hash_2words(hash, item->address.prefix_len);
    return has_device_in_key(item->kind) ? hash_string(item->device, hash) : hash;
}

bool
nwf_host_item_same_key(const struct nwf_host_item *a, const struct nwf_host_item *b)
{
    return a->kind == b->kind && nwf_address_equals(&a->address, &b->address)
           && (!has_device_in_key(a->kind) || !strcmp(a->device, b->device));
}

bool
nwf_host_item_same_value(const struct nwf_host_item *a, const struct nwf_host_item *b)
{
    if (a->kind == NWF_HOST_NEIGHBOUR) {
        return !memcmp(&a->mac, &b->mac, sizeof a->mac);
    }
    return a->kind != NWF_HOST_ROUTE
           || (a->has_via == b->has_via && (!a->has_via || !memcmp(a->via, b->via, sizeof a->via)));
}

/* ---- Lists. ---- */

static struct nwf_host_item *
add(struct nwf_host_items *items, enum nwf_host_kind kind, const char *device,
    const struct nwf_address *address)
{
    struct nwf_host_item item = {.kind = kind};

    (void) snprintf(item.device, sizeof item.device, "%s", device);
    if (address) {
        item.address = *address;
    }
    nwf_vec_push(items, item);
    return &items->data[items->n - 1];
}

void
nwf_host_items_add(struct nwf_host_items *items, enum nwf_host_kind kind, const char *device,
                   const struct nwf_address *address)
{
    (void) add(items, kind, device, address);
}

void
nwf_link_local(const struct nwf_mac *mac, uint8_t ret[16])
{
    const uint8_t *m = mac->octets;
    const uint8_t address[16] = {0xfe,     0x80, 0,    0,    0,    0,    0,    0,
                                 m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};

    memcpy(ret, address, sizeof address);
}

static bool
is_single(const struct nwf_address *address)
{
    return address->prefix_len == (address->family == AF_INET ? 32 : 128);
}

/* The next hop's neighbour may be there already, for another subnet. */
static void
add_next_hop(struct nwf_host_items *items, const char *bridge, const struct nwf_address *hop,
             const struct nwf_mac *mac)
{
    nwf_vec_foreach (item, items) {
        if (item->kind == NWF_HOST_NEIGHBOUR && nwf_address_equals(&item->address, hop)) {
            return;
        }
    }
    add(items, NWF_HOST_NEIGHBOUR, bridge, hop)->mac = *mac;
}

static void
add_subnet(struct nwf_host_items *items, const char *bridge, const struct nwf_address *subnet,
           const struct nwf_mac *mac)
{
    struct nwf_address hop = {.family = AF_INET6, .prefix_len = 128};

    nwf_link_local(mac, hop.bytes);
    add_next_hop(items, bridge, &hop, mac);
    struct nwf_host_item *route = add(items, NWF_HOST_ROUTE, bridge, subnet);
    route->has_via = true;
    memcpy(route->via, hop.bytes, sizeof route->via);
}

void
nwf_host_items_add_guest(struct nwf_host_items *items, const char *bridge, const char *uplink,
                         const struct nwf_address *address, const struct nwf_mac *mac)
{
    if (!is_single(address)) {
        add_subnet(items, bridge, address, mac);
        return;
    }
    add(items, NWF_HOST_NEIGHBOUR, bridge, address)->mac = *mac;
    (void) add(items, NWF_HOST_ROUTE, bridge, address);
    if (uplink) {
        (void) add(items, NWF_HOST_PROXY, uplink, address);
    }
}
