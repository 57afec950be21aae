/* SPDX-License-Identifier: Apache-2.0
 *
 * The image of a switch's flows: one copy in memory, by owner.
 *
 * An owner is what a flow is computed for: a port, an address, what all ports share.  When
 * an owner is computed anew, the result is compared with what the image has of this owner, and
 * with nothing else.  The image is loaded by a dump, and kept by our own bundles and by
 * what the switch tells of others' changes. */
#ifndef NWF_IMAGE_H
#define NWF_IMAGE_H

#include "nwf/flow.h"

/* A number that the user of the image gives to each owner. */
typedef uint32_t nwf_owner;

struct nwf_image {
    struct nwf_flow_set flows; /* All of them, by key. */
    struct nwf_forms forms;    /* Which sets of flows that are to come here may use too. */
    struct hmap owners;
};

void nwf_image_init(struct nwf_image *image);
void nwf_image_finish(struct nwf_image *image);
void nwf_image_clear(struct nwf_image *image);

/* Puts a flow, which is taken, in the place of one with the same key. */
void nwf_image_put(struct nwf_image *image, nwf_owner owner, struct nwf_flow *flow);

/* Removes the flow with this key; false if there is none.  *ret_owner (may be NULL) is
 * whose it was. */
bool nwf_image_remove(struct nwf_image *image, const struct nwf_flow *key, nwf_owner *ret_owner);

/* The number of an owner's flows. */
size_t nwf_image_count(const struct nwf_image *image, nwf_owner owner);

/* The owner's flows: a list of struct nwf_flow by 'owned', or NULL. */
const struct ovs_list *nwf_image_flows(const struct nwf_image *image, nwf_owner owner);

/* All owners that have a flow: a new array of *ret_n. */
nwf_owner *nwf_image_owners(const struct nwf_image *image, size_t *ret_n);

/* Adds to 'deletions' and 'rest' what turns the owner's flows into 'desired'.  Pointers into the
 * image and into 'desired'. */
void nwf_image_diff(const struct nwf_image *image, nwf_owner owner,
                    const struct nwf_flow_set *desired, struct nwf_changes *deletions,
                    struct nwf_changes *rest);

/* Moves the flows of 'desired' into the image, where they are the owner's from now on. */
void nwf_image_take(struct nwf_image *image, nwf_owner owner, struct nwf_flow_set *desired);

#endif
