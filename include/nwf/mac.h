/* SPDX-License-Identifier: Apache-2.0
 *
 * An Ethernet address. */
#ifndef NWF_MAC_H
#define NWF_MAC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "nwf/vec.h"

struct nwf_mac {
    uint8_t octets[6];
};

struct nwf_macs {
    struct nwf_mac *data;
    size_t n, allocated;
};

static inline bool
nwf_macs_equal(const struct nwf_macs *a, const struct nwf_macs *b)
{
    return a->n == b->n && (!a->n || !memcmp(a->data, b->data, a->n * sizeof a->data[0]));
}

#endif
