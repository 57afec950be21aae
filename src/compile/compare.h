/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparing a field with a value bit by bit, in tables that all ports share: see compare.c. */
#ifndef NWF_COMPILE_COMPARE_H
#define NWF_COMPILE_COMPARE_H

#include <stdbool.h>

#include "nwf/flow.h"

/* The fields that there are tables for.  Neighbour discovery's target is a field of solicitations
 * and one of advertisements: Open vSwitch matches it beside the type of the message only.  Of RARP
 * two are the sender's and the target's together, since a guest announces nobody but itself.  Ports
 * are a protocol's, since OpenFlow matches them beside it only. */
enum nwf_compared {
    NWF_COMPARED_ETH_SRC,
    NWF_COMPARED_ETH_DST,
    NWF_COMPARED_ARP_SHA,
    NWF_COMPARED_ARP_SPA,
    NWF_COMPARED_RARP_MACS,
    NWF_COMPARED_RARP_ADDRESSES,
    NWF_COMPARED_IPV4_SRC,
    NWF_COMPARED_IPV6_SRC,
    NWF_COMPARED_NS_SLL,
    NWF_COMPARED_NS_TARGET,
    NWF_COMPARED_NA_TLL,
    NWF_COMPARED_NA_TARGET,
    NWF_COMPARED_FIRST_PORT,
    NWF_COMPARED_TCP_SRC = NWF_COMPARED_FIRST_PORT,
    NWF_COMPARED_TCP_DST,
    NWF_COMPARED_UDP_SRC,
    NWF_COMPARED_UDP_DST,
    NWF_COMPARED_TCP6_SRC,
    NWF_COMPARED_TCP6_DST,
    NWF_COMPARED_UDP6_SRC,
    NWF_COMPARED_UDP6_DST,
    NWF_N_COMPARED
};

/* A value and the bits of it that count, the others zero: in words of 32 bits, the first the most
 * significant, as many as the field has. */
#define NWF_OPERAND_WORDS 4
struct nwf_operand {
    uint32_t value[NWF_OPERAND_WORDS], mask[NWF_OPERAND_WORDS];
};

/* Values of a field that are compared at most: each costs a walk through a field's tables. */
#define NWF_COMPARED_VALUES_MAX 6

/* The bits of NWF_REG_COMPARED that are a field's: the first of as many as it may have values.
 * Fields that no frame has together share them. */
unsigned int nwf_compared_first_bit(enum nwf_compared field);

/* The bits behind those of all fields but NWF_COMPARED_ETH_DST, which has these. */
#define NWF_COMPARED_LAST_BITS (4 * NWF_COMPARED_VALUES_MAX)

/* The tables that a comparison walks through, and the bits of the field's word. */
unsigned int nwf_compared_n_words(enum nwf_compared field);
unsigned int nwf_compared_n_bits(enum nwf_compared field, unsigned int word);

/* How many bits are looked at together, of which the first is a multiple of as many. */
unsigned int nwf_compared_step(enum nwf_compared field);

/* Narrows 'match' to frames that have the field. */
void nwf_compared_require(enum nwf_compared field, struct match *match);

/* Whether 'match' is about nothing but such frames. */
bool nwf_compared_is_required(enum nwf_compared field, const struct match *match);

/* What a match asks of the field: an empty mask if nothing. */
struct nwf_operand nwf_compared_get(enum nwf_compared field, const struct match *match);
void nwf_compared_set(enum nwf_compared field, const struct nwf_operand *operand,
                      struct match *match);

/* Whether the field can be compared with it. */
bool nwf_compared_takes(enum nwf_compared field, const struct nwf_operand *operand);

/* Appends actions after which a bit of NWF_REG_COMPARED says whether a frame that has the field
 * has the value: no, if a table is empty. */
void nwf_put_compare(struct ofpbuf *actions, enum nwf_compared field,
                     const struct nwf_operand *operand, unsigned int bit);

/* The same for values of which frames are dropped: yes, if a table is empty. */
void nwf_put_compare_dropped(struct ofpbuf *actions, enum nwf_compared field,
                             const struct nwf_operand *operand, unsigned int bit);

/* The flows of the tables of fields in 'fields', a bit each. */
void nwf_compile_comparisons(uint32_t fields, struct nwf_flow_set *flows);

#endif
