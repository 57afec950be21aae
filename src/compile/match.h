/* SPDX-License-Identifier: Apache-2.0
 *
 * Rule conditions as Open vSwitch matches, and sets of frames as matches. */
#ifndef NWF_COMPILE_MATCH_H
#define NWF_COMPILE_MATCH_H

#include "nwf/program.h"
#include "nwf/vec.h"
#include "openvswitch/match.h"

/* Matches of which one must hold. */
struct nwf_matches {
    struct match *data;
    size_t n, allocated;
};

/* A rule as matches: a frame is the rule's if one of 'any' holds and none of
 * 'except' does.  An 'except' holds its prerequisites itself.  Frames in 'doubt', of
 * which Open vSwitch does not see whether they are the rule's, are to be dropped;
 * 'any' or 'except' may hold for them too, and if doubt_first that does not count. */
struct nwf_rule_matches {
    struct nwf_matches any, except, doubt;
    bool doubt_first;
};

int nwf_rule_matches_init(struct nwf_rule_matches *m, const struct nwf_prule *prule,
                          struct nwf_error *err);
void nwf_rule_matches_finish(struct nwf_rule_matches *m);

/* The match that stands for an element itself, e.g. <ip>: untagged IPv4. */
void nwf_match_implied(const struct nwf_protocol *protocol, struct match *match);

/* Untagged frames of an Ethernet type; 0x8100: tagged frames. */
void nwf_match_set_eth_type(struct match *match, uint16_t eth_type);

/* Narrows *match to the frames that are in 'other' too; false when none is. */
bool nwf_match_and(struct match *match, const struct match *other);

/* Whether all of 'inner' is in 'outer'. */
bool nwf_match_covers(const struct match *outer, const struct match *inner);

#endif
