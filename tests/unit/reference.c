/* SPDX-License-Identifier: Apache-2.0
 *
 * See reference.h.  Where ebtables finds no such field in a frame, a condition does not
 * hold, and its contrary does not either. */
#include "reference.h"

#include <netinet/in.h>

#include "nwf/pipeline.h"

/* ---- Fields. ---- */

static bool
is_ipv6(const struct frame *f)
{
    return f->eth_type == 0x86dd;
}

static bool
take_bytes(struct nwf_value *ret, const void *bytes, uint8_t len)
{
    *ret = (struct nwf_value){.len = len};
    memcpy(ret->bytes, bytes, len);
    return true;
}

static bool
take_number(struct nwf_value *ret, uint32_t n, uint8_t len)
{
    *ret = nwf_value_from_int(n, len);
    return true;
}

static bool
ethernet_field(const struct frame *f, enum nwf_field field, struct nwf_value *ret)
{
    switch ((int) field) {
    case NWF_F_ETH_SRC:
        return take_bytes(ret, f->src, 6);
    case NWF_F_ETH_DST:
        return take_bytes(ret, f->dst, 6);
    case NWF_F_ETH_TYPE:
        return take_number(ret, f->tagged ? 0x8100 : f->eth_type, 2);
    case NWF_F_VLAN_ID:
        return f->tagged && take_number(ret, f->tci & 0xfff, 2);
    case NWF_F_VLAN_ENCAP:
        return f->tagged && take_number(ret, f->eth_type, 2);
    default:
        return false;
    }
}

static bool
arp_field(const struct frame *f, enum nwf_field field, struct nwf_value *ret)
{
    /* Addresses count if the packet says that they are IPv4's. */
    bool has_ip = f->ptype == 0x0800;

    if (!frame_is_arp(f) || f->oddity == CUT_SHORT) {
        return false;
    }
    switch ((int) field) {
    case NWF_F_ARP_HTYPE:
        return take_number(ret, f->htype, 2);
    case NWF_F_ARP_PTYPE:
        return take_number(ret, f->ptype, 2);
    case NWF_F_ARP_OP:
        return take_number(ret, f->op, 2);
    case NWF_F_ARP_SHA:
        return take_bytes(ret, f->sha, 6);
    case NWF_F_ARP_THA:
        return take_bytes(ret, f->tha, 6);
    case NWF_F_ARP_SPA:
        return has_ip && take_bytes(ret, f->spa, 4);
    case NWF_F_ARP_TPA:
        return has_ip && take_bytes(ret, f->tpa, 4);
    case NWF_F_ARP_GRATUITOUS:
        return has_ip && take_number(ret, !memcmp(f->spa, f->tpa, 4), 1);
    default:
        return false;
    }
}

/* The IPv6 protocol is that behind the extension headers; a later fragment has none. */
static bool
protocol_field(const struct frame *f, struct nwf_value *ret)
{
    return take_number(
        ret, is_ipv6(f) && f->fragment == LATER_FRAGMENT ? IPPROTO_FRAGMENT : f->proto, 1);
}

static bool
ip_field(const struct frame *f, enum nwf_field field, struct nwf_value *ret)
{
    bool has_transport = f->fragment != LATER_FRAGMENT && f->oddity != CUT_EXTENSION;

    if ((f->eth_type != 0x0800 && !is_ipv6(f)) || f->oddity == CUT_SHORT) {
        return false;
    }
    switch ((int) field) {
    case NWF_F_IP4_SRC:
    case NWF_F_IP6_SRC:
        return take_bytes(ret, f->ip_src, is_ipv6(f) ? 16 : 4);
    case NWF_F_IP4_DST:
    case NWF_F_IP6_DST:
        return take_bytes(ret, f->ip_dst, is_ipv6(f) ? 16 : 4);
    case NWF_F_IP_PROTO:
        return protocol_field(f, ret);
    case NWF_F_IP_DSCP:
        return take_number(ret, f->dscp, 1);
    case NWF_F_PORT_SRC:
        return has_transport && take_number(ret, f->src_port, 2);
    case NWF_F_PORT_DST:
        return has_transport && take_number(ret, f->dst_port, 2);
    case NWF_F_ICMP_TYPE:
        return has_transport && take_number(ret, f->icmp_type, 1);
    case NWF_F_ICMP_CODE:
        return has_transport && take_number(ret, f->icmp_code, 1);
    case NWF_F_TCP_FLAGS:
        return has_transport && take_number(ret, frame_tcp_flags(f), 2);
    default:
        return false;
    }
}

/* ---- Conditions and rules. ---- */

static bool
is_under(const struct nwf_masked *m, const struct nwf_value *value)
{
    for (int i = 0; i < value->len; i++) {
        if ((value->bytes[i] ^ m->value.bytes[i]) & m->mask.bytes[i]) {
            return false;
        }
    }
    return true;
}

static bool
is_in(const struct nwf_cond *cond, const struct nwf_value *value)
{
    nwf_vec_foreach (m, &cond->list) {
        if (is_under(m, value)) {
            return true;
        }
    }
    if (cond->list.n) {
        return false;
    }
    if (cond->is_range) {
        return memcmp(value->bytes, cond->value.bytes, value->len) >= 0
               && memcmp(value->bytes, cond->last.bytes, value->len) <= 0;
    }
    return is_under(&(struct nwf_masked){cond->value, cond->mask}, value);
}

static bool
cond_holds(const struct nwf_cond *cond, const struct frame *frame)
{
    struct nwf_value value;

    if (!ethernet_field(frame, cond->field, &value) && !arp_field(frame, cond->field, &value)
        && !ip_field(frame, cond->field, &value)) {
        return false;
    }
    /* "No next header" is a protocol to be named, but is no other one than named. */
    if (cond->field == NWF_F_IP_PROTO && cond->negated && is_ipv6(frame)
        && frame->proto == IPPROTO_NONE && frame->fragment != LATER_FRAGMENT) {
        return false;
    }
    return is_in(cond, &value) != cond->negated;
}

/* iptables negates an ICMP type and its code as one: "! --icmp-type 8/0". */
static bool
negated_code_holds(const struct nwf_rule_instance *instance, const struct nwf_cond *type,
                   const struct frame *frame)
{
    nwf_vec_foreach (cond, &instance->conds) {
        if (type->field == NWF_F_ICMP_TYPE && cond->field == NWF_F_ICMP_CODE && type->negated
            && cond->negated && cond->element == type->element && cond_holds(cond, frame)) {
            return true;
        }
    }
    return false;
}

static bool
rule_matches(const struct nwf_rule_instance *instance, const struct frame *frame)
{
    nwf_vec_foreach (cond, &instance->conds) {
        bool is_code = cond->field == NWF_F_ICMP_CODE && cond->negated;
        if (!is_code && !cond_holds(cond, frame) && !negated_code_holds(instance, cond, frame)) {
            return false;
        }
    }
    return true;
}

static bool
guard_matches(const struct nwf_protocol *guard, const struct frame *frame)
{
    struct nwf_cond cond;

    if (!guard || guard->implied == NWF_F_NONE) {
        return true;
    }
    cond = (struct nwf_cond){.field = guard->implied,
                             .value = guard->implied_value,
                             .mask = nwf_value_ones(guard->implied_value.len)};
    return cond_holds(&cond, frame);
}

/* ---- The walk. ---- */

enum step { ACCEPT, DROP, RETURN, NEXT };

static enum step
walk_rule(const struct nwf_side *side, size_t id, const struct frame *frame)
{
    const struct nwf_rule_instance *instance = &side->rules.data[id];

    if (!rule_matches(instance, frame)) {
        return NEXT;
    }
    switch (instance->rule->action) {
    case NWF_ACCEPT:
        return ACCEPT;
    case NWF_DROP:
    case NWF_REJECT:
        return DROP;
    case NWF_RETURN:
        return RETURN;
    case NWF_CONTINUE:
        break;
    }
    return NEXT;
}

/* A chain's end accepts. */
static enum step
walk_chain(const struct nwf_side *side, const struct nwf_pchain *chain, const struct frame *frame,
           uint32_t *rule)
{
    if (!guard_matches(chain->type->guard, frame)) {
        return NEXT;
    }
    nwf_vec_foreach (id, &chain->rules) {
        enum step step = walk_rule(side, *id, frame);
        if (step != NEXT) {
            *rule = (uint32_t) *id;
            return step == RETURN ? NEXT : step;
        }
    }
    *rule = NWF_RULE_END;
    return ACCEPT;
}

struct verdict
reference_verdict(const struct nwf_side *side, const struct frame *frame)
{
    nwf_vec_foreach (item, &side->root) {
        uint32_t rule = (uint32_t) item->index;
        enum step step = item->is_chain
                             ? walk_chain(side, &side->chains.data[item->index], frame, &rule)
                             : walk_rule(side, item->index, frame);
        /* "return" leaves the root list as well, and there is nothing behind it. */
        if (step != NEXT) {
            return (struct verdict){.accepted = step != DROP, .rule = rule};
        }
    }
    return (struct verdict){.accepted = true, .rule = NWF_RULE_END};
}

/* ---- The IP layers. ---- */

static bool
is_stateful(const struct nwf_program *program, enum nwf_family family)
{
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        const struct nwf_side *side = &program->side[d];
        for (size_t i = 0; i < side->ip[family].n; i++) {
            if (side->rules.data[side->ip[family].data[i]].states) {
                return true;
            }
        }
    }
    return false;
}

static bool
is_one_of(uint8_t type, const uint8_t *types, size_t n)
{
    return memchr(types, type, n) != NULL;
}

/* What is invalid to Open vSwitch, and may be of any state to Linux. */
static bool
is_in_doubt(const struct frame *f)
{
    static const uint8_t icmp[] = {8, 13, 15, 17, 18, 0, 14, 16};
    static const uint8_t icmpv6[] = {128, 139, 140, 151, 152, 153, 129};

    if (f->connection != CONN_INVALID || f->oddity != CLEAR) {
        return false;
    }
    switch (f->proto) {
    case IPPROTO_TCP:
        return true; /* See frame_tcp_flags(). */
    case IPPROTO_UDP:
        return !f->src_port || !f->dst_port;
    case IPPROTO_ICMP: /* An answer of code 0 is one only to a question. */
        return !is_ipv6(f) && is_one_of(f->icmp_type, icmp, f->icmp_code ? 8 : 5);
    case IPPROTO_ICMPV6:
        return is_ipv6(f) && is_one_of(f->icmp_type, icmpv6, f->icmp_code ? 7 : 6);
    default:
        return false;
    }
}

/* An error that may be about what is in doubt. */
static bool
is_odd_error(const struct frame *f)
{
    static const uint8_t icmp[] = {3, 4, 5, 11, 12}, icmpv6[] = {1, 2, 3, 4};

    return f->connection == CONN_INVALID && f->oddity == CLEAR
           && (is_ipv6(f) ? f->proto == IPPROTO_ICMPV6 && is_one_of(f->icmp_type, icmpv6, 4)
                          : f->proto == IPPROTO_ICMP && is_one_of(f->icmp_type, icmp, 5));
}

static bool
state_fits(const struct nwf_rule_instance *instance, const struct frame *f)
{
    static const uint8_t states[N_CONNECTIONS] = {
        [CONN_NEW] = NWF_STATE_NEW,
        [CONN_AGAIN] = NWF_STATE_ESTABLISHED,
        [CONN_ANSWER] = NWF_STATE_ESTABLISHED,
        [CONN_RELATED] = NWF_STATE_RELATED,
        [CONN_INVALID] = NWF_STATE_INVALID,
    };
    bool is_answer = f->connection == CONN_ANSWER;

    if (!instance->states) {
        return true;
    }
    if (is_in_doubt(f)) {
        return nwf_rule_instance_drops(instance);
    }
    if (is_odd_error(f) && nwf_rule_instance_drops(instance)
        && instance->states & NWF_STATE_RELATED) {
        return true;
    }
    return !frame_is_untracked(f) && (instance->states & states[f->connection])
           && (instance->ct_direction == NWF_CT_ANY
               || (instance->ct_direction == NWF_CT_REPLY) == is_answer);
}

static bool
asks_for_header(const struct nwf_rule_instance *instance)
{
    nwf_vec_foreach (cond, &instance->conds) {
        if ((cond->field >= NWF_F_PORT_SRC && cond->field <= NWF_F_ICMP_CODE)
            || cond->field == NWF_F_TCP_FLAGS) {
            return true;
        }
    }
    return false;
}

/* Where packets are tracked, they are looked at whole.  Elsewhere a later fragment has a
 * protocol, in IPv6 too, and no more. */
static bool
ip_rule_matches(const struct nwf_rule_instance *instance, const struct frame *frame, bool tracked)
{
    struct frame whole = *frame;

    if (!tracked && frame->fragment == LATER_FRAGMENT && asks_for_header(instance)) {
        return false;
    }
    whole.fragment = WHOLE;
    return state_fits(instance, frame) && rule_matches(instance, &whole);
}

bool
reference_is_tracked(const struct nwf_program *program, const struct frame *frame)
{
    return is_stateful(program, is_ipv6(frame) ? NWF_FAMILY_IPV6 : NWF_FAMILY_IPV4);
}

struct verdict
reference_verdict_of_all(const struct nwf_program *program, enum nwf_direction direction,
                         const struct frame *frame)
{
    const struct nwf_side *side = &program->side[direction];
    struct verdict v = reference_verdict(side, frame);
    enum nwf_family family = is_ipv6(frame) ? NWF_FAMILY_IPV6 : NWF_FAMILY_IPV4;

    if (!v.accepted || frame->tagged || (frame->eth_type != 0x0800 && !is_ipv6(frame))
        || (direction == NWF_IN && frame->from_host)) {
        return v;
    }
    for (size_t i = 0; i < side->ip[family].n; i++) {
        uint32_t id = (uint32_t) side->ip[family].data[i];
        const struct nwf_rule_instance *instance = &side->rules.data[id];
        enum nwf_action action = instance->rule->action;

        if (action != NWF_CONTINUE
            && ip_rule_matches(instance, frame, is_stateful(program, family))) {
            return (struct verdict){.accepted = action != NWF_DROP && action != NWF_REJECT,
                                    .rule = id};
        }
    }
    return v;
}
