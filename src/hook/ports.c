/* SPDX-License-Identifier: Apache-2.0
 *
 * Having a port enforced; see ports.h. */
#include <config.h>

#include "ports.h"

#include <errno.h>
#include <string.h>

#include "../cli/handover.h"
#include "../cli/sync.h"
#include "nwf/text.h"

int
nwf_hook_status(const struct nwf_cli *cli, const char *port, char **ret, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_port row = {.name = NULL};
    int r;

    if ((r = nwf_ovsdb_open(cli->db, port, cli->timeout_ms, &db, err))
        || (r = nwf_ovsdb_interface(db, port, &row, err))) {
        return r;
    }
    const char *status = nwf_tag_find(row.tags.data, row.tags.n, NWF_TAG_STATUS);
    *ret = status ? nwf_strdup(status) : NULL;
    nwf_vec_clear(&row.tags);
    return 0;
}

/* A trusted port is in order too, and has no status. */
static int
check_status(const struct nwf_cli *cli, const char *port, struct nwf_error *err)
{
    char *status CLEANUP_FREE = NULL;
    int r = nwf_hook_status(cli, port, &status, err);

    if (r) {
        return r;
    }
    if (!status) {
        return nwf_error_set(err, -EPERM,
                             "%.80s: not filtered: it is a trusted port; name a filter, see "
                             "ovs-nwfilter bind",
                             port);
    }
    return strcmp(status, "active") ? nwf_error_set(err, -EPERM, "%.80s: %s", port, status) : 0;
}

int
nwf_hook_enforce(struct nwf_cli *cli, const char *port, struct nwf_error *err)
{
    const struct nwf_cli_sync sync = {.only = port};

    cli->quiet = true;
    int r = cli->has_daemon ? nwf_cli_hand_over(cli, NULL, port, nwf_cli_patience_s(cli), err)
                            : nwf_cli_sync_port(cli, &sync, port, err);
    if (r) {
        return r > 0 ? NWF_EXIT_ERROR : r;
    }
    return check_status(cli, port, err);
}

int
nwf_hook_tidy(struct nwf_cli *cli, const char *bridge, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    const struct nwf_cli_sync sync = {.only = NULL};
    int r;

    if (cli->has_daemon) {
        return nwf_cli_await_daemon(cli, bridge, err);
    }
    cli->quiet = true;
    if ((r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err))) {
        return r;
    }
    return nwf_cli_sync_name(cli, db, &sync, bridge, err);
}
