/* SPDX-License-Identifier: Apache-2.0
 *
 * unmanage: a bridge is given back as it was. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "adoption.h"
#include "cli.h"
#include "handover.h"
#include "manage.h"
#include "nwf/keepsake.h"
#include "nwf/nic_lock.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"

#include "lib/util.h"

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
 * notes of what we have changed stay, for the run after one that is interrupted. */
static int
disclaim(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct removals removals = {.data = NULL};
    const struct nwf_tag notes[] = {
        {NWF_BRIDGE_FAIL_MODE, bridge->own_fail_mode},
        {NWF_BRIDGE_IN_BAND, bridge->own_in_band},
    };

    nwf_vec_foreach (tag, &bridge->tags) {
        if (strncmp(tag->key, NWF_BRIDGE_SAVED, strlen(NWF_BRIDGE_SAVED))) {
            nwf_vec_push(&removals,
                         (struct nwf_tag_change){.bridge = bridge->row, .key = tag->key});
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
        nwf_vec_push(&removals, (struct nwf_tag_change){.bridge = bridge->row,
                                                        .key = notes[i].key,
                                                        .value = notes[i].value});
    }
    nwf_vec_push(&removals,
                 (struct nwf_tag_change){.bridge = bridge->row, .key = NWF_BRIDGE_STATUS});
    remove_port_tags(&removals, bridge, NWF_TAG_STATUS);
    remove_port_tags(&removals, bridge, NWF_TAG_INSTALLED);
    int r = nwf_ovsdb_write_tags(db, removals.data, removals.n, err);
    nwf_vec_clear(&removals);
    return r;
}

static void
return_to_trees(struct removals *removals, const struct nwf_ovs_bridge *bridge)
{
    nwf_vec_foreach (port, &bridge->ports) {
        for (size_t i = 0; i < NWF_N_TREES; i++) {
            const char *note = port->tree_notes[i];
            if (note) {
                nwf_vec_push(removals, (struct nwf_tag_change){.port = &port->port_uuid,
                                                               .config = true,
                                                               .key = nwf_tree_keys[i],
                                                               .value = *note ? note : NULL});
                nwf_vec_push(removals, (struct nwf_tag_change){.port = &port->port_uuid,
                                                               .key = nwf_tree_notes[i]});
            }
        }
    }
}

/* What stands on the bridge's device may go when that gets its own address again. */
static void
put_back(const struct nwf_ovs_bridge *bridge, struct nwf_keepsake *keepsake)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (nwf_keepsake_put_back(keepsake, &err)) {
        nwf_cli_complain_of(bridge->name, nwf_error_text(&err));
    }
    nwf_error_clear(&err);
}

/* What flows relied on goes when they have gone: conntrack zones, settings, fail_mode. */
static int
give_back(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct nwf_keepsake *keepsake CLEANUP(nwf_keepsake_cleanup) = NULL;
    struct removals removals = {.data = NULL};

    if (bridge->own_hwaddr && !nwf_keepsake_open(bridge->name, &keepsake, NULL)) {
        (void) nwf_keepsake_take(keepsake, NULL);
    }
    remove_port_tags(&removals, bridge, NWF_TAG_ZONE);
    remove_port_tags(&removals, bridge, NWF_TAG_NO_FLOOD);
    return_to_trees(&removals, bridge);
    nwf_vec_push(&removals,
                 (struct nwf_tag_change){.bridge = bridge->row, .key = NWF_BRIDGE_SETTINGS});
    nwf_vec_push(&removals,
                 (struct nwf_tag_change){.bridge = bridge->row, .key = NWF_BRIDGE_MOVED});
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = nwf_txn_new(db);
    nwf_txn_give_back(txn, bridge);
    nwf_txn_change(txn, removals.data, removals.n);
    nwf_txn_wait_for_vswitchd(txn);
    nwf_vec_clear(&removals);
    int r = nwf_ovsdb_commit(db, txn, err);
    if (!r && keepsake) {
        put_back(bridge, keepsake);
    }
    nwf_keepsake_forget(bridge->name);
    return r;
}

/* Limits of connections that our ports had go with the ports' zones.  Where there are no limits,
 * there is nothing to remove. */
static void
free_limits(const struct nwf_cli *cli, struct nwf_ovsdb *db)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    uint8_t *zones CLEANUP_FREE = nwf_zalloc(0x10000);
    const struct nwf_ovs_bridge *bridge = nwf_cli_read_bridge(db, cli->argv[0], &bridges, NULL);

    if (bridge) {
        nwf_ovsdb_count_zones(db, zones);
        (void) nwf_zone_limits_free(bridge->datapath_type, zones, cli->timeout_ms, NULL);
    }
}

/* The note about the uplink that "routed apply" has put onto the bridge, out of the database, or
 * of the record if some tool of the host has cleared the bridge: a new string, or NULL. */
static char *
find_moved(struct nwf_ovsdb *db, const char *name)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge = nwf_cli_read_bridge(db, name, &bridges, NULL);
    const char *note =
        bridge ? nwf_tag_find(bridge->tags.data, bridge->tags.n, NWF_BRIDGE_MOVED) : NULL;

    if (!note && !nwf_record_load(name, &record, NULL)) {
        note = nwf_tag_find(record.data, record.n, NWF_BRIDGE_MOVED);
    }
    return note ? nwf_strdup(note) : NULL;
}

/* A note that cannot be read is no reason to keep the rest. */
static void
move_back(struct nwf_ovsdb *db, const char *bridge, const char *note)
{
    struct nwf_adoption adoption CLEANUP(nwf_adoption_clear) = {.nic = NULL};
    struct nwf_error err = NWF_ERROR_INIT;

    if (note
        && (nwf_adoption_parse(note, &adoption, &err)
            || nwf_adoption_leave(db, bridge, &adoption, &err)
            || nwf_adoption_move_back(bridge, &adoption, &err))) {
        nwf_error_wrap(&err, "%s", bridge);
        nwf_cli_complain(&err);
    }
    nwf_error_clear(&err);
}

/* What the host's kernel refuses, 'cause', is no reason to keep the rest, and is told if nothing
 * worse is. */
static int
conclude(int r, struct nwf_error *cause, struct nwf_error *err)
{
    if (r || !cause->text) {
        nwf_error_clear(cause);
        return r;
    }
    nwf_error_clear(err);
    *err = *cause;
    return err->code;
}

/* Takes away what is ours of a bridge that was managed, in the order in which nothing is left
 * unprotected that is said to be protected.  'cause' is what the host's kernel refuses. */
static int
release(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
        const char *moved, struct nwf_error *cause, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_keeper_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
    };
    const char *tag = nwf_tag_find(bridge->tags.data, bridge->tags.n, NWF_BRIDGE_UPLINK);
    char *uplink CLEANUP_FREE = tag ? nwf_strdup(tag) : NULL;
    int r = disclaim(db, bridge, err);

    if (r) {
        return r;
    }
    if (!(bridge = nwf_cli_read_bridge(db, cli->argv[0], &bridges, err))) {
        return -ENOENT;
    }
    /* Until it has seen that the bridge is not managed any more: it would put back what goes. */
    if (cli->has_daemon && (r = nwf_cli_await_daemon(cli, cli->argv[0], err))) {
        return r;
    }
    (void) nwf_sync_remove_host(
        bridge->name, uplink, nwf_tag_find(bridge->tags.data, bridge->tags.n, NWF_BRIDGE_SETTINGS),
        cause);
    move_back(db, cli->argv[0], moved);
    if (!(bridge = nwf_cli_read_bridge(db, cli->argv[0], &bridges, NULL))) {
        return 0;
    }
    if (!(r = nwf_sync_remove(bridge, &options, err))) {
        r = give_back(db, bridge, err);
    }
    free_limits(cli, db);
    /* Whoever sent frames meanwhile found nothing that forwards. */
    (void) nwf_vswitchd_flush_cache(cli->timeout_ms, NULL);
    return r;
}

/* Of a bridge that is not managed something may be left: its record is enough for success, and so
 * is a second lock, which outlives the bridge.  'removed' is 0 if there was a record. */
static int
release_rest(const char *name, int removed, struct nwf_error *err)
{
    int r = nwf_nic_lock_remove(name, removed ? NULL : err);

    return r > 0 || !removed ? MIN(r, 0) : removed;
}

/* A routed bridge that has gone, perhaps while nobody looked: what the host had for its guests is
 * taken away by its record. */
static int
release_host(const char *name, const struct nwf_record *record, struct nwf_error *err)
{
    if (!nwf_tag_find(record->data, record->n, NWF_BRIDGE_MODE)) {
        return 0;
    }
    return nwf_sync_remove_host(name, nwf_tag_find(record->data, record->n, NWF_BRIDGE_UPLINK),
                                nwf_tag_find(record->data, record->n, NWF_BRIDGE_SETTINGS), err);
}

/* What is left of a bridge that is not in the database. */
static int
release_gone(struct nwf_ovsdb *db, const char *name, const struct nwf_record *record, int removed,
             const char *moved, struct nwf_error *err)
{
    struct nwf_error cause = NWF_ERROR_INIT;

    (void) release_host(name, record, &cause);
    move_back(db, name, moved);
    nwf_keepsake_forget(name);
    int r = release_rest(name, removed, err);
    if (!r) {
        nwf_error_clear(err);
    }
    return conclude(r, &cause, err);
}

/* A bridge that some tool of the host has cleared is given back by its record, which has the notes
 * of what was there before.  One that cannot be read is no reason to keep the rest. */
static void
restore_notes(struct nwf_ovsdb *db, const char *name)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge = nwf_cli_read_bridge(db, name, &bridges, NULL);
    struct nwf_error err = NWF_ERROR_INIT;

    if (bridge && nwf_record_restore(db, bridge, &err)) {
        nwf_cli_complain(&err);
    }
    nwf_error_clear(&err);
}

int
nwf_cli_unmanage(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};
    char *moved CLEANUP_FREE = NULL;
    const char *name = cli->argv[0];
    const struct nwf_ovs_bridge *bridge;
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    restore_notes(db, name);
    moved = find_moved(db, name);
    (void) nwf_record_load(name, &record, NULL);
    /* First of all, so that nobody restores what is removed next. */
    int removed = nwf_record_remove(name, err);
    if (removed && removed != -ENOENT) {
        return removed;
    }
    nwf_error_clear(err);
    if (!(bridge = nwf_cli_read_bridge(db, name, &bridges, err))) {
        return release_gone(db, name, &record, removed, moved, err);
    }
    /* A run that was interrupted has left the note about fail_mode at least. */
    if (bridge->config.managed == NWF_UNMANAGED && !bridge->secured) {
        move_back(db, name, moved);
        if ((r = release_rest(name, removed, err)) == -ENOENT) {
            nwf_error_set(err, r = -EINVAL, "%s: not managed", name);
        }
        return r;
    }
    struct nwf_error cause = NWF_ERROR_INIT;
    if (!(r = release(cli, db, bridge, moved, &cause, err))) {
        r = nwf_nic_lock_remove(name, err); /* Last: until here nothing else was let out. */
    }
    return conclude(MIN(r, 0), &cause, err);
}
