/* SPDX-License-Identifier: Apache-2.0
 *
 * From a side's root list to stages.
 *
 * The root list is walked once.  What ends a stage is a place that something
 * jumps forward to: behind a chain with a "return", behind a negated rule. */
#include <config.h>

#include "nwf/stages.h"

#include <errno.h>

#include "builder.h"
#include "encode.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"

bool
nwf_row_has_target(const struct nwf_row *row)
{
    return row->verdict != NWF_V_ACCEPT && row->verdict != NWF_V_DROP;
}

struct nwf_stage *
nwf_builder_last(struct nwf_builder *b)
{
    return &b->stages->list.data[b->stages->list.n - 1];
}

void
nwf_builder_new_stage(struct nwf_builder *b)
{
    struct nwf_stage empty = {.rows.data = NULL};

    nwf_vec_push(&b->stages->list, empty);
}

static void
stage_push(struct nwf_stage *stage, const struct match *match, enum nwf_verdict verdict,
           size_t target, uint32_t rule)
{
    struct nwf_row row = {.verdict = verdict, .target = target, .rule = rule};

    row.match = *match;
    nwf_vec_push(&stage->rows, row);
}

/* Whatever a switch would make of the match of a rule that is a <flow>, it is to be the same. */
static int
check_loss(const struct nwf_builder *b, const struct match *match, uint32_t rule,
           struct nwf_error *err)
{
    const struct nwf_prule *prule = rule == NWF_RULE_END ? NULL : &b->side->rules.data[rule];
    const struct nwf_cond *text = b->has_flow_text && prule ? nwf_rule_flow_text(prule) : NULL;
    char *loss CLEANUP_FREE = text ? nwf_match_loss(match) : NULL;

    return loss ? nwf_rule_fail(prule, err, -EOPNOTSUPP, loss, text) : 0;
}

int
nwf_builder_emit(struct nwf_builder *b, const struct match *guard, const struct match *match,
                 enum nwf_verdict verdict, size_t target, uint32_t rule, struct nwf_error *err)
{
    struct match both = *match;

    if (++b->n_rows > NWF_ROWS_MAX) {
        return nwf_error_set(err, -E2BIG, "the filter needs more than %d flows", NWF_ROWS_MAX);
    }
    if (guard && !nwf_match_and(&both, guard)) {
        return 0; /* No frame is in both, e.g. an <ip> rule in an ARP chain. */
    }
    int r = check_loss(b, &both, rule, err);
    if (r) {
        return r;
    }
    bool accepts = verdict == NWF_V_ACCEPT && b->accept_goes_on;
    if (accepts) {
        verdict = NWF_V_GOTO;
        target = NWF_TARGET_ACCEPT;
    }
    struct nwf_stage *stage = nwf_builder_last(b);
    stage_push(stage, &both, verdict, target, rule);
    stage->rows.data[stage->rows.n - 1].accepts = accepts;
    return 0;
}

static int
emit_list(struct nwf_builder *b, const struct match *guard, const struct nwf_matches *list,
          enum nwf_verdict verdict, size_t target, uint32_t rule, enum nwf_why why,
          struct nwf_error *err)
{
    struct nwf_stage *stage = nwf_builder_last(b);
    size_t first = stage->rows.n;
    int r = 0;

    nwf_vec_foreach (match, list) {
        r = r ? r : nwf_builder_emit(b, guard, match, verdict, target, rule, err);
    }
    for (size_t i = first; i < stage->rows.n; i++) {
        stage->rows.data[i].why = why;
    }
    return r;
}

void
nwf_builder_close_stage(struct nwf_builder *b)
{
    struct match all;

    match_init_catchall(&all);
    stage_push(nwf_builder_last(b), &all, NWF_V_GOTO, b->stages->list.n, NWF_RULE_END);
    b->n_rows++;
    nwf_builder_new_stage(b);
}

void
nwf_builder_resolve(struct nwf_builder *b, size_t first, size_t placeholder)
{
    for (size_t i = first; i < b->stages->list.n; i++) {
        nwf_vec_foreach (row, &b->stages->list.data[i].rows) {
            if (nwf_row_has_target(row) && row->target == placeholder) {
                row->target = b->stages->list.n - 1;
            }
        }
    }
}

/* A rule's matches are work even if they come to nothing, because they contradict others. */
static int
count_values(struct nwf_builder *b, const struct nwf_prule *prule, struct nwf_error *err)
{
    nwf_vec_foreach (cond, &prule->conds) {
        b->n_values += nwf_sets_find(&b->sets, prule, cond) ? 1 : nwf_cond_count(cond);
    }
    return b->n_values <= NWF_EXPANDED_VALUES_MAX
               ? 0
               : nwf_error_set(err, -E2BIG,
                               "the filter's rules have more than %d values in lists and ranges",
                               NWF_EXPANDED_VALUES_MAX);
}

int
nwf_builder_emit_rule(struct nwf_builder *b, const struct match *guard, uint32_t id, bool *returns,
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
    int r = count_values(b, prule, err);
    if (r || (r = nwf_rule_matches_init(&m, prule, b->tracked, &b->sets, err))) {
        return r;
    }
    if (m.doubt_first) {
        r = emit_list(b, guard, &m.doubt, NWF_V_DROP, 0, id, NWF_WHY_DOUBT, err);
    }
    if (!r) {
        r = emit_list(b, guard, &m.except, NWF_V_GOTO, b->stages->list.n, id, NWF_WHY_EXCEPTION,
                      err);
    }
    if (!r) {
        r = emit_list(b, guard, &m.any, verdict, NWF_TARGET_BEHIND_CHAIN, id, NWF_WHY_RULE, err);
    }
    if (!r && !m.doubt_first) {
        r = emit_list(b, guard, &m.doubt, NWF_V_DROP, 0, id, NWF_WHY_DOUBT, err);
    }
    if (!r && m.except.n) {
        nwf_builder_close_stage(b);
    }
    nwf_rule_matches_finish(&m);
    return r;
}

static int
emit_chain(struct nwf_builder *b, const struct nwf_pchain *chain, struct nwf_error *err)
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
        if ((r = nwf_builder_emit_rule(b, &guard, (uint32_t) *id, &returns, err))) {
            return r;
        }
    }
    /* A frame that falls off a chain is accepted. */
    r = nwf_builder_emit(b, NULL, &guard, NWF_V_ACCEPT, 0, NWF_RULE_END, err);
    if (!r && returns) {
        nwf_builder_close_stage(b);
        nwf_builder_resolve(b, first, NWF_TARGET_BEHIND_CHAIN);
    }
    return r;
}

/* ---- Lookups of addresses, before all rules. ---- */

static void
set_push(struct nwf_builder *b, const struct match *match, enum nwf_set_group group, uint32_t value,
         unsigned int level)
{
    struct nwf_row *row;

    stage_push(nwf_builder_last(b), match, NWF_V_SET, b->stages->list.n, NWF_RULE_END);
    row = &nwf_builder_last(b)->rows.data[nwf_builder_last(b)->rows.n - 1];
    row->set.reg = nwf_set_register(group);
    row->set.value = value;
    row->set.level = level;
    b->n_rows++;
}

/* A frame that is in no set has the register cleared: it may come from another port's
 * lookup. */
static void
emit_lookups(struct nwf_builder *b)
{
    for (int group = 0; group < NWF_N_SET_GROUPS; group++) {
        struct nwf_set_entries entries;
        struct match all;

        nwf_sets_lookup(&b->sets, (enum nwf_set_group) group, &entries);
        nwf_vec_foreach (entry, &entries) {
            set_push(b, &entry->match, (enum nwf_set_group) group, entry->value, 1 + entry->length);
        }
        if (entries.n) {
            match_init_catchall(&all);
            set_push(b, &all, (enum nwf_set_group) group, 0, 0);
            nwf_builder_new_stage(b);
        }
        nwf_vec_clear(&entries);
    }
}

/* ---- The root list. ---- */

static int
emit_root(struct nwf_builder *b, struct nwf_error *err)
{
    struct match all;
    bool returns = false;
    int r = 0;

    nwf_builder_new_stage(b);
    emit_lookups(b);
    b->accept_goes_on = nwf_builder_has_ip(b);
    nwf_vec_foreach (item, &b->side->root) {
        r = item->is_chain ? emit_chain(b, &b->side->chains.data[item->index], err)
                           : nwf_builder_emit_rule(b, NULL, (uint32_t) item->index, &returns, err);
        if (r) {
            return r;
        }
    }
    match_init_catchall(&all);
    return nwf_builder_emit(b, NULL, &all, NWF_V_ACCEPT, 0, NWF_RULE_END, err);
}

/* ---- All of it. ---- */

static bool
has_flow_text(const struct nwf_side *side)
{
    nwf_vec_foreach (prule, &side->rules) {
        if (nwf_rule_flow_text(prule)) {
            return true;
        }
    }
    return false;
}

int
nwf_stages_build_whole(const struct nwf_program *program, enum nwf_direction direction,
                       struct nwf_stages *stages, struct nwf_error *err)
{
    struct nwf_builder b = {
        .program = program,
        .direction = direction,
        .side = &program->side[direction],
        .stages = stages,
    };

    memset(stages, 0, sizeof *stages);
    b.has_flow_text = has_flow_text(b.side);
    nwf_sets_init(&b.sets, b.side);
    int r = emit_root(&b, err);
    if (!r && nwf_builder_has_ip(&b)) {
        r = nwf_builder_emit_ip(&b, err);
    }
    nwf_sets_finish(&b.sets);
    if (r) {
        nwf_stages_clear(stages);
    }
    return r;
}

int
nwf_stages_build(const struct nwf_program *program, enum nwf_direction direction,
                 struct nwf_stages *stages, struct nwf_error *err)
{
    int r = nwf_stages_build_whole(program, direction, stages, err);

    if (r) {
        return r;
    }
    nwf_stages_shrink(stages, has_flow_text(&program->side[direction]));
    if (stages->list.n > NWF_MAX_STAGES) {
        r = nwf_error_set(err, -E2BIG,
                          "the filter needs %zu tables, %d are there: it has too many negated "
                          "rules or returns",
                          stages->list.n, NWF_MAX_STAGES);
        nwf_stages_clear(stages);
    }
    return r;
}

void
nwf_stages_clear(struct nwf_stages *stages)
{
    nwf_vec_foreach (stage, &stages->list) {
        nwf_vec_clear(&stage->rows);
    }
    nwf_vec_clear(&stages->list);
}
