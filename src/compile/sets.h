/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of addresses as bits of registers.
 *
 * A list of addresses that many rules ask for, or that stands beside other lists in one
 * rule, would become rules times addresses.  Instead a stage before all others looks a
 * frame's address up once, and notes in a register which sets it is in; the rules ask
 * for a bit. */
#ifndef NWF_COMPILE_SETS_H
#define NWF_COMPILE_SETS_H

#include "match.h"
#include "openvswitch/hmap.h"

/* Sets of one kind of address are bits of one register. */
enum nwf_set_group { NWF_SET_SRC, NWF_SET_DST, NWF_SET_MAC_SRC, NWF_SET_MAC_DST, NWF_N_SET_GROUPS };

/* A match of a lookup stage, and the register's value for it. */
struct nwf_set_entry {
    struct match match;
    unsigned int length; /* Of the prefix, bits: the longest that matches decides. */
    uint32_t value;
};

struct nwf_set_entries {
    struct nwf_set_entry *data;
    size_t n, allocated;
};

struct nwf_set {
    enum nwf_field field;
    uint16_t eth_type;               /* Which the field needs; 0: none. */
    struct nwf_masked_list prefixes; /* Sorted, each once. */
    size_t n_uses;
    bool chosen;
    enum nwf_set_group group; /* If chosen: */
    uint32_t bit;
};

struct nwf_set_node {
    struct hmap_node node;
    const struct nwf_masked *list; /* NULL: found by its prefixes. */
    size_t set;                    /* Index into nwf_sets' 'list'. */
};

struct nwf_sets {
    struct {
        struct nwf_set *data;
        size_t n, allocated;
    } list;
    struct {
        size_t *data; /* By condition, counted over all rules: index into 'list' + 1, or 0. */
        size_t n, allocated;
    } of_cond;
    struct {
        size_t *data; /* By rule: where its conditions begin in 'of_cond'. */
        size_t n, allocated;
    } first_cond;
    struct hmap index; /* Of struct nwf_set_node. */
    size_t n_prefixes; /* Of all sets. */
    const struct nwf_side *side;
};

/* Finds the sets of a side that are worth it. */
void nwf_sets_init(struct nwf_sets *sets, const struct nwf_side *side);
void nwf_sets_finish(struct nwf_sets *sets);

/* The chosen set that stands for a condition of a rule of the side; NULL if none does. */
const struct nwf_set *nwf_sets_find(const struct nwf_sets *sets,
                                    const struct nwf_rule_instance *instance,
                                    const struct nwf_cond *cond);

/* A condition of a rule of the side as matches: a bit of a register where a set stands for it. */
void nwf_sets_cond_matches(const struct nwf_sets *sets, const struct nwf_rule_instance *instance,
                           const struct nwf_cond *cond, struct nwf_matches *list);

/* The register of a group: NWF_REG_SETS and up. */
unsigned int nwf_set_register(enum nwf_set_group group);

/* The group's lookup, longest prefixes first; empty if no set is of the group. */
void nwf_sets_lookup(const struct nwf_sets *sets, enum nwf_set_group group,
                     struct nwf_set_entries *ret);

#endif
