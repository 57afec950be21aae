/* SPDX-License-Identifier: Apache-2.0
 *
 * The second lock in the kernel; see nwf/nic_lock.h. */
#include <config.h>

#include "nwf/nic_lock.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deaf_lock.h"
#include "nic_lock_read.h"
#include "nic_lock_text.h"
#include "source_lock.h"
#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"

#include "lib/util.h"

/* Changes that one call of nwf_nic_lock_watch_run() reads: there may be ever more. */
#define MESSAGES_AT_ONCE 64

/* Room for the kernel's notices; those that are too many are as good as one. */
#define NOTICE_MAX 8192

void
nwf_nic_locks_clear(struct nwf_nic_locks *locks)
{
    nwf_vec_foreach (nic, &locks->nics) {
        free(nic->name);
        nwf_vec_clear(&nic->macs);
    }
    nwf_vec_clear(&locks->nics);
    nwf_vec_clear(&locks->deaf);
}

struct nwf_nic_lock_nic *
nwf_nic_locks_add(struct nwf_nic_locks *locks, const char *nic)
{
    nwf_vec_push(&locks->nics, (struct nwf_nic_lock_nic){.name = nwf_strdup(nic)});
    return &locks->nics.data[locks->nics.n - 1];
}

static bool
macs_equal(const struct nwf_nic_lock_mac *a, const struct nwf_nic_lock_mac *b)
{
    return !memcmp(&a->mac, &b->mac, sizeof a->mac) && a->vid == b->vid
           && nwf_address_equals(&a->address, &b->address);
}

bool
nwf_nic_locks_equal(const struct nwf_nic_locks *a, const struct nwf_nic_locks *b)
{
    if (a->nics.n != b->nics.n || a->sources != b->sources || a->deaf.n != b->deaf.n) {
        return false;
    }
    for (size_t i = 0; i < a->deaf.n; i++) {
        if (strcmp(a->deaf.data[i].name, b->deaf.data[i].name)
            || a->deaf.data[i].index != b->deaf.data[i].index) {
            return false;
        }
    }
    for (size_t i = 0; i < a->nics.n; i++) {
        const struct nwf_nic_lock_nic *x = &a->nics.data[i], *y = &b->nics.data[i];
        if (strcmp(x->name, y->name) || x->macs.n != y->macs.n) {
            return false;
        }
        for (size_t j = 0; j < x->macs.n; j++) {
            if (!macs_equal(&x->macs.data[j], &y->macs.data[j])) {
                return false;
            }
        }
    }
    return true;
}

int
nwf_nic_own_mac(const char *nic, struct nwf_mac *ret)
{
    struct ifreq request = {.ifr_flags = 0};
    int fd, r = 0;

    if (!nic_lock_name_is_valid(nic)) {
        return -ENODEV;
    }
    ovs_strlcpy(request.ifr_name, nic, sizeof request.ifr_name);
    if ((fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0) {
        return -errno;
    }
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) {
        r = -errno;
    } else if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
        r = -ENOTSUP;
    } else {
        memcpy(ret, request.ifr_hwaddr.sa_data, sizeof *ret);
    }
    close(fd);
    return r;
}

void
nwf_nic_lock_counters_clear(struct nwf_nic_lock_counters *counters)
{
    nwf_vec_foreach (offender, &counters->offenders) {
        free(offender->nic);
    }
    nwf_vec_clear(&counters->offenders);
    nwf_vec_foreach (rest, &counters->rests) {
        free(rest->nic);
    }
    nwf_vec_clear(&counters->rests);
}

/* Lists our table into *ret, which stays NULL if there is none. */
static int
list_table(const char *table, json_t **ret, struct nwf_error *err)
{
    CLEANUP_FREE char *command = nwf_asprintf("list table netdev %s", table);
    bool is_there;
    int r = nft_find_table("netdev", table, &is_there, err);

    if (r || !is_there) {
        return r;
    }
    r = nft_list(command, ret, err);
    if (r == -ENOENT) { /* Gone meanwhile. */
        nwf_error_clear(err);
        return 0;
    }
    return r;
}

struct chains {
    struct ds *out;
    const struct nic_lock_text *text;
    bool remove; /* Remove those that are not wanted; else empty all. */
    bool odd;    /* One has a name that we gave to none. */
};

static void
put_old_chain(const char *name, void *aux)
{
    struct chains *chains = aux;
    bool wanted = false;

    nwf_vec_foreach (known, &chains->text->names) {
        wanted = wanted || !strcmp(*known, name);
    }
    chains->odd = chains->odd || !nwf_text_is_name(name, "._-/", NIC_LOCK_NAME_MAX);
    if (!chains->remove || !wanted) {
        ds_put_format(chains->out, "%s chain netdev %s %s\n", chains->remove ? "delete" : "flush",
                      chains->text->table, name);
    }
}

/* Replaces the rules and keeps the objects that count. */
static int
replace_rules(const json_t *listing, const struct nic_lock_text *text, struct nwf_error *err)
{
    struct ds commands = DS_EMPTY_INITIALIZER;
    struct chains chains = {.out = &commands, .text = text};

    nic_lock_each_chain(listing, put_old_chain, &chains);
    chains.remove = true;
    nic_lock_each_chain(listing, put_old_chain, &chains);
    ds_put_format(&commands, "%s%s", text->objects, text->chains);
    int r = chains.odd ? -EINVAL : nft_run(ds_cstr(&commands), 0, NULL, err);
    ds_destroy(&commands);
    return r;
}

static int
replace_table(const struct nic_lock_text *text, struct nwf_error *err)
{
    CLEANUP_FREE char *commands =
        nwf_asprintf("add table netdev %s\ndelete table netdev %s\nadd table netdev %s\n%s%s",
                     text->table, text->table, text->table, text->objects, text->chains);

    return nft_run(commands, 0, NULL, err);
}

static int
apply(const struct nic_lock_text *text, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    CLEANUP(json_cleanup) json_t *listing = NULL;
    CLEANUP_FREE char *plain = NULL;
    CLEANUP_FREE char *command = nwf_asprintf("list table netdev %s", text->table);
    enum nic_lock_state state = NIC_LOCK_SHAPE;
    int r = list_table(text->table, &listing, err);

    if (!r && listing) {
        r = nft_run(command, NFT_CTX_OUTPUT_STATELESS, &plain, err);
    }
    if (r) {
        return r;
    }
    if (listing) {
        state = nic_lock_compare(listing, plain, text, locks);
    }
    if (state == NIC_LOCK_SAME) {
        return 0;
    }
    if (state == NIC_LOCK_RULES) {
        if (!replace_rules(listing, text, err)) {
            return 1;
        }
        nwf_error_clear(err);
    }
    r = replace_table(text, err);
    return r ? r : 1;
}

static int
remove_table(const char *bridge, struct nwf_error *err)
{
    char table[NIC_LOCK_NAME_MAX];

    nic_lock_identifier("ovs-nwfilter-", bridge, table);
    return nft_remove_table("netdev", table, err);
}

static int
apply_list(const char *bridge, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    struct nic_lock_text text;
    int r;

    if (!locks->nics.n) {
        return remove_table(bridge, err);
    }
    r = nic_lock_text_init(&text, bridge, locks, err);
    if (!r) {
        r = apply(&text, locks, err);
        nic_lock_text_finish(&text);
    }
    return r;
}

static int
apply_present(const char *bridge, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    int r = apply_list(bridge, locks, err);

    if (r != -ENOENT) {
        return r;
    }
    /* Linux before 6.16 wants a chain's device to be there. */
    struct nwf_nic_locks present = {0};
    const char *missing = NULL;
    nwf_vec_foreach (nic, &locks->nics) {
        if (if_nametoindex(nic->name)) {
            nwf_vec_push(&present.nics, *nic); /* Still owned by 'locks'. */
        } else {
            missing = nic->name;
        }
    }
    if (missing) {
        nwf_error_clear(err);
        r = apply_list(bridge, &present, err);
        r = r < 0 ? r : nwf_error_set(err, -ENODEV, "%s: no such interface to lock", missing);
    }
    nwf_vec_clear(&present.nics);
    return missing ? r
                   : nwf_error_set(err, -EOPNOTSUPP,
                                   "this kernel lacks a part of nftables (nft_fwd_netdev)");
}

/* All are tried; the first error counts.  'r' is that of another part, whose error 'cause' has. */
static void
add_part(int r, struct nwf_error *cause, int *result, struct nwf_error *err)
{
    if (*result >= 0 && r < 0) {
        *result = nwf_error_set(err, r, "%s", nwf_error_text(cause));
    } else if (*result >= 0) {
        *result = MAX(*result, r);
    }
    nwf_error_clear(cause);
}

int
nwf_nic_lock_apply(const char *bridge, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    struct nwf_error cause = NWF_ERROR_INIT;
    int result = apply_present(bridge, locks, err);
    int r = locks->sources ? source_lock_apply(bridge, &cause) : source_lock_remove(bridge, &cause);

    add_part(r, &cause, &result, err);
    r = deaf_lock_apply(bridge, locks, &cause);
    add_part(r, &cause, &result, err);
    return result;
}

int
nwf_nic_lock_remove(const char *bridge, struct nwf_error *err)
{
    struct nwf_error cause = NWF_ERROR_INIT;
    int result = remove_table(bridge, err);

    add_part(source_lock_remove(bridge, &cause), &cause, &result, err);
    add_part(deaf_lock_remove(bridge, &cause), &cause, &result, err);
    return result;
}

int
nwf_nic_lock_counters(const char *bridge, struct nwf_nic_lock_counters *ret, struct nwf_error *err)
{
    CLEANUP(json_cleanup) json_t *listing = NULL;
    char table[NIC_LOCK_NAME_MAX];

    nic_lock_identifier("ovs-nwfilter-", bridge, table);
    int r = list_table(table, &listing, err);
    if (r == -EOPNOTSUPP) {
        nwf_error_clear(err);
        return 0;
    }
    if (!r && listing) {
        nic_lock_read_counters(listing, ret);
    }
    return r;
}

struct nwf_nic_lock_watch {
    int fd;
};

int
nwf_nic_lock_watch_new(struct nwf_nic_lock_watch **ret, struct nwf_error *err)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    const int group = NFNLGRP_NFTABLES;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

    if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof address) < 0
        || setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        int r = nft_fail(err, ovs_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return r;
    }
    struct nwf_nic_lock_watch *watch = nwf_zalloc(sizeof *watch);
    watch->fd = fd;
    *ret = watch;
    return 0;
}

void
nwf_nic_lock_watch_free(struct nwf_nic_lock_watch *watch)
{
    if (watch) {
        close(watch->fd);
        free(watch);
    }
}

bool
nwf_nic_lock_watch_run(struct nwf_nic_lock_watch *watch)
{
    char notice[NOTICE_MAX];
    bool changed = false;

    for (size_t i = 0; i < MESSAGES_AT_ONCE; i++) {
        ssize_t n = recv(watch->fd, notice, sizeof notice, 0);
        if (n < 0 && errno != ENOBUFS && errno != EINTR) {
            break;
        }
        changed = true;
    }
    return changed;
}

void
nwf_nic_lock_watch_wait(struct nwf_nic_lock_watch *watch)
{
    poll_fd_wait(watch->fd, POLLIN);
}
