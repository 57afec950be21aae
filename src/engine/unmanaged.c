/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports of bridges that are not managed: what their status says. */
#include <config.h>

#include <string.h>

#include "nwf/text.h"
#include "nwf/keeper.h"

struct changes {
    struct nwf_tag_change *data;
    size_t n, allocated;
};

static void
changes_finish(struct changes *changes)
{
    nwf_vec_foreach (change, changes) {
        free((char *) change->value);
    }
    nwf_vec_clear(changes);
}

/* Notes what changes the port's status into 'wanted', which is taken. */
static void
set_status(struct changes *changes, const struct nwf_ovs_port *port, char *wanted)
{
    const char *old = nwf_tag_find(port->tags.data, port->tags.n, NWF_TAG_STATUS);

    if (nwf_tag_find(port->tags.data, port->tags.n, NWF_TAG_INSTALLED)) {
        nwf_vec_push(changes,
                     (struct nwf_tag_change){.interface = &port->uuid, .key = NWF_TAG_INSTALLED});
    }

    if (wanted ? old && !strcmp(old, wanted) : !old) {
        free(wanted);
    } else {
        nwf_vec_push(changes, (struct nwf_tag_change){.interface = &port->uuid,
                                                      .key = NWF_TAG_STATUS,
                                                      .value = wanted});
    }
}

struct nwf_txn *
nwf_sync_unmanaged(struct nwf_ovsdb *db, const struct nwf_sources *sources,
                   const struct nwf_unfiltered *unfiltered)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear);
    struct changes changes CLEANUP(changes_finish) = {.data = NULL};

    nwf_ovsdb_bare_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (bridge->config.managed != NWF_UNMANAGED) {
            continue;
        }
        nwf_ovs_read_ports(bridge);
        nwf_vec_foreach (port, &bridge->ports) {
            bool bound = nwf_is_bound(port, sources);

            set_status(&changes, port,
                       bound ? nwf_asprintf(NWF_STATUS_UNMANAGED, bridge->name) : NULL);
            if (bound && unfiltered->each) {
                unfiltered->each(port->name, bridge->name, unfiltered->aux);
            }
        }
    }
    if (unfiltered->dry_run || !changes.n) {
        return NULL;
    }
    struct nwf_txn *txn = nwf_txn_new(db);
    nwf_txn_change(txn, changes.data, changes.n);
    return txn;
}
