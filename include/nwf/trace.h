/* SPDX-License-Identifier: Apache-2.0
 *
 * The switch's own account of a packet's way (ofproto/trace, ovs-vswitchd(8)). */
#ifndef NWF_TRACE_H
#define NWF_TRACE_H

#include <stdint.h>

#include "nwf/error.h"
#include "nwf/vec.h"

/* A flow that the packet met. */
struct nwf_traced {
    uint8_t table;
    uint64_t cookie;
};

struct nwf_trace {
    NWF_VEC(struct nwf_traced) flows; /* In the order in which they were met. */
    NWF_VEC(uint16_t) outputs;        /* Ports that flows put it out to by their number. */
};

/* Traces 'flow' (a packet in ovs-ofctl's syntax, in_port included) through 'bridge';
 * 'ct_state' is what conntrack says whenever it is asked, in ovs-appctl's words.  Ends
 * within 'timeout_ms'.
 *
 * A flow and no packet: of a packet's trace the switch would learn addresses. */
int nwf_trace_packet(const char *bridge, const char *flow, const char *ct_state,
                     unsigned int timeout_ms, struct nwf_trace *ret, struct nwf_error *err);

void nwf_trace_clear(struct nwf_trace *trace);

/* Reads flows and outputs out of what ofproto/trace has printed.  Lines that are not understood
 * are passed over. */
void nwf_trace_parse(const char *text, struct nwf_trace *ret);

#endif
