/* SPDX-License-Identifier: Apache-2.0
 *
 * Two sets of flows side by side: what each of them has for a table, match and priority. */
#ifndef NWF_CLI_OFCTL_ENTRIES_H
#define NWF_CLI_OFCTL_ENTRIES_H

#include "link.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "tunnel.h"

#include "lib/classifier.h"

/* What one set has: all that makes two flows of one key different. */
struct ofctl_flow_data {
    ovs_be64 cookie;
    uint16_t idle_timeout, hard_timeout, importance;
    bool send_flow_rem; /* The one flag that a replacement sets. */
    uint32_t actions_len;
    struct ofpact actions[];
};

struct ofctl_entry {
    struct cls_rule rule;
    struct ofctl_flow_data *data[2]; /* NULL: this set has no such flow. */
};

/* A flow that is not yet in its table. */
struct ofctl_waiting_flow;

struct ofctl_entries {
    struct classifier *tables[256]; /* NULL: neither set has any flow there. */
    /* Flows with tunnel metadata, which need to know each other before they can be compared. */
    NWF_VEC(struct ofctl_waiting_flow *) waiting;
    struct ofctl_tunnel_layout layout;
};

void ofctl_entries_destroy(struct ofctl_entries *entries);

/* Adds the flows of a file, which may be "-", to one set, and returns the formats that can
 * carry all of them.  A later one takes the place of an earlier one with its key. */
enum ofputil_protocol ofctl_entries_read_file(struct ofctl_entries *entries, int set,
                                              const char *file,
                                              const struct ofputil_port_map *ports,
                                              const struct ofputil_table_map *tables);

/* Adds the flows of a switch. */
void ofctl_entries_read_switch(struct ofctl_entries *entries, int set, struct vconn *vconn,
                               enum ofputil_protocol protocol);

/* To be called when both sets are complete, before the functions below. */
void ofctl_entries_settle(struct ofctl_entries *entries);

bool ofctl_flow_data_equals(const struct ofctl_flow_data *a, const struct ofctl_flow_data *b);

/* Calls visit() for each of a table, or of all, table by table.  Flows that match on the same
 * fields stand together, those with the highest priority first. */
typedef void ofctl_entry_fn(uint8_t table, const struct ofctl_entry *entry, void *aux);
void ofctl_entries_for_table(const struct ofctl_entries *entries, uint8_t table,
                             ofctl_entry_fn *visit, void *aux);
void ofctl_entries_for_each(const struct ofctl_entries *entries, ofctl_entry_fn *visit, void *aux);

#endif
