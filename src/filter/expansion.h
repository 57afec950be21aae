/* SPDX-License-Identifier: Apache-2.0
 *
 * A rule whose variables are being filled in.
 *
 * Variables that share an iterator advance together and need lists of one
 * length; different iterators give every combination (libvirt's
 * formatnwfilter.html, "Usage of variables in filters"). */
#ifndef NWF_FILTER_EXPANSION_H
#define NWF_FILTER_EXPANSION_H

#include "nwf/program.h"
#include "rule_instance.h"

struct nwf_iterator {
    unsigned int id;
    const char *first_name; /* Variable that set the length. */
    size_t length;
    size_t at; /* Number of the value that it stands at. */
    size_t n_uses;
    bool is_list; /* It is not walked: its one attribute takes all values at once. */
};

struct nwf_expansion {
    const struct nwf_rule *rule;
    const struct nwf_scope *scope;
    struct nwf_program *program;
    NWF_VEC(struct nwf_iterator) iterators;
};

/* Sets the error "FILE:LINE: cause"; returns CODE. */
#define NWF_EXPANSION_FAIL(E, LINE, ERR, CODE, FORMAT, ...)                                        \
    nwf_error_set(ERR, CODE, "%s:%u: " FORMAT, (E)->rule->filter->file, LINE, __VA_ARGS__)

/* Finds the rule's variables and makes their iterators, at the first combination.
 * *ret_is_empty: a variable has no values, and the rule no instance. */
int nwf_expansion_begin(struct nwf_expansion *e, bool *ret_is_empty, struct nwf_error *err);
void nwf_expansion_end(struct nwf_expansion *e);

/* Counts the combinations among the side's rules; -E2BIG if that is too many. */
int nwf_expansion_count(const struct nwf_expansion *e, struct nwf_side *side,
                        struct nwf_error *err);

/* Steps to the next combination; false after the last. */
bool nwf_expansion_advance(struct nwf_expansion *e);

/* The attribute's value at this combination. */
int nwf_expansion_value(struct nwf_expansion *e, unsigned int line, const struct nwf_attr *attr,
                        struct nwf_masked *ret, struct nwf_error *err);

/* Of NWF_T_MATCH: the attribute's text with values in place of its variables; a new string. */
int nwf_expansion_text(struct nwf_expansion *e, unsigned int line, const struct nwf_attr *attr,
                       char **ret, struct nwf_error *err);

/* Whether the attribute takes all values of its variable at once. */
bool nwf_expansion_is_list(struct nwf_expansion *e, const struct nwf_attr *attr);

/* Gives the condition all values of the attribute's variable, as a list of the program's. */
int nwf_expansion_add_list(struct nwf_expansion *e, unsigned int line, const struct nwf_attr *attr,
                           struct nwf_cond *cond, struct nwf_error *err);

/* Gives the condition a list of the program's: 'known', or if that is NULL *fresh, which becomes
 * one of them. */
int nwf_expansion_take_list(struct nwf_expansion *e, unsigned int line,
                            const struct nwf_list *known, struct nwf_list *fresh,
                            struct nwf_cond *cond, struct nwf_error *err);

/* Whether an element of the rule is negated. */
bool nwf_rule_is_negated(const struct nwf_rule *rule);

#endif
