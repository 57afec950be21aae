/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet's way through stages, as Open vSwitch would take it: for explaining. */
#ifndef NWF_WALK_H
#define NWF_WALK_H

#include "nwf/stages.h"

/* What conntrack says of a packet once it is asked. */
struct nwf_walk_ct {
    uint32_t state; /* OVS_CS_F_* bits, "trk" included. */
    bool answered;  /* Whether its connection has been answered before. */
};

struct nwf_step {
    size_t stage;
    const struct nwf_row *row; /* The one that decided; of the stages. */
};

struct nwf_walk {
    NWF_VEC(struct nwf_step) steps; /* The last one accepts or drops. */
};

/* Walks 'packet' (untracked as it comes, its in_port set if the host sent it). */
void nwf_walk(const struct nwf_stages *stages, const struct flow *packet,
              const struct nwf_walk_ct *ct, struct nwf_walk *ret);
void nwf_walk_clear(struct nwf_walk *walk);

#endif
