/* SPDX-License-Identifier: Apache-2.0
 *
 * Actions and instructions as bytes, read and written again. */
#include <config.h>

#include "openvswitch/ofp-actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "ofctl.h"
#include "openvswitch/match.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-errors.h"

#include "lib/util.h"

static enum ofperr
pull(struct ofpbuf *in, bool instructions, enum ofp_version version, struct ofpbuf *actions)
{
    return instructions
               ? ofpacts_pull_openflow_instructions(in, in->size, version, NULL, NULL, actions)
               : ofpacts_pull_openflow_actions(in, in->size, version, NULL, NULL, actions);
}

static void
put(const struct ofpbuf *actions, bool instructions, enum ofp_version version, struct ofpbuf *out)
{
    if (instructions) {
        ofpacts_put_openflow_instructions(actions->data, actions->size, out, version);
    } else {
        ofpacts_put_openflow_actions(actions->data, actions->size, out, version);
    }
}

static void
print_actions(const struct ofpbuf *actions)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    struct ofpact_format_params params = {.s = &text};

    ds_put_cstr(&text, "actions=");
    ofpacts_format(actions->data, actions->size, &params);
    puts(ds_cstr(&text));
    ds_destroy(&text);
}

/* Whether the actions may stand in a flow of that table. */
static enum ofperr
check(struct ofpbuf *actions, uint8_t table)
{
    struct match match;
    struct ofpact_check_params params = {
        .match = &match,
        .max_ports = OFPP_MAX,
        .table_id = table,
        .n_tables = OFPTT_ALL,
    };

    match_init_catchall(&match);
    return ofpacts_check(actions->data, actions->size, &params);
}

/* Takes the number of a table and a comma off the line, if that is how it begins. */
static uint8_t
take_table(const char **line)
{
    const char *comma = strchr(*line, ',');
    int table = comma ? atoi(*line) : 0;

    *line = comma ? comma + 1 : *line;
    return (uint8_t) table;
}

static void
parse_line(const char *line, bool instructions, enum ofp_version version)
{
    uint8_t table = take_table(&line);
    struct ofpbuf in, actions, out;

    ofpbuf_init(&in, 0);
    ofpbuf_init(&actions, 0);
    ofpbuf_init(&out, 0);
    ofctl_put_hex(&in, line);
    const void *bytes = in.data;
    size_t size = in.size;

    enum ofperr error = pull(&in, instructions, version, &actions);
    if (!error && instructions) {
        error = check(&actions, table);
    }
    if (error) {
        printf("bad %s %s: %s\n\n", ofputil_version_to_string(version),
               instructions ? "instructions" : "actions", ofperr_get_name(error));
    } else {
        print_actions(&actions);
        put(&actions, instructions, version, &out);
        ofctl_print_differences("", bytes, size, out.data, out.size);
        putchar('\n');
    }
    ofpbuf_uninit(&in);
    ofpbuf_uninit(&actions);
    ofpbuf_uninit(&out);
}

static void
parse_lines(struct ovs_cmdl_context *ctx, bool instructions)
{
    enum ofp_version version = ofputil_version_from_string(ctx->argv[1]);
    struct ds line = DS_EMPTY_INITIALIZER;

    if (!version) {
        ovs_fatal(0, "%s: not a valid OpenFlow version", ctx->argv[1]);
    }
    while (!ds_get_preprocessed_line(&line, stdin, NULL)) {
        parse_line(ds_cstr(&line), instructions, version);
    }
    ds_destroy(&line);
}

void
ofctl_parse_actions(struct ovs_cmdl_context *ctx)
{
    parse_lines(ctx, false);
}

void
ofctl_parse_instructions(struct ovs_cmdl_context *ctx)
{
    parse_lines(ctx, true);
}
