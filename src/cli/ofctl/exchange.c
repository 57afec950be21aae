/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and what answers them, on a connection of connect.c. */
#include <config.h>

#include "link.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vlog.h"

#include "lib/util.h"

VLOG_DEFINE_THIS_MODULE(ofctl_exchange);

static ovs_be32
xid_of(const struct ofpbuf *message)
{
    const struct ofp_header *header = message->data;

    return header->xid;
}

/* ---- Numbers. ---- */

static uint32_t unseen_since, n_unseen;

/* That of a message that is made now; it is used up. */
static uint32_t
take_number(void)
{
    struct ofpbuf *message = ofputil_encode_barrier_request(OFP10_VERSION);
    uint32_t number = ntohl(xid_of(message));

    ofpbuf_delete(message);
    return number;
}

void
ofctl_begin_unseen(void)
{
    unseen_since = take_number();
}

void
ofctl_end_unseen(void)
{
    n_unseen += take_number() - unseen_since + 1;
}

struct ofpbuf *
ofctl_number(struct ofpbuf *message)
{
    struct ofp_header *header = message->data;

    header->xid = htonl(ntohl(header->xid) - n_unseen);
    return message;
}

/* ---- One message. ---- */

static void
check_talk(struct vconn *vconn, int error)
{
    if (error) {
        ovs_fatal(error, "talking to %s", vconn_get_name(vconn));
    }
}

void
ofctl_send(struct vconn *vconn, struct ofpbuf *request)
{
    int error = vconn_send_block(vconn, request);

    if (error) {
        ovs_fatal(error, "failed to send packet to switch");
    }
}

struct ofpbuf *
ofctl_receive(struct vconn *vconn)
{
    struct ofpbuf *message;
    int error = vconn_recv_block(vconn, &message);

    if (error) {
        ovs_fatal(error, "OpenFlow packet receive failed");
    }
    return message;
}

struct ofpbuf *
ofctl_transact(struct vconn *vconn, struct ofpbuf *request)
{
    struct ofpbuf *reply;

    check_talk(vconn, vconn_transact(vconn, request, &reply));
    return reply;
}

/* ---- Dumps. ---- */

static bool
has_more_parts(const struct ofpbuf *reply)
{
    return ofpmsg_is_stat_reply(reply->data) && ofpmp_more(reply->data);
}

void
ofctl_dump(struct ofctl *ofctl, const char *target, struct vconn *vconn, struct ofpbuf *request)
{
    ovs_be32 xid = xid_of(request);
    bool is_done = false;

    ofctl_send(vconn, request);
    while (!is_done) {
        struct ofpbuf *reply = ofctl_receive(vconn);
        if (xid_of(reply) == xid) {
            ofctl_print_message(ofctl, target, stdout, reply, 1);
            is_done = !has_more_parts(reply);
        } else {
            VLOG_DBG("received reply with xid %08x != expected %08x", ntohl(xid_of(reply)),
                     ntohl(xid));
        }
        ofpbuf_delete(reply);
    }
}

/* ---- Requests without an answer. ---- */

struct ofctl_pending
ofctl_begin_noreply(struct vconn *vconn, struct ofpbuf *request)
{
    struct ofpbuf *barrier = ofputil_encode_barrier_request(ofctl_version(vconn));
    struct ofctl_pending pending = {xid_of(request), xid_of(barrier)};

    check_talk(vconn, vconn_send_block(vconn, request));
    check_talk(vconn, vconn_send_block(vconn, barrier));
    return pending;
}

void
ofctl_finish_noreply(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                     const struct ofctl_pending *pending)
{
    struct ofpbuf *reply = NULL, *message;
    ovs_be32 xid;

    do {
        check_talk(vconn, vconn_recv_block(vconn, &message));
        xid = xid_of(message);
        if (xid == pending->xid) {
            ofpbuf_delete(reply);
            reply = message;
        } else {
            ofpbuf_delete(message);
        }
    } while (xid != pending->barrier_xid);
    if (reply) {
        ofctl_print_message(ofctl, target, stderr, reply, 2);
        exit(EXIT_FAILURE);
    }
}

void
ofctl_transact_noreply(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                       struct ofpbuf *request)
{
    struct ofctl_pending pending = ofctl_begin_noreply(vconn, request);

    ofctl_finish_noreply(ofctl, target, vconn, &pending);
}

void
ofctl_exit_on_error(struct ofctl *ofctl, const char *target, const struct ofpbuf *reply)
{
    enum ofptype type;

    if (!ofptype_decode(&type, reply->data) && type == OFPTYPE_ERROR) {
        ofctl_print_message(ofctl, target, stderr, reply, 2);
        exit(EXIT_FAILURE);
    }
}

void
ofctl_transact_list(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                    struct ovs_list *requests)
{
    struct ofpbuf *request;

    LIST_FOR_EACH_POP (request, list_node, requests) {
        ofpmsg_update_length(request);
        ofctl_transact_noreply(ofctl, target, vconn, request);
    }
}
