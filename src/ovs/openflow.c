/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of conversations with a switch; see nwf/openflow.h. */
#include <config.h>

#include "nwf/openflow.h"

#include <errno.h>

#include "nwf/text.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-msgs.h"

#include "lib/byte-order.h"
#include "lib/dirs.h"

#define FLAGS (OFPBF_ORDERED | OFPBF_ATOMIC)

char *
nwf_bridge_socket(const char *bridge, const char *kind)
{
    return nwf_asprintf("unix:%s/%s.%s", ovs_rundir(), bridge, kind);
}

void
nwf_flows_request_init(struct ofputil_flow_stats_request *request, uint8_t table, uint64_t cookie,
                       uint64_t mask)
{
    *request = (struct ofputil_flow_stats_request){
        .cookie = htonll(cookie),
        .cookie_mask = htonll(mask),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = table,
    };
    match_init_catchall(&request->match);
}

int
nwf_read_flows(struct ofpbuf *part, bool ages, nwf_take_flow_fn *take, void *aux, bool *ret_more)
{
    uint64_t stub[256];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_stats flow;
    enum ofptype type;
    int r;

    if (ofptype_decode(&type, part->data) || type != OFPTYPE_FLOW_STATS_REPLY) {
        return EPROTO;
    }
    *ret_more = ofpmp_more(part->data);
    while (!(r = ofputil_decode_flow_stats_reply(&flow, part, ages, &ofpacts))
           && !(r = take(&flow, aux))) {
    }
    ofpbuf_uninit(&ofpacts);
    return r == EOF ? 0 : r;
}

struct ofpbuf *
nwf_bundle_control(enum ofp_version version, uint32_t id, uint16_t type)
{
    struct ofputil_bundle_ctrl_msg control = {.bundle_id = id, .type = type, .flags = FLAGS};

    return ofputil_encode_bundle_ctrl_request(version, &control);
}

struct ofpbuf *
nwf_bundle_add(enum ofp_version version, uint32_t id, struct ofpbuf *change)
{
    struct ofputil_bundle_add_msg add = {.bundle_id = id, .flags = FLAGS, .msg = change->data};
    struct ofpbuf *msg = ofputil_encode_bundle_add(version, &add);

    ofpbuf_delete(change);
    return msg;
}

bool
nwf_is_bundle_reply(const struct ofpbuf *msg, uint32_t id, uint16_t type)
{
    struct ofputil_bundle_ctrl_msg reply;
    enum ofptype decoded;

    return !ofptype_decode(&decoded, msg->data) && decoded == OFPTYPE_BUNDLE_CONTROL
           && !ofputil_decode_bundle_ctrl(msg->data, &reply) && reply.bundle_id == id
           && reply.type == type;
}
