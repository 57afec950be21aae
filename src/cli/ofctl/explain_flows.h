/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a flow comes from: of ours, the port, its filter and the rule. */
#ifndef NWF_CLI_OFCTL_EXPLAIN_FLOWS_H
#define NWF_CLI_OFCTL_EXPLAIN_FLOWS_H

#include <stdint.h>

#include "ofctl.h"

struct ds;
struct ofctl_explainer;

/* For the bridge that 'target' names, as the database and the filters are now; ends the program
 * if that is no bridge of this host. */
struct ofctl_explainer *ofctl_explainer_new(const struct ofctl *ofctl, const char *target);
void ofctl_explainer_free(struct ofctl_explainer *explainer);

/* Appends a line that says where the flow with this cookie (host byte order) comes from. */
void ofctl_explain_flow(struct ofctl_explainer *explainer, uint8_t table, uint64_t cookie,
                        struct ds *s);

#endif
