/* SPDX-License-Identifier: Apache-2.0
 *
 * replace-flows and diff-flows: what a file or switch has, beside another. */
#include <config.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "entries.h"
#include "protect.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-actions.h"

#include "lib/byte-order.h"
#include "lib/util.h"

/* ---- replace-flows ---- */

enum { IN_SWITCH, IN_FILE };

struct replacement {
    struct ofctl_protection *protection;
    bool readd;
    enum ofputil_protocol protocol;
    struct ovs_list requests;
};

static void
add_request(struct replacement *replacement, uint8_t table, const struct ofctl_entry *entry,
            uint16_t command)
{
    const struct ofctl_flow_data *data = entry->data[IN_FILE];
    struct ofputil_flow_mod mod = {
        .priority = entry->rule.priority,
        .table_id = table,
        .command = command,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };

    minimatch_clone(&mod.match, &entry->rule.match);
    if (command == OFPFC_ADD) {
        mod.new_cookie = data->cookie;
        mod.idle_timeout = data->idle_timeout;
        mod.hard_timeout = data->hard_timeout;
        mod.importance = data->importance;
        mod.flags = data->send_flow_rem ? OFPUTIL_FF_SEND_FLOW_REM : 0;
        mod.ofpacts = CONST_CAST(struct ofpact *, data->actions);
        mod.ofpacts_len = data->actions_len;
    }
    ofctl_protection_check(replacement->protection, &mod);
    struct ofpbuf *request = ofctl_number(ofputil_encode_flow_mod(&mod, replacement->protocol));
    minimatch_destroy(&mod.match);
    ovs_list_push_back(&replacement->requests, &request->list_node);
}

static void
delete_entry(uint8_t table, const struct ofctl_entry *entry, void *replacement)
{
    if (!entry->data[IN_FILE]) {
        add_request(replacement, table, entry, OFPFC_DELETE_STRICT);
    }
}

static void
add_entry(uint8_t table, const struct ofctl_entry *entry, void *replacement_)
{
    struct replacement *replacement = replacement_;
    const struct ofctl_flow_data *wanted = entry->data[IN_FILE], *there = entry->data[IN_SWITCH];

    if (wanted && (replacement->readd || !there || !ofctl_flow_data_equals(wanted, there))) {
        add_request(replacement, table, entry, OFPFC_ADD);
    }
}

/* What goes makes room for what comes, table by table. */
static void
make_requests(const struct ofctl_entries *entries, struct replacement *replacement)
{
    ovs_list_init(&replacement->requests);
    for (int table = 0; table <= UINT8_MAX; table++) {
        ofctl_entries_for_table(entries, (uint8_t) table, delete_entry, replacement);
        ofctl_entries_for_table(entries, (uint8_t) table, add_entry, replacement);
    }
}

void
ofctl_replace_flows(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    const char *target = ctx->argv[1];
    const struct ofputil_port_map *ports = ofctl_ports_to_accept(ofctl, target);
    const struct ofputil_table_map *tables = ofctl_tables_to_accept(ofctl, target);
    struct replacement replacement = {.readd = ofctl->readd};
    struct ofctl_entries entries = {.waiting = {.n = 0}};
    enum ofputil_protocol usable =
        ofctl_entries_read_file(&entries, IN_FILE, ctx->argv[2], ports, tables);

    if (ofctl->bundle) {
        usable &= OFPUTIL_P_OF13_UP;
    }
    struct vconn *vconn = ofctl_connect_for_dump(ofctl, target, usable, &replacement.protocol);
    ofctl_entries_read_switch(&entries, IN_SWITCH, vconn, replacement.protocol);

    ofctl_entries_settle(&entries);
    replacement.protection = ofctl_protection_new(ofctl, target, NULL);
    make_requests(&entries, &replacement);
    ofctl_protection_judge(replacement.protection);
    if (ofctl->bundle) {
        ofctl_transact_bundle_list(ofctl, target, vconn, &replacement.requests);
    } else {
        ofctl_transact_list(ofctl, target, vconn, &replacement.requests);
    }
    vconn_close(vconn);
    ofctl_protection_free(replacement.protection);
    ofctl_entries_destroy(&entries);
}

/* ---- diff-flows ---- */

struct difference {
    const struct ofputil_port_map *ports;
    bool found;
    struct ds text;
};

static void
print_side(struct difference *difference, char sign, uint8_t table, const struct ofctl_entry *entry,
           const struct ofctl_flow_data *data)
{
    struct ds *text = &difference->text;
    struct ofpact_format_params params = {
        .port_map = difference->ports,
        .s = text,
    };

    ds_clear(text);
    ds_put_char(text, sign);
    if (table) {
        ds_put_format(text, "table=%u ", (unsigned int) table);
    }
    cls_rule_format(&entry->rule, NULL, difference->ports, text);
    if (data->cookie) {
        ds_put_format(text, " cookie=0x%" PRIx64, ntohll(data->cookie));
    }
    if (data->idle_timeout) {
        ds_put_format(text, " idle_timeout=%u", (unsigned int) data->idle_timeout);
    }
    if (data->hard_timeout) {
        ds_put_format(text, " hard_timeout=%u", (unsigned int) data->hard_timeout);
    }
    if (data->importance) {
        ds_put_format(text, " importance=%u", (unsigned int) data->importance);
    }
    ds_put_cstr(text, " actions=");
    ofpacts_format(data->actions, data->actions_len, &params);
    ds_put_char(text, '\n');
    fwrite(text->string, 1, text->length, stdout);
}

static void
diff_entry(uint8_t table, const struct ofctl_entry *entry, void *difference_)
{
    struct difference *difference = difference_;
    const struct ofctl_flow_data *a = entry->data[0], *b = entry->data[1];

    if (a && b && ofctl_flow_data_equals(a, b)) {
        return;
    }
    difference->found = true;
    if (a) {
        print_side(difference, '-', table, entry, a);
    }
    if (b) {
        print_side(difference, '+', table, entry, b);
    }
}

static bool
is_switch(const char *source)
{
    struct stat s;

    return *source != '/' && *source != '.' && (strchr(source, ':') || stat(source, &s));
}

/* The names of the first switch are used for both sources. */
static void
read_source(struct ofctl *ofctl, struct difference *difference, struct ofctl_entries *entries,
            int set, const char *source)
{
    enum ofputil_protocol protocol;

    if (!is_switch(source)) {
        ofctl_entries_read_file(entries, set, source, difference->ports, NULL);
        return;
    }
    struct vconn *vconn = ofctl_connect_for_dump(ofctl, source, OFPUTIL_P_ANY, &protocol);
    ofctl_entries_read_switch(entries, set, vconn, protocol);
    if (!difference->ports) {
        difference->ports = ofctl_ports_to_show(ofctl, source);
    }
    vconn_close(vconn);
}

void
ofctl_diff_flows(struct ovs_cmdl_context *ctx)
{
    struct ofctl *ofctl = ofctl_of(ctx);
    struct difference difference = {.text = DS_EMPTY_INITIALIZER};
    struct ofctl_entries entries = {.waiting = {.n = 0}};

    for (int set = 0; set < 2; set++) {
        read_source(ofctl, &difference, &entries, set, ctx->argv[1 + set]);
    }
    ofctl_entries_settle(&entries);
    ofctl_entries_for_each(&entries, diff_entry, &difference);
    ds_destroy(&difference.text);
    if (difference.found) {
        exit(2);
    }
}
