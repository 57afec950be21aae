/* SPDX-License-Identifier: Apache-2.0
 *
 * From what owners want to requests to the kernel; see nwf/host.h.
 *
 * What goes, goes first.  What an owner wants comes in the order of its kinds, and if the kernel
 * refuses one of them, those that have come go again. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "state.h"

#include "lib/timeval.h"
#include "lib/util.h"

/* When an owner is tried again that has not got what it wants, which the kernel may have refused
 * because of what just happens to a device: later each time. */
#define RETRY_FIRST 50
#define RETRY_MAX 5000

/* ---- Unmaking. ---- */

static int
index_of(const struct nwf_host *host, const struct nwf_host_entry *entry)
{
    const struct nwf_host_device *device = nwf_host_device(host, entry->item.device);

    return device ? device->index : 0;
}

static int
unmake(struct nwf_host *host, struct nwf_host_entry *entry, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST];
    int index = index_of(host, entry);
    struct nlmsghdr *request = index ? nwf_item_unmake(buffer, &entry->item, index) : NULL;
    int r = request ? nwf_netlink_ask(&host->requests, request, NULL, NULL, err) : 0;

    if (nwf_item_is_absent(r)) {
        nwf_error_clear(err);
        r = 0;
    }
    if (r) {
        char *text CLEANUP_FREE = nwf_host_item_format(&entry->item);
        nwf_error_wrap(err, "%s: not removed", text);
        return r;
    }
    entry->have = entry->wrong = false;
    return 0;
}

/* Whether what bears our number, and nobody wants, is this bridge's.  An uplink may be that of
 * several bridges: an answer for an address that another one has a route to is that one's. */
static bool
is_of_bridge(const struct nwf_host *host, const struct nwf_host_entry *entry)
{
    struct nwf_host_item route = entry->item;

    if (!strcmp(entry->item.device, host->bridge)) {
        return true;
    }
    if (entry->item.kind != NWF_HOST_PROXY) {
        return false;
    }
    route.kind = NWF_HOST_ROUTE;
    const struct nwf_host_entry *other = nwf_entry_find(host, &route);
    bool is_uplink = host->uplink && !strcmp(entry->item.device, host->uplink);
    return (other && other->have) || ((is_uplink || entry->is_withdrawn) && !other);
}

/* What others may still say that they want is left where it is. */
static bool
is_known_to_go(const struct nwf_host *host, const struct nwf_host_entry *entry)
{
    return entry->is_withdrawn || host->is_complete;
}

static int
remove_orphan(struct nwf_host *host, struct nwf_host_entry *entry, struct nwf_error *err)
{
    bool is_ours = entry->have && is_of_bridge(host, entry);
    int r = is_ours ? unmake(host, entry, err) : 0;

    /* Whatever the kernel says of it: it is not asked twice. */
    ovs_list_remove(&entry->orphaned);
    ovs_list_init(&entry->orphaned);
    nwf_entry_drop(host, entry);
    return r;
}

/* The error is the first. */
static int
remove_orphans(struct nwf_host *host, struct nwf_error *err)
{
    int first = 0;

    for (int kind = NWF_N_HOST_KINDS - 1; kind >= 0; kind--) {
        struct nwf_host_entry *entry, *next;
        LIST_FOR_EACH_SAFE (entry, next, orphaned, &host->orphans) {
            if ((int) entry->item.kind != kind || !is_known_to_go(host, entry)) {
                continue;
            }
            struct nwf_error cause = NWF_ERROR_INIT;
            int r = remove_orphan(host, entry, &cause);
            if (r && !first) {
                first = nwf_error_set(err, r, "%s", nwf_error_text(&cause));
            }
            nwf_error_clear(&cause);
        }
    }
    return first;
}

int
nwf_host_remove_unwanted(struct nwf_host *host, struct nwf_error *err)
{
    return remove_orphans(host, err);
}

int
nwf_host_withdraw(struct nwf_host *host, const char *name, const struct nwf_host_items *items,
                  struct nwf_error *err)
{
    struct nwf_host_owner *owner = nwf_owner_find(host, name);
    struct nwf_host_entry *entry, *next;

    if (!owner) {
        return 0;
    }
    LIST_FOR_EACH (entry, owned, &owner->entries) {
        entry->is_kept = false;
    }
    nwf_vec_foreach (item, items) {
        if ((entry = nwf_entry_find(host, item))) {
            entry->is_kept = true;
        }
    }
    LIST_FOR_EACH_SAFE (entry, next, owned, &owner->entries) {
        if (!entry->is_kept) {
            nwf_entry_orphan(host, entry);
        }
    }
    return remove_orphans(host, err);
}

int
nwf_host_remove_all(struct nwf_host *host, struct nwf_error *err)
{
    nwf_host_begin_owners(host);
    nwf_host_end_owners(host);
    host->is_complete = true;
    return remove_orphans(host, err);
}

/* ---- Making. ---- */

static int
take_look(const struct nlmsghdr *message, void *news)
{
    return nwf_item_read(message, news) ? 0 : -ENOENT;
}

/* Whether something of somebody else's has the item's place. */
static bool
is_in_the_way(const struct nwf_host *host, const struct nwf_host_entry *entry,
              const struct nwf_host_news *found)
{
    const struct nwf_host_device *device = nwf_host_device_by_index(host, found->index);

    if (found->item.kind != entry->item.kind || found->transient
        || !nwf_address_equals(&found->item.address, &entry->item.address)) {
        return false; /* A route to a larger subnet, for example. */
    }
    return !found->ours || !device || strcmp(device->name, entry->item.device);
}

/* Whether it is what we are about to make. */
static bool
is_same(const struct nwf_host *host, const struct nwf_host_entry *entry,
        const struct nwf_host_news *found)
{
    const struct nwf_host_device *device = nwf_host_device_by_index(host, found->index);

    return found->ours && device && !strcmp(device->name, entry->item.device)
           && nwf_address_equals(&found->item.address, &entry->item.address)
           && found->item.kind == entry->item.kind
           && nwf_host_item_same_value(&found->item, &entry->item);
}

static int
check_place(struct nwf_host *host, struct nwf_host_entry *entry, int index, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST];
    struct nlmsghdr *request = nwf_item_look(buffer, &entry->item, index);
    struct nwf_host_news found;

    entry->foreign = false;
    if (!request || nwf_netlink_ask(&host->requests, request, take_look, &found, NULL)) {
        return 0; /* Nothing is there; or what is comes out when the item is made. */
    }
    entry->foreign = is_in_the_way(host, entry, &found);
    if (!entry->foreign && is_same(host, entry, &found)) {
        entry->have = true;
        entry->wrong = false;
    }
    return entry->foreign ? nwf_error_set(err, -EEXIST, "there is one of somebody else's") : 0;
}

/* Makes it, whatever is there; somebody else's is left alone: -EEXIST. */
static int
make_at(struct nwf_host *host, struct nwf_host_entry *entry, int index, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST];
    int r;

    if (entry->wrong && entry->item.kind == NWF_HOST_ROUTE && (r = unmake(host, entry, err))) {
        return r;
    }
    if ((r = check_place(host, entry, index, err)) || nwf_entry_is_right(host, entry)) {
        return r;
    }
    r = nwf_netlink_ask(&host->requests, nwf_item_make(buffer, &entry->item, index), NULL, NULL,
                        err);
    entry->foreign = r == -EEXIST;
    return r;
}

static int
make(struct nwf_host *host, struct nwf_host_entry *entry, struct nwf_error *err)
{
    int index = index_of(host, entry);
    int r = index ? make_at(host, entry, index, err)
                  : nwf_error_set(err, -ENODEV, "there is no such device now");

    if (r == -EEXIST && nwf_entry_is_right(host, entry)) {
        nwf_error_clear(err);
        return 0;
    }
    if (r) {
        char *text CLEANUP_FREE = nwf_host_item_format(&entry->item);
        nwf_error_wrap(err, r == -EEXIST ? "%s: left alone" : "%s", text);
        return r;
    }
    host->n_repairs += entry->was_made;
    entry->was_made = true;
    entry->have = entry->item.kind != NWF_HOST_UP;
    entry->wrong = false;
    return 0;
}

/* ---- Owners. ---- */

struct made {
    struct nwf_host_entry **data;
    size_t n, allocated;
};

/* The devices' flags are the kernel's own business: a notification tells when one is up. */
static int
make_kind(struct nwf_host *host, struct nwf_host_owner *owner, enum nwf_host_kind kind,
          struct made *made, struct nwf_error *err)
{
    struct nwf_host_entry *entry;
    int r;

    LIST_FOR_EACH (entry, owned, &owner->entries) {
        if (entry->item.kind != kind || nwf_entry_is_right(host, entry)) {
            continue;
        }
        if ((r = make(host, entry, err))) {
            return r;
        }
        nwf_vec_push(made, entry);
    }
    return 0;
}

static int
make_all(struct nwf_host *host, struct nwf_host_owner *owner, struct made *made,
         struct nwf_error *err)
{
    int r;

    for (int kind = 0; kind < NWF_N_HOST_KINDS; kind++) {
        if ((r = make_kind(host, owner, kind, made, err))) {
            return r;
        }
    }
    return 0;
}

static void
roll_back(struct nwf_host *host, struct made *made)
{
    while (made->n) {
        struct nwf_host_entry *entry = made->data[--made->n];
        if (entry->have) {
            (void) unmake(host, entry, NULL);
            entry->was_made = false;
        }
    }
}

static bool
same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static void
set_error(struct nwf_host *host, struct nwf_host_owner *owner, struct nwf_error *err)
{
    if (!same_text(owner->error.text, err->text)) {
        owner->has_news = host->has_news = true;
    }
    nwf_error_clear(&owner->error);
    owner->error = *err;
}

static void
apply_owner(struct nwf_host *host, struct nwf_host_owner *owner)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct made made = {.data = NULL};
    int r = make_all(host, owner, &made, &err);

    if (r) {
        roll_back(host, &made);
    }
    nwf_vec_clear(&made);
    owner->backoff_ms = !r                  ? 0
                        : owner->backoff_ms ? MIN(2 * owner->backoff_ms, RETRY_MAX)
                                            : RETRY_FIRST;
    owner->retry_at = r ? time_msec() + owner->backoff_ms : 0;
    host->retry_at = r ? MIN(host->retry_at, owner->retry_at) : host->retry_at;
    set_error(host, owner, &err);
}

bool
nwf_host_apply(struct nwf_host *host, size_t max, struct nwf_error *err)
{
    (void) remove_orphans(host, err);
    while (!ovs_list_is_empty(&host->pending)) {
        struct nwf_host_owner *owner =
            CONTAINER_OF(ovs_list_front(&host->pending), struct nwf_host_owner, pending);
        if (!max--) {
            return false;
        }
        ovs_list_remove(&owner->pending);
        ovs_list_init(&owner->pending);
        apply_owner(host, owner);
    }
    return true;
}
