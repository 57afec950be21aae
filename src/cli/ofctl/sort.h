/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of text about flows, in the order that the user wants.  Of each flow is only kept what
 * it is sorted by. */
#ifndef NWF_CLI_OFCTL_SORT_H
#define NWF_CLI_OFCTL_SORT_H

#include "ofctl.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-flow.h"

struct ofctl_sorted_line;

struct ofctl_sorted_lines {
    const struct ofctl *ofctl;
    NWF_VEC(struct ofctl_sorted_line *) lines;
};

/* Adds a copy of the text. */
void ofctl_sorted_lines_add(struct ofctl_sorted_lines *sorted,
                            const struct ofputil_flow_stats *flow, const struct ds *text);

/* Prints all lines, and frees them. */
void ofctl_sorted_lines_print(struct ofctl_sorted_lines *sorted);

#endif
