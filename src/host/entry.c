/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries and owners of a host's state; see state.h. */
#include <config.h>

#include <string.h>

#include "nwf/text.h"
#include "state.h"

#include "lib/hash.h"

/* ---- Entries. ---- */

struct nwf_host_entry *
nwf_entry_find(const struct nwf_host *host, const struct nwf_host_item *item)
{
    struct nwf_host_entry *entry;

    HMAP_FOR_EACH_WITH_HASH (entry, node, nwf_host_item_hash(item), &host->entries) {
        if (nwf_host_item_same_key(&entry->item, item)) {
            return entry;
        }
    }
    return NULL;
}

struct nwf_host_entry *
nwf_entry_get(struct nwf_host *host, const struct nwf_host_item *item)
{
    struct nwf_host_entry *entry = nwf_entry_find(host, item);

    if (!entry) {
        entry = nwf_zalloc(sizeof *entry);
        entry->item = *item;
        ovs_list_init(&entry->owned);
        ovs_list_init(&entry->orphaned);
        hmap_insert(&host->entries, &entry->node, nwf_host_item_hash(item));
    }
    return entry;
}

void
nwf_entry_drop(struct nwf_host *host, struct nwf_host_entry *entry)
{
    if (!entry->owner && !entry->have && !entry->elsewhere) {
        hmap_remove(&host->entries, &entry->node);
        ovs_list_remove(&entry->orphaned);
        free(entry);
    }
}

static bool
is_up(const struct nwf_host *host, const struct nwf_host_entry *entry)
{
    const struct nwf_host_device *device = nwf_host_device(host, entry->item.device);

    return device && (device->up || (host->rises_at && !strcmp(device->name, host->bridge)));
}

/* An address or a proxy of somebody else's does what ours would. */
bool
nwf_entry_is_right(const struct nwf_host *host, const struct nwf_host_entry *entry)
{
    switch (entry->item.kind) {
    case NWF_HOST_UP:
        return is_up(host, entry);
    case NWF_HOST_ADDRESS:
    case NWF_HOST_PROXY:
        return entry->have || entry->foreign;
    case NWF_HOST_NEIGHBOUR:
    case NWF_HOST_ROUTE:
    case NWF_N_HOST_KINDS:
        break;
    }
    return entry->have && !entry->wrong;
}

void
nwf_entry_orphan(struct nwf_host *host, struct nwf_host_entry *entry)
{
    ovs_list_remove(&entry->owned);
    ovs_list_init(&entry->owned);
    entry->owner = NULL;
    entry->was_made = false;
    entry->is_withdrawn = true;
    if (entry->have) {
        ovs_list_push_back(&host->orphans, &entry->orphaned);
    }
    nwf_entry_drop(host, entry);
}

/* ---- Owners. ---- */

struct nwf_host_owner *
nwf_owner_find(const struct nwf_host *host, const char *name)
{
    struct nwf_host_owner *owner;

    HMAP_FOR_EACH_WITH_HASH (owner, node, hash_string(name, 0), &host->owners) {
        if (!strcmp(owner->name, name)) {
            return owner;
        }
    }
    return NULL;
}

/* The bridge itself, whose name as an owner is empty, comes first: guests' routes need its device
 * to be up. */
void
nwf_owner_touch(struct nwf_host *host, struct nwf_host_owner *owner)
{
    ovs_list_remove(&owner->pending);
    ovs_list_init(&owner->pending);
    if (*owner->name) {
        ovs_list_push_back(&host->pending, &owner->pending);
    } else {
        ovs_list_push_front(&host->pending, &owner->pending);
    }
}
