/* SPDX-License-Identifier: Apache-2.0
 *
 * What guests' flows and those of other ports have in common. */
#ifndef NWF_COMPILE_GUEST_H
#define NWF_COMPILE_GUEST_H

#include "nwf/compile.h"
#include "nwf/pipeline.h"

/* In audit mode: a port that is known admits no more than its VLANs do. */
void nwf_add_unadmitted(const struct nwf_port *port, enum nwf_cookie_kind kind,
                        struct nwf_flow_set *flows);

#endif
