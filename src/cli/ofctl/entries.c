/* SPDX-License-Identifier: Apache-2.0
 *
 * Two sets of flows side by side; see entries.h.  A table of them is a classifier of the
 * library's: its order is the order in which differences are shown and made. */
#include <config.h>

#include "entries.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flows_in.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-actions.h"

#include "lib/util.h"

static struct classifier *
table_of(struct ofctl_entries *entries, uint8_t table)
{
    if (!entries->tables[table]) {
        entries->tables[table] = nwf_zalloc(sizeof *entries->tables[table]);
        classifier_init(entries->tables[table], NULL);
    }
    return entries->tables[table];
}

struct ofctl_waiting_flow {
    struct match match;
    uint16_t priority;
    uint8_t table;
    int set;
    struct ofctl_flow_data *data;
};

/* Takes 'data'. */
static void
insert(struct ofctl_entries *entries, uint8_t table, int set, const struct minimatch *match,
       int priority, struct ofctl_flow_data *data)
{
    struct classifier *classifier = table_of(entries, table);
    const struct cls_rule *rule =
        classifier_find_minimatch_exactly(classifier, match, priority, OVS_VERSION_MAX);
    struct ofctl_entry *entry;

    if (rule) {
        entry = CONTAINER_OF(CONST_CAST(struct cls_rule *, rule), struct ofctl_entry, rule);
        free(entry->data[set]);
        entry->data[set] = data;
        return;
    }
    entry = nwf_zalloc(sizeof *entry);
    entry->data[set] = data;
    cls_rule_init_from_minimatch(&entry->rule, match, priority);
    classifier_insert(classifier, &entry->rule, OVS_VERSION_MIN, NULL, 0);
}

static void
let_wait(struct ofctl_entries *entries, uint8_t table, int set, const struct match *match,
         uint16_t priority, struct ofctl_flow_data *data)
{
    struct ofctl_waiting_flow *flow = nwf_zalloc(sizeof *flow);

    *flow = (struct ofctl_waiting_flow){*match, priority, table, set, data};
    nwf_vec_push(&entries->waiting, flow);
    ofctl_tunnel_layout_add(&entries->layout, match);
}

void
ofctl_entries_settle(struct ofctl_entries *entries)
{
    nwf_vec_foreach (waiting, &entries->waiting) {
        struct ofctl_waiting_flow *flow = *waiting;
        struct minimatch match;
        ofctl_tunnel_layout_apply(&entries->layout, &flow->match);
        minimatch_init(&match, &flow->match);
        insert(entries, flow->table, flow->set, &match, flow->priority, flow->data);
        minimatch_destroy(&match);
        free(flow);
    }
    nwf_vec_clear(&entries->waiting);
}

static struct ofctl_flow_data *
new_data(const struct ofpact *actions, size_t actions_len)
{
    struct ofctl_flow_data *data = nwf_zalloc(sizeof *data + actions_len);

    data->actions_len = (uint32_t) actions_len;
    if (actions_len) {
        memcpy(data->actions, actions, actions_len);
    }
    return data;
}

/* ---- Files. ---- */

static void
add_mod(struct ofctl_entries *entries, int set, struct ofputil_flow_mod *mod)
{
    struct ofctl_flow_data *data = new_data(mod->ofpacts, mod->ofpacts_len);
    uint8_t table = mod->table_id == OFPTT_ALL ? 0 : mod->table_id;

    data->cookie = mod->new_cookie;
    data->idle_timeout = mod->idle_timeout;
    data->hard_timeout = mod->hard_timeout;
    data->importance = mod->importance;
    data->send_flow_rem = (mod->flags & OFPUTIL_FF_SEND_FLOW_REM) != 0;
    if (mod->match.tun_md) {
        struct match match;
        minimatch_expand(&mod->match, &match);
        let_wait(entries, table, set, &match, (uint16_t) mod->priority, data);
    } else {
        insert(entries, table, set, &mod->match, mod->priority, data);
    }
    minimatch_destroy(&mod->match);
    free(mod->ofpacts);
}

enum ofputil_protocol
ofctl_entries_read_file(struct ofctl_entries *entries, int set, const char *file,
                        const struct ofputil_port_map *ports,
                        const struct ofputil_table_map *tables)
{
    enum ofputil_protocol usable = OFPUTIL_P_ANY;
    FILE *stream = strcmp(file, "-") ? fopen(file, "r") : stdin;
    struct ds line = DS_EMPTY_INITIALIZER;
    int number = 0;

    if (!stream) {
        ovs_fatal(errno, "%s: open", file);
    }
    while (!ds_get_preprocessed_line(&line, stream, &number)) {
        enum ofputil_protocol line_usable;
        struct ofputil_flow_mod mod;
        char *error = parse_ofp_str(&mod, OFPFC_ADD, ds_cstr(&line), ports, tables, &line_usable);
        if (error) {
            ovs_fatal(0, "%s:%d: %s", file, number, error);
        }
        usable &= line_usable;
        add_mod(entries, set, &mod);
    }
    ds_destroy(&line);
    if (stream != stdin) {
        fclose(stream);
    }
    return usable;
}

/* ---- Switches. ---- */

struct taker {
    struct ofctl_entries *entries;
    int set;
};

static int
add_flow(const struct ofputil_flow_stats *flow, void *taker_)
{
    struct taker *taker = taker_;
    struct ofctl_flow_data *data = new_data(flow->ofpacts, flow->ofpacts_len);
    struct minimatch match;

    data->cookie = flow->cookie;
    data->idle_timeout = flow->idle_timeout;
    data->hard_timeout = flow->hard_timeout;
    data->importance = flow->importance;
    if (ofctl_has_tunnel_metadata(&flow->match)) {
        let_wait(taker->entries, flow->table_id, taker->set, &flow->match, flow->priority, data);
        return 0;
    }
    minimatch_init(&match, &flow->match);
    insert(taker->entries, flow->table_id, taker->set, &match, flow->priority, data);
    minimatch_destroy(&match);
    return 0;
}

void
ofctl_entries_read_switch(struct ofctl_entries *entries, int set, struct vconn *vconn,
                          enum ofputil_protocol protocol)
{
    struct ofputil_flow_stats_request request;
    struct taker taker = {entries, set};

    nwf_flows_request_init(&request, OFPTT_ALL, 0, 0);
    ofctl_read_flows(vconn, &request, protocol, add_flow, &taker);
}

/* ---- Looking at them. ---- */

bool
ofctl_flow_data_equals(const struct ofctl_flow_data *a, const struct ofctl_flow_data *b)
{
    return a->cookie == b->cookie && a->idle_timeout == b->idle_timeout
           && a->hard_timeout == b->hard_timeout && a->importance == b->importance &&
           /* Text is what counts; the same bytes have the same, and are compared faster. */
           (ofpacts_equal(a->actions, a->actions_len, b->actions, b->actions_len)
            || ofpacts_equal_stringwise(a->actions, a->actions_len, b->actions, b->actions_len));
}

void
ofctl_entries_for_table(const struct ofctl_entries *entries, uint8_t table, ofctl_entry_fn *visit,
                        void *aux)
{
    struct ofctl_entry *entry;

    if (entries->tables[table]) {
        CLS_FOR_EACH(entry, rule, entries->tables[table])
        {
            visit(table, entry, aux);
        }
    }
}

void
ofctl_entries_for_each(const struct ofctl_entries *entries, ofctl_entry_fn *visit, void *aux)
{
    for (size_t table = 0; table < ARRAY_SIZE(entries->tables); table++) {
        ofctl_entries_for_table(entries, (uint8_t) table, visit, aux);
    }
}

void
ofctl_entries_destroy(struct ofctl_entries *entries)
{
    for (size_t table = 0; table < ARRAY_SIZE(entries->tables); table++) {
        struct ofctl_entry *entry;
        if (!entries->tables[table]) {
            continue;
        }
        classifier_defer(entries->tables[table]);
        CLS_FOR_EACH(entry, rule, entries->tables[table])
        {
            classifier_remove_assert(entries->tables[table], &entry->rule);
            free(entry->data[0]);
            free(entry->data[1]);
            ovsrcu_postpone(free, entry);
        }
        classifier_destroy(entries->tables[table]);
        free(entries->tables[table]);
    }
}
