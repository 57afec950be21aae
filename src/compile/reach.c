/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules that no frame reaches, whatever the values of variables; see nwf/reach.h.
 *
 * A rule is reached if one of its rows is in a stage that is reached, and no row before it
 * takes all of its frames.  A rule with variables is tried with whatever it may match, and
 * takes nothing away from others. */
#include <config.h>

#include "nwf/reach.h"

#include <stdlib.h>

#include "nwf/cleanup.h"
#include "nwf/pipeline.h"
#include "nwf/stages.h"
#include "nwf/text.h"

#include "match.h"

/* The search looks at every pair of rows. */
#define ROWS_MAX 2000
/* More rules than these are not told of. */
#define NOTES_MAX 100

struct reach {
    NWF_VEC(const struct nwf_rule *) reached; /* In the end sorted by address. */
    const struct nwf_rule *noted[NOTES_MAX];
    size_t n_noted;
};

static int
compare_addresses(const void *a_, const void *b_)
{
    const struct nwf_rule *const *a = a_, *const *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static bool
is_reached(const struct reach *r, const struct nwf_rule *rule)
{
    return r->reached.n
           && bsearch(&rule, r->reached.data, r->reached.n, sizeof r->reached.data[0],
                      compare_addresses);
}

static void
add_reached(struct reach *r, const struct nwf_rule *rule)
{
    if (!r->reached.n || r->reached.data[r->reached.n - 1] != rule) {
        nwf_vec_push(&r->reached, rule);
    }
}

/* Whether the rule is one to tell of; each is told of once. */
static bool
is_news(struct reach *r, const struct nwf_rule *rule)
{
    for (size_t i = 0; i < r->n_noted; i++) {
        if (r->noted[i] == rule) {
            return false;
        }
    }
    if (rule->action == NWF_CONTINUE || r->n_noted == NOTES_MAX || is_reached(r, rule)) {
        return false;
    }
    r->noted[r->n_noted++] = rule;
    return true;
}

static bool
is_certain(const struct nwf_side *side, const struct nwf_row *row)
{
    return row->rule == NWF_RULE_END || !nwf_rule_has_variables(side->rules.data[row->rule].rule);
}

static bool
is_taken(const struct nwf_side *side, const struct nwf_stage *stage, size_t row)
{
    for (size_t i = 0; i < row && stage->rows.n <= ROWS_MAX; i++) {
        if (is_certain(side, &stage->rows.data[i])
            && nwf_match_covers(&stage->rows.data[i].match, &stage->rows.data[row].match)) {
            return true;
        }
    }
    return false;
}

static void
look_at_stages(struct reach *r, const struct nwf_stages *stages, const struct nwf_side *side)
{
    bool *entered CLEANUP_FREE = nwf_zalloc(stages->list.n * sizeof *entered);

    entered[0] = true;
    for (size_t i = 0; i < stages->list.n; i++) {
        const struct nwf_stage *stage = &stages->list.data[i];
        for (size_t j = 0; entered[i] && j < stage->rows.n; j++) {
            const struct nwf_row *row = &stage->rows.data[j];
            if (is_taken(side, stage, j)) {
                continue;
            }
            if (nwf_row_has_target(row)) {
                entered[row->target] = true;
            }
            if (row->rule != NWF_RULE_END) {
                add_reached(r, side->rules.data[row->rule].rule);
            }
        }
    }
}

static int
look(struct reach *r, struct nwf_program *program)
{
    struct nwf_error ignored CLEANUP(nwf_error_clear) = NWF_ERROR_INIT;

    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        nwf_vec_foreach (instance, &program->side[d].rules) {
            nwf_rule_instance_widen(instance);
        }
    }
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        struct nwf_stages stages;
        int e = nwf_stages_build_whole(program, (enum nwf_direction) d, &stages, &ignored);
        if (e) {
            return e;
        }
        look_at_stages(r, &stages, &program->side[d]);
        nwf_stages_clear(&stages);
    }
    if (r->reached.n) {
        qsort(r->reached.data, r->reached.n, sizeof r->reached.data[0], compare_addresses);
    }
    return 0;
}

void
nwf_filter_unreached(struct nwf_store *store, const struct nwf_filter *filter,
                     const struct nwf_params *params, nwf_filter_note_fn *note, void *aux)
{
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    struct nwf_error ignored CLEANUP(nwf_error_clear) = NWF_ERROR_INIT;
    struct reach r = {.reached.data = NULL};

    if (!nwf_program_new(store, filter, params, &program, &ignored) && !look(&r, program)) {
        for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
            nwf_vec_foreach (instance, &program->side[d].rules) {
                const struct nwf_rule *rule = instance->rule;
                if (is_news(&r, rule)) {
                    note(aux, rule->filter->file, rule->line,
                         "nothing reaches this rule: others before it decide, or its chain never "
                         "has such frames");
                }
            }
        }
    }
    nwf_vec_clear(&r.reached);
}
