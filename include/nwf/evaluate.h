/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet's way through stages, as Open vSwitch would take it: for explaining. */
#ifndef NWF_EVALUATE_H
#define NWF_EVALUATE_H

#include "nwf/stages.h"

/* What conntrack says of a packet once it is asked. */
struct nwf_evaluation_ct {
    uint32_t state; /* OVS_CS_F_* bits, "trk" included. */
    bool answered;  /* Whether its connection has been answered before. */
    /* Ports (or ICMP type and code) as its connection began; without them, the packet's own
     * are taken, which a later fragment has not. */
    bool has_ports;
    uint16_t src_port, dst_port;
    uint8_t proto;
};

struct nwf_step {
    size_t stage;
    const struct nwf_row *row; /* The one that decided; of the stages. */
};

struct nwf_evaluation {
    NWF_VEC(struct nwf_step) steps; /* The last one accepts or drops. */
};

/* Sends 'packet' through the stages (untracked as it comes, its in_port set if the host sent it).
 */
void nwf_evaluate(const struct nwf_stages *stages, const struct flow *packet,
                  const struct nwf_evaluation_ct *ct, struct nwf_evaluation *ret);
void nwf_evaluation_clear(struct nwf_evaluation *evaluation);

#endif
