/* SPDX-License-Identifier: Apache-2.0
 *
 * From a rule's conditions, all of which must hold, to the matches of its rows. */
#include <config.h>

#include "rule.h"

#include <errno.h>
#include <netinet/in.h>

#include "flow_text.h"
#include "nwf/pipeline.h"
#include "opaque.h"
#include "rule_query.h"

#include "lib/packets.h"

static int
fail_too_many(const struct nwf_rule_instance *instance, struct nwf_error *err)
{
    return nwf_rule_fail(instance, err, -E2BIG, "the ranges of this rule need too many flows",
                         NULL);
}

static int
multiply(struct nwf_matches *list, const struct nwf_matches *other,
         const struct nwf_rule_instance *instance, struct nwf_error *err)
{
    return nwf_matches_multiply(list, other) ? 0 : fail_too_many(instance, err);
}

/* ---- What the frame itself says. ---- */

/* Gratuitous ARP has one address on both sides; with one known, the other is too. */
static int
gratuitous(const struct nwf_rule_instance *instance, struct nwf_matches *list,
           struct nwf_error *err)
{
    const struct nwf_cond *spa = nwf_rule_exact_cond(instance, NWF_F_ARP_SPA);
    const struct nwf_cond *tpa = nwf_rule_exact_cond(instance, NWF_F_ARP_TPA);

    if (!spa && !tpa) {
        return nwf_rule_fail(instance, err, -EOPNOTSUPP,
                             "gratuitous: OpenFlow does not compare two fields; an arpsrcipaddr or "
                             "arpdstipaddr of one address beside it makes it possible",
                             NULL);
    }
    struct nwf_cond other = spa ? *spa : *tpa;
    other.field = spa ? NWF_F_ARP_TPA : NWF_F_ARP_SPA;
    nwf_cond_to_matches(&other, list);
    return 0;
}

/* The condition's matches; none if it is of no effect. */
static int
list_matches(const struct nwf_rule_instance *instance, const struct nwf_cond *cond,
             const struct nwf_sets *sets, const struct nwf_matches *beside,
             struct nwf_matches *list, struct nwf_error *err)
{
    struct match match;
    int r = 0;

    switch ((int) cond->field) {
    case NWF_F_ARP_HTYPE:
    case NWF_F_ARP_PTYPE:
        return 0; /* "Ethernet" and "IPv4": see opaque.c. */
    case NWF_F_ARP_GRATUITOUS:
        return gratuitous(instance, list, err);
    case NWF_F_MATCH:
        r = nwf_flow_text_to_match(instance, cond, beside, &match, err);
        if (!r) {
            nwf_vec_push(list, match);
        }
        return r;
    default:
        nwf_sets_cond_matches(sets, instance, cond, list);
        return 0;
    }
}

static const char *
refusal(const struct nwf_rule_instance *instance, const struct nwf_cond *cond)
{
    const struct nwf_protocol *protocol = instance->rule->protocol;

    if (protocol && protocol->layer == NWF_IPV6 && protocol->ip_proto == IPPROTO_AH) {
        return "ah-ipv6: Open vSwitch takes AH for an extension header of IPv6";
    }
    return nwf_cond_refusal(cond);
}

/* Whether the condition is about what only some fragments of a packet have.  Of IPv6 not
 * even the protocol is in all. */
static bool
is_by_view(const struct nwf_rule_instance *instance, const struct nwf_cond *cond, bool tracked)
{
    enum nwf_depth depth = nwf_field_depth(cond->field);

    return depth == NWF_DEPTH_TRANSPORT
           || (depth == NWF_DEPTH_PROTOCOL && tracked && nwf_rule_eth_type(instance) == 0x86dd);
}

static int
add_cond(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance,
         const struct nwf_cond *cond, bool tracked, const struct nwf_sets *sets,
         struct nwf_error *err)
{
    const char *cause = refusal(instance, cond);
    struct nwf_matches list = {.data = NULL};

    if (cause) {
        return nwf_rule_fail(instance, err, -EOPNOTSUPP, cause, cond);
    }
    if (is_by_view(instance, cond, tracked)) {
        return 0; /* See add_views(). */
    }
    int r = list_matches(instance, cond, sets, &m->any, &list, err);
    if (!r && cond->negated) {
        nwf_vec_foreach (match, &list) {
            nwf_vec_push(&m->except, *match);
        }
    } else if (!r && list.n) {
        r = multiply(&m->any, &list, instance, err);
    }
    nwf_vec_clear(&list);
    return r;
}

/* ---- The transport header, by fragments. ----
 *
 * Only a first fragment has it.  Without conntrack, later ones are no rule's that asks
 * for it, as in ebtables.
 *
 * iptables sees packets put together where it tracks connections, and so does Open
 * vSwitch's kernel datapath.  The userspace datapath goes on with fragments that know
 * their connection and its protocol, but not its ports.  There a later fragment gets past
 * a rule that accepts, whatever the rule says of the header; what holds it back is that no
 * fragment leaves without all others of its packet, the first included (stages_ip.c). */

static bool
asks_for_header(const struct nwf_rule_instance *instance)
{
    nwf_vec_foreach (cond, &instance->conds) {
        if (nwf_field_depth(cond->field) == NWF_DEPTH_TRANSPORT) {
            return true;
        }
    }
    return false;
}

/* Narrows 'list' to frames that are in 'frames'. */
static void
narrow(struct nwf_matches *list, const struct match *frames)
{
    size_t kept = 0;

    nwf_vec_foreach (match, list) {
        if (nwf_match_and(match, frames)) {
            list->data[kept++] = *match;
        }
    }
    list->n = kept;
}

/* The condition as the header has it; a negated ICMP type with its code. */
static bool
header_matches(const struct nwf_rule_instance *instance, const struct nwf_cond *cond,
               struct nwf_matches *ret)
{
    const struct nwf_cond *code = nwf_rule_negated_code(instance, cond);
    struct nwf_matches codes = {.data = NULL};
    bool fits = true;

    nwf_cond_to_matches(cond, ret);
    if (code) {
        nwf_cond_to_matches(code, &codes);
        fits = nwf_matches_multiply(ret, &codes);
        nwf_vec_clear(&codes);
    }
    return fits;
}

/* Frames that have the header, or no fragments at all. */
static int
add_header(struct nwf_matches *any, const struct nwf_rule_instance *instance, bool tracked,
           struct nwf_rule_matches *m, struct nwf_error *err)
{
    struct match frames;
    int r = 0;

    match_init_catchall(&frames);
    match_set_nw_frag_masked(&frames, 0, FLOW_NW_FRAG_LATER);
    narrow(any, &frames);
    nwf_vec_foreach (cond, &instance->conds) {
        struct nwf_matches list = {.data = NULL};
        if (r || !is_by_view(instance, cond, tracked)
            || (cond->negated && cond->field == NWF_F_ICMP_CODE)) {
            continue;
        }
        r = header_matches(instance, cond, &list) ? 0 : fail_too_many(instance, err);
        if (!r && !cond->negated) {
            r = multiply(any, &list, instance, err);
        }
        nwf_vec_foreach (match, &list) {
            if (cond->negated && nwf_match_and(match, &frames)) {
                nwf_vec_push(&m->except, *match);
            }
        }
        nwf_vec_clear(&list);
    }
    return r;
}

/* Later fragments, behind conntrack.  Both bits of nw_frag, as ovs-ofctl reads "later". */
static void
match_later(const struct nwf_rule_instance *instance, struct match *match)
{
    const struct nwf_cond *proto = nwf_rule_exact_cond(instance, NWF_F_IP_PROTO);

    match_init_catchall(match);
    match_set_nw_frag_masked(match, FLOW_NW_FRAG_MASK, FLOW_NW_FRAG_MASK);
    match_set_ct_state_masked(match, CS_TRACKED, CS_TRACKED | CS_INVALID);
    if (proto) {
        match_set_ct_nw_proto(match, (uint8_t) nwf_value_to_int(&proto->value));
    }
}

static int
add_views(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance, bool tracked,
          struct nwf_error *err)
{
    struct nwf_matches later = {.data = NULL};
    bool drops = nwf_rule_instance_drops(instance);
    struct match frames;
    bool asked = false;

    nwf_vec_foreach (cond, &instance->conds) {
        asked |= is_by_view(instance, cond, tracked);
    }
    if (!asked) {
        return 0;
    }
    nwf_vec_foreach (match, &m->any) {
        nwf_vec_push(&later, *match);
    }
    int r = add_header(&m->any, instance, tracked, m, err);
    if (tracked && !(drops && asks_for_header(instance))) {
        match_later(instance, &frames);
        narrow(&later, &frames);
        nwf_vec_foreach (match, &later) {
            nwf_vec_push(&m->any, *match);
        }
    }
    nwf_vec_clear(&later);
    return r;
}

/* ---- The connection. ----
 *
 * iptables calls a connection established once an answer has been seen.  Open vSwitch's
 * "est" comes with the first answer on the kernel's datapath, and sooner on the other, so
 * a bit of ct_mark notes the answer; see "mark" in stages.c. */

static void
push_state(struct nwf_matches *list, uint32_t state, uint32_t mask, int answered, int stray)
{
    struct match match;

    match_init_catchall(&match);
    match_set_ct_state_masked(&match, CS_TRACKED | state, CS_TRACKED | mask);
    if (stray >= 0) {
        match_set_reg(&match, NWF_REG_STRAY, (uint32_t) stray);
    }
    if (answered >= 0) {
        match_set_ct_mark_masked(&match, (uint32_t) answered, 1);
    }
    nwf_vec_push(list, match);
}

/* Packets of connections that are valid and not merely related. */
#define PLAIN (CS_INVALID | CS_RELATED)

/* What is in doubt is dropped by every rule that drops something of a state. */
static void
push_doubt(const struct nwf_rule_instance *instance, struct nwf_matches *list)
{
    push_state(list, 0, 0, -1, NWF_STRAY_DOUBT);
    if (instance->states & NWF_STATE_RELATED) {
        push_state(list, 0, 0, -1, NWF_STRAY_ERROR);
    }
}

static void
push_invalid(struct nwf_matches *list)
{
    push_state(list, CS_INVALID, CS_INVALID, -1, NWF_STRAY_NONE);
    push_state(list, CS_INVALID, CS_INVALID, -1, NWF_STRAY_ERROR);
    push_state(list, 0, CS_INVALID, -1, NWF_STRAY_INVALID);
}

static void
state_matches(const struct nwf_rule_instance *instance, struct nwf_matches *list)
{
    bool is_new = instance->states & NWF_STATE_NEW;
    bool established = instance->states & NWF_STATE_ESTABLISHED;

    if (instance->ct_direction == NWF_CT_ORIGINAL) {
        push_state(list, 0, PLAIN | CS_REPLY_DIR, -1, NWF_STRAY_NONE);
    } else if (instance->ct_direction == NWF_CT_REPLY) {
        push_state(list, CS_REPLY_DIR, PLAIN | CS_REPLY_DIR, -1, NWF_STRAY_NONE);
    } else if (is_new && established) {
        push_state(list, 0, PLAIN, -1, NWF_STRAY_NONE);
    } else if (is_new) {
        push_state(list, 0, PLAIN | CS_REPLY_DIR, 0, NWF_STRAY_NONE);
    } else if (established) {
        push_state(list, CS_REPLY_DIR, PLAIN | CS_REPLY_DIR, -1, NWF_STRAY_NONE);
        push_state(list, 0, PLAIN | CS_REPLY_DIR, 1, NWF_STRAY_NONE);
    }
    if (instance->states & NWF_STATE_RELATED) {
        push_state(list, CS_RELATED, PLAIN, -1, -1);
    }
    if (instance->states & NWF_STATE_INVALID) {
        push_invalid(list);
    }
    if (nwf_rule_instance_drops(instance)) {
        push_doubt(instance, list);
    }
}

static int
add_states(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance,
           struct nwf_error *err)
{
    struct nwf_matches list CLEANUP(nwf_matches_clear) = {.data = NULL};
    int r;

    if (!instance->states) {
        return 0;
    }
    state_matches(instance, &list);
    if ((r = multiply(&m->any, &list, instance, err))) {
        return r;
    }
    return multiply(&m->doubt, &list, instance, err);
}

/* ---- All of it. ---- */

/* ebtables finds no protocol in IPv6 without a next header (59), not even "not X". */
static void
except_no_next_header(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance)
{
    nwf_vec_foreach (cond, &instance->conds) {
        if (cond->field == NWF_F_IP_PROTO && cond->negated
            && nwf_rule_eth_type(instance) == 0x86dd) {
            struct match match;

            match_init_catchall(&match);
            match_set_nw_proto(&match, IPPROTO_NONE);
            nwf_vec_push(&m->except, match);
        }
    }
}

/* A negated condition is looked at in frames that meet all others. */
static int
narrow_exceptions(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance,
                  struct nwf_error *err)
{
    struct nwf_matches narrowed = {.data = NULL};

    if (m->except.n * m->any.n > NWF_RULE_MATCHES_MAX && m->any.n > 1) {
        return fail_too_many(instance, err);
    }

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
    return 0;
}

static int
fill(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance, bool tracked,
     const struct nwf_sets *sets, struct nwf_error *err)
{
    int r;

    nwf_vec_foreach (cond, &instance->conds) {
        if ((r = add_cond(m, instance, cond, tracked, sets, err))) {
            return r;
        }
    }
    if ((r = add_views(m, instance, tracked, err))
        || (r = nwf_rule_handle_opaque(m, instance, tracked, sets, err))
        || (r = add_states(m, instance, err))) {
        return r;
    }
    except_no_next_header(m, instance);
    return narrow_exceptions(m, instance, err);
}

int
nwf_rule_matches_init(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance,
                      bool tracked, const struct nwf_sets *sets, struct nwf_error *err)
{
    struct match all;
    int r;

    memset(m, 0, sizeof *m);
    match_init_catchall(&all);
    nwf_vec_push(&m->any, all);
    if ((r = fill(m, instance, tracked, sets, err))) {
        nwf_rule_matches_finish(m);
        return r;
    }
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
