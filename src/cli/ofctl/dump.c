/* SPDX-License-Identifier: Apache-2.0
 *
 * Dumps of flows: as they come from the switch, or without their counters, or sorted. */
#include <config.h>

#include <stdio.h>

#include "explain_flows.h"
#include "flows_in.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-flow.h"
#include "sort.h"

#include "lib/byte-order.h"

/* Connects, and makes the request for the flows that the command's second operand matches. */
static struct vconn *
begin_dump(struct ovs_cmdl_context *ctx, bool aggregate, struct ofputil_flow_stats_request *request,
           enum ofputil_protocol *protocol)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    const char *match = ofctl_text(ctx);
    const struct ofputil_port_map *ports = NULL;
    const struct ofputil_table_map *tables = NULL;
    enum ofputil_protocol usable;

    if (*match) { /* Else there are no names to understand. */
        ports = ofctl_ports_to_accept(ofctl, target);
        tables = ofctl_tables_to_accept(ofctl, target);
    }
    ofctl_check(
        parse_ofp_flow_stats_request_str(request, aggregate, match, ports, tables, &usable));
    return ofctl_connect_for_dump(ofctl, target, usable, protocol);
}

static void
dump_as_it_comes(struct ovs_cmdl_context *ctx, bool aggregate)
{
    struct ofputil_flow_stats_request request;
    enum ofputil_protocol protocol;
    struct vconn *vconn = begin_dump(ctx, aggregate, &request, &protocol);

    ofctl_dump(ofctl_of(ctx), ctx->argv[1], vconn,
               ofputil_encode_flow_stats_request(&request, protocol));
    vconn_close(vconn);
}

/* ---- Flows on their own. ---- */

struct printer {
    struct ofctl *ofctl;
    const char *target;
    struct ofctl_explainer *explainer; /* NULL: nothing is explained. */
    struct ds line;
    struct ofctl_sorted_lines sorted; /* No options: the lines are printed as they come. */
};

static int
print_flow(const struct ofputil_flow_stats *flow, void *printer_)
{
    struct printer *printer = printer_;
    const struct ofputil_table_map *tables = ofctl_tables_to_show(printer->ofctl, printer->target);
    const struct ofputil_port_map *ports = ofctl_ports_to_show(printer->ofctl, printer->target);

    ds_clear(&printer->line);
    ds_put_char(&printer->line, ' ');
    ofputil_flow_stats_format(&printer->line, flow, ports, tables, !printer->ofctl->hide_stats);
    ds_put_char(&printer->line, '\n');
    if (printer->explainer) {
        ofctl_explain_flow(printer->explainer, flow->table_id, ntohll(flow->cookie),
                           &printer->line);
    }
    if (printer->sorted.ofctl) {
        ofctl_sorted_lines_add(&printer->sorted, flow, &printer->line);
    } else {
        fwrite(printer->line.string, 1, printer->line.length, stdout);
    }
    return 0;
}

static void
dump_one_by_one(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    struct printer printer = {
        .ofctl = ofctl,
        .target = ctx->argv[1],
        .explainer = ofctl->explain ? ofctl_explainer_new(ofctl, ctx->argv[1]) : NULL,
        .line = DS_EMPTY_INITIALIZER,
        .sorted.ofctl = ofctl->sort_keys.n ? ofctl : NULL,
    };
    struct ofputil_flow_stats_request request;
    enum ofputil_protocol protocol;
    struct vconn *vconn = begin_dump(ctx, false, &request, &protocol);

    ofctl_read_flows(vconn, &request, protocol, print_flow, &printer);
    if (printer.sorted.ofctl) {
        ofctl_sorted_lines_print(&printer.sorted);
    }
    ds_destroy(&printer.line);
    if (printer.explainer) {
        ofctl_explainer_free(printer.explainer);
    }
    vconn_close(vconn);
}

/* ---- The commands. ---- */

void
ofctl_dump_flows(struct ovs_cmdl_context *ctx)
{
    const struct ofctl *ofctl = ofctl_of(ctx);

    if (ofctl->sort_keys.n || ofctl->hide_stats || ofctl->explain || ofctl_shows_names(ofctl)) {
        dump_one_by_one(ctx);
    } else {
        dump_as_it_comes(ctx, false);
    }
}

void
ofctl_dump_aggregate(struct ovs_cmdl_context *ctx)
{
    dump_as_it_comes(ctx, true);
}
