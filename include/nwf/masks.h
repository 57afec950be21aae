/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters that let a guest make the datapath slow for all. */
#ifndef NWF_MASKS_H
#define NWF_MASKS_H

#include <stdint.h>

#include "nwf/program.h"

/* What a guest may leave without being told of.  A rule about a port next to one about an address
 * is so common, and makes a few hundred. */
#define NWF_MASKS_GOOD 512

/* About how many masks the addresses and ports that a guest makes up can leave in the datapath's
 * cache under 'filter': each packet is compared with all masks that are there.  'params' has a
 * value for each variable, any will do.  0: the filter cannot be compiled. */
uint64_t nwf_filter_masks(struct nwf_store *store, const struct nwf_filter *filter,
                          const struct nwf_params *params);

#endif
