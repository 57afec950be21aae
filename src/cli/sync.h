/* SPDX-License-Identifier: Apache-2.0
 *
 * Synchronisation as commands ask for it: of one bridge, of one port, of the bridges that a
 * command line names. */
#ifndef NWF_CLI_SYNC_H
#define NWF_CLI_SYNC_H

#include "cli.h"

struct nwf_cli_sync {
    bool dry_run;
    const char *only; /* Of a bridge's ports, the one whose state is the result's; or NULL. */
};

/* Shows a change in a dry run: '-' what only the switch has, '+' what it should have, as
 * ovs-ofctl diff-flows. */
nwf_report_fn nwf_cli_print_change;

/* ---- One bridge; see sync_bridge.c. ---- */

/* Synchronises the bridge, read as often as it changes meanwhile, and prints what that did. */
int nwf_cli_sync_name(const struct nwf_cli *cli, struct nwf_ovsdb *db,
                      const struct nwf_cli_sync *sync, const char *name, struct nwf_error *err);

/* Brings the bridge in order once; *ret, the caller's, tells how it is then. */
int nwf_cli_settle(const struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
                   const struct nwf_keeper_options *options, struct nwf_keeper **ret,
                   struct nwf_error *err);

/* ---- The bridges that the operands name, or all managed ones; see bridges.c. ---- */

/* Returns an exit code, or a negative errno with *err set, which is shown. */
typedef int nwf_cli_bridge_fn(const struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
                              const void *aux, struct nwf_error *err);

/* Puts back the tags of bridges that have lost them, unless 'dry_run', and names guests that
 * nobody protects, before it calls each().  The worst result counts. */
int nwf_cli_for_bridges(const struct nwf_cli *cli, bool dry_run, nwf_cli_bridge_fn *each,
                        const void *aux, struct nwf_error *err);

/* ---- Bridges that have lost their tags; see restore.c. ---- */

/* Puts back what bridges have lost, and says so; an exit code. */
int nwf_cli_restore_bridges(struct nwf_ovsdb *db);

/* Says an error that does not keep the rest from being done, and clears it; an exit code. */
int nwf_cli_say_error(int r, struct nwf_error *err);

/* The worse of two exit codes: an error is worse than a difference. */
int nwf_cli_worse(int a, int b);

/* ---- One port; see sync_port.c. ---- */

/* *ret, the caller's, is the name of the port's bridge, which has to be a managed one. */
int nwf_cli_find_port(struct nwf_ovsdb *db, const char *name, char **ret, struct nwf_error *err);

/* Synchronises the port's bridge, and says what that did to the port. */
int nwf_cli_sync_port(const struct nwf_cli *cli, const struct nwf_cli_sync *sync, const char *name,
                      struct nwf_error *err);

#endif
