/* SPDX-License-Identifier: Apache-2.0
 *
 * A host's state, for the files that keep it. */
#ifndef NWF_HOST_STATE_H
#define NWF_HOST_STATE_H

#include "item.h"
#include "nwf/host.h"
#include "nwf/routing.h"

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

struct nwf_host_owner {
    struct hmap_node node;
    char *name;
    struct ovs_list entries;
    struct ovs_list pending; /* In host->pending, or empty. */
    bool is_seen;
    bool has_news;
    struct nwf_error error;
    long long int retry_at; /* 0: never by itself. */
    unsigned int backoff_ms;
};

/* An item that somebody wants, or that the kernel has and that bears our number. */
struct nwf_host_entry {
    struct hmap_node node;
    struct nwf_host_item item;    /* As it is wanted; as the kernel has it, if nobody does. */
    struct nwf_host_owner *owner; /* NULL: nobody wants it. */
    struct ovs_list owned;        /* In owner->entries. */
    struct ovs_list orphaned;     /* In host->orphans, or empty: to be removed. */
    bool have;                    /* The kernel has it. */
    bool wrong;                   /* But not as it is wanted. */
    bool foreign;                 /* Somebody else's is in the way, */
    bool elsewhere;               /* or that of another bridge of ours. */
    bool was_made;                /* By us, and nobody has wanted it to go. */
    bool is_withdrawn;            /* Somebody wanted it before. */
    bool is_kept;                 /* Of nwf_host_withdraw(). */
};

struct nwf_host_node {
    struct hmap_node by_index, by_name;
    struct nwf_host_device device;
};

struct nwf_host {
    struct nwf_netlink requests, monitor;
    char *bridge, *uplink;
    struct hmap by_index, by_name; /* Devices: of struct nwf_host_node. */
    NWF_VEC(struct nwf_host_address) addresses;
    struct nwf_host_defaults defaults;
    bool defaults_known;
    struct hmap entries, owners;
    struct ovs_list pending; /* Owners to be looked at. */
    struct ovs_list orphans; /* Entries. */
    bool needs_dump;
    bool is_complete;
    bool has_news;
    unsigned int seqno, around_seqno;
    long long int rises_at; /* Until when the bridge's device may be down; 0: it is up. */
    struct nwf_address routers[NWF_N_ROUTED]; /* As nwf_host_look_around() has found them. */
    size_t n_repairs;
    long long int retry_at; /* The first of the owners'; LLONG_MAX: none. */
    long long int look_at;  /* When proxies, of which the kernel does not tell, are looked at. */
};

/* ---- Entries and owners; see entry.c. ---- */

/* The entry of that key, or NULL. */
struct nwf_host_entry *nwf_entry_find(const struct nwf_host *host,
                                      const struct nwf_host_item *item);
/* The same, made if need be. */
struct nwf_host_entry *nwf_entry_get(struct nwf_host *host, const struct nwf_host_item *item);
/* Frees it if nobody wants it and the kernel does not have it. */
void nwf_entry_drop(struct nwf_host *host, struct nwf_host_entry *entry);
/* Whether whoever wants it has it. */
bool nwf_entry_is_right(const struct nwf_host *host, const struct nwf_host_entry *entry);
/* The owner of that name, or NULL. */
struct nwf_host_owner *nwf_owner_find(const struct nwf_host *host, const char *name);
/* It is looked at next. */
void nwf_owner_touch(struct nwf_host *host, struct nwf_host_owner *owner);

/* ---- The kernel's tables; see kernel.c. ---- */

/* Reads all of them. */
int nwf_host_dump(struct nwf_host *host, struct nwf_error *err);
int nwf_host_dump_proxies(struct nwf_host *host, struct nwf_error *err);
/* Takes in one message. */
nwf_netlink_fn nwf_host_take;
/* What the kernel has of this item is as 'news' says. */
void nwf_host_take_item(struct nwf_host *host, const struct nwf_host_news *news);

/* Nobody wants it any more. */
void nwf_entry_orphan(struct nwf_host *host, struct nwf_host_entry *entry);

/* ---- Surroundings; see surroundings.c. ---- */

void nwf_host_note_around(struct nwf_host *host, const struct nlmsghdr *message);

/* ---- Devices; see device.c. ---- */

void nwf_host_add_device(struct nwf_host *host, const struct nwf_host_device *device);
void nwf_host_remove_device(struct nwf_host *host, const struct nwf_host_device *device);

#endif
