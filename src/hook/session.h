/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of a hook that is given a domain's document. */
#ifndef NWF_HOOK_SESSION_H
#define NWF_HOOK_SESSION_H

#include "domain_ports.h"
#include "enforce.h"
#include "undo.h"

struct nwf_hook_session {
    struct nwf_cli *cli;
    char *file; /* Stands for the document. */
    char *data;
    size_t size;
    struct nwf_domain domain;
    struct nwf_ovsdb *db;
    bool is_whole; /* 'db' has more than the domain's ports. */
    struct nwf_hook_targets targets;
    bool claims;               /* The domain starts, and takes ports whose rows do not say whose. */
    size_t n_expected;         /* Ports that have to become targets. */
    struct nwf_hook_undo undo; /* What was written. */
};

void nwf_hook_session_finish(struct nwf_hook_session *session);

/* Reads standard input to its end, as its writer is not to get a SIGPIPE. */
void nwf_hook_drain(void);
int nwf_hook_read_document(struct nwf_hook_session *session, struct nwf_error *err);

/* Opens the database, at least with all bridges and the domain's ports, unless it is open. */
int nwf_hook_open_database(struct nwf_hook_session *session, bool whole, struct nwf_error *err);

/* Adds the changes that one port's tags need. */
typedef int nwf_hook_change_fn(struct nwf_hook_session *session, const struct nwf_hook_port *port,
                               struct nwf_cli_changes *changes, struct nwf_error *err);

/* Whether tags of the port are to be changed: it is the domain's, and on a managed bridge. */
bool nwf_hook_acts_on(const struct nwf_hook_session *session, const struct nwf_hook_port *port);

/* Changes the tags of all of the domain's ports at once, or none; those that it acts on become the
 * session's targets. */
int nwf_hook_write_tags(struct nwf_hook_session *session, nwf_hook_change_fn *change,
                        struct nwf_error *err);

/* What changes the switch: runs when the daemon does, or with the host's lock, and again when a
 * daemon comes or goes meanwhile. */
typedef int nwf_hook_step_fn(struct nwf_hook_session *session, struct nwf_error *err);
int nwf_hook_run_step(struct nwf_hook_session *session, nwf_hook_step_fn *step,
                      struct nwf_error *err);

#endif
