/* SPDX-License-Identifier: Apache-2.0
 *
 * diff: what sync would change. */
#include <config.h>

#include <errno.h>
#include <limits.h>

#include "sync.h"

/* Guests that are not protected although nothing is left to change. */
static bool
complain_of_guests(const struct nwf_plan *plan)
{
    bool any = false;

    nwf_vec_foreach (port, &plan->ports) {
        if (port->role == NWF_GUEST && port->error.text && !nwf_plan_is_unreached(port)) {
            nwf_cli_complain_of(port->name, nwf_error_text(&port->error));
            any = true;
        }
    }
    return any;
}

static int
diff_bridge(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
            struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_sync_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
        .dry_run = true,
        .full = true,
        .report = nwf_cli_print_change,
    };
    struct nwf_sync_result result;

    nwf_plan_init(&plan, bridge->name);
    plan.policies = &cli->policies;
    nwf_plan_read(&plan, bridge, cli->store);
    int r = nwf_sync_bridge(db, bridge, cli->store, &plan, &options, &result, err);
    if (r) {
        return r;
    }
    if (complain_of_guests(&plan)) {
        return NWF_EXIT_ERROR;
    }
    return result.n_added || result.n_replaced || result.n_deleted ? NWF_EXIT_DIFFERENT
                                                                   : NWF_EXIT_OK;
}

static int
diff_one(const struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name, const void *aux,
         struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear);

    (void) aux;
    nwf_ovsdb_bridges(db, &bridges);
    const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(&bridges, name, err);
    return bridge ? diff_bridge(cli, db, bridge, err) : -ENOENT;
}

static int
diff(struct nwf_cli *cli, struct nwf_error *err)
{
    return nwf_cli_for_bridges(cli, true, diff_one, NULL, err);
}

const struct nwf_verb nwf_diff_verbs[] = {
    {"diff", "[BRIDGE...]", "show what sync --full would change; exit 2 if anything", 0, INT_MAX,
     .needs_policies = true, .run = diff},
    {.name = NULL},
};
