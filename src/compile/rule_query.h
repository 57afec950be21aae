/* SPDX-License-Identifier: Apache-2.0
 *
 * What a rule asks for, and where it stands: what all files that make matches of it ask,
 * so it needs none of them. */
#ifndef NWF_COMPILE_RULE_QUERY_H
#define NWF_COMPILE_RULE_QUERY_H

#include "nwf/program.h"

/* Sets "FILE:LINE: NAME: cause"; 'cond' may be NULL: the cause is the rule as a whole. */
int nwf_rule_fail(const struct nwf_rule_instance *instance, struct nwf_error *err, int code,
                  const char *cause, const struct nwf_cond *cond);

/* The positive condition that a field has one certain value, or NULL. */
const struct nwf_cond *nwf_rule_exact_cond(const struct nwf_rule_instance *instance,
                                           enum nwf_field field);

/* The code that stands beside a negated ICMP type, or NULL.  iptables negates both as one:
 * "not (type 8 and code 0)". */
const struct nwf_cond *nwf_rule_negated_code(const struct nwf_rule_instance *instance,
                                             const struct nwf_cond *type);

/* The condition that is a <flow>'s text, or NULL. */
const struct nwf_cond *nwf_rule_flow_text(const struct nwf_rule_instance *instance);

/* The Ethernet type that the rule's element stands for; 0: none. */
uint16_t nwf_rule_eth_type(const struct nwf_rule_instance *instance);

/* How far into a frame one must look for a field. */
enum nwf_depth {
    NWF_DEPTH_FRAME,
    NWF_DEPTH_PACKET,
    NWF_DEPTH_PROTOCOL,
    NWF_DEPTH_TRANSPORT,
};
enum nwf_depth nwf_field_depth(enum nwf_field field);

#endif
