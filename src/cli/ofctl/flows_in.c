/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a switch's flows.  The library's function of this kind makes one array of all, at
 * more than a kilobyte a flow, and most callers keep much less of each. */
#include <config.h>

#include "flows_in.h"

#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/vlog.h"

#include "lib/util.h"

#include <errno.h>

VLOG_DEFINE_THIS_MODULE(ofctl_flows_in);

static _Noreturn void
give_up(int error)
{
    ovs_fatal(error, "dump flows");
}

static struct ofpbuf *
receive_part(struct vconn *vconn, ovs_be32 xid)
{
    struct ofpbuf *reply;
    enum ofptype type;

    do {
        int error = vconn_recv_block(vconn, &reply);
        if (error) {
            give_up(error);
        }
    } while (((struct ofp_header *) reply->data)->xid != xid);

    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_FLOW_STATS_REPLY) {
        VLOG_WARN("received bad reply: %s", ofp_to_string(reply->data, reply->size, NULL, NULL, 1));
        give_up(EPROTO);
    }
    return reply;
}

static void
take_part(struct ofpbuf *reply, struct ofpbuf *actions, ofctl_flow_fn *take, void *aux)
{
    struct ofputil_flow_stats flow;
    int r;

    while (!(r = ofputil_decode_flow_stats_reply(&flow, reply, false, actions))) {
        take(&flow, aux);
    }
    if (r != EOF) {
        VLOG_WARN("parse error in reply (%s)", ofperr_to_string((enum ofperr) r));
        give_up(EPROTO);
    }
}

void
ofctl_read_flows(struct vconn *vconn, const struct ofputil_flow_stats_request *request,
                 enum ofputil_protocol protocol, ofctl_flow_fn *take, void *aux)
{
    struct ofpbuf *message = ofputil_encode_flow_stats_request(request, protocol);
    ovs_be32 xid = ((struct ofp_header *) message->data)->xid;
    struct ofpbuf actions;
    bool has_more;
    int error = vconn_send_block(vconn, message);

    if (error) {
        give_up(error);
    }
    ofpbuf_init(&actions, 0);
    do {
        struct ofpbuf *reply = receive_part(vconn, xid);
        take_part(reply, &actions, take, aux);
        has_more = ofpmp_more(reply->header);
        ofpbuf_delete(reply);
    } while (has_more);
    ofpbuf_uninit(&actions);
}
