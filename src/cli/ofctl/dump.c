/* SPDX-License-Identifier: Apache-2.0
 *
 * Dumps of flows: as they come from the switch, or without their counters, or sorted. */
#include <config.h>

#include "explain_flows.h"
#include "flows_in.h"
#include "tunnel.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-flow.h"

#include "lib/byte-order.h"
#include "lib/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Connects, and makes the request for the flows that the command's second operand matches. */
static struct vconn *
begin_dump(struct ovs_cmdl_context *ctx, bool aggregate, struct ofputil_flow_stats_request *request,
           enum ofputil_protocol *protocol)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    const char *match = ctx->argc > 2 ? ctx->argv[2] : "";
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
};

static void
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
    fwrite(printer->line.string, 1, printer->line.length, stdout);
}

struct flows {
    struct ofputil_flow_stats *data;
    size_t n, allocated;
};

static void
keep_flow(const struct ofputil_flow_stats *flow, void *flows_)
{
    struct flows *flows = flows_;

    nwf_vec_push(flows, *flow);
    flows->data[flows->n - 1].ofpacts = nwf_memdup(flow->ofpacts, flow->ofpacts_len);
}

/* ---- Sorting. ---- */

static void
get_value(const struct mf_field *field, const struct match *match, union mf_value *value)
{
    if (mf_is_tun_metadata(field)) {
        ofctl_tunnel_read(match, field, value);
    } else {
        mf_get_value(field, &match->flow, value);
    }
}

/* A flow that has nothing of the field goes to the end, whatever the order. */
static int
compare_field(const struct ofctl_sort_key *key, const struct match *a, const struct match *b)
{
    bool has_a =
        mf_are_prereqs_ok(key->field, &a->flow, NULL) && !mf_is_all_wild(key->field, &a->wc);
    bool has_b =
        mf_are_prereqs_ok(key->field, &b->flow, NULL) && !mf_is_all_wild(key->field, &b->wc);
    union mf_value value_a, value_b;

    if (!has_a || !has_b) {
        return has_b - has_a;
    }
    get_value(key->field, a, &value_a);
    get_value(key->field, b, &value_b);
    int order = memcmp(&value_a, &value_b, (size_t) key->field->n_bytes);
    return key->descending ? -order : order;
}

static int
compare_priority(const struct ofctl_sort_key *key, unsigned int a, unsigned int b)
{
    int order = (a > b) - (a < b);

    return key->descending ? -order : order;
}

/* Flows that are alike in all keys: the higher priority first. */
static int
compare_flows(const void *a_, const void *b_, void *ofctl_)
{
    const struct ofputil_flow_stats *a = a_, *b = b_;
    const struct ofctl *ofctl = ofctl_;

    nwf_vec_foreach (key, &ofctl->sort_keys) {
        int order = key->field ? compare_field(key, &a->match, &b->match)
                               : compare_priority(key, a->priority, b->priority);
        if (order) {
            return order;
        }
    }
    return (a->priority < b->priority) - (a->priority > b->priority);
}

static void
print_sorted(struct ofctl *ofctl, struct flows *flows, struct printer *printer)
{
    qsort_r(flows->data, flows->n, sizeof *flows->data, compare_flows, ofctl);
    nwf_vec_foreach (flow, flows) {
        print_flow(flow, printer);
        free((void *) flow->ofpacts);
    }
    nwf_vec_clear(flows);
}

static void
dump_one_by_one(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    struct printer printer = {
        .ofctl = ofctl,
        .target = ctx->argv[1],
        .explainer = ofctl->explain ? ofctl_explainer_new(ctx->argv[1]) : NULL,
        .line = DS_EMPTY_INITIALIZER,
    };
    struct ofputil_flow_stats_request request;
    enum ofputil_protocol protocol;
    struct vconn *vconn = begin_dump(ctx, false, &request, &protocol);

    if (ofctl->sort_keys.n) {
        struct flows flows = {.data = NULL};
        ofctl_read_flows(vconn, &request, protocol, keep_flow, &flows);
        print_sorted(ofctl, &flows, &printer);
    } else {
        ofctl_read_flows(vconn, &request, protocol, print_flow, &printer);
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
