/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a switch's flows.  The library's function of this kind makes one array of all, at
 * more than a kilobyte a flow, and most callers keep much less of each. */
#include <config.h>

#include "flows_in.h"

#include "openvswitch/ofp-errors.h"
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

    do {
        int error = vconn_recv_block(vconn, &reply);
        if (error) {
            give_up(error);
        }
    } while (((struct ofp_header *) reply->data)->xid != xid);
    return reply;
}

/* Returns whether other parts come. */
static bool
take_part(struct ofpbuf *part, nwf_take_flow_fn *take, void *aux)
{
    const struct ofpbuf whole = *part;
    bool has_more;
    int r = nwf_read_flows(part, false, take, aux, &has_more);

    if (r == EPROTO) {
        VLOG_WARN("received bad reply: %s", ofp_to_string(whole.data, whole.size, NULL, NULL, 1));
        give_up(EPROTO);
    }
    if (r) {
        VLOG_WARN("parse error in reply (%s)", ofperr_to_string((enum ofperr) r));
        give_up(EPROTO);
    }
    return has_more;
}

void
ofctl_read_flows(struct vconn *vconn, const struct ofputil_flow_stats_request *request,
                 enum ofputil_protocol protocol, nwf_take_flow_fn *take, void *aux)
{
    struct ofpbuf *message = ofputil_encode_flow_stats_request(request, protocol);
    ovs_be32 xid = ((struct ofp_header *) message->data)->xid;
    bool has_more;
    int error = vconn_send_block(vconn, message);

    if (error) {
        give_up(error);
    }
    do {
        struct ofpbuf *part = receive_part(vconn, xid);
        has_more = take_part(part, take, aux);
        ofpbuf_delete(part);
    } while (has_more);
}
