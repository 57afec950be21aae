/* SPDX-License-Identifier: Apache-2.0
 *
 * Tags of routed bridges and of the uplink guard; see nwf/routed.h.
 *
 * Of what is broken here a part would be worse than nothing: one address more or less, and the
 * provider shuts the port.  So there is one error, and what is named is shut. */
#include "nwf/routed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "nwf/value.h"

#define SEPARATORS ", \t"

/* VLANs that frames can be tagged with. */
#define VID_MIN 1
#define VID_MAX 4094

const char *
nwf_via_to_string(enum nwf_via via)
{
    static const char *const names[] = {[NWF_VIA_HOST] = "host", [NWF_VIA_FLOWS] = "flows"};

    return names[via];
}

/* ---- Addresses. ---- */

static uint8_t
all_bits(int family)
{
    return family == AF_INET ? 32 : 128;
}

/* Whether a bit behind the prefix is set. */
static bool
has_host_bits(const struct nwf_address *a)
{
    for (unsigned int bit = a->prefix_len; bit < all_bits(a->family); bit++) {
        if (a->bytes[bit / 8] & (0x80 >> bit % 8)) {
            return true;
        }
    }
    return false;
}

/* Whether a station can have the address. */
static bool
is_usable(const struct nwf_address *a)
{
    static const uint8_t none[16], loopback[16] = {[15] = 1};

    if (!memcmp(a->bytes, none, sizeof none)) {
        return false;
    }
    if (a->family == AF_INET) {
        return a->bytes[0] != 0 && a->bytes[0] != 127 && a->bytes[0] < 224;
    }
    return a->bytes[0] != 0xff && memcmp(a->bytes, loopback, sizeof loopback);
}

/* Takes "/LENGTH" off 'text', which is cut there. */
static bool
take_length(char *text, struct nwf_address *a)
{
    char *slash = strchr(text, '/');
    int64_t length;

    if (!slash) {
        return true;
    }
    *slash = '\0';
    a->family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (slash[1] < '0' || slash[1] > '9'
        || !nwf_parse_int(slash + 1, 1, all_bits(a->family), &length)) {
        return false;
    }
    a->prefix_len = (uint8_t) length;
    return true;
}

int
nwf_address_parse(const char *text, bool prefix, struct nwf_address *ret, struct nwf_error *err)
{
    char copy[INET6_ADDRSTRLEN + sizeof "/128"];
    struct nwf_address a = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

    a.prefix_len = all_bits(a.family);
    if (strlen(text) >= sizeof copy) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is no IP address", text);
    }
    memcpy(copy, text, strlen(text) + 1);
    if ((prefix && !take_length(copy, &a)) || inet_pton(a.family, copy, a.bytes) != 1) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is no IP address", text);
    }
    if (!is_usable(&a)) {
        return nwf_error_set(err, -EINVAL, "no station can have the address \"%.80s\"", text);
    }
    if (has_host_bits(&a)) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" has bits behind its prefix", text);
    }
    *ret = a;
    return 0;
}

bool
nwf_address_equals(const struct nwf_address *a, const struct nwf_address *b)
{
    return a->family == b->family && a->prefix_len == b->prefix_len
           && !memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

char *
nwf_address_format(const struct nwf_address *address)
{
    char text[INET6_ADDRSTRLEN];

    (void) inet_ntop(address->family, address->bytes, text, sizeof text);
    return address->prefix_len == all_bits(address->family)
               ? nwf_strdup(text)
               : nwf_asprintf("%s/%u", text, address->prefix_len);
}

/* ---- Lists. ---- */

/* A list that is being read. */
struct list {
    const char *key;
    struct nwf_routed_config *config;
    struct nwf_error *err;
    size_t n;
};

static int
fail(const struct list *list, const char *entry)
{
    return nwf_error_wrap(list->err, "%s: \"%.80s\"", list->key, entry);
}

/* Notes one more entry of at most 'max'. */
static int
count(struct list *list, size_t max)
{
    return ++list->n > max
               ? nwf_error_set(list->err, -E2BIG, "%s: more than %zu entries", list->key, max)
               : 0;
}

static int
take_gateway(const char *entry, void *list_)
{
    struct list *list = list_;
    struct nwf_address address;
    int r = count(list, NWF_GATEWAYS_MAX);

    if (r) {
        return r;
    }
    if (nwf_address_parse(entry, false, &address, list->err)) {
        return fail(list, entry);
    }
    nwf_vec_foreach (other, &list->config->gateways) {
        if (nwf_address_equals(other, &address)) {
            return nwf_error_set(list->err, -EINVAL, "%s: \"%.80s\" is there twice", list->key,
                                 entry);
        }
    }
    nwf_vec_push(&list->config->gateways, address);
    return 0;
}

static bool
has_name(const struct nwf_names *names, const char *name)
{
    nwf_vec_foreach (other, names) {
        if (!strcmp(*other, name)) {
            return true;
        }
    }
    return false;
}

static int
take_name(const char *entry, void *names_)
{
    struct nwf_names *names = names_;

    nwf_vec_push(names, nwf_strdup(entry));
    return 0;
}

static int
check_name(const char *key, const char *name, struct nwf_error *err)
{
    return strlen(name) > NWF_NIC_NAME_MAX
               ? nwf_error_set(err, -EINVAL, "%s: \"%.80s\" is too long for a name", key, name)
               : 0;
}

/* ---- Addresses that may leave. ---- */

static int
take_vid(char *text, struct nwf_guard_mac *mac, struct nwf_error *err)
{
    int64_t vid;

    if (*text < '0' || *text > '9' || !nwf_parse_int(text, VID_MIN, VID_MAX, &vid)) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is no VLAN (%d to %d)", text, VID_MIN,
                             VID_MAX);
    }
    mac->vid = (uint16_t) vid;
    return 0;
}

static int
check_mac(const struct nwf_mac *mac, struct nwf_error *err)
{
    static const struct nwf_mac none;

    if (!memcmp(mac, &none, sizeof none)) {
        return nwf_error_set(err, -EINVAL, "no station can have this address");
    }
    return mac->octets[0] & 1 ? nwf_error_set(err, -EINVAL, "it is an address of a group") : 0;
}

/* Parses MAC[@VLAN][/IP[/LENGTH]]. */
static int
parse_mac(const char *entry, struct nwf_guard_mac *ret, struct nwf_error *err)
{
    char *text CLEANUP_FREE = nwf_strdup(entry);
    char *slash = strchr(text, '/'), *at;
    int r;

    memset(ret, 0, sizeof *ret);
    if (slash) {
        *slash = '\0';
    }
    if ((at = strchr(text, '@'))) {
        *at = '\0';
        if ((r = take_vid(at + 1, ret, err))) {
            return r;
        }
    }
    if ((r = nwf_mac_parse(text, &ret->mac, err)) || (r = check_mac(&ret->mac, err)) || !slash) {
        return r;
    }
    ret->has_address = true;
    return nwf_address_parse(slash + 1, true, &ret->address, err);
}

static bool
is_same_place(const struct nwf_guard_mac *a, const struct nwf_guard_mac *b)
{
    return a->vid == b->vid && !memcmp(&a->mac, &b->mac, sizeof a->mac);
}

static int
take_mac(const char *entry, void *list_)
{
    struct list *list = list_;
    struct nwf_guard_mac mac;
    size_t n_addresses = 1;
    int r = count(list, NWF_GUARD_ENTRIES_MAX);

    if (r) {
        return r;
    }
    if (parse_mac(entry, &mac, list->err)) {
        return fail(list, entry);
    }
    nwf_vec_foreach (other, &list->config->guard_macs) {
        if (!is_same_place(other, &mac)) {
            continue;
        }
        if (other->has_address != mac.has_address) {
            return nwf_error_set(list->err, -EINVAL,
                                 "%s: \"%.80s\" is there with an IP address and without", list->key,
                                 entry);
        }
        if (!mac.has_address || nwf_address_equals(&other->address, &mac.address)) {
            return nwf_error_set(list->err, -EINVAL, "%s: \"%.80s\" is there twice", list->key,
                                 entry);
        }
        if (++n_addresses > NWF_GUARD_ADDRESSES_MAX) {
            return nwf_error_set(list->err, -E2BIG,
                                 "%s: \"%.80s\" is one IP address too many: %d are the most that "
                                 "one Ethernet address may have",
                                 list->key, entry, NWF_GUARD_ADDRESSES_MAX);
        }
    }
    nwf_vec_push(&list->config->guard_macs, mac);
    return 0;
}

static int
compare_macs(const void *a_, const void *b_)
{
    const struct nwf_guard_mac *a = a_, *b = b_;
    int order = memcmp(&a->mac, &b->mac, sizeof a->mac);

    if (!order) {
        order = (int) a->vid - (int) b->vid;
    }
    if (!order) {
        order = a->address.family - b->address.family;
    }
    if (!order) {
        order = (int) a->address.prefix_len - (int) b->address.prefix_len;
    }
    return order ? order : memcmp(a->address.bytes, b->address.bytes, sizeof a->address.bytes);
}

/* Sorts the addresses, and counts them: the NIC's own is one more. */
static int
sort_macs(struct nwf_routed_config *config, struct nwf_error *err)
{
    struct nwf_guard_macs *macs = &config->guard_macs;
    size_t n = macs->n ? 1 : 0;

    if (macs->n) {
        qsort(macs->data, macs->n, sizeof macs->data[0], compare_macs);
    }
    for (size_t i = 1; i < macs->n; i++) {
        n += memcmp(&macs->data[i].mac, &macs->data[i - 1].mac, sizeof macs->data[i].mac) != 0;
    }
    return n + 1 > NWF_GUARD_MACS_MAX
               ? nwf_error_set(err, -E2BIG,
                               "%s: %zu addresses, and the NIC's own; a provider's switch port "
                               "takes %d in all",
                               NWF_BRIDGE_GUARD_MAC, n, NWF_GUARD_MACS_MAX)
               : 0;
}

/* ---- All tags. ---- */

static int
read_list(const char *key, const char *value, int (*take)(const char *entry, void *list),
          struct nwf_routed_config *config, struct nwf_error *err)
{
    struct list list = {.key = key, .config = config, .err = err};

    if (!value) {
        return 0;
    }
    if (strlen(value) > NWF_TAG_MAX) {
        return nwf_error_set(err, -E2BIG, "%s: more than %d characters", key, NWF_TAG_MAX);
    }
    int r = nwf_text_split(value, SEPARATORS, take, &list);
    return r || list.n ? r : nwf_error_set(err, -EINVAL, "%s: \"\" names nothing", key);
}

/* All names are taken, whatever is wrong with them or with other tags: what they name is shut
 * then. */
static void
take_names(const struct nwf_tag *tags, size_t n_tags, struct nwf_routed_config *ret)
{
    const char *uplink = nwf_tag_find(tags, n_tags, NWF_BRIDGE_UPLINK);
    const char *guards = nwf_tag_find(tags, n_tags, NWF_BRIDGE_GUARD);

    ret->uplink = uplink ? nwf_strdup(uplink) : NULL;
    if (guards) {
        (void) nwf_text_split(guards, SEPARATORS, take_name, &ret->guards);
    }
}

static int
check_names(const struct nwf_tag *tags, size_t n_tags, const struct nwf_routed_config *config,
            struct nwf_error *err)
{
    int r;

    if (!config->guards.n && nwf_tag_find(tags, n_tags, NWF_BRIDGE_GUARD)) {
        return nwf_error_set(err, -EINVAL, "%s: \"\" names nothing", NWF_BRIDGE_GUARD);
    }
    if (config->guards.n > NWF_GUARDS_MAX) {
        return nwf_error_set(err, -E2BIG, "%s: more than %d entries", NWF_BRIDGE_GUARD,
                             NWF_GUARDS_MAX);
    }
    nwf_vec_foreach (name, &config->guards) {
        if ((r = check_name(NWF_BRIDGE_GUARD, *name, err))) {
            return r;
        }
    }
    if (config->uplink && (!*config->uplink || strpbrk(config->uplink, SEPARATORS))) {
        return nwf_error_set(err, -EINVAL, "%s: \"%.80s\" is no name of a NIC", NWF_BRIDGE_UPLINK,
                             config->uplink);
    }
    return config->uplink ? check_name(NWF_BRIDGE_UPLINK, config->uplink, err) : 0;
}

static int
read_mode(const struct nwf_tag *tags, size_t n_tags, struct nwf_routed_config *ret,
          struct nwf_error *err)
{
    static const char *const routed_only[] = {NWF_BRIDGE_UPLINK, NWF_BRIDGE_VIA,
                                              NWF_BRIDGE_GATEWAY};
    const char *mode = nwf_tag_find(tags, n_tags, NWF_BRIDGE_MODE);
    const char *via = nwf_tag_find(tags, n_tags, NWF_BRIDGE_VIA);

    if (mode && strcmp(mode, "routed")) {
        return nwf_error_set(err, -EINVAL, "%s is \"routed\" or absent, not \"%.80s\"",
                             NWF_BRIDGE_MODE, mode);
    }
    ret->is_routed = mode != NULL;
    for (size_t i = 0; !mode && i < sizeof routed_only / sizeof routed_only[0]; i++) {
        if (nwf_tag_find(tags, n_tags, routed_only[i])) {
            return nwf_error_set(err, -EINVAL, "%s is for bridges with %s=routed only",
                                 routed_only[i], NWF_BRIDGE_MODE);
        }
    }
    if (via && strcmp(via, "host") && strcmp(via, "flows")) {
        return nwf_error_set(err, -EINVAL, "%s is \"host\" or \"flows\", not \"%.80s\"",
                             NWF_BRIDGE_VIA, via);
    }
    ret->via = via && !strcmp(via, "flows") ? NWF_VIA_FLOWS : NWF_VIA_HOST;
    return mode && !ret->uplink ? nwf_error_set(err, -EINVAL, "%s=routed, and %s is missing",
                                                NWF_BRIDGE_MODE, NWF_BRIDGE_UPLINK)
                                : 0;
}

static int
read_tags(const struct nwf_tag *tags, size_t n_tags, struct nwf_routed_config *ret,
          struct nwf_error *err)
{
    const char *macs = nwf_tag_find(tags, n_tags, NWF_BRIDGE_GUARD_MAC);
    int r;

    take_names(tags, n_tags, ret);
    if ((r = check_names(tags, n_tags, ret, err)) || (r = read_mode(tags, n_tags, ret, err))
        || (r = read_list(NWF_BRIDGE_GATEWAY, nwf_tag_find(tags, n_tags, NWF_BRIDGE_GATEWAY),
                          take_gateway, ret, err))
        || (r = read_list(NWF_BRIDGE_GUARD_MAC, macs, take_mac, ret, err))
        || (r = sort_macs(ret, err))) {
        return r;
    }
    if (macs && !ret->guards.n && !(ret->is_routed && ret->via == NWF_VIA_FLOWS)) {
        return nwf_error_set(err, -EINVAL, "%s, and no NIC is guarded (%s)", NWF_BRIDGE_GUARD_MAC,
                             NWF_BRIDGE_GUARD);
    }
    if (ret->is_routed && ret->via == NWF_VIA_HOST && has_name(&ret->guards, ret->uplink)) {
        return nwf_error_set(err, -EINVAL,
                             "%s: \"%.80s\" is the uplink, which is not on the bridge unless %s is "
                             "\"flows\"",
                             NWF_BRIDGE_GUARD, ret->uplink, NWF_BRIDGE_VIA);
    }
    return 0;
}

int
nwf_routed_config_read(const struct nwf_tag *tags, size_t n_tags, struct nwf_routed_config *ret,
                       struct nwf_error *err)
{
    struct nwf_error cause = NWF_ERROR_INIT;

    memset(ret, 0, sizeof *ret);
    int r = read_tags(tags, n_tags, ret, &cause);
    if (r) {
        nwf_vec_clear(&ret->gateways);
        nwf_vec_clear(&ret->guard_macs);
        ret->error = cause;
        return nwf_error_set(err, r, "%s", nwf_error_text(&cause));
    }
    return 0;
}

void
nwf_routed_config_clear(struct nwf_routed_config *config)
{
    nwf_vec_foreach (name, &config->guards) {
        free(*name);
    }
    nwf_vec_clear(&config->guards);
    nwf_vec_clear(&config->gateways);
    nwf_vec_clear(&config->guard_macs);
    nwf_error_clear(&config->error);
    free(config->uplink);
    memset(config, 0, sizeof *config);
}

void
nwf_nics_copy(const struct nwf_nics *from, struct nwf_nics *ret)
{
    memset(ret, 0, sizeof *ret);
    nwf_vec_foreach (nic, from) {
        nwf_vec_push(ret, *nic);
    }
}

bool
nwf_nics_equal(const struct nwf_nics *a, const struct nwf_nics *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        const struct nwf_nic *x = &a->data[i], *y = &b->data[i];
        if (x->ofport != y->ofport || x->has_mac != y->has_mac
            || memcmp(&x->mac, &y->mac, sizeof x->mac)) {
            return false;
        }
    }
    return true;
}

/* ---- What they mean for a port. ---- */

bool
nwf_routed_has_guards(const struct nwf_routed_config *config)
{
    return config->guards.n || config->uplink;
}

enum nwf_guarding
nwf_routed_guarding(const struct nwf_routed_config *config, const char *port, const char *interface,
                    const char **ret_reason)
{
    bool is_uplink =
        config->uplink && (!strcmp(config->uplink, port) || !strcmp(config->uplink, interface));
    bool is_named = has_name(&config->guards, port) || has_name(&config->guards, interface);

    if (!is_uplink && !is_named) {
        return NWF_UNGUARDED;
    }
    if (config->error.text) {
        *ret_reason = nwf_error_text(&config->error);
        return NWF_SHUT_OUT;
    }
    if (is_uplink && config->via == NWF_VIA_HOST) {
        *ret_reason = "the uplink is on the bridge, where only " NWF_BRIDGE_VIA
                      "=flows has it; take it off the bridge";
        return NWF_SHUT_OUT;
    }
    return NWF_GUARDED;
}
