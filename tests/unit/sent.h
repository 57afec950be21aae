/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows as a switch gets them. */
#ifndef TEST_SENT_H
#define TEST_SENT_H

#include "nwf/flow.h"

/* Whether a switch that is sent the flow gets that one, in every OpenFlow version that is spoken,
 * and in one message; prints what it would get. */
bool comes_back(const struct nwf_flow *flow);

#endif
