/* SPDX-License-Identifier: Apache-2.0
 *
 * <flow match="...">: a match as a user of ovs-ofctl(8) writes it. */
#ifndef NWF_COMPILE_FLOW_TEXT_H
#define NWF_COMPILE_FLOW_TEXT_H

#include "match.h"

/* The text of a <flow>; 'beside' is what the rule asks besides. */
int nwf_flow_text_to_match(const struct nwf_rule_instance *instance, const struct nwf_cond *cond,
                           const struct nwf_matches *beside, struct match *ret,
                           struct nwf_error *err);

#endif
