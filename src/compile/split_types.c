/* SPDX-License-Identifier: Apache-2.0
 *
 * Ethernet types that have a stage of their own; see guard.h.
 *
 * Open vSwitch looks at type, tag and both addresses of a frame in one step.  So a row about
 * one type and a destination, which "clean-traffic" has for RARP, makes it look at the destination
 * of frames of all types that come as far as the row: each group address that somebody sends to
 * would be cached for itself. */
#include <config.h>

#include "guard.h"

#include "match.h"
#include "nwf/pipeline.h"

#include "lib/packets.h"

/* Of one stage: each may double what is for all types. */
#define SPLITS_MAX 4
#define ROWS_MAX 64

static bool
is_of_type(const struct match *match, ovs_be16 type)
{
    return match->wc.masks.dl_type == OVS_BE16_MAX && match->flow.dl_type == type;
}

/* Whether a row asks for its type and for an address besides. */
static bool
needs_split(const struct match *match)
{
    const struct flow *masks = &match->wc.masks;

    return masks->dl_type == OVS_BE16_MAX
           && (!eth_addr_is_zero(masks->dl_dst) || !eth_addr_is_zero(masks->dl_src));
}

/* Moves the rows of the type behind one that goes on with them in stage 'target'.  What is for all
 * types stands in both. */
static void
split_off(struct nwf_stage *stage, ovs_be16 type, size_t target, struct nwf_stage *ret)
{
    struct nwf_stage rest = {.rows.data = NULL};
    bool found = false;

    memset(ret, 0, sizeof *ret);
    nwf_vec_foreach (row, &stage->rows) {
        bool is_own = is_of_type(&row->match, type);
        if (is_own && !found) {
            struct nwf_row go = {.verdict = NWF_V_GOTO, .target = target, .rule = NWF_RULE_END};
            match_init_catchall(&go.match);
            match_set_dl_type(&go.match, type);
            nwf_vec_push(&rest.rows, go);
            found = true;
        }
        if (found && (is_own || row->match.wc.masks.dl_type != OVS_BE16_MAX)) {
            nwf_vec_push(&ret->rows, *row);
        }
        if (!is_own) {
            nwf_vec_push(&rest.rows, *row);
        }
    }
    nwf_vec_clear(&stage->rows);
    *stage = rest;
}

/* The first type of the stage that is to be split off, if other types are there. */
static bool
find_type(const struct nwf_stage *stage, ovs_be16 *ret)
{
    bool others = false, found = false;

    nwf_vec_foreach (row, &stage->rows) {
        if (!found && needs_split(&row->match)) {
            *ret = row->match.flow.dl_type;
            found = true;
        }
    }
    nwf_vec_foreach (row, &stage->rows) {
        others |= found && !is_of_type(&row->match, *ret);
    }
    return others;
}

/* Rows go forward only: the new stage comes right behind. */
static void
insert_stage(struct nwf_stages *stages, size_t index)
{
    struct nwf_stage empty = {.rows.data = NULL};

    nwf_vec_foreach (stage, &stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            row->target += nwf_row_has_target(row) && row->target >= index;
        }
    }
    nwf_vec_push(&stages->list, empty);
    memmove(&stages->list.data[index + 1], &stages->list.data[index],
            (stages->list.n - 1 - index) * sizeof stages->list.data[0]);
}

/* Splits what is to be split off of a stage into stages behind it; returns how many. */
static size_t
split_stage(struct nwf_stages *stages, size_t index)
{
    struct nwf_stage own;
    ovs_be16 type;
    size_t n = 0;

    while (n < SPLITS_MAX && stages->list.n < NWF_MAX_STAGES
           && stages->list.data[index].rows.n <= ROWS_MAX
           && find_type(&stages->list.data[index], &type)) {
        insert_stage(stages, index + 1);
        split_off(&stages->list.data[index], type, index + 1, &own);
        stages->list.data[index + 1] = own;
        n++;
    }
    return n;
}

void
nwf_stages_split_types(struct nwf_stages *stages)
{
    for (size_t i = 0; i < stages->list.n; i++) {
        i += split_stage(stages, i); /* Of a stage of one type nothing is left to split off. */
    }
}
