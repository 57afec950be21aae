/* SPDX-License-Identifier: Apache-2.0
 *
 * Values that stand in for variables inside of a <flow>. */
#ifndef NWF_FILTER_STAND_IN_H
#define NWF_FILTER_STAND_IN_H

#define NWF_STAND_IN_MAC "02:00:00:00:00:01"

/* A value for the first $VARIABLE in 'text'. */
const char *nwf_flow_stand_in(const char *text, const char *variable);

#endif
