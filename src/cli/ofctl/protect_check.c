/* SPDX-License-Identifier: Apache-2.0
 *
 * What changes of flows would do to those of ours; see protect.h.  It is found out here, by the
 * rules of the switch, and not there: many changes may come at once, and the switch is asked once.
 */
#include <config.h>

#include <arpa/inet.h>
#include <string.h>

#include "nwf/pipeline.h"
#include "openvswitch/ofp-monitor.h"
#include "protection.h"

#include "lib/byte-order.h"
#include "lib/util.h"

#include "../../compile/match.h"

/* Losses that are counted. */
#define LOSSES_MAX 1000000

/* A change, and the match of it. */
struct change {
    const struct ofputil_flow_mod *mod;
    struct match match;
};

/* ---- Changes. ---- */

bool
ofctl_is_deletion(const struct ofputil_flow_mod *mod)
{
    return mod->command == OFPFC_DELETE || mod->command == OFPFC_DELETE_STRICT;
}

static bool
is_strict(const struct ofputil_flow_mod *mod)
{
    return mod->command == OFPFC_DELETE_STRICT || mod->command == OFPFC_MODIFY_STRICT;
}

static bool
may_add(const struct ofputil_flow_mod *mod)
{
    return mod->command == OFPFC_ADD
           || (!ofctl_is_deletion(mod) && mod->new_cookie != OVS_BE64_MAX && !mod->cookie_mask);
}

uint8_t
ofctl_table_of(const struct ofputil_flow_mod *mod)
{
    return mod->table_id == OFPTT_ALL ? 0 : mod->table_id;
}

/* ---- Matches. ---- */

/* On a bridge all packets are Ethernet's; only some matches say so. */
static void
expand(const struct minimatch *match, struct match *ret)
{
    minimatch_expand(match, ret);
    ret->flow.packet_type = 0;
    ret->wc.masks.packet_type = 0;
}

static void
expand_flow(const struct nwf_flow *flow, struct match *ret)
{
    struct minimatch own = nwf_flow_match(flow);

    expand(&own, ret);
}

/* Whether there can be a packet that both match. */
static bool
overlap(const struct match *a, const struct match *b)
{
    struct match both = *a;

    return nwf_match_and(&both, b);
}

/* ---- What is lost. ---- */

void
ofctl_note_loss(struct ofctl_protection *protection, enum ofctl_loss loss,
                const struct nwf_flow *flow)
{
    struct ofctl_losses *losses = &protection->losses[loss];

    if (losses->n < LOSSES_MAX) {
        nwf_vec_push(losses, flow);
    }
}

static bool
outputs_to(const struct nwf_flow *flow, const struct ofputil_flow_mod *mod)
{
    const struct nwf_form *form = flow->form;

    return (mod->out_port == OFPP_ANY
            || ofpacts_output_to_port(form->ofpacts, form->ofpacts_len, mod->out_port))
           && (mod->out_group == OFPG_ANY
               || ofpacts_output_to_group(form->ofpacts, form->ofpacts_len, mod->out_group));
}

/* Whether the switch takes the flow for one that a change of existing flows is about. */
static bool
is_meant(const struct nwf_flow *flow, const struct change *change)
{
    const struct ofputil_flow_mod *mod = change->mod;
    struct match match;

    expand_flow(flow, &match);
    if ((htonll(flow->cookie) ^ mod->cookie) & mod->cookie_mask
        || !nwf_match_covers(&change->match, &match)) {
        return false;
    }
    if (is_strict(mod)
        && (flow->priority != mod->priority || !nwf_match_covers(&match, &change->match))) {
        return false;
    }
    return !ofctl_is_deletion(mod) || outputs_to(flow, mod);
}

/* Flows of ours that a deletion deletes, or a modification changes. */
static void
find_meant(struct ofctl_protection *protection, const struct change *change)
{
    enum ofctl_loss loss = ofctl_is_deletion(change->mod) ? OFCTL_LOSS_DELETED : OFCTL_LOSS_CHANGED;

    for (size_t table = 0; table < ARRAY_SIZE(protection->tables); table++) {
        if (change->mod->table_id != OFPTT_ALL && change->mod->table_id != table) {
            continue;
        }
        nwf_vec_foreach (flow, &protection->tables[table]) {
            if (is_meant(*flow, change)) {
                ofctl_note_loss(protection, loss, *flow);
            }
        }
    }
}

/* Two matches with one mask that have a packet in common are the same. */
static void
note_hidden(struct ofctl_protection *protection, const struct ofctl_addition *addition,
            const struct nwf_flow *flow)
{
    struct match match;

    expand_flow(flow, &match);
    if (!overlap(&match, &addition->match)) {
        return;
    }
    if (flow->priority == addition->priority && flow_wildcards_equal(&match.wc, &addition->mask)) {
        ofctl_note_loss(protection, OFCTL_LOSS_REPLACED, flow);
    }
    if (!nwf_is_table_of_operator(addition->table)) {
        ofctl_note_loss(protection, OFCTL_LOSS_BELOW, flow);
    }
}

void
ofctl_note_addition(struct ofctl_protection *protection, const struct ofctl_addition *addition)
{
    nwf_vec_foreach (flow, &protection->tables[addition->table]) {
        if ((*flow)->priority > addition->priority) {
            return;
        }
        note_hidden(protection, addition, *flow);
    }
}

static void
check_addition(struct ofctl_protection *protection, const struct change *change)
{
    const struct ofctl_addition addition = {
        .table = ofctl_table_of(change->mod),
        .priority = change->mod->priority,
        .match = change->match,
        .mask = change->match.wc,
    };

    ofctl_note_addition(protection, &addition);
}

/* ---- Cookies. ---- */

bool
ofctl_is_own_cookie(uint64_t cookie)
{
    return (cookie & NWF_COOKIE_ALL_MASK) == NWF_COOKIE_MAGIC;
}

void
ofctl_note_cookie(struct ofctl_protection *protection, uint64_t cookie)
{
    if (ofctl_is_own_cookie(cookie)) {
        protection->taken_cookie = cookie;
    }
}

/* ---- All of a change. ---- */

void
ofctl_protection_check(struct ofctl_protection *protection, const struct ofputil_flow_mod *mod)
{
    struct change change = {.mod = mod};

    if (!protection) {
        return;
    }
    expand(&mod->match, &change.match);
    if (mod->command != OFPFC_ADD) {
        find_meant(protection, &change);
    }
    if (may_add(mod)) {
        check_addition(protection, &change);
    }
    if (!ofctl_is_deletion(mod)) {
        ofctl_note_cookie(protection, ntohll(mod->new_cookie));
        ofctl_protection_check_actions(protection, mod->ofpacts, mod->ofpacts_len);
    }
}
