/* SPDX-License-Identifier: Apache-2.0
 *
 * What a filter says of a frame, by libvirt's, ebtables' and iptables' rules alone: the judge over
 * everything that the compiler does to a filter.  It knows neither matches nor stages,
 * and looks at a frame's fields as they are, seen by Open vSwitch or not. */
#ifndef TEST_REFERENCE_H
#define TEST_REFERENCE_H

#include "frame.h"
#include "nwf/program.h"

struct verdict {
    bool accepted;
    uint32_t rule; /* The deciding rule's id, or NWF_RULE_END. */
};

/* Of the Ethernet layer alone, and of all. */
struct verdict reference_verdict(const struct nwf_side *side, const struct frame *frame);
struct verdict reference_verdict_of_all(const struct nwf_program *program,
                                        enum nwf_direction direction, const struct frame *frame);

/* Whether conntrack sees the packets of the frame's family. */
bool reference_is_tracked(const struct nwf_program *program, const struct frame *frame);

#endif
