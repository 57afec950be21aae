/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet given on the command line. */
#ifndef NWF_CLI_PACKET_H
#define NWF_CLI_PACKET_H

#include "nwf/error.h"
#include "nwf/evaluate.h"
#include "openvswitch/flow.h"

struct dp_packet;

struct nwf_packet {
    struct dp_packet *data;      /* Its bytes; owned. */
    struct flow flow;            /* As Open vSwitch sees it when it arrives. */
    struct nwf_evaluation_ct ct; /* What conntrack will say of it. */
};

/* Reads 'text': a flow in ovs-ofctl's syntax, bytes in hexadecimal, or FILE.pcap[:N], the
 * Nth packet of a capture.  'ct' is what conntrack says, such as "est,rpl"; NULL: what a
 * flow says in ct_state, or else "new".  Cleared with nwf_packet_clear(). */
int nwf_packet_parse(const char *text, const char *ct, struct nwf_packet *ret,
                     struct nwf_error *err);
void nwf_packet_clear(struct nwf_packet *packet);

/* The flow in ovs-ofctl's syntax, as if it came in by 'in_port'; a new string. */
char *nwf_flow_text(const struct flow *flow, uint16_t in_port);

#endif
