/* SPDX-License-Identifier: Apache-2.0
 *
 * A variable inside of a <flow> may stand for anything: an address, a number, a word.  What
 * suits is told by the name of its field (ovs-fields(7)), and by what stands beside it. */
#include "stand_in.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

#define MAC NWF_STAND_IN_MAC
#define IP4 "192.0.2.1"   /* RFC 5737 */
#define IP6 "2001:db8::1" /* RFC 3849 */

/* Of all other fields, "1" is a value. */
static const struct {
    const char *field, *value, *mask;
} fields[] = {
    {"dl_src", MAC, "ff:ff:ff:ff:ff:ff"},
    {"dl_dst", MAC, "ff:ff:ff:ff:ff:ff"},
    {"eth_src", MAC, "ff:ff:ff:ff:ff:ff"},
    {"eth_dst", MAC, "ff:ff:ff:ff:ff:ff"},
    {"arp_sha", MAC, "ff:ff:ff:ff:ff:ff"},
    {"arp_tha", MAC, "ff:ff:ff:ff:ff:ff"},
    {"nd_sll", MAC, "ff:ff:ff:ff:ff:ff"},
    {"nd_tll", MAC, "ff:ff:ff:ff:ff:ff"},
    {"nw_src", IP4, "32"},
    {"nw_dst", IP4, "32"},
    {"ip_src", IP4, "32"},
    {"ip_dst", IP4, "32"},
    {"arp_spa", IP4, "32"},
    {"arp_tpa", IP4, "32"},
    {"ct_nw_src", IP4, "32"},
    {"ct_nw_dst", IP4, "32"},
    {"ipv6_src", IP6, "128"},
    {"ipv6_dst", IP6, "128"},
    {"ct_ipv6_src", IP6, "128"},
    {"ct_ipv6_dst", IP6, "128"},
    {"nd_target", IP6, "128"},
    {"nw_tos", "4", NULL},
    {"nw_frag", "no", NULL},
    {"ip_frag", "no", NULL},
    {"ct_state", "0x20", "0x20"}, /* Tracked. */
};

/* Types and protocols that what stands beside them needs. */
static const struct {
    const char *beside, *eth_type, *proto, *word;
} needs[] = {
    {"icmpv6_", "0x86dd", "58", "icmp6"}, {"nd_", "0x86dd", "58", "icmp6"},
    {"arp_", "0x0806", "1", "arp"},       {"icmp_", "0x0800", "1", "icmp"},
    {"tcp_", "0x0800", "6", "tcp"},       {"sctp_", "0x0800", "132", "sctp"},
    {"udp_", "0x0800", "17", "udp"},      {"tp_", "0x0800", "17", "udp"},
    {"ipv6_", "0x86dd", "17", "ipv6"},    {"", "0x0800", "17", "ip"},
};

/* Where the field begins that 'at' is in, or is. */
static const char *
start_of_field(const char *text, const char *at)
{
    while (at > text && !strchr(", ", at[-1])) {
        at--;
    }
    return at;
}

/* What "beside" is a prefix of some other field of the text. */
static size_t
need_of(const char *text)
{
    size_t i = 0;

    for (; *needs[i].beside; i++) {
        for (const char *at = text; (at = strstr(at, needs[i].beside)); at++) {
            if (start_of_field(text, at) == at) {
                return i;
            }
        }
    }
    return i;
}

static bool
is_one_of(const char *name, const char *a, const char *b)
{
    return !strcmp(name, a) || !strcmp(name, b);
}

/* The first "$VARIABLE"; that is not "$VARIABLE2". */
static const char *
find_variable(const char *text, const char *variable)
{
    char *dollar CLEANUP_FREE = nwf_asprintf("$%s", variable);
    const char *at = strstr(text, dollar);

    while (at) {
        unsigned char next = (unsigned char) at[strlen(dollar)];
        if (!isalnum(next) && next != '_') {
            break;
        }
        at = strstr(at + 1, dollar);
    }
    return at;
}

const char *
nwf_flow_stand_in(const char *text, const char *variable)
{
    const char *at = find_variable(text, variable);
    const char *start = at ? start_of_field(text, at) : text;
    size_t length = strcspn(start, "=[:($, ");
    char *name CLEANUP_FREE = nwf_strndup(start, length);
    bool is_mask = at && memchr(start, '/', (size_t) (at - start));
    size_t need = need_of(text);

    if (at && start == at) {
        return needs[need].word;
    }
    if (is_one_of(name, "dl_type", "eth_type")) {
        return needs[need].eth_type;
    }
    if (is_one_of(name, "nw_proto", "ip_proto")) {
        return needs[need].proto;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && start[length] != '['; i++) {
        if (!strcmp(name, fields[i].field)) {
            return is_mask && fields[i].mask ? fields[i].mask : fields[i].value;
        }
    }
    return "1";
}
