/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups. */
#include <config.h>

#include "openvswitch/ofp-group.h"

#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "switch.h"

#include "lib/util.h"

struct mods {
    struct ofputil_group_mod *data;
    size_t n;
};

static void
encode(const struct mods *mods, enum ofp_version version, struct ovs_list *requests)
{
    ovs_list_init(requests);
    for (size_t i = 0; i < mods->n; i++) {
        struct ofpbuf *request = ofputil_encode_group_mod(version, &mods->data[i], NULL, -1);
        ovs_list_push_back(requests, &request->list_node);
    }
}

static void
send_mods(struct ofctl *ofctl, const char *target, const struct mods *mods,
          enum ofputil_protocol usable)
{
    enum ofputil_protocol protocol;

    if (ofctl->bundle) {
        usable &= OFPUTIL_P_OF13_UP;
    }

    struct vconn *vconn = ofctl_connect_for_mods(ofctl, target, usable, &protocol);
    enum ofp_version version = ofputil_protocol_to_ofp_version(protocol);
    if (ofctl->bundle) {
        struct ovs_list requests;
        encode(mods, version, &requests);
        ofctl_transact_bundle_list(ofctl, target, vconn, &requests);
    } else {
        for (size_t i = 0; i < mods->n; i++) {
            ofctl_transact_noreply(ofctl, target, vconn,
                                   ofputil_encode_group_mod(version, &mods->data[i], NULL, -1));
        }
    }
    vconn_close(vconn);
}

static void
change_by_file(struct ovs_cmdl_context *ctx, const char *file, int command)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    struct ofctl_words words = ofctl_words_to_accept(ofctl, target);
    enum ofputil_protocol usable;
    struct mods mods = {.n = 0};

    ofctl_check(parse_ofp_group_mod_file(file, words.ports, words.tables, command, &mods.data,
                                         &mods.n, &usable));
    send_mods(ofctl, target, &mods, usable);
    for (size_t i = 0; i < mods.n; i++) {
        ofputil_uninit_group_mod(&mods.data[i]);
    }
    free(mods.data);
}

static void
change_by_text(struct ovs_cmdl_context *ctx, const char *text, int command)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    struct ofctl_words words = ofctl_words_to_accept(ofctl, target);
    enum ofputil_protocol usable;
    struct ofputil_group_mod mod;
    struct mods mods = {&mod, 1};

    ofctl_check(parse_ofp_group_mod_str(&mod, command, text, words.ports, words.tables, &usable));
    send_mods(ofctl, target, &mods, usable);
    ofputil_uninit_group_mod(&mod);
}

static const struct ofctl_changes changes = {OFPGC11_ADD, change_by_text, change_by_file};

void
ofctl_add_group(struct ovs_cmdl_context *ctx)
{
    ofctl_change(ctx, OFPGC11_ADD, &changes);
}

void
ofctl_add_groups(struct ovs_cmdl_context *ctx)
{
    change_by_file(ctx, ctx->argv[2], OFCTL_ANY_COMMAND);
}

void
ofctl_mod_group(struct ovs_cmdl_context *ctx)
{
    ofctl_change(ctx, ofctl_of(ctx)->may_create ? OFPGC11_ADD_OR_MOD : OFPGC11_MODIFY, &changes);
}

void
ofctl_del_groups(struct ovs_cmdl_context *ctx)
{
    ofctl_change(ctx, OFPGC11_DELETE, &changes);
}

void
ofctl_insert_buckets(struct ovs_cmdl_context *ctx)
{
    ofctl_change(ctx, OFPGC15_INSERT_BUCKET, &changes);
}

void
ofctl_remove_buckets(struct ovs_cmdl_context *ctx)
{
    ofctl_change(ctx, OFPGC15_REMOVE_BUCKET, &changes);
}

/* ---- Dumps. ---- */

void
ofctl_dump_groups(struct ovs_cmdl_context *ctx)
{
    const char *target = ctx->argv[1];
    struct vconn *vconn = ofctl_connect(target);
    uint32_t group;

    if (ctx->argc < 3 || !ofputil_group_from_string(ctx->argv[2], &group)) {
        group = OFPG_ALL; /* The library has warned. */
    }
    ofctl_dump(ofctl_of(ctx), target, vconn,
               ofputil_encode_group_desc_request(ofctl_version(vconn), group));
    vconn_close(vconn);
}

/* The group is written as for del-groups. */
void
ofctl_dump_group_stats(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    struct ofctl_words words = ofctl_words_to_accept(ofctl, target);
    enum ofputil_protocol usable;
    struct ofputil_group_mod mod;

    ofctl_check(parse_ofp_group_mod_str(&mod, OFPGC11_DELETE, ofctl_text(ctx), words.ports,
                                        words.tables, &usable));
    struct vconn *vconn = ofctl_connect(target);
    ofctl_dump(ofctl, target, vconn,
               ofputil_encode_group_stats_request(ofctl_version(vconn), mod.group_id));
    ofputil_uninit_group_mod(&mod);
    vconn_close(vconn);
}

void
ofctl_dump_group_features(struct ovs_cmdl_context *ctx)
{
    const char *target = ctx->argv[1];
    struct vconn *vconn = ofctl_connect(target);

    ofctl_dump(ofctl_of(ctx), target, vconn,
               ofputil_encode_group_features_request(ofctl_version(vconn)));
    vconn_close(vconn);
}
