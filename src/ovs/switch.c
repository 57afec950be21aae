/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenFlow over a vconn; see nwf/switch.h.  Connecting and messages. */
#include <config.h>

#include "switch.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"

#include "lib/dirs.h"
#include "lib/byte-order.h"
#include "lib/socket-util.h"
#include "lib/timeval.h"
#include "lib/util.h"

_Static_assert(NWF_OPENFLOW_VERSIONS
                   == (1u << OFP13_VERSION | 1u << OFP14_VERSION | 1u << OFP15_VERSION),
               "OpenFlow 1.3 to 1.5");

int
nwf_switch_fail(const struct nwf_switch *sw, struct nwf_error *err, int code, const char *what)
{
    /* EOF is negative, and would make a positive number: no error to our callers. */
    return nwf_error_set(err, code == EOF ? -EPIPE : -code, "bridge %s: %s: %s", sw->bridge, what,
                         code == EOF ? "connection closed" : ovs_retval_to_string(code));
}

void
nwf_switch_start_clock(struct nwf_switch *sw)
{
    sw->deadline = time_msec() + sw->timeout_ms;
}

int
nwf_switch_check_clock(struct nwf_switch *sw, struct nwf_error *err)
{
    return time_msec() >= sw->deadline
               ? nwf_switch_fail(sw, err, ETIMEDOUT, "the switch does not answer")
               : 0;
}

/* Sleeps until the connection is ready for 'wait', or the time is up. */
static int
wait_for(struct nwf_switch *sw, enum vconn_wait_type wait, struct nwf_error *err)
{
    int r = nwf_switch_check_clock(sw, err);

    if (r) {
        return r;
    }
    vconn_run_wait(sw->vconn);
    vconn_wait(sw->vconn, wait);
    poll_timer_wait_until(sw->deadline);
    poll_block();
    return 0;
}

/* ---- Connecting. ---- */

int
nwf_switch_open(const char *bridge, uint32_t versions, unsigned int timeout_ms,
                struct nwf_switch **ret, struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = nwf_zalloc(sizeof *sw);
    char *name CLEANUP_FREE = nwf_asprintf("unix:%s/%s.mgmt", ovs_rundir(), bridge);

    sw->bridge = nwf_strdup(bridge);
    sw->timeout_ms = timeout_ms;
    int r = vconn_open(name, versions, DSCP_DEFAULT, &sw->vconn);
    if (!r) {
        r = vconn_connect_block(sw->vconn, timeout_ms);
    }
    if (r == EPROTO) {
        return nwf_error_set(err, -r, "bridge %s: allows none of the OpenFlow versions asked for",
                             bridge);
    }
    if (r == EPIPE || r == ECONNRESET || r == EOF) { /* Before its word of it was read. */
        return nwf_error_set(err, -EPROTO,
                             "bridge %s: closed the connection; it may allow none of the OpenFlow "
                             "versions asked for",
                             bridge);
    }
    if (r) {
        return nwf_switch_fail(sw, err, r, name);
    }
    sw->version = vconn_get_version(sw->vconn);
    sw->protocol = ofputil_protocol_from_ofp_version(sw->version);
    *ret = TAKE_PTR(sw);
    return 0;
}

void
nwf_switch_close(struct nwf_switch *sw)
{
    if (sw->vconn) {
        vconn_close(sw->vconn);
    }
    ofpbuf_delete(sw->opened);
    free(sw->bridge);
    free(sw);
}

/* ---- Messages. ---- */

/* The flow that an error answers, in words; "" if it is none of a bundle's. */
static void
put_offender(const struct nwf_switch *sw, ovs_be32 xid, struct ds *s)
{
    uint32_t i = ntohl(xid) - sw->first_xid;

    if (sw->in_flight && i < sw->in_flight->n) {
        ds_put_cstr(s, ": ");
        nwf_flow_format(sw->in_flight->data[i].flow, s);
    }
}

static int
report_error(struct nwf_switch *sw, const struct ofp_header *oh, struct nwf_error *err)
{
    struct ds offender = DS_EMPTY_INITIALIZER;
    enum ofperr code = ofperr_decode_msg(oh, NULL);

    put_offender(sw, oh->xid, &offender);
    int r = nwf_error_set(err, -EREMOTEIO, "bridge %s: the switch refuses: %s%s", sw->bridge,
                          code ? ofperr_to_string(code) : "unknown error", ds_cstr(&offender));
    ds_destroy(&offender);
    return r;
}

/* Receives a message if one is there (*ret_msg NULL if not).  Echo requests are
 * answered by the vconn; an error message from the switch is an error. */
static int
try_receive(struct nwf_switch *sw, struct ofpbuf **ret_msg, struct nwf_error *err)
{
    enum ofptype type;

    *ret_msg = NULL;
    vconn_run(sw->vconn);
    int r = vconn_recv(sw->vconn, ret_msg);
    if (r == EAGAIN) {
        return 0;
    }
    if (r) {
        return nwf_switch_fail(sw, err, r, "receiving");
    }
    if (ofptype_decode(&type, (*ret_msg)->data)) {
        type = OFPTYPE_HELLO; /* Something that nobody here waits for. */
    }
    if (type == OFPTYPE_ERROR) {
        r = report_error(sw, (*ret_msg)->data, err);
        ofpbuf_delete(*ret_msg);
        *ret_msg = NULL;
    }
    return r;
}

/* Takes a message that came while another was to be sent. */
static void
take_early(struct nwf_switch *sw, struct ofpbuf *msg)
{
    if (msg && ((struct ofp_header *) msg->data)->xid == sw->open_xid && !sw->opened) {
        sw->opened = msg;
    } else {
        ofpbuf_delete(msg);
    }
}

int
nwf_switch_send(struct nwf_switch *sw, struct ofpbuf *msg, struct nwf_error *err)
{
    for (;;) {
        struct ofpbuf *reply;
        int r = vconn_send(sw->vconn, msg);
        if (!r) {
            return 0;
        }
        if (r != EAGAIN) {
            ofpbuf_delete(msg);
            return nwf_switch_fail(sw, err, r, "sending");
        }
        /* The switch may wait for us to read its answers. */
        if (!(r = try_receive(sw, &reply, err))) {
            take_early(sw, reply);
            r = wait_for(sw, WAIT_SEND, err);
        }
        if (r) {
            ofpbuf_delete(msg);
            return r;
        }
    }
}

/* Waits for the answer to 'xid'; the caller frees it. */
int
nwf_switch_receive(struct nwf_switch *sw, ovs_be32 xid, struct ofpbuf **ret, struct nwf_error *err)
{
    for (;;) {
        struct ofpbuf *msg;
        int r = try_receive(sw, &msg, err);
        if (!r && msg && ((struct ofp_header *) msg->data)->xid == xid) {
            *ret = msg;
            return 0;
        }
        if (!r) {
            /* What is no answer may come without end. */
            r = msg ? nwf_switch_check_clock(sw, err) : wait_for(sw, WAIT_RECV, err);
        }
        ofpbuf_delete(msg);
        if (r) {
            return r;
        }
    }
}

int
nwf_switch_ask(struct nwf_switch *sw, struct ofpbuf *request, struct nwf_question *ret,
               struct nwf_error *err)
{
    ret->xid = ((struct ofp_header *) request->data)->xid;
    nwf_switch_start_clock(sw);
    return nwf_switch_send(sw, request, err);
}

int
nwf_switch_transact(struct nwf_switch *sw, struct ofpbuf *request, struct ofpbuf **ret,
                    struct nwf_error *err)
{
    struct nwf_question question;
    int r = nwf_switch_ask(sw, request, &question, err);

    return r ? r : nwf_switch_receive(sw, question.xid, ret, err);
}

int
nwf_switch_barrier(struct nwf_switch *sw, struct nwf_error *err)
{
    struct ofpbuf *reply;

    int r = nwf_switch_transact(sw, ofputil_encode_barrier_request(sw->version), &reply, err);
    if (!r) {
        ofpbuf_delete(reply);
    }
    return r;
}
