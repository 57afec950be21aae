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
#include "nic_lock_text.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

/* In front of the bridge's name, and of a device's. */
#define TABLE "ovs-nwfilter-deaf-"
#define CHAIN "in-"

static bool
is_right(const json_t *chain)
{
    return !strcmp(nft_string(chain, "hook"), "ingress")
           && !strcmp(nft_string(chain, "policy"), "drop");
}

/* Whether the table has one chain for each device, and nothing else. */
static bool
is_made(const json_t *listing, const struct nwf_nic_locks *locks)
{
    char name[NIC_LOCK_NAME_MAX];
    const json_t *chain;
    size_t n = 0, at = 0;

    if (nft_next(listing, "rule", &at)) {
        return false;
    }
    for (at = 0; (chain = nft_next(listing, "chain", &at)); n++) {
        bool is_wanted = false;
        nwf_vec_foreach (device, &locks->deaf) {
            nic_lock_identifier(CHAIN, device->name, name);
            is_wanted |= !strcmp(nft_string(chain, "name"), name);
        }
        if (!is_wanted || !is_right(chain)) {
            return false;
        }
    }
    return n == locks->deaf.n;
}

static int
make(const char *table, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    struct ds commands = DS_EMPTY_INITIALIZER;
    char name[NIC_LOCK_NAME_MAX];

    ds_put_format(&commands, "add table netdev %s\ndelete table netdev %s\nadd table netdev %s\n",
                  table, table, table);
    nwf_vec_foreach (device, &locks->deaf) {
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

int
deaf_lock_apply(const char *bridge, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    CLEANUP(json_cleanup) json_t *listing = NULL;
    char table[NIC_LOCK_NAME_MAX];
    bool is_there;
    int r;

    if (!locks->deaf.n) {
        return deaf_lock_remove(bridge, err);
    }
    nwf_vec_foreach (device, &locks->deaf) {
        if (!nic_lock_name_is_valid(device->name)) {
            return nwf_error_set(err, -EINVAL, "\"%.80s\" is no name that nftables can compare",
                                 device->name);
        }
    }
    nic_lock_identifier(TABLE, bridge, table);
    if ((r = nft_find_table("netdev", table, &is_there, err))) {
        return r;
    }
    if (is_there) {
        CLEANUP_FREE char *command = nwf_asprintf("list table netdev %s", table);
        if (!nft_list(command, &listing, NULL) && is_made(listing, locks)) {
            return 0;
        }
    }
    r = make(table, locks, err);
    return r ? r : 1;
}

int
deaf_lock_remove(const char *bridge, struct nwf_error *err)
{
    char table[NIC_LOCK_NAME_MAX];

    nic_lock_identifier(TABLE, bridge, table);
    return nft_remove_table("netdev", table, err);
}
