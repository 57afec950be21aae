/* SPDX-License-Identifier: Apache-2.0
 *
 * What operations of a connection are made of: messages that are queued, answers that are waited
 * for, barriers; see conn.h. */
#include <config.h>

#include "conn.h"

#include <errno.h>
#include <string.h>

#include "nwf/openflow.h"
#include "nwf/text.h"
#include "openvswitch/ofp-util.h"

#include "lib/timeval.h"
#include "lib/util.h"

/* Our messages' xids are below those of a bundle's changes, also after a long time. */
#define XIDS (NWF_FIRST_XID - 1)

int
nwf_conn_fail(const struct nwf_conn *conn, struct nwf_error *err, int code, const char *what)
{
    /* EOF is negative, and would make a positive number: no error to our callers. */
    return nwf_error_set(err, code == EOF ? -EPIPE : -code, "bridge %s: %s: %s", conn->bridge, what,
                         code == EOF ? "connection closed" : ovs_retval_to_string(code));
}

int
nwf_conn_refused(const struct nwf_conn *conn, struct nwf_error *err, int code, enum ofperr error)
{
    return nwf_error_set(err, code, "bridge %s: the switch refuses: %s", conn->bridge,
                         error ? ofperr_to_string(error) : "unknown error");
}

void
nwf_conn_start_clock(struct nwf_conn *conn)
{
    conn->deadline = time_msec() + conn->timeout_ms;
}

void
nwf_conn_queue(struct nwf_conn *conn, struct ofpbuf *msg)
{
    ovs_list_push_back(&conn->tx, &msg->list_node);
    conn->tx_bytes += msg->size;
}

ovs_be32
nwf_conn_send(struct nwf_conn *conn, struct ofpbuf *msg)
{
    ovs_be32 xid = htonl(1 + conn->n_asked++ % XIDS);

    ((struct ofp_header *) msg->data)->xid = xid;
    nwf_conn_queue(conn, msg);
    return xid;
}

void
nwf_conn_ask(struct nwf_conn *conn, struct ofpbuf *request)
{
    conn->xid = nwf_conn_send(conn, request);
    nwf_conn_start_clock(conn);
}

bool
nwf_conn_ask_flows(struct nwf_conn *conn, size_t i, uint8_t table)
{
    struct ofputil_flow_stats_request request;

    if (i) {
        return false;
    }
    nwf_flows_request_init(&request, table, conn->cookies.cookie, conn->cookies.mask);
    nwf_conn_ask(conn, ofputil_encode_flow_stats_request(&request, conn->protocol));
    return true;
}

void
nwf_conn_took_part(struct nwf_conn *conn, bool more, bool has_flows)
{
    if (!more) {
        nwf_conn_end(conn);
    } else if (has_flows) {
        nwf_conn_start_clock(conn); /* Long answers are fine as long as they go on. */
    }
}

void
nwf_conn_begin(struct nwf_conn *conn, const struct nwf_conn_op *op)
{
    ovs_assert(!conn->op);
    conn->op = op;
    conn->n_filled = 0;
    conn->xid = conn->open_xid = 0;
    nwf_vec_clear(&conn->refusals);
    if (conn->connected) {
        nwf_conn_start_clock(conn);
    }
}

void
nwf_conn_end(struct nwf_conn *conn)
{
    conn->op = NULL;
    conn->xid = conn->open_xid = 0;
}

void
nwf_conn_ask_barrier(struct nwf_conn *conn)
{
    nwf_conn_ask(conn, ofputil_encode_barrier_request(conn->version));
}

int
nwf_conn_check_barrier(struct nwf_conn *conn, const struct ofpbuf *reply, struct nwf_error *err)
{
    enum ofptype type;

    return ofptype_decode(&type, reply->data) || type != OFPTYPE_BARRIER_REPLY
               ? nwf_conn_fail(conn, err, EPROTO, "a barrier")
               : 0;
}

static bool
fill_barrier(struct nwf_conn *conn, size_t i)
{
    if (i) {
        return false;
    }
    nwf_conn_ask_barrier(conn);
    return true;
}

static int
take_barrier(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    int r = nwf_conn_check_barrier(conn, msg, err);

    if (!r) {
        nwf_conn_end(conn);
    }
    return r;
}

const struct nwf_conn_op nwf_conn_barrier_op = {.take = take_barrier};

static const struct nwf_conn_op ask_barrier_op = {.fill = fill_barrier, .take = take_barrier};

void
nwf_conn_barrier(struct nwf_conn *conn)
{
    nwf_conn_begin(conn, &ask_barrier_op);
}
