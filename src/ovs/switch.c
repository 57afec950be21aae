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

/* Sleeps until a message is there, or one can be sent if 'to_send', or the time is up. */
static int
wait_for(struct nwf_switch *sw, bool to_send, struct nwf_error *err)
{
    int r = nwf_switch_check_clock(sw, err);

    if (r) {
        return r;
    }
    vconn_run_wait(sw->vconn);
    vconn_wait(sw->vconn, WAIT_RECV);
    if (to_send) {
        vconn_wait(sw->vconn, WAIT_SEND);
    }
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
    nwf_vec_clear(&sw->refusals);
    free(sw->bridge);
    free(sw);
}

/* ---- Messages. ---- */

/* Whether the error is about a bundle and not about a message in it, whichever of them it
 * answers: "timeout" answers the one that opened the bundle, which an addition does too. */
static bool
is_about_bundle(enum ofperr code)
{
    return code >= OFPERR_OFPBFC_UNKNOWN && code <= OFPERR_OFPBFC_BAD_VERSION;
}

/* Whether the error refuses a change of the bundle that is being sent, which is noted.  No
 * honest switch says more than one thing of each. */
static bool
note_refusal(struct nwf_switch *sw, ovs_be32 xid, enum ofperr code)
{
    uint32_t i = ntohl(xid) - NWF_FIRST_XID;

    if (!sw->in_flight || i >= sw->in_flight->n || is_about_bundle(code)
        || sw->refusals.n >= sw->in_flight->n) {
        return false;
    }
    nwf_vec_push(&sw->refusals, (struct nwf_refusal){i, (int) code});
    return true;
}

static const char *
code_to_string(int code)
{
    return code ? ofperr_to_string((enum ofperr) code) : "unknown error";
}

char *
nwf_refusal_text(const struct nwf_refusal *refusal, const struct nwf_changes *changes)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "the switch refuses: %s: ", code_to_string(refusal->code));
    nwf_flow_format(changes->data[refusal->index].flow, &s);
    return ds_steal_cstr(&s);
}

static int
take_error(struct nwf_switch *sw, const struct ofp_header *oh, struct nwf_error *err)
{
    enum ofperr code = ofperr_decode_msg(oh, NULL);

    return note_refusal(sw, oh->xid, code)
               ? 0
               : nwf_error_set(err, -EREMOTEIO, "bridge %s: the switch refuses: %s", sw->bridge,
                               code_to_string((int) code));
}

/* Receives a message if one is there (*ret_msg NULL if not).  Echo requests are
 * answered by the vconn; an error message from the switch is an error, unless it refuses a
 * part of a bundle, which waits for all that is to be said of the bundle. */
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
        r = take_error(sw, (*ret_msg)->data, err);
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
        /* The switch may read nothing until we have read its answers. */
        if (!(r = try_receive(sw, &reply, err))) {
            take_early(sw, reply);
            r = wait_for(sw, true, err);
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
            r = msg ? nwf_switch_check_clock(sw, err) : wait_for(sw, false, err);
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
nwf_switch_ask_barrier(struct nwf_switch *sw, struct nwf_question *ret, struct nwf_error *err)
{
    return nwf_switch_ask(sw, ofputil_encode_barrier_request(sw->version), ret, err);
}

int
nwf_switch_take_barrier(struct nwf_switch *sw, struct nwf_question question, struct nwf_error *err)
{
    struct ofpbuf *reply CLEANUP(nwf_ofpbuf_cleanup) = NULL;
    enum ofptype type;
    int r = nwf_switch_receive(sw, question.xid, &reply, err);

    if (r) {
        return r;
    }
    return ofptype_decode(&type, reply->data) || type != OFPTYPE_BARRIER_REPLY
               ? nwf_switch_fail(sw, err, EPROTO, "a barrier")
               : 0;
}

int
nwf_switch_barrier(struct nwf_switch *sw, struct nwf_error *err)
{
    struct nwf_question question;
    int r = nwf_switch_ask_barrier(sw, &question, err);

    return r ? r : nwf_switch_take_barrier(sw, question, err);
}
