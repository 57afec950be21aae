/* SPDX-License-Identifier: Apache-2.0
 *
 * Guests' devices on the userspace datapath: a chain of nftables at the ingress of each drops
 * everything.
 *
 * Open vSwitch reads such a device by a packet socket, which is served before that hook, and the
 * kernel goes on to take for its own what arrives: where it routes, it would answer a guest in the
 * bridge's place, and forward what is sent to the device's own address past all flows. */
#include <config.h>

#include "deaf_lock.h"

#include <errno.h>
#include <string.h>

#include "nft.h"
#include "nic_lock_read.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

/* In front of the bridge's name, and of a device's.  No bridge's name makes the table one of the
 * NICs' locks, which are in the same family and begin otherwise. */
#define TABLE "deaf-ovs-nwfilter-"
#define CHAIN "in-"

/* Whether it is the chain that the device is to have. */
static bool
is_right(const json_t *chain, const char *plain, const char *device)
{
    char name[NIC_LOCK_NAME_MAX];

    nic_lock_identifier(CHAIN, device, name);
    return !strcmp(nft_string(chain, "name"), name) && nic_lock_has_device(chain, plain, device)
           && !strcmp(nft_string(chain, "hook"), "ingress")
           && !strcmp(nft_string(chain, "policy"), "drop");
}

/* Whether the table has one chain for each device, and nothing else. */
static bool
is_made(const json_t *listing, const char *plain, const struct nwf_nic_locks *locks)
{
    const json_t *chain;
    size_t n = 0, n_wanted = 0, at = 0;

    if (nft_next(listing, "rule", &at)) {
        return false;
    }
    for (at = 0; (chain = nft_next(listing, "chain", &at)); n++) {
        bool is_wanted = false;
        nwf_vec_foreach (device, &locks->deaf) {
            is_wanted |= is_right(chain, plain, device->name);
        }
        if (!is_wanted) {
            return false;
        }
    }
    nwf_vec_foreach (device, &locks->deaf) {
        n_wanted += nic_lock_name_is_valid(device->name);
    }
    return n == n_wanted;
}

static int
make(const char *table, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    struct ds commands = DS_EMPTY_INITIALIZER;
    char name[NIC_LOCK_NAME_MAX];

    ds_put_format(&commands, "add table netdev %s\ndelete table netdev %s\nadd table netdev %s\n",
                  table, table, table);
    nwf_vec_foreach (device, &locks->deaf) {
        if (!nic_lock_name_is_valid(device->name)) {
            continue;
        }
        nic_lock_identifier(CHAIN, device->name, name);
        ds_put_format(&commands,
                      "add chain netdev %s %s { type filter hook ingress device \"%s\" priority 0; "
                      "policy drop; }\n",
                      table, name, device->name);
    }
    int r = nft_run(ds_cstr(&commands), 0, NULL, err);
    ds_destroy(&commands);
    return r;
}

static int
make_if_missing(const char *bridge, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    CLEANUP(json_cleanup) json_t *listing = NULL;
    CLEANUP_FREE char *plain = NULL;
    char table[NIC_LOCK_NAME_MAX];
    bool is_there;
    int r;

    nic_lock_identifier(TABLE, bridge, table);
    if ((r = nft_find_table("netdev", table, &is_there, err))) {
        return r;
    }
    if (is_there) {
        CLEANUP_FREE char *command = nwf_asprintf("list table netdev %s", table);
        if (!nft_list(command, &listing, NULL)
            && !nft_run(command, NFT_CTX_OUTPUT_STATELESS, &plain, NULL)
            && is_made(listing, plain, locks)) {
            return 0;
        }
    }
    r = make(table, locks, err);
    return r ? r : 1;
}

/* A device whose name nftables cannot compare is told of, and leaves the others as they should
 * be. */
int
deaf_lock_apply(const char *bridge, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    int r;

    if (!locks->deaf.n) {
        return deaf_lock_remove(bridge, err);
    }
    if ((r = make_if_missing(bridge, locks, err)) < 0) {
        return r;
    }
    nwf_vec_foreach (device, &locks->deaf) {
        if (!nic_lock_name_is_valid(device->name)) {
            return nwf_error_set(err, -EINVAL, "\"%.80s\" is no name that nftables can compare",
                                 device->name);
        }
    }
    return r;
}

int
deaf_lock_remove(const char *bridge, struct nwf_error *err)
{
    char table[NIC_LOCK_NAME_MAX];

    nic_lock_identifier(TABLE, bridge, table);
    return nft_remove_table("netdev", table, err);
}
