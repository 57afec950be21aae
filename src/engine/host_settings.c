/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of the host's kernel; see host_settings.h.
 *
 * What each was is noted, in the database and on record, before it is changed for the first time;
 * they are restored in the opposite order. */
#include <config.h>

#include "host_settings.h"

#include <errno.h>
#include <string.h>

#include "nwf/role.h"
#include "nwf/sysctl.h"
#include "nwf/text.h"

#include "openvswitch/dynamic-string.h"

/* Whose a setting is. */
enum device { NOBODY, UPLINK, BRIDGE };

/* Who routes there. */
#define HOST 1u
#define FLOWS 2u
#define USERSPACE_FLOWS 4u

struct setting {
    const char *before, *behind; /* Of the device's name. */
    enum device device;
    const char *value;
    unsigned int where;
};

/* "all" counts for redirects as well as the device; other devices have their own.  IPv6's redirects
 * cannot be switched off, and take from what errors may be sent to a guest, as too large packets
 * and traceroute need them: the limit for all of them together stays.
 *
 * What the userspace datapath takes in by a NIC the kernel takes in as well, and with the host's
 * address on it: it would forward and answer everything once more. */
static const struct setting settings[] = {
    {"net/ipv4/conf/", "/forwarding", UPLINK, "1", HOST},
    {"net/ipv4/conf/", "/forwarding", BRIDGE, "1", HOST | FLOWS},
    {"net/ipv4/conf/all/send_redirects", "", NOBODY, "0", HOST | FLOWS},
    {"net/ipv4/conf/", "/send_redirects", BRIDGE, "0", HOST | FLOWS},
    {"net/ipv4/conf/", "/accept_redirects", BRIDGE, "0", HOST | FLOWS},
    {"net/ipv6/conf/", "/accept_redirects", BRIDGE, "0", HOST | FLOWS},
    {"net/ipv6/conf/", "/accept_ra", BRIDGE, "0", HOST},
    {"net/ipv6/icmp/ratelimit", "", NOBODY, "0", HOST | FLOWS},
    {"net/ipv6/conf/all/forwarding", "", NOBODY, "1", HOST | FLOWS},
    {"net/ipv6/conf/", "/forwarding", UPLINK, "1", HOST},
    {"net/ipv6/conf/", "/forwarding", BRIDGE, "1", HOST | FLOWS},
    {"net/ipv6/conf/", "/proxy_ndp", UPLINK, "1", HOST},
    {"net/ipv6/conf/", "/proxy_ndp", BRIDGE, "1", HOST | FLOWS},
    {"net/ipv4/neigh/", "/proxy_delay", UPLINK, "0", HOST},
    {"net/ipv6/neigh/", "/proxy_delay", UPLINK, "0", HOST},
    {"net/ipv6/neigh/", "/proxy_delay", BRIDGE, "0", HOST | FLOWS},
    {"net/ipv4/conf/", "/forwarding", UPLINK, "0", USERSPACE_FLOWS},
    {"net/ipv4/conf/", "/arp_ignore", UPLINK, "8", USERSPACE_FLOWS},
    {"net/ipv4/conf/", "/rp_filter", UPLINK, "1", USERSPACE_FLOWS},
    {"net/ipv6/conf/", "/disable_ipv6", UPLINK, "1", USERSPACE_FLOWS},
};

#define N_SETTINGS (sizeof settings / sizeof settings[0])

struct wanted {
    char *path;
    const char *value;
};

struct wanted_list {
    struct wanted *data;
    size_t n, allocated;
};

static void
wanted_clear(struct wanted_list *list)
{
    nwf_vec_foreach (wanted, list) {
        free(wanted->path);
    }
    nwf_vec_clear(list);
}

/* ---- What is wanted. ---- */

/* Routers' advertisements are for hosts, and not taken from the moment on in which this is a
 * router, unless that is asked for: then a default route that came by one would end with it. */
static bool
needs_advertisements(struct nwf_host *host, const struct nwf_host_device *device, bool is_uplink)
{
    const struct nwf_host_defaults *routes = nwf_host_default_routes(host);
    bool by_ra = false, otherwise = false;

    nwf_vec_foreach (route, routes) {
        by_ra |= route->index == device->index && route->by_ra;
        otherwise |= route->index == device->index && !route->by_ra;
    }
    return by_ra || (is_uplink && !otherwise);
}

static void
add_advertisements(struct nwf_host *host, const struct nwf_host_device *device, bool is_uplink,
                   struct wanted_list *list)
{
    char *path CLEANUP_FREE = NULL;

    if (!device || !needs_advertisements(host, device, is_uplink)) {
        return;
    }
    path = nwf_asprintf("net/ipv6/conf/%s/accept_ra", device->name);
    if (nwf_sysctl_equals(path, "1")) {
        nwf_vec_push(list, (struct wanted){TAKE_PTR(path), "2"});
    }
}

static unsigned int
where_of(const struct nwf_host_places *places)
{
    if (!places->by_flows) {
        return HOST;
    }
    return places->is_userspace ? FLOWS | USERSPACE_FLOWS : FLOWS;
}

static char *
path_of(const struct setting *setting, const char *name)
{
    return nwf_asprintf("%s%s%s", setting->before, name, setting->behind);
}

static void
add_setting(struct nwf_host *host, const struct setting *setting, const char *name,
            struct wanted_list *list)
{
    if (setting->device == NOBODY || nwf_host_device(host, name)) {
        nwf_vec_push(list, (struct wanted){path_of(setting, name), setting->value});
    }
}

static void
list_wanted(struct nwf_host *host, const struct nwf_host_places *places, struct wanted_list *list)
{
    unsigned int where = where_of(places);
    const struct nwf_host_defaults *routes = nwf_host_default_routes(host);

    add_advertisements(host, places->wire ? nwf_host_device(host, places->wire) : NULL, true, list);
    nwf_vec_foreach (route, routes) {
        add_advertisements(host, nwf_host_device_by_index(host, route->index), false, list);
    }
    for (size_t i = 0; i < N_SETTINGS; i++) {
        const struct setting *s = &settings[i];
        if (!(s->where & where)) {
            continue;
        }
        if (s->device != UPLINK) {
            add_setting(host, s, s->device == BRIDGE ? places->bridge : "", list);
        }
        for (size_t j = 0; s->device == UPLINK && j < places->n_nics; j++) {
            add_setting(host, s, places->nics[j], list);
        }
    }
}

/* ---- Notes. ---- */

/* The value that the note has of the setting: a new string, or NULL. */
static char *
find_value(const char *note, const char *path)
{
    size_t n = strlen(path);

    for (const char *at = note; at && *at; at += strcspn(at, " "), at += *at == ' ') {
        if (!strncmp(at, path, n) && at[n] == '=') {
            return nwf_strndup(at + n + 1, strcspn(at + n + 1, " "));
        }
    }
    return NULL;
}

static bool
has_path(const char *note, const char *path)
{
    char *value CLEANUP_FREE = find_value(note, path);

    return value != NULL;
}

/* A kernel without IPv6 has none of its settings. */
static bool
differs(const struct wanted *wanted, char **ret_now)
{
    return !nwf_sysctl_read(wanted->path, ret_now, NULL) && strcmp(*ret_now, wanted->value);
}

char *
nwf_host_settings_note(struct nwf_host *host, const struct nwf_host_places *places,
                       const char *before)
{
    struct wanted_list list CLEANUP(wanted_clear) = {.data = NULL};
    struct ds note = DS_EMPTY_INITIALIZER;
    bool any = false;

    ds_put_cstr(&note, before ? before : "");
    list_wanted(host, places, &list);
    nwf_vec_foreach (wanted, &list) {
        char *now CLEANUP_FREE = NULL;
        if (!has_path(ds_cstr(&note), wanted->path) && differs(wanted, &now)) {
            ds_put_format(&note, "%s%s=%s", note.length ? " " : "", wanted->path, now);
            any = true;
        }
    }
    char *ret = any ? nwf_strdup(ds_cstr(&note)) : NULL;
    ds_destroy(&note);
    return ret;
}

void
nwf_host_settings_each(struct nwf_host *host, const struct nwf_host_places *places,
                       void (*each)(const char *path, const char *now, const char *wanted,
                                    void *aux),
                       void *aux)
{
    struct wanted_list list CLEANUP(wanted_clear) = {.data = NULL};

    list_wanted(host, places, &list);
    nwf_vec_foreach (wanted, &list) {
        char *now CLEANUP_FREE = NULL;
        if (differs(wanted, &now)) {
            each(wanted->path, now, wanted->value, aux);
        }
    }
}

/* ---- Doing it. ---- */

static void
give_back(const struct setting *setting, const char *nic, const char *note)
{
    char *path CLEANUP_FREE = path_of(setting, nic);
    char *before CLEANUP_FREE = find_value(note, path);

    if (before && nwf_sysctl_equals(path, setting->value)) {
        (void) nwf_sysctl_write(path, before, NULL);
    }
}

/* A NIC that has left the bridge is the host's own again. */
static void
give_back_uplink(const struct nwf_host_places *places, const char *note)
{
    for (size_t i = 0; i < N_SETTINGS; i++) {
        const struct setting *s = &settings[i];
        if (s->where & where_of(places) || !(s->where & USERSPACE_FLOWS)) {
            continue;
        }
        for (size_t j = 0; j < places->n_nics; j++) {
            give_back(s, places->nics[j], note);
        }
    }
}

int
nwf_host_settings_apply(struct nwf_host *host, const struct nwf_host_places *places,
                        const char *note, bool *ret_missing, struct nwf_error *err)
{
    struct wanted_list list CLEANUP(wanted_clear) = {.data = NULL};
    int r;

    *ret_missing = false;
    if (places->by_flows) {
        give_back_uplink(places, note);
    }
    list_wanted(host, places, &list);
    nwf_vec_foreach (wanted, &list) {
        char *now CLEANUP_FREE = NULL;
        if (!differs(wanted, &now)) {
            continue;
        }
        if (!has_path(note, wanted->path)) {
            *ret_missing = true;
            return 0; /* What comes behind it relies on it. */
        }
        if ((r = nwf_sysctl_write(wanted->path, wanted->value, err))) {
            return r;
        }
    }
    return 0;
}

static int
restore_one(const char *word, struct nwf_error *err)
{
    const char *equals = strrchr(word, '=');
    char *path CLEANUP_FREE = equals ? nwf_strndup(word, (size_t) (equals - word)) : NULL;

    if (!path || strncmp(path, "net/", 4) || strlen(equals) > NWF_SYSCTL_MAX) {
        return nwf_error_set(err, -EINVAL, "%s: \"%.80s\" is no setting", NWF_BRIDGE_SETTINGS,
                             word);
    }
    int r = nwf_sysctl_write(path, equals + 1, err);
    if (r == -ENOENT) {
        nwf_error_clear(err);
        r = 0;
    }
    return r;
}

struct words {
    char **data;
    size_t n, allocated;
};

static int
take_word(const char *word, void *words_)
{
    struct words *words = words_;

    nwf_vec_push(words, nwf_strdup(word));
    return 0;
}

int
nwf_host_settings_restore(const char *note, struct nwf_error *err)
{
    struct words words = {.data = NULL};
    int first = 0;

    (void) nwf_text_split(note, " ", take_word, &words);
    while (words.n) {
        char *word CLEANUP_FREE = words.data[--words.n];
        struct nwf_error cause = NWF_ERROR_INIT;
        int r = restore_one(word, &cause);
        if (r && !first) {
            first = nwf_error_set(err, r, "%s", nwf_error_text(&cause));
        }
        nwf_error_clear(&cause);
    }
    nwf_vec_clear(&words);
    return first;
}
