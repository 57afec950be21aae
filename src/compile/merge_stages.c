/* SPDX-License-Identifier: Apache-2.0
 *
 * Fewer stages, and fewer rows.
 *
 * A stage is merged into the one before it where that does not need more rows than both
 * had. */
#include <config.h>

#include "builder.h"
#include "encode.h"
#include "nwf/pipeline.h"

/* Merging looks at every pair of rows. */
#define MERGE_ROWS_MAX 256

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

/* Whether a switch would not get what two rows, each of which it gets, ask for together. */
static bool
has_loss(const struct match *both, const struct match *a, const struct match *b)
{
    char *loss CLEANUP_FREE =
        nwf_match_covers(a, b) || nwf_match_covers(b, a) ? NULL : nwf_match_loss(both);

    return loss != NULL;
}

/* Appends 'row', which goes on in 'next', as the rows that it meets there.  Where these are
 * no rule's, a rule that has accepted stays the one that did.  False if that cannot be. */
static bool
push_inlined(struct nwf_stage *stage, const struct nwf_row *row, const struct nwf_stage *next,
             bool has_flow_text)
{
    nwf_vec_foreach (there, &next->rows) {
        struct nwf_row both = *there;
        if (nwf_match_and(&both.match, &row->match)) {
            if (has_flow_text && has_loss(&both.match, &there->match, &row->match)) {
                return false;
            }
            if (there->rule == NWF_RULE_END && row->accepts) {
                both.rule = row->rule;
                both.why = row->why;
                both.accepts = true;
            }
            push_uncovered(stage, &both);
            if (nwf_match_covers(&there->match, &row->match)) {
                break;
            }
        }
    }
    return true;
}

static bool
is_target(const struct nwf_stages *stages, size_t target, size_t but_from)
{
    for (size_t i = 0; i < stages->list.n; i++) {
        nwf_vec_foreach (row, &stages->list.data[i].rows) {
            if ((i != but_from || row->verdict != NWF_V_GOTO) && nwf_row_has_target(row)
                && row->target == target) {
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
            row->target -= nwf_row_has_target(row) && row->target > index;
        }
    }
}

/* Merges stage i + 1 into stage i if that pays. */
static void
merge(struct nwf_stages *stages, size_t i, bool has_flow_text)
{
    const struct nwf_stage *here = &stages->list.data[i], *next = here + 1;
    size_t separate = here->rows.n + next->rows.n;
    struct nwf_stage merged = {.rows.data = NULL};
    bool fits = true;

    if (separate > MERGE_ROWS_MAX || is_target(stages, i + 1, i)) {
        return;
    }
    nwf_vec_foreach (row, &here->rows) {
        if (row->verdict == NWF_V_GOTO && row->target == i + 1) {
            fits = push_inlined(&merged, row, next, has_flow_text);
        } else {
            push_uncovered(&merged, row);
        }
        fits = fits && merged.rows.n <= separate;
        if (!fits) {
            break;
        }
    }
    if (fits) {
        stage_clear(&stages->list.data[i]);
        stages->list.data[i] = merged;
        remove_stage(stages, i + 1);
    } else {
        stage_clear(&merged);
    }
}

void
nwf_stage_prune(struct nwf_stage *stage)
{
    struct nwf_stage pruned = {.rows.data = NULL};

    if (stage->rows.n > MERGE_ROWS_MAX) {
        return;
    }
    nwf_vec_foreach (row, &stage->rows) {
        struct nwf_row *last = pruned.rows.n ? &pruned.rows.data[pruned.rows.n - 1] : NULL;
        if (last && last->why == NWF_WHY_DOUBT && row->verdict == NWF_V_DROP
            && nwf_match_covers(&row->match, &last->match)) {
            pruned.rows.n--;
        }
        push_uncovered(&pruned, row);
    }
    stage_clear(stage);
    *stage = pruned;
}

void
nwf_stages_merge(struct nwf_stages *stages, bool has_flow_text)
{
    nwf_vec_foreach (stage, &stages->list) {
        nwf_stage_prune(stage);
    }
    for (size_t i = stages->list.n - 1; i-- > 0;) {
        merge(stages, i, has_flow_text);
    }
}
