/* SPDX-License-Identifier: Apache-2.0
 *
 * bindings: the ports of managed bridges, and all others that have a filter. */
#include <config.h>

#include "cli.h"
#include "nwf/text.h"

static const char *const headings[] = {"port",      "bridge",   "role",  "filter",
                                       "variables", "isolated", "status"};

static void
add_port(struct nwf_rows *rows, const struct nwf_ovs_bridge *bridge,
         const struct nwf_plan_port *port)
{
    const struct nwf_port_config *config = &port->config;
    char *variables CLEANUP_FREE = nwf_params_format(&config->binding.params);
    bool managed = bridge->config.managed != NWF_UNMANAGED;
    char *unmanaged CLEANUP_FREE = nwf_asprintf(NWF_STATUS_UNMANAGED, bridge->name);

    if (!managed && !config->binding.filter) {
        return;
    }
    nwf_rows_add(rows, config->name);
    nwf_rows_add(rows, bridge->name);
    nwf_rows_add(rows, !managed                   ? "unmanaged"
                       : config->is_mirror_output ? "mirror output"
                                                  : nwf_port_role_to_string(config->role));
    nwf_rows_add(rows, config->binding.filter ? config->binding.filter : "");
    nwf_rows_add(rows, variables);
    nwf_rows_add(rows, config->binding.isolated ? "yes" : "");
    nwf_rows_add(rows, !managed ? unmanaged : port->notes.status ? port->notes.status : "");
}

static int
bindings(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges found CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_rows rows;
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    nwf_rows_init(&rows, headings, sizeof headings / sizeof headings[0]);
    nwf_ovsdb_bare_bridges(db, &found);
    nwf_vec_foreach (bridge, &found) {
        struct nwf_plan plan CLEANUP(nwf_plan_finish);

        nwf_plan_init(&plan, bridge->name);
        nwf_plan_update(&plan, bridge, &cli->sources, true);
        nwf_vec_foreach (port, &plan.ports) {
            add_port(&rows, bridge, *port);
        }
    }
    nwf_rows_print(&rows, cli->json);
    return NWF_EXIT_OK;
}

const struct nwf_verb nwf_bindings_verbs[] = {
    {"bindings", "", "list ports with their filter, variables and status", 0, 0,
     .needs_policies = true, .run = bindings},
    {.name = NULL},
};
