/* SPDX-License-Identifier: Apache-2.0
 *
 * Guests' sources, where the host routes for them: a chain of nftables at the hook "forward" drops
 * what comes in by the bridge's device from an address that the kernel does not route there.
 *
 * The guests' flows say the same of each guest alone.  This holds in the moment in which another
 * tool has cleared the bridge and it forwards whatever arrives.  Packets that are not forwarded do
 * not pass it: neighbour discovery has sources that are routed nowhere. */
#include <config.h>

#include "source_lock.h"

#include <errno.h>
#include <string.h>

#include "nft.h"
#include "nic_lock_text.h"
#include "nwf/text.h"

/* In front of the bridge's name. */
#define TABLE "ovs-nwfilter-from-"

/* Of the rule: what it is, in this version. */
#define COMMENT "ovs-nwfilter-sources-1"

static bool
is_ours(const json_t *rule)
{
    return !strcmp(nft_string(rule, "comment"), COMMENT);
}

/* Whether the table has our rule and no other. */
static bool
is_made(const json_t *listing)
{
    const json_t *rule, *chain;
    size_t at = 0, n = 0;
    bool is_right = true;

    while ((rule = nft_next(listing, "rule", &at))) {
        is_right &= is_ours(rule) && ++n == 1;
    }
    at = 0;
    chain = nft_next(listing, "chain", &at);
    return is_right && n && chain && !strcmp(nft_string(chain, "hook"), "forward");
}

static int
make(const char *table, const char *bridge, struct nwf_error *err)
{
    CLEANUP_FREE char *commands = nwf_asprintf(
        "add table inet %s\n"
        "delete table inet %s\n"
        "add table inet %s\n"
        "add chain inet %s forward { type filter hook forward priority 0; policy accept; }\n"
        "add rule inet %s forward iifname \"%s\" fib saddr . iif oif missing counter drop "
        "comment \"" COMMENT "\"\n",
        table, table, table, table, table, bridge);
    int r = nft_run(commands, 0, NULL, err);

    if (r == -ENOENT) {
        nwf_error_clear(err);
        return nwf_error_set(err, -EOPNOTSUPP,
                             "this kernel lacks a part of nftables (nft_fib_inet)");
    }
    return r;
}

int
source_lock_apply(const char *bridge, struct nwf_error *err)
{
    CLEANUP(json_cleanup) json_t *listing = NULL;
    char table[NIC_LOCK_NAME_MAX];
    bool is_there;
    int r;

    if (!nic_lock_name_is_valid(bridge)) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is no name that nftables can compare",
                             bridge);
    }
    nic_lock_identifier(TABLE, bridge, table);
    if ((r = nft_find_table("inet", table, &is_there, err))) {
        return r;
    }
    if (is_there) {
        CLEANUP_FREE char *command = nwf_asprintf("list table inet %s", table);
        if (!nft_list(command, &listing, NULL) && is_made(listing)) {
            return 0;
        }
    }
    r = make(table, bridge, err);
    return r ? r : 1;
}

int
source_lock_remove(const char *bridge, struct nwf_error *err)
{
    char table[NIC_LOCK_NAME_MAX];

    nic_lock_identifier(TABLE, bridge, table);
    return nft_remove_table("inet", table, err);
}
