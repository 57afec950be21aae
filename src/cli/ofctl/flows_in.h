/* SPDX-License-Identifier: Apache-2.0
 *
 * The flows of a switch, one by one as they come. */
#ifndef NWF_CLI_OFCTL_FLOWS_IN_H
#define NWF_CLI_OFCTL_FLOWS_IN_H

#include "link.h"
#include "openvswitch/ofp-flow.h"

typedef void ofctl_flow_fn(const struct ofputil_flow_stats *flow, void *aux);

/* Sends the request and calls take(flow, aux) for each flow; what 'flow' points to is gone
 * afterwards. */
void ofctl_read_flows(struct vconn *vconn, const struct ofputil_flow_stats_request *request,
                      enum ofputil_protocol protocol, ofctl_flow_fn *take, void *aux);

#endif
