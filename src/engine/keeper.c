/* SPDX-License-Identifier: Apache-2.0
 *
 * The state machine of a bridge; see nwf/keeper.h.  Its states are in keeper.h, in the order in
 * which they are gone through; what each does is in a file keeper_*.c.
 *
 * Whatever fails leads to BACKOFF, and from there to the beginning, where nothing is assumed. */
#include <config.h>

#include "keeper.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"

#include "lib/timeval.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper);

/* How long after an error all is tried again: more each time, milliseconds. */
#define BACKOFF_FIRST 10
#define BACKOFF_MAX 8000

/* The same where nobody answers: ovs-vswitchd may just be starting, and nothing passes until it
 * has flows. */
#define BACKOFF_CONNECT 200

/* How often a bridge is looked at anew because its rows change while they are put in force. */
#define TRIES_MAX 4

struct state {
    const char *name;
    nwf_step *step;
    enum nwf_keeper_state next;
};

static const struct state states[NWF_N_K_STATES] = {
    [NWF_K_SECURE] = {"securing", nwf_keeper_secure, NWF_K_CONNECT},
    [NWF_K_CONNECT] = {"connecting", nwf_keeper_connect, NWF_K_READ},
    [NWF_K_READ] = {"reading", nwf_keeper_read, NWF_K_IDLE},
    [NWF_K_IDLE] = {"idle", nwf_keeper_idle, NWF_K_PREPARE},
    [NWF_K_PREPARE] = {"preparing", nwf_keeper_prepare, NWF_K_ANNOUNCE},
    [NWF_K_ANNOUNCE] = {"announcing", nwf_keeper_announce, NWF_K_RESTRAIN},
    [NWF_K_RESTRAIN] = {"restraining NORMAL", nwf_keeper_restrain, NWF_K_WITHDRAW},
    [NWF_K_WITHDRAW] = {"withdrawing routes", nwf_keeper_withdraw, NWF_K_COMMIT},
    [NWF_K_COMMIT] = {"committing", nwf_keeper_commit, NWF_K_EXPIRE},
    [NWF_K_EXPIRE] = {"expiring cached flows", nwf_keeper_expire, NWF_K_HOST},
    [NWF_K_HOST] = {"routing", nwf_keeper_host, NWF_K_REPORT},
    [NWF_K_REPORT] = {"reporting", nwf_keeper_report, NWF_K_IDLE},
    [NWF_K_BACKOFF] = {"backing off", NULL, NWF_K_CONNECT},
};

/* ---- Life. ---- */

struct nwf_keeper *
nwf_keeper_new(struct nwf_ovsdb *db, const struct nwf_sources *sources,
               const struct nwf_keeper_options *options, const char *bridge)
{
    struct nwf_keeper *k = nwf_zalloc(sizeof *k);

    k->db = db;
    k->sources = sources;
    k->options = options;
    k->state = options->dry_run ? NWF_K_CONNECT : NWF_K_SECURE;
    k->needs_update = k->needs_update_all = true;
    nwf_keeper_start_clock(k);
    nwf_plan_init(&k->plan, bridge);
    k->plan.zones = k->host_zones;
    nwf_image_init(&k->image);
    k->plan.installed = &k->image;
    nwf_flow_set_init(&k->dump);
    k->dump.forms = &k->image.forms;
    nwf_flow_set_init(&k->pending);
    return k;
}

/* Ends what the switch and the database have been asked. */
static void
drop_requests(struct nwf_keeper *k)
{
    if (k->conn) {
        nwf_conn_free(TAKE_PTR(k->conn));
    }
    if (k->flood_conn) {
        nwf_conn_free(TAKE_PTR(k->flood_conn));
    }
    if (k->call) {
        nwf_unixctl_call_free(TAKE_PTR(k->call));
    }
    if (k->txn) {
        nwf_txn_free(TAKE_PTR(k->txn));
    }
    if (k->report) {
        nwf_txn_free(TAKE_PTR(k->report));
        k->needs_update_all = true;
    }
    free(TAKE_PTR(k->flood_wanted));
    free(TAKE_PTR(k->limits));
    free(TAKE_PTR(k->fdb));
    nwf_keeper_end_load(k);
    nwf_vec_clear(&k->changes);
    nwf_vec_clear(&k->rest);
    nwf_flow_set_clear(&k->dump);
}

void
nwf_keeper_free(struct nwf_keeper *k)
{
    drop_requests(k);
    nwf_flow_set_finish(&k->dump);
    nwf_flow_set_finish(&k->pending);
    nwf_vec_clear(&k->zones);
    nwf_vec_clear(&k->silenced);
    nwf_vec_clear(&k->meters);
    nwf_keeper_close_host(k);
    nwf_keeper_forget_device(k);
    free(k->recorded);
    nwf_nic_locks_clear(&k->locks); /* It stays in force. */
    free(k->no_lock);
    nwf_error_clear(&k->error);
    nwf_error_clear(&k->doubt);
    nwf_image_finish(&k->image);
    nwf_plan_finish(&k->plan);
    free(k);
}

/* ---- The machine. ---- */

static void
enter(struct nwf_keeper *k, enum nwf_keeper_state state)
{
    k->state = state;
    k->phase = 0;
    nwf_keeper_start_clock(k);
    VLOG_DBG("bridge %s: %s", k->plan.name, states[state].name);
}

static void
back_off(struct nwf_keeper *k, struct nwf_error *err)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(6, 6);

    VLOG_WARN_RL(&rl, "%s (%s)", nwf_error_text(err), states[k->state].name);
    drop_requests(k);
    nwf_error_clear(&k->doubt); /* All is looked at anew. */
    nwf_error_clear(&k->error);
    k->error = *err;
    k->failing_since = k->failing_since ? k->failing_since : time_msec();
    k->is_done = k->options->once;
    k->backoff_ms = k->backoff_ms ? MIN(2 * k->backoff_ms, BACKOFF_MAX) : BACKOFF_FIRST;
    if (k->state == NWF_K_CONNECT) {
        k->backoff_ms = MIN(k->backoff_ms, BACKOFF_CONNECT);
    } else if (k->state == NWF_K_IDLE && k->backoff_ms == BACKOFF_FIRST) {
        k->backoff_ms = 0; /* A connection that was good: a new one may be as good at once. */
    }
    k->retry_at = time_msec() + k->backoff_ms;
    enter(k, NWF_K_BACKOFF);
}

/* Somebody has changed rows while they were put in force: they are read and put in force anew. */
static void
start_over(struct nwf_keeper *k, struct nwf_error *err)
{
    if (k->options->once && ++k->n_tries >= TRIES_MAX) {
        nwf_error_clear(err);
        nwf_error_set(err, -EAGAIN, "bridge %s: its ports change all the time", k->plan.name);
        back_off(k, err);
        return;
    }
    nwf_error_clear(err);
    nwf_keeper_end_load(k);
    if (k->is_fresh) { /* Nothing has been compared to its end. */
        nwf_plan_dirty_all(&k->plan);
    }
    nwf_vec_foreach (part, &k->plan.parts) { /* What has been computed is not in force. */
        nwf_plan_dirty_owner(&k->plan, (*part)->owner);
    }
    k->needs_update = true;
    enter(k, k->conn ? NWF_K_IDLE : NWF_K_SECURE);
}

/* Where a bridge is open again that flows of ours shut, those come first. */
static void
go_on(struct nwf_keeper *k)
{
    if (k->state == NWF_K_REPORT && k->doubt.text) {
        struct nwf_error doubt = k->doubt;
        memset(&k->doubt, 0, sizeof k->doubt);
        nwf_error_wrap(&doubt, "bridge %s", k->plan.name);
        back_off(k, &doubt);
    } else if (k->state == NWF_K_REPORT && !k->is_secured) {
        enter(k, NWF_K_SECURE);
    } else if (k->state == NWF_K_SECURE && k->conn) {
        k->needs_update = true;
        enter(k, NWF_K_READ);
    } else {
        enter(k, states[k->state].next);
    }
}

static void
take_result(struct nwf_keeper *k, int r, struct nwf_error *err)
{
    if (r == -ESTALE) {
        start_over(k, err);
    } else if (r) {
        back_off(k, err);
    } else {
        go_on(k);
    }
}

/* Whether it is time to try again. */
static bool
has_waited(struct nwf_keeper *k)
{
    if (k->options->once || time_msec() < k->retry_at) {
        return false;
    }
    k->needs_update = true;
    enter(k, k->was_enforced ? NWF_K_CONNECT : NWF_K_SECURE);
    return true;
}

/* Where a step waits for somebody else, what the switch tells meanwhile is taken in, and so that
 * it has gone. */
static int
take_in(struct nwf_keeper *k, struct nwf_error *err)
{
    bool waits = k->state == NWF_K_SECURE || k->state == NWF_K_ANNOUNCE
                 || k->state == NWF_K_RESTRAIN || k->state == NWF_K_EXPIRE;
    int r = waits && k->conn && !k->options->once ? nwf_conn_run(k->conn, err) : 0;

    return r == -EAGAIN ? 0 : r;
}

static int
run_step(struct nwf_keeper *k, struct nwf_error *err)
{
    int r;

    if ((r = nwf_keeper_run_report(k, err)) || (r = take_in(k, err))) {
        return r;
    }
    return states[k->state].step(k, err);
}

void
nwf_keeper_run(struct nwf_keeper *k)
{
    nwf_keeper_run_lock(k);
    nwf_keeper_look_at_device(k);
    while (!k->is_done) {
        struct nwf_error err = NWF_ERROR_INIT;
        int r;

        if (k->state == NWF_K_BACKOFF) {
            if (!has_waited(k)) {
                return;
            }
            continue;
        }
        if ((r = run_step(k, &err)) == -EAGAIN) {
            return;
        }
        take_result(k, r, &err);
    }
}

void
nwf_keeper_wait(struct nwf_keeper *k)
{
    if (k->is_done) {
        poll_immediate_wake();
        return;
    }
    nwf_keeper_wait_for_lock(k);
    nwf_keeper_wait_for_device(k);
    if (k->state == NWF_K_BACKOFF) {
        poll_timer_wait_until(k->retry_at);
        return;
    }
    if (k->state == NWF_K_IDLE && k->refused_at) {
        poll_timer_wait_until(k->refused_at);
    }
    if (k->state == NWF_K_IDLE && !k->options->once) {
        poll_timer_wait_until(k->frags_at);
    }
    if (k->state == NWF_K_IDLE && k->reread_at) {
        poll_timer_wait_until(k->reread_at);
    }
    nwf_keeper_wait_for_host(k);
    if (k->conn) {
        nwf_conn_wait(k->conn);
    }
    if (k->flood_conn) {
        nwf_conn_wait(k->flood_conn);
    }
    if (k->load) {
        nwf_keeper_wait_for_load(k);
    }
    if (k->call) {
        nwf_unixctl_call_wait(k->call);
    }
    if (k->txn) {
        nwf_txn_wait(k->txn);
    }
    if (k->txn || k->awaits_db) {
        poll_timer_wait_until(k->deadline);
    }
    if (k->report) {
        nwf_txn_wait(k->report);
        poll_timer_wait_until(k->report_deadline);
    }
}

void
nwf_keeper_update(struct nwf_keeper *k, bool all)
{
    k->needs_update = true;
    k->needs_update_all |= all;
    k->lock_at = 0;
    if (!k->since_us) {
        k->since_us = time_usec();
    }
}

void
nwf_keeper_recompile(struct nwf_keeper *k)
{
    nwf_keeper_forgive(k);
    nwf_plan_dirty_all(&k->plan);
}

void
nwf_keeper_resync(struct nwf_keeper *k)
{
    nwf_keeper_forgive(k);
    k->needs_resync = true;
    if (k->state == NWF_K_BACKOFF) {
        k->retry_at = 0;
    }
}

int
nwf_keeper_settle(struct nwf_keeper *k, struct nwf_error *err)
{
    unsigned int seqno = nwf_ovsdb_seqno(k->db);
    int r;

    for (;;) {
        if ((r = nwf_ovsdb_run(k->db, err)) && r != -EAGAIN) {
            return r;
        }
        if (seqno != nwf_ovsdb_seqno(k->db)) {
            seqno = nwf_ovsdb_seqno(k->db);
            nwf_keeper_update(k, false);
        }
        nwf_keeper_run(k);
        if (k->is_done || nwf_keeper_is_settled(k)) {
            break;
        }
        nwf_ovsdb_wait(k->db);
        nwf_keeper_wait(k);
        poll_block();
    }
    return k->error.text ? nwf_error_set(err, k->error.code, "%s", k->error.text) : 0;
}

/* ---- What it is like. ---- */

bool
nwf_keeper_is_settled(const struct nwf_keeper *k)
{
    return k->is_done
           || (k->state == NWF_K_IDLE && !k->needs_update && !k->needs_resync && !k->is_fresh
               && !k->report && !nwf_plan_is_dirty(&k->plan) && !k->has_report
               && !k->foreign_changed && !nwf_keeper_has_host_work(k));
}

bool
nwf_keeper_is_failing(const struct nwf_keeper *k, unsigned int ms)
{
    return k->failing_since && time_msec() >= k->failing_since + ms;
}

const struct nwf_error *
nwf_keeper_error(const struct nwf_keeper *k)
{
    return &k->error;
}

const char *
nwf_keeper_bridge(const struct nwf_keeper *k)
{
    return k->plan.name;
}

const char *
nwf_keeper_state(const struct nwf_keeper *k)
{
    return states[k->state].name;
}

const struct nwf_plan *
nwf_keeper_plan(const struct nwf_keeper *k)
{
    return &k->plan;
}

const struct nwf_image *
nwf_keeper_image(const struct nwf_keeper *k)
{
    return &k->image;
}

const struct nwf_keeper_counts *
nwf_keeper_counts(const struct nwf_keeper *k)
{
    return &k->counts;
}

const struct nwf_stopwatch *
nwf_keeper_stopwatch(const struct nwf_keeper *k)
{
    return &k->stopwatch;
}
