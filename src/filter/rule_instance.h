/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files that make a program's rules share. */
#ifndef NWF_FILTER_RULE_INSTANCE_H
#define NWF_FILTER_RULE_INSTANCE_H

#include "nwf/program.h"

/* A list that conditions of a program share: one variable's values as one type, and what
 * masks make of such a list. */
struct nwf_list {
    const void *origin; /* The variable (struct nwf_param), or the array of the unmasked list. */
    enum nwf_type type;
    struct nwf_value mask; /* Of no length: a variable's own values. */
    struct nwf_masked_list values;
};

/* The program's list, or NULL. */
const struct nwf_list *nwf_program_find_list(const struct nwf_program *program, const void *origin,
                                             enum nwf_type type, const struct nwf_value *mask);

/* Takes over *list, whose values become the program's; -E2BIG, with nothing done, past the
 * limits. */
int nwf_program_add_list(struct nwf_program *program, struct nwf_list *list,
                         const struct nwf_list **ret);
void nwf_program_clear_lists(struct nwf_program *program);

/* Sets *ret to the variable 'name' at a place, NULL if there is none.  It may be one that follows
 * from another: see derived.c. */
int nwf_program_find_variable(struct nwf_program *program, const struct nwf_scope *scope,
                              const char *name, const struct nwf_param **ret,
                              struct nwf_error *err);
void nwf_program_clear_derived(struct nwf_program *program);
/* The variable that 'name' follows from, or NULL. */
const char *nwf_variable_source(const char *name);

/* Rules that have been seen, by what they ask for. */
struct nwf_seen {
    uint32_t *slots; /* A rule's index + 1; 0: free. */
    size_t n, n_slots;
};

/* Whether one of the side's rules in 'seen' asks for the same as 'instance'. */
bool nwf_seen_has(const struct nwf_seen *seen, const struct nwf_side *side,
                  const struct nwf_rule_instance *instance);
/* Adds the side's rule number 'index'. */
void nwf_seen_add(struct nwf_seen *seen, const struct nwf_side *side, size_t index);
void nwf_seen_finish(struct nwf_seen *seen);

/* The attribute of an element that has this field and role, or NULL. */
const struct nwf_attr *nwf_element_find(const struct nwf_element *element, enum nwf_field field,
                                        enum nwf_attr_role role);

/* The first condition about 'field' from number 'start' on, or NULL. */
struct nwf_cond *nwf_rule_instance_find(struct nwf_rule_instance *instance, size_t start,
                                        enum nwf_field field);
void nwf_rule_instance_remove(struct nwf_rule_instance *instance, struct nwf_cond *cond);
void nwf_cond_clear(struct nwf_cond *cond);

/* Changes what a rule of an IP layer says into what it asks of packets in 'direction', of
 * its own or of the other; see expand_ip.c.  False if it asks for nothing there. */
bool nwf_rule_instance_adapt_ip(struct nwf_rule_instance *instance, enum nwf_direction direction);

#endif
