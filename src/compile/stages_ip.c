/* SPDX-License-Identifier: Apache-2.0
 *
 * The IP layers as stages, behind those of the Ethernet layer:
 *
 *   by family     untagged IPv4, untagged IPv6; all else is accepted
 *   (conntrack)   if a rule of the family, in either direction, asks for a state
 *   (mark)        an answer marks its connection, if a rule tells "new" from "established"
 *                 or asks for a state of TCP
 *   (stray)       what conntrack does not tell, or not as Linux does (stray.c)
 *   the rules     first match; in the end accept
 *   (commit)      what is accepted and new begins a connection; fragments wait until all
 *                 of their packet have been accepted
 *   (joined)      so they have
 *
 * libvirt's iptables rules see what a bridge forwards, and what a guest sends to the host;
 * not what the host sends to a guest.  Its connections are tracked all the same. */
#include <config.h>

#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "builder.h"
#include "nwf/pipeline.h"

#include "lib/packets.h"

static const uint16_t eth_types[NWF_N_FAMILIES] = {
    [NWF_FAMILY_IPV4] = 0x0800,
    [NWF_FAMILY_IPV6] = 0x86dd,
};

/* ---- What the rules of both directions need. ---- */

static bool
any_rule(const struct nwf_program *program, enum nwf_family family,
         bool (*is)(const struct nwf_rule_instance *instance))
{
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        const struct nwf_side *side = &program->side[d];
        for (size_t i = 0; i < side->ip[family].n; i++) {
            if (is(&side->rules.data[side->ip[family].data[i]])) {
                return true;
            }
        }
    }
    return false;
}

/* Whether it tells connections that have been answered from those that have not. */
static bool
asks_for_answer(const struct nwf_rule_instance *instance)
{
    bool is_new = instance->states & NWF_STATE_NEW;
    bool established = instance->states & NWF_STATE_ESTABLISHED;

    return instance->ct_direction == NWF_CT_ANY && is_new != established;
}

static bool
is_tracked(const struct nwf_builder *b, enum nwf_family family)
{
    return any_rule(b->program, family, nwf_rule_instance_is_stateful);
}

static bool
has_family(const struct nwf_builder *b, enum nwf_family family)
{
    return b->side->ip[family].n || is_tracked(b, family);
}

bool
nwf_builder_has_ip(const struct nwf_builder *b)
{
    return has_family(b, NWF_FAMILY_IPV4) || has_family(b, NWF_FAMILY_IPV6);
}

/* ---- Stages. ---- */

static int
emit(struct nwf_builder *b, const struct match *match, enum nwf_verdict verdict, size_t target,
     struct nwf_error *err)
{
    const struct nwf_emission emission = {
        .verdict = verdict, .target = target, .rule = NWF_RULE_END};

    return nwf_builder_emit(b, match, &emission, err);
}

static int
emit_rest(struct nwf_builder *b, enum nwf_verdict verdict, size_t target, struct nwf_error *err)
{
    struct match all;

    match_init_catchall(&all);
    return emit(b, &all, verdict, target, err);
}

/* Linux does not track neighbour discovery and group membership (net/netfilter/
 * nf_conntrack_proto_icmpv6.c): they are of no state.  To Open vSwitch they are invalid. */
static int
emit_untracked(struct nwf_builder *b, struct nwf_error *err)
{
    static const uint8_t types[] = {
        MLD_LISTENER_QUERY, MLD_LISTENER_REPORT, MLD_LISTENER_REDUCTION, ND_ROUTER_SOLICIT,
        ND_ROUTER_ADVERT,   ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT,     143, /* MLDv2 report */
    };
    int r = 0;

    for (size_t i = 0; !r && i < sizeof types; i++) {
        struct match match;

        match_init_catchall(&match);
        nwf_match_set_eth_type(&match, eth_types[NWF_FAMILY_IPV6]);
        match_set_nw_proto(&match, IPPROTO_ICMPV6);
        match_set_nw_frag_masked(&match, 0, FLOW_NW_FRAG_LATER);
        match_set_icmp_type(&match, types[i]);
        r = emit(b, &match, NWF_V_GOTO, NWF_TARGET_UNTRACKED - 2 * NWF_FAMILY_IPV6, err);
    }
    return r;
}

/* Each family's targets are placeholders of their own. */
static int
emit_by_family(struct nwf_builder *b, struct nwf_error *err)
{
    int r;

    for (int f = 0; f < NWF_N_FAMILIES; f++) {
        enum nwf_family family = (enum nwf_family) f;
        bool tracked = is_tracked(b, family);
        size_t target = tracked ? NWF_TARGET_TRACKED : NWF_TARGET_UNTRACKED;
        struct match match;

        if (!has_family(b, family)) {
            continue;
        }
        if (tracked && family == NWF_FAMILY_IPV6 && (r = emit_untracked(b, err))) {
            return r;
        }
        match_init_catchall(&match);
        nwf_match_set_eth_type(&match, eth_types[family]);
        target -= 2 * (size_t) f;
        if ((r = emit(b, &match, tracked ? NWF_V_TRACK : NWF_V_GOTO, target, err))) {
            return r;
        }
    }
    return emit_rest(b, NWF_V_ACCEPT, 0, err);
}

/* Packets of a tracked family. */
static void
match_tracked(int family, uint32_t state, uint32_t mask, struct match *match)
{
    match_init_catchall(match);
    nwf_match_set_eth_type(match, eth_types[family]);
    match_set_ct_state_masked(match, CS_TRACKED | state, CS_TRACKED | mask);
}

/* Of a TCP segment that is not a later fragment. */
static void
match_tcp(uint16_t flags, uint16_t mask, struct match *match)
{
    match_set_nw_proto(match, IPPROTO_TCP);
    match_set_nw_frag_masked(match, 0, FLOW_NW_FRAG_LATER);
    match_set_tcp_flags_masked(match, htons(flags), htons(mask));
}

static int
emit_mark_row(struct nwf_builder *b, const struct match *match, enum nwf_verdict verdict,
              uint32_t mark, uint32_t mask, struct nwf_error *err)
{
    int r = emit(b, match, verdict, b->stages->list.n, err);

    if (!r) {
        struct nwf_stage *stage = nwf_builder_last(b);
        stage->rows.data[stage->rows.n - 1].mark.value = mark;
        stage->rows.data[stage->rows.n - 1].mark.mask = mask;
    }
    return r;
}

static int
emit_mark(struct nwf_builder *b, enum nwf_family family, struct nwf_error *err)
{
    const uint32_t both = NWF_CT_MARK_ANSWERED | NWF_CT_MARK_OPEN;
    struct match answer, handshake;
    int r;

    match_tracked(family, CS_REPLY_DIR, CS_REPLY_DIR | CS_INVALID | CS_RELATED, &answer);
    if (nwf_builder_tracks_tcp(b, family)) {
        handshake = answer;
        match_tcp(TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK, &handshake);
        match_set_ct_mark_masked(&handshake, NWF_CT_MARK_OPEN, NWF_CT_MARK_OPEN);
        if ((r = emit_mark_row(b, &handshake, NWF_V_MARK, NWF_CT_MARK_ANSWERED, both, err))) {
            return r;
        }
    }
    if (!any_rule(b->program, family, asks_for_answer)) {
        match_set_nw_proto(&answer, IPPROTO_TCP); /* Only its handshakes matter. */
    }
    match_set_ct_mark_masked(&answer, 0, NWF_CT_MARK_ANSWERED);
    if ((r = emit_mark_row(b, &answer, NWF_V_MARK, NWF_CT_MARK_ANSWERED, NWF_CT_MARK_ANSWERED,
                           err))) {
        return r;
    }
    return emit_rest(b, NWF_V_GOTO, b->stages->list.n, err);
}

static int
emit_rules(struct nwf_builder *b, enum nwf_family family, struct nwf_error *err)
{
    struct match match;
    bool returns = false;
    int r;

    if (b->direction == NWF_IN) {
        match_init_catchall(&match);
        match_set_in_port(&match, OFPP_LOCAL);
        if ((r = emit(b, &match, NWF_V_ACCEPT, 0, err))) {
            return r;
        }
        nwf_builder_last(b)->rows.data[0].why = NWF_WHY_HOST;
    }
    for (size_t i = 0; i < b->side->ip[family].n; i++) {
        uint32_t id = (uint32_t) b->side->ip[family].data[i];

        if ((r = nwf_builder_emit_rule(b, NULL, id, &returns, err))) {
            return r;
        }
    }
    return emit_rest(b, NWF_V_ACCEPT, 0, err);
}

static int
emit_family(struct nwf_builder *b, size_t first, enum nwf_family family, struct nwf_error *err)
{
    size_t shift = 2 * (size_t) family;
    int r;

    b->tracked = is_tracked(b, family);
    nwf_builder_new_stage(b);
    if (b->tracked
        && (any_rule(b->program, family, asks_for_answer) || nwf_builder_tracks_tcp(b, family))) {
        nwf_builder_resolve(b, first, NWF_TARGET_TRACKED - shift);
        if ((r = emit_mark(b, family, err))) {
            return r;
        }
        nwf_builder_new_stage(b);
    }
    nwf_builder_resolve(b, first, NWF_TARGET_TRACKED - shift);
    if (b->tracked) {
        nwf_builder_emit_stray(b, family, eth_types[family]);
        nwf_builder_new_stage(b);
    }
    nwf_builder_resolve(b, first, NWF_TARGET_UNTRACKED - shift);
    return emit_rules(b, family, err);
}

/* Fragments that conntrack has put together, and all others. */
static int
emit_fragments(struct nwf_builder *b, int family, enum nwf_verdict verdict, size_t target,
               struct nwf_error *err)
{
    struct match match;
    int r;

    match_tracked(family, 0, CS_INVALID, &match);
    match_set_nw_frag_masked(&match, FLOW_NW_FRAG_ANY, FLOW_NW_FRAG_ANY);
    if ((r = emit(b, &match, verdict, target, err))) {
        return r;
    }
    match_init_catchall(&match);
    nwf_match_set_eth_type(&match, eth_types[family]);
    match_set_nw_frag_masked(&match, FLOW_NW_FRAG_ANY, FLOW_NW_FRAG_ANY);
    return emit(b, &match, NWF_V_DROP, 0, err);
}

/* What is accepted and new. */
static void
match_new(int family, struct match *match)
{
    match_tracked(family, CS_NEW, CS_NEW | CS_INVALID | CS_RELATED, match);
    match_set_reg(match, NWF_REG_STRAY, NWF_STRAY_NONE);
}

/* A connection that a SYN begins is marked until it is answered, or refused. */
static int
emit_handshake(struct nwf_builder *b, enum nwf_family family, struct nwf_error *err)
{
    struct match match;
    int r;

    if (!nwf_builder_tracks_tcp(b, family)) {
        return 0;
    }
    match_new(family, &match);
    match_tcp(TCP_SYN, TCP_SYN | TCP_ACK, &match);
    if ((r = emit_mark_row(b, &match, NWF_V_COMMIT, NWF_CT_MARK_OPEN, NWF_CT_MARK_OPEN, err))) {
        return r;
    }
    match_tracked(family, 0, CS_INVALID, &match);
    match_tcp(TCP_RST, TCP_RST, &match);
    match_set_ct_mark_masked(&match, NWF_CT_MARK_OPEN, NWF_CT_MARK_OPEN | NWF_CT_MARK_REFUSED);
    return emit_mark_row(b, &match, NWF_V_MARK, NWF_CT_MARK_REFUSED, NWF_CT_MARK_REFUSED, err);
}

/* Fragments whose packet never came together leave the userspace datapath's conntrack with
 * the next packet that goes through it, anybody's, "invalid" and untracked (lib/ipf.c,
 * ipf_send_expired_frags()), and go where that one goes.  So every ct() goes on in a table,
 * and the tables behind drop them. */
static int
emit_commit(struct nwf_builder *b, struct nwf_error *err)
{
    int r;

    for (int f = 0; f < NWF_N_FAMILIES; f++) {
        struct match match;

        if (!is_tracked(b, (enum nwf_family) f)) {
            continue;
        }
        if ((r = emit_fragments(b, f, NWF_V_JOIN, b->stages->list.n, err))
            || (r = emit_handshake(b, (enum nwf_family) f, err))) {
            return r;
        }
        match_new(f, &match);
        if ((r = emit(b, &match, NWF_V_COMMIT, b->stages->list.n, err))) {
            return r;
        }
    }
    return emit_rest(b, NWF_V_ACCEPT, 0, err);
}

static int
emit_joined(struct nwf_builder *b, struct nwf_error *err)
{
    int r;

    for (int f = 0; f < NWF_N_FAMILIES; f++) {
        if (is_tracked(b, (enum nwf_family) f)
            && (r = emit_fragments(b, f, NWF_V_ACCEPT, 0, err))) {
            return r;
        }
    }
    return emit_rest(b, NWF_V_ACCEPT, 0, err);
}

int
nwf_builder_emit_ip(struct nwf_builder *b, struct nwf_error *err)
{
    bool tracked = is_tracked(b, NWF_FAMILY_IPV4) || is_tracked(b, NWF_FAMILY_IPV6);

    /* What the Ethernet layer accepts comes here. */
    nwf_builder_new_stage(b);
    nwf_builder_resolve(b, 0, NWF_TARGET_ACCEPT);
    b->accept_goes_on = false;
    size_t first = b->stages->list.n - 1;
    int r;

    if ((r = emit_by_family(b, err))) {
        return r;
    }
    b->accept_goes_on = tracked;
    for (int f = 0; f < NWF_N_FAMILIES; f++) {
        if (has_family(b, (enum nwf_family) f)
            && (r = emit_family(b, first, (enum nwf_family) f, err))) {
            return r;
        }
    }
    b->accept_goes_on = false;
    if (!tracked) {
        return 0;
    }
    nwf_builder_new_stage(b);
    nwf_builder_resolve(b, first, NWF_TARGET_ACCEPT);
    if ((r = emit_commit(b, err))) {
        return r;
    }
    nwf_builder_new_stage(b);
    return emit_joined(b, err);
}
