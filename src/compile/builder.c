/* SPDX-License-Identifier: Apache-2.0
 *
 * Stages while they are built: rows, and rules as rows; see builder.h. */
#include <config.h>

#include "builder.h"

#include <errno.h>

#include "encode.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "rule_query.h"

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

struct nwf_row *
nwf_builder_push(struct nwf_builder *b, const struct match *match, enum nwf_verdict verdict,
                 size_t target, uint32_t rule)
{
    struct nwf_stage *stage = nwf_builder_last(b);
    struct nwf_row row = {.verdict = verdict, .target = target, .rule = rule};

    row.match = *match;
    nwf_vec_push(&stage->rows, row);
    return &stage->rows.data[stage->rows.n - 1];
}

/* Whatever a switch would make of the match of a rule that is a <flow>, it is to be the same. */
static int
check_loss(const struct nwf_builder *b, const struct match *match, uint32_t rule,
           struct nwf_error *err)
{
    const struct nwf_rule_instance *instance =
        rule == NWF_RULE_END ? NULL : &b->side->rules.data[rule];
    const struct nwf_cond *text =
        b->has_flow_text && instance ? nwf_rule_flow_text(instance) : NULL;
    char *loss CLEANUP_FREE = text ? nwf_match_loss(match) : NULL;

    return loss ? nwf_rule_fail(instance, err, -EOPNOTSUPP, loss, text) : 0;
}

int
nwf_builder_emit(struct nwf_builder *b, const struct match *match,
                 const struct nwf_emission *emission, struct nwf_error *err)
{
    struct match both = *match;
    enum nwf_verdict verdict = emission->verdict;
    size_t target = emission->target;
    int r;

    if (++b->n_rows > NWF_ROWS_MAX) {
        return nwf_error_set(err, -E2BIG, "the filter needs more than %d flows", NWF_ROWS_MAX);
    }
    if (emission->guard && !nwf_match_and(&both, emission->guard)) {
        return 0; /* No frame is in both, e.g. an <ip> rule in an ARP chain. */
    }
    if ((r = check_loss(b, &both, emission->rule, err))) {
        return r;
    }
    bool accepts = verdict == NWF_V_ACCEPT && b->accept_goes_on;
    if (accepts) {
        verdict = NWF_V_GOTO;
        target = NWF_TARGET_ACCEPT;
    }
    struct nwf_row *row = nwf_builder_push(b, &both, verdict, target, emission->rule);
    row->accepts = accepts;
    row->why = emission->why;
    return 0;
}

static int
emit_list(struct nwf_builder *b, const struct nwf_matches *list,
          const struct nwf_emission *emission, struct nwf_error *err)
{
    int r;

    nwf_vec_foreach (match, list) {
        if ((r = nwf_builder_emit(b, match, emission, err))) {
            return r;
        }
    }
    return 0;
}

void
nwf_builder_close_stage(struct nwf_builder *b)
{
    struct match all;

    match_init_catchall(&all);
    nwf_builder_push(b, &all, NWF_V_GOTO, b->stages->list.n, NWF_RULE_END);
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
count_values(struct nwf_builder *b, const struct nwf_rule_instance *instance, struct nwf_error *err)
{
    nwf_vec_foreach (cond, &instance->conds) {
        b->n_values += nwf_sets_find(&b->sets, instance, cond) ? 1 : nwf_cond_count(cond);
    }
    return b->n_values <= NWF_EXPANDED_VALUES_MAX
               ? 0
               : nwf_error_set(err, -E2BIG,
                               "the filter's rules have more than %d values in lists and ranges",
                               NWF_EXPANDED_VALUES_MAX);
}

/* What is in doubt comes first where it must not meet what the rule says of it. */
static int
emit_matches(struct nwf_builder *b, const struct nwf_rule_matches *m,
             const struct nwf_emission *rule, struct nwf_error *err)
{
    struct nwf_emission doubt = *rule, except = *rule;
    int r;

    doubt.verdict = NWF_V_DROP;
    doubt.target = 0;
    doubt.why = NWF_WHY_DOUBT;
    except.verdict = NWF_V_GOTO;
    except.target = b->stages->list.n;
    except.why = NWF_WHY_EXCEPTION;
    if (m->doubt_first && (r = emit_list(b, &m->doubt, &doubt, err))) {
        return r;
    }
    if ((r = emit_list(b, &m->except, &except, err)) || (r = emit_list(b, &m->any, rule, err))) {
        return r;
    }
    return m->doubt_first ? 0 : emit_list(b, &m->doubt, &doubt, err);
}

int
nwf_builder_emit_rule(struct nwf_builder *b, const struct match *guard, uint32_t id, bool *returns,
                      struct nwf_error *err)
{
    const struct nwf_rule_instance *instance = &b->side->rules.data[id];
    enum nwf_action action = instance->rule->action;
    struct nwf_emission emission = {
        .guard = guard,
        .verdict = action == NWF_ACCEPT ? NWF_V_ACCEPT : NWF_V_DROP,
        .target = NWF_TARGET_BEHIND_CHAIN,
        .rule = id,
        .why = NWF_WHY_RULE,
    };
    struct nwf_rule_matches m CLEANUP(nwf_rule_matches_finish) = {.doubt_first = false};
    int r;

    if (action == NWF_CONTINUE) {
        return 0;
    }
    if (action == NWF_RETURN) {
        /* Out of the root list, nothing is left to object. */
        emission.verdict = guard ? NWF_V_GOTO : NWF_V_ACCEPT;
        *returns |= guard != NULL;
    }
    if ((r = count_values(b, instance, err))
        || (r = nwf_rule_matches_init(&m, instance, b->tracked, &b->sets, err))
        || (r = emit_matches(b, &m, &emission, err))) {
        return r;
    }
    if (m.except.n) {
        nwf_builder_close_stage(b);
    }
    return 0;
}
