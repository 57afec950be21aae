/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables: what they can do, and how they are configured. */
#include <config.h>

#include "openvswitch/ofp-table.h"

#include <stdio.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-msgs.h"
#include "ports.h"
#include "switch.h"

#include "lib/ofp-version-opt.h"
#include "lib/util.h"

void
ofctl_dump_tables(struct ovs_cmdl_context *ctx)
{
    ofctl_dump_by_type(ctx, OFPRAW_OFPST_TABLE_REQUEST);
}

/* One text for all tables, however many messages they come in: those that are like the one
 * before are put together. */
void
ofctl_dump_table_features(struct ovs_cmdl_context *ctx)
{
    struct vconn *vconn = ofctl_connect(ctx->argv[1]);
    struct ofpbuf *request = ofputil_encode_table_features_request(ofctl_version(vconn));
    struct ofputil_table_features previous;
    const struct ofputil_table_features *table;
    struct ds text = DS_EMPTY_INITIALIZER;
    int first_ditto = -1, last_ditto = -1;
    bool has_previous = false;
    struct ofctl_table_walk walk;

    ofctl_tables_begin_with(&walk, vconn, OFCTL_TABLE_FEATURES, request);
    while ((table = ofctl_tables_next(&walk))) {
        ofputil_table_features_format(&text, table, has_previous ? &previous : NULL, NULL, NULL,
                                      &first_ditto, &last_ditto);
        previous = *table;
        has_previous = true;
    }
    ofputil_table_features_format_finish(&text, first_ditto, last_ditto);
    if (has_previous) { /* Each begins with an empty line, and the text shall end with it. */
        puts(ds_cstr(&text) + 1);
    }
    ds_destroy(&text);
    ofctl_tables_end(&walk);
    vconn_close(vconn);
}

void
ofctl_dump_table_desc(struct ovs_cmdl_context *ctx)
{
    struct vconn *vconn = ofctl_connect(ctx->argv[1]);

    ofctl_dump(ofctl_of(ctx), ctx->argv[1], vconn,
               ofputil_encode_table_desc_request(ofctl_version(vconn)));
    vconn_close(vconn);
}

/* ---- mod-table ---- */

/* A table's eviction and vacancy events are set together: what the user did not name stays as
 * it is.  False: there is no such table. */
static bool
keep_other_settings(struct vconn *vconn, struct ofputil_table_mod *mod)
{
    const struct ofputil_table_desc *desc;
    struct ofctl_table_walk walk;
    bool found = false;

    ofctl_tables_begin(&walk, vconn, OFCTL_TABLE_DESC);
    while (!found && (desc = ofctl_tables_next_desc(&walk))) {
        found = desc->table_id == mod->table_id;
        if (found && mod->eviction != OFPUTIL_TABLE_EVICTION_DEFAULT) {
            mod->vacancy = desc->vacancy;
            mod->table_vacancy = desc->table_vacancy;
        } else if (found) {
            mod->eviction = desc->eviction;
            mod->eviction_flags = desc->eviction_flags;
        }
    }
    ofctl_tables_end(&walk);
    return found;
}

static void
send_mod(struct ofctl *ofctl, const char *target, struct vconn *vconn,
         const struct ofputil_table_mod *mod)
{
    enum ofputil_protocol protocol = ofputil_protocol_from_ofp_version(ofctl_version(vconn));

    ofctl_transact_noreply(ofctl, target, vconn, ofputil_encode_table_mod(mod, protocol));
}

static void
change_setting(struct ofctl *ofctl, const char *target, struct vconn *vconn,
               const struct ofputil_table_mod *mod)
{
    struct ofputil_table_mod one = *mod;

    if (ofctl_version(vconn) < OFP14_VERSION) {
        send_mod(ofctl, target, vconn, mod);
    } else if (mod->table_id != OFPTT_ALL) {
        keep_other_settings(vconn, &one);
        send_mod(ofctl, target, vconn, &one);
    } else {
        for (one.table_id = 0; one.table_id < OFPTT_MAX; one.table_id++) {
            struct ofputil_table_mod next = one;
            if (!keep_other_settings(vconn, &next)) {
                break;
            }
            send_mod(ofctl, target, vconn, &next);
        }
    }
}

/* ---- A table's name. ---- */

static void
put_table(struct ovs_list *requests, const struct ofctl_table_walk *walk, const char *name)
{
    struct ofputil_table_features table = walk->features;

    if (name) {
        ovs_strzcpy(table.name, name, sizeof table.name);
    }
    ofputil_append_table_features(&table, &walk->raw_properties, requests);
}

static void
put_name(struct ovs_list *requests, const struct ofputil_table_features *table, const char *name)
{
    struct ofputil_table_features change = *table;

    change.command = OFPTFC15_MODIFY;
    change.any_properties = false;
    ovs_strzcpy(change.name, name, sizeof change.name);
    ofputil_append_table_features(&change, NULL, requests);
}

/* From OpenFlow 1.5 on one table can be changed; before that all of them are set at once, each
 * with all that it can do, so they are read first. */
static void
change_name(struct ofctl *ofctl, const char *target, struct vconn *vconn, uint8_t table_id,
            const char *name)
{
    struct ofpbuf *first;
    const struct ofputil_table_features *table;
    struct ovs_list requests, replies;
    struct ofctl_table_walk walk;
    struct ofpbuf *reply;
    bool found = false;

    ofctl_tables_begin(&walk, vconn, OFCTL_TABLE_FEATURES);
    first = ofputil_encode_table_features_request(ofctl_version(vconn));
    ovs_list_init(&requests);
    ovs_list_push_back(&requests, &first->list_node);
    while ((table = ofctl_tables_next(&walk))) {
        bool is_this = table->table_id == table_id;
        found |= is_this;
        if (ofctl_version(vconn) < OFP15_VERSION) {
            put_table(&requests, &walk, is_this ? name : NULL);
        } else if (is_this) {
            put_name(&requests, table, name);
        }
    }
    ofctl_tables_end(&walk);
    if (!found) {
        ovs_fatal(0, "switch does not have table %u", (unsigned int) table_id);
    }

    int error = vconn_transact_multipart(vconn, &requests, &replies);
    if (error) {
        ovs_fatal(error, "talking to %s", vconn_get_name(vconn));
    }
    LIST_FOR_EACH_POP (reply, list_node, &replies) {
        ofctl_exit_on_error(ofctl, target, reply);
        ofpbuf_delete(reply);
    }
}

void
ofctl_mod_table(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    const struct ofputil_table_map *tables = ofctl_tables_to_accept(ofctl, target);
    struct ofputil_table_mod mod;
    uint32_t usable;
    const char *name;

    ofctl_check(parse_ofp_table_mod(&mod, &name, ctx->argv[2], ctx->argv[3], tables, &usable));
    if (!(usable & get_allowed_ofp_versions())) {
        struct ds versions = DS_EMPTY_INITIALIZER;
        ofputil_format_version_bitmap_names(&versions, usable);
        ovs_fatal(0, "table_mod '%s' requires one of the OpenFlow versions %s", ctx->argv[3],
                  ds_cstr(&versions));
    }
    mask_allowed_ofp_versions(usable);

    struct vconn *vconn = ofctl_connect(target);
    if (name) {
        change_name(ofctl, target, vconn, mod.table_id, name);
    } else {
        change_setting(ofctl, target, vconn, &mod);
    }
    vconn_close(vconn);
}
