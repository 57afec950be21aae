/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's firewall and its reverse-path filter, as far as they concern routed guests; see
 * nwf/firewall.h.
 *
 * Whether a chain's rules accept what is forwarded for guests is more than one can tell from
 * outside; one that names the bridge is taken to have been written for it. */
#include "nwf/firewall.h"

#include <string.h>

#include "nft.h"
#include "nwf/sysctl.h"
#include "nwf/text.h"

/* ---- nftables. ---- */

/* What a command prints: a new string; NULL: it fails, as it does where there is no nftables. */
static char *
print(unsigned int flags, const char *command)
{
    char *output = NULL;

    return nft_run(command, flags, &output, NULL) ? NULL : output;
}

static bool
drops_forwarded(const json_t *chain)
{
    const char *family = nft_string(chain, "family");

    return !strcmp(nft_string(chain, "hook"), "forward")
           && !strcmp(nft_string(chain, "policy"), "drop")
           && (!strcmp(family, "ip") || !strcmp(family, "ip6") || !strcmp(family, "inet"));
}

char *
nwf_firewall_find_chain(const char *listing)
{
    json_t *root CLEANUP(json_cleanup) = json_loads(listing, 0, NULL);
    const json_t *chain;

    for (size_t at = 0; (chain = nft_next(root, "chain", &at));) {
        if (drops_forwarded(chain)) {
            return nwf_asprintf("%s %s %s", nft_string(chain, "family"), nft_string(chain, "table"),
                                nft_string(chain, "name"));
        }
    }
    return NULL;
}

static bool
names_bridge(const char *chain, const char *bridge)
{
    char *command CLEANUP_FREE = nwf_asprintf("list chain %s", chain);
    char *rules CLEANUP_FREE = print(0, command);
    char *quoted CLEANUP_FREE = nwf_asprintf("\"%s\"", bridge);

    return rules && strstr(rules, quoted);
}

static char *
find_policy(const char *bridge)
{
    char *listing CLEANUP_FREE = print(NFT_CTX_OUTPUT_JSON, "list chains");
    char *chain CLEANUP_FREE = listing ? nwf_firewall_find_chain(listing) : NULL;

    if (!chain || names_bridge(chain, bridge)) {
        return NULL;
    }
    return nwf_asprintf("the host's firewall may not forward for guests: its chain \"%s\" drops "
                        "what no rule accepts, and none names %s; nft insert rule %s iifname %s "
                        "accept; nft insert rule %s oifname %s accept",
                        chain, bridge, chain, bridge, chain, bridge);
}

/* ---- The reverse-path filter. ---- */

static bool
is_strict(const char *device)
{
    char *path CLEANUP_FREE = nwf_asprintf("net/ipv4/conf/%s/rp_filter", device);

    return nwf_sysctl_equals(path, "1");
}

/* Of "all" and the device's own the higher value counts. */
static char *
find_strict_path(struct nwf_host *host, const char *uplink)
{
    /* Somebody far away. */
    const struct nwf_address away = {.family = AF_INET, .bytes = {9, 9, 9, 9}, .prefix_len = 32};
    const struct nwf_host_device *device = nwf_host_device(host, uplink);
    char *loose CLEANUP_FREE = nwf_asprintf("net/ipv4/conf/%s/rp_filter", uplink);
    int out = nwf_host_way_out(host, &away);

    if (!device || !out || out == device->index || nwf_sysctl_equals(loose, "2")
        || nwf_sysctl_equals("net/ipv4/conf/all/rp_filter", "2")
        || (!is_strict(uplink) && !is_strict("all"))) {
        return NULL;
    }
    return nwf_asprintf("rp_filter drops what comes in by the uplink, since the host's default "
                        "route is another one; sysctl -w net.ipv4.conf.%s.rp_filter=2",
                        uplink);
}

char *
nwf_firewall_obstacle(struct nwf_host *host, const char *bridge, const char *uplink)
{
    char *path = find_strict_path(host, uplink);

    return path ? path : find_policy(bridge);
}
