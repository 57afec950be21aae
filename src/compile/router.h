/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the host's kernel routes between a bridge's guests: what it sends back to the bridge. */
#ifndef NWF_COMPILE_ROUTER_H
#define NWF_COMPILE_ROUTER_H

#include "nwf/compile.h"
#include "openvswitch/match.h"
#include "openvswitch/ofpbuf.h"

/* Adds, above the way in of the host's port that 'match' and 'arrival' are at 'priority', the ways
 * of packets that an isolated guest has sent by the host, and of what no guest is to get of it. */
void nwf_add_routed_arrivals(const struct nwf_bridge *bridge, const struct nwf_port *port,
                             const struct match *match, const struct ofpbuf *arrival,
                             uint16_t priority, struct nwf_flow_set *flows);

#endif
