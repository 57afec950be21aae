/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of which Open vSwitch's tracker and Linux's say different things.
 *
 * A register tells the rules.  Some packets are certainly invalid to Linux, though not to
 * Open vSwitch: TCP that begins no connection, or goes on with one that was never answered.
 * Of others, such as those of port 0, Open vSwitch says that they are invalid, and Linux
 * that they are new, or answers to such: no rule accepts them for a state that they may not
 * have, and each that drops packets of a state drops them (rule.c).  LANGUAGE.md has the
 * table of all that the two disagree about; a test makes it.
 *
 * A handshake leaves marks on its connection: NWF_CT_MARK_OPEN from the SYN to the answer
 * SYN,ACK, and NWF_CT_MARK_REFUSED if a reset comes in between. */
#include <config.h>

#include <netinet/in.h>

#include "builder.h"
#include "nwf/pipeline.h"
#include "rule_query.h"

#include "lib/packets.h"

#define ANY (-1)

/* Whose packets, and what of them. */
struct kind {
    uint16_t eth_type; /* 0: of both families. */
    uint8_t proto;
    struct {
        uint32_t value, mask;
    } ct, mark;
    struct {
        uint16_t value, mask;
    } flags;
    int type, code; /* Of ICMP. */
    int src_port, dst_port;
    enum nwf_stray stray;
};

#define TCP(CT, CT_MASK, FLAGS, FLAGS_MASK, MARK, MARK_MASK, STRAY)                                \
    {                                                                                              \
        0, IPPROTO_TCP, {CT, CT_MASK}, {MARK, MARK_MASK}, {FLAGS, FLAGS_MASK}, ANY, ANY, ANY, ANY, \
            STRAY                                                                                  \
    }
#define PORTS(PROTO, SRC, DST)                                                                     \
    {                                                                                              \
        0, PROTO, {CS_INVALID, CS_INVALID}, {0, 0}, {0, 0}, ANY, ANY, SRC, DST, NWF_STRAY_DOUBT    \
    }
#define ICMP(ETH_TYPE, PROTO, TYPE, CODE, STRAY)                                                   \
    {                                                                                              \
        ETH_TYPE, PROTO, {CS_INVALID, CS_INVALID}, {0, 0}, {0, 0}, TYPE, CODE, ANY, ANY, STRAY     \
    }
#define ICMP4(TYPE, CODE, STRAY) ICMP(0x0800, IPPROTO_ICMP, TYPE, CODE, NWF_STRAY_##STRAY)
#define ICMP6(TYPE, CODE, STRAY) ICMP(0x86dd, IPPROTO_ICMPV6, TYPE, CODE, NWF_STRAY_##STRAY)

#define OPEN NWF_CT_MARK_OPEN
#define REFUSED NWF_CT_MARK_REFUSED

/* Earlier ones come first where they overlap; of one sort, they need no order. */
static const struct kind kinds[] = {
    /* Answers that nobody asked for are invalid to both.  (Of other codes than 0, Open
     * vSwitch does not see the question either.) */
    ICMP4(0, 0, NONE),
    ICMP4(14, 0, NONE),
    ICMP4(16, 0, NONE),
    ICMP6(129, 0, NONE),

    /* Questions and answers. */
    ICMP4(8, ANY, DOUBT),
    ICMP4(13, ANY, DOUBT),
    ICMP4(15, ANY, DOUBT),
    ICMP4(17, ANY, DOUBT),
    ICMP4(0, ANY, DOUBT),
    ICMP4(14, ANY, DOUBT),
    ICMP4(16, ANY, DOUBT),
    ICMP4(18, ANY, DOUBT),
    ICMP6(128, ANY, DOUBT),
    ICMP6(129, ANY, DOUBT),
    ICMP6(139, ANY, DOUBT),
    ICMP6(140, ANY, DOUBT),
    /* Discovery of multicast routers (RFC 4286), which some versions of Linux do not track. */
    ICMP6(151, ANY, DOUBT),
    ICMP6(152, ANY, DOUBT),
    ICMP6(153, ANY, DOUBT),
    PORTS(IPPROTO_UDP, 0, ANY),
    PORTS(IPPROTO_UDP, ANY, 0),
    PORTS(IPPROTO_TCP, 0, ANY),
    PORTS(IPPROTO_TCP, ANY, 0),
    /* Flags that only Open vSwitch minds, and resets whose number it does not expect. */
    TCP(CS_INVALID, CS_INVALID, TCP_SYN, TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN, 0, 0,
        NWF_STRAY_DOUBT),
    TCP(CS_INVALID, CS_INVALID, TCP_RST, TCP_RST | TCP_SYN | TCP_FIN | TCP_URG, 0, 0,
        NWF_STRAY_DOUBT),
    /* The side that began goes on without a SYN,ACK, or sends one itself. */
    TCP(0, CS_INVALID | CS_REPLY_DIR, TCP_ACK, TCP_ACK, OPEN, OPEN, NWF_STRAY_DOUBT),
    TCP(0, CS_INVALID | CS_REPLY_DIR, TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK, 0, 0, NWF_STRAY_DOUBT),
    TCP(0, CS_INVALID, 0, 0, REFUSED, REFUSED, NWF_STRAY_DOUBT),
    TCP(CS_NEW, CS_NEW | CS_INVALID, TCP_SYN, TCP_SYN | TCP_ACK, NWF_CT_MARK_ANSWERED,
        NWF_CT_MARK_ANSWERED, NWF_STRAY_DOUBT), /* It was answered by what is no SYN,ACK. */

    /* A reset, an end, and a segment without any flag begin no connection (Linux, net/
     * netfilter/nf_conntrack_proto_tcp.c). */
    TCP(CS_NEW, CS_NEW | CS_INVALID, TCP_RST, TCP_RST, 0, 0, NWF_STRAY_INVALID),
    TCP(CS_NEW, CS_NEW | CS_INVALID, TCP_FIN, TCP_FIN, 0, 0, NWF_STRAY_INVALID),
    TCP(CS_NEW, CS_NEW | CS_INVALID, 0, TCP_SYN | TCP_ACK, 0, 0, NWF_STRAY_INVALID),
    /* Flags that only Linux minds. */
    TCP(0, CS_INVALID, TCP_FIN | TCP_RST, TCP_FIN | TCP_RST, 0, 0, NWF_STRAY_INVALID),
    TCP(0, CS_INVALID, TCP_URG | TCP_RST, TCP_URG | TCP_RST, 0, 0, NWF_STRAY_INVALID),
    TCP(0, CS_INVALID, TCP_URG | TCP_SYN, TCP_URG | TCP_SYN, 0, 0, NWF_STRAY_INVALID),
    /* The side that answers ends what is open, or begins what it has answered. */
    TCP(CS_REPLY_DIR, CS_INVALID | CS_REPLY_DIR, TCP_FIN, TCP_FIN, OPEN, OPEN, NWF_STRAY_INVALID),
    TCP(CS_REPLY_DIR, CS_INVALID | CS_REPLY_DIR, TCP_SYN, TCP_SYN | TCP_ACK, 0, OPEN,
        NWF_STRAY_INVALID),

    /* Open vSwitch does not know what an error is about if that is in doubt itself. */
    ICMP4(3, ANY, ERROR),
    ICMP4(4, ANY, ERROR),
    ICMP4(5, ANY, ERROR),
    ICMP4(11, ANY, ERROR),
    ICMP4(12, ANY, ERROR),
    ICMP6(1, ANY, ERROR),
    ICMP6(2, ANY, ERROR),
    ICMP6(3, ANY, ERROR),
    ICMP6(4, ANY, ERROR),
};

/* ---- Which of them a filter needs. ---- */

static bool
may_match(const struct nwf_rule_instance *instance, uint8_t proto)
{
    const struct nwf_cond *cond = nwf_rule_exact_cond(instance, NWF_F_IP_PROTO);

    return !cond || nwf_value_to_int(&cond->value) == proto;
}

/* Whether a rule tells what is invalid to Open vSwitch from what is so to Linux. */
static bool
minds_doubt(const struct nwf_rule_instance *instance)
{
    return instance->states
           && (nwf_rule_instance_drops(instance) || instance->states & NWF_STATE_INVALID);
}

static bool
any_rule(const struct nwf_side *side, enum nwf_family family, uint8_t proto,
         bool (*is)(const struct nwf_rule_instance *instance))
{
    for (size_t i = 0; i < side->ip[family].n; i++) {
        const struct nwf_rule_instance *instance = &side->rules.data[side->ip[family].data[i]];
        if (is(instance) && may_match(instance, proto)) {
            return true;
        }
    }
    return false;
}

bool
nwf_builder_tracks_tcp(const struct nwf_builder *b, enum nwf_family family)
{
    return any_rule(&b->program->side[NWF_OUT], family, IPPROTO_TCP, nwf_rule_instance_is_stateful)
           || any_rule(&b->program->side[NWF_IN], family, IPPROTO_TCP,
                       nwf_rule_instance_is_stateful);
}

static bool
is_needed(const struct nwf_builder *b, enum nwf_family family, const struct kind *kind)
{
    return kind->ct.value & CS_INVALID ? any_rule(b->side, family, kind->proto, minds_doubt)
                                       : nwf_builder_tracks_tcp(b, family);
}

/* ---- The stage. ---- */

static void
match_kind(const struct kind *kind, uint16_t eth_type, struct match *match)
{
    bool no_flags = kind->flags.mask && !kind->flags.value;

    match_init_catchall(match);
    nwf_match_set_eth_type(match, eth_type);
    match_set_nw_proto(match, kind->proto);
    /* A first fragment may end before its flags, which then read as none. */
    match_set_nw_frag_masked(match, 0, no_flags ? FLOW_NW_FRAG_MASK : FLOW_NW_FRAG_LATER);
    match_set_ct_state_masked(match, CS_TRACKED | kind->ct.value, CS_TRACKED | kind->ct.mask);
    match_set_ct_mark_masked(match, kind->mark.value, kind->mark.mask);
    match_set_tcp_flags_masked(match, htons(kind->flags.value), htons(kind->flags.mask));
    if (kind->type != ANY) {
        match_set_icmp_type(match, (uint8_t) kind->type);
    }
    if (kind->code != ANY) {
        match_set_icmp_code(match, (uint8_t) kind->code);
    }
    if (kind->src_port != ANY) {
        match_set_tp_src(match, htons((uint16_t) kind->src_port));
    }
    if (kind->dst_port != ANY) {
        match_set_tp_dst(match, htons((uint16_t) kind->dst_port));
    }
}

static void
push(struct nwf_builder *b, const struct match *match, enum nwf_stray stray, unsigned int level)
{
    struct nwf_row row = {
        .match = *match,
        .verdict = NWF_V_SET,
        .target = b->stages->list.n,
        .rule = NWF_RULE_END,
        .set = {.reg = NWF_REG_STRAY, .value = stray, .mask = UINT32_MAX, .level = level},
    };

    nwf_vec_push(&nwf_builder_last(b)->rows, row);
    b->n_rows++;
}

void
nwf_builder_emit_stray(struct nwf_builder *b, enum nwf_family family, uint16_t eth_type)
{
    struct match match;
    unsigned int level = 1;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct kind *kind = &kinds[i];

        level += i && kind->stray != kind[-1].stray;
        if ((!kind->eth_type || kind->eth_type == eth_type) && is_needed(b, family, kind)) {
            match_kind(kind, eth_type, &match);
            push(b, &match, kind->stray, level);
        }
    }
    match_init_catchall(&match);
    push(b, &match, NWF_STRAY_NONE, 0);
}
