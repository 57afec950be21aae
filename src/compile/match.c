/* SPDX-License-Identifier: Apache-2.0
 *
 * From conditions to matches.
 *
 * Open vSwitch looks behind an 802.1Q tag: dl_type, nw_src and the rest match
 * tagged frames as well (ovs-fields(7)).  The nwfilter language does not, so an
 * Ethernet type always comes with "no tag". */
#include <config.h>

#include "match.h"

#include <errno.h>
#include <netinet/in.h>

#include "nwf/text.h"
#include "openvswitch/meta-flow.h"

/* Matches that one rule may become. */
#define RULE_MATCHES_MAX 4096

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
    };

    /* TCP's ports stand for UDP's and SCTP's: struct flow keeps them in one place. */
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
        match_set_dl_tci_masked(match, htons(0), htons(TCI_VID_MASK));
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

/* Splits first..last into the fewest value/mask pairs; into single values where the
 * field cannot be masked. */
static void
add_range(struct nwf_matches *list, enum nwf_field field, uint32_t first, uint32_t last,
          uint8_t len)
{
    bool maskable = mf_from_id(field_to_mf(field))->maskable != MFM_NONE;
    uint32_t width = maskable ? 8u * len : 0;

    while (first <= last) {
        uint32_t bits = 0;
        while (bits < width && !(first & (1u << bits)) && first + ((2u << bits) - 1) <= last) {
            bits++;
        }
        struct match match;
        struct nwf_value value = nwf_value_from_int(first, len);
        struct nwf_value mask = nwf_value_from_int(~((1u << bits) - 1), len);

        match_init_catchall(&match);
        set_field(&match, field, &value, &mask);
        nwf_vec_push(list, match);
        first += 1u << bits;
    }
}

static const char *
refusal(const struct nwf_cond *cond)
{
    uint32_t n = nwf_value_to_int(&cond->value);

    switch (cond->field) {
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
    case NWF_N_FIELDS:
        break;
    }
    return NULL;
}

/* The condition, without its negation, as matches of which one must hold. */
static void
cond_to_matches(const struct nwf_cond *cond, struct nwf_matches *list)
{
    uint32_t n = nwf_value_to_int(&cond->value);
    struct match match;

    if (cond->is_range) {
        add_range(list, cond->field, n, nwf_value_to_int(&cond->last), cond->value.len);
        return;
    }
    match_init_catchall(&match);
    if (cond->field == NWF_F_ETH_TYPE) {
        nwf_match_set_eth_type(&match, (uint16_t) n);
    } else if (cond->field == NWF_F_VLAN_ID) {
        match_set_dl_tci_masked(&match, htons((uint16_t) (TCI_PRESENT | n)), htons(TCI_VID_MASK));
    } else {
        set_field(&match, cond->field, &cond->value, &cond->mask);
    }
    nwf_vec_push(list, match);
}

/* ---- Rules. ---- */

/* 'cond' may be NULL: the cause is the rule as a whole. */
static int
fail(const struct nwf_prule *prule, struct nwf_error *err, int code, const char *cause,
     const struct nwf_cond *cond)
{
    return nwf_error_set(err, code, "%s:%u: %s%s%s", prule->rule->filter->file, prule->rule->line,
                         cond && cond->def ? cond->def->name : "", cond && cond->def ? ": " : "",
                         cause);
}

/* Replaces 'list' by every combination with 'other'; impossible ones are dropped. */
static int
multiply(struct nwf_matches *list, const struct nwf_matches *other, const struct nwf_prule *prule,
         struct nwf_error *err)
{
    struct nwf_matches product = {.data = NULL};

    if (list->n * other->n > RULE_MATCHES_MAX) {
        return fail(prule, err, -E2BIG, "the ranges of this rule need too many flows", NULL);
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
    return 0;
}

static const struct nwf_cond *
exact_cond(const struct nwf_prule *prule, enum nwf_field field)
{
    struct nwf_value ones;

    nwf_vec_foreach (cond, &prule->conds) {
        ones = nwf_value_ones(cond->mask.len);
        if (cond->field == field && !cond->negated && !cond->is_range
            && nwf_value_equal(&cond->mask, &ones)) {
            return cond;
        }
    }
    return NULL;
}

/* Gratuitous ARP has one address on both sides; with one known, the other is too. */
static int
gratuitous(const struct nwf_prule *prule, struct nwf_cond *ret, struct nwf_error *err)
{
    const struct nwf_cond *spa = exact_cond(prule, NWF_F_ARP_SPA);
    const struct nwf_cond *tpa = exact_cond(prule, NWF_F_ARP_TPA);

    if (!spa && !tpa) {
        return fail(prule, err, -EOPNOTSUPP,
                    "gratuitous: OpenFlow does not compare two fields; an arpsrcipaddr or "
                    "arpdstipaddr of one address beside it makes it possible",
                    NULL);
    }
    *ret = spa ? *spa : *tpa;
    ret->field = spa ? NWF_F_ARP_TPA : NWF_F_ARP_SPA;
    return 0;
}

static int
add_cond(struct nwf_rule_matches *m, const struct nwf_prule *prule, const struct nwf_cond *cond,
         struct nwf_error *err)
{
    const char *cause = refusal(cond);
    struct nwf_cond other;
    int r = 0;

    if (cause) {
        return fail(prule, err, -EOPNOTSUPP, cause, cond);
    }
    if (cond->field == NWF_F_ARP_HTYPE || cond->field == NWF_F_ARP_PTYPE) {
        return 0; /* "Ethernet" and "IPv4": see handle_unparsed(). */
    }
    if (cond->field == NWF_F_ARP_GRATUITOUS) {
        if ((r = gratuitous(prule, &other, err))) {
            return r;
        }
        cond = &other;
    }
    if (cond->negated) {
        cond_to_matches(cond, &m->except);
        return 0;
    }
    struct nwf_matches list = {.data = NULL};
    cond_to_matches(cond, &list);
    r = multiply(&m->any, &list, prule, err);
    nwf_vec_clear(&list);
    return r;
}

/* Only a first fragment has ports; ebtables' port matches skip later ones. */
static void
require_ports(struct nwf_rule_matches *m, const struct nwf_prule *prule)
{
    bool ports = false;

    nwf_vec_foreach (cond, &prule->conds) {
        ports |= cond->field == NWF_F_PORT_SRC || cond->field == NWF_F_PORT_DST
                 || cond->field == NWF_F_ICMP_TYPE || cond->field == NWF_F_ICMP_CODE;
    }
    nwf_vec_foreach (match, &m->any) {
        if (ports) {
            match_set_nw_frag_masked(match, 0, FLOW_NW_FRAG_LATER);
        }
    }
}

/* ---- Frames that Open vSwitch does not look into. ----
 *
 * Fields of a packet that is cut short, or of ARP for other networks than Ethernet
 * and IPv4, read as zero; so do the ports of a TCP header that is not all there, as
 * in a first fragment of eight bytes, and the protocol of IPv6 that ends inside of an
 * extension header, where libvirt sees them.  A rule must not
 * accept such a frame because zero happens to satisfy it ("not from 10.0.0.1").  And
 * where libvirt would have looked into what we cannot look into, a rule that may
 * drop the frame, or may send it past the rest of its chain, leaves us in doubt; a
 * frame in doubt is dropped. */

/* How far into a frame one must look for a field. */
enum layer { LAYER_FRAME, LAYER_PACKET, LAYER_PROTOCOL, LAYER_TRANSPORT };

static enum layer
layer_of(enum nwf_field field)
{
    if (field >= NWF_F_PORT_SRC && field <= NWF_F_ICMP_CODE) {
        return LAYER_TRANSPORT;
    }
    if (field == NWF_F_IP_PROTO) {
        return LAYER_PROTOCOL;
    }
    return field >= NWF_F_ARP_HTYPE && field <= NWF_F_IP_DSCP ? LAYER_PACKET : LAYER_FRAME;
}

static bool
is_zero(const struct nwf_value *value)
{
    struct nwf_value zero = {.len = value->len};

    return nwf_value_equal(value, &zero);
}

/* Whether the condition holds for a field that reads as zero. */
static bool
holds_for_zero(const struct nwf_cond *cond)
{
    switch (cond->field) {
    case NWF_F_ARP_HTYPE:
    case NWF_F_ARP_PTYPE:
        return true; /* Of no effect on the match. */
    case NWF_F_ARP_GRATUITOUS:
        return true; /* Both addresses are the one that is given beside it. */
    default:
        return is_zero(&cond->value) != cond->negated;
    }
}

static uint32_t
eth_type_of(const struct nwf_prule *prule)
{
    const struct nwf_protocol *protocol = prule->rule->protocol;

    return protocol ? nwf_value_to_int(&protocol->implied_value) : 0;
}

/* Narrows *match to frames whose 'layer' reads as zero.  No packet that was parsed
 * has protocol 0: in IPv6 that is a header that another follows; "opcode" of ARP is
 * the same field. */
static void
match_zero(const struct nwf_prule *prule, enum layer layer, struct match *match)
{
    const struct nwf_cond *proto = exact_cond(prule, NWF_F_IP_PROTO);

    if (layer == LAYER_TRANSPORT) {
        match_set_nw_frag_masked(match, 0, FLOW_NW_FRAG_LATER);
        match_set_tp_src(match, htons(0));
        match_set_tp_dst(match, htons(0));
        if (proto && nwf_value_to_int(&proto->value) == IPPROTO_TCP) {
            match_set_tcp_flags(match, htons(0));
        }
        return;
    }
    match_set_nw_proto(match, 0);
    if (layer == LAYER_PACKET && eth_type_of(prule) == 0x0800) {
        match_set_nw_src(match, htonl(0));
        match_set_nw_dst(match, htonl(0));
    }
}

/* The rule without what it says of 'layer' and what is further inside. */
static bool
match_outside(const struct nwf_prule *prule, enum layer layer, struct match *match)
{
    match_init_catchall(match);
    nwf_vec_foreach (cond, &prule->conds) {
        struct nwf_matches list = {.data = NULL};
        bool possible = true;

        if (layer_of(cond->field) < layer && !cond->negated) {
            cond_to_matches(cond, &list);
            possible = nwf_match_and(match, &list.data[0]);
        }
        nwf_vec_clear(&list);
        if (!possible) {
            return false;
        }
    }
    return true;
}

/* What a rule asks of a layer, and of those inside of it. */
struct inside {
    bool asked;
    bool is_arp;
    bool zero_satisfies;
};

static struct inside
look_inside(const struct nwf_prule *prule, enum layer layer)
{
    struct inside inside = {.zero_satisfies = true};

    nwf_vec_foreach (cond, &prule->conds) {
        if (layer_of(cond->field) >= layer) {
            inside.asked = true;
            inside.is_arp |= cond->field <= NWF_F_ARP_GRATUITOUS;
            inside.zero_satisfies &= holds_for_zero(cond);
        }
    }
    return inside;
}

static void
handle_unparsed(struct nwf_rule_matches *m, const struct nwf_prule *prule, enum layer layer)
{
    enum nwf_action action = prule->rule->action;
    struct inside inside = look_inside(prule, layer);
    bool in_doubt = (inside.is_arp || layer >= LAYER_PROTOCOL) && action != NWF_ACCEPT;
    struct match match;

    if (inside.asked && !in_doubt && inside.zero_satisfies && action != NWF_DROP
        && action != NWF_REJECT) {
        match_init_catchall(&match);
        match_zero(prule, layer, &match);
        nwf_vec_push(&m->except, match);
    } else if (inside.asked && in_doubt && match_outside(prule, layer, &match)) {
        match_zero(prule, layer, &match);
        nwf_vec_push(&m->doubt, match);
        m->doubt_first |= inside.zero_satisfies;
    }
}

/* ebtables finds no protocol in IPv6 without a next header (59), not even "not X". */
static void
except_no_next_header(struct nwf_rule_matches *m, const struct nwf_prule *prule)
{
    nwf_vec_foreach (cond, &prule->conds) {
        if (cond->field == NWF_F_IP_PROTO && cond->negated && eth_type_of(prule) == 0x86dd) {
            struct match match;

            match_init_catchall(&match);
            match_set_nw_proto(&match, IPPROTO_NONE);
            nwf_vec_push(&m->except, match);
        }
    }
}

/* A negated condition is looked at in frames that meet all others. */
static void
narrow_exceptions(struct nwf_rule_matches *m)
{
    struct nwf_matches narrowed = {.data = NULL};

    nwf_vec_foreach (except, &m->except) {
        nwf_vec_foreach (any, &m->any) {
            struct match match = *any;
            if (nwf_match_and(&match, except)) {
                nwf_vec_push(&narrowed, match);
            }
        }
    }
    nwf_vec_clear(&m->except);
    m->except = narrowed;
}

int
nwf_rule_matches_init(struct nwf_rule_matches *m, const struct nwf_prule *prule,
                      struct nwf_error *err)
{
    struct match all;

    memset(m, 0, sizeof *m);
    match_init_catchall(&all);
    nwf_vec_push(&m->any, all);
    nwf_vec_foreach (cond, &prule->conds) {
        int r = add_cond(m, prule, cond, err);
        if (r) {
            nwf_rule_matches_finish(m);
            return r;
        }
    }
    require_ports(m, prule);
    handle_unparsed(m, prule, LAYER_PACKET);
    if (eth_type_of(prule) == 0x86dd) {
        /* A packet that ends inside of extension headers has addresses, and no more. */
        handle_unparsed(m, prule, LAYER_PROTOCOL);
    }
    handle_unparsed(m, prule, LAYER_TRANSPORT);
    except_no_next_header(m, prule);
    narrow_exceptions(m);
    m->doubt_first |= m->except.n > 0; /* Of which zero may satisfy one. */
    return 0;
}

void
nwf_rule_matches_finish(struct nwf_rule_matches *m)
{
    nwf_vec_clear(&m->any);
    nwf_vec_clear(&m->except);
    nwf_vec_clear(&m->doubt);
}
