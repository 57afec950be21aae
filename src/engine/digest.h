/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests of all that a guest's flows are made from. */
#ifndef NWF_ENGINE_DIGEST_H
#define NWF_ENGINE_DIGEST_H

#include "nwf/engine.h"

/* Filters' digests, each made once. */
struct nwf_digests {
    struct nwf_filter_digest *data;
    size_t n, allocated;
};

void nwf_digests_clear(struct nwf_digests *digests);

/* The digest for 'port' under 'filter'. */
struct nwf_digest nwf_digest_port(struct nwf_digests *digests, struct nwf_store *store,
                                  const struct nwf_bridge *bridge, const struct nwf_plan_port *port,
                                  const struct nwf_filter *filter);

#endif
