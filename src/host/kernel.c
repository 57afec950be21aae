/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel has: its tables, and its notifications, into a host's entries.
 *
 * Of its routes and neighbours only those are kept that bear our number, or that are in the way of
 * what somebody wants: a router has a million. */
#include <config.h>

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <string.h>

#include "state.h"

#include "lib/timeval.h"

/* Open vSwitch takes the bridge's device down to give it another Ethernet address.  Who sets it up
 * in between makes the kernel keep a link-local address of the old one. */
#define RISE_MS 300

/* ---- Devices. ---- */

static bool
concerns(const struct nwf_host *host, const struct nwf_host_device *device)
{
    return !strcmp(device->name, host->bridge)
           || (host->uplink && !strcmp(device->name, host->uplink));
}

static bool
same_device(const struct nwf_host_device *a, const struct nwf_host_device *b)
{
    return !strcmp(a->name, b->name) && a->up == b->up && a->has_mac == b->has_mac
           && a->master == b->master && a->mtu == b->mtu
           && !memcmp(&a->mac, &b->mac, sizeof a->mac);
}

/* A new device is nobody's to set up but ours. */
static void
note_bridge(struct nwf_host *host, const struct nwf_host_device *device,
            const struct nwf_host_device *known, bool gone)
{
    host->rises_at = !gone && !device->up && known && known->up ? time_msec() + RISE_MS : 0;
}

/* The kernel removes routes of a device that goes down without a word. */
static void
take_device(struct nwf_host *host, const struct nwf_host_device *device, bool gone)
{
    const struct nwf_host_device *known = nwf_host_device_by_index(host, device->index);

    if (gone ? !known : known && same_device(known, device)) {
        return;
    }
    if (!strcmp(device->name, host->bridge)) {
        note_bridge(host, device, known, gone);
    }
    if (concerns(host, device) || (known && concerns(host, known))) {
        host->needs_dump = true;
        host->seqno++;
    }
    if (known) {
        nwf_host_remove_device(host, known);
    }
    if (!gone) {
        nwf_host_add_device(host, device);
    }
}

/* ---- Items. ---- */

static bool
is_index_of(const struct nwf_host *host, int index, const char *name)
{
    const struct nwf_host_device *device = nwf_host_device_by_index(host, index);

    return device && !strcmp(device->name, name);
}

/* An owner that has not got what it wants is tried again when something goes that was in its way,
 * or later: what it has had for a moment comes and goes with each try. */
static void
touch(struct nwf_host *host, const struct nwf_host_entry *entry, bool has_room)
{
    if (entry->owner && !nwf_entry_is_right(host, entry)
        && (has_room || !entry->owner->error.text)) {
        nwf_owner_touch(host, entry->owner);
    }
}

static void
lose(struct nwf_host *host, struct nwf_host_entry *entry, bool ours, bool foreign)
{
    if (ours) {
        entry->have = entry->wrong = entry->elsewhere = false;
    }
    bool has_room = foreign && entry->foreign;
    entry->foreign &= !foreign;
    touch(host, entry, has_room);
    nwf_entry_drop(host, entry);
}

/* A route of ours that leads elsewhere is another bridge's. */
static void
have(struct nwf_host *host, struct nwf_host_entry *entry, const struct nwf_host_news *news)
{
    const char *device = entry->owner ? entry->item.device : host->bridge;

    entry->elsewhere =
        entry->item.kind == NWF_HOST_ROUTE && !is_index_of(host, news->index, device);
    entry->have = !entry->elsewhere;
    if (!entry->owner) {
        entry->item = news->item;
        entry->wrong = false;
    } else {
        entry->wrong = entry->have && !nwf_host_item_same_value(&entry->item, &news->item);
    }
    touch(host, entry, false);
    if (entry->have && !entry->owner && ovs_list_is_empty(&entry->orphaned)) {
        ovs_list_push_back(&host->orphans, &entry->orphaned);
    }
}

void
nwf_host_take_item(struct nwf_host *host, const struct nwf_host_news *news)
{
    const struct nwf_host_device *device = nwf_host_device_by_index(host, news->index);
    struct nwf_host_news named = *news;

    if (news->transient && !news->gone && news->item.kind == NWF_HOST_ROUTE) {
        return; /* If it is in the way, the kernel says so. */
    }
    if (device) {
        strcpy(named.item.device, device->name);
    }
    struct nwf_host_entry *entry = nwf_entry_find(host, &named.item);
    if (!entry) {
        if (named.ours && !named.gone && !named.transient) {
            have(host, nwf_entry_get(host, &named.item), &named);
        }
    } else if (named.gone) {
        lose(host, entry, named.ours, !named.ours);
    } else if (named.transient) { /* It has become one of the kernel's own. */
        lose(host, entry, true, true);
    } else if (named.ours) {
        have(host, entry, &named);
    } else if (entry->owner) {
        entry->foreign = true;
    }
}

/* ---- Addresses. ---- */

static void
take_address_item(struct nwf_host *host, const struct nwf_host_address *address, bool gone)
{
    struct nwf_host_news news = {
        .item = {.kind = NWF_HOST_ADDRESS, .address = address->address},
        .index = address->index,
        .gone = gone,
        .ours = address->ours,
    };

    nwf_host_take_item(host, &news);
}

/* With the last address the kernel removes all routes of the device, without a word. */
static void
take_address(struct nwf_host *host, const struct nwf_host_address *address, bool gone)
{
    size_t kept = 0;

    nwf_vec_foreach (other, &host->addresses) {
        if (other->index != address->index
            || !nwf_address_equals(&other->address, &address->address)) {
            host->addresses.data[kept++] = *other;
        }
    }
    host->addresses.n = kept;
    if (!gone) {
        nwf_vec_push(&host->addresses, *address);
    }
    host->seqno += !address->ours && address->global;
    host->needs_dump |= gone && is_index_of(host, address->index, host->bridge);
    take_address_item(host, address, gone);
}

static bool
is_default_route(const struct nlmsghdr *message)
{
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);

    return (message->nlmsg_type == RTM_NEWROUTE || message->nlmsg_type == RTM_DELROUTE)
           && mnl_nlmsg_get_payload_len(message) >= sizeof *header && header->rtm_family == AF_INET6
           && !header->rtm_dst_len;
}

int
nwf_host_take(const struct nlmsghdr *message, void *host_)
{
    struct nwf_host *host = host_;
    struct nwf_host_address address;
    struct nwf_host_device device;
    struct nwf_host_news news;
    bool gone;

    nwf_host_note_around(host, message);
    host->defaults_known &= !is_default_route(message);
    if (nwf_device_read(message, &device, &gone)) {
        take_device(host, &device, gone);
    } else if (nwf_address_read(message, &address, &gone)) {
        take_address(host, &address, gone);
    } else if (nwf_item_read(message, &news)) {
        nwf_host_take_item(host, &news);
    }
    return 0;
}

/* ---- Dumps. ---- */

static struct nlmsghdr *
begin_dump(char *buffer, uint16_t type, size_t header_size)
{
    struct nlmsghdr *request = nwf_netlink_begin(buffer, type, 0);

    (void) mnl_nlmsg_put_extra_header(request, header_size);
    return request;
}

static int
dump_links(struct nwf_host *host, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST];
    struct nlmsghdr *request = begin_dump(buffer, RTM_GETLINK, sizeof(struct ifinfomsg));

    mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return nwf_netlink_dump(&host->requests, request, nwf_host_take, host, err);
}

static int
dump_addresses(struct nwf_host *host, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST];
    struct nlmsghdr *request = begin_dump(buffer, RTM_GETADDR, sizeof(struct ifaddrmsg));

    return nwf_netlink_dump(&host->requests, request, nwf_host_take, host, err);
}

/* A kernel that is new enough dumps no others than ours. */
static int
dump_routes(struct nwf_host *host, int family, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST];
    struct nlmsghdr *request = begin_dump(buffer, RTM_GETROUTE, sizeof(struct rtmsg));
    struct rtmsg *header = mnl_nlmsg_get_payload(request);

    header->rtm_family = (uint8_t) family;
    header->rtm_table = RT_TABLE_MAIN;
    header->rtm_protocol = NWF_HOST_PROTOCOL;
    return nwf_netlink_dump(&host->requests, request, nwf_host_take, host, err);
}

static int
dump_neighbours(struct nwf_host *host, uint8_t flags, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST];
    struct nlmsghdr *request = begin_dump(buffer, RTM_GETNEIGH, sizeof(struct ndmsg));

    ((struct ndmsg *) mnl_nlmsg_get_payload(request))->ndm_flags = flags;
    return nwf_netlink_dump(&host->requests, request, nwf_host_take, host, err);
}

/* Nothing is there until a dump shows it. */
static void
forget_items(struct nwf_host *host, bool only_proxies)
{
    struct nwf_host_entry *entry;

    HMAP_FOR_EACH (entry, node, &host->entries) {
        if (!only_proxies || entry->item.kind == NWF_HOST_PROXY) {
            entry->have = entry->wrong = entry->foreign = entry->elsewhere = false;
        }
    }
}

static void
forget_devices(struct nwf_host *host)
{
    struct nwf_host_node *node, *next;

    HMAP_FOR_EACH_SAFE (node, next, by_index, &host->by_index) {
        nwf_host_remove_device(host, &node->device);
    }
    host->addresses.n = 0;
    host->defaults_known = false;
}

/* What a dump has not shown is to be made again. */
static void
settle_items(struct nwf_host *host, bool has_room)
{
    struct nwf_host_entry *entry, *next;

    HMAP_FOR_EACH_SAFE (entry, next, node, &host->entries) {
        touch(host, entry, has_room);
        nwf_entry_drop(host, entry);
    }
}

int
nwf_host_dump_proxies(struct nwf_host *host, struct nwf_error *err)
{
    forget_items(host, true);
    int r = dump_neighbours(host, NTF_PROXY, err);
    settle_items(host, false);
    return r;
}

static int
dump_all(struct nwf_host *host, struct nwf_error *err)
{
    int r;

    if ((r = dump_links(host, err)) || (r = dump_addresses(host, err))
        || (r = dump_routes(host, AF_INET, err)) || (r = dump_routes(host, AF_INET6, err))
        || (r = dump_neighbours(host, 0, err)) || (r = dump_neighbours(host, NTF_PROXY, err))) {
        return r;
    }
    return 0;
}

int
nwf_host_dump(struct nwf_host *host, struct nwf_error *err)
{
    forget_items(host, false);
    forget_devices(host);
    int r = dump_all(host, err);
    settle_items(host, true);
    host->seqno++;
    if (r) {
        nwf_error_wrap(err, "what the kernel has");
    }
    return r;
}
