/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that Open vSwitch does not look into.
 *
 * Fields of a packet that is cut short or whose lengths contradict, or of ARP for other
 * networks than Ethernet and IPv4, read as zero; so do the ports of a TCP header that is
 * not all there, as in a first fragment of eight bytes, and the protocol of IPv6 that
 * ends inside of an extension header, where libvirt sees them.  A rule must not accept
 * such a frame because zero happens to satisfy it ("not from 10.0.0.1").  And where
 * libvirt would have looked into what we cannot look into, a rule that may drop the
 * frame, or may send it past the rest of its chain, leaves us in doubt; a frame in doubt
 * is dropped. */
#include <config.h>

#include "opaque.h"

#include <errno.h>
#include <netinet/in.h>

#include "rule_query.h"

static bool
is_zero(const struct nwf_value *value)
{
    struct nwf_value zero = {.len = value->len};

    return nwf_value_equal(value, &zero);
}

/* Open vSwitch reads an IPv6 packet's DSCP with its protocol, behind the extension headers. */
static enum nwf_depth
depth_of(const struct nwf_rule_instance *instance, const struct nwf_cond *cond)
{
    return cond->field == NWF_F_IP_DSCP && nwf_rule_eth_type(instance) == 0x86dd
               ? NWF_DEPTH_PROTOCOL
               : nwf_field_depth(cond->field);
}

/* Whether the condition holds for a field that reads as zero. */
static bool
holds_for_zero(const struct nwf_rule_instance *instance, const struct nwf_cond *cond)
{
    const struct nwf_cond *code = nwf_rule_negated_code(instance, cond);

    if (code) {
        return !is_zero(&cond->value) || !is_zero(&code->value);
    }
    switch (cond->field) {
    case NWF_F_ARP_HTYPE:
    case NWF_F_ARP_PTYPE:
        return true; /* Of no effect on the match. */
    case NWF_F_ARP_GRATUITOUS:
        return true; /* Both addresses are the one that is given beside it. */
    case NWF_F_ICMP_CODE:
        if (cond->negated) {
            return true; /* Its type says it. */
        }
        break;
    default:
        break;
    }
    nwf_vec_foreach (m, &cond->list) {
        if (is_zero(&m->value)) {
            return true;
        }
    }
    return !cond->list.n && is_zero(&cond->value) != cond->negated;
}

/* Narrows *match to frames whose 'layer' reads as zero.  No packet that was parsed
 * has protocol 0: in IPv6 that is a header that another follows; "opcode" of ARP is
 * the same field. */
static void
match_zero(const struct nwf_rule_instance *instance, enum nwf_depth layer, struct match *match)
{
    const struct nwf_cond *proto = nwf_rule_exact_cond(instance, NWF_F_IP_PROTO);

    if (layer == NWF_DEPTH_TRANSPORT) {
        match_set_nw_frag_masked(match, 0, FLOW_NW_FRAG_LATER);
        match_set_tp_src(match, htons(0));
        match_set_tp_dst(match, htons(0));
        if (proto && nwf_value_to_int(&proto->value) == IPPROTO_TCP) {
            match_set_tcp_flags(match, htons(0));
        }
        return;
    }
    match_set_nw_proto(match, 0);
    if (layer == NWF_DEPTH_PACKET && nwf_rule_eth_type(instance) == 0x0800) {
        /* Of a network that nobody is in (RFC 6890); all bits of it, and those of the destination,
         * would be looked at in other packets too, and make masks. */
        match_set_nw_src_masked(match, htonl(0), htonl(0xff000000));
    } else if (layer == NWF_DEPTH_PACKET && nwf_rule_eth_type(instance) == 0x86dd) {
        /* One that ends inside of an extension header has its addresses. */
        match_set_ipv6_src(match, &in6addr_any);
        match_set_ipv6_dst(match, &in6addr_any);
    }
}

/* The rule without what it says of 'layer' and what is further inside. */
static int
match_outside(const struct nwf_rule_instance *instance, enum nwf_depth layer,
              const struct nwf_sets *sets, struct nwf_matches *ret, struct nwf_error *err)
{
    struct match all;
    bool fits = true;

    match_init_catchall(&all);
    nwf_vec_push(ret, all);
    nwf_vec_foreach (cond, &instance->conds) {
        struct nwf_matches list = {.data = NULL};

        if (depth_of(instance, cond) < layer && !cond->negated && cond->field != NWF_F_MATCH) {
            nwf_sets_cond_matches(sets, instance, cond, &list);
            fits = fits && nwf_matches_multiply(ret, &list);
        }
        nwf_vec_clear(&list);
    }
    return fits ? 0
                : nwf_rule_fail(instance, err, -E2BIG,
                                "the ranges of this rule need too many flows", NULL);
}

/* What a rule asks of a layer, and of those inside of it. */
struct inside {
    bool asked;
    bool zero_satisfies;
};

static struct inside
look_inside(const struct nwf_rule_instance *instance, enum nwf_depth layer)
{
    struct inside inside = {.zero_satisfies = true};

    nwf_vec_foreach (cond, &instance->conds) {
        if (depth_of(instance, cond) >= layer) {
            inside.asked = true;
            inside.zero_satisfies &= holds_for_zero(instance, cond);
        }
    }
    return inside;
}

static int
handle_layer(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance,
             enum nwf_depth layer, const struct nwf_sets *sets, struct nwf_error *err)
{
    enum nwf_action action = instance->rule->action;
    struct inside inside = look_inside(instance, layer);
    bool in_doubt = action != NWF_ACCEPT;
    struct nwf_matches outside = {.data = NULL};
    struct match zero;
    int r = 0;

    match_init_catchall(&zero);
    match_zero(instance, layer, &zero);
    if (inside.asked && !in_doubt && inside.zero_satisfies) {
        nwf_vec_push(&m->except, zero);
    } else if (inside.asked && in_doubt) {
        r = match_outside(instance, layer, sets, &outside, err);
        nwf_vec_foreach (match, &outside) {
            match_zero(instance, layer, match);
            nwf_vec_push(&m->doubt, *match);
        }
        m->doubt_first |= inside.zero_satisfies && outside.n;
    }
    nwf_vec_clear(&outside);
    return r;
}

/* Of a later fragment of IPv6, Open vSwitch does not see the protocol, as ip6tables does. */
static int
handle_later_ipv6(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance,
                  const struct nwf_sets *sets, struct nwf_error *err)
{
    const struct nwf_protocol *protocol = instance->rule->protocol;
    bool drops = nwf_rule_instance_drops(instance);
    struct nwf_matches outside = {.data = NULL};

    if (!protocol || protocol->layer != NWF_IPV6 || !protocol->has_ip_proto || !drops
        || look_inside(instance, NWF_DEPTH_TRANSPORT).asked) {
        return 0;
    }
    int r = match_outside(instance, NWF_DEPTH_PROTOCOL, sets, &outside, err);
    nwf_vec_foreach (match, &outside) {
        match_set_nw_frag_masked(match, FLOW_NW_FRAG_MASK, FLOW_NW_FRAG_MASK);
        nwf_vec_push(&m->doubt, *match);
    }
    nwf_vec_clear(&outside);
    return r;
}

int
nwf_rule_handle_opaque(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance,
                       bool tracked, const struct nwf_sets *sets, struct nwf_error *err)
{
    int r;

    if ((r = handle_layer(m, instance, NWF_DEPTH_PACKET, sets, err))
        || (!tracked && (r = handle_later_ipv6(m, instance, sets, err)))) {
        return r;
    }
    /* A packet that ends inside of extension headers has addresses, and no more. */
    if (nwf_rule_eth_type(instance) == 0x86dd
        && (r = handle_layer(m, instance, NWF_DEPTH_PROTOCOL, sets, err))) {
        return r;
    }
    /* Zeros are an ordinary answer to a ping; and what is shorter is no message at all. */
    bool is_icmp = instance->rule->protocol && instance->rule->protocol->layer == NWF_IPV4
                   && instance->rule->protocol->ip_proto == IPPROTO_ICMP;
    return is_icmp ? 0 : handle_layer(m, instance, NWF_DEPTH_TRANSPORT, sets, err);
}
