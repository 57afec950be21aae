/* SPDX-License-Identifier: Apache-2.0
 *
 * What a switch is and does as a whole: its features and description, its handling of
 * fragments, its IPFIX counters. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "link.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-print.h"

#include "lib/util.h"

#include "switch.h"

void
ofctl_dump_by_type(struct ovs_cmdl_context *ctx, enum ofpraw raw)
{
    const char *target = ctx->argv[1];
    struct vconn *vconn = ofctl_connect(target);

    ofctl_dump(ofctl_of(ctx), target, vconn, ofpraw_alloc(raw, ofctl_version(vconn), 0));
    vconn_close(vconn);
}

void
ofctl_dump_desc(struct ovs_cmdl_context *ctx)
{
    ofctl_dump_by_type(ctx, OFPRAW_OFPST_DESC_REQUEST);
}

void
ofctl_dump_ipfix_bridge(struct ovs_cmdl_context *ctx)
{
    ofctl_dump_by_type(ctx, OFPRAW_NXST_IPFIX_BRIDGE_REQUEST);
}

void
ofctl_dump_ipfix_flow(struct ovs_cmdl_context *ctx)
{
    ofctl_dump_by_type(ctx, OFPRAW_NXST_IPFIX_FLOW_REQUEST);
}

/* ---- show ---- */

/* Where the features have no room for the ports, as in OpenFlow 1.3, they are asked for. */
static void
show_features(struct ofctl *ofctl, const char *target)
{
    struct vconn *vconn = ofctl_connect(target);
    struct ofpbuf *reply =
        ofctl_transact(vconn, ofpraw_alloc(OFPRAW_OFPT_FEATURES_REQUEST, ofctl_version(vconn), 0));
    enum ofptype type;

    ofp_print(stdout, reply->data, reply->size, NULL, NULL, ofctl->verbosity + 1);
    if (!ofptype_decode(&type, reply->data) && type == OFPTYPE_FEATURES_REPLY
        && !ofputil_switch_features_has_ports(reply)) {
        ofctl_dump(ofctl, target, vconn,
                   ofputil_encode_port_desc_stats_request(ofctl_version(vconn), OFPP_ANY));
    }
    ofpbuf_delete(reply);
    vconn_close(vconn);
}

void
ofctl_show(struct ovs_cmdl_context *ctx)
{
    show_features(ofctl_of(ctx), ctx->argv[1]);
    ofctl_dump_by_type(ctx, OFPRAW_OFPT_GET_CONFIG_REQUEST);
}

/* ---- Configuration. ---- */

void
ofctl_fetch_config(struct vconn *vconn, struct ofputil_switch_config *config)
{
    struct ofpbuf *reply = ofctl_transact(
        vconn, ofpraw_alloc(OFPRAW_OFPT_GET_CONFIG_REQUEST, ofctl_version(vconn), 0));
    enum ofptype type;

    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_GET_CONFIG_REPLY) {
        ovs_fatal(0, "%s: bad reply to config request", vconn_get_name(vconn));
    }
    ofputil_decode_get_config_reply(reply->data, config);
    ofpbuf_delete(reply);
}

void
ofctl_set_config(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                 const struct ofputil_switch_config *config)
{
    ofctl_transact_noreply(ofctl, target, vconn,
                           ofputil_encode_set_config(config, ofctl_version(vconn)));
}

void
ofctl_get_frags(struct ovs_cmdl_context *ctx)
{
    struct vconn *vconn = ofctl_connect(ctx->argv[1]);
    struct ofputil_switch_config config;

    ofctl_fetch_config(vconn, &config);
    puts(ofputil_frag_handling_to_string(config.frag));
    vconn_close(vconn);
}

void
ofctl_set_frags(struct ovs_cmdl_context *ctx)
{
    struct ofputil_switch_config config;
    enum ofputil_frag_handling wanted;

    if (!ofputil_frag_handling_from_string(ctx->argv[2], &wanted)) {
        ovs_fatal(0, "%s: unknown fragment handling mode", ctx->argv[2]);
    }

    struct vconn *vconn = ofctl_connect(ctx->argv[1]);
    ofctl_fetch_config(vconn, &config);
    if (config.frag != wanted) {
        config.frag = wanted;
        ofctl_set_config(ofctl_of(ctx), ctx->argv[1], vconn, &config);
        ofctl_fetch_config(vconn, &config);
    }
    if (config.frag != wanted) {
        ovs_fatal(0,
                  "%s: setting fragment handling mode failed (this switch probably doesn't "
                  "support mode \"%s\")",
                  ctx->argv[1], ofputil_frag_handling_to_string(wanted));
    }
    vconn_close(vconn);
}
