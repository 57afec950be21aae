/* SPDX-License-Identifier: Apache-2.0
 *
 * manage: a bridge is claimed.  unmanage is in unmanage.c. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "cli.h"
#include "handover.h"
#include "manage.h"
#include "manage_foreign.h"
#include "nwf/foreign.h"
#include "nwf/record_file.h"
#include "nwf/conn.h"
#include "nwf/text.h"
#include "nwf/uplink_mac.h"
#include "nwf/vswitchd.h"
#include "snippet.h"
#include "sync.h"

#include "lib/util.h"

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

static int
print_snippet(const char *bridge, struct nwf_error *err)
{
    struct nwf_record tags CLEANUP(nwf_record_clear) = {.data = NULL};
    struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
    struct nwf_snippet snippet = {.bridge = bridge};
    char *hwaddr CLEANUP_FREE = NULL;
    struct nwf_mac mac;

    nwf_manage_list_tags(&tags);
    (void) nwf_routed_config_read(tags.data, tags.n, &config, NULL); /* It has been checked. */
    snippet.tags = tags.data;
    snippet.n_tags = tags.n;
    snippet.uplink = nwf_uplink_name(&config);
    if (snippet.uplink && nwf_kernel_mac(snippet.uplink, &mac)) {
        snippet.hwaddr = hwaddr = nwf_mac_format(&mac);
    }
    return nwf_cli_print_snippet(nwf_manage_snippet, &snippet, err);
}

/* Of what was changed for a bridge that is managed already, besides fail_mode and in-band control.
 */
static bool
is_other_note(const char *key)
{
    return !strncmp(key, NWF_BRIDGE_SAVED, strlen(NWF_BRIDGE_SAVED))
           && strcmp(key, NWF_BRIDGE_FAIL_MODE) && strcmp(key, NWF_BRIDGE_IN_BAND);
}

/* The record of what the bridge's tags are about to be, and what it was before us. */
static int
record_claim(const struct nwf_ovs_bridge *bridge, const struct nwf_record *tags,
             struct nwf_error *err)
{
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};
    NWF_VEC(struct nwf_tag) list = {.data = NULL};

    nwf_vec_foreach (tag, tags) {
        nwf_vec_push(&list, *tag);
    }
    nwf_vec_foreach (tag, &bridge->tags) {
        if (is_other_note(tag->key)) {
            nwf_vec_push(&list, *tag);
        }
    }
    nwf_vec_push(&list, (struct nwf_tag){NWF_BRIDGE_FAIL_MODE, bridge->own_fail_mode});
    nwf_vec_push(&list, (struct nwf_tag){NWF_BRIDGE_IN_BAND, bridge->own_in_band});
    nwf_record_from_tags(list.data, list.n, &record);
    nwf_vec_clear(&list);
    return nwf_record_store(bridge->name, &record, err);
}

static void
complain_of_names(const struct nwf_ovs_bridge *bridge, const char *option,
                  const struct nwf_words *names)
{
    nwf_vec_foreach (name, names) {
        bool found = false;

        nwf_vec_foreach (port, &bridge->ports) {
            found |= !strcmp(*name, port->name) || !strcmp(*name, port->port_name);
        }
        if (!found) {
            char *cause CLEANUP_FREE =
                nwf_asprintf("--%s=%s: it has no port of that name now", option, *name);
            nwf_cli_complain_of(bridge->name, cause);
        }
    }
}

/* Closes the bridge and tags it, in one transaction: nobody finds the one without the other. */
static int
close_and_tag(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
              const struct nwf_record *tags, struct nwf_error *err)
{
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = nwf_txn_new(db);
    struct nwf_tag_change changes[NWF_N_MANAGE_KEYS];
    int r;

    for (size_t i = 0; i < NWF_N_MANAGE_KEYS; i++) {
        changes[i] =
            (struct nwf_tag_change){.bridge = bridge->row,
                                    .key = nwf_manage_keys[i],
                                    .value = nwf_tag_find(tags->data, tags->n, nwf_manage_keys[i])};
    }

    if (!nwf_ovs_bridge_is_secured(bridge)) {
        nwf_txn_secure(txn, bridge);
        nwf_txn_wait_for_vswitchd(txn);
    }
    nwf_txn_change(txn, changes, NWF_N_MANAGE_KEYS);
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
    struct nwf_record tags CLEANUP(nwf_record_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge = nwf_cli_read_bridge(db, cli->argv[0], bridges, err);
    int r = bridge ? try_switch(cli, bridge, err) : -ENOENT;

    nwf_manage_list_tags(&tags);
    if (r || (r = nwf_manage_check_nics(cli, bridges, bridge, &tags, err))
        || (r = nwf_manage_note_foreign(cli, bridge->name, ret_before, err))
        || (r = nwf_record_restore(db, bridge, err))) {
        return r;
    }
    if (!(bridge = nwf_cli_read_bridge(db, cli->argv[0], bridges, err))) {
        return -ENOENT;
    }
    bool is_ours = bridge->config.managed != NWF_UNMANAGED || nwf_record_exists(bridge->name);
    complain_of_names(bridge, "trusted", nwf_manage_trusted());
    complain_of_names(bridge, "guard", nwf_manage_guards());
    if ((r = record_claim(bridge, &tags, err))) {
        return r;
    }
    r = close_and_tag(db, bridge, &tags, err);
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
    int r = nwf_manage_check(cli, err);

    nwf_flow_set_init(&before);
    if (nwf_manage_prints_only) {
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

const struct nwf_verb nwf_manage_verbs[] = {
    {"manage", "BRIDGE", "claim a bridge: its record, fail_mode=secure, its tags, then its flows",
     1, 1, nwf_manage_options, nwf_manage_snippet_options, .exclusive = true,
     .dry_run = &nwf_manage_prints_only, .needs_policies = true, .run = manage},
    {"unmanage", "BRIDGE", "give it back: our flows gone, NORMAL restored", 1, 1, .exclusive = true,
     .run = nwf_cli_unmanage},
    {.name = NULL},
};
