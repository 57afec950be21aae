/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a guest is heard: what an accepted frame tells of its sender's address. */
#ifndef NWF_COMPILE_SIGHTING_H
#define NWF_COMPILE_SIGHTING_H

#include "nwf/compile.h"
#include "nwf/stages.h"

/* Whether the stages of direction out accept no frame from another Ethernet address than 'mac'.
 * False also in doubt. */
bool nwf_stages_confine_sender(const struct nwf_stages *from_vm, const struct nwf_mac *mac);

/* Adds the guest's flows of NWF_TABLE_SENDER; with 'floats' for other addresses than its own too.
 * If the guest has been heard, that its own address is where it is. */
void nwf_add_sightings(const struct nwf_bridge *bridge, const struct nwf_port *port, bool floats,
                       struct nwf_flow_set *flows);

/* Adds the flows of NWF_TABLE_SENDER for addresses that are nobody's to take. */
void nwf_compile_host_addresses(const struct nwf_bridge *bridge, struct nwf_flow_set *flows);

#endif
