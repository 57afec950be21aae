/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenFlow over a vconn; see nwf/switch.h. */
#include <config.h>

#include "nwf/switch.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "openflow/nicira-ext.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vconn.h"

#include "lib/dirs.h"
#include "lib/byte-order.h"
#include "lib/flow.h"
#include "lib/socket-util.h"
#include "lib/timeval.h"
#include "lib/util.h"

_Static_assert(NWF_OPENFLOW_VERSIONS
                   == (1u << OFP13_VERSION | 1u << OFP14_VERSION | 1u << OFP15_VERSION),
               "OpenFlow 1.3 to 1.5");

/* Flows that a dump may hold: a limit on what the other side makes us keep. */
#define FLOWS_MAX 4000000

struct nwf_switch {
    struct vconn *vconn;
    char *bridge;
    unsigned int timeout_ms;
    long long int deadline;
    enum ofp_version version;
    enum ofputil_protocol protocol;
    const struct nwf_changes *in_flight; /* The bundle being sent, for errors: */
    uint32_t first_xid;                  /* the xid of its first change. */
    ovs_be32 open_xid;                   /* That of the request to open it, and */
    struct ofpbuf *opened;               /* its answer, if it came while others were sent. */
};

static int
fail(const struct nwf_switch *sw, struct nwf_error *err, int code, const char *what)
{
    /* EOF is negative, and would make a positive number: no error to our callers. */
    return nwf_error_set(err, code == EOF ? -EPIPE : -code, "bridge %s: %s: %s", sw->bridge, what,
                         code == EOF ? "connection closed" : ovs_retval_to_string(code));
}

static void
start_clock(struct nwf_switch *sw)
{
    sw->deadline = time_msec() + sw->timeout_ms;
}

static int
check_clock(struct nwf_switch *sw, struct nwf_error *err)
{
    return time_msec() >= sw->deadline ? fail(sw, err, ETIMEDOUT, "the switch does not answer") : 0;
}

/* Sleeps until the connection is ready for 'wait', or the time is up. */
static int
wait_for(struct nwf_switch *sw, enum vconn_wait_type wait, struct nwf_error *err)
{
    int r = check_clock(sw, err);

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
    if (r) {
        return fail(sw, err, r, name);
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
        return fail(sw, err, r, "receiving");
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

static int
send_message(struct nwf_switch *sw, struct ofpbuf *msg, struct nwf_error *err)
{
    for (;;) {
        struct ofpbuf *reply;
        int r = vconn_send(sw->vconn, msg);
        if (!r) {
            return 0;
        }
        if (r != EAGAIN) {
            ofpbuf_delete(msg);
            return fail(sw, err, r, "sending");
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
static int
receive_reply(struct nwf_switch *sw, ovs_be32 xid, struct ofpbuf **ret, struct nwf_error *err)
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
            r = msg ? check_clock(sw, err) : wait_for(sw, WAIT_RECV, err);
        }
        ofpbuf_delete(msg);
        if (r) {
            return r;
        }
    }
}

static int
ask(struct nwf_switch *sw, struct ofpbuf *request, struct nwf_question *ret, struct nwf_error *err)
{
    ret->xid = ((struct ofp_header *) request->data)->xid;
    start_clock(sw);
    return send_message(sw, request, err);
}

static int
transact(struct nwf_switch *sw, struct ofpbuf *request, struct ofpbuf **ret, struct nwf_error *err)
{
    struct nwf_question question;
    int r = ask(sw, request, &question, err);

    return r ? r : receive_reply(sw, question.xid, ret, err);
}

int
nwf_switch_barrier(struct nwf_switch *sw, struct nwf_error *err)
{
    struct ofpbuf *reply;

    int r = transact(sw, ofputil_encode_barrier_request(sw->version), &reply, err);
    if (!r) {
        ofpbuf_delete(reply);
    }
    return r;
}

/* ---- Dumping. ---- */

static int
add_flows(struct nwf_switch *sw, struct ofpbuf *msg, struct nwf_flow_set *set,
          struct nwf_error *err)
{
    uint64_t stub[256];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_stats fs;
    int r;

    while (!(r = ofputil_decode_flow_stats_reply(&fs, msg, false, &ofpacts))) {
        if (nwf_flow_set_count(set) >= FLOWS_MAX) {
            r = E2BIG;
            break;
        }
        struct nwf_flow *flow = nwf_flow_set_add(set, fs.table_id, fs.priority, ntohll(fs.cookie),
                                                 &fs.match, fs.ofpacts, fs.ofpacts_len);
        flow->n_packets = fs.packet_count == UINT64_MAX ? 0 : fs.packet_count;
    }
    ofpbuf_uninit(&ofpacts);
    return r == EOF ? 0 : fail(sw, err, r, "reading flows");
}

static struct ofpbuf *
flows_request(const struct nwf_switch *sw, bool aggregate, uint64_t cookie, uint64_t mask)
{
    struct ofputil_flow_stats_request request = {
        .aggregate = aggregate,
        .cookie = htonll(cookie),
        .cookie_mask = htonll(mask),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = OFPTT_ALL,
    };

    match_init_catchall(&request.match);
    return ofputil_encode_flow_stats_request(&request, sw->protocol);
}

int
nwf_switch_count(struct nwf_switch *sw, uint64_t cookie, uint64_t mask, uint64_t *ret_count,
                 struct nwf_error *err)
{
    struct ofputil_aggregate_stats stats;
    struct ofpbuf *reply;
    enum ofptype type;

    int r = transact(sw, flows_request(sw, true, cookie, mask), &reply, err);
    if (r) {
        return r;
    }
    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_AGGREGATE_STATS_REPLY
        || ofputil_decode_aggregate_stats_reply(&stats, reply->data)) {
        r = fail(sw, err, EPROTO, "counting flows");
    } else {
        *ret_count = stats.flow_count;
    }
    ofpbuf_delete(reply);
    return r;
}

int
nwf_switch_ask_flows(struct nwf_switch *sw, uint64_t cookie, uint64_t mask,
                     struct nwf_question *ret, struct nwf_error *err)
{
    return ask(sw, flows_request(sw, false, cookie, mask), ret, err);
}

int
nwf_switch_take_flows(struct nwf_switch *sw, struct nwf_question question, struct nwf_flow_set *set,
                      struct nwf_error *err)
{
    bool more = true;
    int r = 0;

    start_clock(sw);
    while (!r && more) {
        struct ofpbuf *reply;
        enum ofptype type;

        if ((r = receive_reply(sw, question.xid, &reply, err))) {
            break;
        }
        if (ofptype_decode(&type, reply->data) || type != OFPTYPE_FLOW_STATS_REPLY) {
            r = fail(sw, err, EPROTO, "reading flows");
        } else {
            size_t n_before = nwf_flow_set_count(set);

            more = ofpmp_more(reply->data);
            r = add_flows(sw, reply, set, err);
            if (nwf_flow_set_count(set) > n_before) {
                start_clock(sw); /* Long dumps are fine as long as they go on. */
            } else if (!r && more) {
                r = check_clock(sw, err);
            }
        }
        ofpbuf_delete(reply);
    }
    return r;
}

int
nwf_switch_dump(struct nwf_switch *sw, uint64_t cookie, uint64_t mask, struct nwf_flow_set *set,
                struct nwf_error *err)
{
    struct nwf_question question;
    int r = nwf_switch_ask_flows(sw, cookie, mask, &question, err);

    return r ? r : nwf_switch_take_flows(sw, question, set, err);
}

/* ---- Changing flows. ---- */

static struct ofpbuf *
bundle_control(const struct nwf_switch *sw, uint16_t type)
{
    struct ofputil_bundle_ctrl_msg control = {
        .bundle_id = 1,
        .type = type,
        .flags = OFPBF_ORDERED | OFPBF_ATOMIC,
    };

    return ofputil_encode_bundle_ctrl_request(sw->version, &control);
}

/* The answer is left for bundle_commit(): there is no need to wait for it twice. */
static int
bundle_open(struct nwf_switch *sw, struct nwf_error *err)
{
    struct nwf_question question;
    int r = ask(sw, bundle_control(sw, OFPBCT_OPEN_REQUEST), &question, err);

    sw->open_xid = question.xid;
    return r;
}

/* Nothing else says that the switch has done it. */
static int
check_bundle_reply(struct nwf_switch *sw, const struct ofpbuf *reply, uint16_t type,
                   const char *what, struct nwf_error *err)
{
    struct ofputil_bundle_ctrl_msg answer;
    enum ofptype decoded;

    return ofptype_decode(&decoded, reply->data) || decoded != OFPTYPE_BUNDLE_CONTROL
                   || ofputil_decode_bundle_ctrl(reply->data, &answer) || answer.type != type
               ? fail(sw, err, EPROTO, what)
               : 0;
}

static int
bundle_ask_commit(struct nwf_switch *sw, struct nwf_question *ret, struct nwf_error *err)
{
    return ask(sw, bundle_control(sw, OFPBCT_COMMIT_REQUEST), ret, err);
}

/* Waits until the bundle is committed. */
int
nwf_switch_take_done(struct nwf_switch *sw, struct nwf_question question, struct nwf_error *err)
{
    struct ofpbuf *opened = TAKE_PTR(sw->opened), *reply;
    int r = 0;

    start_clock(sw);
    if (!opened) {
        r = receive_reply(sw, sw->open_xid, &opened, err);
    }
    if (!r) {
        r = check_bundle_reply(sw, opened, OFPBCT_OPEN_REPLY, "opening a bundle", err);
        ofpbuf_delete(opened);
    }
    r = r ? r : receive_reply(sw, question.xid, &reply, err);
    if (!r) {
        r = check_bundle_reply(sw, reply, OFPBCT_COMMIT_REPLY, "the bundle", err);
        ofpbuf_delete(reply);
    }
    return r;
}

static int
bundle_commit(struct nwf_switch *sw, struct nwf_error *err)
{
    struct nwf_question question;
    int r = bundle_ask_commit(sw, &question, err);

    return r ? r : nwf_switch_take_done(sw, question, err);
}

static int
bundle_add(struct nwf_switch *sw, const struct ofputil_flow_mod *fm, uint32_t xid,
           struct nwf_error *err)
{
    struct ofpbuf *inner = ofputil_encode_flow_mod(fm, sw->protocol);

    ((struct ofp_header *) inner->data)->xid = htonl(xid);
    struct ofputil_bundle_add_msg add = {
        .bundle_id = 1,
        .flags = OFPBF_ORDERED | OFPBF_ATOMIC,
        .msg = inner->data,
    };
    struct ofpbuf *outer = ofputil_encode_bundle_add(sw->version, &add);
    ofpbuf_delete(inner);
    return send_message(sw, outer, err);
}

static void
change_to_flow_mod(const struct nwf_change *change, struct ofputil_flow_mod *fm)
{
    const struct nwf_flow *flow = change->flow;
    bool delete = change->kind == NWF_CHANGE_DELETE;

    *fm = (struct ofputil_flow_mod){
        .match = flow->match, /* Borrowed. */
        .priority = flow->priority,
        .cookie = delete ? htonll(flow->cookie) : htonll(0),
        .cookie_mask = delete ? OVS_BE64_MAX : htonll(0),
        .new_cookie = delete ? OVS_BE64_MAX : htonll(flow->cookie),
        .table_id = flow->table,
        .command = delete ? OFPFC_DELETE_STRICT : OFPFC_ADD,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .ofpacts = delete ? NULL : flow->ofpacts,
        .ofpacts_len = delete ? 0 : flow->ofpacts_len,
    };
}

int
nwf_switch_apply(struct nwf_switch *sw, const struct nwf_changes *changes, struct nwf_error *err)
{
    if (!changes->n) {
        return 0;
    }
    start_clock(sw);
    int r = bundle_open(sw, err);

    sw->in_flight = changes;
    sw->first_xid = 0x40000000;
    for (size_t i = 0; !r && i < changes->n; i++) {
        struct ofputil_flow_mod fm;

        change_to_flow_mod(&changes->data[i], &fm);
        r = bundle_add(sw, &fm, sw->first_xid + (uint32_t) i, err);
        if (!(i % 1024)) {
            start_clock(sw);
        }
    }
    if (!r) {
        start_clock(sw);
        r = bundle_commit(sw, err);
    }
    sw->in_flight = NULL;
    return r;
}

int
nwf_switch_ask_delete(struct nwf_switch *sw, uint64_t cookie, uint64_t mask,
                      struct nwf_question *ret, struct nwf_error *err)
{
    struct ofputil_flow_mod fm = {
        .cookie = htonll(cookie),
        .cookie_mask = htonll(mask),
        .new_cookie = OVS_BE64_MAX,
        .table_id = OFPTT_ALL,
        .command = OFPFC_DELETE,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };

    start_clock(sw);
    minimatch_init_catchall(&fm.match);
    int r = bundle_open(sw, err);
    if (!r) {
        r = bundle_add(sw, &fm, 0x40000000, err);
    }
    if (!r) {
        r = bundle_ask_commit(sw, ret, err);
    }
    minimatch_destroy(&fm.match);
    return r;
}

int
nwf_switch_delete(struct nwf_switch *sw, uint64_t cookie, uint64_t mask, struct nwf_error *err)
{
    struct nwf_question question;
    int r = nwf_switch_ask_delete(sw, cookie, mask, &question, err);

    return r ? r : nwf_switch_take_done(sw, question, err);
}

/* ---- Settings. ---- */

int
nwf_switch_flush_zone(struct nwf_switch *sw, uint16_t zone, struct nwf_error *err)
{
    struct ofpbuf *msg = ofpraw_alloc(OFPRAW_NXT_CT_FLUSH_ZONE, sw->version, 0);
    struct nx_zone_id *body = ofpbuf_put_zeros(msg, sizeof *body);

    body->zone_id = htons(zone);
    start_clock(sw);
    int r = send_message(sw, msg, err);
    return r ? r : nwf_switch_barrier(sw, err);
}

int
nwf_switch_ask_frags(struct nwf_switch *sw, struct nwf_question *ret, struct nwf_error *err)
{
    return ask(sw, ofpraw_alloc(OFPRAW_OFPT_GET_CONFIG_REQUEST, sw->version, 0), ret, err);
}

int
nwf_switch_set_frags(struct nwf_switch *sw, struct nwf_question question, struct nwf_error *err)
{
    struct ofputil_switch_config config;
    struct ofpbuf *reply;

    start_clock(sw);
    int r = receive_reply(sw, question.xid, &reply, err);
    if (r) {
        return r;
    }
    enum ofptype type;
    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_GET_CONFIG_REPLY) {
        ofpbuf_delete(reply);
        return fail(sw, err, EPROTO, "reading the configuration");
    }
    ofputil_decode_get_config_reply(reply->data, &config);
    ofpbuf_delete(reply);
    if (config.frag == OFPUTIL_FRAG_NX_MATCH) {
        return 0;
    }
    config.frag = OFPUTIL_FRAG_NX_MATCH;
    r = send_message(sw, ofputil_encode_set_config(&config, sw->version), err);
    return r ? r : nwf_switch_barrier(sw, err);
}

static int
set_no_flood(struct nwf_switch *sw, const struct ofputil_phy_port *port, bool no_flood,
             struct nwf_error *err)
{
    struct ofputil_port_mod pm = {
        .port_no = port->port_no,
        .hw_addr = port->hw_addr,
        .config = no_flood ? OFPUTIL_PC_NO_FLOOD : 0,
        .mask = OFPUTIL_PC_NO_FLOOD,
    };
    bool is = (port->config & OFPUTIL_PC_NO_FLOOD) != 0;

    return is == no_flood ? 0 : send_message(sw, ofputil_encode_port_mod(&pm, sw->protocol), err);
}

static int
set_no_floods(struct nwf_switch *sw, const struct ofpbuf *reply, const bool no_flood[0x10000],
              struct nwf_error *err)
{
    struct ofpbuf body = ofpbuf_const_initializer(reply->data, reply->size);
    struct ofputil_phy_port port;
    enum ofptype type;
    int r = 0;

    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_PORT_DESC_STATS_REPLY) {
        return fail(sw, err, EPROTO, "reading ports");
    }
    ofpraw_pull_assert(&body);
    while (!r && !ofputil_pull_phy_port(sw->version, &body, &port)) {
        uint32_t n = ofp_to_u16(port.port_no);
        if (n <= NWF_OFPORT_MAX) {
            r = set_no_flood(sw, &port, no_flood[n], err);
        }
    }
    return r;
}

int
nwf_switch_set_no_flood(const char *bridge, unsigned int timeout_ms, const bool no_flood[0x10000],
                        struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = NULL;
    bool more = true;
    int r = nwf_switch_open(bridge, 1u << OFP10_VERSION, timeout_ms, &sw, err);

    if (r) {
        nwf_error_wrap(err, "keeping guests out of NORMAL's floods needs OpenFlow 1.0");
        return r;
    }
    struct ofpbuf *request = ofputil_encode_port_desc_stats_request(sw->version, OFPP_ANY);
    ovs_be32 xid = ((struct ofp_header *) request->data)->xid;

    start_clock(sw);
    r = send_message(sw, request, err);
    while (!r && more) {
        struct ofpbuf *reply;

        if ((r = receive_reply(sw, xid, &reply, err))) {
            return r;
        }
        more = ofpmp_more(reply->data);
        r = set_no_floods(sw, reply, no_flood, err);
        ofpbuf_delete(reply);
    }
    return r ? r : nwf_switch_barrier(sw, err);
}
