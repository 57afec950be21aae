/* SPDX-License-Identifier: Apache-2.0
 *
 * An Ethernet address. */
#ifndef NWF_MAC_H
#define NWF_MAC_H

#include <stdint.h>

#include "nwf/vec.h"

struct nwf_mac {
    uint8_t octets[6];
};

struct nwf_macs {
    struct nwf_mac *data;
    size_t n, allocated;
};

#endif
