/* SPDX-License-Identifier: Apache-2.0
 *
 * Single ports put in force; see ports.h. */
#include <config.h>

#include "ports.h"

#include <errno.h>
#include <string.h>

#include "../cli/sync.h"
#include "enforce.h"
#include "nwf/text.h"

/* The port's own word in the database.  A trusted port is in order too, and has none. */
static int
check_status(const struct nwf_cli *cli, const char *port, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_port row = {.name = NULL};
    int r;

    if ((r = nwf_ovsdb_open(cli->db, port, cli->timeout_ms, &db, err))
        || (r = nwf_ovsdb_interface(db, port, &row, err))) {
        return r;
    }
    const char *status = nwf_tag_find(row.tags.data, row.tags.n, NWF_TAG_STATUS);
    if (!status) {
        r = nwf_error_set(err, -EPERM,
                          "%.80s: not filtered: it is a trusted port; name a filter, see "
                          "ovs-nwfilter bind",
                          port);
    } else if (strcmp(status, "active")) {
        r = nwf_error_set(err, -EPERM, "%.80s: %s", port, status);
    }
    nwf_vec_clear(&row.tags);
    return r;
}

/* Without a daemon: the whole database, whose bridges have what they may have lost. */
static int
open_whole(const struct nwf_cli *cli, struct nwf_ovsdb **ret, struct nwf_error *err)
{
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, ret, err);

    if (!r) {
        (void) nwf_cli_restore_bridges(*ret);
    }
    return r;
}

int
nwf_hook_enforce_port(const struct nwf_cli *cli, const char *port, struct nwf_error *err)
{
    struct nwf_hook_targets targets CLEANUP(nwf_hook_targets_clear) = {.data = NULL};
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    char *bridge CLEANUP_FREE = NULL; /* The daemon finds it by itself. */
    int r;

    if (!cli->has_daemon
        && ((r = open_whole(cli, &db, err)) || (r = nwf_cli_find_port(db, port, &bridge, err)))) {
        return r;
    }
    nwf_hook_targets_add(&targets, bridge ? bridge : "", port);
    r = nwf_hook_enforce(cli, db, &targets, NWF_HOOK_STRICT, err);
    if (r) {
        return r;
    }
    return check_status(cli, port, err);
}

int
nwf_hook_tidy(const struct nwf_cli *cli, const char *bridge, struct nwf_error *err)
{
    struct nwf_hook_targets targets CLEANUP(nwf_hook_targets_clear) = {.data = NULL};
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    int r = cli->has_daemon ? 0 : open_whole(cli, &db, err);

    if (r) {
        return r;
    }
    nwf_hook_targets_add(&targets, bridge, NULL);
    return nwf_hook_enforce(cli, db, &targets, NWF_HOOK_QUIET, err);
}
