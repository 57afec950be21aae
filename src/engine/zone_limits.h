/* SPDX-License-Identifier: Apache-2.0
 *
 * How many connections the table of the host may hold for one guest. */
#ifndef NWF_ZONE_LIMITS_H
#define NWF_ZONE_LIMITS_H

#include "nwf/engine.h"

/* Limits the zones of the plan's ports, and with 'all', which wants plan->zones to know of all
 * Interfaces, frees those that nobody has any more.  A datapath that has no such limits is no
 * error: plan->no_limits says so. */
int nwf_zone_limits_apply(struct nwf_plan *plan, bool all, unsigned int timeout_ms,
                          struct nwf_error *err);

#endif
