/* SPDX-License-Identifier: Apache-2.0
 *
 * manage and unmanage. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "cli.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"

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

static int
claim(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
      struct nwf_error *err)
{
    char *trusted CLEANUP_FREE = join(&cli->trusted);
    /* OVSDB strings go with the row's next change, so this one is a copy. */
    const char *fail_mode = nwf_ovsdb_fail_mode(bridge->row);
    char *saved CLEANUP_FREE = nwf_strdup(fail_mode ? fail_mode : "");
    bool first = bridge->managed == NWF_UNMANAGED;
    struct nwf_tag_change changes[] = {
        {.bridge = bridge->row, .key = NWF_BRIDGE_TAG, .value = cli->audit ? "audit" : "enforce"},
        {.bridge = bridge->row, .key = NWF_BRIDGE_TRUSTED, .value = trusted},
        {.bridge = bridge->row, .key = NWF_BRIDGE_FAIL_MODE, .value = saved},
    };
    int r = 0;

    if (!bridge->secure) {
        char *name CLEANUP_FREE = nwf_strdup(bridge->name);
        r = nwf_ovsdb_set_fail_mode(db, bridge->row, "secure", err);
        const struct ovsrec_bridge *row = nwf_ovsdb_find_bridge(db, name);
        if (!r && !row) {
            r = nwf_error_set(err, -ENOENT, "%s: no such bridge any more", name);
        }
        for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
            changes[i].bridge = row;
        }
    }
    return r ? r : nwf_ovsdb_write_tags(db, changes, first ? 3 : 2, err);
}

int
nwf_verb_manage(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges before CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_ovs_bridges after CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge;
    int r = nwf_ovsdb_open(cli->db, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bridges(db, &before);
    if (!(bridge = nwf_cli_find_bridge(&before, cli->argv[0], err))) {
        return -ENOENT;
    }
    if ((r = claim(cli, db, bridge, err))) {
        return r;
    }
    nwf_ovsdb_bridges(db, &after);
    bridge = nwf_cli_find_bridge(&after, cli->argv[0], err);
    if (!bridge) {
        return -ENOENT;
    }
    /* Ports that wait for a filter are no failure of this verb; they have been named. */
    r = nwf_cli_sync_bridge(cli, db, bridge, err);
    return r < 0 ? r : NWF_EXIT_OK;
}

static int
clear_tags(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    NWF_VEC(struct nwf_tag_change) changes = {.data = NULL};
    const char *const keys[] = {NWF_BRIDGE_TAG, NWF_BRIDGE_TRUSTED, NWF_BRIDGE_FAIL_MODE};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        nwf_vec_push(&changes, (struct nwf_tag_change){.bridge = bridge->row, .key = keys[i]});
    }
    nwf_vec_foreach (port, &bridge->ports) {
        nwf_vec_push(&changes,
                     (struct nwf_tag_change){.interface = port->row, .key = NWF_TAG_STATUS});
        nwf_vec_push(&changes,
                     (struct nwf_tag_change){.interface = port->row, .key = NWF_TAG_ZONE});
    }
    int r = nwf_ovsdb_write_tags(db, changes.data, changes.n, err);
    nwf_vec_clear(&changes);
    return r;
}

int
nwf_verb_unmanage(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_sync_options options = {.timeout_ms = cli->timeout_ms, .versions = cli->versions};
    int r = nwf_ovsdb_open(cli->db, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bridges(db, &bridges);
    const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(&bridges, cli->argv[0], err);
    if (!bridge) {
        return -ENOENT;
    }
    if (bridge->managed == NWF_UNMANAGED) {
        return nwf_error_set(err, -EINVAL, "%s: not managed", bridge->name);
    }
    const char *fail_mode = nwf_ovsdb_bridge_tag(bridge->row, NWF_BRIDGE_FAIL_MODE);
    char *saved CLEANUP_FREE = nwf_strdup(fail_mode ? fail_mode : "");
    char *name CLEANUP_FREE = nwf_strdup(bridge->name);

    /* The tag goes first, so that nobody puts back what is removed next. */
    if ((r = clear_tags(db, bridge, err))) {
        return r;
    }
    r = nwf_sync_remove(name, !strcmp(saved, "secure"), &options, err);
    const struct ovsrec_bridge *row = nwf_ovsdb_find_bridge(db, name);
    if (!r && row && strcmp(saved, "secure")) {
        r = nwf_ovsdb_set_fail_mode(db, row, *saved ? saved : NULL, err);
    }
    return r ? r : nwf_vswitchd_flush_cache(cli->timeout_ms, err);
}
