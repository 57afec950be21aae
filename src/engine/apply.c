/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan's changes onto the switch, fail closed at every step:
 *
 *   1. fail_mode=secure, before there is anything to fail (the caller's to set, since
 *      it changes the database under what was read from it)
 *   2. what flows rely on (fragments, no-flood, conntrack zones and whose they are),
 *      before those flows
 *   3. the flows, one atomic bundle
 *   4. no cached datapath flow of the old tables is left
 *   5. status, the last: "active" means that all of it is true. */
#include <config.h>

#include "apply.h"

#include <errno.h>
#include <string.h>

#include "fdb.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"
#include "zone_limits.h"

/* ---- Comparing. ---- */

static void
count(struct nwf_sync_result *result, const struct nwf_change *change)
{
    switch (change->kind) {
    case NWF_CHANGE_ADD:
        result->n_added++;
        break;
    case NWF_CHANGE_REPLACE:
        result->n_replaced++;
        break;
    case NWF_CHANGE_DELETE:
        result->n_deleted++;
        break;
    }
}

/* Marks the ports whose own flows are among the changes. */
static void
mark_changed(struct nwf_plan *plan, const struct nwf_changes *changes)
{
    bool *changed CLEANUP_FREE = nwf_zalloc(0x10000 * sizeof *changed);

    nwf_vec_foreach (change, changes) {
        uint64_t cookie = change->flow->cookie;
        enum nwf_cookie_kind kind = nwf_cookie_kind(cookie);
        if (kind == NWF_COOKIE_CLASSIFY || kind == NWF_COOKIE_FROM_VM || kind == NWF_COOKIE_TO_VM) {
            changed[nwf_cookie_port(cookie)] = true;
        }
    }
    nwf_vec_foreach (port, &plan->ports) {
        port->changed = port->ofport && changed[port->ofport];
    }
}

void
nwf_compare(const struct nwf_flow_set *installed, struct nwf_plan *plan, nwf_sync_report_fn *report,
            struct nwf_changes *ret, struct nwf_sync_result *result)
{
    nwf_flow_diff(installed, &plan->flows, ret);
    mark_changed(plan, ret);
    nwf_vec_foreach (change, ret) {
        count(result, change);
        if (report) {
            report(change);
        }
    }
}

/* ---- Switch. ---- */

static int
exclude_from_floods(const struct nwf_plan *plan, unsigned int timeout_ms, struct nwf_error *err)
{
    enum nwf_no_flood wanted[0x10000] = {NWF_NO_FLOOD_KEEP};

    nwf_vec_foreach (port, &plan->ports) {
        if (nwf_is_no_flood(plan, port)) {
            wanted[port->ofport] = NWF_NO_FLOOD_SET;
        } else if (nwf_may_flood_again(plan, port)) {
            wanted[port->ofport] = NWF_NO_FLOOD_CLEAR;
        }
    }
    return nwf_switch_set_no_flood(plan->name, timeout_ms, wanted, err);
}

/* A zone may hold connections of the one that had it before. */
static int
flush_zones(struct nwf_switch *sw, const struct nwf_plan *plan, struct nwf_error *err)
{
    bool any = false;
    int r = 0;

    nwf_vec_foreach (port, &plan->ports) {
        if (!r && port->new_zone) {
            r = nwf_switch_flush_zone(sw, port->zone, err);
            any = true;
        }
    }
    return r || !any ? r : nwf_switch_barrier(sw, err);
}

/* What NORMAL would do behind the flows' back. */
static int
restrain_normal(const struct nwf_plan *plan, unsigned int timeout_ms, struct nwf_error *err)
{
    bool any;
    int r;

    if ((r = exclude_from_floods(plan, timeout_ms, err))
        || (r = nwf_fdb_remove_static(plan, timeout_ms, &any, err))) {
        return r;
    }
    return any ? nwf_vswitchd_flush_cache(timeout_ms, err) : 0;
}

static int
set_up_switch(struct nwf_switch *sw, struct nwf_ovsdb *db, struct nwf_plan *plan,
              struct nwf_question frags, unsigned int timeout_ms, struct nwf_error *err)
{
    int r = nwf_switch_set_frags(sw, frags, err);

    if (!r && plan->bridge.use_normal) {
        r = nwf_switch_can_set_no_flood(plan->name, timeout_ms, err);
    }
    r = r ? r : flush_zones(sw, plan, err);
    r = r ? r : nwf_announce(db, plan, err);
    r = r ? r : nwf_zone_limits_apply(plan, !nwf_ovsdb_is_port(db), timeout_ms, err);
    return r || !plan->bridge.use_normal ? r : restrain_normal(plan, timeout_ms, err);
}

/* Frames that NORMAL learned on a port while it was no guest's would still be
 * delivered there, past its filter. */
static int
forget_addresses(const struct nwf_plan *plan, unsigned int timeout_ms, struct nwf_error *err)
{
    int r = nwf_vswitchd_command("fdb/flush", plan->name, timeout_ms, err);

    return r || !plan->mcast_snooping
               ? r
               : nwf_vswitchd_command("mdb/flush", plan->name, timeout_ms, err);
}

/* The bundle brings a flow of its own that matches nothing, and that goes when cached
 * flows have gone.  A run that finds it follows one that did not come so far. */
static int
send_bundle(struct nwf_switch *sw, struct nwf_plan *plan, struct nwf_changes *changes,
            struct nwf_error *err)
{
    struct nwf_flow_set pending CLEANUP(nwf_flow_set_finish);
    struct nwf_refusals refusals = {.data = NULL};
    struct match match;

    nwf_flow_set_init(&pending);
    match_init_catchall(&match);
    match_set_reg(&match, 0, UINT32_MAX);
    nwf_vec_push(changes, (struct nwf_change){NWF_CHANGE_ADD,
                                              nwf_flow_set_add(&pending, NWF_TABLE_CLASSIFY, 0,
                                                               NWF_PENDING, &match, NULL, 0)});
    int r = nwf_switch_apply(sw, changes, &refusals, err);
    if (nwf_quarantine_refused(plan, changes, &refusals)) {
        r = NWF_REFUSED;
    }
    nwf_vec_clear(&refusals);
    changes->n--;
    return r;
}

static int
flush_caches(const struct nwf_plan *plan, unsigned int timeout_ms, struct nwf_error *err)
{
    int r = nwf_vswitchd_flush_cache(timeout_ms, err);

    if (!r && plan->bridge.use_normal) {
        /* A cached flow that goes may teach for a last time; one that comes of what was
         * learned then goes too. */
        r = forget_addresses(plan, timeout_ms, err);
        r = r ? r : nwf_vswitchd_flush_cache(timeout_ms, err);
    }
    if (r) {
        nwf_error_wrap(err, "cached flows of the old policy may be left");
    }
    return r;
}

/* The changes, until no packet meets what was there before. */
static int
enforce(struct nwf_switch *sw, struct nwf_ovsdb *db, struct nwf_plan *plan,
        struct nwf_changes *changes, const struct nwf_sync_options *options, struct nwf_error *err)
{
    int r = send_bundle(sw, plan, changes, err);

    if (r) {
        return r;
    }
    r = flush_caches(plan, options->timeout_ms, err);
    r = r ? r : flush_zones(sw, plan, err); /* Also of what came since then. */
    if (r) {
        (void) nwf_write_status(db, plan, nwf_error_text(err), options->may_repeat, NULL);
        nwf_error_wrap(err, "bridge %s", plan->name);
    }
    return r;
}

int
nwf_apply(struct nwf_switch *sw, struct nwf_ovsdb *db, struct nwf_plan *plan,
          struct nwf_question frags, struct nwf_changes *changes,
          const struct nwf_sync_options *options, struct nwf_error *err)
{
    int r = set_up_switch(sw, db, plan, frags, options->timeout_ms, err);

    if (r || !changes->n) {
        return r ? r : nwf_write_status(db, plan, NULL, options->may_repeat, err);
    }
    if ((r = enforce(sw, db, plan, changes, options, err))) {
        return r;
    }
    r = nwf_write_status(db, plan, NULL, options->may_repeat, err);
    if (!r || r == -EAGAIN) {
        /* Should the switch not do it, the next run makes cached flows go once more. */
        (void) nwf_switch_post_delete(sw, NWF_PENDING, UINT64_MAX, NULL);
    } else {
        nwf_error_wrap(err, "bridge %s: the flows are in force, but not said to be", plan->name);
    }
    return r;
}
