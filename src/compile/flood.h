/* SPDX-License-Identifier: Apache-2.0
 *
 * Flooded frames: who gets a copy, and who agrees on that beforehand. */
#ifndef NWF_COMPILE_FLOOD_H
#define NWF_COMPILE_FLOOD_H

#include "nwf/compile.h"
#include "nwf/stages.h"

/* Asks the stages towards a guest about each kind of frames. */
void nwf_flood_judge(const struct nwf_stages *to_vm, struct nwf_flood_verdicts *ret);

/* Sets in 'vids' the VLANs that ports name, and that of untagged frames. */
void nwf_bridge_note_vlans(const struct nwf_bridge *bridge, bool vids[NWF_N_VLANS]);

/* Adds the flows of NWF_TABLE_FLOOD and NWF_TABLE_RECEIVERS, and notes on ports whom they
 * do not reach; see nwf_compile_bridge(). */
void nwf_compile_floods(struct nwf_bridge *bridge, struct nwf_flow_set *flows);

#endif
