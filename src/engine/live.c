/* SPDX-License-Identifier: Apache-2.0
 *
 * The live engine: a keeper for each managed bridge, what they are kept by, and what becomes of
 * bridges that nobody manages; see nwf/live.h. */
#include <config.h>

#include "live.h"

#include <errno.h>
#include <string.h>

#include "nwf/nic_lock.h"
#include "nwf/policy_files.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"

#include "lib/coverage.h"
#include "lib/if-notifier.h"
#include "lib/timeval.h"

VLOG_DEFINE_THIS_MODULE(nwf_live);

COVERAGE_DEFINE(nwf_reload);
COVERAGE_DEFINE(nwf_bridge_restored);

/* How long a bridge may fail before those who wait for all of them wait no longer. */
#define PATIENCE_MS 30000

/* ---- Filters and policy files. ---- */

static void
load_policies(struct nwf_live *live)
{
    nwf_policies_init(&live->policies);
    nwf_policies_load(&live->policies);
    if (live->policies.broken.text) {
        VLOG_WARN("%s", nwf_error_text(&live->policies.broken));
    }
    live->sources.policies = &live->policies;
}

static void
warn_of_filter(const char *name, const struct nwf_error *error, void *aux)
{
    (void) aux;
    VLOG_WARN("filter %s stays as it was: %s", name, nwf_error_text(error));
}

/* What has not changed leads to the same flows, and so to nothing that is sent. */
void
nwf_live_reload(struct nwf_live *live)
{
    struct nwf_store *old = live->sources.store;
    bool differs;

    COVERAGE_INC(nwf_reload);
    nwf_policies_finish(&live->policies);
    load_policies(live);
    live->sources.store = nwf_store_renew(old, &differs);
    nwf_store_each_outdated(live->sources.store, warn_of_filter, NULL);
    nwf_store_free(old);
    nwf_vec_foreach (keeper, &live->keepers) {
        nwf_keeper_update(*keeper, true);
        if (differs) {
            nwf_keeper_recompile(*keeper);
        }
    }
    live->is_overdue = true;
}

/* ---- Life. ---- */

static void
mark_zones(void *live_, uint8_t zones[0x10000])
{
    const struct nwf_live *live = live_;

    nwf_vec_foreach (keeper, &live->keepers) {
        nwf_keeper_mark_zones(*keeper, zones);
    }
}

static void
check_locks(struct nwf_live *live, bool in_doubt)
{
    nwf_vec_foreach (keeper, &live->keepers) {
        nwf_keeper_check_lock(*keeper, in_doubt);
    }
}

/* A NIC has another MAC, perhaps. */
static void
take_interfaces(void *live)
{
    check_locks(live, false);
}

struct nwf_live *
nwf_live_new(const struct nwf_live_options *options)
{
    struct nwf_live *live = nwf_zalloc(sizeof *live);

    live->options = (struct nwf_keeper_options){
        .timeout_ms = options->timeout_ms,
        .versions = options->versions,
        .mark_zones = mark_zones,
        .aux = live,
    };
    live->db = nwf_ovsdb_new(options->remote, NULL, true);
    nwf_filter_path_init(&live->path, options->filter_dir);
    live->sources.store = nwf_store_new(nwf_filter_path_read, &live->path);
    load_policies(live);
    (void) nwf_nic_lock_watch_new(&live->rules, NULL); /* Where it fails there is no lock either. */
    live->interfaces = if_notifier_create(take_interfaces, live);
    return live;
}

void
nwf_live_free(struct nwf_live *live)
{
    nwf_vec_foreach (keeper, &live->keepers) {
        nwf_keeper_free(*keeper);
    }
    nwf_vec_clear(&live->keepers);
    nwf_vec_clear(&live->tickets);
    if (live->restoring) {
        nwf_txn_free(live->restoring);
    }
    if (live->unmanaged) {
        nwf_txn_free(live->unmanaged);
    }
    if_notifier_destroy(live->interfaces);
    nwf_nic_lock_watch_free(live->rules);
    nwf_ovsdb_close(live->db);
    nwf_store_free(live->sources.store);
    nwf_policies_finish(&live->policies);
    nwf_filter_path_finish(&live->path);
    free(live);
}

/* ---- Bridges. ---- */

struct nwf_keeper *
nwf_live_find(const struct nwf_live *live, const char *bridge)
{
    nwf_vec_foreach (keeper, &live->keepers) {
        if (!strcmp(nwf_keeper_bridge(*keeper), bridge)) {
            return *keeper;
        }
    }
    return NULL;
}

struct nwf_keeper *
nwf_live_find_port(const struct nwf_live *live, const char *name,
                   const struct nwf_plan_port **ret_port)
{
    nwf_vec_foreach (keeper, &live->keepers) {
        if ((*ret_port = nwf_plan_find_port(nwf_keeper_plan(*keeper), name))) {
            return *keeper;
        }
    }
    return NULL;
}

static int
compare_keepers(const void *a, const void *b)
{
    return strcmp(nwf_keeper_bridge(*(struct nwf_keeper *const *) a),
                  nwf_keeper_bridge(*(struct nwf_keeper *const *) b));
}

/* Whether a bridge is one that we keep.  One without tags, but with a record, has been cleared by
 * some tool of the host, and is kept until it has them again. */
static bool
is_kept(const struct nwf_ovs_bridge *bridge)
{
    return bridge->config.managed != NWF_UNMANAGED || nwf_record_exists(bridge->name);
}

static void
drop_others(struct nwf_live *live, const struct nwf_ovs_bridges *bridges)
{
    size_t kept = 0;

    nwf_vec_foreach (keeper, &live->keepers) {
        bool found = false, is_there = false;
        nwf_vec_foreach (bridge, bridges) {
            bool same = !strcmp(bridge->name, nwf_keeper_bridge(*keeper));
            is_there |= same;
            found |= same && is_kept(bridge);
        }
        if (found) {
            live->keepers.data[kept++] = *keeper;
        } else {
            VLOG_INFO("bridge %s: gone, or not managed any more", nwf_keeper_bridge(*keeper));
            if (!is_there) {
                nwf_keeper_lose_host(*keeper);
            }
            nwf_keeper_free(*keeper);
        }
    }
    live->keepers.n = kept;
}

static void
add_new(struct nwf_live *live, const struct nwf_ovs_bridges *bridges)
{
    nwf_vec_foreach (bridge, bridges) {
        if (bridge->config.managed != NWF_UNMANAGED && !nwf_live_find(live, bridge->name)) {
            VLOG_INFO("bridge %s: managed", bridge->name);
            nwf_vec_push(&live->keepers,
                         nwf_keeper_new(live->db, &live->sources, &live->options, bridge->name));
        }
    }
    if (live->keepers.n) {
        qsort(live->keepers.data, live->keepers.n, sizeof live->keepers.data[0], compare_keepers);
    }
}

/* ---- What bridges have lost, and ports that nobody protects. ---- */

static void
say_restored(const char *bridge, const char *file, void *aux)
{
    (void) aux;
    COVERAGE_INC(nwf_bridge_restored);
    VLOG_WARN("bridge %s: its tags were gone, and are those of %s again: it is managed", bridge,
              file);
}

static void
restore(struct nwf_live *live)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
    struct nwf_error err = NWF_ERROR_INIT;

    if (nwf_records_restore(live->db, say_restored, NULL, &live->restoring, &err)) {
        VLOG_WARN_RL(&rl, "%s", nwf_error_text(&err));
    }
    nwf_error_clear(&err);
}

static void
say_of_unmanaged(struct nwf_live *live)
{
    const struct nwf_unfiltered unfiltered = {.each = NULL};

    live->unmanaged = nwf_sync_unmanaged(live->db, &live->sources, &unfiltered);
}

/* Goes on with a transaction whose end nobody waits for; what it was to write is found missing
 * when the database is looked at again. */
static void
run_txn(struct nwf_txn **txn)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
    struct nwf_error err = NWF_ERROR_INIT;
    int r = *txn ? nwf_txn_run(*txn, &err) : -EAGAIN;

    if (r == -EAGAIN) {
        return;
    }
    if (r) {
        VLOG_WARN_RL(&rl, "%s", nwf_error_text(&err));
        nwf_error_clear(&err);
    }
    nwf_txn_free(TAKE_PTR(*txn));
}

static void
look_at_database(struct nwf_live *live)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};

    live->seqno = nwf_ovsdb_seqno(live->db);
    live->is_read = true;
    live->is_overdue = false;
    nwf_ovsdb_bare_bridges(live->db, &bridges);
    if (!live->restoring) {
        restore(live);
        run_txn(&live->restoring); /* One is under way before another is made. */
    }
    drop_others(live, &bridges);
    add_new(live, &bridges);
    nwf_vec_foreach (keeper, &live->keepers) {
        nwf_keeper_update(*keeper, false);
    }
    if (!live->unmanaged) {
        say_of_unmanaged(live);
        run_txn(&live->unmanaged);
    }
}

/* ---- Running. ---- */

void
nwf_live_run(struct nwf_live *live)
{
    if (!nwf_ovsdb_run(live->db, NULL)
        && (!live->is_read || live->is_overdue || live->seqno != nwf_ovsdb_seqno(live->db))) {
        look_at_database(live);
    }
    run_txn(&live->restoring);
    run_txn(&live->unmanaged);
    if_notifier_run();
    if (live->rules && nwf_nic_lock_watch_run(live->rules)) {
        check_locks(live, true);
    }
    nwf_vec_foreach (keeper, &live->keepers) { /* Who asks now, asks for what is so now. */
        nwf_keeper_look_at_host(*keeper);
    }
    nwf_vec_foreach (ticket, &live->tickets) {
        nwf_ticket_run(*ticket);
    }
    nwf_vec_foreach (keeper, &live->keepers) {
        nwf_keeper_run(*keeper);
    }
    nwf_vec_foreach (ticket, &live->tickets) {
        nwf_ticket_run(*ticket);
    }
}

void
nwf_live_wait(struct nwf_live *live)
{
    nwf_ovsdb_wait(live->db);
    if_notifier_wait();
    if (live->rules) {
        nwf_nic_lock_watch_wait(live->rules);
    }
    if (live->is_read && live->seqno != nwf_ovsdb_seqno(live->db)) {
        poll_immediate_wake();
    }
    if (live->restoring) {
        nwf_txn_wait(live->restoring);
    }
    if (live->unmanaged) {
        nwf_txn_wait(live->unmanaged);
    }
    nwf_vec_foreach (keeper, &live->keepers) {
        nwf_keeper_wait(*keeper);
    }
    nwf_vec_foreach (ticket, &live->tickets) {
        nwf_ticket_wait(*ticket);
    }
}

bool
nwf_live_is_settled(const struct nwf_live *live)
{
    nwf_vec_foreach (keeper, &live->keepers) {
        if (!nwf_keeper_is_settled(*keeper) && !nwf_keeper_is_failing(*keeper, PATIENCE_MS)) {
            return false;
        }
    }
    return live->is_read && !live->restoring;
}
