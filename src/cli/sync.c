/* SPDX-License-Identifier: Apache-2.0
 *
 * sync: of bridges, or of single ports. */
#include <config.h>

#include <errno.h>
#include <limits.h>

#include "handover.h"
#include "sync.h"

static struct nwf_words port_names;
static struct nwf_cli_sync options_given;
static bool is_full;

static const struct nwf_option options[] = {
    {"dry-run", NULL, nwf_option_flag, &options_given.dry_run, "only say what would be done"},
    {"full", NULL, nwf_option_flag, &is_full,
     "compare every flow: what sync always does, kept for scripts"},
    {"port", "IFACE[,IFACE...]", nwf_option_words, &port_names,
     "only these ports; takes the place of BRIDGE"},
    {.name = NULL},
};

static int
sync_port(const struct nwf_cli *cli, const char *name, struct nwf_error *err)
{
    return cli->has_daemon && !options_given.dry_run
               ? nwf_cli_hand_over(cli, NULL, name, nwf_cli_patience_s(cli), err)
               : nwf_cli_sync_port(cli, &options_given, name, err);
}

/* One port's error does not keep the others from being synchronised. */
static int
sync_ports(const struct nwf_cli *cli)
{
    int worst = NWF_EXIT_OK;

    nwf_vec_foreach (name, &port_names) {
        struct nwf_error err = NWF_ERROR_INIT;
        nwf_cli_start_alarm(cli, 1);
        int r = sync_port(cli, *name, &err);
        if (r == NWF_NO_DAEMON) {
            nwf_error_clear(&err);
            return r;
        }
        if (r < 0) {
            nwf_cli_complain(&err);
        }
        worst = nwf_cli_worse(worst, r < 0 ? NWF_EXIT_ERROR : r);
        nwf_error_clear(&err);
    }
    return worst;
}

static int
sync_one(const struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name, const void *sync,
         struct nwf_error *err)
{
    return nwf_cli_sync_name(cli, db, sync, name, err);
}

/* Has the daemon synchronise the bridges that the operands name, or all. */
static int
hand_over(const struct nwf_cli *cli, struct nwf_error *err)
{
    int worst = NWF_EXIT_OK;

    if (!cli->argc) {
        return nwf_cli_hand_over(cli, NULL, NULL, nwf_cli_patience_s(cli), err);
    }
    for (int i = 0; i < cli->argc; i++) {
        int r = nwf_cli_hand_over(cli, cli->argv[i], NULL, nwf_cli_patience_s(cli), err);
        if (r == NWF_NO_DAEMON) {
            return r;
        }
        if (r < 0) { /* One bridge's error does not keep the others from their turn. */
            nwf_cli_complain(err);
            nwf_error_clear(err);
        }
        worst = nwf_cli_worse(worst, r < 0 ? NWF_EXIT_ERROR : r);
    }
    return worst;
}

static int
sync_verb(struct nwf_cli *cli, struct nwf_error *err)
{
    if (!port_names.given && cli->has_daemon && !options_given.dry_run) {
        return hand_over(cli, err);
    }
    if (!port_names.given) {
        return nwf_cli_for_bridges(cli, options_given.dry_run, sync_one, &options_given, err);
    }
    if (!port_names.n) {
        return nwf_error_set(err, -EINVAL, "--port names no port");
    }
    return cli->argc ? nwf_error_set(err, -EINVAL, "--port takes the place of BRIDGE")
                     : sync_ports(cli);
}

const struct nwf_verb nwf_sync_verbs[] = {
    {"sync", "[BRIDGE...]", "compute, diff, apply in one atomic bundle", 0, INT_MAX, options,
     .exclusive = true, .dry_run = &options_given.dry_run, .needs_policies = true,
     .run = sync_verb},
    {.name = NULL},
};
