/* SPDX-License-Identifier: Apache-2.0
 *
 * manage and unmanage. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "cli.h"
#include "handover.h"
#include "manage_foreign.h"
#include "nwf/foreign.h"
#include "nwf/record_file.h"
#include "nwf/conn.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"
#include "snippet.h"
#include "sync.h"

#include "lib/util.h"

/* ---- Options. ---- */

static struct nwf_words trusted_names;
static const char *guests, *rest, *default_filter, *unknown; /* NULL: not given. */
static const char *snippet; /* The tool whose configuration it is for. */
static bool audit, prints_only;

static int
parse_snippet(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    prints_only = true;
    return nwf_cli_has_snippet(argument)
               ? nwf_option_text(option, argument, err)
               : nwf_error_set(err, -EINVAL, "--snippet is ifupdown or netplan, not \"%.80s\"",
                               argument);
}

static const struct nwf_option manage_options[] = {
    {"audit", NULL, nwf_option_flag, &audit, "count what would be dropped, and pass it"},
    {"trusted", "PORT[,PORT...]", nwf_option_words, &trusted_names, "ports that are never guests"},
    {"guests", "PATTERN[,PATTERN...]", nwf_option_text, &guests,
     "names of guests' interfaces, as shell patterns (those of libvirt, Proxmox VE and Xen)"},
    {"default", "quarantine|trusted", nwf_option_text, &rest,
     "what a port is that is nothing else (trusted)"},
    {"default-filter", "FILTER", nwf_option_text, &default_filter,
     "the filter of guests that have none of their own"},
    {"unknown-unicast", "flood|trusted", nwf_option_text, &unknown,
     "who gets frames for an address that nobody knows (trusted ports, if every guest's filter "
     "confines it to its own address)"},
    {"snippet", "ifupdown|netplan", parse_snippet, &snippet,
     "only print what to put into the host's network configuration"},
    {.name = NULL},
};

/* ---- manage. ---- */

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

/* A switch that cannot be talked to would be shut for good; and one that somebody else
 * programs would not be what we say of it. */
static int
try_switch(const struct nwf_cli *cli, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct nwf_conn *conn CLEANUP(nwf_conn_cleanup) = NULL;
    struct nwf_flow_set flows CLEANUP(nwf_flow_set_finish);
    char *flow CLEANUP_FREE = NULL;
    int r;

    nwf_flow_set_init(&flows);
    if (bridge->owner) {
        return nwf_error_set(err, -EBUSY,
                             "%s: %s programs all of its flows, and deletes those of others",
                             bridge->name, bridge->owner);
    }
    conn = nwf_conn_new(bridge->name, cli->versions, cli->timeout_ms);
    if ((r = nwf_conn_block(conn, err)) || !bridge->n_controllers) {
        return r;
    }
    nwf_conn_dump(conn, 0, 0, &flows);
    if ((r = nwf_conn_block(conn, err)) || !(flow = nwf_foreign_find(&flows))) {
        return r;
    }
    return nwf_error_set(err, -EBUSY,
                         "%s: a controller is set, and there are flows that would come before "
                         "ours: %s; see ovs-vsctl del-controller",
                         bridge->name, flow);
}

/* The tags that the options stand for, in the order of 'config_keys'; NULL for a key that is
 * to go. */
static const char *const config_keys[] = {
    NWF_BRIDGE_TAG,     NWF_BRIDGE_TRUSTED,        NWF_BRIDGE_GUESTS,
    NWF_BRIDGE_DEFAULT, NWF_BRIDGE_DEFAULT_FILTER, NWF_BRIDGE_UNKNOWN,
};
#define N_CONFIG_KEYS ARRAY_SIZE(config_keys)

static int
check_config(const struct nwf_cli *cli, struct nwf_error *err)
{
    const struct nwf_filter *filter;

    if (rest && strcmp(rest, "quarantine") && strcmp(rest, "trusted")) {
        return nwf_error_set(err, -EINVAL, "--default is quarantine or trusted, not \"%.80s\"",
                             rest);
    }
    if (unknown && strcmp(unknown, "flood") && strcmp(unknown, "trusted")) {
        return nwf_error_set(err, -EINVAL, "--unknown-unicast is flood or trusted, not \"%.80s\"",
                             unknown);
    }
    if (default_filter && nwf_store_get(cli->store, default_filter, &filter, err)) {
        nwf_error_wrap(err, "--default-filter: %.80s", default_filter);
        return -EINVAL;
    }
    return 0;
}

static void
set_config(const struct nwf_ovs_bridge *bridge, const char *trusted,
           struct nwf_tag_change changes[N_CONFIG_KEYS])
{
    const char *const values[N_CONFIG_KEYS] = {
        audit ? "audit" : "enforce", trusted, guests, rest, default_filter, unknown,
    };

    for (size_t i = 0; i < N_CONFIG_KEYS; i++) {
        changes[i] = (struct nwf_tag_change){
            .bridge = bridge ? bridge->row : NULL, .key = config_keys[i], .value = values[i]};
    }
}

/* Those tags of 'changes' that are to be set; returns their number. */
static size_t
list_tags(const struct nwf_tag_change changes[N_CONFIG_KEYS], struct nwf_tag tags[N_CONFIG_KEYS])
{
    size_t n = 0;

    for (size_t i = 0; i < N_CONFIG_KEYS; i++) {
        if (changes[i].value) {
            tags[n++] = (struct nwf_tag){changes[i].key, changes[i].value};
        }
    }
    return n;
}

static int
print_snippet(const char *bridge, struct nwf_error *err)
{
    char *trusted CLEANUP_FREE = join(&trusted_names);
    struct nwf_tag_change changes[N_CONFIG_KEYS];
    struct nwf_tag tags[N_CONFIG_KEYS];

    set_config(NULL, trusted, changes);
    return nwf_cli_print_snippet(snippet, bridge, tags, list_tags(changes, tags), err);
}

/* The record of what the bridge's tags are about to be, and what it was before us. */
static int
record_claim(const struct nwf_ovs_bridge *bridge, const struct nwf_tag_change *changes,
             struct nwf_error *err)
{
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};
    struct nwf_tag tags[N_CONFIG_KEYS + 2];
    size_t n = list_tags(changes, tags);

    tags[n++] = (struct nwf_tag){NWF_BRIDGE_FAIL_MODE, bridge->own_fail_mode};
    tags[n++] = (struct nwf_tag){NWF_BRIDGE_IN_BAND, bridge->own_in_band};
    nwf_record_from_tags(tags, n, &record);
    return nwf_record_store(bridge->name, &record, err);
}

static void
complain_of_names(const struct nwf_ovs_bridge *bridge)
{
    nwf_vec_foreach (name, &trusted_names) {
        bool found = false;

        nwf_vec_foreach (port, &bridge->ports) {
            found |= !strcmp(*name, port->name);
        }
        if (!found) {
            char *cause CLEANUP_FREE =
                nwf_asprintf("--trusted=%s: it has no port of that name now", *name);
            nwf_cli_complain_of(bridge->name, cause);
        }
    }
}

/* Closes the bridge and tags it, in one transaction: nobody finds the one without the other. */
static int
close_and_tag(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
              const struct nwf_tag_change *changes, struct nwf_error *err)
{
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = nwf_txn_new(db);
    int r;

    if (!nwf_ovs_bridge_is_secured(bridge)) {
        nwf_txn_secure(txn, bridge);
        nwf_txn_wait_for_vswitchd(txn);
    }
    nwf_txn_change(txn, changes, N_CONFIG_KEYS);
    if ((r = nwf_ovsdb_commit(db, txn, err))) {
        nwf_error_wrap(err, "setting fail_mode");
    }
    return r;
}

/* The record comes first: with it, the next sync goes on where this run is killed.  Where it
 * fails, a record that was not there before is taken back.  What a bridge was before us is not
 * what some tool of the host has left of it: that is in the record that it has. */
static int
claim(struct nwf_cli *cli, struct nwf_ovsdb *db, struct nwf_ovs_bridges *bridges,
      struct nwf_flow_set *ret_before, struct nwf_error *err)
{
    char *trusted CLEANUP_FREE = join(&trusted_names);
    struct nwf_tag_change changes[N_CONFIG_KEYS];
    const struct nwf_ovs_bridge *bridge = read_again(db, cli->argv[0], bridges, err);
    int r = bridge ? try_switch(cli, bridge, err) : -ENOENT;

    if (r || (r = nwf_manage_note_foreign(cli, bridge->name, ret_before, err))
        || (r = nwf_record_restore(db, bridge, err))) {
        return r;
    }
    if (!(bridge = read_again(db, cli->argv[0], bridges, err))) {
        return -ENOENT;
    }
    bool is_ours = bridge->config.managed != NWF_UNMANAGED || nwf_record_exists(bridge->name);
    complain_of_names(bridge);
    set_config(bridge, trusted, changes);
    if ((r = record_claim(bridge, changes, err))) {
        return r;
    }
    r = close_and_tag(db, bridge, changes, err);
    if (r && !is_ours) {
        (void) nwf_record_remove(cli->argv[0], NULL);
    }
    return r;
}

static int
manage(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_flow_set before CLEANUP(nwf_flow_set_finish);
    int r = check_config(cli, err);

    nwf_flow_set_init(&before);
    if (prints_only) {
        if (r) {
            return r;
        }
        return print_snippet(cli->argv[0], err);
    }
    if (r || (r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err))
        || (r = claim(cli, db, &bridges, &before, err))) {
        return r;
    }
    /* Ports that wait for a filter are no failure of this verb; they have been named. */
    r = cli->has_daemon ? nwf_cli_hand_over(cli, cli->argv[0], NULL, nwf_cli_patience_s(cli), err)
                        : nwf_cli_sync_name(cli, db, &(const struct nwf_cli_sync){.dry_run = false},
                                            cli->argv[0], err);
    if (r >= 0) {
        nwf_manage_tell_foreign(cli, cli->argv[0], &before);
    }
    return r < 0 || r == NWF_EXIT_LATE ? r : NWF_EXIT_OK;
}

/* ---- unmanage. ---- */

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

/* What flows relied on goes when they have gone: conntrack zones, settings, fail_mode. */
static int
give_back(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct removals removals = {.data = NULL};

    remove_port_tags(&removals, bridge, NWF_TAG_ZONE);
    remove_port_tags(&removals, bridge, NWF_TAG_NO_FLOOD);
    return_to_trees(&removals, bridge);
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = nwf_txn_new(db);
    nwf_txn_give_back(txn, bridge);
    nwf_txn_change(txn, removals.data, removals.n);
    nwf_txn_wait_for_vswitchd(txn);
    nwf_vec_clear(&removals);
    return nwf_ovsdb_commit(db, txn, err);
}

/* Limits of connections that our ports had go with the ports' zones.  Where there are no limits,
 * there is nothing to remove. */
static void
free_limits(const struct nwf_cli *cli, struct nwf_ovsdb *db)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    uint8_t *zones CLEANUP_FREE = nwf_zalloc(0x10000);
    const struct nwf_ovs_bridge *bridge = read_again(db, cli->argv[0], &bridges, NULL);

    if (bridge) {
        nwf_ovsdb_count_zones(db, zones);
        (void) nwf_zone_limits_free(bridge->datapath_type, zones, cli->timeout_ms, NULL);
    }
}

static int
unmanage(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_keeper_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
    };
    const struct nwf_ovs_bridge *bridge;
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    /* First of all, so that nobody restores what is removed next. */
    int removed = nwf_record_remove(cli->argv[0], err);
    if (removed && removed != -ENOENT) {
        return removed;
    }
    nwf_error_clear(err);
    if (!(bridge = read_again(db, cli->argv[0], &bridges, err))) {
        return removed ? -ENOENT : NWF_EXIT_OK;
    }
    /* A run that was interrupted has left the note about fail_mode at least. */
    if (bridge->config.managed == NWF_UNMANAGED && !bridge->secured) {
        return removed ? nwf_error_set(err, -EINVAL, "%s: not managed", bridge->name) : NWF_EXIT_OK;
    }
    r = disclaim(db, bridge, err);
    if (r || !(bridge = read_again(db, cli->argv[0], &bridges, err))) {
        if (r) {
            return r;
        }
        return -ENOENT;
    }
    /* Until it has seen that the bridge is not managed any more: it would put back what goes. */
    if (cli->has_daemon && (r = nwf_cli_await_daemon(cli, cli->argv[0], err))) {
        return r;
    }
    if (!(r = nwf_sync_remove(bridge, &options, err))) {
        r = give_back(db, bridge, err);
    }
    free_limits(cli, db);
    /* Whoever sent frames meanwhile found nothing that forwards. */
    (void) nwf_vswitchd_flush_cache(cli->timeout_ms, NULL);
    return r;
}

const struct nwf_verb nwf_manage_verbs[] = {
    {"manage", "BRIDGE", "claim a bridge: its record, fail_mode=secure, its tags, then its flows",
     1, 1, manage_options, .exclusive = true, .dry_run = &prints_only, .needs_policies = true,
     .run = manage},
    {"unmanage", "BRIDGE", "give it back: our flows gone, NORMAL restored", 1, 1, .exclusive = true,
     .run = unmanage},
    {.name = NULL},
};
