/* SPDX-License-Identifier: Apache-2.0
 *
 * manage --snippet; see snippet.h.
 *
 * ifupdown (with Open vSwitch's scripts) and ifupdown2 run ovs_extra in the transaction that
 * makes or resets the bridge: there is no moment without fail_mode and tags, and flows stay.
 * netplan runs a command for each setting. */
#include <config.h>

#include "snippet.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

typedef void print_fn(const struct nwf_snippet *snippet);

/* A string as JSON, YAML and ovs-vsctl(8) write it alike; the caller frees it. */
static char *
quote(const char *text)
{
    json_t *string = json_string(text);
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

    json_decref(string);
    return quoted;
}

static void
print_ifupdown(const struct nwf_snippet *snippet)
{
    printf("# /etc/network/interfaces: one more line for the stanza of %s.  Its settings take\n"
           "# effect in the transaction that makes the bridge, or resets it.\n"
           "iface %s inet manual\n"
           "    ovs_type OVSBridge\n"
           "    ovs_extra set Bridge ${IFACE} fail_mode=secure "
           "other_config:disable-in-band=true",
           snippet->bridge, snippet->bridge);
    if (snippet->hwaddr) {
        printf(" other_config:hwaddr=%s", snippet->hwaddr);
    }
    for (size_t i = 0; i < snippet->n_tags; i++) {
        char *value CLEANUP_FREE = quote(snippet->tags[i].value);
        printf(" external_ids:%s=%s", snippet->tags[i].key, value);
    }
    putchar('\n');
}

static void
print_netplan(const struct nwf_snippet *snippet)
{
    char *name CLEANUP_FREE = quote(snippet->bridge);

    printf("# /etc/netplan/*.yaml.  netplan runs a command for each setting: a bridge that it\n"
           "# makes anew forwards until fail-mode is set, so give it no interfaces here that must\n"
           "# not be reached before, and run \"ovs-nwfilter sync\" after \"netplan apply\".\n");
    if (snippet->uplink) {
        printf(
            "# So %s is none of its interfaces here: what leaves by it before \"manage\" is not\n"
            "# looked at.  Add it when the bridge is managed: ovs-vsctl add-port %s %s\n",
            snippet->uplink, snippet->bridge, snippet->uplink);
    }
    printf("network:\n"
           "  version: 2\n"
           "  bridges:\n"
           "    %s:\n"
           "      openvswitch:\n"
           "        fail-mode: secure\n"
           "        other-config:\n"
           "          disable-in-band: \"true\"\n",
           name);
    if (snippet->hwaddr) {
        printf("          hwaddr: \"%s\"\n", snippet->hwaddr);
    }
    puts("        external-ids:");
    for (size_t i = 0; i < snippet->n_tags; i++) {
        char *value CLEANUP_FREE = quote(snippet->tags[i].value);
        printf("          %s: %s\n", snippet->tags[i].key, value);
    }
}

static const struct {
    const char *tool;
    print_fn *print;
} snippets[] = {
    {"ifupdown", print_ifupdown},
    {"netplan", print_netplan},
};

static print_fn *
find(const char *tool)
{
    for (size_t i = 0; i < sizeof snippets / sizeof snippets[0]; i++) {
        if (!strcmp(snippets[i].tool, tool)) {
            return snippets[i].print;
        }
    }
    return NULL;
}

bool
nwf_cli_has_snippet(const char *tool)
{
    return find(tool) != NULL;
}

/* The files have no way to write what is no plain word. */
static bool
is_plain(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

int
nwf_cli_print_snippet(const char *tool, const struct nwf_snippet *snippet, struct nwf_error *err)
{
    for (size_t i = 0; i < snippet->n_tags; i++) {
        if (!is_plain(snippet->tags[i].value)) {
            return nwf_error_set(err, -EINVAL,
                                 "--snippet: %s=\"%.80s\" has blanks or characters that are not "
                                 "ASCII",
                                 snippet->tags[i].key, snippet->tags[i].value);
        }
    }
    if (!is_plain(snippet->bridge) || !*snippet->bridge) {
        return nwf_error_set(err, -EINVAL, "--snippet: \"%.80s\" is no name for a bridge there",
                             snippet->bridge);
    }
    find(tool)(snippet);
    return 0;
}
