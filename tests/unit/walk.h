/* SPDX-License-Identifier: Apache-2.0
 *
 * A frame's way through a set of flows, as Open vSwitch takes it. */
#ifndef TEST_WALK_H
#define TEST_WALK_H

#include "nwf/flow.h"
#include "nwf/vec.h"

struct copy {
    uint16_t port; /* Where it was put out, */
    struct flow frame;
};

struct walk {
    const struct nwf_flow_set *flows;
    size_t packet_size;          /* Bytes with the Ethernet header. */
    NWF_VEC(struct copy) copies; /* In the order in which they were put out. */
    size_t n_learned;            /* Learn actions that were met. */
};

/* Takes the frame in at table 0.  Of connection tracking it knows nothing. */
void walk_frame(struct walk *walk, const struct flow *frame);
void walk_clear(struct walk *walk);

/* The flow of the table that the frame meets, or NULL. */
const struct nwf_flow *walk_look_up(const struct nwf_flow_set *flows, uint8_t table,
                                    const struct flow *frame);

#endif
