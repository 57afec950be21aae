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
#include "nwf/pipeline.h"
#include "rule_query.h"

/* What reaches the end of a list is accepted. */
static const struct nwf_emission accept_rest = {.verdict = NWF_V_ACCEPT, .rule = NWF_RULE_END};

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
    r = nwf_builder_emit(b, &guard, &accept_rest, err);
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
    struct nwf_row *row = nwf_builder_push(b, match, NWF_V_SET, b->stages->list.n, NWF_RULE_END);

    row->set.reg = nwf_set_register(group);
    row->set.value = value;
    row->set.mask = UINT32_MAX;
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
    return nwf_builder_emit(b, &all, &accept_rest, err);
}

/* ---- All of it. ---- */

static bool
has_flow_text(const struct nwf_side *side)
{
    nwf_vec_foreach (instance, &side->rules) {
        if (nwf_rule_flow_text(instance)) {
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
    nwf_stages_merge(stages, has_flow_text(&program->side[direction]));
    if (stages->list.n > NWF_MAX_STAGES) {
        r = nwf_error_set(err, -E2BIG,
                          "the filter needs %zu tables, %d are there: it has too many negated "
                          "rules or returns",
                          stages->list.n, NWF_MAX_STAGES);
        nwf_stages_clear(stages);
    }
    return r;
}
