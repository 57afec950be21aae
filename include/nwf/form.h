/* SPDX-License-Identifier: Apache-2.0
 *
 * Forms: what flows of one rule have in common, whatever ports they are of.  A bridge has tens of
 * thousands of flows and a few dozen forms, so that flows that live long share them. */
#ifndef NWF_FORM_H
#define NWF_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"

/* Which fields a flow looks at, and what it does.  In a pool it does not say which values actions
 * set: those are the flow's own, as the values that it looks for are (nwf_flow_ofpacts()). */
struct nwf_form {
    struct hmap_node node;                  /* In the 'forms' of 'pool'. */
    struct nwf_forms *pool;                 /* NULL: none. */
    size_t n_users;                         /* Flows. */
    struct tun_metadata_allocation *tun_md; /* Of what it matches; NULL: none. */
    struct minimask *mask;                  /* In 'data', as the actions are. */
    struct ofpact *ofpacts;                 /* NULL: it is, or was, in a pool. */
    uint32_t ofpacts_len;                   /* Bytes of the actions, */
    uint32_t n_values;                      /* and those that values have among them. */
    size_t size;                            /* Of 'data'. */
    uint64_t data[];
};

/* Forms that flows share. */
struct nwf_forms {
    struct hmap forms;
};

void nwf_forms_init(struct nwf_forms *forms);

/* Those that are in use stay. */
void nwf_forms_finish(struct nwf_forms *forms);

/* A form with one user, in no pool; mask and actions are copied. */
struct nwf_form *nwf_form_new(const struct match *match, const struct ofpact *ofpacts,
                              size_t ofpacts_len);

/* The values that actions set, 'n_values' bytes one after the other: out of the actions of a form
 * that is in no pool. */
void nwf_form_take_values(const struct nwf_form *form, uint8_t *ret_values);

/* The actions, 'ofpacts_len' bytes, with these values. */
void nwf_form_fill(const struct nwf_form *form, const uint8_t *values, struct ofpact *ret_ofpacts);

/* One of its users needs it no more. */
void nwf_form_release(struct nwf_form *form);

/* The form for the same user out of the pool, where it is put if there is none like it.  One that
 * is in another pool, or about a tunnel's metadata, stays as it is. */
struct nwf_form *nwf_forms_share(struct nwf_forms *forms, struct nwf_form *form);

#endif
