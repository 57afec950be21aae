/* SPDX-License-Identifier: Apache-2.0
 *
 * Tracked connections, and the map from tunnel options to fields. */
#include <config.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-ct.h"
#include "openvswitch/ofp-match.h"
#include "openvswitch/ofp-msgs.h"
#include "switch.h"

#include "lib/util.h"

void
ofctl_ct_flush_zone(struct ovs_cmdl_context *ctx)
{
    const char *target = ctx->argv[1];
    unsigned int zone;

    if (!str_to_uint(ctx->argv[2], 0, &zone) || zone > UINT16_MAX) {
        ovs_fatal(0, "invalid zone_id \"%s\"", ctx->argv[2]);
    }

    struct vconn *vconn = ofctl_connect(target);
    struct ofpbuf *request = ofpraw_alloc(OFPRAW_NXT_CT_FLUSH_ZONE, ofctl_version(vconn), 0);
    struct nx_zone_id *body = ofpbuf_put_zeros(request, sizeof *body);
    body->zone_id = htons((uint16_t) zone);
    ofctl_transact_noreply(ofctl_of(ctx), target, vconn, request);
    vconn_close(vconn);
}

static void
parse_tuple(const char *text, struct ofp_ct_tuple *tuple, struct ofp_ct_match *match)
{
    struct ds error = DS_EMPTY_INITIALIZER;

    if (!ofp_ct_tuple_parse(tuple, text, &error, &match->ip_proto, &match->l3_type)) {
        ovs_fatal(0, "Failed to parse ct-tuple: %s", ds_cstr(&error));
    }
}

void
ofctl_ct_flush(struct ovs_cmdl_context *ctx)
{
    const char *target = ctx->argv[1];
    struct ofp_ct_match match = {.ip_proto = 0};
    int next = 2;
    uint16_t zone;
    bool has_zone = false;

    if (next < ctx->argc && !strncmp(ctx->argv[next], "zone=", 5)) {
        if (!ovs_scan(ctx->argv[next++], "zone=%" SCNu16, &zone)) {
            ovs_fatal(0, "Failed to parse zone");
        }
        has_zone = true;
    }
    if (next < ctx->argc) {
        parse_tuple(ctx->argv[next++], &match.tuple_orig, &match);
    }
    if (next < ctx->argc) {
        parse_tuple(ctx->argv[next++], &match.tuple_reply, &match);
    }

    struct vconn *vconn = ofctl_connect(target);
    ofctl_transact_noreply(
        ofctl_of(ctx), target, vconn,
        ofp_ct_match_encode(&match, has_zone ? &zone : NULL, ofctl_version(vconn)));
    vconn_close(vconn);
}

/* ---- Tunnel options. ---- */

static void
change_tlv_map(struct ovs_cmdl_context *ctx, const char *map, uint16_t command)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    enum ofputil_protocol usable, protocol;
    struct ofputil_tlv_table_mod mod;

    ofctl_check(parse_ofp_tlv_table_mod_str(&mod, command, map, &usable));
    struct vconn *vconn = ofctl_connect_for_mods(ofctl, target, usable, &protocol);
    ofctl_transact_noreply(ofctl, target, vconn,
                           ofputil_encode_tlv_table_mod(ofctl_version(vconn), &mod));
    vconn_close(vconn);
    ofputil_uninit_tlv_table(&mod.mappings);
}

void
ofctl_add_tlv_map(struct ovs_cmdl_context *ctx)
{
    change_tlv_map(ctx, ctx->argv[2], NXTTMC_ADD);
}

void
ofctl_del_tlv_map(struct ovs_cmdl_context *ctx)
{
    bool is_all = ctx->argc < 3 || !strcmp(ctx->argv[2], "");

    change_tlv_map(ctx, is_all ? "" : ctx->argv[2], is_all ? NXTTMC_CLEAR : NXTTMC_DELETE);
}

void
ofctl_dump_tlv_map(struct ovs_cmdl_context *ctx)
{
    ofctl_dump_by_type(ctx, OFPRAW_NXT_TLV_TABLE_REQUEST);
}
