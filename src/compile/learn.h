/* SPDX-License-Identifier: Apache-2.0
 *
 * What the switch learns by itself: which trusted port an address is behind. */
#ifndef NWF_COMPILE_LEARN_H
#define NWF_COMPILE_LEARN_H

#include "nwf/compile.h"

/* Adds the flows of NWF_TABLE_LEARN. */
void nwf_compile_learning(const struct nwf_bridge *bridge, struct nwf_flow_set *flows);

#endif
