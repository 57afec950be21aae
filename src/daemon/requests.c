/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that wait; see requests.h. */
#include <config.h>

#include "requests.h"

#include <stdio.h>

#include "nwf/cleanup.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"

#include "lib/timeval.h"
#include "lib/unixctl.h"

/* Each takes a descriptor. */
#define WAITING_MAX 512

void
nwf_requests_note_answer(struct nwf_requests *requests, const struct unixctl_conn *conn)
{
    requests->answered = conn;
}

void
nwf_requests_add(struct nwf_requests *requests, struct unixctl_conn *conn,
                 struct nwf_ticket *ticket, unsigned int patience_ms)
{
    const char *cause = conn == requests->answered ? "one request at a time on a connection"
                        : requests->waiting.n >= WAITING_MAX ? "too many requests are waiting"
                                                             : NULL;

    if (cause) {
        nwf_ticket_free(ticket);
        unixctl_command_reply_error(conn, cause);
        nwf_requests_note_answer(requests, conn);
        return;
    }
    nwf_vec_push(&requests->waiting, (struct nwf_request){
                                         .conn = conn,
                                         .ticket = ticket,
                                         .patience_ms = patience_ms,
                                         .deadline = time_msec() + patience_ms,
                                     });
}

/* Whether the request has been answered. */
static bool
answer(const struct nwf_request *request)
{
    struct ds reply CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    int status = 1;

    if (!nwf_ticket_is_done(request->ticket, &reply, &status)) {
        if (time_msec() < request->deadline) {
            return false;
        }
        ds_clear(&reply);
        ds_put_format(&reply, "not enforced within %u seconds", request->patience_ms / 1000);
    }
    if (status) {
        unixctl_command_reply_error(request->conn, ds_cstr(&reply));
    } else {
        unixctl_command_reply(request->conn, ds_cstr(&reply));
    }
    return true;
}

void
nwf_requests_run(struct nwf_requests *requests)
{
    size_t n = 0;

    nwf_vec_foreach (request, &requests->waiting) {
        if (answer(request)) {
            nwf_ticket_free(request->ticket);
        } else {
            requests->waiting.data[n++] = *request;
        }
    }
    requests->waiting.n = n;
}

void
nwf_requests_wait(const struct nwf_requests *requests)
{
    nwf_vec_foreach (request, &requests->waiting) {
        poll_timer_wait_until(request->deadline);
    }
}

void
nwf_requests_finish(struct nwf_requests *requests, const char *cause)
{
    nwf_vec_foreach (request, &requests->waiting) {
        unixctl_command_reply_error(request->conn, cause);
        nwf_ticket_free(request->ticket);
    }
    nwf_vec_clear(&requests->waiting);
}
