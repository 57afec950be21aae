/* SPDX-License-Identifier: Apache-2.0
 *
 * What owners want of the host, and how it is followed; see nwf/host.h. */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "nwf/text.h"
#include "openvswitch/poll-loop.h"
#include "state.h"

#include "lib/hash.h"
#include "lib/timeval.h"
#include "lib/util.h"

/* How often proxies are looked at: the kernel does not tell when one goes. */
#define LOOK_MS 1000

/* ---- Life. ---- */

static void
init(struct nwf_host *host, const char *bridge)
{
    host->bridge = nwf_strdup(bridge);
    hmap_init(&host->by_index);
    hmap_init(&host->by_name);
    hmap_init(&host->entries);
    hmap_init(&host->owners);
    ovs_list_init(&host->pending);
    ovs_list_init(&host->orphans);
    host->needs_dump = true;
    host->retry_at = LLONG_MAX;
}

/* The monitor comes first: no change is missed between a dump and its start. */
int
nwf_host_open(const char *bridge, struct nwf_host **ret, struct nwf_error *err)
{
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = nwf_zalloc(sizeof *host);
    const unsigned int groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE
                                | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;
    int r;

    init(host, bridge);
    if ((r = nwf_netlink_open(groups, &host->monitor, err))
        || (r = nwf_netlink_open(0, &host->requests, err)) || (r = nwf_host_run(host, err))) {
        return r;
    }
    *ret = TAKE_PTR(host);
    return 0;
}

static void
owner_free(struct nwf_host *host, struct nwf_host_owner *owner)
{
    hmap_remove(&host->owners, &owner->node);
    ovs_list_remove(&owner->pending);
    nwf_error_clear(&owner->error);
    free(owner->name);
    free(owner);
}

void
nwf_host_close(struct nwf_host *host)
{
    struct nwf_host_entry *entry;
    struct nwf_host_owner *owner, *next_owner;
    struct nwf_host_node *node, *next_node;

    HMAP_FOR_EACH_POP (entry, node, &host->entries) {
        free(entry);
    }
    HMAP_FOR_EACH_SAFE (owner, next_owner, node, &host->owners) {
        owner_free(host, owner);
    }
    HMAP_FOR_EACH_SAFE (node, next_node, by_index, &host->by_index) {
        nwf_host_remove_device(host, &node->device);
    }
    hmap_destroy(&host->entries);
    hmap_destroy(&host->owners);
    hmap_destroy(&host->by_index);
    hmap_destroy(&host->by_name);
    nwf_vec_clear(&host->addresses);
    nwf_vec_clear(&host->defaults);
    nwf_netlink_close(&host->requests);
    nwf_netlink_close(&host->monitor);
    free(host->bridge);
    free(host->uplink);
    free(host);
}

/* ---- Owners. ---- */

static struct nwf_host_owner *
get_owner(struct nwf_host *host, const char *name)
{
    struct nwf_host_owner *owner = nwf_owner_find(host, name);

    if (!owner) {
        owner = nwf_zalloc(sizeof *owner);
        owner->name = nwf_strdup(name);
        ovs_list_init(&owner->entries);
        ovs_list_init(&owner->pending);
        hmap_insert(&host->owners, &owner->node, hash_string(name, 0));
    }
    return owner;
}

static void
take_ownership(struct nwf_host *host, struct nwf_host_owner *owner,
               const struct nwf_host_item *item)
{
    struct nwf_host_entry *entry = nwf_entry_get(host, item);

    ovs_list_remove(&entry->owned);
    ovs_list_remove(&entry->orphaned);
    ovs_list_init(&entry->orphaned);
    ovs_list_push_back(&owner->entries, &entry->owned);
    entry->wrong |= entry->have && !nwf_host_item_same_value(&entry->item, item);
    entry->is_withdrawn = false;
    entry->owner = owner;
    entry->item = *item;
}

/* Where an item is wanted by two, the one that has asked for it last has it: the other one is
 * asked soon what it wants now. */
void
nwf_host_want(struct nwf_host *host, const char *name, const struct nwf_host_items *items)
{
    struct nwf_host_owner *owner = get_owner(host, name);
    struct ovs_list before = OVS_LIST_INITIALIZER(&before);
    struct nwf_host_entry *entry;

    if (!ovs_list_is_empty(&owner->entries)) {
        ovs_list_splice(&before, owner->entries.next, &owner->entries);
    }
    nwf_vec_foreach (item, items) {
        take_ownership(host, owner, item);
    }
    while (!ovs_list_is_empty(&before)) {
        entry = CONTAINER_OF(ovs_list_front(&before), struct nwf_host_entry, owned);
        nwf_entry_orphan(host, entry);
    }
    owner->is_seen = true;
    nwf_owner_touch(host, owner);
}

void
nwf_host_begin_owners(struct nwf_host *host)
{
    struct nwf_host_owner *owner;

    HMAP_FOR_EACH (owner, node, &host->owners) {
        owner->is_seen = false;
    }
}

void
nwf_host_keep_owner(struct nwf_host *host, const char *name)
{
    struct nwf_host_owner *owner = nwf_owner_find(host, name);

    if (owner) {
        owner->is_seen = true;
    }
}

void
nwf_host_end_owners(struct nwf_host *host)
{
    const struct nwf_host_items none = {.data = NULL};
    struct nwf_host_owner *owner, *next;

    HMAP_FOR_EACH_SAFE (owner, next, node, &host->owners) {
        if (!owner->is_seen) {
            nwf_host_want(host, owner->name, &none);
            owner_free(host, owner);
        }
    }
}

void
nwf_host_set_complete(struct nwf_host *host)
{
    host->is_complete = true;
}

/* What is asked of the old one is none of its owners' any more when they say what they want. */
void
nwf_host_set_uplink(struct nwf_host *host, const char *uplink)
{
    char *old CLEANUP_FREE = host->uplink;

    host->needs_dump |= uplink ? !old || strcmp(old, uplink) : old != NULL;
    host->uplink = uplink ? nwf_strdup(uplink) : NULL;
}

const struct nwf_error *
nwf_host_error(const struct nwf_host *host, const char *name)
{
    static const struct nwf_error none = {.text = NULL};
    const struct nwf_host_owner *owner = nwf_owner_find(host, name);

    return owner ? &owner->error : &none;
}

void
nwf_host_each_news(struct nwf_host *host, void (*each)(const char *owner, void *aux), void *aux)
{
    struct nwf_host_owner *owner;

    if (!host->has_news) {
        return;
    }
    host->has_news = false;
    HMAP_FOR_EACH (owner, node, &host->owners) {
        if (owner->has_news) {
            owner->has_news = false;
            each(owner->name, aux);
        }
    }
}

/* ---- Running. ---- */

/* Owners of which something failed are tried again when they have waited. */
static void
retry(struct nwf_host *host)
{
    struct nwf_host_owner *owner;
    long long int now = time_msec();

    if (now < host->retry_at) {
        return;
    }
    host->retry_at = LLONG_MAX;
    HMAP_FOR_EACH (owner, node, &host->owners) {
        if (owner->retry_at && now >= owner->retry_at) {
            owner->retry_at = 0;
            nwf_owner_touch(host, owner);
        } else if (owner->retry_at) {
            host->retry_at = MIN(host->retry_at, owner->retry_at);
        }
    }
}

static bool
has_proxies(const struct nwf_host *host)
{
    return host->uplink && !hmap_is_empty(&host->owners);
}

static int
look_again(struct nwf_host *host, struct nwf_error *err)
{
    retry(host);
    if (time_msec() < host->look_at) {
        return 0;
    }
    host->look_at = time_msec() + LOOK_MS;
    return has_proxies(host) ? nwf_host_dump_proxies(host, err) : 0;
}

int
nwf_host_run(struct nwf_host *host, struct nwf_error *err)
{
    int r = nwf_netlink_listen(&host->monitor, nwf_host_take, host);

    if (r && r != -ENOBUFS) {
        return nwf_error_set(err, r, "rtnetlink: notifications: %s", strerror(-r));
    }
    host->needs_dump |= r == -ENOBUFS;
    if (host->rises_at && time_msec() >= host->rises_at) {
        host->rises_at = 0;
        host->needs_dump = true;
    }
    if (host->needs_dump) {
        if ((r = nwf_host_dump(host, err))) {
            return r;
        }
        host->needs_dump = false;
        host->look_at = time_msec() + LOOK_MS;
        return 0;
    }
    return look_again(host, err);
}

void
nwf_host_wait(const struct nwf_host *host)
{
    poll_fd_wait(nwf_netlink_fd(&host->monitor), POLLIN);
    poll_timer_wait_until(MIN(host->look_at, host->retry_at));
    if (host->rises_at) {
        poll_timer_wait_until(host->rises_at);
    }
    if (nwf_host_is_dirty(host)) {
        poll_immediate_wake();
    }
}

unsigned int
nwf_host_seqno(const struct nwf_host *host)
{
    return host->seqno;
}

bool
nwf_host_is_dirty(const struct nwf_host *host)
{
    return !ovs_list_is_empty(&host->pending) || host->needs_dump
           || (host->is_complete && !ovs_list_is_empty(&host->orphans));
}

size_t
nwf_host_n_repairs(const struct nwf_host *host)
{
    return host->n_repairs;
}
