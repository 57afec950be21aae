/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames for group addresses: flooded, but for those that are for the bridge itself. */
#ifndef NWF_COMPILE_GROUP_H
#define NWF_COMPILE_GROUP_H

#include "nwf/compile.h"
#include "nwf/flow.h"

/* The flows of NWF_TABLE_GROUP beside the one that floods. */
void nwf_compile_groups(const struct nwf_bridge *bridge, struct nwf_flow_set *flows);

#endif
