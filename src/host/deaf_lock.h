/* SPDX-License-Identifier: Apache-2.0
 *
 * Guests' devices of which the kernel hears nothing; see nwf/nic_lock.h. */
#ifndef NWF_HOST_DEAF_LOCK_H
#define NWF_HOST_DEAF_LOCK_H

#include "nwf/nic_lock.h"

/* Makes it so for locks->deaf, and for no other device.  Both return 1 if something was changed, 0
 * if not, else a negative errno. */
int deaf_lock_apply(const char *bridge, const struct nwf_nic_locks *locks, struct nwf_error *err);
int deaf_lock_remove(const char *bridge, struct nwf_error *err);

#endif
