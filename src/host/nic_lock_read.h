/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel has of a bridge's second lock, out of libnftables' JSON. */
#ifndef NWF_HOST_NIC_LOCK_READ_H
#define NWF_HOST_NIC_LOCK_READ_H

#include "nft.h"
#include "nic_lock_text.h"

enum nic_lock_state {
    NIC_LOCK_SAME,  /* Nothing to do. */
    NIC_LOCK_RULES, /* The rules differ: they can be replaced beside the counters. */
    NIC_LOCK_SHAPE, /* The table has to be made anew. */
};

/* Compares 'listing' (of our table) with 'text', whose NICs 'locks' names.  'plain' is the same
 * listing in nftables' language: some versions' JSON lacks the chains' devices. */
enum nic_lock_state nic_lock_compare(const json_t *listing, const char *plain,
                                     const struct nic_lock_text *text,
                                     const struct nwf_nic_locks *locks);

/* Whether the chain of a listing is at its hook of 'nic' and of nothing else; 'plain' as above. */
bool nic_lock_has_device(const json_t *chain, const char *plain, const char *nic);

/* Calls each(name, aux) for each chain of the listing. */
void nic_lock_each_chain(const json_t *listing, void (*each)(const char *name, void *aux),
                         void *aux);

/* Adds the listing's counters to 'ret'. */
void nic_lock_read_counters(const json_t *listing, struct nwf_nic_lock_counters *ret);

#endif
