/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the host's kernel sends packets to, for flows that route in its place. */
#ifndef NWF_SURROUNDINGS_H
#define NWF_SURROUNDINGS_H

#include "nwf/host.h"
#include "nwf/routing.h"

/* Where the default route of a family leads. */
struct nwf_host_router {
    bool is_known; /* There is one, by the device that was asked for. */
    struct nwf_address address;
    struct nwf_gateway at; /* What the kernel has as its neighbour. */
};

struct nwf_surroundings {
    struct nwf_host_router routers[NWF_N_ROUTED];
    struct nwf_inwards inwards; /* The host's own addresses, and what it has other routes for. */
};

void nwf_surroundings_clear(struct nwf_surroundings *surroundings);

/* Looks at the main table's routes and at the device's neighbours.  Routes of ours do not count. */
int nwf_host_look_around(struct nwf_host *host, const char *device, struct nwf_surroundings *ret,
                         struct nwf_error *err);

/* Changes when it may look otherwise than at the last look. */
unsigned int nwf_host_around_seqno(const struct nwf_host *host);

/* Asks the device's routers where they are, from the device's own addresses: who routes by flows
 * sends nothing that makes the kernel look.  To be called every now and then. */
void nwf_host_ask_routers(struct nwf_host *host, const char *device,
                          const struct nwf_surroundings *surroundings);

#endif
