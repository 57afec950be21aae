/* SPDX-License-Identifier: Apache-2.0
 *
 * What all verbs share: the lock, errors, finding a bridge. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

int
nwf_cli_lock(struct nwf_cli *cli, struct nwf_error *err)
{
    if (cli->has_daemon) {
        return 0; /* Which holds it for as long as it runs. */
    }
    nwf_cli_start_alarm(cli, 2);
    int r = nwf_lock_take(nwf_cli_patience_ms(cli), &cli->lock, err);
    nwf_cli_start_alarm(cli, 1);
    return r;
}

void
nwf_cli_complain(const struct nwf_error *err)
{
    fprintf(stderr, "ovs-nwfilter: %s\n", nwf_error_text(err));
}

void
nwf_cli_complain_of(const char *name, const char *cause)
{
    struct nwf_error err = NWF_ERROR_INIT;

    nwf_error_set(&err, -EINVAL, "%s: %s", name, cause);
    nwf_cli_complain(&err);
    nwf_error_clear(&err);
}

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

const struct nwf_ovs_bridge *
nwf_cli_read_bridge(struct nwf_ovsdb *db, const char *name, struct nwf_ovs_bridges *bridges,
                    struct nwf_error *err)
{
    nwf_ovs_bridges_clear(bridges);
    nwf_ovsdb_bridges(db, bridges);
    return nwf_cli_find_bridge(bridges, name, err);
}
