/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks over a switch's ports and tables, whatever the message that lists them in the
 * connection's version. */
#ifndef NWF_CLI_OFCTL_PORTS_H
#define NWF_CLI_OFCTL_PORTS_H

#include "link.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-table.h"

struct ofctl_port_walk {
    struct vconn *vconn;
    ovs_be32 xid;
    bool has_more; /* Messages. */
    struct ofpbuf *reply;
};

void ofctl_ports_begin(struct ofctl_port_walk *walk, struct vconn *vconn);
bool ofctl_ports_next(struct ofctl_port_walk *walk, struct ofputil_phy_port *port);
void ofctl_ports_end(struct ofctl_port_walk *walk);

/* What is asked about tables: OFCTL_TABLE_FEATURES has names too, in any version, and
 * OFCTL_TABLE_DESC has what can be configured, from OpenFlow 1.4 on. */
enum ofctl_table_kind { OFCTL_TABLE_FEATURES, OFCTL_TABLE_DESC };

struct ofctl_table_walk {
    struct vconn *vconn;
    enum ofctl_table_kind kind;
    ovs_be32 xid;
    bool has_more; /* Messages. */
    struct ofpbuf *reply;
    struct ofputil_table_features features;
    struct ofputil_table_desc desc;
    struct ofpbuf raw_properties; /* Of 'features', for sending them back. */
};

void ofctl_tables_begin(struct ofctl_table_walk *walk, struct vconn *vconn,
                        enum ofctl_table_kind kind);
/* With a request of the caller's for it. */
void ofctl_tables_begin_with(struct ofctl_table_walk *walk, struct vconn *vconn,
                             enum ofctl_table_kind kind, struct ofpbuf *request);
/* The next table, valid until the one after it; NULL: there is none. */
const struct ofputil_table_features *ofctl_tables_next(struct ofctl_table_walk *walk);
const struct ofputil_table_desc *ofctl_tables_next_desc(struct ofctl_table_walk *walk);
void ofctl_tables_end(struct ofctl_table_walk *walk);

#endif
