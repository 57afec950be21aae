/* SPDX-License-Identifier: Apache-2.0
 *
 * Which NIC gives a bridge its Ethernet address, and what the kernel knows of it. */
#ifndef NWF_UPLINK_MAC_H
#define NWF_UPLINK_MAC_H

#include <stdbool.h>

#include "nwf/record.h"
#include "nwf/routed.h"

/* The uplink of a routed bridge, or the first NIC that is guarded; NULL: there is none. */
const char *nwf_uplink_name(const struct nwf_routed_config *config);

/* That of the device, by the kernel. */
bool nwf_kernel_mac(const char *device, struct nwf_mac *ret);

/* As other_config:hwaddr has it: a new string. */
char *nwf_mac_format(const struct nwf_mac *mac);

/* What a bridge is to have that is managed again by its record; NULL: nothing, or it is not known
 * yet. */
char *nwf_recorded_hwaddr(const struct nwf_record *record);

#endif
