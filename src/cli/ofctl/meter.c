/* SPDX-License-Identifier: Apache-2.0
 *
 * Meters, which need OpenFlow 1.3. */
#include <config.h>

#include "openvswitch/ofp-meter.h"

#include <stdlib.h>

#include "link.h"
#include "protect.h"

#include "lib/util.h"

/* Parses the command's meter, all where it names none, and connects. */
static struct vconn *
begin(struct ovs_cmdl_context *ctx, int command, struct ofputil_meter_mod *mod)
{
    enum ofputil_protocol usable = OFPUTIL_P_OF13_UP, protocol;

    if (ctx->argc > 2) {
        ofctl_check(parse_ofp_meter_mod_str(mod, ctx->argv[2], command, &usable));
    } else {
        *mod = (struct ofputil_meter_mod){
            .command = (uint16_t) command,
            .meter.meter_id = OFPM13_ALL,
        };
    }
    return ofctl_connect_for_mods(ofctl_of(ctx), ctx->argv[1], usable, &protocol);
}

static void
change(struct ovs_cmdl_context *ctx, int command)
{
    struct ofputil_meter_mod mod;
    struct vconn *vconn = begin(ctx, command, &mod);

    ofctl_protect_meters(ofctl_of(ctx), ctx->argv[1], &mod);
    ofctl_transact_noreply(ofctl_of(ctx), ctx->argv[1], vconn,
                           ofctl_number(ofputil_encode_meter_mod(ofctl_version(vconn), &mod)));
    free(mod.meter.bands);
    vconn_close(vconn);
}

static void
ask(struct ovs_cmdl_context *ctx, enum ofputil_meter_request_type type)
{
    struct ofputil_meter_mod mod;
    struct vconn *vconn = begin(ctx, -1, &mod);

    ofctl_dump(ofctl_of(ctx), ctx->argv[1], vconn,
               ofputil_encode_meter_request(ofctl_version(vconn), type, mod.meter.meter_id));
    free(mod.meter.bands);
    vconn_close(vconn);
}

void
ofctl_add_meter(struct ovs_cmdl_context *ctx)
{
    change(ctx, OFPMC13_ADD);
}

void
ofctl_mod_meter(struct ovs_cmdl_context *ctx)
{
    change(ctx, OFPMC13_MODIFY);
}

void
ofctl_del_meters(struct ovs_cmdl_context *ctx)
{
    change(ctx, OFPMC13_DELETE);
}

void
ofctl_dump_meters(struct ovs_cmdl_context *ctx)
{
    ask(ctx, OFPUTIL_METER_CONFIG);
}

void
ofctl_meter_stats(struct ovs_cmdl_context *ctx)
{
    ask(ctx, OFPUTIL_METER_STATS);
}

void
ofctl_meter_features(struct ovs_cmdl_context *ctx)
{
    ask(ctx, OFPUTIL_METER_FEATURES);
}
