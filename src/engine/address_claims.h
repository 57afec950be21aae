/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose an IP address is, where several want it routed to them: ranges that have been given to
 * somebody, by the order in which they are given.  Nested ranges are at odds as equal ones are: the
 * inner one's addresses would be two guests'. */
#ifndef NWF_ENGINE_ADDRESS_CLAIMS_H
#define NWF_ENGINE_ADDRESS_CLAIMS_H

#include "nwf/routed.h"
#include "openvswitch/hmap.h"

/* Nobody's number. */
#define NWF_NO_OWNER SIZE_MAX

struct nwf_address_claims {
    struct hmap ranges;
    bool lengths[2][129]; /* By family: of the ranges that may come. */
};

void nwf_address_claims_init(struct nwf_address_claims *claims);
void nwf_address_claims_finish(struct nwf_address_claims *claims);

/* Before the first of nwf_address_claims_add(): a range of this length may be added. */
void nwf_address_claims_expect(struct nwf_address_claims *claims,
                               const struct nwf_address *address);

/* The first who has an address of it, and is not 'owner'; NWF_NO_OWNER if nobody has. */
size_t nwf_address_claims_find(const struct nwf_address_claims *claims,
                               const struct nwf_address *address, size_t owner);

/* Gives it to 'owner'. */
void nwf_address_claims_add(struct nwf_address_claims *claims, const struct nwf_address *address,
                            size_t owner);

#endif
