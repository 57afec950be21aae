/* SPDX-License-Identifier: Apache-2.0
 *
 * Which bridges a command is about, and what is to be said of those that it is not about:
 * bridges that have lost their tags, and guests that nobody protects. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "sync.h"

/* ---- Guests that nobody protects. ---- */

static void
say_unfiltered(const char *port, const char *bridge, void *any)
{
    char *cause CLEANUP_FREE = nwf_asprintf("it has a filter, and bridge %s is not managed; see "
                                            "ovs-nwfilter manage",
                                            bridge);

    nwf_cli_complain_of(port, cause);
    *(bool *) any = true;
}

/* Guests that nobody protects are an error where all bridges are meant. */
static int
look_at_the_rest(const struct nwf_cli *cli, struct nwf_ovsdb *db, bool dry_run)
{
    struct nwf_error err = NWF_ERROR_INIT;
    bool any = false;
    const struct nwf_unfiltered unfiltered = {say_unfiltered, &any, dry_run};

    if (cli->argc) {
        return NWF_EXIT_OK;
    }
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) =
        nwf_sync_unmanaged(db, &cli->sources, &unfiltered);
    int r = txn ? nwf_cli_say_error(nwf_ovsdb_commit(db, txn, &err), &err) : NWF_EXIT_OK;

    return any ? NWF_EXIT_ERROR : r;
}

static void
say_lost(const char *bridge, const char *file, void *any)
{
    char *what CLEANUP_FREE =
        nwf_asprintf("its tags are gone, and sync would make them those of %s", file);

    nwf_cli_complain_of(bridge, what);
    *(bool *) any = true;
}

/* Without writing anything: what the first step of sync would do. */
static int
look_for_lost(const struct nwf_cli *cli, struct nwf_ovsdb *db)
{
    struct nwf_error err = NWF_ERROR_INIT;
    bool any = false;
    int r = nwf_cli_say_error(nwf_records_find_lost(db, say_lost, &any, &err), &err);

    r = nwf_cli_worse(r, any ? NWF_EXIT_DIFFERENT : NWF_EXIT_OK);
    return nwf_cli_worse(look_at_the_rest(cli, db, true), r);
}

static int
restore_and_look(const struct nwf_cli *cli, struct nwf_ovsdb *db)
{
    int r = nwf_cli_restore_bridges(db);

    return nwf_cli_worse(r, look_at_the_rest(cli, db, false));
}

/* ---- The bridges. ---- */

/* The managed bridges that the operands name, or all. */
static int
list_names(const struct nwf_cli *cli, struct nwf_ovsdb *db, struct nwf_words *ret,
           struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear);

    nwf_ovsdb_bare_bridges(db, &bridges);
    for (int i = 0; i < cli->argc; i++) {
        const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(&bridges, cli->argv[i], err);
        if (!bridge) {
            return -ENOENT;
        }
        if (bridge->config.managed == NWF_UNMANAGED) {
            return nwf_error_set(err, -EINVAL, "%s: not managed; see ovs-nwfilter manage",
                                 bridge->name);
        }
        nwf_vec_push(ret, nwf_strdup(bridge->name));
    }
    nwf_vec_foreach (bridge, &bridges) {
        if (!cli->argc && bridge->config.managed != NWF_UNMANAGED) {
            nwf_vec_push(ret, nwf_strdup(bridge->name));
        }
    }
    return 0;
}

/* One bridge's error does not keep the others from their turn. */
static int
each_bridge(const struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
            nwf_cli_bridge_fn *each, const void *aux)
{
    struct nwf_error err = NWF_ERROR_INIT;
    int r = each(cli, db, name, aux, &err);

    if (r < 0) {
        nwf_cli_complain(&err);
        r = NWF_EXIT_ERROR;
    }
    nwf_error_clear(&err);
    return r;
}

int
nwf_cli_for_bridges(const struct nwf_cli *cli, bool dry_run, nwf_cli_bridge_fn *each,
                    const void *aux, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_words names CLEANUP(nwf_words_clear) = {.data = NULL};
    int worst = NWF_EXIT_OK;
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    if (!r) {
        worst = dry_run ? look_for_lost(cli, db) : restore_and_look(cli, db);
        worst = cli->policies.broken.text ? NWF_EXIT_ERROR : worst;
        r = list_names(cli, db, &names, err);
    }
    nwf_vec_foreach (name, &names) {
        nwf_cli_start_alarm(cli, 1);
        int result = r ? NWF_EXIT_OK : each_bridge(cli, db, *name, each, aux);
        worst = nwf_cli_worse(worst, result);
    }
    if (r) {
        return r;
    }
    return worst;
}
