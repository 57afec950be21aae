/* SPDX-License-Identifier: Apache-2.0
 *
 * One bridge's synchronisation, and what is said of it. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "sync.h"

const struct nwf_ovs_bridge *
nwf_cli_find_bridge(const struct nwf_ovs_bridges *bridges, const char *name, struct nwf_error *err)
{
    nwf_vec_foreach (bridge, bridges) {
        if (!strcmp(bridge->name, name)) {
            return bridge;
        }
    }
    nwf_error_set(err, -ENOENT, "%.80s: no such bridge", name);
    return NULL;
}

void
nwf_cli_print_change(const struct nwf_change *change)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    nwf_cli_stop_alarm(); /* Nothing is done any more but to print. */
    nwf_flow_format(change->flow, &s);
    printf("%c%s\n", change->kind == NWF_CHANGE_DELETE ? '-' : '+', ds_cstr(&s));
    ds_destroy(&s);
}

static size_t
count_role(const struct nwf_plan *plan, enum nwf_port_role role)
{
    size_t n = 0;

    nwf_vec_foreach (port, &plan->ports) {
        n += port->role == role;
    }
    return n;
}

static void
print_result(const struct nwf_cli *cli, const struct nwf_plan *plan,
             const struct nwf_sync_result *result)
{
    const char *format =
        cli->json ? "{\"bridge\": %s, \"flows\": %zu, \"added\": %zu, \"changed\": %zu, "
                    "\"removed\": %zu, \"guests\": %zu, \"quarantined\": %zu, \"trusted\": %zu}\n"
                  : "%s: %zu flows: %zu added, %zu changed, %zu removed; "
                    "%zu guests, %zu quarantined, %zu trusted\n";
    char *name CLEANUP_FREE =
        cli->json ? nwf_json_quote(plan->name) : nwf_text_clean(plan->name, NWF_ERROR_MAX);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    printf(format, name, result->n_flows, result->n_added, result->n_replaced, result->n_deleted,
           count_role(plan, NWF_GUEST), count_role(plan, NWF_QUARANTINED),
           count_role(plan, NWF_TRUSTED));
#pragma GCC diagnostic pop
}

/* Guests that are named if a whole crowd is unwell for one reason. */
#define NAMED_MAX 8

/* Says which guests get no flooded frames, in one line; the number of them. */
static size_t
complain_of_floods(const struct nwf_plan *plan)
{
    char *names CLEANUP_FREE = nwf_strdup("");
    char *where CLEANUP_FREE = nwf_asprintf("bridge %s", plan->name);
    size_t n = 0;

    nwf_vec_foreach (port, &plan->ports) {
        if (nwf_plan_is_unreached(port) && n++ < NAMED_MAX) {
            char *old CLEANUP_FREE = names;
            names = nwf_asprintf("%s%s%s", old, *old ? ", " : "", port->name);
        }
    }
    if (n) {
        char *cause CLEANUP_FREE = nwf_asprintf(
            "%zu guests get no flooded frames of some kind (see their status), the bridge's "
            "filters have more stages than one frame can visit: %s%s",
            n, names, n > NAMED_MAX ? ", ..." : "");
        nwf_cli_complain_of(where, cause);
    }
    return n;
}

/* Says what is wrong with ports, or with sync->only one; the number of them. */
static size_t
complain_of_ports(const struct nwf_cli_sync *sync, const struct nwf_plan *plan)
{
    bool found = false;
    size_t n = 0;

    nwf_vec_foreach (port, &plan->ports) {
        if (sync->only && strcmp(sync->only, port->name)) {
            continue;
        }
        found = true;
        if (port->error.text && (sync->only || !nwf_plan_is_unreached(port))) {
            nwf_cli_complain_of(port->name, nwf_error_text(&port->error));
            n++;
        } else if (sync->must_be_guest && port->role == NWF_TRUSTED) {
            nwf_cli_complain_of(port->name, NWF_NOT_FILTERED);
            n++;
        }
    }
    if (sync->only && !found) {
        nwf_cli_complain_of(sync->only, "not on the bridge any more");
        n++;
    }
    if (plan->no_limits) {
        char *cause CLEANUP_FREE = nwf_asprintf(
            "one guest can fill the table of connections: it has no limits: %s", plan->no_limits);
        nwf_cli_complain_of(plan->name, cause);
    }
    return sync->only ? n : n + complain_of_floods(plan);
}

static void
complain_of_tag(const char *key, const char *value, const char *meaning, void *bridge)
{
    char *cause CLEANUP_FREE = nwf_asprintf("%s=\"%.40s\" %s", key, value, meaning);
    char *name CLEANUP_FREE = nwf_asprintf("bridge %s", (const char *) bridge);

    nwf_cli_complain_of(name, cause);
}

/* -EAGAIN: somebody has changed its rows meanwhile, and this was not the 'last' try. */
static int
sync_bridge(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_cli_sync *sync,
            const struct nwf_ovs_bridge *bridge, bool last, struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_record tags CLEANUP(nwf_record_clear); /* The row's own go when it changes. */
    struct nwf_sync_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
        .dry_run = sync->dry_run,
        .full = sync->full,
        .may_repeat = !last,
        .report = sync->dry_run ? nwf_cli_print_change : NULL,
    };
    struct nwf_sync_result result;

    nwf_plan_init(&plan, bridge->name);
    plan.policies = &cli->policies;
    nwf_plan_read(&plan, bridge, cli->store);
    nwf_record_from_tags(bridge->tags.data, bridge->tags.n, &tags);
    int r = nwf_sync_bridge(db, bridge, cli->store, &plan, &options, &result, err);
    if (r) {
        return r;
    }
    nwf_bridge_config_doubts(tags.data, tags.n, complain_of_tag, plan.name);
    print_result(cli, &plan, &result);
    return complain_of_ports(sync, &plan) ? NWF_EXIT_ERROR : NWF_EXIT_OK;
}

/* ---- Bridges one by one. ---- */

/* How often a bridge is read again because its rows change while they are put in force. */
#define TRIES_MAX 4

/* A bridge may have been tagged by hand, or opened by another tool; it is closed before
 * anything else. */
static int
secure(struct nwf_ovsdb *db, const char *name, struct nwf_ovs_bridges *bridges,
       const struct nwf_ovs_bridge **bridge, struct nwf_error *err)
{
    int r = nwf_ovs_bridge_is_secured(*bridge) ? 0 : nwf_ovsdb_secure(db, *bridge, err);

    if (r || nwf_ovs_bridge_is_secured(*bridge)) {
        return r;
    }
    nwf_ovs_bridges_clear(bridges);
    nwf_ovsdb_bridges(db, bridges);
    *bridge = nwf_cli_find_bridge(bridges, name, err);
    return *bridge ? 0 : -ENOENT;
}

/* What an operator has changed by hand is on record from now on. */
static int
record(const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct nwf_record record CLEANUP(nwf_record_clear);

    nwf_record_from_tags(bridge->tags.data, bridge->tags.n, &record);
    return nwf_record_store(bridge->name, &record, err);
}

static int
try_to_sync(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_cli_sync *sync,
            const char *name, bool last, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    int r = nwf_ovsdb_refresh(db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bridges(db, &bridges);
    const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(&bridges, name, err);
    if (!bridge) {
        return -ENOENT;
    }
    if (bridge->config.managed == NWF_UNMANAGED) {
        bool was_cleared = !last && !sync->dry_run && nwf_record_exists(name);
        return was_cleared && !nwf_cli_restore_bridges(db)
                   ? nwf_error_set(err, -EAGAIN, "%s: its tags were cleared", name)
                   : nwf_error_set(err, -EINVAL, "%s: not managed any more", name);
    }
    if (!sync->dry_run
        && ((r = secure(db, name, &bridges, &bridge, err)) || (r = record(bridge, err)))) {
        return r;
    }
    return sync_bridge(cli, db, sync, bridge, last, err);
}

int
nwf_cli_sync_name(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_cli_sync *sync,
                  const char *name, struct nwf_error *err)
{
    int r = -EAGAIN;

    for (int tries = 1; r == -EAGAIN && tries <= TRIES_MAX; tries++) {
        nwf_error_clear(err);
        r = try_to_sync(cli, db, sync, name, tries == TRIES_MAX, err);
    }
    return r;
}
