/* SPDX-License-Identifier: Apache-2.0
 *
 * sync and diff. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

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
nwf_cli_print_change(void *aux, const struct nwf_plan *plan, const struct nwf_change *change)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    (void) aux;
    (void) plan;
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
    char *name CLEANUP_FREE = cli->json ? nwf_json_quote(plan->name) : nwf_strdup(plan->name);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    printf(format, name, result->n_flows, result->n_added, result->n_replaced, result->n_deleted,
           count_role(plan, NWF_GUEST), count_role(plan, NWF_QUARANTINED),
           count_role(plan, NWF_TRUSTED));
#pragma GCC diagnostic pop
}

void
nwf_cli_complain_of(const char *name, const char *cause)
{
    struct nwf_error err = NWF_ERROR_INIT;

    nwf_error_set(&err, -EINVAL, "%s: %s", name, cause);
    nwf_cli_complain(&err);
    nwf_error_clear(&err);
}

/* Says what is wrong with ports, or with cli->only one; the number of them. */
static size_t
complain_of_ports(const struct nwf_cli *cli, const struct nwf_plan *plan)
{
    bool found = false;
    size_t n = 0;

    nwf_vec_foreach (port, &plan->ports) {
        if (cli->only && strcmp(cli->only, port->name)) {
            continue;
        }
        found = true;
        if (port->error.text) {
            nwf_cli_complain_of(port->name, nwf_error_text(&port->error));
            n++;
        } else if (cli->sync && port->role == NWF_TRUSTED) {
            nwf_cli_complain_of(port->name, NWF_NOT_FILTERED);
            n++;
        }
    }
    if (cli->only && !found) {
        nwf_cli_complain_of(cli->only, "not on the bridge any more");
        n++;
    }
    if (plan->n_unreached) {
        fprintf(stderr,
                "ovs-nwfilter: bridge %s: %zu guests get no flooded frames of some kind: more "
                "filters than one packet can visit tell such frames apart\n",
                plan->name, plan->n_unreached);
    }
    return n;
}

static void
complain_of_tag(const char *key, const char *value, const char *meaning, void *bridge)
{
    char *cause CLEANUP_FREE = nwf_asprintf("%s=\"%.40s\" %s", key, value, meaning);
    char *name CLEANUP_FREE = nwf_asprintf("bridge %s", (const char *) bridge);

    nwf_cli_complain_of(name, cause);
}

int
nwf_cli_sync_bridge(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                    bool last, struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_sync_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
        .dry_run = cli->dry_run,
        .full = cli->full,
        .may_repeat = !last,
    };
    struct nwf_sync_result result;

    nwf_plan_init(&plan, bridge->name);
    nwf_plan_read(&plan, bridge, cli->store);
    int r = nwf_sync_bridge(db, bridge, cli->store, &plan, &options,
                            cli->dry_run ? nwf_cli_print_change : NULL, NULL, &result, err);
    if (r) {
        return r;
    }
    nwf_bridge_config_doubts(bridge->tags.data, bridge->tags.n, complain_of_tag, plan.name);
    print_result(cli, &plan, &result);
    return complain_of_ports(cli, &plan) ? NWF_EXIT_ERROR : NWF_EXIT_OK;
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
try_to_sync(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name, bool last,
            struct nwf_error *err)
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
        return nwf_error_set(err, -EINVAL, "%s: not managed any more", name);
    }
    if (!cli->dry_run
        && ((r = secure(db, name, &bridges, &bridge, err)) || (r = record(bridge, err)))) {
        return r;
    }
    return nwf_cli_sync_bridge(cli, db, bridge, last, err);
}

int
nwf_cli_sync_name(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
                  struct nwf_error *err)
{
    int r = -EAGAIN;

    for (int tries = 1; r == -EAGAIN && tries <= TRIES_MAX; tries++) {
        nwf_error_clear(err);
        r = try_to_sync(cli, db, name, tries == TRIES_MAX, err);
    }
    return r;
}

static int
sync_one(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name)
{
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_cli_sync_name(cli, db, name, &err);

    if (r < 0) {
        nwf_cli_complain(&err);
        r = NWF_EXIT_ERROR;
    }
    nwf_error_clear(&err);
    return r;
}

typedef int bridge_fn(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name);

/* ---- Which bridges. ---- */

static void
say_restored(const char *bridge, const char *file, void *aux)
{
    char *what CLEANUP_FREE =
        nwf_asprintf("its tags were gone, and are those of %s again: it is managed", file);

    (void) aux;
    nwf_cli_complain_of(bridge, what);
}

/* A record for which nothing can be done is said and does not keep others from being synced. */
static int
restore_bridges(struct nwf_ovsdb *db)
{
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_records_restore(db, say_restored, NULL, &err);

    if (r) {
        nwf_cli_complain(&err);
    }
    nwf_error_clear(&err);
    return r ? NWF_EXIT_ERROR : NWF_EXIT_OK;
}

/* The managed bridges that the operands name, or all. */
static int
list_names(const struct nwf_cli *cli, struct nwf_ovsdb *db, struct nwf_words *ret,
           struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear);

    nwf_ovsdb_bridges(db, &bridges);
    for (int i = 0; i < cli->argc; i++) {
        const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(&bridges, cli->argv[i], err);
        if (!bridge) {
            return -ENOENT;
        }
        if (bridge->config.managed == NWF_UNMANAGED) {
            return nwf_error_set(err, -EINVAL, "%s: not managed; see ovs-nwfilter manage",
                                 bridge->name);
        }
        nwf_vec_push(ret, nwf_strdup(bridge->name));
    }
    nwf_vec_foreach (bridge, &bridges) {
        if (!cli->argc && bridge->config.managed != NWF_UNMANAGED) {
            nwf_vec_push(ret, nwf_strdup(bridge->name));
        }
    }
    return 0;
}

/* An error is worse than a difference. */
static int
worse(int a, int b)
{
    return a == NWF_EXIT_ERROR || b == NWF_EXIT_OK ? a : b;
}

/* Calls before(), and then each() for the bridges that the operands name, or all managed
 * ones.  The worst result counts. */
static int
for_bridges(struct nwf_cli *cli, int (*before)(struct nwf_cli *cli, struct nwf_ovsdb *db),
            bridge_fn *each, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_words names = {.data = NULL};
    int worst = NWF_EXIT_OK;
    int r = nwf_ovsdb_open(cli->db, cli->timeout_ms, &db, err);

    if (!r) {
        worst = before(cli, db);
        r = list_names(cli, db, &names, err);
    }
    nwf_vec_foreach (name, &names) {
        nwf_cli_start_alarm(cli);
        int result = r ? NWF_EXIT_OK : each(cli, db, *name);
        worst = worse(worst, result);
        free((char *) *name);
    }
    nwf_vec_clear(&names);
    return r ? r : worst;
}

static void
say_unfiltered(const char *port, const char *bridge, void *any)
{
    char *cause CLEANUP_FREE = nwf_asprintf("it has a filter, and bridge %s is not managed; see "
                                            "ovs-nwfilter manage",
                                            bridge);

    nwf_cli_complain_of(port, cause);
    *(bool *) any = true;
}

/* Guests that nobody protects are an error where all bridges are meant. */
static int
look_at_the_rest(struct nwf_cli *cli, struct nwf_ovsdb *db)
{
    struct nwf_error err = NWF_ERROR_INIT;
    bool any = false;
    int r = cli->argc
                ? 0
                : nwf_sync_unmanaged(db, cli->store, cli->dry_run, say_unfiltered, &any, &err);

    if (r) {
        nwf_cli_complain(&err);
    }
    nwf_error_clear(&err);
    return r || any ? NWF_EXIT_ERROR : NWF_EXIT_OK;
}

static void
say_lost(const char *bridge, const char *file, void *any)
{
    char *what CLEANUP_FREE =
        nwf_asprintf("its tags are gone, and sync would make them those of %s", file);

    nwf_cli_complain_of(bridge, what);
    *(bool *) any = true;
}

/* Without writing anything: what the first step of sync would do. */
static int
look_for_lost(struct nwf_cli *cli, struct nwf_ovsdb *db)
{
    bool any = false;

    nwf_records_find_lost(db, say_lost, &any);
    return worse(look_at_the_rest(cli, db), any ? NWF_EXIT_DIFFERENT : NWF_EXIT_OK);
}

static int
restore_and_look(struct nwf_cli *cli, struct nwf_ovsdb *db)
{
    if (cli->dry_run) {
        return look_for_lost(cli, db);
    }
    int r = restore_bridges(db);
    return worse(r, look_at_the_rest(cli, db));
}

int
nwf_cli_sync_bridges(struct nwf_cli *cli, struct nwf_error *err)
{
    return for_bridges(cli, restore_and_look, sync_one, err);
}

/* One port's error does not keep the others from being synchronised. */
static int
sync_ports(struct nwf_cli *cli)
{
    int worst = NWF_EXIT_OK;

    nwf_vec_foreach (name, &cli->ports) {
        struct nwf_error err = NWF_ERROR_INIT;
        nwf_cli_start_alarm(cli);
        int r = nwf_cli_sync_port(cli, *name, &err);

        if (r < 0) {
            nwf_cli_complain(&err);
        }
        worst = r ? NWF_EXIT_ERROR : worst;
        nwf_error_clear(&err);
    }
    return worst;
}

int
nwf_verb_sync(struct nwf_cli *cli, struct nwf_error *err)
{
    if (!cli->only_ports) {
        return nwf_cli_sync_bridges(cli, err);
    }
    if (!cli->ports.n) {
        return nwf_error_set(err, -EINVAL, "--port names no port");
    }
    return cli->argc ? nwf_error_set(err, -EINVAL, "--port takes the place of BRIDGE")
                     : sync_ports(cli);
}

/* Guests that are not protected although nothing is left to change. */
static bool
complain_of_guests(const struct nwf_plan *plan)
{
    bool any = false;

    nwf_vec_foreach (port, &plan->ports) {
        if (port->role == NWF_GUEST && port->error.text) {
            nwf_cli_complain_of(port->name, nwf_error_text(&port->error));
            any = true;
        }
    }
    return any;
}

static int
diff_bridge(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
            struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_sync_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
        .dry_run = true,
        .full = true,
    };
    struct nwf_sync_result result;

    nwf_plan_init(&plan, bridge->name);
    nwf_plan_read(&plan, bridge, cli->store);
    int r = nwf_sync_bridge(db, bridge, cli->store, &plan, &options, nwf_cli_print_change, NULL,
                            &result, err);
    if (r) {
        return r;
    }
    return worse(complain_of_guests(&plan) ? NWF_EXIT_ERROR : NWF_EXIT_OK,
                 result.n_added || result.n_replaced || result.n_deleted ? NWF_EXIT_DIFFERENT
                                                                         : NWF_EXIT_OK);
}

static int
diff_one(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    nwf_ovsdb_bridges(db, &bridges);
    const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(&bridges, name, &err);
    int r = bridge ? diff_bridge(cli, db, bridge, &err) : -ENOENT;
    if (r < 0) {
        nwf_cli_complain(&err);
        r = NWF_EXIT_ERROR;
    }
    nwf_error_clear(&err);
    return r;
}

int
nwf_verb_diff(struct nwf_cli *cli, struct nwf_error *err)
{
    cli->dry_run = true;
    return for_bridges(cli, look_for_lost, diff_one, err);
}
