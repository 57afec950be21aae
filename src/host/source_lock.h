/* SPDX-License-Identifier: Apache-2.0
 *
 * The second lock of a host that routes for guests; see nwf/nic_lock.h. */
#ifndef NWF_HOST_SOURCE_LOCK_H
#define NWF_HOST_SOURCE_LOCK_H

#include "nwf/error.h"

/* Both return 1 if something was changed, 0 if not, else a negative errno. */
int source_lock_apply(const char *bridge, struct nwf_error *err);
int source_lock_remove(const char *bridge, struct nwf_error *err);

#endif
