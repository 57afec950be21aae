/* SPDX-License-Identifier: Apache-2.0
 *
 * Printing what comes on a connection; see watch.h. */
#include <config.h>

#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"

#include "lib/daemon.h"
#include "lib/timeval.h"
#include "lib/unixctl.h"
#include "lib/util.h"

static void
print(struct ofctl_watch *watch, const struct ofpbuf *message, int verbosity)
{
    const char *name = vconn_get_name(watch->vconn);
    const struct ofputil_table_map *tables = ofctl_tables_to_show(watch->ofctl, name);
    const struct ofputil_port_map *ports = ofctl_ports_to_show(watch->ofctl, name);

    ofp_print(stderr, message->data, message->size, ports, tables,
              watch->ofctl->verbosity + verbosity);
}

int
ofctl_watch_send(struct ofctl_watch *watch, struct ofpbuf *message)
{
    print(watch, message, 0);

    int error = vconn_send_block(watch->vconn, message);
    if (error) {
        ofpbuf_delete(message);
    }
    return error;
}

/* ---- Answers. ---- */

static void
answer_echo(struct ofctl_watch *watch, const struct ofpbuf *request)
{
    struct ofpbuf *reply = ofputil_encode_echo_reply(request->data);
    int error = vconn_send_block(watch->vconn, reply);

    if (error) {
        ovs_fatal(error, "failed to send echo reply");
    }
}

static void
resume(struct ofctl_watch *watch, const struct ofpbuf *message)
{
    struct ofputil_packet_in packet;
    struct ofpbuf continuation;
    enum ofputil_protocol protocol = ofputil_protocol_from_ofp_version(ofctl_version(watch->vconn));
    enum ofperr error = ofputil_decode_packet_in(message->data, true, NULL, NULL, &packet, NULL,
                                                 NULL, &continuation);

    if (error) {
        fprintf(stderr, "decoding packet-in failed: %s", ofperr_to_string(error));
    } else if (continuation.size) {
        struct ofpbuf *reply = ofputil_encode_resume(&packet, &continuation, protocol);
        fputs("send: ", stderr);
        print(watch, reply, 2);
        int failure = vconn_send_block(watch->vconn, reply);
        if (failure) {
            ovs_fatal(failure, "failed to send NXT_RESUME");
        }
    }
}

static void
end_barrier(struct ofctl_watch *watch)
{
    unixctl_command_reply(watch->barrier, NULL);
    watch->barrier = NULL;
}

static void
answer(struct ofctl_watch *watch, const struct ofpbuf *message)
{
    const struct ofp_header *header = message->data;
    enum ofptype type;

    if (watch->barrier && header->xid == watch->barrier_xid) {
        end_barrier(watch);
    }
    if (ofptype_decode(&type, header)) {
        return;
    }
    if (type == OFPTYPE_ECHO_REQUEST && watch->answers_echoes) {
        answer_echo(watch, message);
    } else if (type == OFPTYPE_PACKET_IN && watch->resumes) {
        resume(watch, message);
    }
}

/* ---- Running. ---- */

static void
take_message(struct ofctl_watch *watch, struct ofpbuf *message)
{
    if (watch->ofctl->timestamp) {
        char *when = xastrftime_msec("%Y-%m-%d %H:%M:%S.###: ", time_wall_msec(), false);
        fputs(when, stderr);
        free(when);
    }
    print(watch, message, 2);
    fflush(stderr);
    answer(watch, message);
    ofpbuf_delete(message);
}

static void
take_messages(struct ofctl_watch *watch)
{
    struct ofpbuf *message;
    int error = 0;

    while (!watch->is_blocked && !(error = vconn_recv(watch->vconn, &message))) {
        take_message(watch, message);
    }
    if (error && error != EAGAIN) {
        ovs_fatal(error, "vconn_recv");
    }
}

static void
run(struct ofctl_watch *watch, struct unixctl_server *server)
{
    for (;;) {
        unixctl_server_run(server);
        take_messages(watch);
        if (watch->is_over) {
            break;
        }
        vconn_run(watch->vconn);
        vconn_run_wait(watch->vconn);
        if (!watch->is_blocked) {
            vconn_recv_wait(watch->vconn);
        }
        unixctl_server_wait(server);
        poll_block();
    }
}

void
ofctl_watch(struct ofctl_watch *watch)
{
    struct unixctl_server *server;

    daemon_save_fd(STDERR_FILENO);
    daemonize_start(false);
    int error = unixctl_server_create(watch->ofctl->unixctl, &server);
    if (error) {
        ovs_fatal(error, "failed to create unixctl server");
    }
    ofctl_watch_register(watch);
    daemonize_complete();
    run(watch, server);
    vconn_close(watch->vconn);
    unixctl_server_destroy(server);
}
