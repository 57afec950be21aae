/* SPDX-License-Identifier: Apache-2.0
 *
 * Synchronisation as commands ask for it: of one bridge, of one port, of the bridges that a
 * command line names. */
#ifndef NWF_CLI_SYNC_H
#define NWF_CLI_SYNC_H

#include "cli.h"

struct nwf_cli_sync {
    bool dry_run;
    bool full;          /* Compare every flow. */
    bool must_be_guest; /* It is an error if 'only' is a port that is not filtered. */
    const char *only;   /* Of a bridge's ports, the one whose state is the result's; or NULL. */
};

/* Of a port that was to be bound. */
#define NWF_NOT_FILTERED "a trusted port, the bridge's own and a mirror's output are not filtered"

/* Shows a change in a dry run: '-' what only the switch has, '+' what it should have, as
 * ovs-ofctl diff-flows. */
nwf_sync_report_fn nwf_cli_print_change;

/* ---- One bridge; see sync_bridge.c. ---- */

/* Synchronises the bridge, read as often as it changes meanwhile, and prints what that did. */
int nwf_cli_sync_name(const struct nwf_cli *cli, struct nwf_ovsdb *db,
                      const struct nwf_cli_sync *sync, const char *name, struct nwf_error *err);

/* ---- The bridges that the operands name, or all managed ones; see bridges.c. ---- */

/* Returns an exit code, or a negative errno with *err set, which is shown. */
typedef int nwf_cli_bridge_fn(const struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
                              const void *aux, struct nwf_error *err);

/* Puts back the tags of bridges that have lost them, unless 'dry_run', and names guests that
 * nobody protects, before it calls each().  The worst result counts. */
int nwf_cli_for_bridges(const struct nwf_cli *cli, bool dry_run, nwf_cli_bridge_fn *each,
                        const void *aux, struct nwf_error *err);

/* Puts back what bridges have lost, and says so; an exit code. */
int nwf_cli_restore_bridges(struct nwf_ovsdb *db);

/* ---- One port; see sync_port.c. ---- */

/* Synchronises a port alone, or its bridge if that is needed, and prints what that did. */
int nwf_cli_sync_port(const struct nwf_cli *cli, const struct nwf_cli_sync *sync, const char *name,
                      struct nwf_error *err);

/* The two halves of it.  The first changes nothing if the port's own flows are not all there
 * is to do: then *ret_bridge, the caller's to free, becomes its bridge's name.  So it does
 * with -ECANCELED, if its tags have changed after its flows, and with NWF_REFUSED. */
int nwf_cli_sync_alone(const struct nwf_cli *cli, struct nwf_ovsdb *db,
                       const struct nwf_cli_sync *sync, const char *name, char **ret_bridge,
                       struct nwf_error *err);
int nwf_cli_sync_whole(const struct nwf_cli *cli, const struct nwf_cli_sync *sync,
                       const char *bridge, const char *port, struct nwf_error *err);

#endif
