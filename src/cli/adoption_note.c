/* SPDX-License-Identifier: Apache-2.0
 *
 * What was moved with an uplink, as a note in the database; see adoption.h.
 *
 * Whoever writes to the database may have written the note: what is read from there is checked. */
#include <config.h>

#include "adoption.h"

#include <errno.h>
#include <string.h>

#include "nwf/role.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

void
nwf_adoption_clear(struct nwf_adoption *adoption)
{
    free(adoption->nic);
    for (size_t i = 0; i < NWF_N_NIC_SETTINGS; i++) {
        free(adoption->before[i]);
    }
    nwf_moved_clear(&adoption->moved);
    memset(adoption, 0, sizeof *adoption);
}

/* The kernel goes on to hear what arrives at the NIC where Open vSwitch's userspace datapath reads
 * it.  With these it takes nothing of that for its own: no IPv6, and of IPv4 only what comes from
 * where it would send by the NIC, which is nowhere. */
const struct nwf_nic_setting nwf_nic_settings[NWF_N_NIC_SETTINGS] = {
    {"disable_ipv6", "ipv6", "1"},
    {"rp_filter", "ipv4", "1"},
};

char *
nwf_nic_setting_path(const struct nwf_nic_setting *setting, const char *nic)
{
    return nwf_asprintf("net/%s/conf/%s/%s", setting->family, nic, setting->name);
}

/* The note separates words by spaces and items by semicolons. */
bool
nwf_adoption_is_name(const char *nic)
{
    return nwf_text_is_name(nic, "._-+@=,#~", 15);
}

char *
nwf_adoption_format(const struct nwf_adoption *a)
{
    char *moved CLEANUP_FREE = nwf_moved_format(&a->moved);
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "nic %s%s%s", a->nic, a->joins ? " joins" : "", a->lifts ? " lifts" : "");
    for (size_t i = 0; i < NWF_N_NIC_SETTINGS; i++) {
        if (a->before[i]) {
            ds_put_format(&s, " %s %s", nwf_nic_settings[i].name, a->before[i]);
        }
    }
    ds_put_format(&s, "; %s", moved);
    return ds_steal_cstr(&s);
}

/* A setting's name has its value behind it. */
static bool
parse_setting(const char *name, const char *value, struct nwf_adoption *ret)
{
    int64_t n;

    for (size_t i = 0; i < NWF_N_NIC_SETTINGS; i++) {
        if (!strcmp(name, nwf_nic_settings[i].name) && !ret->before[i]) {
            if (!value || !nwf_parse_int(value, 0, 9, &n)) {
                return false;
            }
            ret->before[i] = nwf_strdup(value);
            return true;
        }
    }
    return false;
}

static bool
parse_head(char *text, struct nwf_adoption *ret)
{
    char *rest, *word = strtok_r(text, " ", &rest);

    if (!word || strcmp(word, "nic") || !(word = strtok_r(NULL, " ", &rest))
        || !nwf_adoption_is_name(word)) {
        return false;
    }
    ret->nic = nwf_strdup(word);
    while ((word = strtok_r(NULL, " ", &rest))) {
        if (!strcmp(word, "joins")) {
            ret->joins = true;
        } else if (!strcmp(word, "lifts")) {
            ret->lifts = true;
        } else if (!parse_setting(word, strtok_r(NULL, " ", &rest), ret)) {
            return false;
        }
    }
    return true;
}

int
nwf_adoption_parse(const char *text, struct nwf_adoption *ret, struct nwf_error *err)
{
    size_t n = strcspn(text, ";");
    char *head CLEANUP_FREE = nwf_strndup(text, n);
    int r;

    memset(ret, 0, sizeof *ret);
    r = parse_head(head, ret)
            ? nwf_moved_parse(text[n] ? text + n + 1 : "", &ret->moved, err)
            : nwf_error_set(err, -EINVAL, "\"%.80s\" is no note of what was moved", text);
    if (r) {
        nwf_adoption_clear(ret);
        nwf_error_wrap(err, NWF_BRIDGE_MOVED);
    }
    return r;
}
