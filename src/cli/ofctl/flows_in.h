/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows of a switch, one at a time as they come. */
#ifndef NWF_CLI_OFCTL_FLOWS_IN_H
#define NWF_CLI_OFCTL_FLOWS_IN_H

#include "link.h"
#include "nwf/openflow.h"

/* Calls 'take' for each flow that the switch has for the request; it returns 0.  Ends the program
 * if the switch does not answer as it should. */
void ofctl_read_flows(struct vconn *vconn, const struct ofputil_flow_stats_request *request,
                      enum ofputil_protocol protocol, nwf_take_flow_fn *take, void *aux);

#endif
