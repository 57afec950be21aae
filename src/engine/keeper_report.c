/* SPDX-License-Identifier: Apache-2.0
 *
 * What a keeper says in OVSDB: what flows will rely on, before them; and how each port fares, when
 * they are in force. */
#include <config.h>

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "keeper.h"
#include "nwf/text.h"

#include "lib/timeval.h"
#include "lib/uuid.h"

/* Ports that are reported in one transaction, which takes some kilobytes for each; "active" of the
 * bridge comes in the last. */
#define REPORTED_AT_ONCE 2000

static char *
new_status(const struct nwf_plan_port *port, const struct nwf_error *doubt)
{
    const struct nwf_error *error = nwf_plan_port_error(port);

    if (port->role == NWF_TRUSTED) {
        return NULL;
    }
    error = port->role == NWF_GUEST && !error->text ? doubt : error;
    return error->text || port->role != NWF_GUEST ? nwf_asprintf("error: %s", nwf_error_text(error))
                                                  : nwf_strdup("active");
}

struct tag_changes {
    struct nwf_tag_change *data;
    size_t n, allocated;
};

static void
changes_clear(struct tag_changes *changes)
{
    nwf_vec_foreach (change, changes) {
        free((char *) change->value);
    }
    nwf_vec_clear(changes);
}

/* Notes the change from *old to 'new', which is taken and *old from here on; NULL: no such key. */
static void
change_tag(struct tag_changes *changes, const struct nwf_plan_port *port, const char *key,
           char **old, char *new)
{
    if (new ? *old && !strcmp(*old, new) : !*old) {
        free(new);
        return;
    }
    nwf_vec_push(changes, (struct nwf_tag_change){.interface = &port->uuid,
                                                  .key = key,
                                                  .value = new ? nwf_strdup(new) : NULL});
    free(*old);
    *old = new;
}

/* Begins to write the changes, which are freed; with 'wait' until ovs-vswitchd acts on them. */
static void
begin_txn(struct nwf_keeper *k, struct tag_changes *changes, bool wait)
{
    k->txn = nwf_txn_new(k->db);
    nwf_txn_change(k->txn, changes->data, changes->n);
    if (wait) {
        nwf_txn_wait_for_vswitchd(k->txn);
    }
    nwf_keeper_start_clock(k);
    changes_clear(changes);
}

/* ---- Spanning tree. ---- */

static void
change_port(struct tag_changes *changes, const struct nwf_plan_port *port, bool config,
            const char *key, const char *value)
{
    nwf_vec_push(changes, (struct nwf_tag_change){.port = &port->port_uuid,
                                                  .config = config,
                                                  .key = key,
                                                  .value = value ? nwf_strdup(value) : NULL});
}

/* Ports that are not trusted, or guarded, take no part in spanning tree, which Open vSwitch speaks
 * past their flows: not now, nor if the bridge should come to use it. */
static bool
is_kept_out(const struct nwf_plan_port *port)
{
    return port->role != NWF_TRUSTED || port->config.guarding != NWF_UNGUARDED;
}

static bool
leave_trees(struct tag_changes *changes, struct nwf_plan_port *port)
{
    bool any = false;

    for (size_t i = 0; i < NWF_N_TREES; i++) {
        const char *old = port->notes.trees[i];
        if (!old || strcmp(old, "false")) {
            if (!port->notes.tree_notes[i]) {
                port->notes.tree_notes[i] = nwf_strdup(old ? old : "");
                change_port(changes, port, false, nwf_tree_notes[i], port->notes.tree_notes[i]);
            }
            change_port(changes, port, true, nwf_tree_keys[i], "false");
            free(port->notes.trees[i]);
            port->notes.trees[i] = nwf_strdup("false");
            any = true;
        }
    }
    return any;
}

/* What we have noted is put back. */
static void
return_to_trees(struct tag_changes *changes, const struct nwf_plan_port *port)
{
    for (size_t i = 0; i < NWF_N_TREES; i++) {
        const char *note = port->notes.tree_notes[i];
        if (note) {
            change_port(changes, port, true, nwf_tree_keys[i], *note ? note : NULL);
            change_port(changes, port, false, nwf_tree_notes[i], NULL);
        }
    }
}

/* Interfaces of one Port share its settings: one that is not trusted keeps them all out. */
static bool
may_return_to_trees(const struct nwf_keeper *k, const struct nwf_plan_port *port)
{
    if (is_kept_out(port) || (!port->notes.tree_notes[0] && !port->notes.tree_notes[1])) {
        return false;
    }
    nwf_vec_foreach (other, &k->plan.ports) {
        if (is_kept_out(*other) && uuid_equals(&(*other)->port_uuid, &port->port_uuid)) {
            return false;
        }
    }
    return true;
}

/* ---- ANNOUNCE. ---- */

/* Zones are the ports' own before flows use them, and settings noted before they are made. */
static bool
announce_port(struct nwf_keeper *k, struct nwf_plan_port *port, struct tag_changes *changes)
{
    bool wait = is_kept_out(port) && leave_trees(changes, port) && k->plan.spanning_tree;

    if (port->new_zone) {
        change_tag(changes, port, NWF_TAG_ZONE, &port->notes.zone, nwf_asprintf("%u", port->zone));
    }
    if (nwf_is_no_flood(&k->plan, port) && !port->notes.no_flood) {
        change_tag(changes, port, NWF_TAG_NO_FLOOD, &port->notes.no_flood, nwf_strdup("true"));
    }
    return wait;
}

/* Of the bridge, if it has its tags; 'bridges' is what the change refers to. */
static void
change_bridge(struct nwf_keeper *k, struct nwf_ovs_bridges *bridges, struct tag_changes *changes,
              const char *key, char **value)
{
    nwf_ovsdb_bare_bridges(k->db, bridges);
    nwf_vec_foreach (bridge, bridges) {
        if (!strcmp(bridge->name, k->plan.name) && bridge->config.managed != NWF_UNMANAGED) {
            nwf_vec_push(changes, (struct nwf_tag_change){.bridge = bridge->row,
                                                          .key = key,
                                                          .value = TAKE_PTR(*value)});
        }
    }
}

/* What settings of the host's kernel are before us. */
static void
announce_settings(struct nwf_keeper *k, struct nwf_ovs_bridges *bridges,
                  struct tag_changes *changes)
{
    char *note CLEANUP_FREE = NULL;

    if (nwf_keeper_make_note(k, &note)) {
        change_bridge(k, bridges, changes, NWF_BRIDGE_SETTINGS, &note);
    }
}

int
nwf_keeper_announce(struct nwf_keeper *k, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct tag_changes changes CLEANUP(changes_clear) = {.data = NULL};
    bool wait = false;

    if (!k->txn && k->phase++ == 0) {
        announce_settings(k, &bridges, &changes);
        nwf_vec_foreach (port, &k->plan.ports) {
            /* Others are as they were, and so are their rows. */
            wait |= (*port)->has_report && announce_port(k, *port, &changes);
        }
        if (changes.n) {
            begin_txn(k, &changes, wait);
        }
    }
    return k->txn ? nwf_keeper_run_txn(k, err) : 0;
}

/* ---- REPORT. ---- */

/* Since when the switch enforces what is called active. */
static void
change_installed(struct tag_changes *changes, struct nwf_plan_port *port, bool was_active,
                 const char *now)
{
    bool active = port->notes.status && !strcmp(port->notes.status, "active");

    if (active && (port->changed || !was_active || !port->notes.installed)) {
        change_tag(changes, port, NWF_TAG_INSTALLED, &port->notes.installed, nwf_strdup(now));
    } else if (!active) {
        change_tag(changes, port, NWF_TAG_INSTALLED, &port->notes.installed, NULL);
    }
}

/* What is to be said of the port now. */
static void
report_port(const struct nwf_keeper *k, struct nwf_plan_port *port, struct tag_changes *changes,
            const char *now)
{
    bool was_active = port->notes.status && !strcmp(port->notes.status, "active");
    char *zone = port->zone ? nwf_asprintf("%u", port->zone) : NULL;
    size_t first = changes->n;

    change_tag(changes, port, NWF_TAG_STATUS, &port->notes.status, new_status(port, &k->doubt));
    if (changes->n > first) {
        changes->data[first].verify = port->role == NWF_GUEST;
    }
    change_installed(changes, port, was_active, now);
    change_tag(changes, port, NWF_TAG_ZONE, &port->notes.zone, zone);
    if (nwf_may_flood_again(&k->plan, port)) {
        change_tag(changes, port, NWF_TAG_NO_FLOOD, &port->notes.no_flood, NULL);
    }
    if (may_return_to_trees(k, port)) {
        return_to_trees(changes, port);
    }
}

/* How the bridge fares: a new string. */
static char *
summarize(const struct nwf_keeper *k)
{
    size_t n_guests = 0, n_errors = 0;

    nwf_vec_foreach (item, &k->plan.ports) {
        const struct nwf_plan_port *port = *item;
        n_guests += port->role != NWF_TRUSTED;
        n_errors += port->role != NWF_TRUSTED && nwf_plan_port_error(port)->text;
    }
    if (k->doubt.text || nwf_plan_error(&k->plan)->text) {
        return nwf_asprintf("error: %s",
                            nwf_error_text(k->doubt.text ? &k->doubt : nwf_plan_error(&k->plan)));
    }
    return n_errors
               ? nwf_asprintf("error: %zu of %zu guests are not as they should be", n_errors,
                              n_guests)
               : nwf_asprintf("active: %zu guests%s%s%s%s", n_guests,
                              k->plan.host_advice ? "; " : "",
                              k->plan.host_advice ? k->plan.host_advice : "",
                              k->no_lock ? "; no second lock: " : "", k->no_lock ? k->no_lock : "");
}

/* Adds what is to be said of the bridge; 'bridges' is what the change refers to. */
static void
report_bridge(struct nwf_keeper *k, struct nwf_ovs_bridges *bridges, struct tag_changes *changes)
{
    char *status CLEANUP_FREE = summarize(k);

    if (k->plan.status && !strcmp(k->plan.status, status)) {
        return;
    }
    change_bridge(k, bridges, changes, NWF_BRIDGE_STATUS, &status);
}

/* Of a port that somebody has changed since, more is to be said after the next pass. */
static bool
is_to_be_reported(const struct nwf_keeper *k, const struct nwf_plan_port *port)
{
    return port->has_report && !port->dirty && !k->plan.all_dirty;
}

/* No more ports than that; false: there are others, which are reported next. */
static bool
report_ports(struct nwf_keeper *k, size_t max, struct tag_changes *changes)
{
    char *now CLEANUP_FREE = nwf_asprintf("%lld", time_wall_msec());
    size_t n = 0;

    nwf_vec_foreach (port, &k->plan.ports) {
        if (!is_to_be_reported(k, *port)) {
            continue;
        }
        if (n++ == max) {
            return false;
        }
        report_port(k, *port, changes, now);
        (*port)->has_report = (*port)->changed = false;
    }
    return true;
}

static int
begin_report(struct nwf_keeper *k, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct tag_changes changes CLEANUP(changes_clear) = {.data = NULL};
    bool all = k->is_last || k->doubt.text;
    int r;

    if (!k->is_last && k->seqno != nwf_ovsdb_seqno(k->db) && (r = nwf_keeper_read_rows(k, err))) {
        return r;
    }
    if (report_ports(k, all ? SIZE_MAX : REPORTED_AT_ONCE, &changes)) {
        report_bridge(k, &bridges, &changes);
    }
    if (changes.n) {
        begin_txn(k, &changes, false);
    }
    return 0;
}

/* What was changed is in force: nothing of it is to be done again. */
static void
finish_pass(struct nwf_keeper *k)
{
    nwf_vec_foreach (port, &k->plan.ports) {
        (*port)->new_zone = false;
    }
    k->has_report = k->host_news = false;
    k->has_mark &= k->doubt.text != NULL;
    if (k->doubt.text) {
        return;
    }
    k->is_fresh = false;
    if (k->since_us && k->changes.n) {
        nwf_stopwatch_add(&k->stopwatch, time_usec() - k->since_us);
    }
    k->since_us = 0;
    nwf_vec_clear(&k->changes);
}

/* What has been said is true. */
void
nwf_keeper_succeed(struct nwf_keeper *k)
{
    if (!k->doubt.text) {
        nwf_error_clear(&k->error);
        k->failing_since = 0;
        k->backoff_ms = 0;
        k->n_tries = 0;
        k->is_done = k->is_last;
    }
    if (k->is_to_trim) {
        (void) malloc_trim(0);
        k->is_to_trim = false;
    }
}

int
nwf_keeper_run_report(struct nwf_keeper *k, struct nwf_error *err)
{
    int r = k->report ? nwf_txn_run(k->report, err) : -EAGAIN;

    if (k->report && r == -EAGAIN && time_msec() >= k->report_deadline) {
        r = nwf_error_set(err, -ETIMEDOUT, "the database did not act on a change within %u ms",
                          k->options->timeout_ms);
    }
    if (r == -EAGAIN) {
        return 0;
    }
    unsigned int seqno = nwf_txn_seqno(k->report);
    nwf_txn_free(TAKE_PTR(k->report));
    if (!r) {
        nwf_keeper_succeed(k);
        return 0;
    }
    k->needs_update = k->needs_update_all = true; /* Notes are not what we take them for. */
    if (r == -ESTALE) {
        k->awaits_db = true;
        k->stale_seqno = seqno;
        nwf_keeper_start_clock(k);
        if (k->state == NWF_K_IDLE || k->state == NWF_K_REPORT) {
            return r;
        }
        nwf_error_clear(err);
        return 0;
    }
    nwf_error_wrap(err, "bridge %s: the flows are in force, but not said to be", k->plan.name);
    return r;
}

/* Statuses are written while the keeper goes on: a database that hangs keeps no switch from being
 * repaired.  Only a doubt is said before all is tried again. */
int
nwf_keeper_report(struct nwf_keeper *k, struct nwf_error *err)
{
    int r;

    if (k->report) { /* One after the other: more is to be said when that has ended. */
        if (k->doubt.text) {
            return -EAGAIN;
        }
        finish_pass(k);
        return 0;
    }
    if (k->phase++ == 0) {
        if ((r = begin_report(k, err))) {
            return r;
        }
        k->report = TAKE_PTR(k->txn);
        k->report_deadline = k->deadline;
        finish_pass(k);
        if (!k->report) {
            nwf_keeper_succeed(k);
        } else if ((r = nwf_keeper_run_report(k, err))) {
            return r;
        }
    }
    return k->report && k->doubt.text ? -EAGAIN : 0;
}
