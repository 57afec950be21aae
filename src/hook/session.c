/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of a hook; see session.h. */
#include <config.h>

#include "session.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../cli/handover.h"
#include "nwf/file.h"
#include "nwf/text.h"
#include "owner.h"

/* What is read of a document that is too large. */
#define DRAINED_MAX (64 * 1024 * 1024)

void
nwf_hook_session_finish(struct nwf_hook_session *session)
{
    if (session->db) {
        nwf_ovsdb_close(session->db);
    }
    nwf_hook_targets_clear(&session->targets);
    nwf_hook_undo_clear(&session->undo);
    nwf_domain_clear(&session->domain);
    free(session->data);
    free(session->file);
}

/* ---- The database. ---- */

/* Reads the rows of the domain's ports alone: where there are many ports the whole database takes
 * long, and needs to be read only without the daemon. */
static int
open_ports(struct nwf_hook_session *session, struct nwf_error *err)
{
    struct nwf_ovsdb_names names = {.data = NULL};

    nwf_vec_foreach (nic, &session->domain.nics) {
        if (nic->dev) {
            nwf_vec_push(&names, nic->dev);
        }
    }
    int r =
        nwf_ovsdb_open_ports(session->cli->db, &names, session->cli->timeout_ms, &session->db, err);
    nwf_vec_clear(&names);
    return r;
}

int
nwf_hook_open_database(struct nwf_hook_session *session, bool whole, struct nwf_error *err)
{
    if (session->db && (session->is_whole || !whole)) {
        return 0;
    }
    if (session->db) {
        nwf_ovsdb_close(TAKE_PTR(session->db));
    }
    int r =
        whole ? nwf_ovsdb_open(session->cli->db, NULL, session->cli->timeout_ms, &session->db, err)
              : open_ports(session, err);
    if (r) {
        nwf_error_wrap(err, "the switch's database does not answer; see that ovsdb-server runs");
    }
    session->is_whole = whole;
    return r;
}

/* ---- The document. ---- */

void
nwf_hook_drain(void)
{
    char buffer[65536];
    size_t n = 0;
    ssize_t got;

    while (n < DRAINED_MAX && (got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0) {
        n += (size_t) got;
    }
}

int
nwf_hook_read_document(struct nwf_hook_session *session, struct nwf_error *err)
{
    int r = nwf_file_read("-", NWF_DOMAIN_MAX, &session->data, &session->size, err);

    nwf_hook_drain();
    if (r) {
        nwf_error_clear(err);
        r = nwf_error_set(err, r, "%s: %s", session->file,
                          r == -EFBIG ? "larger than 8 MiB" : strerror(-r));
    }
    return r;
}

/* ---- Writing tags. ---- */

bool
nwf_hook_acts_on(const struct nwf_hook_session *session, const struct nwf_hook_port *port)
{
    enum nwf_hook_owner least = session->claims ? NWF_HOOK_BARE : NWF_HOOK_OWN;

    return nwf_hook_is_managed(port) && !nwf_hook_is_hosts(port)
           && nwf_hook_find_owner(&session->domain, port, NULL) >= least;
}

/* Adds what 'change' has for each port; those that are acted on become targets. */
static int
collect(struct nwf_hook_session *session, nwf_hook_change_fn *change,
        const struct nwf_hook_ports *ports, struct nwf_cli_changes *changes, struct nwf_error *err)
{
    int r = 0;

    nwf_hook_targets_clear(&session->targets);
    nwf_vec_foreach (port, ports) {
        if ((r = change(session, port, changes, err))) {
            break;
        }
        if (nwf_hook_acts_on(session, port)) {
            nwf_hook_targets_add(&session->targets, port->bridge->name, port->nic->dev);
        }
    }
    return r;
}

/* At a start, notes the tags' values for take_back() before the rows change. */
static int
write_changes(struct nwf_hook_session *session, const struct nwf_hook_ports *ports,
              const struct nwf_cli_changes *changes, struct nwf_error *err)
{
    bool is_first = session->claims && !session->undo.n;

    nwf_vec_foreach (port, ports) {
        if (session->claims && nwf_hook_acts_on(session, port)) {
            nwf_hook_undo_add(&session->undo, &port->row, changes);
        }
    }
    int r = nwf_ovsdb_write_tags(session->db, changes->data, changes->n, err);
    if (r == -ESTALE && is_first) {
        nwf_hook_undo_clear(&session->undo); /* Nothing was written. */
    }
    return r;
}

static int
try_to_write(struct nwf_hook_session *session, nwf_hook_change_fn *change, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_hook_ports ports CLEANUP(nwf_hook_ports_clear) = {.data = NULL};
    struct nwf_cli_changes changes CLEANUP(nwf_cli_changes_clear) = {.data = NULL};
    int r = nwf_ovsdb_refresh(session->db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bare_bridges(session->db, &bridges);
    nwf_hook_find_ports(&session->domain, &bridges, &ports);
    if ((r = collect(session, change, &ports, &changes, err))) {
        return r;
    }
    return write_changes(session, &ports, &changes, err);
}

/* Attempts to write while others write. */
#define TRIES_MAX 8

/* All tags of all ports change at once, or none. */
int
nwf_hook_write_tags(struct nwf_hook_session *session, nwf_hook_change_fn *change,
                    struct nwf_error *err)
{
    int r = -ESTALE;

    for (int tries = 0; r == -ESTALE && tries < TRIES_MAX; tries++) {
        nwf_error_clear(err);
        r = try_to_write(session, change, err);
    }
    return r;
}

/* ---- Doing it while a daemon comes or goes. ---- */

#define TURNS_MAX 4

static int
take_turn(struct nwf_hook_session *session, nwf_hook_step_fn *step, struct nwf_error *err)
{
    struct nwf_cli *cli = session->cli;
    int r = 0;

    cli->has_daemon = nwf_cli_find_daemon();
    if (!cli->lock && (r = nwf_cli_lock(cli, err))) {
        return r == -EAGAIN && nwf_cli_find_daemon() ? NWF_NO_DAEMON : r; /* It has come. */
    }
    r = nwf_hook_open_database(session, !cli->has_daemon, err);
    if (r) {
        return r;
    }
    return step(session, err);
}

int
nwf_hook_run_step(struct nwf_hook_session *session, nwf_hook_step_fn *step, struct nwf_error *err)
{
    int r = NWF_NO_DAEMON;

    for (int turn = 0; r == NWF_NO_DAEMON && turn < TURNS_MAX; turn++) {
        nwf_error_clear(err);
        r = take_turn(session, step, err);
    }
    /* Standard input has been read: the verb cannot be run again. */
    return r == NWF_NO_DAEMON || r == -EAGAIN ? -EIO : r;
}
