/* SPDX-License-Identifier: Apache-2.0
 *
 * One rule as the matches that its rows are made of. */
#ifndef NWF_COMPILE_RULE_H
#define NWF_COMPILE_RULE_H

#include "rule_matches.h"
#include "sets.h"

/* 'tracked': the packets have been through conntrack.  'sets' knows the rule's side. */
int nwf_rule_matches_init(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance,
                          bool tracked, const struct nwf_sets *sets, struct nwf_error *err);
void nwf_rule_matches_finish(struct nwf_rule_matches *m);

#endif
