/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose an address is; see nwf/claims.h. */
#include "nwf/claims.h"

#include <stdlib.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

/* Whether the claim is that of a guest's own address, and the guest has yet to get it. */
static bool
is_new(const struct nwf_claim *claim)
{
    return claim->pinned && !claim->holds && !claim->active;
}

static int
rank(const struct nwf_claim *claim)
{
    if (claim->fixed) {
        return 0;
    }
    if (claim->pinned) {
        return is_new(claim) ? 3 : 1;
    }
    return claim->active ? 2 : 4;
}

/* By address, and of one address those first that are to keep it. */
static int
compare(const void *a_, const void *b_)
{
    const struct nwf_claim *a = a_, *b = b_;
    int order = memcmp(&a->mac, &b->mac, sizeof a->mac);

    if (order) {
        return order;
    }
    if (rank(a) != rank(b)) {
        return rank(a) - rank(b);
    }
    if (a->holds != b->holds) {
        return b->holds - a->holds;
    }
    if (a->active != b->active) {
        return b->active - a->active;
    }
    return (int) a->ofport - (int) b->ofport;
}

static bool
share_vlan(const struct nwf_vlan *a, const struct nwf_vlan *b)
{
    if (!a || !b) {
        return true;
    }
    if (a->mode == NWF_VLAN_ACCESS || b->mode == NWF_VLAN_ACCESS) {
        return a->mode == NWF_VLAN_ACCESS ? nwf_vlan_has(b, a->tag) : nwf_vlan_has(a, b->tag);
    }
    for (uint16_t vid = 0; vid < NWF_N_VLANS; vid++) {
        if (nwf_vlan_has(a, vid) && nwf_vlan_has(b, vid)) {
            return true;
        }
    }
    return false;
}

/* The earlier claim that keeps 'claim' from its address; NULL: there is none, or they share it. */
static const struct nwf_claim *
find_owner(const struct nwf_claims *claims, const struct nwf_claim *claim, const bool *refused)
{
    for (const struct nwf_claim *other = claim; other-- > claims->data;) {
        if (memcmp(&other->mac, &claim->mac, sizeof other->mac)) {
            return NULL;
        }
        if (other->port != claim->port && !refused[other->port]
            && (other->fixed || other->pinned || is_new(claim))
            && share_vlan(other->vlan, claim->vlan)) {
            return other;
        }
    }
    return NULL;
}

void
nwf_claims_judge(struct nwf_claims *claims,
                 void (*refuse)(const struct nwf_claim *refused, const struct nwf_claim *owner,
                                void *aux),
                 void *aux)
{
    size_t n_ports = 0;

    if (!claims->n) {
        return;
    }
    qsort(claims->data, claims->n, sizeof claims->data[0], compare);
    nwf_vec_foreach (claim, claims) {
        n_ports = claim->port >= n_ports ? claim->port + 1 : n_ports;
    }
    bool *refused CLEANUP_FREE = nwf_zalloc(n_ports * sizeof *refused);
    nwf_vec_foreach (claim, claims) {
        const struct nwf_claim *owner =
            claim->fixed || refused[claim->port] ? NULL : find_owner(claims, claim, refused);
        if (owner) {
            refused[claim->port] = true;
            refuse(claim, owner, aux);
        }
    }
}
