/* SPDX-License-Identifier: Apache-2.0
 *
 * Other people's flows in our tables, by which frames get past a guest's filter. */
#ifndef NWF_FOREIGN_H
#define NWF_FOREIGN_H

#include "nwf/plan.h"

/* Whether it is somebody else's. */
bool nwf_is_foreign(const struct nwf_flow *flow);

/* Whether frames come to the table by our flows. */
bool nwf_is_table_of_pipeline(uint8_t table);

/* Gives each guest that is concerned by flows of others in the image an error that shows one. */
void nwf_foreign_judge(struct nwf_plan *plan, const struct nwf_image *image);

/* Finds a flow of others that would come before our table 0's, and shows it in a new string;
 * NULL if there is none. */
char *nwf_foreign_find(const struct nwf_flow_set *flows);

/* Whether one of ours in 'flows' takes all packets that the flow, somebody else's, matches. */
bool nwf_foreign_is_covered(const struct nwf_flow *flow, const struct nwf_flow_set *flows);

#endif
