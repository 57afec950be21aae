/* SPDX-License-Identifier: Apache-2.0
 *
 * What the second lock has kept from leaving, beside what the guard's flows have. */
#ifndef NWF_CLI_GUARD_LOCK_H
#define NWF_CLI_GUARD_LOCK_H

#include "nwf/offenders.h"

/* Adds the lock's counters of the plan's bridge to the offenders: to those that the flows know as
 * well, or as others. */
int nwf_guard_add_lock(const struct nwf_plan *plan, struct nwf_offenders *offenders,
                       struct nwf_error *err);

#endif
