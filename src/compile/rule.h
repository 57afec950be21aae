/* SPDX-License-Identifier: Apache-2.0
 *
 * One rule as the matches that its rows are made of. */
#ifndef NWF_COMPILE_RULE_H
#define NWF_COMPILE_RULE_H

#include "match.h"
#include "sets.h"

/* A rule as matches: a frame is the rule's if one of 'any' holds and none of
 * 'except' does.  An 'except' holds its prerequisites itself.  Frames in 'doubt', of
 * which Open vSwitch does not see whether they are the rule's, are to be dropped;
 * 'any' or 'except' may hold for them too, and if doubt_first that does not count. */
struct nwf_rule_matches {
    struct nwf_matches any, except, doubt;
    bool doubt_first;
};

/* 'tracked': the packets have been through conntrack.  'sets' knows the rule's side. */
int nwf_rule_matches_init(struct nwf_rule_matches *m, const struct nwf_prule *prule, bool tracked,
                          const struct nwf_sets *sets, struct nwf_error *err);
void nwf_rule_matches_finish(struct nwf_rule_matches *m);

/* ---- Parts of it. ---- */

/* Sets "FILE:LINE: NAME: cause"; 'cond' may be NULL: the cause is the rule as a whole. */
int nwf_rule_fail(const struct nwf_prule *prule, struct nwf_error *err, int code, const char *cause,
                  const struct nwf_cond *cond);

/* The positive condition that a field has one certain value, or NULL. */
const struct nwf_cond *nwf_rule_exact_cond(const struct nwf_prule *prule, enum nwf_field field);

/* The code that stands beside a negated ICMP type, or NULL.  iptables negates both as one:
 * "not (type 8 and code 0)". */
const struct nwf_cond *nwf_rule_negated_code(const struct nwf_prule *prule,
                                             const struct nwf_cond *type);

/* The condition that is a <flow>'s text, or NULL. */
const struct nwf_cond *nwf_rule_flow_text(const struct nwf_prule *prule);

/* The Ethernet type that the rule's element stands for; 0: none. */
uint16_t nwf_rule_eth_type(const struct nwf_prule *prule);

/* How far into a frame one must look for a field. */
enum nwf_depth {
    NWF_DEPTH_FRAME,
    NWF_DEPTH_PACKET,
    NWF_DEPTH_PROTOCOL,
    NWF_DEPTH_TRANSPORT,
};
enum nwf_depth nwf_field_depth(enum nwf_field field);

/* The condition as matches, a set's bit included. */
void nwf_rule_cond_matches(const struct nwf_prule *prule, const struct nwf_cond *cond,
                           const struct nwf_sets *sets, struct nwf_matches *list);

/* Adds what frames that Open vSwitch does not look into need; see unparsed.c. */
int nwf_rule_handle_unparsed(struct nwf_rule_matches *m, const struct nwf_prule *prule,
                             bool tracked, const struct nwf_sets *sets, struct nwf_error *err);

/* The text of a <flow>; 'beside' is what the rule asks besides. */
int nwf_flow_text_to_match(const struct nwf_prule *prule, const struct nwf_cond *cond,
                           const struct nwf_matches *beside, struct match *ret,
                           struct nwf_error *err);

#endif
