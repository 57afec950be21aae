/* SPDX-License-Identifier: Apache-2.0
 *
 * packet-out: a packet for the switch to send. */
#include <config.h>

#include "openvswitch/ofp-packet.h"

#include <stdlib.h>

#include "link.h"
#include "protect.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"

#include "lib/dp-packet.h"
#include "lib/packets.h"
#include "lib/util.h"

static void
send_described(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    struct ofctl_words words = ofctl_words_to_accept(ofctl, target);
    enum ofputil_protocol usable, protocol;
    struct ofputil_packet_out out;

    ofctl_check(parse_ofp_packet_out_str(&out, ctx->argv[2], words.ports, words.tables, &usable));
    ofctl_protect_actions(ofctl, target, out.ofpacts, out.ofpacts_len);
    struct vconn *vconn = ofctl_connect_for_mods(ofctl, target, usable, &protocol);
    ofctl_transact_noreply(ofctl, target, vconn, ofputil_encode_packet_out(&out, protocol));
    vconn_close(vconn);
    free((void *) out.packet);
    free(out.ofpacts);
}

/* The older form: port, actions, any number of packets. */
static void
send_packets(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    enum ofputil_protocol usable = OFPUTIL_P_ANY, protocol;
    struct ofpbuf actions;
    struct ofpact_parse_params params = {
        .port_map = ofctl_ports_to_accept(ofctl, target),
        .table_map = ofctl_tables_to_accept(ofctl, target),
        .ofpacts = &actions,
        .usable_protocols = &usable,
    };

    ofpbuf_init(&actions, 64);
    ofctl_check(ofpacts_parse_actions(ctx->argv[3], &params));
    struct ofputil_packet_out out = {
        .buffer_id = UINT32_MAX,
        .ofpacts = actions.data,
        .ofpacts_len = actions.size,
    };
    match_init_catchall(&out.flow_metadata);
    match_set_packet_type(&out.flow_metadata, htonl(PT_ETH));
    match_set_in_port(&out.flow_metadata, ofctl_port_number(ofctl, target, ctx->argv[2]));

    ofctl_protect_actions(ofctl, target, out.ofpacts, out.ofpacts_len);
    struct vconn *vconn = ofctl_connect_for_mods(ofctl, target, usable, &protocol);
    for (int i = 4; i < ctx->argc; i++) {
        struct dp_packet *packet;
        const char *error = eth_from_hex(ctx->argv[i], &packet);
        if (error) {
            ovs_fatal(0, "%s", error);
        }
        out.packet = dp_packet_data(packet);
        out.packet_len = dp_packet_size(packet);
        ofctl_transact_noreply(ofctl, target, vconn, ofputil_encode_packet_out(&out, protocol));
        dp_packet_delete(packet);
    }
    vconn_close(vconn);
    ofpbuf_uninit(&actions);
}

void
ofctl_packet_out(struct ovs_cmdl_context *ctx)
{
    if (ctx->argc > 4) {
        send_packets(ctx);
    } else if (ctx->argc == 4) {
        ovs_fatal(0, "Too many arguments (%d)", ctx->argc);
    } else {
        send_described(ctx);
    }
}
