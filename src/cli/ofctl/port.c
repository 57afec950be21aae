/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports and their queues. */
#include <config.h>

#include "openvswitch/ofp-port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "link.h"
#include "openvswitch/ofp-queue.h"
#include "ports.h"

#include "lib/flow.h"
#include "lib/util.h"

/* Asks about the command's port, or all. */
static void
dump_ports(struct ovs_cmdl_context *ctx,
           struct ofpbuf *(*encode)(enum ofp_version version, ofp_port_t port))
{
    const char *target = ctx->argv[1];
    struct vconn *vconn = ofctl_connect(target);
    ofp_port_t port =
        ctx->argc > 2 ? ofctl_port_number(ofctl_of(ctx), target, ctx->argv[2]) : OFPP_ANY;

    ofctl_dump(ofctl_of(ctx), target, vconn, encode(ofctl_version(vconn), port));
    vconn_close(vconn);
}

void
ofctl_dump_ports(struct ovs_cmdl_context *ctx)
{
    dump_ports(ctx, ofputil_encode_dump_ports_request);
}

void
ofctl_dump_ports_desc(struct ovs_cmdl_context *ctx)
{
    dump_ports(ctx, ofputil_encode_port_desc_stats_request);
}

/* ---- Queues. ---- */

static uint32_t
queue_id(struct ovs_cmdl_context *ctx)
{
    const char *text = ctx->argc > 3 ? ctx->argv[3] : "";

    return *text && strcasecmp(text, "all") ? (uint32_t) atoi(text) : OFPQ_ALL;
}

void
ofctl_queue_stats(struct ovs_cmdl_context *ctx)
{
    const char *port = ctx->argc > 2 ? ctx->argv[2] : "";
    struct vconn *vconn = ofctl_connect(ctx->argv[1]);
    struct ofputil_queue_stats_request request = {
        .port_no = *port && strcasecmp(port, "all")
                       ? ofctl_port_number(ofctl_of(ctx), ctx->argv[1], port)
                       : OFPP_ANY,
        .queue_id = queue_id(ctx),
    };

    ofctl_dump(ofctl_of(ctx), ctx->argv[1], vconn,
               ofputil_encode_queue_stats_request(ofctl_version(vconn), &request));
    vconn_close(vconn);
}

/* OpenFlow 1.0 has no request for the queues of all ports. */
static void
dump_queues_of_each_port(struct ovs_cmdl_context *ctx, struct vconn *vconn, uint32_t queue)
{
    struct ofputil_phy_port port;
    struct ofctl_port_walk walk;
    struct vconn *other = ofctl_connect(ctx->argv[1]);

    ofctl_ports_begin(&walk, other);
    while (ofctl_ports_next(&walk, &port)) {
        if (ofp_to_u16(port.port_no) < ofp_to_u16(OFPP_MAX)) {
            ofctl_dump(ofctl_of(ctx), ctx->argv[1], vconn,
                       ofputil_encode_queue_get_config_request(OFP10_VERSION, port.port_no, queue));
        }
    }
    ofctl_ports_end(&walk);
    vconn_close(other);
}

void
ofctl_queue_get_config(struct ovs_cmdl_context *ctx)
{
    ofp_port_t port =
        ctx->argc > 2 ? ofctl_port_number(ofctl_of(ctx), ctx->argv[1], ctx->argv[2]) : OFPP_ANY;
    uint32_t queue = queue_id(ctx);
    struct vconn *vconn = ofctl_connect(ctx->argv[1]);

    if (port == OFPP_ANY && ofctl_version(vconn) == OFP10_VERSION) {
        dump_queues_of_each_port(ctx, vconn, queue);
    } else {
        ofctl_dump(ofctl_of(ctx), ctx->argv[1], vconn,
                   ofputil_encode_queue_get_config_request(ofctl_version(vconn), port, queue));
    }
    vconn_close(vconn);
}

/* ---- mod-port ---- */

/* The port by its number in digits, or by its name, as the switch describes it. */
static struct ofputil_phy_port
find_port(const char *target, const char *text)
{
    struct vconn *vconn = ofctl_connect(target);
    struct ofputil_phy_port port, match;
    struct ofctl_port_walk walk;
    unsigned int number;
    bool is_number = str_to_uint(text, 10, &number), found = false;

    ofctl_ports_begin(&walk, vconn);
    while (!found && ofctl_ports_next(&walk, &port)) {
        found = is_number ? (unsigned int) ofp_to_u16(port.port_no) == number
                          : !strcmp(port.name, text);
        match = port;
    }
    ofctl_ports_end(&walk);
    vconn_close(vconn);
    if (!found) {
        ovs_fatal(0, "%s: couldn't find port `%s'", target, text);
    }
    return match;
}

/* The words for a bit of a port's configuration; "no-" or "no" in front means the opposite. */
static const struct {
    const char *name;
    enum ofputil_port_config bit;
    bool sets;
} settings[] = {
    {"up", OFPUTIL_PC_PORT_DOWN, false},
    {"down", OFPUTIL_PC_PORT_DOWN, true},
    {"stp", OFPUTIL_PC_NO_STP, false},
    {"receive", OFPUTIL_PC_NO_RECV, false},
    {"receive-stp", OFPUTIL_PC_NO_RECV_STP, false},
    {"flood", OFPUTIL_PC_NO_FLOOD, false},
    {"forward", OFPUTIL_PC_NO_FWD, false},
    {"packet-in", OFPUTIL_PC_NO_PACKET_IN, false},
};

static void
apply_setting(struct ofputil_port_mod *mod, const char *name)
{
    bool is_opposite = !strncasecmp(name, "no", 2);
    const char *setting = name + (is_opposite ? 2 + (name[2] == '-') : 0);

    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (!strcasecmp(settings[i].name, setting)) {
            mod->mask = settings[i].bit;
            mod->config = settings[i].sets != is_opposite ? settings[i].bit : 0;
            return;
        }
    }
    ovs_fatal(0, "unknown mod-port command '%s'", name);
}

void
ofctl_mod_port(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    struct ofputil_phy_port port = find_port(target, ctx->argv[2]);
    struct ofputil_port_mod mod = {.port_no = port.port_no, .hw_addr = port.hw_addr};

    apply_setting(&mod, ctx->argv[3]);
    struct vconn *vconn = ofctl_connect(target);
    ofctl_transact_noreply(
        ofctl, target, vconn,
        ofputil_encode_port_mod(&mod, ofputil_protocol_from_ofp_version(ofctl_version(vconn))));
    vconn_close(vconn);
}
