/* SPDX-License-Identifier: Apache-2.0
 *
 * Stages that cost little whatever a guest sends: see guard.c. */
#ifndef NWF_COMPILE_GUARD_H
#define NWF_COMPILE_GUARD_H

#include "nwf/stages.h"

/* Has addresses that are compared with few values compared bit by bit, in stages before the
 * others.  What the stages say of a frame stays as it was, and so does the rule that says it.
 * For the direction "out".  Returns the fields that are compared (compare.h), a bit each. */
uint32_t nwf_stages_guard(struct nwf_stages *stages);

/* Has rows that ask for an Ethernet type and an address looked at by frames of the type only.  For
 * the direction "in"; the other one's guard does the same by other means. */
void nwf_stages_split_types(struct nwf_stages *stages);

#endif
