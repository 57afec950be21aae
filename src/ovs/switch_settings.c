/* SPDX-License-Identifier: Apache-2.0
 *
 * What a switch is set to beside its flows; see nwf/switch.h. */
#include <config.h>

#include "switch.h"

#include <errno.h>
#include <string.h>

#include "openflow/nicira-ext.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"

int
nwf_switch_flush_zone(struct nwf_switch *sw, uint16_t zone, struct nwf_error *err)
{
    struct ofpbuf *msg = ofpraw_alloc(OFPRAW_NXT_CT_FLUSH_ZONE, sw->version, 0);
    struct nx_zone_id *body = ofpbuf_put_zeros(msg, sizeof *body);

    body->zone_id = htons(zone);
    nwf_switch_start_clock(sw);
    return nwf_switch_send(sw, msg, err);
}

int
nwf_switch_ask_frags(struct nwf_switch *sw, struct nwf_question *ret, struct nwf_error *err)
{
    return nwf_switch_ask(sw, ofpraw_alloc(OFPRAW_OFPT_GET_CONFIG_REQUEST, sw->version, 0), ret,
                          err);
}

int
nwf_switch_set_frags(struct nwf_switch *sw, struct nwf_question question, struct nwf_error *err)
{
    struct ofputil_switch_config config;
    struct ofpbuf *reply;

    nwf_switch_start_clock(sw);
    int r = nwf_switch_receive(sw, question.xid, &reply, err);
    if (r) {
        return r;
    }
    enum ofptype type;
    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_GET_CONFIG_REPLY) {
        ofpbuf_delete(reply);
        return nwf_switch_fail(sw, err, EPROTO, "reading the configuration");
    }
    ofputil_decode_get_config_reply(reply->data, &config);
    ofpbuf_delete(reply);
    if (config.frag == OFPUTIL_FRAG_NX_MATCH) {
        return 0;
    }
    config.frag = OFPUTIL_FRAG_NX_MATCH;
    r = nwf_switch_send(sw, ofputil_encode_set_config(&config, sw->version), err);
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

    return is == no_flood ? 0
                          : nwf_switch_send(sw, ofputil_encode_port_mod(&pm, sw->protocol), err);
}

static int
set_no_floods(struct nwf_switch *sw, const struct ofpbuf *reply,
              const enum nwf_no_flood wanted[0x10000], struct nwf_error *err)
{
    struct ofpbuf body = ofpbuf_const_initializer(reply->data, reply->size);
    struct ofputil_phy_port port;
    enum ofptype type;
    int r = 0, end = 0;

    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_PORT_DESC_STATS_REPLY) {
        return nwf_switch_fail(sw, err, EPROTO, "reading ports");
    }
    ofpraw_pull_assert(&body);
    while (!r && !(end = ofputil_pull_phy_port(sw->version, &body, &port))) {
        uint32_t n = ofp_to_u16(port.port_no);
        if (n <= NWF_OFPORT_MAX && wanted[n] != NWF_NO_FLOOD_KEEP) {
            r = set_no_flood(sw, &port, wanted[n] == NWF_NO_FLOOD_SET, err);
        }
    }
    return r || end == EOF ? r : nwf_switch_fail(sw, err, EPROTO, "reading ports");
}

static int
open_for_floods(const char *bridge, unsigned int timeout_ms, struct nwf_switch **ret,
                struct nwf_error *err)
{
    int r = nwf_switch_open(bridge, 1u << OFP10_VERSION, timeout_ms, ret, err);

    if (r) {
        nwf_error_wrap(err, "a port's part in NORMAL's floods is set by OpenFlow 1.0");
    }
    return r;
}

int
nwf_switch_can_set_no_flood(const char *bridge, unsigned int timeout_ms, struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = NULL;

    return open_for_floods(bridge, timeout_ms, &sw, err);
}

int
nwf_switch_set_no_flood(const char *bridge, unsigned int timeout_ms,
                        const enum nwf_no_flood wanted[0x10000], struct nwf_error *err)
{
    struct nwf_switch *sw CLEANUP(nwf_switch_cleanup) = NULL;
    bool more = true;
    int r = open_for_floods(bridge, timeout_ms, &sw, err);

    if (r) {
        return r;
    }
    struct ofpbuf *request = ofputil_encode_port_desc_stats_request(sw->version, OFPP_ANY);
    ovs_be32 xid = ((struct ofp_header *) request->data)->xid;

    nwf_switch_start_clock(sw);
    r = nwf_switch_send(sw, request, err);
    while (!r && more) {
        struct ofpbuf *reply;

        if ((r = nwf_switch_receive(sw, xid, &reply, err))) {
            return r;
        }
        more = ofpmp_more(reply->data);
        r = set_no_floods(sw, reply, wanted, err);
        ofpbuf_delete(reply);
        if (!r && more) { /* Parts of an answer may come without end. */
            r = nwf_switch_check_clock(sw, err);
        }
    }
    return r ? r : nwf_switch_barrier(sw, err);
}
