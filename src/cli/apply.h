/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of "routed": a server that is reached by its only NIC is adopted in one go, and all of
 * it is undone unless somebody who still reaches it says that he does. */
#ifndef NWF_CLI_APPLY_H
#define NWF_CLI_APPLY_H

#include "adoption.h"
#include "cli.h"
#include "nwf/record.h"

/* A gateway that the host answers to. */
struct nwf_routed_gateway {
    struct nwf_address address;
    bool answers; /* Before anything is changed. */
};

/* What is about to be done. */
struct nwf_routed_job {
    const char *bridge;
    struct nwf_record tags;          /* That manage sets. */
    struct nwf_routed_config config; /* What they say. */
    struct nwf_adoption adoption;    /* With NWF_VIA_FLOWS. */
    bool was_managed;                /* Then, with */
    struct nwf_record before;        /* these tags. */
    NWF_VEC(struct nwf_routed_gateway) gateways;
};

void nwf_routed_job_clear(struct nwf_routed_job *job);

/* Whether the uplink goes onto the bridge. */
bool nwf_routed_adopts(const struct nwf_routed_job *job);

/* Checks the options as manage does, and looks at the host.  Nothing is changed. */
int nwf_routed_look(struct nwf_cli *cli, struct nwf_ovsdb *db, struct nwf_routed_job *job,
                    struct nwf_error *err);

/* The device by which the host reaches the network before, or after. */
const char *nwf_routed_device(const struct nwf_routed_job *job, bool after);

/* Prints what would change. */
int nwf_routed_print(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_routed_job *job,
                     struct nwf_error *err);

/* ---- Doing it, in a process that outlives the session (apply_worker.c). ---- */

/* Does it, and waits for the confirmation; shows what comes of it until then.  Returns an exit
 * code, or a negative errno: nothing is changed, or all was undone. */
int nwf_routed_apply(struct nwf_cli *cli, const struct nwf_routed_job *job, unsigned int confirm_s,
                     struct nwf_error *err);

/* Does it and, if it fails, undoes it (apply_steps.c).  say() is told of each step. */
typedef void nwf_routed_say(const char *text);
int nwf_routed_do(const struct nwf_cli *cli, const struct nwf_routed_job *job, nwf_routed_say *say,
                  struct nwf_error *err);
int nwf_routed_undo(const struct nwf_cli *cli, const struct nwf_routed_job *job,
                    struct nwf_error *err);

/* ---- The confirmation (apply_socket.c). ---- */

/* Opens the place where it is waited for; -EBUSY: another run waits for one. */
int nwf_routed_listen(int *ret_fd, struct nwf_error *err);
void nwf_routed_unlisten(int fd);

/* Takes one, if it is for the bridge, and answers.  True: it was. */
bool nwf_routed_take(int fd, const char *bridge);

/* Sends one; 'bridge' may be NULL.  *ret_answer is a new string. */
int nwf_routed_send(const char *bridge, unsigned int timeout_ms, char **ret_answer,
                    struct nwf_error *err);

#endif
