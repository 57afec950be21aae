/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparing a field with a value bit by bit, in tables that all ports share: see compare.c. */
#ifndef NWF_COMPILE_COMPARE_H
#define NWF_COMPILE_COMPARE_H

#include <stdbool.h>

#include "nwf/flow.h"

/* The fields that there are tables for, in the order in which they are looked at. */
enum nwf_compared {
    NWF_COMPARED_ETH_SRC,
    NWF_COMPARED_ARP_SHA,
    NWF_COMPARED_ARP_SPA,
    NWF_N_COMPARED
};

/* A value with the bits of it that count, the others zero.  Of a MAC address all do. */
struct nwf_operand {
    uint64_t value, mask;
};

/* Values of a field that are compared at most: each costs a walk through a table. */
#define NWF_COMPARED_VALUES_MAX 8

/* The bits of NWF_REG_COMPARED that are a field's: the first of as many as it may have values. */
static inline unsigned int
nwf_compared_first_bit(enum nwf_compared field)
{
    return (unsigned int) field * NWF_COMPARED_VALUES_MAX;
}

/* The Ethernet type whose frames have the field; 0: all have. */
uint16_t nwf_compared_eth_type(enum nwf_compared field);

/* What a match asks of the field: an empty mask if nothing. */
struct nwf_operand nwf_compared_get(enum nwf_compared field, const struct match *match);
void nwf_compared_set(enum nwf_compared field, const struct nwf_operand *operand,
                      struct match *match);

/* Whether the field can be compared with it. */
bool nwf_compared_takes(enum nwf_compared field, const struct nwf_operand *operand);

/* Appends actions after which a bit of NWF_REG_COMPARED says whether a frame that has the field
 * has the value. */
void nwf_put_compare(struct ofpbuf *actions, enum nwf_compared field,
                     const struct nwf_operand *operand, unsigned int bit);

/* The tables' flows. */
void nwf_compile_comparisons(struct nwf_flow_set *flows);

#endif
