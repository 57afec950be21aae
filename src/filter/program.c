/* SPDX-License-Identifier: Apache-2.0
 *
 * From a tree of filters to the order in which libvirt evaluates it
 * (ebiptablesApplyNewRules): the tree is flattened depth-first, rules are sorted
 * by priority with those of root chains first, and each direction's chains are
 * put between the root rules by their priority. */
#include "nwf/program.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "rule_instance.h"

/* A rule of the flattened tree, and the variables that are in force there. */
struct flat_rule {
    const struct nwf_rule *rule;
    const struct nwf_scope *scope;
    size_t order;
};

struct flattening {
    struct nwf_store *store;
    NWF_VEC(struct flat_rule) rules;
    NWF_VEC(struct nwf_scope *) scopes; /* Owned; what flat rules point to. */
    const struct nwf_filter *path[NWF_PROGRAM_DEPTH_MAX];
    size_t depth;
    size_t n_refs;
};

static int flatten(struct flattening *f, const struct nwf_filter *filter,
                   const struct nwf_params *params, const struct nwf_scope *outer,
                   struct nwf_error *err);

static int
flatten_ref(struct flattening *f, const struct nwf_filter *filter, const struct nwf_ref *ref,
            const struct nwf_scope *scope, struct nwf_error *err)
{
    const struct nwf_filter *target = NULL;
    int r = nwf_store_get(f->store, ref->filter, &target, err);

    if (r) {
        nwf_error_wrap(err, "%s:%u: filter %.80s", filter->file, ref->line, ref->filter);
        return r;
    }
    if (++f->n_refs > NWF_PROGRAM_REFS_MAX) {
        return nwf_error_set(err, -E2BIG, "%s:%u: more than %d references", filter->file, ref->line,
                             NWF_PROGRAM_REFS_MAX);
    }
    for (size_t i = 0; i < f->depth; i++) {
        if (f->path[i] == target) {
            return nwf_error_set(err, -ELOOP, "%s:%u: filter %s refers to itself", filter->file,
                                 ref->line, target->name);
        }
    }
    return flatten(f, target, &ref->params, scope, err);
}

static const struct nwf_scope *
add_scope(struct flattening *f, const struct nwf_params *params, const struct nwf_scope *outer)
{
    struct nwf_scope *scope = nwf_zalloc(sizeof *scope);

    *scope = (struct nwf_scope){params, outer};
    nwf_vec_push(&f->scopes, scope);
    return scope;
}

static int
flatten(struct flattening *f, const struct nwf_filter *filter, const struct nwf_params *params,
        const struct nwf_scope *outer, struct nwf_error *err)
{
    const struct nwf_scope *scope = add_scope(f, params, outer);

    if (filter->defaults.list.n) {
        scope = add_scope(f, &filter->defaults, scope);
    }
    if (f->depth == NWF_PROGRAM_DEPTH_MAX) {
        return nwf_error_set(err, -E2BIG, "%s: references nest deeper than %d", filter->file,
                             NWF_PROGRAM_DEPTH_MAX);
    }
    f->path[f->depth++] = filter;
    nwf_vec_foreach (entry, &filter->entries) {
        if (entry->rule) {
            if (f->rules.n >= NWF_PROGRAM_RULES_MAX) {
                return nwf_error_set(err, -E2BIG, "%s:%u: more than %d rules", filter->file,
                                     entry->rule->line, NWF_PROGRAM_RULES_MAX);
            }
            nwf_vec_push(&f->rules, (struct flat_rule){entry->rule, scope, f->rules.n});
        } else {
            int r = flatten_ref(f, filter, entry->ref, scope, err);
            if (r) {
                return r;
            }
        }
    }
    f->depth--;
    return 0;
}

static void
flattening_finish(struct flattening *f)
{
    nwf_vec_foreach (scope, &f->scopes) {
        free(*scope);
    }
    nwf_vec_clear(&f->scopes);
    nwf_vec_clear(&f->rules);
}

static bool
in_root(const struct nwf_rule *rule)
{
    return nwf_chain_is_root(rule->filter->chain);
}

static int
compare_rules(const void *a_, const void *b_)
{
    const struct flat_rule *a = a_, *b = b_;

    if (in_root(a->rule) != in_root(b->rule)) {
        return in_root(a->rule) ? -1 : 1;
    }
    if (a->rule->priority != b->rule->priority) {
        return a->rule->priority < b->rule->priority ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

static struct nwf_pchain *
find_chain(struct nwf_side *side, const char *name)
{
    nwf_vec_foreach (chain, &side->chains) {
        if (!strcmp(chain->name, name)) {
            return chain;
        }
    }
    return NULL;
}

/* Makes the chains that rules of 'direction' stand in.  Filters that name one
 * chain with different priorities share it, and the last one's counts. */
static void
collect_chains(const struct flattening *f, enum nwf_direction direction, struct nwf_side *side)
{
    nwf_vec_foreach (flat, &f->rules) {
        const struct nwf_filter *filter = flat->rule->filter;
        if (!flat->rule->direction[direction] || in_root(flat->rule)
            || nwf_rule_is_ip(flat->rule)) {
            continue;
        }
        struct nwf_pchain *chain = find_chain(side, filter->chain);
        if (!chain) {
            nwf_vec_push(&side->chains,
                         (struct nwf_pchain){.name = filter->chain,
                                             .type = nwf_chain_type_find(filter->chain)});
            chain = &side->chains.data[side->chains.n - 1];
        }
        chain->priority = filter->priority;
    }
}

static int
compare_chains(const void *a_, const void *b_)
{
    const struct nwf_pchain *a = a_, *b = b_;

    if (a->priority != b->priority) {
        return a->priority < b->priority ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

/* Appends the chains that come before a root rule of 'priority' to the root list. */
static void
link_chains(struct nwf_side *side, size_t *next, int priority)
{
    while (*next < side->chains.n && side->chains.data[*next].priority <= priority) {
        nwf_vec_push(&side->root, (struct nwf_item){.is_chain = true, .index = (*next)++});
    }
}

/* Chains mean nothing to the IP layers: each has one list, in the order of the rules. */
static void
add_ip_rules(struct nwf_side *side, const struct nwf_rule *rule, size_t first)
{
    enum nwf_family family = rule->protocol->layer == NWF_IPV4 ? NWF_FAMILY_IPV4 : NWF_FAMILY_IPV6;

    for (size_t i = first; i < side->rules.n; i++) {
        nwf_vec_push(&side->ip[family], i);
    }
}

static int
build_side(const struct flattening *f, enum nwf_direction direction, struct nwf_program *program,
           struct nwf_error *err)
{
    struct nwf_side *side = &program->side[direction];
    size_t next_chain = 0;

    collect_chains(f, direction, side);
    if (side->chains.n) {
        qsort(side->chains.data, side->chains.n, sizeof side->chains.data[0], compare_chains);
    }
    nwf_vec_foreach (flat, &f->rules) {
        bool is_ip = nwf_rule_is_ip(flat->rule);
        if (!flat->rule->direction[direction] && !is_ip) {
            continue;
        }
        size_t first = side->rules.n;
        int r = nwf_rule_expand(flat->rule, flat->scope, direction, program, err);
        if (r) {
            return r;
        }
        if (is_ip) {
            add_ip_rules(side, flat->rule, first);
            continue;
        }
        struct nwf_pchain *chain =
            in_root(flat->rule) ? NULL : find_chain(side, flat->rule->filter->chain);
        if (!chain) {
            link_chains(side, &next_chain, flat->rule->priority);
        }
        for (size_t i = first; i < side->rules.n; i++) {
            if (chain) {
                nwf_vec_push(&chain->rules, i);
            } else {
                nwf_vec_push(&side->root, (struct nwf_item){.is_chain = false, .index = i});
            }
        }
    }
    link_chains(side, &next_chain, NWF_PRIORITY_MAX);
    return 0;
}

int
nwf_program_new(struct nwf_store *store, const struct nwf_filter *filter,
                const struct nwf_params *params, struct nwf_program **ret_program,
                struct nwf_error *err)
{
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = nwf_zalloc(sizeof *program);
    struct flattening f CLEANUP(flattening_finish) = {.store = store};
    int r = flatten(&f, filter, params, NULL, err);

    if (r) {
        return r;
    }
    if (f.rules.n) {
        qsort(f.rules.data, f.rules.n, sizeof f.rules.data[0], compare_rules);
    }
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        if ((r = build_side(&f, (enum nwf_direction) d, program, err))) {
            return r;
        }
    }
    *ret_program = TAKE_PTR(program);
    return 0;
}

bool
nwf_program_is_stateful(const struct nwf_program *program)
{
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        nwf_vec_foreach (instance, &program->side[d].rules) {
            if (nwf_rule_instance_is_stateful(instance)) {
                return true;
            }
        }
    }
    return false;
}

void
nwf_program_free(struct nwf_program *program)
{
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        struct nwf_side *side = &program->side[d];
        nwf_vec_foreach (instance, &side->rules) {
            nwf_rule_instance_clear(instance);
        }
        for (int family = 0; family < NWF_N_FAMILIES; family++) {
            nwf_vec_clear(&side->ip[family]);
        }
        nwf_vec_foreach (chain, &side->chains) {
            nwf_vec_clear(&chain->rules);
        }
        nwf_vec_clear(&side->rules);
        nwf_vec_clear(&side->chains);
        nwf_vec_clear(&side->root);
    }
    nwf_program_clear_lists(program);
    nwf_program_clear_derived(program);
    free(program);
}
