/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests of what a port's plan is made from, to see whether that has changed since. */
#ifndef NWF_ENGINE_INPUT_H
#define NWF_ENGINE_INPUT_H

#include "nwf/engine.h"

/* Covers what the database says of the port and of its bridge, but not what we write there. */
struct nwf_digest nwf_input_digest(const struct nwf_ovs_bridge *bridge,
                                   const struct nwf_ovs_port *port);

#endif
