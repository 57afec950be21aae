/* SPDX-License-Identifier: Apache-2.0
 *
 * A keeper's pass: what is to be changed, and the change, fail closed at every step. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "keeper.h"
#include "nwf/foreign.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/vlog.h"

#include "lib/hash.h"
#include "lib/timeval.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_apply);

/* How often a bridge is brought up to date in one run because its rows change meanwhile. */
#define PASSES_MAX 4

/* How often the handling of fragments is set again, ms. */
#define FRAGS_MS 1000

/* After what time guests whose flows the switch refuses are tried again: more each time, ms. */
#define REFUSED_FIRST 30000
#define REFUSED_MAX 600000

/* ---- IDLE: what is to be changed. ---- */

static void
count(struct nwf_keeper_counts *counts, const struct nwf_change *change)
{
    switch (change->kind) {
    case NWF_CHANGE_ADD:
        counts->n_added++;
        break;
    case NWF_CHANGE_REPLACE:
        counts->n_replaced++;
        break;
    case NWF_CHANGE_DELETE:
        counts->n_deleted++;
        break;
    }
}

/* Marks the ports whose own flows are among the changes. */
static void
mark_changed(struct nwf_keeper *k)
{
    bool *changed CLEANUP_FREE = nwf_zalloc(0x10000 * sizeof *changed);

    nwf_vec_foreach (change, &k->changes) {
        nwf_owner owner = nwf_owner_of(change->flow->cookie);
        if (owner <= UINT16_MAX) {
            changed[owner] = true;
        }
    }
    nwf_vec_foreach (item, &k->plan.ports) {
        struct nwf_plan_port *port = *item;
        port->changed |= port->config.ofport && changed[port->config.ofport];
        port->has_report |= port->changed;
    }
}

/* Owners that the switch has flows of, and the plan does not know. */
static void
delete_strangers(struct nwf_keeper *k)
{
    struct nwf_flow_set nothing CLEANUP(nwf_flow_set_finish);
    bool *known CLEANUP_FREE = nwf_zalloc(0x10000 * sizeof *known);
    nwf_owner *owners CLEANUP_FREE = NULL;
    size_t n;

    nwf_flow_set_init(&nothing);
    owners = nwf_image_owners(&k->image, &n);
    nwf_vec_foreach (part, &k->plan.parts) {
        if ((*part)->owner <= UINT16_MAX) {
            known[(*part)->owner] = true;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if ((owners[i] <= UINT16_MAX && !known[owners[i]]) || owners[i] == NWF_OWNER_PENDING) {
            nwf_image_diff(&k->image, owners[i], &nothing, &k->changes, &k->changes);
        }
    }
}

/* Lists what is to be changed: deletions first. */
static void
list_changes(struct nwf_keeper *k, bool all)
{
    k->changes.n = 0;
    if (all) {
        delete_strangers(k);
    }
    nwf_vec_foreach (change, &k->plan.deletions) {
        nwf_vec_push(&k->changes, *change);
    }
    nwf_vec_foreach (change, &k->plan.rest) {
        nwf_vec_push(&k->changes, *change);
    }
    nwf_vec_clear(&k->plan.deletions);
    nwf_vec_clear(&k->plan.rest);
    mark_changed(k);
}

static int
compute(struct nwf_keeper *k, struct nwf_error *err)
{
    bool all = k->plan.all_dirty;
    int r;

    if (k->plan.claims_dirty || k->plan.all_dirty) {
        nwf_plan_collect_holders(&k->plan, &k->image);
    }
    if (k->is_fresh) {
        nwf_plan_collect_sightings(&k->plan, &k->image);
    }
    nwf_keeper_count_zones(k);
    k->plan.zone_base = nwf_ovsdb_count_managed(k->db) > 1 ? hash_string(k->plan.name, 0) : 0;
    if ((r = nwf_plan_compute(&k->plan, k->sources, err))) {
        return r;
    }
    list_changes(k, all);
    if (k->foreign_changed || nwf_image_count(&k->image, NWF_OWNER_FOREIGN)) {
        nwf_foreign_judge(&k->plan, &k->image);
        k->foreign_changed = false;
    }
    return 0;
}

/* How many flows of ours the switch has when the changes have been made. */
static size_t
count_flows(const struct nwf_keeper *k)
{
    size_t n = nwf_flow_set_count(&k->image.flows) - nwf_image_count(&k->image, NWF_OWNER_FOREIGN);

    nwf_vec_foreach (change, &k->changes) {
        n += change->kind == NWF_CHANGE_ADD;
        n -= change->kind == NWF_CHANGE_DELETE;
    }
    return n;
}

static void
show(struct nwf_keeper *k)
{
    k->counts.n_flows = count_flows(k);
    nwf_vec_foreach (change, &k->changes) {
        if (k->options->dry_run) {
            count(&k->counts, change);
        }
        if (k->options->report) {
            k->options->report(change);
        }
    }
}

static bool
has_reports(const struct nwf_plan *plan)
{
    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->has_report) {
            return true;
        }
    }
    return false;
}

static bool
is_to_read_again(struct nwf_keeper *k)
{
    k->needs_resync |= k->reread_at && time_msec() >= k->reread_at;
    if (k->needs_resync) {
        k->phase = 0;
        k->state = NWF_K_CONNECT; /* Whence it goes on to read. */
    }
    return k->needs_resync;
}

/* Rows change faster than they can be put in force: what is said of their ports is that. */
static void
give_up(struct nwf_keeper *k)
{
    nwf_vec_foreach (item, &k->plan.ports) {
        struct nwf_plan_port *port = *item;
        if (port->dirty || k->plan.all_dirty) {
            nwf_error_clear(&port->stale);
            nwf_error_set(&port->stale, -EBUSY, "its rows changed while they were put in force");
            port->has_report = true;
            port->dirty = false;
        }
    }
    k->plan.all_dirty = false;
    k->changes.n = 0;
    k->is_last = true;
}

/* What has come over the connection while nothing was asked: an error says that the switch has
 * gone. */
static int
look_at_switch(struct nwf_keeper *k, struct nwf_error *err)
{
    int r = nwf_conn_run(k->conn, err);

    if (!r) {
        nwf_keeper_take_events(k);
    }
    return r;
}

/* Whether what a transaction was refused for is not known yet. */
static bool
awaits_database(struct nwf_keeper *k)
{
    k->awaits_db &= nwf_ovsdb_seqno(k->db) == k->stale_seqno && time_msec() < k->deadline;
    return k->awaits_db;
}

/* What is new in the database, and in time. */
static int
look_at_database(struct nwf_keeper *k, struct nwf_error *err)
{
    if (k->refused_at && time_msec() >= k->refused_at) {
        nwf_keeper_forgive(k);
    }
    return k->needs_update ? nwf_keeper_read_rows(k, err) : 0;
}

/* Computes what is to be changed. */
static int
begin_pass(struct nwf_keeper *k, struct nwf_error *err)
{
    int r;

    if (k->options->once && ++k->n_passes > PASSES_MAX) {
        give_up(k);
        return 0;
    }
    if ((r = compute(k, err))) {
        return r;
    }
    show(k);
    if (k->options->dry_run) {
        k->is_done = true;
        return -EAGAIN;
    }
    k->has_report = true;
    return 0;
}

/* How fragments are handled is looked after by setting it again and again. */
static void
hold_frags(struct nwf_keeper *k)
{
    if (!k->options->once && time_msec() >= k->frags_at) {
        k->frags_at = time_msec() + FRAGS_MS;
        nwf_conn_send_frags(k->conn);
    }
}

int
nwf_keeper_idle(struct nwf_keeper *k, struct nwf_error *err)
{
    /* What becomes of the connection is no concern of a run that has done its work. */
    bool has_done = k->options->once && !k->is_fresh && !k->needs_resync;
    bool awaits = awaits_database(k);
    int r;

    if (awaits && k->options->once) {
        return -EAGAIN;
    }
    hold_frags(k);
    if (!has_done && (r = look_at_switch(k, err))) {
        return r;
    }
    if (is_to_read_again(k)) {
        return 0;
    }
    if (!awaits && (r = look_at_database(k, err))) {
        return r;
    }
    nwf_keeper_look_at_host(k);
    nwf_keeper_look_around(k);
    if (!nwf_plan_is_dirty(&k->plan) && !k->foreign_changed && !k->is_fresh) {
        k->changes.n = 0;
        nwf_keeper_do_host_work(k);
        k->has_report = has_reports(&k->plan) || k->host_news || k->needs_note;
        k->since_us = k->has_report ? k->since_us : 0;
        bool secures = !k->is_secured && !k->options->dry_run;
        return (k->has_report || secures) && !k->report && !awaits ? 0 : -EAGAIN;
    }
    if (has_done && (r = look_at_switch(k, err))) {
        return r;
    }
    return begin_pass(k, err);
}

/* ---- COMMIT. ---- */

/* The bundle brings a flow of its own that matches nothing, and that goes when cached
 * flows have gone.  Who finds it follows a run that did not come so far. */
static void
add_pending(struct nwf_keeper *k)
{
    struct match match;

    nwf_flow_set_finish(&k->pending);
    nwf_flow_set_init(&k->pending);
    match_init_catchall(&match);
    match_set_reg(&match, 0, UINT32_MAX);
    nwf_vec_push(&k->rest, (struct nwf_change){NWF_CHANGE_ADD,
                                               nwf_flow_set_add(&k->pending, NWF_TABLE_CLASSIFY, 0,
                                                                NWF_PENDING, &match, NULL)});
}

/* Each cached flow teaches the sender of its frames once more when it goes: what it makes then is
 * to go too. */
static void
note_silenced(struct nwf_keeper *k, const struct nwf_flow *flow)
{
    uint64_t learned = nwf_cookie(NWF_COOKIE_LEARNED, nwf_cookie_port(flow->cookie), 0);
    uint64_t rule = NWF_COOKIE_NO_RULE,
             last = k->silenced.n ? k->silenced.data[k->silenced.n - 1].cookie : 0;

    if (nwf_cookie_kind(flow->cookie) == NWF_COOKIE_PINNED && flow->table == NWF_TABLE_LEARNED) {
        nwf_vec_push(&k->silenced, (struct nwf_silenced){flow->cookie, UINT64_MAX});
    } else if (flow->table == NWF_TABLE_SENDER && flow->priority == NWF_PRIORITY_SENDER) {
        nwf_vec_push(&k->silenced, (struct nwf_silenced){learned | rule, UINT64_MAX});
    } else if (flow->table == NWF_TABLE_LEARN && last != learned) {
        nwf_vec_push(&k->silenced, (struct nwf_silenced){learned, ~rule}); /* All its shares. */
    }
}

/* The switch has done it. */
static void
take_changes(struct nwf_keeper *k)
{
    size_t n_foreign = nwf_image_count(&k->image, NWF_OWNER_FOREIGN);

    nwf_vec_foreach (change, &k->changes) {
        count(&k->counts, change);
        if (change->kind == NWF_CHANGE_DELETE) {
            note_silenced(k, change->flow);
            nwf_image_remove(&k->image, change->flow, NULL);
        }
    }
    nwf_vec_foreach (part, &k->plan.parts) {
        nwf_image_take(&k->image, (*part)->owner, &(*part)->flows);
    }
    nwf_image_take(&k->image, NWF_OWNER_PENDING, &k->pending);
    /* One of theirs in the place of one of ours is gone. */
    k->foreign_changed |= nwf_image_count(&k->image, NWF_OWNER_FOREIGN) != n_foreign;
    nwf_plan_clear_parts(&k->plan);
    nwf_vec_clear(&k->rest);
    k->is_to_trim |= k->changes.n > NWF_TRIM_MIN;
}

/* Guests whose flows the switch refuses are quarantined, and the rest is tried again. */
static int
take_refusal(struct nwf_keeper *k, int r, struct nwf_error *err)
{
    const struct nwf_refusals *refusals = nwf_conn_refusals(k->conn);

    if (r != -EREMOTEIO || !nwf_quarantine_refused(&k->plan, &k->rest, refusals)) {
        return r;
    }
    VLOG_WARN("%s", nwf_error_text(err));
    nwf_error_clear(err);
    k->needs_resync = true; /* Something may be there: the switch may even have committed it. */
    k->n_tries = 0;         /* There are fewer guests each time. */
    k->patience_ms = k->patience_ms ? MIN(2 * k->patience_ms, REFUSED_MAX) : REFUSED_FIRST;
    k->refused_at = time_msec() + k->patience_ms;
    return -ESTALE;
}

enum { COMMIT_BEGIN, COMMIT_BUNDLE, COMMIT_LOAD };

static void
begin_bundle(struct nwf_keeper *k)
{
    nwf_keeper_plan_load(k);
    k->rest.n = 0;
    nwf_keeper_list_rest(k, &k->rest);
    add_pending(k);
    nwf_conn_apply(k->conn, &k->rest);
}

static int
run_bundle(struct nwf_keeper *k, struct nwf_error *err)
{
    int r = nwf_keeper_run_conn(k, err);

    if (r) {
        return r == -EAGAIN ? r : take_refusal(k, r, err);
    }
    if (k->load) {
        nwf_keeper_begin_load(k);
    }
    return 0;
}

int
nwf_keeper_commit(struct nwf_keeper *k, struct nwf_error *err)
{
    int r;

    if (!k->changes.n) {
        nwf_plan_clear_parts(&k->plan);
        return 0;
    }
    if (k->phase == COMMIT_BEGIN) {
        begin_bundle(k);
        k->phase = COMMIT_BUNDLE;
    }
    if (k->phase == COMMIT_BUNDLE) {
        if ((r = run_bundle(k, err))) {
            return r;
        }
        k->phase = COMMIT_LOAD;
    }
    if (k->load && (r = nwf_keeper_run_load(k, err))) {
        return r;
    }
    nwf_keeper_end_load(k);
    take_changes(k);
    k->was_enforced = true;
    return 0;
}
