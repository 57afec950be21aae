/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenFlow over a vconn, without blocking; see nwf/conn.h.  Connecting, the queue of what is to
 * be sent, what comes, and the operation's clock. */
#include <config.h>

#include "conn.h"

#include <errno.h>
#include <string.h>

#include "nwf/openflow.h"
#include "nwf/text.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"

#include "lib/socket-util.h"
#include "lib/timeval.h"
#include "lib/util.h"

/* Bytes in the queue up to which operations add to it. */
#define TX_ENOUGH (1 << 20)

/* Messages that one run reads: others want to go on too. */
#define MESSAGES_AT_ONCE 100

/* Messages that show that the switch reads on, once they are sent. */
#define SENT_IS_PROGRESS 1024

/* When to try again where the socket has no room for one more who connects, ms. */
#define RETRY_MS 50

/* ---- Connecting. ---- */

struct nwf_conn *
nwf_conn_new(const char *bridge, uint32_t versions, unsigned int timeout_ms)
{
    struct nwf_conn *conn = nwf_zalloc(sizeof *conn);

    conn->bridge = nwf_strdup(bridge);
    conn->name = nwf_bridge_socket(bridge, "mgmt");
    conn->versions = versions;
    conn->timeout_ms = timeout_ms;
    ovs_list_init(&conn->tx);
    ovs_list_init(&conn->events);
    nwf_conn_start_clock(conn);
    return conn;
}

void
nwf_conn_free(struct nwf_conn *conn)
{
    vconn_close(conn->vconn);
    ofpbuf_list_delete(&conn->tx);
    nwf_conn_drop_events(conn);
    nwf_vec_clear(&conn->posts);
    nwf_vec_clear(&conn->refusals);
    nwf_error_clear(&conn->verdict);
    nwf_error_clear(&conn->failure);
    free(conn->name);
    free(conn->bridge);
    free(conn);
}

static int
connecting_failed(const struct nwf_conn *conn, int code, struct nwf_error *err)
{
    int r;

    if (code == EPROTO) {
        r = nwf_error_set(err, -code, "bridge %s: allows none of the OpenFlow versions asked for",
                          conn->bridge);
    } else if (code == EPIPE || code == ECONNRESET || code == EOF) {
        /* Before its word of it was read. */
        r = nwf_error_set(err, -EPROTO,
                          "bridge %s: closed the connection; it may allow none of the OpenFlow "
                          "versions asked for",
                          conn->bridge);
    } else if (code == ECONNREFUSED || code == ENOENT) { /* Killed, or ended. */
        r = nwf_error_set(err, -code, "bridge %s: %s: %s; see that ovs-vswitchd runs", conn->bridge,
                          conn->name, ovs_retval_to_string(code));
    } else {
        r = nwf_conn_fail(conn, err, code, conn->name);
    }
    if (conn->versions == 1u << OFP10_VERSION) {
        nwf_error_wrap(err, "a port's part in NORMAL's floods is set by OpenFlow 1.0");
    }
    return r;
}

static void
connected(struct nwf_conn *conn)
{
    conn->connected = true;
    conn->version = (enum ofp_version) vconn_get_version(conn->vconn);
    conn->protocol = ofputil_protocol_from_ofp_version(conn->version);
    nwf_vec_foreach (cookies, &conn->posts) {
        nwf_conn_send_delete(conn, cookies);
    }
    nwf_vec_clear(&conn->posts);
    nwf_conn_start_clock(conn);
}

static int
connect_on(struct nwf_conn *conn, struct nwf_error *err)
{
    int code = 0;

    if (conn->connected) {
        return 0;
    }
    if (!conn->vconn) { /* EAGAIN: its queue of those who connect is full. */
        code = vconn_open(conn->name, conn->versions, DSCP_DEFAULT, &conn->vconn);
    }
    if (!code) {
        vconn_run(conn->vconn);
        code = vconn_connect(conn->vconn);
    }
    if (code == EAGAIN && time_msec() >= conn->deadline) {
        code = ETIMEDOUT;
    }
    if (code == EAGAIN) {
        return -EAGAIN;
    }
    if (code) {
        return connecting_failed(conn, code, err);
    }
    connected(conn);
    return 0;
}

/* ---- Sending. ---- */

/* Sends what the socket takes. */
static int
flush(struct nwf_conn *conn, struct nwf_error *err)
{
    vconn_run(conn->vconn);
    while (!ovs_list_is_empty(&conn->tx)) {
        struct ofpbuf *msg = ofpbuf_from_list(ovs_list_pop_front(&conn->tx));
        size_t size = msg->size;
        int code = vconn_send(conn->vconn, msg);

        if (code) {
            ovs_list_push_front(&conn->tx, &msg->list_node);
            return code == EAGAIN ? 0 : nwf_conn_fail(conn, err, code, "sending");
        }
        conn->tx_bytes -= size;
        /* The switch reads on; and its time to answer starts when it has the question. */
        if (!(++conn->n_sent % SENT_IS_PROGRESS) || ovs_list_is_empty(&conn->tx)) {
            nwf_conn_start_clock(conn);
        }
    }
    return 0;
}

static void
fill(struct nwf_conn *conn)
{
    while (conn->op && conn->op->fill && conn->tx_bytes < TX_ENOUGH
           && conn->op->fill(conn, conn->n_filled)) {
        conn->n_filled++;
    }
}

void
nwf_conn_post_delete(struct nwf_conn *conn, uint64_t cookie, uint64_t mask)
{
    const struct nwf_cookies cookies = {cookie, mask};

    if (conn->connected) {
        nwf_conn_send_delete(conn, &cookies);
        (void) flush(conn, NULL); /* The next run sees an error too. */
    } else {
        nwf_vec_push(&conn->posts, cookies);
    }
}

/* ---- Receiving. ---- */

static int
take_error(struct nwf_conn *conn, const struct ofp_header *oh, struct nwf_error *err)
{
    enum ofperr code = ofperr_decode_msg(oh, NULL);

    return conn->op && conn->op->refuse ? conn->op->refuse(conn, oh->xid, code, err)
                                        : nwf_conn_refused(conn, err, -EREMOTEIO, code);
}

/* A probe that gets no answer may end the connection.  Where messages wait to be sent they are
 * sign of life enough; nor may probes without end keep the clock from running down. */
static void
answer_echo(struct nwf_conn *conn, const struct ofp_header *oh)
{
    struct ofpbuf *reply = ofputil_encode_echo_reply(oh);

    if (vconn_send(conn->vconn, reply)) {
        ofpbuf_delete(reply);
    }
}

static bool
is_waited_for(const struct nwf_conn *conn, ovs_be32 xid)
{
    return conn->op && conn->op->take && xid && (xid == conn->xid || xid == conn->open_xid);
}

static int
take_message(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    const struct ofp_header *oh = msg->data;
    enum ofptype type;

    if (ofptype_decode(&type, oh)) {
        type = OFPTYPE_HELLO; /* Something that nobody here waits for. */
    }
    if (type == OFPTYPE_ERROR) {
        return take_error(conn, oh, err);
    }
    if (type == OFPTYPE_ECHO_REQUEST) {
        answer_echo(conn, oh);
        return 0;
    }
    if (is_waited_for(conn, oh->xid)) {
        return conn->op->take(conn, msg, err);
    }
    if (type == OFPTYPE_FLOW_MONITOR_STATS_REPLY || type == OFPTYPE_FLOW_MONITOR_PAUSED
        || type == OFPTYPE_FLOW_MONITOR_RESUMED) {
        nwf_conn_take_events(conn, type, msg);
    }
    return 0; /* What is no answer may come without end: see check_clock(). */
}

/* Sends and receives what can be, until the operation has ended. */
static int
exchange(struct nwf_conn *conn, struct nwf_error *err)
{
    const bool had_op = conn->op;

    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        struct ofpbuf *msg;
        int r;

        fill(conn);
        if ((r = flush(conn, err)) || (had_op && !conn->op)) {
            return r;
        }
        int code = vconn_recv(conn->vconn, &msg);
        if (code) {
            return code == EAGAIN ? 0 : nwf_conn_fail(conn, err, code, "receiving");
        }
        r = take_message(conn, msg, err);
        ofpbuf_delete(msg);
        if (r || (had_op && !conn->op)) {
            return r;
        }
    }
    conn->busy = true;
    return 0;
}

/* ---- Operations. ---- */

static int
check_clock(const struct nwf_conn *conn, struct nwf_error *err)
{
    if (!conn->op) {
        return 0;
    }
    return time_msec() >= conn->deadline
               ? nwf_conn_fail(conn, err, ETIMEDOUT, "the switch does not answer")
               : -EAGAIN;
}

static int
go_on(struct nwf_conn *conn, struct nwf_error *err)
{
    int r;

    if ((r = connect_on(conn, err)) || (r = exchange(conn, err))) {
        return r;
    }
    return check_clock(conn, err);
}

/* The connection has failed, with conn->failure; so does its operation. */
static int
broken(struct nwf_conn *conn, struct nwf_error *err)
{
    const struct nwf_conn_op *op = conn->op;

    nwf_conn_end(conn);
    if (op && op->give_up) {
        return op->give_up(conn, err);
    }
    nwf_vec_clear(&conn->refusals); /* There may be more of them that nobody has read. */
    return nwf_error_set(err, conn->failure.code, "%s", nwf_error_text(&conn->failure));
}

int
nwf_conn_run(struct nwf_conn *conn, struct nwf_error *err)
{
    struct nwf_error failure = NWF_ERROR_INIT;
    const bool had_op = conn->op;

    conn->busy = false;
    if (conn->failure.code) {
        return broken(conn, err);
    }
    int r = go_on(conn, &failure);
    if (!r || r == -EAGAIN) {
        return r;
    }
    if (had_op && !conn->op) { /* It has failed, and the connection has not. */
        r = nwf_error_set(err, r, "%s", nwf_error_text(&failure));
        nwf_error_clear(&failure);
        return r;
    }
    conn->failure = failure;
    return broken(conn, err);
}

void
nwf_conn_wait(struct nwf_conn *conn)
{
    if (conn->busy || conn->failure.code || (conn->connected && conn->op && !conn->n_filled)) {
        poll_immediate_wake();
        return;
    }
    if (!conn->connected || conn->op) {
        poll_timer_wait_until(conn->deadline);
    }
    if (!conn->vconn) {
        poll_timer_wait(RETRY_MS);
        return;
    }
    vconn_run_wait(conn->vconn);
    vconn_recv_wait(conn->vconn);
    if (!ovs_list_is_empty(&conn->tx)) {
        vconn_send_wait(conn->vconn);
    }
}

int
nwf_conn_block(struct nwf_conn *conn, struct nwf_error *err)
{
    int r;

    while ((r = nwf_conn_run(conn, err)) == -EAGAIN) {
        nwf_conn_wait(conn);
        poll_block();
    }
    return r;
}
