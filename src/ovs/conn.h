/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of nwf/conn.h share: a connection, its queue, its operation. */
#ifndef NWF_OVS_CONN_H
#define NWF_OVS_CONN_H

#include "nwf/conn.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vconn.h"

#include "lib/flow.h"

/* A bundle's changes have these, in their order. */
#define NWF_FIRST_XID UINT32_C(0x40000000)

/* What an operation does, once the connection is there. */
struct nwf_conn_op {
    /* Queues the message of number 'i', from 0, of those that wait for no answer; false: there
     * are no more of them.  Called while the queue is short; may be NULL. */
    bool (*fill)(struct nwf_conn *conn, size_t i);

    /* Takes a message with the xid that is waited for (conn->xid, conn->open_xid); it stays
     * the caller's.  An error while the operation goes on is the connection's end; one
     * after nwf_conn_end() is the operation's alone. */
    int (*take)(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err);

    /* The same for an error message, of whatever xid.  NULL: the connection's end. */
    int (*refuse)(struct nwf_conn *conn, ovs_be32 xid, enum ofperr code, struct nwf_error *err);

    /* What the operation fails with if the connection does.  NULL: with the same. */
    int (*give_up)(struct nwf_conn *conn, struct nwf_error *err);
};

/* Flows by their cookies: 'cookie' under 'mask'. */
struct nwf_cookies {
    uint64_t cookie, mask;
};

struct nwf_conn {
    /* The connection. */
    char *bridge;
    char *name;          /* The socket's, as a vconn's. */
    uint32_t versions;   /* Those asked for. */
    struct vconn *vconn; /* NULL: not opened. */
    bool connected;
    enum ofp_version version;
    enum ofputil_protocol protocol;
    unsigned int timeout_ms;
    long long int deadline;   /* Of connecting and of the operation. */
    struct nwf_error failure; /* It is of no more use, and this is why. */
    bool busy;                /* There may be more to read than one run does. */

    /* Messages to be sent. */
    struct ovs_list tx;
    size_t tx_bytes;
    unsigned int n_sent;
    uint32_t n_asked;                  /* For their xids. */
    NWF_VEC(struct nwf_cookies) posts; /* Deletions, while it is not connected. */

    /* The operation; 'op' NULL: none.  Which of the rest is set depends on it. */
    const struct nwf_conn_op *op;
    size_t n_filled;
    ovs_be32 xid;      /* That of the question to be answered next. */
    ovs_be32 open_xid; /* That of a bundle's opening; 0: not sent, or answered. */
    struct nwf_cookies cookies;
    struct nwf_flow_set *set;
    struct nwf_flow_counts *counts;
    uint8_t table;                     /* That is counted. */
    const struct nwf_changes *changes; /* NULL: the bundle deletes by cookie. */
    struct nwf_refusals refusals;
    struct nwf_error verdict; /* Why a bundle is being discarded. */
    const uint16_t *zones;
    const uint8_t *tables;
    size_t n; /* Zones or tables. */
    const enum nwf_no_flood *wanted;
    size_t n_ports; /* That have been read. */
    struct nwf_meters *meters;
    size_t n_meters, n_excess; /* That have been read; of these, ours that are not wanted. */
    bool prunes, meters_changed;

    /* The flow monitor. */
    struct ovs_list events; /* Of struct nwf_conn_event. */
    size_t n_events;
    uint32_t n_monitors; /* For their numbers. */
    bool paused, lost;
};

/* The error of what failed with 'code': positive, or EOF. */
int nwf_conn_fail(const struct nwf_conn *conn, struct nwf_error *err, int code, const char *what);
int nwf_conn_refused(const struct nwf_conn *conn, struct nwf_error *err, int code,
                     enum ofperr error);

/* From now on the switch has the connection's timeout again. */
void nwf_conn_start_clock(struct nwf_conn *conn);

/* Begins an operation, and ends it. */
void nwf_conn_begin(struct nwf_conn *conn, const struct nwf_conn_op *op);
void nwf_conn_end(struct nwf_conn *conn);

/* Queues 'msg', which is taken.  An xid of this connection's own is set. */
ovs_be32 nwf_conn_send(struct nwf_conn *conn, struct ofpbuf *msg);

/* The same with the xid that it has. */
void nwf_conn_queue(struct nwf_conn *conn, struct ofpbuf *msg);

/* Queues 'request', which is taken, and makes its answer the one that is waited for. */
void nwf_conn_ask(struct nwf_conn *conn, struct ofpbuf *request);

/* For fill(): asks for the flows of a table with the operation's cookies, as the only message. */
bool nwf_conn_ask_flows(struct nwf_conn *conn, size_t i, uint8_t table);

/* A part of that answer was taken: the operation ends, or goes on for as long as flows come. */
void nwf_conn_took_part(struct nwf_conn *conn, bool more, bool has_flows);

/* Queues a barrier. */
void nwf_conn_ask_barrier(struct nwf_conn *conn);
int nwf_conn_check_barrier(struct nwf_conn *conn, const struct ofpbuf *reply,
                           struct nwf_error *err);

/* The operation of waiting for the barrier that was asked last: the end of others. */
extern const struct nwf_conn_op nwf_conn_barrier_op;

/* Queues a deletion outside of a bundle. */
void nwf_conn_send_delete(struct nwf_conn *conn, const struct nwf_cookies *cookies);

/* Takes a message of type OFPTYPE_FLOW_MONITOR_*, which stays the caller's. */
void nwf_conn_take_events(struct nwf_conn *conn, enum ofptype type, struct ofpbuf *msg);
void nwf_conn_drop_events(struct nwf_conn *conn);

#endif
