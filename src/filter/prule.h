/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files that make a program's rules share. */
#ifndef NWF_FILTER_PRULE_H
#define NWF_FILTER_PRULE_H

#include "nwf/program.h"

/* The attribute of an element that has this field and role, or NULL. */
const struct nwf_attr *nwf_element_find(const struct nwf_element *element, enum nwf_field field,
                                        enum nwf_attr_role role);

/* The first condition about 'field' from number 'start' on, or NULL. */
struct nwf_cond *nwf_prule_find(struct nwf_prule *prule, size_t start, enum nwf_field field);
void nwf_prule_remove(struct nwf_prule *prule, struct nwf_cond *cond);
void nwf_cond_clear(struct nwf_cond *cond);

/* Changes what a rule of an IP layer says into what it asks of packets in 'direction', of
 * its own or of the other; see expand_ip.c.  False if it asks for nothing there. */
bool nwf_prule_adapt_ip(struct nwf_prule *prule, enum nwf_direction direction);

#endif
