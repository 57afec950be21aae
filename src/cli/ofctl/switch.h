/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests without parameters, and the switch's configuration. */
#ifndef NWF_CLI_OFCTL_SWITCH_H
#define NWF_CLI_OFCTL_SWITCH_H

#include "link.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-switch.h"

/* Sends a request that is only its type, and prints the answer. */
void ofctl_dump_by_type(struct ovs_cmdl_context *ctx, enum ofpraw raw);

void ofctl_fetch_config(struct vconn *vconn, struct ofputil_switch_config *config);
void ofctl_set_config(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                      const struct ofputil_switch_config *config);

#endif
