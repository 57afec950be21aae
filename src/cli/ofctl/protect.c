/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows of network filters are safe from commands that were meant for others; see protect.h.  Here
 * is what the commands call: for flows, a bundle, actions, meters. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "nwf/pipeline.h"
#include "openvswitch/ofp-msgs.h"
#include "link.h"
#include "protection.h"

#include "lib/byte-order.h"
#include "lib/util.h"

/* ---- All flows at once. ---- */

#define MAGIC_BITS 24

static bool
deletes_everything(const struct ofputil_flow_mod *mod)
{
    struct match match;

    minimatch_expand(&mod->match, &match);
    return mod->command == OFPFC_DELETE && mod->table_id == 0xff && !mod->cookie_mask
           && mod->out_port == OFPP_ANY && mod->out_group == OFPG_ANY
           && flow_wildcards_is_catchall(&match.wc);
}

/* Deletions of all flows that are not ours: a cookie is another's if one of its first bits is
 * another than ours. */
static void
delete_others(const struct ofputil_flow_mod *mod, struct ofputil_flow_mod others[MAGIC_BITS])
{
    for (int i = 0; i < MAGIC_BITS; i++) {
        uint64_t bit = UINT64_C(1) << (63 - i);

        others[i] = *mod;
        others[i].ofpacts = NULL;
        others[i].ofpacts_len = 0;
        minimatch_init_catchall(&others[i].match);
        others[i].cookie = htonll(~NWF_COOKIE_MAGIC & bit);
        others[i].cookie_mask = htonll(bit);
    }
}

static size_t
count(const struct ofctl_protection *protection)
{
    size_t n = 0;

    for (size_t table = 0; table < ARRAY_SIZE(protection->tables); table++) {
        n += protection->tables[table].n;
    }
    return n;
}

struct ofputil_flow_mod *
ofctl_protect(struct ofctl *ofctl, const char *target, struct ofputil_flow_mod *mods, size_t *n,
              enum ofputil_protocol *usable)
{
    static struct ofputil_flow_mod others[MAGIC_BITS];
    struct ofctl_protection *protection =
        *n ? ofctl_protection_new(ofctl, target, *n == 1 ? mods : NULL) : NULL;

    if (protection && *n == 1 && deletes_everything(mods) && count(protection)) {
        *usable &= OFPUTIL_P_NXM_OF11_UP;
        ofctl_require_usable(ofctl, *usable);
        fprintf(stderr,
                "%s: %s: %zu flows of network filters stay (--force deletes them, too, and "
                "\"ovs-nwfilter unmanage\" ends it)\n",
                program_name, target, count(protection));
        delete_others(mods, others);
        free(mods->ofpacts);
        minimatch_destroy(&mods->match);
        *n = MAGIC_BITS;
        mods = others;
    } else if (protection) {
        for (size_t i = 0; i < *n; i++) {
            ofctl_protection_check(protection, &mods[i]);
        }
        ofctl_protection_judge(protection);
    }
    ofctl_protection_free(protection);
    return mods;
}

void
ofctl_protect_bundle(struct ofctl *ofctl, const char *target,
                     const struct ofputil_bundle_msg *messages, size_t n)
{
    struct ofctl_protection *protection = n ? ofctl_protection_new(ofctl, target, NULL) : NULL;

    for (size_t i = 0; protection && i < n; i++) {
        const struct ofputil_bundle_msg *message = &messages[i];

        if (message->type == OFPTYPE_FLOW_MOD) {
            ofctl_protection_check(protection, &message->fm);
        } else if (message->type == OFPTYPE_PACKET_OUT) {
            ofctl_protection_check_actions(protection, message->po.ofpacts,
                                           message->po.ofpacts_len);
        }
    }
    ofctl_protection_judge(protection);
    ofctl_protection_free(protection);
}

/* ---- Actions. ---- */

void
ofctl_protect_actions(struct ofctl *ofctl, const char *target, const struct ofpact *ofpacts,
                      size_t len)
{
    if (!ofctl_learns(ofpacts, len)) {
        return;
    }

    struct ofctl_protection *protection = ofctl_protection_new(ofctl, target, NULL);
    ofctl_protection_check_actions(protection, ofpacts, len);
    ofctl_protection_judge(protection);
    ofctl_protection_free(protection);
}

/* ---- Meters. ---- */

static bool
has_meter(const struct nwf_flow *flow, uint32_t id)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, flow->form->ofpacts, flow->form->ofpacts_len) {
        if (a->type == OFPACT_METER && (id == OFPM13_ALL || ofpact_get_METER(a)->meter_id == id)) {
            return true;
        }
    }
    return false;
}

void
ofctl_protect_meters(struct ofctl *ofctl, const char *target, const struct ofputil_meter_mod *mod)
{
    struct ofctl_protection *protection =
        mod->command == OFPMC13_ADD ? NULL : ofctl_protection_new(ofctl, target, NULL);
    enum ofctl_loss loss = mod->command == OFPMC13_DELETE ? OFCTL_LOSS_DELETED : OFCTL_LOSS_CHANGED;

    for (size_t table = 0; protection && table < ARRAY_SIZE(protection->tables); table++) {
        nwf_vec_foreach (flow, &protection->tables[table]) {
            if (has_meter(*flow, mod->meter.meter_id)) {
                ofctl_note_loss(protection, loss, *flow);
            }
        }
    }
    ofctl_protection_judge(protection);
    ofctl_protection_free(protection);
}
