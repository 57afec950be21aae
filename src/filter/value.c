/* SPDX-License-Identifier: Apache-2.0
 *
 * Parsing of attribute values; the accepted forms are those of libvirt's
 * nwfilter schema (formatnwfilter.html, "Filter rules"), and address prefixes. */
#include "nwf/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

struct nwf_value
nwf_value_from_int(uint32_t value, uint8_t len)
{
    struct nwf_value v = {.len = len};

    for (int i = 0; i < len; i++) {
        v.bytes[i] = (uint8_t) (value >> (8 * (len - 1 - i)));
    }
    return v;
}

uint32_t
nwf_value_to_int(const struct nwf_value *value)
{
    uint32_t n = 0;

    for (int i = 0; i < value->len && i < 4; i++) {
        n = n << 8 | value->bytes[i];
    }
    return n;
}

struct nwf_value
nwf_value_ones(uint8_t len)
{
    struct nwf_value v = {.len = len};

    memset(v.bytes, 0xff, len);
    return v;
}

bool
nwf_value_equal(const struct nwf_value *a, const struct nwf_value *b)
{
    return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static struct nwf_value
prefix_mask(int bits, uint8_t len)
{
    struct nwf_value mask = {.len = len};

    for (int i = 0; i < bits; i++) {
        mask.bytes[i / 8] |= (uint8_t) (0x80 >> (i % 8));
    }
    return mask;
}

static bool
is_contiguous(const struct nwf_value *mask)
{
    bool ended = false;

    for (int i = 0; i < mask->len * 8; i++) {
        bool bit = mask->bytes[i / 8] & (0x80 >> (i % 8));
        if (bit && ended) {
            return false;
        }
        ended |= !bit;
    }
    return true;
}

static bool
parse_mac(const char *s, struct nwf_value *ret)
{
    struct nwf_value v = {.len = 6};
    unsigned int octet[6];
    int end = -1;

    /* Six groups of one or two hex digits and nothing else. */
    if (strspn(s, "0123456789abcdefABCDEF:") != strlen(s) || strlen(s) > 17
        || sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &octet[0], &octet[1], &octet[2], &octet[3],
                  &octet[4], &octet[5], &end)
               != 6
        || s[end]) {
        return false;
    }
    for (int i = 0; i < 6; i++) {
        v.bytes[i] = (uint8_t) octet[i];
    }
    *ret = v;
    return true;
}

static bool
parse_address(const char *s, uint8_t len, struct nwf_value *ret)
{
    struct nwf_value v = {.len = len};

    if (len == 6) {
        return parse_mac(s, ret);
    }
    if (inet_pton(len == 4 ? AF_INET : AF_INET6, s, v.bytes) != 1) {
        return false;
    }
    *ret = v;
    return true;
}

static bool
parse_mask(const char *s, uint8_t len, struct nwf_masked *ret)
{
    int64_t bits;

    if (len != 6 && nwf_parse_int(s, 0, len * 8, &bits)) {
        ret->value = prefix_mask((int) bits, len);
        return true;
    }
    return parse_address(s, len, &ret->value) && is_contiguous(&ret->value);
}

static struct nwf_value
cut(const struct nwf_value *value, const struct nwf_value *mask)
{
    struct nwf_value v = *value;

    for (int i = 0; i < v.len; i++) {
        v.bytes[i] &= mask->bytes[i];
    }
    return v;
}

/* ADDRESS or ADDRESS/LENGTH. */
static bool
parse_prefix(const char *s, uint8_t len, struct nwf_masked *ret)
{
    const char *slash = strchr(s, '/');
    char *address CLEANUP_FREE = nwf_strndup(s, slash ? (size_t) (slash - s) : strlen(s));
    int64_t bits;

    if (!parse_address(address, len, &ret->value)) {
        return false;
    }
    ret->mask = nwf_value_ones(len);
    if (slash) {
        if (len == 6 || !nwf_parse_int(slash + 1, 0, len * 8, &bits)) {
            return false;
        }
        ret->mask = prefix_mask((int) bits, len);
    }
    return true;
}

/* An address with the length of its network, as ip(8) shows those of a host, could mean
 * either, and the network is more than its owner may have meant. */
static int
check_prefix(const char *text, const struct nwf_masked *m, struct nwf_error *err)
{
    struct nwf_value network = cut(&m->value, &m->mask);
    char address[INET6_ADDRSTRLEN], prefix[INET6_ADDRSTRLEN];
    int family = m->value.len == 4 ? AF_INET : AF_INET6;

    if (nwf_value_equal(&network, &m->value)) {
        return 0;
    }
    inet_ntop(family, m->value.bytes, address, sizeof address);
    inet_ntop(family, network.bytes, prefix, sizeof prefix);
    return nwf_error_set(err, -EINVAL,
                         "\"%.80s\" is neither an address nor a network: write %s or %s%s", text,
                         address, prefix, strchr(text, '/'));
}

static bool
parse_integer(const char *s, uint8_t len, const struct nwf_numbers *numbers, struct nwf_value *ret)
{
    int64_t n;

    for (const struct nwf_name *name = numbers->names; name && name->name; name++) {
        if (!strcasecmp(name->name, s)) {
            *ret = nwf_value_from_int(name->value, len);
            return true;
        }
    }
    if (!nwf_parse_int(s, numbers->min, numbers->max, &n)) {
        return false;
    }
    *ret = nwf_value_from_int((uint32_t) n, len);
    return true;
}

/* With case: to libvirt, all other words are false. */
static bool
parse_bool(const char *s, uint8_t len, struct nwf_masked *ret)
{
    bool yes = !strcmp(s, "true") || !strcmp(s, "yes") || !strcmp(s, "1");
    bool no = !strcmp(s, "false") || !strcmp(s, "no") || !strcmp(s, "0");

    ret->value = nwf_value_from_int(yes, len);
    return yes || no;
}

struct words {
    const struct nwf_name *names;
    uint32_t bits;
};

static int
add_word(const char *word, void *aux)
{
    struct words *words = aux;

    for (const struct nwf_name *name = words->names; name->name; name++) {
        if (!strcasecmp(name->name, word)) {
            words->bits |= name->value;
            return 0;
        }
    }
    return -EINVAL;
}

/* ORs together the values that the words in 'text' stand for.  As to libvirt, commas and
 * blanks, any number of them, are between words, and there may be no word at all. */
static bool
parse_words(const struct nwf_name *names, const char *text, uint8_t len, struct nwf_value *ret)
{
    struct words words = {.names = names};

    if (nwf_text_split(text, ", ", add_word, &words)) {
        return false;
    }
    *ret = nwf_value_from_int(words.bits, len);
    return true;
}

/* Bits as in the TCP header (RFC 9293, 3.1). */
static bool
parse_tcp_flags(const char *s, uint8_t len, struct nwf_masked *ret)
{
    static const struct nwf_name names[] = {
        {"FIN", 0x01}, {"SYN", 0x02}, {"RST", 0x04},  {"PSH", 0x08}, {"ACK", 0x10},
        {"URG", 0x20}, {"ALL", 0x3f}, {"NONE", 0x00}, {NULL, 0},
    };
    const char *slash = strchr(s, '/');
    char *mask CLEANUP_FREE = nwf_strndup(s, slash ? (size_t) (slash - s) : 0);

    return slash && parse_words(names, mask, len, &ret->mask)
           && parse_words(names, slash + 1, len, &ret->value);
}

/* No packet has a flag set that is not looked at. */
static int
check_tcp_flags(const char *text, const struct nwf_masked *m, struct nwf_error *err)
{
    return nwf_value_to_int(&m->value) & ~nwf_value_to_int(&m->mask)
               ? nwf_error_set(err, -EINVAL,
                               "\"%.80s\" is not a pair that any packet matches: the flags behind "
                               "the slash, which must be set, must be among those before it, "
                               "which are looked at",
                               text)
               : 0;
}

static bool
parse_states(const char *s, uint8_t len, struct nwf_masked *ret)
{
    static const struct nwf_name names[] = {
        {"NEW", NWF_STATE_NEW},         {"ESTABLISHED", NWF_STATE_ESTABLISHED},
        {"RELATED", NWF_STATE_RELATED}, {"INVALID", NWF_STATE_INVALID},
        {"NONE", NWF_STATE_NONE},       {NULL, 0},
    };

    return parse_words(names, s, len, &ret->value);
}

static bool
parse_text(const char *s, uint8_t len, struct nwf_masked *ret)
{
    (void) s;
    ret->value = (struct nwf_value){.len = len};
    return true;
}

/* What each type takes. */
static const struct {
    const char *words; /* For errors: what a bad text is not. */
    uint8_t len;       /* Of its values, bytes. */
    bool (*parse)(const char *s, uint8_t len, struct nwf_masked *ret); /* NULL: an integer. */
    int (*check)(const char *text, const struct nwf_masked *m, struct nwf_error *err);
} types[] = {
    [NWF_T_U8] = {"number", 1, NULL, NULL},
    [NWF_T_U16] = {"number", 2, NULL, NULL},
    [NWF_T_U32] = {"number", 4, NULL, NULL},
    [NWF_T_MAC] = {"MAC address", 6, parse_prefix, NULL},
    [NWF_T_MACMASK] = {"contiguous MAC mask", 6, parse_mask, NULL},
    [NWF_T_IP4] = {"IPv4 address", 4, parse_prefix, check_prefix},
    [NWF_T_IP4MASK] = {"contiguous IPv4 mask", 4, parse_mask, NULL},
    [NWF_T_IP6] = {"IPv6 address", 16, parse_prefix, check_prefix},
    [NWF_T_IP6MASK] = {"contiguous IPv6 mask", 16, parse_mask, NULL},
    [NWF_T_BOOL] = {"truth value: write true or false", 1, parse_bool, NULL},
    [NWF_T_TCP_FLAGS] = {"pair of lists of TCP flags, such as \"SYN,ACK/SYN\"", 2, parse_tcp_flags,
                         check_tcp_flags},
    [NWF_T_STATES] = {"list of NEW, ESTABLISHED, RELATED and INVALID, or NONE", 1, parse_states,
                      NULL},
    [NWF_T_TEXT] = {"text", 0, parse_text, NULL},
    [NWF_T_MATCH] = {"text", 0, parse_text, NULL},
};

static int
fail_type(enum nwf_type type, const struct nwf_numbers *numbers, const char *text,
          struct nwf_error *err)
{
    return types[type].parse
               ? nwf_error_set(err, -EINVAL, "\"%.80s\" is not a valid %s", text, types[type].words)
               : nwf_error_set(err, -EINVAL, "\"%.80s\" is not a number from %lld to %lld%s", text,
                               (long long) numbers->min, (long long) numbers->max,
                               numbers->names ? " or a known name" : "");
}

int
nwf_value_parse(enum nwf_type type, const struct nwf_numbers *numbers, const char *text,
                struct nwf_masked *ret, struct nwf_error *err)
{
    struct nwf_masked m = {.value.len = 0};
    uint8_t len = types[type].len;
    bool ok = types[type].parse ? types[type].parse(text, len, &m)
                                : parse_integer(text, len, numbers, &m.value);

    if (!ok) {
        return fail_type(type, numbers, text, err);
    }
    if (!m.mask.len) {
        m.mask = nwf_value_ones(m.value.len);
    }
    int r = types[type].check ? types[type].check(text, &m, err) : 0;
    if (!r) {
        *ret = m;
    }
    return r;
}

int
nwf_mac_parse(const char *text, struct nwf_mac *ret, struct nwf_error *err)
{
    struct nwf_masked m;
    int r = nwf_value_parse(NWF_T_MAC, NULL, text, &m, err);

    if (!r) {
        memcpy(ret->octets, m.value.bytes, sizeof ret->octets);
    }
    return r;
}
