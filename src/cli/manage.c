/* SPDX-License-Identifier: Apache-2.0
 *
 * manage and unmanage. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "cli.h"
#include "nwf/switch.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"

#include "lib/util.h"

/* Names as one comma-separated string; NULL for none. */
static char *
join(const struct nwf_words *words)
{
    char *s = NULL;

    nwf_vec_foreach (word, words) {
        char *old CLEANUP_FREE = s;
        s = old ? nwf_asprintf("%s,%s", old, *word) : nwf_strdup(*word);
    }
    return s;
}

/* The bridge called 'name' as the database shows it now; 'bridges' is replaced. */
static const struct nwf_ovs_bridge *
read_again(struct nwf_ovsdb *db, const char *name, struct nwf_ovs_bridges *bridges,
           struct nwf_error *err)
{
    nwf_ovs_bridges_clear(bridges);
    nwf_ovsdb_bridges(db, bridges);
    return nwf_cli_find_bridge(bridges, name, err);
}

/* A switch that cannot be talked to would be shut for good. */
static int
try_switch(const struct nwf_cli *cli, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = NULL;

    return nwf_switch_open(bridge->name, cli->versions, cli->timeout_ms, &sw, err);
}

static int
claim(struct nwf_cli *cli, struct nwf_ovsdb *db, struct nwf_ovs_bridges *bridges,
      struct nwf_error *err)
{
    char *trusted CLEANUP_FREE = join(&cli->trusted);
    const struct nwf_ovs_bridge *bridge = read_again(db, cli->argv[0], bridges, err);

    if (!bridge) {
        return -ENOENT;
    }
    int r = try_switch(cli, bridge, err);
    if (!r && (!bridge->secure || !bridge->secured)) {
        r = nwf_ovsdb_secure(db, bridge, err);
        bridge = r ? NULL : read_again(db, cli->argv[0], bridges, err);
    }
    if (r || !bridge) {
        return r ? r : -ENOENT;
    }
    if (!bridge->secure) {
        return nwf_error_set(err, -EAGAIN, "%s: somebody else has changed fail_mode", bridge->name);
    }
    struct nwf_tag_change changes[] = {
        {.bridge = bridge->row, .key = NWF_BRIDGE_TAG, .value = cli->audit ? "audit" : "enforce"},
        {.bridge = bridge->row, .key = NWF_BRIDGE_TRUSTED, .value = trusted},
    };
    return nwf_ovsdb_write_tags(db, changes, ARRAY_SIZE(changes), err);
}

int
nwf_verb_manage(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge;
    int r = nwf_ovsdb_open(cli->db, cli->timeout_ms, &db, err);

    if (r || (r = claim(cli, db, &bridges, err))) {
        return r;
    }
    bridge = read_again(db, cli->argv[0], &bridges, err);
    if (!bridge) {
        return -ENOENT;
    }
    /* Ports that wait for a filter are no failure of this verb; they have been named. */
    r = nwf_cli_sync_bridge(cli, db, bridge, err);
    return r < 0 ? r : NWF_EXIT_OK;
}

/* Tag changes that remove keys of a bridge, or of all its ports. */
struct removals {
    struct nwf_tag_change *data;
    size_t n, allocated;
};

static void
remove_port_tags(struct removals *removals, const struct nwf_ovs_bridge *bridge, const char *key)
{
    nwf_vec_foreach (port, &bridge->ports) {
        nwf_vec_push(removals, (struct nwf_tag_change){.interface = &port->uuid, .key = key});
    }
}

/* The tags of a managed bridge go first, so that nobody puts back what is removed next.  The
 * note of fail_mode stays, for the run after one that is interrupted. */
static int
disclaim(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct removals removals = {.data = NULL};
    const char *const keys[] = {NWF_BRIDGE_TAG, NWF_BRIDGE_TRUSTED};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        nwf_vec_push(&removals, (struct nwf_tag_change){.bridge = bridge->row, .key = keys[i]});
    }
    nwf_vec_push(&removals, (struct nwf_tag_change){.bridge = bridge->row,
                                                    .key = NWF_BRIDGE_FAIL_MODE,
                                                    .value = bridge->own_fail_mode});
    remove_port_tags(&removals, bridge, NWF_TAG_STATUS);
    int r = nwf_ovsdb_write_tags(db, removals.data, removals.n, err);
    nwf_vec_clear(&removals);
    return r;
}

/* What flows relied on goes when they have gone: conntrack zones, settings, fail_mode. */
static int
give_back(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct removals removals = {.data = NULL};

    remove_port_tags(&removals, bridge, NWF_TAG_ZONE);
    remove_port_tags(&removals, bridge, NWF_TAG_NO_FLOOD);
    int r = nwf_ovsdb_restore_fail_mode(db, bridge, removals.data, removals.n, err);
    nwf_vec_clear(&removals);
    return r;
}

int
nwf_verb_unmanage(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_sync_options options = {.timeout_ms = cli->timeout_ms, .versions = cli->versions};
    const struct nwf_ovs_bridge *bridge;
    int r = nwf_ovsdb_open(cli->db, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    if (!(bridge = read_again(db, cli->argv[0], &bridges, err))) {
        return -ENOENT;
    }
    /* A run that was interrupted has left the note about fail_mode at least. */
    if (bridge->managed == NWF_UNMANAGED && !bridge->secured) {
        return nwf_error_set(err, -EINVAL, "%s: not managed", bridge->name);
    }
    r = disclaim(db, bridge, err);
    if (r || !(bridge = read_again(db, cli->argv[0], &bridges, err))) {
        return r ? r : -ENOENT;
    }
    r = nwf_sync_remove(bridge, &options, err);
    r = r ? r : give_back(db, bridge, err);
    /* Whoever sent frames meanwhile found nothing that forwards. */
    (void) nwf_vswitchd_flush_cache(cli->timeout_ms, NULL);
    return r;
}
