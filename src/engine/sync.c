/* SPDX-License-Identifier: Apache-2.0
 *
 * From a plan to the switch, fail closed at every step:
 *
 *   1. fail_mode=secure, before there is anything to fail
 *   2. settings that flows rely on (fragments, no-flood), before those flows
 *   3. the flows, one atomic bundle
 *   4. no cached datapath flow of the old tables is left
 *   5. status, the last: "active" means that all of it is true. */
#include <config.h>

#include <string.h>

#include "nwf/engine.h"
#include "nwf/pipeline.h"
#include "nwf/switch.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"

/* ---- Status. ---- */

static char *
new_status(const struct nwf_plan_port *port)
{
    switch (port->role) {
    case NWF_TRUSTED:
        return NULL;
    case NWF_GUEST:
        return nwf_strdup("active");
    case NWF_QUARANTINED:
        return nwf_asprintf("error: %s", nwf_error_text(&port->error));
    }
    return NULL;
}

static int
write_status(struct nwf_ovsdb *db, const struct nwf_plan *plan, struct nwf_error *err)
{
    NWF_VEC(struct nwf_tag_change) changes = {.data = NULL};
    int r = 0;

    nwf_vec_foreach (port, &plan->ports) {
        char *status = new_status(port);
        bool same =
            status ? port->old_status && !strcmp(port->old_status, status) : !port->old_status;
        if (same) {
            free(status);
        } else {
            nwf_vec_push(&changes, (struct nwf_tag_change){.interface = port->row,
                                                           .key = NWF_TAG_STATUS,
                                                           .value = status});
        }
    }
    if (changes.n) {
        r = nwf_ovsdb_write_tags(db, changes.data, changes.n, err);
    }
    nwf_vec_foreach (change, &changes) {
        free((char *) change->value);
    }
    nwf_vec_clear(&changes);
    return r;
}

/* Whether some guest is not known to be protected: an earlier run may have ended
 * between its bundle and the cache. */
static bool
is_unconfirmed(const struct nwf_plan *plan)
{
    nwf_vec_foreach (port, &plan->ports) {
        if (port->role == NWF_GUEST && (!port->old_status || strcmp(port->old_status, "active"))) {
            return true;
        }
    }
    return false;
}

/* ---- Switch. ---- */

static int
set_up_switch(struct nwf_switch *sw, const struct nwf_plan *plan, struct nwf_error *err)
{
    bool no_flood[0x10000] = {false};
    int r = nwf_switch_set_frags(sw, err);

    if (r || !plan->bridge.use_normal) {
        return r;
    }
    nwf_vec_foreach (port, &plan->bridge.ports) {
        no_flood[port->ofport] = port->role != NWF_TRUSTED;
    }
    return nwf_switch_set_no_flood(sw, no_flood, err);
}

/* Frames that NORMAL learned on a port while it was no guest's would still be
 * delivered there, past its filter. */
static int
forget_addresses(const struct nwf_plan *plan, struct nwf_error *err)
{
    return plan->bridge.use_normal ? nwf_vswitchd_command("fdb/flush", plan->name, err) : 0;
}

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

static int
apply(struct nwf_switch *sw, const struct nwf_plan *plan, const struct nwf_changes *changes,
      struct nwf_error *err)
{
    int r = set_up_switch(sw, plan, err);

    if (!r) {
        r = nwf_switch_apply(sw, changes, err);
    }
    if (!r && (changes->n || is_unconfirmed(plan))) {
        r = forget_addresses(plan, err);
        if (!r) {
            r = nwf_vswitchd_flush_cache(err);
        }
        if (r) {
            nwf_error_wrap(err, "bridge %s: cached flows of the old policy may be left",
                           plan->name);
        }
    }
    return r;
}

int
nwf_sync_bridge(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_plan *plan,
                const struct nwf_sync_options *options, nwf_sync_report_fn *report, void *aux,
                struct nwf_sync_result *ret, struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = NULL;
    struct nwf_flow_set installed;
    struct nwf_changes changes = {.data = NULL};
    int r = 0;

    memset(ret, 0, sizeof *ret);
    ret->n_flows = nwf_flow_set_count(&plan->flows);
    if (!bridge->secure && !options->dry_run
        && (r = nwf_ovsdb_set_fail_mode(db, bridge->row, "secure", err))) {
        return r;
    }
    if ((r = nwf_switch_open(bridge->name, options->versions, options->timeout_ms, &sw, err))) {
        return r;
    }
    nwf_flow_set_init(&installed);
    r = nwf_switch_dump(sw, NWF_COOKIE_MAGIC, NWF_COOKIE_MASK, &installed, err);
    if (!r) {
        nwf_flow_diff(&installed, &plan->flows, &changes);
        nwf_vec_foreach (change, &changes) {
            count(ret, change);
            if (report) {
                report(aux, plan, change);
            }
        }
        if (!options->dry_run) {
            r = apply(sw, plan, &changes, err);
        }
    }
    nwf_vec_clear(&changes);
    nwf_flow_set_finish(&installed);
    return r || options->dry_run ? r : write_status(db, plan, err);
}

/* A bridge that was "secure" before gets the flow that makes it a switch again. */
static int
add_normal_flow(struct nwf_switch *sw, struct nwf_error *err)
{
    uint64_t stub[8];
    struct ofpbuf actions = OFPBUF_STUB_INITIALIZER(stub);
    struct nwf_flow_set all;
    struct nwf_changes changes = {.data = NULL};
    struct match match;

    nwf_flow_set_init(&all);
    int r = nwf_switch_dump(sw, 0, 0, &all, err);
    if (!r && !nwf_flow_set_count(&all)) {
        match_init_catchall(&match);
        ofpact_put_OUTPUT(&actions)->port = OFPP_NORMAL;
        nwf_vec_push(&changes, (struct nwf_change){NWF_CHANGE_ADD,
                                                   nwf_flow_set_add(&all, 0, 0, 0, &match,
                                                                    actions.data, actions.size)});
        r = nwf_switch_apply(sw, &changes, err);
    }
    nwf_vec_clear(&changes);
    nwf_flow_set_finish(&all);
    return r;
}

int
nwf_sync_remove(const char *bridge, bool add_normal, const struct nwf_sync_options *options,
                struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = NULL;
    bool no_flood[0x10000] = {false};
    int r = nwf_switch_open(bridge, options->versions, options->timeout_ms, &sw, err);

    if (!r) {
        r = nwf_switch_delete(sw, NWF_COOKIE_MAGIC, NWF_COOKIE_ALL_MASK, err);
    }
    if (!r) {
        r = nwf_switch_set_no_flood(sw, no_flood, err);
    }
    return r || !add_normal ? r : add_normal_flow(sw, err);
}
