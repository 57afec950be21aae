/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests whose answer takes a while: each keeps its connection until its ticket is done.
 *
 * A client that goes away is no matter: the library looks at a connection again only after the
 * request has been answered, and the answer goes nowhere.  So every request has a deadline, or
 * clients that give up while a switch is away would use up our descriptors.
 *
 * There is one exception.  A client that sends two requests at once and does not read the answer
 * to the first has its connection freed when it goes away; see nwf_requests_note_answer(). */
#ifndef NWF_DAEMON_REQUESTS_H
#define NWF_DAEMON_REQUESTS_H

#include "nwf/live.h"
#include "nwf/vec.h"

struct unixctl_conn;

struct nwf_request {
    struct unixctl_conn *conn;
    struct nwf_ticket *ticket;
    unsigned int patience_ms;
    long long int deadline;
};

struct nwf_requests {
    NWF_VEC(struct nwf_request) waiting;
    const struct unixctl_conn *answered; /* See nwf_requests_note_answer(). */
};

/* Answers the request on 'conn' when 'ticket', which is taken, is done.  Answers it with an
 * error if that is not within 'patience_ms', or if there are too many already. */
void nwf_requests_add(struct nwf_requests *requests, struct unixctl_conn *conn,
                      struct nwf_ticket *ticket, unsigned int patience_ms);

/* To be called for each answer that is given at once, and with NULL before connections are
 * looked at.  An answer may stay behind unsent, and then its connection is freed if it breaks,
 * whatever else waits on it: so nothing else may. */
void nwf_requests_note_answer(struct nwf_requests *requests, const struct unixctl_conn *conn);

void nwf_requests_run(struct nwf_requests *requests);
void nwf_requests_wait(const struct nwf_requests *requests);

/* Answers all that wait with this error. */
void nwf_requests_finish(struct nwf_requests *requests, const char *cause);

#endif
