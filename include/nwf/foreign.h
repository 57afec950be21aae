/* SPDX-License-Identifier: Apache-2.0
 *
 * Other people's flows in our tables, by which frames get past a guest's filter. */
#ifndef NWF_FOREIGN_H
#define NWF_FOREIGN_H

#include "nwf/engine.h"
#include "nwf/switch.h"

/* Looks for such flows, and gives each guest concerned an error that shows one.  Reads the
 * tables that hold flows of others, and no more. */
int nwf_foreign_check(struct nwf_switch *sw, struct nwf_plan *plan, struct nwf_error *err);

/* Finds a flow of others that would come before our table 0's, and shows it in a new string;
 * *ret_text is NULL if there is none. */
int nwf_foreign_find(struct nwf_switch *sw, char **ret_text, struct nwf_error *err);

#endif
