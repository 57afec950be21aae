/* SPDX-License-Identifier: Apache-2.0
 *
 * Roles of ports out of tags; see nwf/role.h. */
#include "nwf/role.h"

#include <fnmatch.h>
#include <string.h>

#include "nwf/routed.h"
#include "nwf/text.h"

#define SEPARATORS ", \t"

/* Longest name and pattern that are compared: the time that fnmatch() takes grows with the name's
 * length and with each asterisk. */
#define NAME_MAX_MATCHED 128

const char *
nwf_port_role_to_string(enum nwf_port_role role)
{
    static const char *const names[] = {
        [NWF_TRUSTED] = "trusted",
        [NWF_GUEST] = "guest",
        [NWF_QUARANTINED] = "quarantined",
    };
    return names[role];
}

/* ---- A bridge's tags. ---- */

enum nwf_unknown
nwf_unknown_from_text(const char *text)
{
    if (!text) {
        return NWF_UNKNOWN_AUTO;
    }
    return strcmp(text, "flood") ? NWF_UNKNOWN_TRUSTED : NWF_UNKNOWN_FLOOD;
}

/* A value that is not known counts as the stricter of the known ones. */
void
nwf_bridge_config_read(const struct nwf_tag *tags, size_t n_tags, struct nwf_bridge_config *ret)
{
    const char *mode = nwf_tag_find(tags, n_tags, NWF_BRIDGE_TAG);
    const char *guests = nwf_tag_find(tags, n_tags, NWF_BRIDGE_GUESTS);
    const char *rest = nwf_tag_find(tags, n_tags, NWF_BRIDGE_DEFAULT);

    const char *via = nwf_tag_find(tags, n_tags, NWF_BRIDGE_VIA);
    /* Where the host routes, a port that nobody has named is no way past it. */
    bool is_routed = nwf_tag_find(tags, n_tags, NWF_BRIDGE_MODE)
                     && (!via || strcmp(via, nwf_via_to_string(NWF_VIA_FLOWS)));

    *ret = (struct nwf_bridge_config){
        .trusted = nwf_tag_find(tags, n_tags, NWF_BRIDGE_TRUSTED),
        .guests = guests ? guests : NWF_GUESTS_DEFAULT,
        .quarantine = rest ? strcmp(rest, "trusted") != 0 : is_routed,
        .default_filter = nwf_tag_find(tags, n_tags, NWF_BRIDGE_DEFAULT_FILTER),
        .unknown = nwf_unknown_from_text(nwf_tag_find(tags, n_tags, NWF_BRIDGE_UNKNOWN)),
    };
    if (mode) {
        ret->managed = strcmp(mode, "audit") ? NWF_ENFORCED : NWF_AUDITED;
    }
}

/* What is made of a tag that means nothing; NULL if it means something. */
static const char *
doubt(const char *key, const char *value)
{
    static const char *const free_text[] = {
        NWF_BRIDGE_TRUSTED,   NWF_BRIDGE_GUESTS,  NWF_BRIDGE_DEFAULT_FILTER, NWF_BRIDGE_FAIL_MODE,
        NWF_BRIDGE_SETTINGS,  NWF_BRIDGE_IN_BAND, NWF_BRIDGE_HWADDR,         NWF_BRIDGE_MODE,
        NWF_BRIDGE_UPLINK,    NWF_BRIDGE_VIA,     NWF_BRIDGE_GATEWAY,        NWF_BRIDGE_GUARD,
        NWF_BRIDGE_GUARD_MAC, NWF_BRIDGE_MOVED,
    };

    if (!strcmp(key, NWF_BRIDGE_TAG)) {
        return strcmp(value, "enforce") && strcmp(value, "audit") ? "is taken for \"enforce\""
                                                                  : NULL;
    }
    if (!strcmp(key, NWF_BRIDGE_DEFAULT)) {
        return strcmp(value, "quarantine") && strcmp(value, "trusted")
                   ? "is taken for \"quarantine\""
                   : NULL;
    }
    if (!strcmp(key, NWF_BRIDGE_UNKNOWN)) {
        return strcmp(value, "flood") && strcmp(value, "trusted") ? "is taken for \"trusted\""
                                                                  : NULL;
    }
    for (size_t i = 0; i < sizeof free_text / sizeof free_text[0]; i++) {
        if (!strcmp(key, free_text[i])) {
            return NULL;
        }
    }
    return "is not known to this version, and has no effect";
}

void
nwf_bridge_config_doubts(const struct nwf_tag *tags, size_t n_tags,
                         void (*each)(const char *key, const char *value, const char *meaning,
                                      void *aux),
                         void *aux)
{
    for (size_t i = 0; i < n_tags; i++) {
        const char *meaning = doubt(tags[i].key, tags[i].value);
        if (meaning) {
            each(tags[i].key, tags[i].value, meaning, aux);
        }
    }
}

/* ---- Roles. ---- */

static int
is_same(const char *word, void *name)
{
    return !strcmp(word, name);
}

bool
nwf_is_named_trusted(const struct nwf_bridge_config *config, const char *interface)
{
    return config->trusted
           && nwf_text_split(config->trusted, SEPARATORS, is_same, (void *) interface);
}

static int
matches(const char *pattern, void *name)
{
    return strlen(pattern) > NAME_MAX_MATCHED || !fnmatch(pattern, name, 0);
}

/* What is too long to be compared, name or pattern, counts as a match. */
static bool
has_guest_name(const struct nwf_bridge_config *config, const char *name)
{
    return *config->guests
           && (strlen(name) > NAME_MAX_MATCHED
               || nwf_text_split(config->guests, SEPARATORS, matches, (void *) name));
}

const char *
nwf_guest_reason(const struct nwf_bridge_config *config, const struct nwf_binding *binding)
{
    if (binding->has_identity) {
        return "no filter is bound to this virtual machine's port; run \"ovs-nwfilter bind\"";
    }
    if (binding->params.list.n) {
        return "it has variables, and no filter is bound to it";
    }
    if (binding->isolated) {
        return "it is isolated (" NWF_TAG_ISOLATED "), and no filter is bound to it";
    }
    if (has_guest_name(config, binding->port)) {
        return "no filter is bound to it, and its name is one of guests (" NWF_BRIDGE_GUESTS ")";
    }
    return config->quarantine ? "nothing says what it is (" NWF_BRIDGE_DEFAULT ", " NWF_BRIDGE_MODE
                                ")"
                              : NULL;
}
