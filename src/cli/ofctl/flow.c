/* SPDX-License-Identifier: Apache-2.0
 *
 * Adding, modifying and deleting flows.  Each command makes a list of flow
 * mods of all that it was given before it sends the first. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "protect.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-flow.h"

#include "lib/util.h"

void
ofctl_check(char *error)
{
    if (error) {
        ovs_fatal(0, "%s", error);
    }
}

static void
free_mod(struct ofputil_flow_mod *mod)
{
    free(mod->ofpacts);
    minimatch_destroy(&mod->match);
}

/* Flow mods that are made into messages one by one. */
struct source {
    struct ofputil_flow_mod *mods;
    size_t n, next;
    enum ofputil_protocol protocol;
};

static struct ofpbuf *
next_message(void *source_)
{
    struct source *source = source_;

    if (source->next >= source->n) {
        return NULL;
    }
    struct ofputil_flow_mod *mod = &source->mods[source->next++];
    struct ofpbuf *message = ofctl_number(ofputil_encode_flow_mod(mod, source->protocol));
    free_mod(mod);
    return message;
}

/* Shows what is sent to those who ask for very much to be printed. */
static void
show_bytes(const struct ofctl *ofctl, const struct ofpbuf *message)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (ofctl->verbosity < 5) {
        return;
    }
    if (ofctl->verbosity > 5) {
        ds_put_hex(&s, message->data, message->size);
        ds_put_char(&s, '\n');
    } else {
        ds_put_hex_dump(&s, message->data, message->size, 0, true);
    }
    fputs(ds_cstr(&s), stdout);
    ds_destroy(&s);
}

void
ofctl_send_flow_mods(struct ofctl *ofctl, const char *target, struct ofputil_flow_mod *mods,
                     size_t n, enum ofputil_protocol usable)
{
    enum ofputil_protocol protocol;

    if (ofctl->bundle) {
        usable &= OFPUTIL_P_OF13_UP;
    }
    ofctl_require_usable(ofctl, usable);
    mods = ofctl_protect(ofctl, target, mods, &n, &usable);

    struct vconn *vconn = ofctl_connect_for_mods(ofctl, target, usable, &protocol);
    struct source source = {mods, n, 0, protocol};
    if (ofctl->bundle) {
        ofctl_transact_bundle(ofctl, target, vconn, n, next_message, &source);
    } else {
        struct ofpbuf *message = next_message(&source);
        while (message) {
            show_bytes(ofctl, message);
            struct ofctl_pending pending = ofctl_begin_noreply(vconn, message);
            message = next_message(&source);
            ofctl_finish_noreply(ofctl, target, vconn, &pending);
        }
    }
    vconn_close(vconn);
}

/* ---- The commands. ---- */

static void
change_by_file(struct ovs_cmdl_context *ctx, const char *file, int command)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    struct ofctl_words words = ofctl_words_to_accept(ofctl, target);
    struct ofputil_flow_mod *mods = NULL;
    enum ofputil_protocol usable;
    size_t n = 0;

    ofctl_check(
        parse_ofp_flow_mod_file(file, words.ports, words.tables, command, &mods, &n, &usable));
    ofctl_send_flow_mods(ofctl, target, mods, n, usable);
    free(mods);
}

static void
change_by_text(struct ovs_cmdl_context *ctx, const char *text, int command)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    struct ofctl_words words = ofctl_words_to_accept(ofctl, target);
    struct ofputil_flow_mod mod;
    enum ofputil_protocol usable;

    ofctl_check(parse_ofp_flow_mod_str(&mod, text, words.ports, words.tables, command, &usable));
    ofctl_send_flow_mods(ofctl, target, &mod, 1, usable);
}

static const struct ofctl_changes changes = {OFPFC_ADD, change_by_text, change_by_file};

void
ofctl_add_flow(struct ovs_cmdl_context *ctx)
{
    ofctl_change(ctx, OFPFC_ADD, &changes);
}

void
ofctl_add_flows(struct ovs_cmdl_context *ctx)
{
    change_by_file(ctx, ctx->argv[2], OFCTL_ANY_COMMAND);
}

void
ofctl_mod_flows(struct ovs_cmdl_context *ctx)
{
    ofctl_change(ctx, ofctl_of(ctx)->strict ? OFPFC_MODIFY_STRICT : OFPFC_MODIFY, &changes);
}

void
ofctl_del_flows(struct ovs_cmdl_context *ctx)
{
    ofctl_change(ctx, ofctl_of(ctx)->strict ? OFPFC_DELETE_STRICT : OFPFC_DELETE, &changes);
}

void
ofctl_bundle(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    struct ofctl_words words = ofctl_words_to_accept(ofctl, target);
    struct ovs_list requests = OVS_LIST_INITIALIZER(&requests);
    struct ofputil_bundle_msg *messages;
    struct ofpbuf *request;
    enum ofputil_protocol usable, protocol;
    size_t n;

    ofctl_check(
        parse_ofp_bundle_file(ctx->argv[2], words.ports, words.tables, &messages, &n, &usable));
    ofctl_require_bundles(ofctl);
    usable &= OFPUTIL_P_OF13_UP;
    ofctl_require_usable(ofctl, usable);
    ofctl_protect_bundle(ofctl, target, messages, n);
    struct vconn *vconn = ofctl_connect_for_mods(ofctl, target, usable, &protocol);
    ofputil_encode_bundle_msgs(messages, n, &requests, protocol);
    ofputil_free_bundle_msgs(messages, n);
    LIST_FOR_EACH (request, list_node, &requests) {
        ofctl_number(request);
    }
    ofctl_transact_bundle_list(ofctl, target, vconn, &requests);
    vconn_close(vconn);
}
