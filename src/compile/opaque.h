/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that Open vSwitch does not look into, and what a rule makes of them. */
#ifndef NWF_COMPILE_OPAQUE_H
#define NWF_COMPILE_OPAQUE_H

#include "rule_matches.h"
#include "sets.h"

/* Adds what frames that Open vSwitch does not look into need. */
int nwf_rule_handle_opaque(struct nwf_rule_matches *m, const struct nwf_rule_instance *instance,
                           bool tracked, const struct nwf_sets *sets, struct nwf_error *err);

#endif
