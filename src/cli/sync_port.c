/* SPDX-License-Identifier: Apache-2.0
 *
 * sync --port and bind --sync: what a hook does when one guest's policy has changed. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nwf/record_file.h"
#include "nwf/text.h"
#include "sync.h"

static void
print_result(const struct nwf_cli *cli, const struct nwf_plan *plan,
             const struct nwf_sync_result *result)
{
    const char *name = plan->ports.data[0].name;

    if (cli->json) {
        char *bridge CLEANUP_FREE = nwf_json_quote(plan->name);
        char *port CLEANUP_FREE = nwf_json_quote(name);
        printf("{\"bridge\": %s, \"port\": %s, \"flows\": %zu, \"added\": %zu, "
               "\"changed\": %zu, \"removed\": %zu}\n",
               bridge, port, result->n_flows, result->n_added, result->n_replaced,
               result->n_deleted);
    } else {
        char *bridge CLEANUP_FREE = nwf_text_clean(plan->name, NWF_ERROR_MAX);
        char *port CLEANUP_FREE = nwf_text_clean(name, NWF_ERROR_MAX);
        printf("%s: %s: %zu flows: %zu added, %zu changed, %zu removed\n", bridge, port,
               result->n_flows, result->n_added, result->n_replaced, result->n_deleted);
    }
}

/* Synchronises the only port of 'bridge', unless that needs all of the bridge. */
static int
sync_alone(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_cli_sync *sync,
           const struct nwf_ovs_bridge *bridge, bool *ret_done, struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_sync_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
        .dry_run = sync->dry_run,
        .report = sync->dry_run ? nwf_cli_print_change : NULL,
    };
    struct nwf_sync_result result;

    nwf_plan_init(&plan, bridge->name);
    plan.policies = &cli->policies;
    nwf_plan_read(&plan, bridge, cli->store);
    if (sync->must_be_guest && plan.ports.data[0].role == NWF_TRUSTED) {
        return nwf_error_set(err, -EINVAL, "%s: " NWF_NOT_FILTERED, plan.ports.data[0].name);
    }
    int r = nwf_sync_port(db, bridge, cli->store, &plan, &options, &result, ret_done, err);
    if ((r && r != NWF_REFUSED) || !*ret_done) {
        return r;
    }
    if (!r) {
        print_result(cli, &plan, &result);
    }
    return plan.ports.data[0].error.text
               ? nwf_error_set(err, r ? r : -EINVAL, "%s: %s", plan.ports.data[0].name,
                               nwf_error_text(&plan.ports.data[0].error))
               : 0;
}

int
nwf_cli_sync_alone(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_cli_sync *sync,
                   const char *name, char **ret_bridge, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    bool done = false;
    int r = nwf_ovsdb_port_bridge(db, &bridges, err);

    if (r) {
        return r;
    }
    if (!bridges.n) {
        return nwf_error_set(err, -EINVAL, "%.80s: no bridge has it as a port of its own", name);
    }
    if (bridges.data[0].config.managed == NWF_UNMANAGED
        && nwf_record_exists(bridges.data[0].name)) {
        *ret_bridge = nwf_strdup(bridges.data[0].name); /* Where it will be restored. */
        return 0;
    }
    if (bridges.data[0].config.managed == NWF_UNMANAGED) {
        return nwf_error_set(err, -EINVAL,
                             "%.80s: bridge %s is not managed; see ovs-nwfilter manage", name,
                             bridges.data[0].name);
    }
    r = sync->full ? 0 : sync_alone(cli, db, sync, &bridges.data[0], &done, err);
    if (r == -ECANCELED || r == NWF_REFUSED || (!r && !done)) {
        *ret_bridge = nwf_strdup(bridges.data[0].name);
    }
    return r;
}

int
nwf_cli_sync_whole(const struct nwf_cli *cli, const struct nwf_cli_sync *sync, const char *bridge,
                   const char *port, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_cli_sync whole = *sync;
    int r = nwf_ovsdb_open(cli->db, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    whole.only = port;
    if (!sync->dry_run) {
        (void) nwf_cli_restore_bridges(db);
    }
    nwf_cli_start_alarm(cli, 1);
    return nwf_cli_sync_name(cli, db, &whole, bridge, err);
}

int
nwf_cli_sync_port(const struct nwf_cli *cli, const struct nwf_cli_sync *sync, const char *name,
                  struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    char *bridge CLEANUP_FREE = NULL;
    int r = nwf_ovsdb_open_port(cli->db, cli->timeout_ms, name, &db, err);

    if (!r) {
        r = nwf_cli_sync_alone(cli, db, sync, name, &bridge, err);
    }
    if ((r == -ECANCELED || r == NWF_REFUSED) && bridge) {
        nwf_error_clear(err); /* What the tags say now is as good. */
        r = 0;
    }
    return r || !bridge ? r : nwf_cli_sync_whole(cli, sync, bridge, name, err);
}
