/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks over the ports and tables that a switch lists; see ports.h. */
#include <config.h>

#include "ports.h"

#include <arpa/inet.h>
#include <string.h>

#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-switch.h"

#include "lib/util.h"

static _Noreturn void
refuse_reply(const struct ofpbuf *reply)
{
    ovs_fatal(0, "received bad reply: %s", ofp_to_string(reply->data, reply->size, NULL, NULL, 2));
}

/* The next part of the answer, which has to be of that type. */
static struct ofpbuf *
receive_part(struct vconn *vconn, ovs_be32 xid, enum ofptype wanted)
{
    struct ofpbuf *reply;
    enum ofptype type;

    for (;;) {
        reply = ofctl_receive(vconn);
        if (((struct ofp_header *) reply->data)->xid == xid) {
            break;
        }
        ofpbuf_delete(reply);
    }
    if (ofptype_decode(&type, reply->data) || type != wanted) {
        refuse_reply(reply);
    }
    ofpraw_pull_assert(reply);
    return reply;
}

static ovs_be32
send_request(struct vconn *vconn, struct ofpbuf *request)
{
    ovs_be32 xid = ((struct ofp_header *) request->data)->xid;

    ofctl_send(vconn, request);
    return xid;
}

/* ---- Ports. ---- */

/* Up to OpenFlow 1.2 the ports come with the switch's features, as far as there is room. */
static bool
take_features(struct ofctl_port_walk *walk)
{
    struct ofpbuf *reply = ofctl_transact(
        walk->vconn, ofpraw_alloc(OFPRAW_OFPT_FEATURES_REQUEST, ofctl_version(walk->vconn), 0));
    struct ofputil_switch_features features;
    enum ofptype type;

    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_FEATURES_REPLY) {
        ovs_fatal(0, "%s: received bad features reply", vconn_get_name(walk->vconn));
    }
    if (!ofputil_switch_features_has_ports(reply)) {
        ofpbuf_delete(reply);
        return false;
    }

    enum ofperr error = ofputil_pull_switch_features(reply, &features);
    if (error) {
        ovs_fatal(0, "%s: failed to decode features reply (%s)", vconn_get_name(walk->vconn),
                  ofperr_to_string(error));
    }
    walk->reply = reply;
    return true;
}

void
ofctl_ports_begin(struct ofctl_port_walk *walk, struct vconn *vconn)
{
    *walk = (struct ofctl_port_walk){.vconn = vconn};
    if (ofctl_version(vconn) < OFP13_VERSION && take_features(walk)) {
        return;
    }
    walk->xid =
        send_request(vconn, ofputil_encode_port_desc_stats_request(ofctl_version(vconn), OFPP_ANY));
    walk->has_more = true;
}

static bool
next_message(struct ofctl_port_walk *walk)
{
    if (!walk->has_more) {
        return false;
    }
    ofpbuf_delete(walk->reply);
    walk->reply = receive_part(walk->vconn, walk->xid, OFPTYPE_PORT_DESC_STATS_REPLY);
    walk->has_more = ofpmp_more(walk->reply->header);
    return true;
}

bool
ofctl_ports_next(struct ofctl_port_walk *walk, struct ofputil_phy_port *port)
{
    for (;;) {
        int r = walk->reply ? ofputil_pull_phy_port(ofctl_version(walk->vconn), walk->reply, port)
                            : EOF;
        if (!r) {
            return true;
        }
        if (r != EOF) {
            ovs_fatal(0, "received bad reply: %s", ofperr_to_string((enum ofperr) r));
        }
        if (!next_message(walk)) {
            return false;
        }
    }
}

void
ofctl_ports_end(struct ofctl_port_walk *walk)
{
    while (next_message(walk)) {
        /* What is left is of no use, but may not be taken for another answer. */
    }
    ofpbuf_delete(walk->reply);
}

/* ---- Tables. ---- */

static struct ofpbuf *
encode_tables_request(enum ofctl_table_kind kind, enum ofp_version version)
{
    return kind == OFCTL_TABLE_DESC   ? ofputil_encode_table_desc_request(version)
           : version >= OFP13_VERSION ? ofputil_encode_table_features_request(version)
                                      : ofpraw_alloc(OFPRAW_OFPST_TABLE_REQUEST, version, 0);
}

void
ofctl_tables_begin_with(struct ofctl_table_walk *walk, struct vconn *vconn,
                        enum ofctl_table_kind kind, struct ofpbuf *request)
{
    memset(walk, 0, sizeof *walk);
    walk->vconn = vconn;
    walk->kind = kind;
    walk->xid = send_request(vconn, request);
    walk->has_more = true;
}

void
ofctl_tables_begin(struct ofctl_table_walk *walk, struct vconn *vconn, enum ofctl_table_kind kind)
{
    ofctl_tables_begin_with(walk, vconn, kind, encode_tables_request(kind, ofctl_version(vconn)));
}

static enum ofptype
reply_type(const struct ofctl_table_walk *walk)
{
    return walk->kind == OFCTL_TABLE_DESC                ? OFPTYPE_TABLE_DESC_REPLY
           : ofctl_version(walk->vconn) >= OFP13_VERSION ? OFPTYPE_TABLE_FEATURES_STATS_REPLY
                                                         : OFPTYPE_TABLE_STATS_REPLY;
}

static bool
next_tables(struct ofctl_table_walk *walk)
{
    if (!walk->has_more) {
        return false;
    }
    ofpbuf_delete(walk->reply);
    walk->reply = receive_part(walk->vconn, walk->xid, reply_type(walk));
    walk->has_more = ofpmp_more(walk->reply->header);
    return true;
}

static int
decode_table(struct ofctl_table_walk *walk)
{
    enum ofp_version version = ofctl_version(walk->vconn);
    struct ofputil_table_stats stats;

    if (!walk->reply) {
        return EOF;
    }
    return walk->kind == OFCTL_TABLE_DESC
               ? ofputil_decode_table_desc(walk->reply, &walk->desc, version)
           : version >= OFP13_VERSION
               ? ofputil_decode_table_features(walk->reply, &walk->features, &walk->raw_properties)
               : ofputil_decode_table_stats_reply(walk->reply, &stats, &walk->features);
}

static bool
next_table(struct ofctl_table_walk *walk)
{
    int r;

    while ((r = decode_table(walk)) == EOF) {
        if (!next_tables(walk)) {
            return false;
        }
    }
    if (r) {
        ovs_fatal(0, "decode error: %s", ofperr_get_name((enum ofperr) r));
    }
    return true;
}

const struct ofputil_table_features *
ofctl_tables_next(struct ofctl_table_walk *walk)
{
    return next_table(walk) ? &walk->features : NULL;
}

const struct ofputil_table_desc *
ofctl_tables_next_desc(struct ofctl_table_walk *walk)
{
    return next_table(walk) ? &walk->desc : NULL;
}

void
ofctl_tables_end(struct ofctl_table_walk *walk)
{
    while (next_tables(walk)) {
        /* As above. */
    }
    ofpbuf_delete(walk->reply);
}
