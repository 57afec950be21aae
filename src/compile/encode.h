/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a match survives the way to a switch. */
#ifndef NWF_COMPILE_ENCODE_H
#define NWF_COMPILE_ENCODE_H

#include "openvswitch/match.h"

/* Why a switch that is sent 'match' would get another one, or none, in one of the OpenFlow
 * versions that are spoken; a new string.  NULL: it gets that one. */
char *nwf_match_loss(const struct match *match);

#endif
