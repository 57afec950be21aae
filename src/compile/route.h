/* SPDX-License-Identifier: Apache-2.0
 *
 * Routing by flows: packets of guests for other places, and from there. */
#ifndef NWF_COMPILE_ROUTE_H
#define NWF_COMPILE_ROUTE_H

#include "nwf/compile.h"

/* Adds what routing knows of one guest: its addresses, where it may send from and is sent to. */
void nwf_compile_guest_routes(const struct nwf_bridge *bridge, const struct nwf_port *port,
                              struct nwf_flow_set *flows);

#endif
