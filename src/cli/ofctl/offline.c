/* SPDX-License-Identifier: Apache-2.0
 *
 * Parsers that need no switch: what flows and groups become when they are sent. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "link.h"
#include "nwf/cleanup.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-parse.h"
#include "openvswitch/ofp-print.h"

#include "lib/ofp-version-opt.h"
#include "lib/util.h"

static void
print_usable(enum ofputil_protocol usable)
{
    char *text CLEANUP_FREE = ofputil_protocols_to_string(usable);

    printf("usable protocols: %s\n", text);
}

static void
print_and_free(struct ofpbuf *message, int verbosity)
{
    ofp_print(stdout, message->data, message->size, NULL, NULL, verbosity);
    ofpbuf_delete(message);
}

/* Shows the mods in the first of the formats that are usable and allowed. */
static void
show_mods(const struct ofctl *ofctl, const struct ofputil_flow_mod *mods, size_t n,
          enum ofputil_protocol usable)
{
    enum ofputil_protocol common = usable & ofctl->allowed;

    print_usable(usable);
    if (!common) {
        ovs_fatal(0, "no usable protocol");
    }

    enum ofputil_protocol chosen = rightmost_1bit(common);
    printf("chosen protocol: %s\n", ofputil_protocol_to_string(chosen));
    for (size_t i = 0; i < n; i++) {
        print_and_free(ofputil_encode_flow_mod(&mods[i], chosen), ofctl->verbosity);
    }
}

static void
free_mods(struct ofputil_flow_mod *mods, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(mods[i].ofpacts);
        minimatch_destroy(&mods[i].match);
    }
}

void
ofctl_parse_flow(struct ovs_cmdl_context *ctx)
{
    enum ofputil_protocol usable;
    struct ofputil_flow_mod mod;

    ofctl_check(parse_ofp_flow_mod_str(&mod, ctx->argv[1], NULL, NULL, OFPFC_ADD, &usable));
    show_mods(ofctl_of(ctx), &mod, 1, usable);
    free_mods(&mod, 1);
}

void
ofctl_parse_flows(struct ovs_cmdl_context *ctx)
{
    struct ofputil_flow_mod *mods = NULL;
    enum ofputil_protocol usable;
    size_t n = 0;

    ofctl_check(parse_ofp_flow_mod_file(ctx->argv[1], NULL, NULL, OFPFC_ADD, &mods, &n, &usable));
    show_mods(ofctl_of(ctx), mods, n, usable);
    free_mods(mods, n);
    free(mods);
}

void
ofctl_parse_group(struct ovs_cmdl_context *ctx)
{
    enum ofputil_protocol usable;
    struct ofputil_group_mod mod;

    ofctl_check(parse_ofp_group_mod_str(&mod, OFPGC11_ADD, ctx->argv[1], NULL, NULL, &usable));
    print_usable(usable);
    uint32_t versions = ofputil_protocols_to_version_bitmap(usable) & get_allowed_ofp_versions();
    if (!versions) {
        ovs_fatal(0, "no usable protocol");
    }

    enum ofp_version version = (enum ofp_version) raw_ctz(versions);
    printf("chosen version: %s\n", ofputil_version_to_string(version));
    print_and_free(ofputil_encode_group_mod(version, &mod, NULL, -1), ofctl_of(ctx)->verbosity);
    ofputil_uninit_group_mod(&mod);
}

void
ofctl_parse_key_value(struct ovs_cmdl_context *ctx)
{
    for (int i = 1; i < ctx->argc; i++) {
        char *text = ctx->argv[i], *key, *value;
        for (int n = 0; ofputil_parse_key_value(&text, &key, &value); n++) {
            printf("%s%s", n ? ", " : "", key);
            if (value[0]) {
                printf("=%s", value);
            }
        }
        putchar('\n');
    }
}
