/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules that no frame reaches. */
#ifndef NWF_REACH_H
#define NWF_REACH_H

#include "nwf/program.h"

/* Calls note() for each rule of 'filter', and of what it refers to, that no frame reaches,
 * whatever the values of its variables.  'params' has a value for each, any will do.  Not all
 * such rules are found, and none in very large filters. */
void nwf_filter_unreached(struct nwf_store *store, const struct nwf_filter *filter,
                          const struct nwf_params *params, nwf_filter_note_fn *note, void *aux);

#endif
