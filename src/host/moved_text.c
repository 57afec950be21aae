/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses and routes as text, in ip(8)'s order of words; see nwf/moved.h.
 *
 * The text stands in the database until the bridge is given back, and what is read from there is
 * checked as any other input: a word that is not known, or a number out of range, is an error. */
#include <config.h>

#include "nwf/moved.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

void
nwf_moved_clear(struct nwf_moved *moved)
{
    nwf_vec_clear(&moved->addresses);
    nwf_vec_clear(&moved->routes);
}

/* ---- Writing. ---- */

/* What ip-route(8) calls a route's metrics. */
static const char *const metric_words[RTAX_MAX + 1] = {
    [RTAX_LOCK] = "lock",
    [RTAX_MTU] = "mtu",
    [RTAX_WINDOW] = "window",
    [RTAX_RTT] = "rtt",
    [RTAX_RTTVAR] = "rttvar",
    [RTAX_SSTHRESH] = "ssthresh",
    [RTAX_CWND] = "cwnd",
    [RTAX_ADVMSS] = "advmss",
    [RTAX_REORDERING] = "reordering",
    [RTAX_HOPLIMIT] = "hoplimit",
    [RTAX_INITCWND] = "initcwnd",
    [RTAX_FEATURES] = "features",
    [RTAX_RTO_MIN] = "rto_min",
    [RTAX_INITRWND] = "initrwnd",
    [RTAX_QUICKACK] = "quickack",
    [RTAX_FASTOPEN_NO_COOKIE] = "fastopen_no_cookie",
};

bool
nwf_moved_has_metric(uint16_t type)
{
    return type <= RTAX_MAX && metric_words[type];
}

static const char *
ip_text(int family, const uint8_t *bytes, char buffer[INET6_ADDRSTRLEN])
{
    return inet_ntop(family, bytes, buffer, INET6_ADDRSTRLEN);
}

static void
put_number(struct ds *s, const char *word, uint32_t number, uint32_t usual)
{
    if (number != usual) {
        ds_put_format(s, " %s %" PRIu32, word, number);
    }
}

static void
put_address(struct ds *s, const struct nwf_moved_address *a)
{
    char buffer[INET6_ADDRSTRLEN];

    ds_put_format(s, "address %s/%u", ip_text(a->family, a->local, buffer), a->prefix_len);

    if (a->has_peer) {
        ds_put_format(s, " peer %s", ip_text(a->family, a->peer, buffer));
    }
    if (a->has_broadcast) {
        ds_put_format(s, " broadcast %s", ip_text(a->family, a->broadcast, buffer));
    }
    put_number(s, "scope", a->scope, RT_SCOPE_UNIVERSE);
    put_number(s, "flags", a->flags, 0);
    if (a->valid != UINT32_MAX || a->preferred != UINT32_MAX) {
        ds_put_format(s, " valid %" PRIu32 " preferred %" PRIu32, a->valid, a->preferred);
    }
}

static void
put_route(struct ds *s, const struct nwf_moved_route *r)
{
    char buffer[INET6_ADDRSTRLEN];

    ds_put_format(s, "route %s/%u", ip_text(r->to.family, r->to.bytes, buffer), r->to.prefix_len);
    if (r->has_via) {
        ds_put_format(s, " via %s", ip_text(r->via.family, r->via.bytes, buffer));
    }
    if (r->has_source) {
        ds_put_format(s, " source %s", ip_text(r->source.family, r->source.bytes, buffer));
    }
    put_number(s, "table", r->table, RT_TABLE_MAIN);
    put_number(s, "metric", r->metric, 0);
    ds_put_format(s, " protocol %" PRIu32 " scope %" PRIu32, r->protocol, r->scope);
    put_number(s, "tos", r->tos, 0);
    put_number(s, "pref", r->preference, 0);
    for (size_t type = 0; type <= RTAX_MAX; type++) {
        put_number(s, metric_words[type], r->metrics[type], 0);
    }
    if (r->onlink) {
        ds_put_cstr(s, " onlink");
    }
}

char *
nwf_moved_address_format(const struct nwf_moved_address *address)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    put_address(&s, address);
    return ds_steal_cstr(&s);
}

char *
nwf_moved_route_format(const struct nwf_moved_route *route)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    put_route(&s, route);
    return ds_steal_cstr(&s);
}

char *
nwf_moved_format(const struct nwf_moved *moved)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    nwf_vec_foreach (address, &moved->addresses) {
        ds_put_cstr(&s, s.length ? "; " : "");
        put_address(&s, address);
    }
    nwf_vec_foreach (route, &moved->routes) {
        ds_put_cstr(&s, s.length ? "; " : "");
        put_route(&s, route);
    }
    return ds_steal_cstr(&s);
}

/* ---- Reading. ---- */

/* One item's words, of which the next is at 'rest'. */
struct words {
    char *rest;
};

static const char *
next_word(struct words *words)
{
    return strtok_r(NULL, " ", &words->rest);
}

static bool
read_ip(const char *text, int family, uint8_t ret[16])
{
    return text && inet_pton(family, text, ret) == 1;
}

static bool
read_number(const char *text, uint32_t *ret)
{
    int64_t n;

    if (!text || !nwf_parse_int(text, 0, UINT32_MAX, &n)) {
        return false;
    }
    *ret = (uint32_t) n;
    return true;
}

/* "ADDRESS/LENGTH" into the family, the bytes and the length. */
static bool
read_prefix(char *text, int *family, uint8_t bytes[16], uint8_t *prefix_len)
{
    char *slash = text ? strchr(text, '/') : NULL;
    uint32_t n;

    if (!slash) {
        return false;
    }
    *slash = '\0';
    *family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (!read_ip(text, *family, bytes) || !read_number(slash + 1, &n)
        || n > (*family == AF_INET ? 32 : 128)) {
        return false;
    }
    *prefix_len = (uint8_t) n;
    return true;
}

static bool
read_address_word(const char *word, struct words *words, struct nwf_moved_address *a)
{
    if (!strcmp(word, "peer")) {
        return a->has_peer = read_ip(next_word(words), a->family, a->peer);
    }
    if (!strcmp(word, "broadcast")) {
        return a->has_broadcast = read_ip(next_word(words), a->family, a->broadcast);
    }
    uint32_t *number = !strcmp(word, "scope")       ? &a->scope
                       : !strcmp(word, "flags")     ? &a->flags
                       : !strcmp(word, "valid")     ? &a->valid
                       : !strcmp(word, "preferred") ? &a->preferred
                                                    : NULL;
    return number && read_number(next_word(words), number);
}

static bool
read_address(struct words *words, struct nwf_moved *ret)
{
    struct nwf_moved_address a = {.valid = UINT32_MAX, .preferred = UINT32_MAX};
    const char *word;

    if (ret->addresses.n == NWF_MOVED_MAX
        || !read_prefix((char *) next_word(words), &a.family, a.local, &a.prefix_len)) {
        return false;
    }
    while ((word = next_word(words))) {
        if (!read_address_word(word, words, &a)) {
            return false;
        }
    }
    if (a.scope > RT_SCOPE_NOWHERE || a.preferred > a.valid) {
        return false;
    }
    nwf_vec_push(&ret->addresses, a);
    return true;
}

static bool
read_ip_word(struct words *words, struct nwf_address *ret)
{
    const char *word = next_word(words);

    *ret = (struct nwf_address){.family = word && strchr(word, ':') ? AF_INET6 : AF_INET};
    ret->prefix_len = ret->family == AF_INET ? 32 : 128;
    return read_ip(word, ret->family, ret->bytes);
}

static uint32_t *
find_number(const char *word, struct nwf_moved_route *r)
{
    const struct {
        const char *word;
        uint32_t *number;
    } numbers[] = {
        {"table", &r->table}, {"metric", &r->metric}, {"protocol", &r->protocol},
        {"scope", &r->scope}, {"tos", &r->tos},       {"pref", &r->preference},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!strcmp(word, numbers[i].word)) {
            return numbers[i].number;
        }
    }
    for (size_t type = 0; type <= RTAX_MAX; type++) {
        if (metric_words[type] && !strcmp(word, metric_words[type])) {
            return &r->metrics[type];
        }
    }
    return NULL;
}

static bool
read_route_word(const char *word, struct words *words, struct nwf_moved_route *r)
{
    if (!strcmp(word, "via")) {
        return r->has_via = read_ip_word(words, &r->via);
    }
    if (!strcmp(word, "source")) {
        return r->has_source = read_ip_word(words, &r->source) && r->source.family == r->to.family;
    }
    if (!strcmp(word, "onlink")) {
        return r->onlink = true;
    }
    uint32_t *number = find_number(word, r);
    return number && read_number(next_word(words), number);
}

static bool
read_route(struct words *words, struct nwf_moved *ret)
{
    struct nwf_moved_route r = {.table = RT_TABLE_MAIN};
    const char *word;

    if (ret->routes.n == NWF_MOVED_MAX
        || !read_prefix((char *) next_word(words), &r.to.family, r.to.bytes, &r.to.prefix_len)) {
        return false;
    }
    while ((word = next_word(words))) {
        if (!read_route_word(word, words, &r)) {
            return false;
        }
    }
    if (r.scope > RT_SCOPE_NOWHERE || r.protocol > UINT8_MAX || r.table == RT_TABLE_LOCAL
        || r.tos > UINT8_MAX || r.preference > UINT8_MAX
        || (r.has_via && r.to.family == AF_INET6 && r.via.family != AF_INET6)) {
        return false;
    }
    nwf_vec_push(&ret->routes, r);
    return true;
}

static int
read_item(const char *item, void *ret)
{
    char *copy CLEANUP_FREE = nwf_strdup(item);
    struct words words;
    const char *kind = strtok_r(copy, " ", &words.rest);

    if (!kind) {
        return 0;
    }
    bool good = !strcmp(kind, "address") ? read_address(&words, ret)
                : !strcmp(kind, "route") ? read_route(&words, ret)
                                         : false;
    return good ? 0 : -EINVAL;
}

int
nwf_moved_parse(const char *text, struct nwf_moved *ret, struct nwf_error *err)
{
    memset(ret, 0, sizeof *ret);
    if (strlen(text) > NWF_MOVED_TEXT_MAX || nwf_text_split(text, ";", read_item, ret)) {
        nwf_moved_clear(ret);
        return nwf_error_set(err, -EINVAL, "\"%.200s\" is no list of addresses and routes", text);
    }
    return 0;
}
