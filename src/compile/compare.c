/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparing a field with a value bit by bit.
 *
 * A flow that matches a MAC address makes Open vSwitch look at all of its bits, and cache a flow
 * for each address that a guest makes up.  A row of flows, one for each bit, of which the first
 * that differs decides, makes it look at the bits up to that one: there are no more cached flows
 * for addresses that are wrong, nor masks, than bits.  Where that would be too many masks, bits are
 * looked at several together: IPv6 addresses by two, ports by four.
 *
 * Written into each port's flows that would be a flow a bit.  So the port's value is loaded into
 * registers, and the flows of a table compare the field's bits with those of the registers, for
 * all ports: a table for each word of a field, since the registers hold one word and its mask.
 * Nothing is looked at behind the first word that differs. */
#include <config.h>

#include "compare.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>

#include "actions.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"

#include "lib/packets.h"

#define PRIORITY_DIFFERS 200
#define PRIORITY_FIRST_BIT 100
#define PRIORITY_EQUAL 1

/* The places of fields' bits. */
enum { BITS_ETH_SRC, BITS_IPV6_SRC, BITS_FIRST, BITS_SECOND, BITS_LAST };
_Static_assert(BITS_LAST *NWF_COMPARED_VALUES_MAX == NWF_COMPARED_LAST_BITS, "bits");

#define MAC_BITS                                                                                   \
    {                                                                                              \
        16, 32                                                                                     \
    }
#define IPV6_BITS                                                                                  \
    {                                                                                              \
        32, 32, 32, 32                                                                             \
    }

#define IPV6_STEP 2
/* Ports are what most packets are looked at for, and there are two of them. */
#define PORT_STEP 4
#define PORT(TYPE, PROTO, PLACE, WHICH)                                                            \
    {                                                                                              \
        TYPE, PROTO, 0, PLACE, NWF_TABLE_COMPARE_PORT_##WHICH, {16}, PORT_STEP                     \
    }

static const struct {
    uint16_t eth_type; /* Of frames that have the field; 0: all have. */
    uint8_t ip_proto;  /* Of them; 0: of any protocol. */
    uint8_t icmp_type; /* Of ICMPv6; 0: of any type. */
    uint8_t place;
    uint8_t table; /* That of the first word; the other words' follow. */
    uint8_t n_bits[NWF_OPERAND_WORDS];
    uint8_t step; /* Bits that are looked at together. */
} fields[NWF_N_COMPARED] = {
    [NWF_COMPARED_ETH_SRC] = {0, 0, 0, BITS_ETH_SRC, NWF_TABLE_COMPARE_ETH_SRC, MAC_BITS, 1},
    [NWF_COMPARED_ETH_DST] = {0, 0, 0, BITS_LAST, NWF_TABLE_COMPARE_ETH_DST, MAC_BITS, 1},
    [NWF_COMPARED_ARP_SHA] = {ETH_TYPE_ARP, 0, 0, BITS_FIRST, NWF_TABLE_COMPARE_ARP_SHA, MAC_BITS,
                              1},
    [NWF_COMPARED_ARP_SPA] = {ETH_TYPE_ARP, 0, 0, BITS_SECOND, NWF_TABLE_COMPARE_ARP_SPA, {32}, 1},
    [NWF_COMPARED_RARP_MACS] =
        {ETH_TYPE_RARP, 0, 0, BITS_FIRST, NWF_TABLE_COMPARE_RARP_MACS, {16, 32, 16, 32}, 1},
    [NWF_COMPARED_RARP_ADDRESSES] =
        {ETH_TYPE_RARP, 0, 0, BITS_SECOND, NWF_TABLE_COMPARE_RARP_ADDRESSES, {32, 32}, 1},
    [NWF_COMPARED_IPV4_SRC] = {ETH_TYPE_IP, 0, 0, BITS_FIRST, NWF_TABLE_COMPARE_IPV4_SRC, {32}, 1},
    [NWF_COMPARED_IPV6_SRC] = {ETH_TYPE_IPV6, 0, 0, BITS_IPV6_SRC, NWF_TABLE_COMPARE_IPV6_SRC,
                               IPV6_BITS, IPV6_STEP},
    [NWF_COMPARED_NS_SLL] = {ETH_TYPE_IPV6, IPPROTO_ICMPV6, ND_NEIGHBOR_SOLICIT, BITS_FIRST,
                             NWF_TABLE_COMPARE_NS_SLL, MAC_BITS, 1},
    [NWF_COMPARED_NS_TARGET] = {ETH_TYPE_IPV6, IPPROTO_ICMPV6, ND_NEIGHBOR_SOLICIT, BITS_SECOND,
                                NWF_TABLE_COMPARE_ND_TARGET, IPV6_BITS, IPV6_STEP},
    [NWF_COMPARED_NA_TLL] = {ETH_TYPE_IPV6, IPPROTO_ICMPV6, ND_NEIGHBOR_ADVERT, BITS_FIRST,
                             NWF_TABLE_COMPARE_NA_TLL, MAC_BITS, 1},
    [NWF_COMPARED_NA_TARGET] = {ETH_TYPE_IPV6, IPPROTO_ICMPV6, ND_NEIGHBOR_ADVERT, BITS_SECOND,
                                NWF_TABLE_COMPARE_ND_TARGET, IPV6_BITS, IPV6_STEP},
    [NWF_COMPARED_TCP_SRC] = PORT(ETH_TYPE_IP, IPPROTO_TCP, BITS_IPV6_SRC, SRC),
    [NWF_COMPARED_TCP_DST] = PORT(ETH_TYPE_IP, IPPROTO_TCP, BITS_SECOND, DST),
    [NWF_COMPARED_UDP_SRC] = PORT(ETH_TYPE_IP, IPPROTO_UDP, BITS_IPV6_SRC, SRC),
    [NWF_COMPARED_UDP_DST] = PORT(ETH_TYPE_IP, IPPROTO_UDP, BITS_SECOND, DST),
    [NWF_COMPARED_TCP6_SRC] = PORT(ETH_TYPE_IPV6, IPPROTO_TCP, BITS_FIRST, SRC),
    [NWF_COMPARED_TCP6_DST] = PORT(ETH_TYPE_IPV6, IPPROTO_TCP, BITS_SECOND, DST),
    [NWF_COMPARED_UDP6_SRC] = PORT(ETH_TYPE_IPV6, IPPROTO_UDP, BITS_FIRST, SRC),
    [NWF_COMPARED_UDP6_DST] = PORT(ETH_TYPE_IPV6, IPPROTO_UDP, BITS_SECOND, DST),
};

unsigned int
nwf_compared_first_bit(enum nwf_compared field)
{
    return fields[field].place * NWF_COMPARED_VALUES_MAX;
}

unsigned int
nwf_compared_n_words(enum nwf_compared field)
{
    unsigned int n = 0;

    while (n < NWF_OPERAND_WORDS && fields[field].n_bits[n]) {
        n++;
    }
    return n;
}

unsigned int
nwf_compared_n_bits(enum nwf_compared field, unsigned int word)
{
    return fields[field].n_bits[word];
}

unsigned int
nwf_compared_step(enum nwf_compared field)
{
    return fields[field].step;
}

/* ovs-ofctl(8), and what saves flows with it for a restart, does not read the mask of an IPv6
 * address that begins with a digit: it takes it for the length of a prefix.  So the masks of
 * the first half of an address have its first two bits, and begin with a letter; those of the
 * second half begin with a colon.  Addresses that there are begin with 00 or 11 (RFC 4291, 2.4). */
#define IPV6_TOP UINT32_C(0xc0000000)

static bool
is_ipv6(enum nwf_compared field)
{
    return fields[field].table == NWF_TABLE_COMPARE_IPV6_SRC
           || fields[field].table == NWF_TABLE_COMPARE_ND_TARGET;
}

bool
nwf_compared_takes(enum nwf_compared field, const struct nwf_operand *operand)
{
    uint32_t top = operand->value[0] & IPV6_TOP;

    return !is_ipv6(field)
           || ((operand->mask[0] & IPV6_TOP) == IPV6_TOP && (!top || top == IPV6_TOP));
}

/* ---- Frames that have the field. ---- */

void
nwf_compared_require(enum nwf_compared field, struct match *match)
{
    if (fields[field].eth_type) {
        match_set_dl_type(match, htons(fields[field].eth_type));
    }
    if (fields[field].ip_proto) {
        match_set_nw_proto(match, fields[field].ip_proto);
    }
    if (fields[field].icmp_type) {
        match_set_icmp_type(match, fields[field].icmp_type);
    }
}

bool
nwf_compared_is_required(enum nwf_compared field, const struct match *match)
{
    const struct flow *value = &match->flow, *mask = &match->wc.masks;

    return (!fields[field].eth_type
            || (mask->dl_type == OVS_BE16_MAX && value->dl_type == htons(fields[field].eth_type)))
           && (!fields[field].ip_proto
               || (mask->nw_proto == UINT8_MAX && value->nw_proto == fields[field].ip_proto))
           && (!fields[field].icmp_type
               || (mask->tp_src == OVS_BE16_MAX
                   && value->tp_src == htons(fields[field].icmp_type)));
}

/* ---- The field in a match. ---- */

static void
get_mac(struct eth_addr mac, uint32_t words[2])
{
    uint64_t number = eth_addr_to_uint64(mac);

    words[0] = (uint32_t) (number >> 32);
    words[1] = (uint32_t) number;
}

static struct eth_addr
put_mac(const uint32_t words[2])
{
    struct eth_addr mac;

    eth_addr_from_uint64((uint64_t) words[0] << 32 | words[1], &mac);
    return mac;
}

static void
get_ipv6(const struct in6_addr *address, uint32_t words[NWF_OPERAND_WORDS])
{
    ovs_be32 raw[NWF_OPERAND_WORDS];

    memcpy(raw, address, sizeof raw);
    for (size_t i = 0; i < NWF_OPERAND_WORDS; i++) {
        words[i] = ntohl(raw[i]);
    }
}

static struct in6_addr
put_ipv6(const uint32_t words[NWF_OPERAND_WORDS])
{
    ovs_be32 raw[NWF_OPERAND_WORDS];
    struct in6_addr address;

    for (size_t i = 0; i < NWF_OPERAND_WORDS; i++) {
        raw[i] = htonl(words[i]);
    }
    memcpy(&address, raw, sizeof address);
    return address;
}

static void
get(enum nwf_compared field, const struct flow *flow, uint32_t words[NWF_OPERAND_WORDS])
{
    switch (field) {
    case NWF_COMPARED_ETH_SRC:
        get_mac(flow->dl_src, words);
        break;
    case NWF_COMPARED_ETH_DST:
        get_mac(flow->dl_dst, words);
        break;
    case NWF_COMPARED_ARP_SHA:
    case NWF_COMPARED_NS_SLL: /* Open vSwitch keeps both in one place. */
        get_mac(flow->arp_sha, words);
        break;
    case NWF_COMPARED_NA_TLL:
        get_mac(flow->arp_tha, words);
        break;
    case NWF_COMPARED_ARP_SPA:
    case NWF_COMPARED_IPV4_SRC:
        words[0] = ntohl(flow->nw_src);
        break;
    case NWF_COMPARED_RARP_MACS:
        get_mac(flow->arp_sha, words);
        get_mac(flow->arp_tha, words + 2);
        break;
    case NWF_COMPARED_RARP_ADDRESSES:
        words[0] = ntohl(flow->nw_src);
        words[1] = ntohl(flow->nw_dst);
        break;
    case NWF_COMPARED_IPV6_SRC:
        get_ipv6(&flow->ipv6_src, words);
        break;
    case NWF_COMPARED_NS_TARGET:
    case NWF_COMPARED_NA_TARGET:
        get_ipv6(&flow->nd_target, words);
        break;
    case NWF_COMPARED_TCP_SRC:
    case NWF_COMPARED_UDP_SRC:
    case NWF_COMPARED_TCP6_SRC:
    case NWF_COMPARED_UDP6_SRC:
        words[0] = ntohs(flow->tp_src);
        break;
    case NWF_COMPARED_TCP_DST:
    case NWF_COMPARED_UDP_DST:
    case NWF_COMPARED_TCP6_DST:
    case NWF_COMPARED_UDP6_DST:
        words[0] = ntohs(flow->tp_dst);
        break;
    case NWF_N_COMPARED:
        abort();
    }
}

struct nwf_operand
nwf_compared_get(enum nwf_compared field, const struct match *match)
{
    struct nwf_operand operand;

    memset(&operand, 0, sizeof operand);
    get(field, &match->flow, operand.value);
    get(field, &match->wc.masks, operand.mask);
    return operand;
}

void
nwf_compared_set(enum nwf_compared field, const struct nwf_operand *operand, struct match *match)
{
    struct in6_addr address, mask;

    switch (field) {
    case NWF_COMPARED_ETH_SRC:
        match_set_dl_src_masked(match, put_mac(operand->value), put_mac(operand->mask));
        break;
    case NWF_COMPARED_ETH_DST:
        match_set_dl_dst_masked(match, put_mac(operand->value), put_mac(operand->mask));
        break;
    case NWF_COMPARED_ARP_SHA:
    case NWF_COMPARED_NS_SLL:
        match_set_arp_sha_masked(match, put_mac(operand->value), put_mac(operand->mask));
        break;
    case NWF_COMPARED_NA_TLL:
        match_set_arp_tha_masked(match, put_mac(operand->value), put_mac(operand->mask));
        break;
    case NWF_COMPARED_ARP_SPA:
    case NWF_COMPARED_IPV4_SRC:
        match_set_nw_src_masked(match, htonl(operand->value[0]), htonl(operand->mask[0]));
        break;
    case NWF_COMPARED_RARP_MACS:
        match_set_arp_sha_masked(match, put_mac(operand->value), put_mac(operand->mask));
        match_set_arp_tha_masked(match, put_mac(operand->value + 2), put_mac(operand->mask + 2));
        break;
    case NWF_COMPARED_RARP_ADDRESSES:
        match_set_nw_src_masked(match, htonl(operand->value[0]), htonl(operand->mask[0]));
        match_set_nw_dst_masked(match, htonl(operand->value[1]), htonl(operand->mask[1]));
        break;
    case NWF_COMPARED_IPV6_SRC:
        address = put_ipv6(operand->value);
        mask = put_ipv6(operand->mask);
        match_set_ipv6_src_masked(match, &address, &mask);
        break;
    case NWF_COMPARED_NS_TARGET:
    case NWF_COMPARED_NA_TARGET:
        address = put_ipv6(operand->value);
        mask = put_ipv6(operand->mask);
        match_set_nd_target_masked(match, &address, &mask);
        break;
    case NWF_COMPARED_TCP_SRC:
    case NWF_COMPARED_UDP_SRC:
    case NWF_COMPARED_TCP6_SRC:
    case NWF_COMPARED_UDP6_SRC:
        match_set_tp_src_masked(match, htons((uint16_t) operand->value[0]),
                                htons((uint16_t) operand->mask[0]));
        break;
    case NWF_COMPARED_TCP_DST:
    case NWF_COMPARED_UDP_DST:
    case NWF_COMPARED_TCP6_DST:
    case NWF_COMPARED_UDP6_DST:
        match_set_tp_dst_masked(match, htons((uint16_t) operand->value[0]),
                                htons((uint16_t) operand->mask[0]));
        break;
    case NWF_N_COMPARED:
        abort();
    }
}

/* ---- Comparing. ---- */

/* What NWF_REG_EQUAL is before the word is compared, if those before it are equal: 1 behind the
 * last, else even.  Each table leads from one to the next, so that nothing is equal where one is
 * empty; or all is, if IF_EMPTY is set from the beginning on, which no table changes but the last
 * and one that finds a difference. */
#define IF_EMPTY UINT32_C(1)

static uint32_t
equal_before(enum nwf_compared field, unsigned int word)
{
    return word == nwf_compared_n_words(field) ? 1 : 2 * (word + 1);
}

/* Bits that the word has not need not be told from others. */
static uint32_t
whole_mask(enum nwf_compared field, unsigned int word, uint32_t mask)
{
    uint32_t all = (uint32_t) ((UINT64_C(1) << fields[field].n_bits[word]) - 1);

    return mask == all ? UINT32_MAX : mask;
}

static void
put_compare(struct ofpbuf *actions, enum nwf_compared field, const struct nwf_operand *operand,
            unsigned int bit, uint32_t if_empty)
{
    uint32_t last = 0;

    nwf_put_load(actions, MFF_REG0 + NWF_REG_EQUAL, equal_before(field, 0) | if_empty);
    for (unsigned int i = 0; i < nwf_compared_n_words(field); i++) {
        uint32_t mask = whole_mask(field, i, operand->mask[i]);

        nwf_put_load(actions, MFF_REG0 + NWF_REG_OPERAND, operand->value[i]);
        if (!i || mask != last) {
            nwf_put_load(actions, MFF_REG0 + NWF_REG_OPERAND_MASK, mask);
        }
        nwf_put_resubmit(actions, (uint8_t) (fields[field].table + i));
        last = mask;
    }
    nwf_put_text(actions, "move:NXM_NX_REG%d[0]->NXM_NX_REG%d[%u]", NWF_REG_EQUAL, NWF_REG_COMPARED,
                 bit);
}

void
nwf_put_compare(struct ofpbuf *actions, enum nwf_compared field, const struct nwf_operand *operand,
                unsigned int bit)
{
    put_compare(actions, field, operand, bit, 0);
}

void
nwf_put_compare_dropped(struct ofpbuf *actions, enum nwf_compared field,
                        const struct nwf_operand *operand, unsigned int bit)
{
    put_compare(actions, field, operand, bit, IF_EMPTY);
}

static void
add(uint8_t table, uint16_t priority, const struct match *match, const struct ofpbuf *actions,
    struct nwf_flow_set *flows)
{
    nwf_flow_set_add(flows, table, priority, nwf_cookie(NWF_COOKIE_FIXED, 0, NWF_COOKIE_NO_RULE),
                     match, actions);
}

/* A bit that differs from the operand's, and what is looked at with it. */
struct difference {
    uint32_t bit;
    bool is_set;            /* In the frame. */
    uint32_t seen, mask;    /* Other bits of the word. */
    uint32_t top, top_mask; /* Other bits of the first word. */
};

static void
add_difference(enum nwf_compared field, unsigned int word, const struct difference *d,
               struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct nwf_operand seen;
    struct match match;

    memset(&seen, 0, sizeof seen);
    seen.value[0] = d->top;
    seen.mask[0] = d->top_mask;
    seen.value[word] |= d->seen | (d->is_set ? d->bit : 0);
    seen.mask[word] |= d->mask | d->bit;
    match_init_catchall(&match);
    nwf_compared_require(field, &match);
    nwf_compared_set(field, &seen, &match);
    match_set_reg_masked(&match, NWF_REG_OPERAND_MASK, d->bit, d->bit);
    match_set_reg_masked(&match, NWF_REG_OPERAND, d->is_set ? 0 : d->bit, d->bit);
    nwf_put_load(&actions, MFF_REG0 + NWF_REG_EQUAL, 0);
    add((uint8_t) (fields[field].table + word),
        (uint16_t) (PRIORITY_FIRST_BIT - __builtin_clz(d->bit)), &match, &actions, flows);
}

/* With both values of the first bits of an IPv6 address, behind which it stands. */
static void
add_seen(enum nwf_compared field, unsigned int word, struct difference d,
         struct nwf_flow_set *flows)
{
    bool is_top = !word && d.bit & IPV6_TOP;

    d.top_mask = is_ipv6(field) && word < 2 && !is_top ? IPV6_TOP : 0;
    d.top = 0;
    add_difference(field, word, &d, flows);
    if (d.top_mask) {
        d.top = IPV6_TOP;
        add_difference(field, word, &d, flows);
    }
}

/* With all values of the bits that are looked at together with it. */
static void
add_bit(enum nwf_compared field, unsigned int word, unsigned int bit, struct nwf_flow_set *flows)
{
    unsigned int step = nwf_compared_step(field);
    struct difference d = {.bit = UINT32_C(1) << bit};

    d.mask = (((UINT32_C(1) << step) - 1) << bit / step * step) & ~d.bit;
    do {
        for (int set = 0; set < 2; set++) {
            d.is_set = set;
            add_seen(field, word, d, flows);
        }
        d.seen = (d.seen - d.mask) & d.mask; /* The next value that 'mask' has room for. */
    } while (d.seen);
}

/* What is the same for all fields that have the table: an earlier word differs, or nothing does. */
static void
add_ends(enum nwf_compared field, unsigned int word, struct nwf_flow_set *flows)
{
    uint8_t table = (uint8_t) (fields[field].table + word);
    NWF_ACTIONS(actions);
    struct match match;

    bool is_last = word + 1 == nwf_compared_n_words(field);

    match_init_catchall(&match);
    match_set_reg_masked(&match, NWF_REG_EQUAL, equal_before(field, word), ~IF_EMPTY);
    if (is_last) {
        nwf_put_load(&actions, MFF_REG0 + NWF_REG_EQUAL, equal_before(field, word + 1));
    } else {
        nwf_put_load_masked(&actions, MFF_REG0 + NWF_REG_EQUAL, equal_before(field, word + 1),
                            ~IF_EMPTY);
    }
    add(table, PRIORITY_EQUAL, &match, &actions, flows);
    match_init_catchall(&match);
    match_set_reg(&match, NWF_REG_EQUAL, 0);
    add(table, PRIORITY_DIFFERS, &match, NULL, flows);
    match_init_catchall(&match);
    add(table, 0, &match, NULL, flows);
}

void
nwf_compile_comparisons(uint32_t wanted, struct nwf_flow_set *flows)
{
    for (int f = 0; f < NWF_N_COMPARED; f++) {
        enum nwf_compared field = (enum nwf_compared) f;

        for (unsigned int i = 0; wanted & 1u << f && i < nwf_compared_n_words(field); i++) {
            for (unsigned int bit = 0; bit < fields[field].n_bits[i]; bit++) {
                add_bit(field, i, bit, flows);
            }
            add_ends(field, i, flows);
        }
    }
}
