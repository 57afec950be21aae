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

static inline void
nwf_matches_clear(struct nwf_matches *list)
{
    nwf_vec_clear(list);
}

/* ---- Single conditions. ---- */

/* The condition, without its negation, as values under masks of which one must hold. */
void nwf_cond_prefixes(const struct nwf_cond *cond, struct nwf_masked_list *list);

/* How many these are: 1, unless it is a list or a range. */
size_t nwf_cond_count(const struct nwf_cond *cond);

/* The same as matches. */
void nwf_cond_to_matches(const struct nwf_cond *cond, struct nwf_matches *list);

/* Why the condition cannot be a match; NULL if it can. */
const char *nwf_cond_refusal(const struct nwf_cond *cond);

/* The match that stands for an element itself, e.g. <ip>: untagged IPv4. */
void nwf_match_implied(const struct nwf_protocol *protocol, struct match *match);

/* Untagged frames of an Ethernet type; 0x8100: tagged frames. */
void nwf_match_set_eth_type(struct match *match, uint16_t eth_type);

/* ---- Sets of frames. ---- */

/* Narrows *match to the frames that are in 'other' too; false when none is. */
bool nwf_match_and(struct match *match, const struct match *other);

/* Whether a frame is in 'match'. */
bool nwf_match_holds(const struct match *match, const struct flow *frame);

/* Whether all of 'inner' is in 'outer'. */
bool nwf_match_covers(const struct match *outer, const struct match *inner);

/* Replaces 'list' by every combination with 'other'; impossible ones are dropped.  False,
 * and nothing done, if these could be more than NWF_RULE_MATCHES_MAX. */
bool nwf_matches_multiply(struct nwf_matches *list, const struct nwf_matches *other);

/* Matches that one rule may become. */
#define NWF_RULE_MATCHES_MAX 4096

#endif
