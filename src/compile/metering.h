/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of what a guest sends: meters before its filter, and behind it. */
#ifndef NWF_COMPILE_METERING_H
#define NWF_COMPILE_METERING_H

#include "nwf/compile.h"

/* Where a guest's frames go first: to its limits, if it has any and they can be had. */
uint8_t nwf_first_table(const struct nwf_bridge *bridge, const struct nwf_port *port);

/* Appends the meter of those that begin a connection; before all other actions. */
void nwf_put_new_limit(const struct nwf_bridge *bridge, const struct nwf_port *port,
                       struct ofpbuf *actions);

/* Adds the guest's flows of the tables of limits. */
void nwf_add_limits(const struct nwf_bridge *bridge, const struct nwf_port *port,
                    struct nwf_flow_set *flows);

#endif
