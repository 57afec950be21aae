/* SPDX-License-Identifier: Apache-2.0
 *
 * What a switch is set to beside its flows; see nwf/conn.h. */
#include <config.h>

#include "conn.h"

#include "nwf/compile.h"

#include <errno.h>
#include <string.h>

#include "openflow/nicira-ext.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"

#include "lib/util.h"

/* Ports that a switch may tell of: OpenFlow 1.0 has no more numbers. */
#define PORTS_MAX 0x10000

/* What was sent is done when the switch answers to a barrier behind it. */
static void
end_with_barrier(struct nwf_conn *conn)
{
    nwf_conn_ask_barrier(conn);
    conn->op = &nwf_conn_barrier_op;
}

/* ---- Conntrack zones. ---- */

static bool
fill_zones(struct nwf_conn *conn, size_t i)
{
    if (i == conn->n) {
        nwf_conn_ask_barrier(conn);
    } else if (i < conn->n) {
        struct ofpbuf *msg = ofpraw_alloc(OFPRAW_NXT_CT_FLUSH_ZONE, conn->version, 0);
        struct nx_zone_id *body = ofpbuf_put_zeros(msg, sizeof *body);

        body->zone_id = htons(conn->zones[i]);
        nwf_conn_send(conn, msg);
    }
    return i <= conn->n;
}

static int
take_zones(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    return nwf_conn_barrier_op.take(conn, msg, err);
}

static const struct nwf_conn_op zones_op = {.fill = fill_zones, .take = take_zones};

void
nwf_conn_flush_zones(struct nwf_conn *conn, const uint16_t *zones, size_t n)
{
    nwf_conn_begin(conn, &zones_op);
    conn->zones = zones;
    conn->n = n;
}

/* ---- Fragments. ---- */

static bool
fill_frags(struct nwf_conn *conn, size_t i)
{
    if (i) {
        return false;
    }
    nwf_conn_ask(conn, ofpraw_alloc(OFPRAW_OFPT_GET_CONFIG_REQUEST, conn->version, 0));
    return true;
}

static int
take_frags(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    struct ofputil_switch_config config;
    enum ofptype type;

    if (ofptype_decode(&type, msg->data) || type != OFPTYPE_GET_CONFIG_REPLY) {
        return nwf_conn_fail(conn, err, EPROTO, "reading the configuration");
    }
    ofputil_decode_get_config_reply(msg->data, &config);
    if (config.frag == OFPUTIL_FRAG_NX_MATCH) {
        nwf_conn_end(conn);
        return 0;
    }
    config.frag = OFPUTIL_FRAG_NX_MATCH;
    nwf_conn_send(conn, ofputil_encode_set_config(&config, conn->version));
    end_with_barrier(conn);
    return 0;
}

static const struct nwf_conn_op frags_op = {.fill = fill_frags, .take = take_frags};

void
nwf_conn_set_frags(struct nwf_conn *conn)
{
    nwf_conn_begin(conn, &frags_op);
}

void
nwf_conn_send_frags(struct nwf_conn *conn)
{
    const struct ofputil_switch_config config = {.frag = OFPUTIL_FRAG_NX_MATCH};

    nwf_conn_send(conn, ofputil_encode_set_config(&config, conn->version));
}

/* ---- Ports' part in floods. ---- */

static bool
fill_no_flood(struct nwf_conn *conn, size_t i)
{
    if (i) {
        return false;
    }
    nwf_conn_ask(conn, ofputil_encode_port_desc_stats_request(conn->version, OFPP_ANY));
    return true;
}

static void
set_no_flood(struct nwf_conn *conn, const struct ofputil_phy_port *port, bool no_flood)
{
    const struct ofputil_port_mod pm = {
        .port_no = port->port_no,
        .hw_addr = port->hw_addr,
        .config = no_flood ? OFPUTIL_PC_NO_FLOOD : 0,
        .mask = OFPUTIL_PC_NO_FLOOD,
    };
    const bool is = (port->config & OFPUTIL_PC_NO_FLOOD) != 0;

    if (is != no_flood) {
        nwf_conn_send(conn, ofputil_encode_port_mod(&pm, conn->protocol));
    }
}

/* Sends what differs from conn->wanted in a part of the answer. */
static int
set_no_floods(struct nwf_conn *conn, const struct ofpbuf *msg, struct nwf_error *err)
{
    struct ofpbuf body = ofpbuf_const_initializer(msg->data, msg->size);
    struct ofputil_phy_port port;
    int end;

    ofpraw_pull_assert(&body);
    while (!(end = ofputil_pull_phy_port(conn->version, &body, &port))) {
        const uint32_t number = ofp_to_u16(port.port_no);

        if (++conn->n_ports > PORTS_MAX) {
            return nwf_conn_fail(conn, err, E2BIG, "reading ports");
        }
        if (number <= NWF_OFPORT_MAX && conn->wanted[number] != NWF_NO_FLOOD_KEEP) {
            set_no_flood(conn, &port, conn->wanted[number] == NWF_NO_FLOOD_SET);
        }
    }
    return end == EOF ? 0 : nwf_conn_fail(conn, err, EPROTO, "reading ports");
}

static int
take_no_flood(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    enum ofptype type;

    if (ofptype_decode(&type, msg->data) || type != OFPTYPE_PORT_DESC_STATS_REPLY) {
        return nwf_conn_fail(conn, err, EPROTO, "reading ports");
    }
    int r = set_no_floods(conn, msg, err);
    if (!r && !ofpmp_more(msg->data)) {
        end_with_barrier(conn);
    }
    return r; /* Parts may come without end: they do not restart the clock. */
}

static const struct nwf_conn_op no_flood_op = {.fill = fill_no_flood, .take = take_no_flood};

void
nwf_conn_set_no_flood(struct nwf_conn *conn, const enum nwf_no_flood wanted[0x10000])
{
    ovs_assert(conn->versions == 1u << OFP10_VERSION);
    nwf_conn_begin(conn, &no_flood_op);
    conn->wanted = wanted;
    conn->n_ports = 0;
}
