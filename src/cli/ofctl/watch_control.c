/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of monitor's control socket; see ovs-ofctl(8), "Runtime management commands". */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-util.h"
#include "watch.h"

#include "lib/unixctl.h"
#include "lib/util.h"

static void
command_exit(struct unixctl_conn *conn, int argc, const char *argv[], void *watch_)
{
    struct ofctl_watch *watch = watch_;

    (void) argc;
    (void) argv;
    watch->is_over = true;
    unixctl_command_reply(conn, NULL);
}

/* ---- Sending. ---- */

/* What is wrong with the message, or NULL. */
static const char *
check_message(struct ofpbuf *message, const char *hex)
{
    if (*ofpbuf_put_hex(message, hex, NULL)) {
        return "Trailing garbage in hex data";
    }
    if (message->size < sizeof(struct ofp_header)) {
        return "Message too short for OpenFlow";
    }
    const struct ofp_header *header = message->data;
    if (message->size != ntohs(header->length)) {
        return "Message size does not match length in OpenFlow header";
    }
    return NULL;
}

/* Adds to the answer what has become of the message; false: it was refused. */
static bool
send_hex(struct ofctl_watch *watch, const char *hex, struct ds *answer)
{
    struct ofpbuf *message = ofpbuf_new(strlen(hex) / 2);
    const char *wrong = check_message(message, hex);

    if (wrong) {
        ds_put_format(answer, "%s\n", wrong);
        ofpbuf_delete(message);
        return false;
    }
    fputs("send: ", stderr);
    int error = ofctl_watch_send(watch, message);
    ds_put_format(answer, "%s\n", error ? ovs_strerror(error) : "sent");
    return !error;
}

static void
command_send(struct unixctl_conn *conn, int argc, const char *argv[], void *watch)
{
    struct ds answer = DS_EMPTY_INITIALIZER;
    bool good = true;

    for (int i = 1; i < argc; i++) {
        good &= send_hex(watch, argv[i], &answer);
    }
    if (good) {
        unixctl_command_reply(conn, ds_cstr(&answer));
    } else {
        unixctl_command_reply_error(conn, ds_cstr(&answer));
    }
    ds_destroy(&answer);
}

static void
send_packet_out(struct ofctl_watch *watch, struct unixctl_conn *conn,
                const struct ofputil_packet_out *out, enum ofputil_protocol usable)
{
    enum ofputil_protocol protocol = ofputil_protocol_from_ofp_version(ofctl_version(watch->vconn));

    if (!(protocol & usable)) {
        unixctl_command_reply_error(
            conn, "PACKET_OUT actions are incompatible with the OpenFlow connection.");
        return;
    }
    int error = ofctl_watch_send(watch, ofputil_encode_packet_out(out, protocol));
    if (error) {
        unixctl_command_reply_error(conn, ovs_strerror(error));
    } else {
        unixctl_command_reply(conn, NULL);
    }
}

static void
command_packet_out(struct unixctl_conn *conn, int argc, const char *argv[], void *watch_)
{
    struct ofctl_watch *watch = watch_;
    const char *target = vconn_get_name(watch->vconn); /* Names may have changed since. */
    struct ofctl_words words = ofctl_words_to_accept(watch->ofctl, target);
    enum ofputil_protocol usable;
    struct ofputil_packet_out out;
    char *error = parse_ofp_packet_out_str(&out, argv[1], words.ports, words.tables, &usable);

    (void) argc;
    if (error) {
        char *line = xasprintf("%s\n", error);
        unixctl_command_reply_error(conn, line);
        free(line);
        free(error);
        return;
    }
    send_packet_out(watch, conn, &out, usable);
    free((void *) out.packet);
    free(out.ofpacts);
}

/* The answer comes with the switch's. */
static void
command_barrier(struct unixctl_conn *conn, int argc, const char *argv[], void *watch_)
{
    struct ofctl_watch *watch = watch_;

    (void) argc;
    (void) argv;
    if (watch->barrier) {
        unixctl_command_reply_error(conn, "already waiting for barrier reply");
        return;
    }

    struct ofpbuf *request = ofputil_encode_barrier_request(ofctl_version(watch->vconn));
    watch->barrier_xid = ((struct ofp_header *) request->data)->xid;
    int error = vconn_send_block(watch->vconn, request);
    if (error) {
        ofpbuf_delete(request);
        unixctl_command_reply_error(conn, ovs_strerror(error));
    } else {
        watch->barrier = conn;
    }
}

/* ---- What is printed, and whether. ---- */

static void
command_set_output_file(struct unixctl_conn *conn, int argc, const char *argv[], void *watch)
{
    int fd = open(argv[1], O_CREAT | O_TRUNC | O_WRONLY, 0666);

    (void) argc;
    (void) watch;
    if (fd < 0) {
        unixctl_command_reply_error(conn, ovs_strerror(errno));
        return;
    }
    fflush(stderr);
    dup2(fd, STDERR_FILENO);
    close(fd);
    unixctl_command_reply(conn, NULL);
}

static void
set_blocked(struct unixctl_conn *conn, struct ofctl_watch *watch, bool blocked, const char *already)
{
    unixctl_command_reply(conn, watch->is_blocked == blocked ? already : NULL);
    watch->is_blocked = blocked;
}

static void
command_block(struct unixctl_conn *conn, int argc, const char *argv[], void *watch)
{
    (void) argc;
    (void) argv;
    set_blocked(conn, watch, true, "already blocking");
}

static void
command_unblock(struct unixctl_conn *conn, int argc, const char *argv[], void *watch)
{
    (void) argc;
    (void) argv;
    set_blocked(conn, watch, false, "already unblocked");
}

void
ofctl_watch_register(struct ofctl_watch *watch)
{
    unixctl_command_register("exit", "", 0, 0, command_exit, watch);
    unixctl_command_register("ofctl/send", "OFMSG...", 1, INT_MAX, command_send, watch);
    unixctl_command_register("ofctl/packet-out", "\"in_port=<port> packet=<hex data> actions=...\"",
                             1, 1, command_packet_out, watch);
    unixctl_command_register("ofctl/barrier", "", 0, 0, command_barrier, watch);
    unixctl_command_register("ofctl/set-output-file", "FILE", 1, 1, command_set_output_file, watch);
    unixctl_command_register("ofctl/block", "", 0, 0, command_block, watch);
    unixctl_command_register("ofctl/unblock", "", 0, 0, command_unblock, watch);
}
