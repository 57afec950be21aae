/* SPDX-License-Identifier: Apache-2.0
 *
 * Stamps: what a guest's flows were made from, noted on the flow that is its way in.
 *
 * A stamp is put there by the same bundle that puts the guest's other flows, so
 * while it is there they are what it says, unless somebody else has changed them.
 * It lets a later run skip guests whose tags, filters and port are as they were. */
#ifndef NWF_STAMP_H
#define NWF_STAMP_H

#include <stdint.h>

#include "nwf/compile.h"

/* What the flows that ports share, deliveries and floods, know of a guest, in short. */
struct nwf_shared_digest {
    uint8_t bytes[12];
};

struct nwf_stamp {
    struct nwf_digest digest;
    struct nwf_shared_digest shared;
    uint32_t n_flows; /* Of the guest's filter, both directions. */
    uint8_t n_stages[NWF_N_DIRECTIONS];
    struct nwf_flood_verdicts flood;
    uint8_t unreached; /* As in struct nwf_port, by the floods that came with the stamp. */
};

/* Sets stamp->shared to what there is to know of 'port', whose flood verdicts and zone
 * are set, and of the stages that 'stamp' counts. */
void nwf_stamp_set_shared(struct nwf_stamp *stamp, const struct nwf_bridge *bridge,
                          const struct nwf_port *port);

/* Appends the stamp as an action of no effect. */
void nwf_stamp_put(const struct nwf_stamp *stamp, struct ofpbuf *actions);

/* Reads the stamp out of a flow's actions; false if it has none that we understand. */
bool nwf_stamp_get(const struct nwf_flow *flow, struct nwf_stamp *ret);

#endif
