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
        n += (*port)->role == role;
    }
    return n;
}

static void
print_bridge(const struct nwf_cli *cli, const struct nwf_plan *plan,
             const struct nwf_keeper_counts *result)
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
        if (nwf_plan_is_unreached(*port) && n++ < NAMED_MAX) {
            char *old CLEANUP_FREE = names;
            names = nwf_asprintf("%s%s%s", old, *old ? ", " : "", (*port)->config.name);
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

    nwf_vec_foreach (item, &plan->ports) {
        const struct nwf_plan_port *port = *item;
        const char *name = port->config.name;
        const struct nwf_error *error = nwf_plan_port_error(port);

        if (sync->only && strcmp(sync->only, name)) {
            continue;
        }
        found = true;
        if (error->text && (sync->only || !nwf_plan_is_unreached(port))) {
            nwf_cli_complain_of(name, nwf_error_text(error));
            n++;
        } else if (sync->only && port->role == NWF_TRUSTED && port->config.binding.filter) {
            nwf_cli_complain_of(name, NWF_NOT_FILTERED);
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
    if (plan->host_advice) {
        nwf_cli_complain_of(plan->name, plan->host_advice);
    }
    if (nwf_plan_error(plan)->text) {
        nwf_cli_complain_of(plan->name, nwf_error_text(nwf_plan_error(plan)));
        n++;
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

/* What is odd about the bridge's tags. */
static void
complain_of_tags(struct nwf_ovsdb *db, const char *name)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};

    nwf_ovsdb_bare_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (!strcmp(bridge->name, name)) {
            nwf_bridge_config_doubts(bridge->tags.data, bridge->tags.n, complain_of_tag,
                                     (void *) name);
        }
    }
}

static void
print_port(const struct nwf_cli *cli, const struct nwf_plan *plan, const char *name,
           const struct nwf_keeper_counts *result)
{
    const struct nwf_plan_port *port = nwf_plan_find_port(plan, name);
    size_t n_flows = port ? port->size.n_flows + 1 : 0;

    if (cli->json) {
        char *bridge CLEANUP_FREE = nwf_json_quote(plan->name);
        char *quoted CLEANUP_FREE = nwf_json_quote(name);
        printf("{\"bridge\": %s, \"port\": %s, \"flows\": %zu, \"added\": %zu, "
               "\"changed\": %zu, \"removed\": %zu}\n",
               bridge, quoted, n_flows, result->n_added, result->n_replaced, result->n_deleted);
    } else {
        char *bridge CLEANUP_FREE = nwf_text_clean(plan->name, NWF_ERROR_MAX);
        char *clean CLEANUP_FREE = nwf_text_clean(name, NWF_ERROR_MAX);
        printf("%s: %s: %zu flows: %zu added, %zu changed, %zu removed\n", bridge, clean, n_flows,
               result->n_added, result->n_replaced, result->n_deleted);
    }
}

int
nwf_cli_settle(const struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
               const struct nwf_keeper_options *options, struct nwf_keeper **ret,
               struct nwf_error *err)
{
    struct nwf_keeper *keeper CLEANUP(nwf_keeper_cleanup) =
        nwf_keeper_new(db, &cli->sources, options, name);
    int r = nwf_keeper_settle(keeper, err);

    if (!r) {
        *ret = TAKE_PTR(keeper);
    }
    return r;
}

int
nwf_cli_sync_name(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_cli_sync *sync,
                  const char *name, struct nwf_error *err)
{
    struct nwf_keeper *keeper CLEANUP(nwf_keeper_cleanup) = NULL;
    const struct nwf_keeper_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
        .once = true,
        .dry_run = sync->dry_run,
        .report = sync->dry_run ? nwf_cli_print_change : NULL,
    };
    int r = nwf_cli_settle(cli, db, name, &options, &keeper, err);

    if (r == -EIDRM && nwf_record_exists(name) && !nwf_cli_restore_bridges(db)) {
        nwf_error_clear(err);
        r = nwf_cli_settle(cli, db, name, &options, &keeper, err);
    }
    if (r) {
        return r;
    }
    const struct nwf_plan *plan = nwf_keeper_plan(keeper);
    if (sync->only) {
        print_port(cli, plan, sync->only, nwf_keeper_counts(keeper));
    } else {
        complain_of_tags(db, name);
        print_bridge(cli, plan, nwf_keeper_counts(keeper));
    }
    return complain_of_ports(sync, plan) ? NWF_EXIT_ERROR : NWF_EXIT_OK;
}
