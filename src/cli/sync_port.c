/* SPDX-License-Identifier: Apache-2.0
 *
 * sync --port and bind --sync: what a hook does when one guest's policy has changed. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "nwf/record_file.h"
#include "nwf/text.h"
#include "sync.h"

static bool
has_port(const struct nwf_ovs_bridge *bridge, const char *name)
{
    struct nwf_ovs_refs refs;
    bool found = false;

    nwf_ovs_list_ports(bridge, &refs);
    nwf_vec_foreach (ref, &refs) {
        found |= !strcmp(nwf_ovs_ref_name(ref), name);
    }
    nwf_vec_clear(&refs);
    return found;
}

int
nwf_cli_find_port(struct nwf_ovsdb *db, const char *name, char **ret, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_ovs_port port = {.name = NULL};
    int r = nwf_ovsdb_interface(db, name, &port, err);

    nwf_vec_clear(&port.tags);
    if (r) {
        return r;
    }
    nwf_ovsdb_bare_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (has_port(bridge, name)) {
            *ret = nwf_strdup(bridge->name);
            return bridge->config.managed != NWF_UNMANAGED
                       ? 0
                       : nwf_error_set(err, -EINVAL,
                                       "%.80s: bridge %s is not managed; see ovs-nwfilter manage",
                                       name, bridge->name);
        }
    }
    return nwf_error_set(err, -EINVAL, "%.80s: no bridge has it as a port of its own", name);
}

int
nwf_cli_sync_port(const struct nwf_cli *cli, const struct nwf_cli_sync *sync, const char *name,
                  struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_cli_sync one = *sync;
    char *bridge CLEANUP_FREE = NULL;
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    if (!sync->dry_run) {
        (void) nwf_cli_restore_bridges(db);
    }
    if ((r = nwf_cli_find_port(db, name, &bridge, err))) {
        return r;
    }
    one.only = name;
    return nwf_cli_sync_name(cli, db, &one, bridge, err);
}
