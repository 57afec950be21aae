/* SPDX-License-Identifier: Apache-2.0
 *
 * What manage is given on its command line, and the tags that this makes. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "manage.h"
#include "nwf/routed.h"
#include "nwf/text.h"
#include "snippet.h"

#include "lib/util.h"

static struct nwf_words trusted, guards, guard_macs, gateways;
static const char *guests, *rest, *default_filter, *unknown, *mode, *uplink,
    *via; /* NULL: not given. */
static bool audit;

const char *nwf_manage_snippet;
bool nwf_manage_prints_only;

static int
parse_snippet(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    nwf_manage_prints_only = true;
    return nwf_cli_has_snippet(argument)
               ? nwf_option_text(option, argument, err)
               : nwf_error_set(err, -EINVAL, "--snippet is ifupdown or netplan, not \"%.80s\"",
                               argument);
}

/* A list that shall protect, and is empty, was meant otherwise. */
static int
parse_names(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    const struct nwf_words *words = option->value;
    size_t n = words->n;
    int r = nwf_option_words(option, argument, err);

    return !r && words->n == n ? nwf_error_set(err, -EINVAL, "--%s: \"%.80s\" names nothing",
                                               option->name, argument)
                               : r;
}

const struct nwf_option nwf_manage_options[] = {
    {"audit", NULL, nwf_option_flag, &audit, "count what would be dropped, and pass it"},
    {"trusted", "PORT[,PORT...]", nwf_option_words, &trusted, "ports that are never guests"},
    {"guests", "PATTERN[,PATTERN...]", nwf_option_text, &guests,
     "names of guests' interfaces, as shell patterns (those of libvirt, Proxmox VE and Xen)"},
    {"default", "quarantine|trusted", nwf_option_text, &rest,
     "what a port is that is nothing else (trusted)"},
    {"default-filter", "FILTER", nwf_option_text, &default_filter,
     "the filter of guests that have none of their own"},
    {"unknown-unicast", "flood|trusted", nwf_option_text, &unknown,
     "who gets frames for an address that nobody knows (trusted ports, if every guest's filter "
     "confines it to its own address)"},
    {"guard", "NIC[,NIC...]", parse_names, &guards,
     "ports that nothing leaves but frames from the NIC's own address, and from --guard-mac"},
    {"guard-mac", "MAC[@VLAN][/IP][,...]", parse_names, &guard_macs,
     "other addresses that may leave there: without a tag or in a VLAN, from any IP address or "
     "one"},
    {"mode", "routed", nwf_option_text, &mode,
     "guests' addresses are routed to them, and no frame of theirs leaves as it is"},
    {"uplink", "NIC", nwf_option_text, &uplink, "with --mode=routed: the way to the network"},
    {"via", "host|flows", nwf_option_text, &via,
     "who routes: the host's kernel, and the uplink is not on the bridge; or flows (host)"},
    {"gateway", "ADDRESS[,ADDRESS...]", parse_names, &gateways,
     "the gateway's addresses towards guests (the uplink's, and fe80::1)"},
    {.name = NULL},
};

const struct nwf_option nwf_manage_snippet_options[] = {
    {"snippet", "ifupdown|netplan", parse_snippet, &nwf_manage_snippet,
     "only print what to put into the host's network configuration"},
    {.name = NULL},
};

void
nwf_manage_set_routed(void)
{
    mode = mode ? mode : "routed";
}

const char *const nwf_manage_keys[NWF_N_MANAGE_KEYS] = {
    NWF_BRIDGE_TAG,     NWF_BRIDGE_TRUSTED,        NWF_BRIDGE_GUESTS,
    NWF_BRIDGE_DEFAULT, NWF_BRIDGE_DEFAULT_FILTER, NWF_BRIDGE_UNKNOWN,
    NWF_BRIDGE_MODE,    NWF_BRIDGE_UPLINK,         NWF_BRIDGE_VIA,
    NWF_BRIDGE_GATEWAY, NWF_BRIDGE_GUARD,          NWF_BRIDGE_GUARD_MAC,
};

const struct nwf_words *
nwf_manage_trusted(void)
{
    return &trusted;
}

const struct nwf_words *
nwf_manage_guards(void)
{
    return &guards;
}

/* Names as one comma-separated string; NULL for none. */
static char *
join(const struct nwf_words *words)
{
    char *s = NULL;

    nwf_vec_foreach (word, words) {
        char *old CLEANUP_FREE = s;
        s = old ? nwf_asprintf("%s,%s", old, *word) : nwf_strdup(*word);
    }
    return s;
}

/* Adds a tag with a value, unless that is NULL. */
static void
add_tag(struct nwf_record *tags, const char *key, const char *value)
{
    if (value) {
        nwf_vec_push(tags, (struct nwf_tag){nwf_strdup(key), nwf_strdup(value)});
    }
}

static void
add_list(struct nwf_record *tags, const char *key, const struct nwf_words *words)
{
    char *value CLEANUP_FREE = join(words);

    add_tag(tags, key, value);
}

void
nwf_manage_list_tags(struct nwf_record *ret)
{
    memset(ret, 0, sizeof *ret);
    add_tag(ret, NWF_BRIDGE_TAG, audit ? "audit" : "enforce");
    add_list(ret, NWF_BRIDGE_TRUSTED, &trusted);
    add_tag(ret, NWF_BRIDGE_GUESTS, guests);
    add_tag(ret, NWF_BRIDGE_DEFAULT, rest);
    add_tag(ret, NWF_BRIDGE_DEFAULT_FILTER, default_filter);
    add_tag(ret, NWF_BRIDGE_UNKNOWN, unknown);
    add_tag(ret, NWF_BRIDGE_MODE, mode);
    add_tag(ret, NWF_BRIDGE_UPLINK, uplink);
    add_tag(ret, NWF_BRIDGE_VIA, via);
    add_list(ret, NWF_BRIDGE_GATEWAY, &gateways);
    add_list(ret, NWF_BRIDGE_GUARD, &guards);
    add_list(ret, NWF_BRIDGE_GUARD_MAC, &guard_macs);
}

/* Their names are those of the tags. */
void
nwf_manage_list_options(struct nwf_words *ret)
{
    struct nwf_record tags CLEANUP(nwf_record_clear) = {.data = NULL};

    nwf_manage_list_tags(&tags);
    nwf_vec_foreach (tag, &tags) {
        if (strcmp(tag->key, NWF_BRIDGE_TAG)) {
            nwf_vec_push(
                ret, nwf_asprintf("--%s=%s", tag->key + strlen(NWF_BRIDGE_TAG "-"), tag->value));
        } else if (audit) {
            nwf_vec_push(ret, nwf_strdup("--audit"));
        }
    }
}

static int
check_routed(struct nwf_error *err)
{
    struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
    struct nwf_record tags CLEANUP(nwf_record_clear) = {.data = NULL};

    nwf_manage_list_tags(&tags);
    return nwf_routed_config_read(tags.data, tags.n, &config, err);
}

int
nwf_manage_check(const struct nwf_cli *cli, struct nwf_error *err)
{
    const struct nwf_filter *filter;

    if (rest && strcmp(rest, "quarantine") && strcmp(rest, "trusted")) {
        return nwf_error_set(err, -EINVAL, "--default is quarantine or trusted, not \"%.80s\"",
                             rest);
    }
    if (unknown && strcmp(unknown, "flood") && strcmp(unknown, "trusted")) {
        return nwf_error_set(err, -EINVAL, "--unknown-unicast is flood or trusted, not \"%.80s\"",
                             unknown);
    }
    if (default_filter && nwf_store_get(cli->store, default_filter, &filter, err)) {
        nwf_error_wrap(err, "--default-filter: %.80s", default_filter);
        return -EINVAL;
    }
    return check_routed(err);
}
