/* SPDX-License-Identifier: Apache-2.0
 *
 * What conversations with a switch have in common, however they wait: the engine's connection
 * (nwf/conn.h), which does not, and the commands of ovs-ofctl, which do. */
#ifndef NWF_OPENFLOW_H
#define NWF_OPENFLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofpbuf.h"

/* The name, for vconn_open(), of a socket of one of this host's bridges: "mgmt", which takes
 * requests, or "snoop", which tells what others say.  A new string. */
char *nwf_bridge_socket(const char *bridge, const char *kind);

/* ---- Flows that a switch has. ---- */

/* The question for the flows of a table (OFPTT_ALL: of all) whose cookie, in host byte order, is
 * 'cookie' under 'mask'. */
void nwf_flows_request_init(struct ofputil_flow_stats_request *request, uint8_t table,
                            uint64_t cookie, uint64_t mask);

/* Takes a flow, which is valid during the call; other than 0 ends the reading. */
typedef int nwf_take_flow_fn(const struct ofputil_flow_stats *flow, void *aux);

/* Reads the flows in 'part', a message that answers such a question; it is used up, and stays the
 * caller's.  'ages': also how long ago they were used and changed, where OpenFlow 1.0 is extended
 * by that.  *ret_more: other parts come.  Returns 0, what take() has returned, EPROTO if it is
 * another message, or an error of reading it: positive, for ofperr_to_string() or strerror(). */
int nwf_read_flows(struct ofpbuf *part, bool ages, nwf_take_flow_fn *take, void *aux,
                   bool *ret_more);

/* ---- Bundles, which are ordered and atomic. ---- */

/* 'type' is one of OFPBCT_..._REQUEST. */
struct ofpbuf *nwf_bundle_control(enum ofp_version version, uint32_t id, uint16_t type);

/* The message that adds 'change', which is taken, and whose xid it gets. */
struct ofpbuf *nwf_bundle_add(enum ofp_version version, uint32_t id, struct ofpbuf *change);

/* Whether the message says of the bundle that it was done: 'type' is one of OFPBCT_..._REPLY. */
bool nwf_is_bundle_reply(const struct ofpbuf *msg, uint32_t id, uint16_t type);

#endif
