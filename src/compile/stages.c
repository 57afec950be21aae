/* SPDX-License-Identifier: Apache-2.0
 *
 * From a side's root list to stages, and fewer of them.
 *
 * The root list is walked once.  What ends a stage is a place that something
 * jumps forward to: behind a chain with a "return", behind a negated rule.
 * Afterwards a stage is folded into the one before it where that does not need
 * more rows than both had. */
#include <config.h>

#include "nwf/stages.h"

#include <errno.h>

#include "match.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"

/* Folding looks at every pair of rows. */
#define FOLD_ROWS_MAX 512

struct builder {
    const struct nwf_side *side;
    struct nwf_stages *stages;
    size_t n_rows;
};

static struct nwf_stage *
last_stage(struct nwf_stages *stages)
{
    return &stages->list.data[stages->list.n - 1];
}

static void
new_stage(struct nwf_stages *stages)
{
    struct nwf_stage empty = {.rows.data = NULL};

    nwf_vec_push(&stages->list, empty);
}

static void
stage_push(struct nwf_stage *stage, const struct match *match, enum nwf_verdict verdict,
           size_t target, uint32_t rule)
{
    struct nwf_row row = {.verdict = verdict, .target = target, .rule = rule};

    row.match = *match;
    nwf_vec_push(&stage->rows, row);
}

/* Adds 'match', narrowed to 'guard' (may be NULL), to the open stage. */
static int
emit(struct builder *b, const struct match *guard, const struct match *match,
     enum nwf_verdict verdict, size_t target, uint32_t rule, struct nwf_error *err)
{
    struct match both = *match;

    if (guard && !nwf_match_and(&both, guard)) {
        return 0; /* No frame is in both, e.g. an <ip> rule in an ARP chain. */
    }
    if (++b->n_rows > NWF_ROWS_MAX) {
        return nwf_error_set(err, -E2BIG, "the filter needs more than %d flows", NWF_ROWS_MAX);
    }
    stage_push(last_stage(b->stages), &both, verdict, target, rule);
    return 0;
}

static int
emit_list(struct builder *b, const struct match *guard, const struct nwf_matches *list,
          enum nwf_verdict verdict, size_t target, uint32_t rule, struct nwf_error *err)
{
    int r = 0;

    nwf_vec_foreach (match, list) {
        r = r ? r : emit(b, guard, match, verdict, target, rule, err);
    }
    return r;
}

static int
emit_doubt(struct builder *b, const struct match *guard, const struct nwf_matches *list,
           uint32_t rule, struct nwf_error *err)
{
    struct nwf_stage *stage = last_stage(b->stages);
    size_t first = stage->rows.n;
    int r = emit_list(b, guard, list, NWF_V_DROP, 0, rule, err);

    for (size_t i = first; i < stage->rows.n; i++) {
        stage->rows.data[i].in_doubt = true;
    }
    return r;
}

/* Ends the open stage: what has no verdict yet goes on in the next. */
static void
close_stage(struct nwf_stages *stages)
{
    struct match all;

    match_init_catchall(&all);
    stage_push(last_stage(stages), &all, NWF_V_GOTO, stages->list.n, NWF_RULE_END);
    new_stage(stages);
}

/* A target that is not known yet: behind the chain being walked. */
#define TARGET_BEHIND_CHAIN SIZE_MAX

static int
emit_rule(struct builder *b, const struct match *guard, uint32_t id, bool *returns,
          struct nwf_error *err)
{
    const struct nwf_prule *prule = &b->side->rules.data[id];
    enum nwf_action action = prule->rule->action;
    enum nwf_verdict verdict = action == NWF_ACCEPT ? NWF_V_ACCEPT : NWF_V_DROP;
    struct nwf_rule_matches m;

    if (action == NWF_CONTINUE) {
        return 0;
    }
    if (action == NWF_RETURN) {
        /* Out of the root list, nothing is left to object. */
        verdict = guard ? NWF_V_GOTO : NWF_V_ACCEPT;
        *returns |= guard != NULL;
    }
    int r = nwf_rule_matches_init(&m, prule, err);
    if (r) {
        return r;
    }
    if (m.doubt_first) {
        r = emit_doubt(b, guard, &m.doubt, id, err);
    }
    if (!r) {
        r = emit_list(b, guard, &m.except, NWF_V_GOTO, b->stages->list.n, id, err);
    }
    if (!r) {
        r = emit_list(b, guard, &m.any, verdict, TARGET_BEHIND_CHAIN, id, err);
    }
    if (!r && !m.doubt_first) {
        r = emit_doubt(b, guard, &m.doubt, id, err);
    }
    if (!r && m.except.n) {
        close_stage(b->stages);
    }
    nwf_rule_matches_finish(&m);
    return r;
}

static void
resolve_returns(struct nwf_stages *stages, size_t first)
{
    for (size_t i = first; i < stages->list.n; i++) {
        nwf_vec_foreach (row, &stages->list.data[i].rows) {
            if (row->verdict == NWF_V_GOTO && row->target == TARGET_BEHIND_CHAIN) {
                row->target = stages->list.n - 1;
            }
        }
    }
}

static int
emit_chain(struct builder *b, const struct nwf_pchain *chain, struct nwf_error *err)
{
    size_t first = b->stages->list.n - 1;
    bool returns = false;
    struct match guard;
    int r = 0;

    match_init_catchall(&guard);
    if (chain->type->guard) {
        nwf_match_implied(chain->type->guard, &guard);
    }
    nwf_vec_foreach (id, &chain->rules) {
        if ((r = emit_rule(b, &guard, (uint32_t) *id, &returns, err))) {
            return r;
        }
    }
    /* A frame that falls off a chain is accepted. */
    r = emit(b, NULL, &guard, NWF_V_ACCEPT, 0, NWF_RULE_END, err);
    if (!r && returns) {
        close_stage(b->stages);
        resolve_returns(b->stages, first);
    }
    return r;
}

static int
emit_root(struct builder *b, struct nwf_error *err)
{
    struct match all;
    bool returns;
    int r = 0;

    new_stage(b->stages);
    nwf_vec_foreach (item, &b->side->root) {
        r = item->is_chain ? emit_chain(b, &b->side->chains.data[item->index], err)
                           : emit_rule(b, NULL, (uint32_t) item->index, &returns, err);
        if (r) {
            return r;
        }
    }
    match_init_catchall(&all);
    return emit(b, NULL, &all, NWF_V_ACCEPT, 0, NWF_RULE_END, err);
}

/* ---- Folding. ---- */

static void
stage_clear(struct nwf_stage *stage)
{
    nwf_vec_clear(&stage->rows);
}

static bool
is_covered(const struct nwf_stage *stage, const struct match *match)
{
    nwf_vec_foreach (row, &stage->rows) {
        if (nwf_match_covers(&row->match, match)) {
            return true;
        }
    }
    return false;
}

static void
push_uncovered(struct nwf_stage *stage, const struct nwf_row *row)
{
    if (!is_covered(stage, &row->match)) {
        nwf_vec_push(&stage->rows, *row);
    }
}

/* Appends 'row', which goes on in 'next', as the rows that it meets there. */
static void
push_inlined(struct nwf_stage *stage, const struct nwf_row *row, const struct nwf_stage *next)
{
    nwf_vec_foreach (there, &next->rows) {
        struct nwf_row both = *there;
        if (nwf_match_and(&both.match, &row->match)) {
            push_uncovered(stage, &both);
            if (nwf_match_covers(&there->match, &row->match)) {
                return;
            }
        }
    }
}

static bool
is_target(const struct nwf_stages *stages, size_t target, size_t but_from)
{
    for (size_t i = 0; i < stages->list.n; i++) {
        nwf_vec_foreach (row, &stages->list.data[i].rows) {
            if (i != but_from && row->verdict == NWF_V_GOTO && row->target == target) {
                return true;
            }
        }
    }
    return false;
}

static void
remove_stage(struct nwf_stages *stages, size_t index)
{
    stage_clear(&stages->list.data[index]);
    memmove(&stages->list.data[index], &stages->list.data[index + 1],
            (--stages->list.n - index) * sizeof stages->list.data[0]);
    nwf_vec_foreach (stage, &stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            row->target -= row->verdict == NWF_V_GOTO && row->target > index;
        }
    }
}

/* Folds stage i + 1 into stage i if that pays. */
static void
fold(struct nwf_stages *stages, size_t i)
{
    const struct nwf_stage *here = &stages->list.data[i], *next = here + 1;
    size_t separate = here->rows.n + next->rows.n;
    struct nwf_stage folded = {.rows.data = NULL};

    if (separate > FOLD_ROWS_MAX || is_target(stages, i + 1, i)) {
        return;
    }
    nwf_vec_foreach (row, &here->rows) {
        if (row->verdict == NWF_V_GOTO && row->target == i + 1) {
            push_inlined(&folded, row, next);
        } else {
            push_uncovered(&folded, row);
        }
        if (folded.rows.n > separate) {
            break;
        }
    }
    if (folded.rows.n <= separate) {
        stage_clear(&stages->list.data[i]);
        stages->list.data[i] = folded;
        remove_stage(stages, i + 1);
    } else {
        stage_clear(&folded);
    }
}

/* Drops rows that no frame reaches, and doubts that the next row settles anyway. */
static void
prune(struct nwf_stage *stage)
{
    struct nwf_stage pruned = {.rows.data = NULL};

    if (stage->rows.n > FOLD_ROWS_MAX) {
        return;
    }
    nwf_vec_foreach (row, &stage->rows) {
        struct nwf_row *last = pruned.rows.n ? &pruned.rows.data[pruned.rows.n - 1] : NULL;
        if (last && last->in_doubt && row->verdict == NWF_V_DROP
            && nwf_match_covers(&row->match, &last->match)) {
            pruned.rows.n--;
        }
        push_uncovered(&pruned, row);
    }
    stage_clear(stage);
    *stage = pruned;
}

int
nwf_stages_build(const struct nwf_side *side, struct nwf_stages *stages, struct nwf_error *err)
{
    struct builder b = {.side = side, .stages = stages};

    memset(stages, 0, sizeof *stages);
    int r = emit_root(&b, err);
    if (!r) {
        nwf_vec_foreach (stage, &stages->list) {
            prune(stage);
        }
        for (size_t i = stages->list.n - 1; i-- > 0;) {
            fold(stages, i);
        }
        if (stages->list.n > NWF_MAX_STAGES) {
            r = nwf_error_set(err, -E2BIG,
                              "the filter needs %zu tables, %d are there: it has too many negated "
                              "rules or returns",
                              stages->list.n, NWF_MAX_STAGES);
        }
    }
    if (r) {
        nwf_stages_clear(stages);
    }
    return r;
}

void
nwf_stages_clear(struct nwf_stages *stages)
{
    nwf_vec_foreach (stage, &stages->list) {
        stage_clear(stage);
    }
    nwf_vec_clear(&stages->list);
}

bool
nwf_stages_uniform(const struct nwf_stages *stages, const struct match *frames,
                   enum nwf_verdict *ret_verdict)
{
    size_t i = 0;

    for (;;) {
        const struct nwf_row *decisive = NULL;
        nwf_vec_foreach (row, &stages->list.data[i].rows) {
            struct match both = *frames;
            if (!nwf_match_and(&both, &row->match)) {
                continue;
            }
            if (!nwf_match_covers(&row->match, frames)) {
                return false;
            }
            decisive = row;
            break;
        }
        if (!decisive) {
            return false;
        }
        if (decisive->verdict != NWF_V_GOTO) {
            *ret_verdict = decisive->verdict;
            return true;
        }
        i = decisive->target;
    }
}
