/* SPDX-License-Identifier: Apache-2.0
 *
 * Where tunnel metadata stands in a match.  Without the switch's table of options, which is not
 * at hand here, the library lays out each match by itself: in the order in which its fields came,
 * each as wide as its value.  Matches can be compared once all have the same layout. */
#ifndef NWF_CLI_OFCTL_TUNNEL_H
#define NWF_CLI_OFCTL_TUNNEL_H

#include <stdbool.h>

#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"

struct ofctl_tunnel_layout {
    int widths[TUN_METADATA_NUM_OPTS]; /* Of each field, in bytes: that of the widest value. */
};

bool ofctl_has_tunnel_metadata(const struct match *match);

/* Makes room for the match's fields. */
void ofctl_tunnel_layout_add(struct ofctl_tunnel_layout *layout, const struct match *match);

/* Moves the match's fields to where the layout has them. */
void ofctl_tunnel_layout_apply(const struct ofctl_tunnel_layout *layout, struct match *match);

/* The value of a field of tunnel metadata; the library only reads those of a switch's packets. */
void ofctl_tunnel_read(const struct match *match, const struct mf_field *field,
                       union mf_value *value);

#endif
