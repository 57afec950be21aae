/* SPDX-License-Identifier: Apache-2.0
 *
 * sync and diff. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
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

static void
complain_of(const char *port, const char *cause)
{
    struct nwf_error err = NWF_ERROR_INIT;

    nwf_error_set(&err, -EINVAL, "%s: %s", port, cause);
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
            complain_of(port->name, nwf_error_text(&port->error));
            n++;
        } else if (cli->sync && port->role == NWF_TRUSTED) {
            complain_of(port->name, NWF_NOT_FILTERED);
            n++;
        }
    }
    if (cli->only && !found) {
        complain_of(cli->only, "not on the bridge any more");
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

int
nwf_cli_sync_bridge(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                    struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_sync_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
        .dry_run = cli->dry_run,
        .full = cli->full,
    };
    struct nwf_sync_result result;

    nwf_plan_init(&plan, bridge->name);
    if (bridge->bad_tag) {
        fprintf(stderr, "ovs-nwfilter: bridge %s: nwfilter=\"%.20s\" is taken for \"enforce\"\n",
                bridge->name, bridge->bad_tag);
    }
    nwf_plan_read(&plan, bridge, cli->store);
    int r = nwf_sync_bridge(db, bridge, cli->store, &plan, &options,
                            cli->dry_run ? nwf_cli_print_change : NULL, NULL, &result, err);
    if (r) {
        return r;
    }
    print_result(cli, &plan, &result);
    return complain_of_ports(cli, &plan) ? NWF_EXIT_ERROR : NWF_EXIT_OK;
}

/* A bridge may have been tagged by hand; it is closed before anything else. */
static int
secure_and_sync(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};

    if (!cli->dry_run && (!bridge->secure || !bridge->secured)) {
        char *name CLEANUP_FREE = nwf_strdup(bridge->name);
        int r = nwf_ovsdb_secure(db, bridge, err);
        if (r) {
            return r;
        }
        nwf_ovsdb_bridges(db, &bridges);
        if (!(bridge = nwf_cli_find_bridge(&bridges, name, err))) {
            return -ENOENT;
        }
    }
    if (bridge->managed == NWF_UNMANAGED) {
        return nwf_error_set(err, -EINVAL, "%s: not managed any more", bridge->name);
    }
    return nwf_cli_sync_bridge(cli, db, bridge, err);
}

static int
sync_one(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge)
{
    struct nwf_error err = NWF_ERROR_INIT;
    int r = secure_and_sync(cli, db, bridge, &err);

    if (r < 0) {
        nwf_cli_complain(&err);
        r = NWF_EXIT_ERROR;
    }
    nwf_error_clear(&err);
    return r;
}

typedef int bridge_fn(struct nwf_cli *cli, struct nwf_ovsdb *db,
                      const struct nwf_ovs_bridge *bridge);

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
        if (bridge->managed == NWF_UNMANAGED) {
            return nwf_error_set(err, -EINVAL, "%s: not managed; see ovs-nwfilter manage",
                                 bridge->name);
        }
        nwf_vec_push(ret, nwf_strdup(bridge->name));
    }
    nwf_vec_foreach (bridge, &bridges) {
        if (!cli->argc && bridge->managed != NWF_UNMANAGED) {
            nwf_vec_push(ret, nwf_strdup(bridge->name));
        }
    }
    return 0;
}

/* Calls each() for one bridge as the database shows it now: what was read before the
 * last transaction may be gone. */
static int
call_for_bridge(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name, bridge_fn *each)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    nwf_ovsdb_bridges(db, &bridges);
    const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(&bridges, name, &err);
    int r = bridge ? each(cli, db, bridge) : NWF_EXIT_ERROR;
    if (!bridge) {
        nwf_cli_complain(&err);
        nwf_error_clear(&err);
    }
    return r;
}

/* Calls each() for the bridges that the operands name, or all managed ones.  The
 * worst result counts. */
static int
for_bridges(struct nwf_cli *cli, bridge_fn *each, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_words names = {.data = NULL};
    int worst = NWF_EXIT_OK;
    int r = nwf_ovsdb_open(cli->db, cli->timeout_ms, &db, err);

    if (!r) {
        r = list_names(cli, db, &names, err);
    }
    nwf_vec_foreach (name, &names) {
        nwf_cli_start_alarm(cli);
        int result = r ? NWF_EXIT_OK : call_for_bridge(cli, db, *name, each);
        worst = result == NWF_EXIT_ERROR || worst == NWF_EXIT_OK ? result : worst;
        free((char *) *name);
    }
    nwf_vec_clear(&names);
    return r ? r : worst;
}

int
nwf_cli_sync_bridges(struct nwf_cli *cli, struct nwf_error *err)
{
    return for_bridges(cli, sync_one, err);
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

static int
diff_one(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge)
{
    struct nwf_error err = NWF_ERROR_INIT;
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
                            &result, &err);
    if (r) {
        nwf_cli_complain(&err);
        nwf_error_clear(&err);
        return NWF_EXIT_ERROR;
    }
    return result.n_added || result.n_replaced || result.n_deleted ? NWF_EXIT_DIFFERENT
                                                                   : NWF_EXIT_OK;
}

int
nwf_verb_diff(struct nwf_cli *cli, struct nwf_error *err)
{
    return for_bridges(cli, diff_one, err);
}
