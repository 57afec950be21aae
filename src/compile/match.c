/* SPDX-License-Identifier: Apache-2.0
 *
 * Single conditions as matches, and sets of frames.
 *
 * Open vSwitch looks behind an 802.1Q tag: dl_type, nw_src and the rest match
 * tagged frames as well (ovs-fields(7)).  The nwfilter language does not, so an
 * Ethernet type always comes with "no tag".  That is one bit: if the VLAN were asked for as well,
 * each would be cached for itself. */
#include <config.h>

#include "match.h"

#include <errno.h>
#include <netinet/in.h>

#include "nwf/text.h"
#include "openvswitch/meta-flow.h"

#define ETH_TYPE_MIN 0x600
#define TCI_PRESENT 0x1000
/* What OpenFlow 1.2+ calls the VLAN ID: the presence bit and the VID. */
#define TCI_VID_MASK 0x1fff

/* ---- Sets of frames. ---- */

#define MATCH_WORDS (sizeof(struct flow) / sizeof(uint64_t))

bool
nwf_match_and(struct match *match, const struct match *other)
{
    uint64_t *value = (uint64_t *) &match->flow, *mask = (uint64_t *) &match->wc.masks;
    const uint64_t *value2 = (const uint64_t *) &other->flow;
    const uint64_t *mask2 = (const uint64_t *) &other->wc.masks;

    for (size_t i = 0; i < MATCH_WORDS; i++) {
        if ((value[i] ^ value2[i]) & mask[i] & mask2[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < MATCH_WORDS; i++) {
        value[i] |= value2[i];
        mask[i] |= mask2[i];
    }
    return true;
}

bool
nwf_match_holds(const struct match *match, const struct flow *frame)
{
    const uint64_t *value = (const uint64_t *) &match->flow;
    const uint64_t *mask = (const uint64_t *) &match->wc.masks;
    const uint64_t *seen = (const uint64_t *) frame;

    for (size_t i = 0; i < MATCH_WORDS; i++) {
        if ((value[i] ^ seen[i]) & mask[i]) {
            return false;
        }
    }
    return true;
}

bool
nwf_match_covers(const struct match *outer, const struct match *inner)
{
    const uint64_t *value = (const uint64_t *) &outer->flow;
    const uint64_t *mask = (const uint64_t *) &outer->wc.masks;
    const uint64_t *value2 = (const uint64_t *) &inner->flow;
    const uint64_t *mask2 = (const uint64_t *) &inner->wc.masks;

    for (size_t i = 0; i < MATCH_WORDS; i++) {
        if ((mask[i] & ~mask2[i]) || ((value[i] ^ value2[i]) & mask[i])) {
            return false;
        }
    }
    return true;
}

bool
nwf_matches_multiply(struct nwf_matches *list, const struct nwf_matches *other)
{
    struct nwf_matches product = {.data = NULL};

    if (list->n * other->n > NWF_RULE_MATCHES_MAX && list->n > 1 && other->n > 1) {
        return false;
    }
    nwf_vec_foreach (a, list) {
        nwf_vec_foreach (b, other) {
            struct match match = *a;
            if (nwf_match_and(&match, b)) {
                nwf_vec_push(&product, match);
            }
        }
    }
    nwf_vec_clear(list);
    *list = product;
    return true;
}

/* ---- Single conditions. ---- */

static enum mf_field_id
field_to_mf(enum nwf_field field)
{
    static const enum mf_field_id ids[NWF_N_FIELDS] = {
        [NWF_F_ETH_SRC] = MFF_ETH_SRC,       [NWF_F_ETH_DST] = MFF_ETH_DST,
        [NWF_F_VLAN_ENCAP] = MFF_ETH_TYPE,   [NWF_F_ARP_OP] = MFF_ARP_OP,
        [NWF_F_ARP_SHA] = MFF_ARP_SHA,       [NWF_F_ARP_THA] = MFF_ARP_THA,
        [NWF_F_ARP_SPA] = MFF_ARP_SPA,       [NWF_F_ARP_TPA] = MFF_ARP_TPA,
        [NWF_F_IP4_SRC] = MFF_IPV4_SRC,      [NWF_F_IP4_DST] = MFF_IPV4_DST,
        [NWF_F_IP6_SRC] = MFF_IPV6_SRC,      [NWF_F_IP6_DST] = MFF_IPV6_DST,
        [NWF_F_IP_PROTO] = MFF_IP_PROTO,     [NWF_F_IP_DSCP] = MFF_IP_DSCP_SHIFTED,
        [NWF_F_PORT_SRC] = MFF_TCP_SRC,      [NWF_F_PORT_DST] = MFF_TCP_DST,
        [NWF_F_ICMP_TYPE] = MFF_ICMPV6_TYPE, [NWF_F_ICMP_CODE] = MFF_ICMPV6_CODE,
        [NWF_F_TCP_FLAGS] = MFF_TCP_FLAGS,
    };

    /* TCP's ports stand for UDP's and SCTP's, and ICMPv6's types for ICMP's: struct flow
     * keeps them in one place. */
    return ids[field];
}

static void
set_field(struct match *match, enum nwf_field field, const struct nwf_value *value,
          const struct nwf_value *mask)
{
    union mf_value v, m;
    char *cause = NULL;

    memset(&v, 0, sizeof v);
    memset(&m, 0, sizeof m);
    memcpy(&v, value->bytes, value->len);
    memcpy(&m, mask->bytes, mask->len);
    /* An empty mask is no condition, which mf_set() takes for all fields; it takes a
     * partial one for some, and our table and ranges ask it of those only. */
    if (!mf_set(mf_from_id(field_to_mf(field)), &v, &m, match, &cause)) {
        abort();
    }
    free(cause);
}

void
nwf_match_set_eth_type(struct match *match, uint16_t eth_type)
{
    if (eth_type == 0x8100) {
        match_set_dl_tci_masked(match, htons(TCI_PRESENT), htons(TCI_PRESENT));
    } else {
        match_set_dl_tci_masked(match, htons(0), htons(TCI_PRESENT));
        match_set_dl_type(match, htons(eth_type));
    }
}

void
nwf_match_implied(const struct nwf_protocol *protocol, struct match *match)
{
    struct nwf_value ones = nwf_value_ones(protocol->implied_value.len);

    match_init_catchall(match);
    if (protocol->implied == NWF_F_ETH_TYPE) {
        nwf_match_set_eth_type(match, (uint16_t) nwf_value_to_int(&protocol->implied_value));
    } else if (protocol->implied != NWF_F_NONE) {
        set_field(match, protocol->implied, &protocol->implied_value, &ones);
    }
}

/* ---- Ranges. ---- */

static unsigned __int128
to_big(const struct nwf_value *value)
{
    unsigned __int128 n = 0;

    for (int i = 0; i < value->len; i++) {
        n = n << 8 | value->bytes[i];
    }
    return n;
}

static struct nwf_value
from_big(unsigned __int128 n, uint8_t len)
{
    struct nwf_value value = {.len = len};

    for (int i = len - 1; i >= 0; i--, n >>= 8) {
        value.bytes[i] = (uint8_t) n;
    }
    return value;
}

/* Splits the range into the fewest prefixes of 'width' bits; 0: single values. */
static void
add_range(const struct nwf_cond *cond, unsigned int width, struct nwf_masked_list *list)
{
    unsigned __int128 first = to_big(&cond->value), last = to_big(&cond->last);
    uint8_t len = cond->value.len;

    for (;;) {
        unsigned int bits = 0;
        while (bits < width && !(first >> bits & 1)
               && last - first >= ((unsigned __int128) 2 << bits) - 1) {
            bits++;
        }
        unsigned __int128 rest =
            bits < 128 ? ((unsigned __int128) 1 << bits) - 1 : ~(unsigned __int128) 0;
        nwf_vec_push(
            list, (struct nwf_masked){.value = from_big(first, len), .mask = from_big(~rest, len)});
        if (last - first <= rest) {
            return;
        }
        first += rest + 1;
    }
}

void
nwf_cond_prefixes(const struct nwf_cond *cond, struct nwf_masked_list *list)
{
    if (cond->is_range) {
        bool maskable = mf_from_id(field_to_mf(cond->field))->maskable != MFM_NONE;
        add_range(cond, maskable ? 8u * cond->value.len : 0, list);
    } else if (cond->list.n) {
        nwf_vec_foreach (m, &cond->list) {
            nwf_vec_push(list, *m);
        }
    } else {
        nwf_vec_push(list, (struct nwf_masked){.value = cond->value, .mask = cond->mask});
    }
}

size_t
nwf_cond_count(const struct nwf_cond *cond)
{
    struct nwf_masked_list prefixes = {.data = NULL};

    if (!cond->is_range) {
        return cond->list.n ? cond->list.n : 1;
    }
    nwf_cond_prefixes(cond, &prefixes);
    size_t n = prefixes.n;
    nwf_vec_clear(&prefixes);
    return n;
}

const char *
nwf_cond_refusal(const struct nwf_cond *cond)
{
    uint32_t n = nwf_value_to_int(&cond->value);

    switch (cond->field) {
    case NWF_F_TCP_OPTION:
        return "Open vSwitch does not look at TCP options";
    case NWF_F_CONNLIMIT:
        return "Open vSwitch does not count a rule's connections";
    case NWF_F_IPSET:
        return "Open vSwitch knows no ipsets; a variable with a list of addresses does the same";
    case NWF_F_STP:
        return "Open vSwitch does not look inside of STP frames";
    case NWF_F_ARP_HTYPE:
        return n != 1 || cond->negated ? "Open vSwitch looks at ARP for Ethernet only" : NULL;
    case NWF_F_ARP_PTYPE:
        return n != 0x0800 || cond->negated ? "Open vSwitch looks at ARP for IPv4 only" : NULL;
    case NWF_F_ARP_OP:
        return n < 1 || n > 255 ? "Open vSwitch tells ARP opcodes 1 to 255 apart" : NULL;
    case NWF_F_ETH_TYPE:
        return n == 0x88a8 ? "Open vSwitch does not tell an 802.1ad tag from an 802.1Q one" : NULL;
    case NWF_F_VLAN_ENCAP:
        return n < ETH_TYPE_MIN ? "Open vSwitch sees no frame lengths as Ethernet types" : NULL;
    case NWF_F_ARP_GRATUITOUS:
        return cond->negated ? "OpenFlow does not compare two fields" : NULL;
    case NWF_F_NONE:
    case NWF_F_ETH_SRC:
    case NWF_F_ETH_DST:
    case NWF_F_VLAN_ID:
    case NWF_F_ARP_SHA:
    case NWF_F_ARP_THA:
    case NWF_F_ARP_SPA:
    case NWF_F_ARP_TPA:
    case NWF_F_IP4_SRC:
    case NWF_F_IP4_DST:
    case NWF_F_IP6_SRC:
    case NWF_F_IP6_DST:
    case NWF_F_IP_PROTO:
    case NWF_F_IP_DSCP:
    case NWF_F_PORT_SRC:
    case NWF_F_PORT_DST:
    case NWF_F_ICMP_TYPE:
    case NWF_F_ICMP_CODE:
    case NWF_F_TCP_FLAGS:
    case NWF_F_STATE:
    case NWF_F_MATCH:
    case NWF_N_FIELDS:
        break;
    }
    return NULL;
}

static void
set_value(struct match *match, enum nwf_field field, const struct nwf_masked *m)
{
    uint16_t n = (uint16_t) nwf_value_to_int(&m->value);

    match_init_catchall(match);
    if (field == NWF_F_ETH_TYPE) {
        nwf_match_set_eth_type(match, n);
    } else if (field == NWF_F_VLAN_ID) {
        match_set_dl_tci_masked(match, htons((uint16_t) (TCI_PRESENT | n)), htons(TCI_VID_MASK));
    } else {
        set_field(match, field, &m->value, &m->mask);
    }
}

void
nwf_cond_to_matches(const struct nwf_cond *cond, struct nwf_matches *list)
{
    struct nwf_masked_list prefixes = {.data = NULL};

    nwf_cond_prefixes(cond, &prefixes);
    nwf_vec_foreach (m, &prefixes) {
        struct match match;
        set_value(&match, cond->field, m);
        nwf_vec_push(list, match);
    }
    nwf_vec_clear(&prefixes);
}
