/* SPDX-License-Identifier: Apache-2.0
 *
 * Guests that are on their way here.  Until the port of one is there, nothing else tells its
 * entries from those of a guest that has gone: its configuration is another node's. */
#ifndef NWF_HOOK_PVE_INCOMING_H
#define NWF_HOOK_PVE_INCOMING_H

#include <stdbool.h>

#include "nwf/error.h"

/* How long a guest may take from "pre-start" to its ports, which QEMU makes as it starts. */
#define NWF_PVE_INCOMING_S 600

/* Notes that the guest is on its way; for so long, and not past the host's next boot. */
int nwf_pve_incoming_note(unsigned int vmid, struct nwf_error *err);

/* It has come, or does not come. */
void nwf_pve_incoming_forget(unsigned int vmid);

bool nwf_pve_is_incoming(unsigned int vmid);

#endif
