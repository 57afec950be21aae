/* SPDX-License-Identifier: Apache-2.0
 *
 * A rule as matches: what rule.c and opaque.c make together. */
#ifndef NWF_COMPILE_RULE_MATCHES_H
#define NWF_COMPILE_RULE_MATCHES_H

#include "match.h"

/* A rule as matches: a frame is the rule's if one of 'any' holds and none of
 * 'except' does.  An 'except' holds its prerequisites itself.  Frames in 'doubt', of
 * which Open vSwitch does not see whether they are the rule's, are to be dropped;
 * 'any' or 'except' may hold for them too, and if doubt_first that does not count. */
struct nwf_rule_matches {
    struct nwf_matches any, except, doubt;
    bool doubt_first;
};

#endif
