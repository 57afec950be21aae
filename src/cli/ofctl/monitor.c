/* SPDX-License-Identifier: Apache-2.0
 *
 * monitor and snoop: asking a switch for its asynchronous messages, and printing them. */
#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/vlog.h"
#include "switch.h"
#include "watch.h"

#include "lib/ofp-version-opt.h"
#include "lib/util.h"

VLOG_DEFINE_THIS_MODULE(ofctl_monitor);

#define WATCH_PREFIX "watch:"

/* ---- What the operands ask for. ---- */

/* The setting is one of OpenFlow 1.1 and 1.2, and an extension in 1.0. */
static void
require_invalid_ttl_versions(void)
{
    const uint32_t usable = (1u << OFP10_VERSION) | (1u << OFP11_VERSION) | (1u << OFP12_VERSION);

    if (!(get_allowed_ofp_versions() & usable)) {
        struct ds names = DS_EMPTY_INITIALIZER;
        ofputil_format_version_bitmap_names(&names, usable);
        ovs_fatal(0,
                  "invalid_ttl requires one of the OpenFlow versions %s but none is enabled "
                  "(use -O)",
                  ds_cstr(&names));
    }
    mask_allowed_ofp_versions(usable);
}

static void
set_miss_length(struct ofctl_watch *watch, uint16_t length)
{
    struct ofputil_switch_config config;

    ofctl_fetch_config(watch->vconn, &config);
    config.miss_send_len = length;
    ofctl_set_config(watch->ofctl, watch->target, watch->vconn, &config);
}

static void
ask_for_invalid_ttl(struct ofctl_watch *watch)
{
    struct ofputil_switch_config config;

    ofctl_fetch_config(watch->vconn, &config);
    config.invalid_ttl_to_controller = 1;
    ofctl_set_config(watch->ofctl, watch->target, watch->vconn, &config);
    ofctl_fetch_config(watch->vconn, &config);
    if (!config.invalid_ttl_to_controller) {
        ovs_fatal(0, "setting invalid_ttl_to_controller failed (this switch probably doesn't "
                     "support this flag)");
    }
}

static void
ask_for_flows(struct ofctl_watch *watch, const char *spec)
{
    struct ofctl_words words = ofctl_words_to_accept(watch->ofctl, watch->target);
    struct ofputil_flow_monitor_request request;
    enum ofputil_protocol usable;

    ofctl_check(parse_flow_monitor_request(&request, spec, words.ports, words.tables, &usable));
    struct ofpbuf *message = ofpbuf_new(0);
    ofputil_append_flow_monitor_request(
        &request, message, ofputil_protocol_from_ofp_version(ofctl_version(watch->vconn)));
    ofpmsg_update_length(message);
    if (watch->ofctl->verbosity) {
        ofp_print(stdout, message->data, message->size, words.ports, words.tables,
                  watch->ofctl->verbosity + 2);
    }
    ofctl_dump(watch->ofctl, watch->target, watch->vconn, message);
    fflush(stdout);
}

static void
take_operand(struct ofctl_watch *watch, const char *operand)
{
    if (isdigit((unsigned char) *operand)) {
        set_miss_length(watch, (uint16_t) atoi(operand));
    } else if (!strcmp(operand, "invalid_ttl")) {
        ask_for_invalid_ttl(watch);
    } else if (!strncmp(operand, WATCH_PREFIX, strlen(WATCH_PREFIX))) {
        ask_for_flows(watch, operand + strlen(WATCH_PREFIX));
    } else if (!strcmp(operand, "resume")) {
        set_miss_length(watch, UINT16_MAX);
        watch->resumes = true;
    } else {
        ovs_fatal(0, "%s: unsupported \"monitor\" argument", operand);
    }
}

/* ---- The format of packet-ins. ---- */

/* False if the switch does not know it, which ends the program where the user wants that one. */
static bool
set_packet_in_format(struct ofctl_watch *watch, enum ofputil_packet_in_format format,
                     bool is_wanted)
{
    struct ofpbuf *reply;
    int error = vconn_transact_noreply(
        watch->vconn, ofputil_encode_set_packet_in_format(ofctl_version(watch->vconn), format),
        &reply);

    if (error) {
        ovs_fatal(error, "talking to %s", vconn_get_name(watch->vconn));
    }
    if (!reply) {
        if (is_wanted) {
            VLOG_DBG("%s: using user-specified packet in format %s", vconn_get_name(watch->vconn),
                     ofputil_packet_in_format_to_string(format));
        }
        return true;
    }
    if (is_wanted) {
        ovs_fatal(0, "%s: failed to set packet in format to nx_packet_in, controller replied: %s.",
                  vconn_get_name(watch->vconn),
                  ofp_to_string(reply->data, reply->size, NULL, NULL, watch->ofctl->verbosity + 1));
    }
    ofpbuf_delete(reply);
    return false;
}

static void
choose_packet_in_format(struct ofctl_watch *watch)
{
    if (watch->ofctl->packet_in_format >= 0) {
        set_packet_in_format(watch, (enum ofputil_packet_in_format) watch->ofctl->packet_in_format,
                             true);
    } else if (!set_packet_in_format(watch, OFPUTIL_PACKET_IN_NXT2, false)
               && ofctl_version(watch->vconn) == OFP10_VERSION) {
        set_packet_in_format(watch, OFPUTIL_PACKET_IN_NXT, false);
    }
}

/* ---- The commands. ---- */

void
ofctl_monitor(struct ovs_cmdl_context *ctx)
{
    struct ofctl_watch watch = {
        .ofctl = ofctl_of(ctx),
        .target = ctx->argv[1],
        .answers_echoes = true,
    };

    for (int i = 2; i < ctx->argc; i++) {
        if (!strcmp(ctx->argv[i], "invalid_ttl")) {
            require_invalid_ttl_versions();
        }
    }
    watch.vconn = ofctl_connect(watch.target);
    for (int i = 2; i < ctx->argc; i++) {
        take_operand(&watch, ctx->argv[i]);
    }
    choose_packet_in_format(&watch);
    ofctl_watch(&watch);
}

void
ofctl_snoop(struct ovs_cmdl_context *ctx)
{
    struct ofctl_watch watch = {
        .ofctl = ofctl_of(ctx),
        .target = ctx->argv[1],
        .vconn = ofctl_connect_snoop(ctx->argv[1]),
    };

    ofctl_watch(&watch);
}
