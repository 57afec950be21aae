/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose an Ethernet address is, where several ports claim it.
 *
 * A guest's own address is pinned to its port, and nobody else's in any VLAN that both are in.
 * Further addresses may be shared, as VRRP's are, by guests of which none has it as its own; a
 * guest that comes, and has for its own what guests share that are in force, is refused. */
#ifndef NWF_CLAIMS_H
#define NWF_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>

#include "nwf/mac.h"
#include "nwf/vlan.h"

struct nwf_claim {
    struct nwf_mac mac;
    const struct nwf_vlan *vlan; /* NULL: in all of them. */
    size_t port;                 /* The caller's number for it. */
    bool fixed;                  /* The host's own address: never refused. */
    bool pinned;
    /* Of two that claim one address, the one that has it keeps it: */
    bool holds;  /* the switch delivers to it now, */
    bool active; /* or at least its status says that it is protected. */
    uint16_t ofport;
};

struct nwf_claims {
    struct nwf_claim *data;
    size_t n, allocated;
};

/* Sorts the claims, and calls refuse() once for each port that claims what is another's. */
void nwf_claims_judge(struct nwf_claims *claims,
                      void (*refuse)(const struct nwf_claim *refused, const struct nwf_claim *owner,
                                     void *aux),
                      void *aux);

#endif
