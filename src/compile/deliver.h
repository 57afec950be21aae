/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a frame for one station goes: whose its address is, and how that port gets it. */
#ifndef NWF_COMPILE_DELIVER_H
#define NWF_COMPILE_DELIVER_H

#include "nwf/compile.h"
#include "nwf/pipeline.h"

/* Adds the port's flows of NWF_TABLE_KNOWN: how it gets frames for an address that was seen on
 * it, in each of its VLANs. */
void nwf_add_known(const struct nwf_port *port, enum nwf_cookie_kind kind,
                   struct nwf_flow_set *flows);

/* Adds the flows of NWF_TABLE_FORWARD that tell which guest an address is the own of. */
void nwf_compile_deliveries(const struct nwf_bridge *bridge, struct nwf_flow_set *flows);

#endif
