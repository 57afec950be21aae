/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that a guest's filter drops whatever the rest of them is; see guard.c. */
#include <config.h>

#include "guard_parts.h"
#include "match.h"
#include "nwf/pipeline.h"
#include "tag.h"

struct search {
    const struct nwf_stages *stages;
    const struct nwf_row *drop;     /* The first that drops some of them. */
    const struct nwf_row *covering; /* The first that would drop all of them. */
    bool differs;                   /* Other rules than that of 'drop' drop some. */
    bool seen[NWF_MAX_STAGES];
};

static void
note_drop(struct search *s, const struct nwf_row *row, const struct match *frames)
{
    s->drop = s->drop ? s->drop : row;
    s->differs |= s->drop->rule != row->rule || s->drop->why != row->why;
    if (!s->covering && nwf_match_covers(&row->match, frames)) {
        s->covering = row;
    }
}

/* Whether all frames that match are dropped from the stage on. */
static bool
drops(struct search *s, size_t stage, const struct match *frames)
{
    if (s->seen[stage]) {
        return true;
    }
    s->seen[stage] = true;
    nwf_vec_foreach (row, &s->stages->list.data[stage].rows) {
        struct match both = *frames;

        if (!nwf_match_and(&both, &row->match)) {
            continue;
        }
        if (row->verdict == NWF_V_ACCEPT
            || (nwf_row_has_target(row) && !drops(s, row->target, frames))) {
            return false;
        }
        if (row->verdict == NWF_V_DROP) {
            note_drop(s, row, frames);
        }
        if (nwf_match_covers(&row->match, frames)) {
            break;
        }
    }
    return true;
}

static bool
is_one_rule(const struct nwf_row *a, const struct nwf_row *b)
{
    return a && b && a->rule == b->rule && a->why == b->why;
}

/* The same of frames whose source address is one of those that are compared, if others are
 * dropped before: what drops them, which is one rule for all of them. */
static const struct nwf_row *
find_drop(const struct nwf_guard *g, const struct match *frames)
{
    const struct nwf_guard_values *sources = &g->of[NWF_COMPARED_ETH_SRC];
    struct search s = {.stages = g->stages};
    size_t n = sources->drop ? sources->n : 1;
    const struct nwf_row *covering = NULL;

    for (size_t i = 0; i < n; i++) {
        struct match match = *frames;
        if (sources->drop) {
            nwf_guard_ask(&match, nwf_guard_bit(NWF_COMPARED_ETH_SRC, i),
                          nwf_guard_bit(NWF_COMPARED_ETH_SRC, i));
        }
        memset(s.seen, 0, sizeof s.seen);
        s.covering = NULL;
        if (!drops(&s, 0, &match)) {
            return NULL;
        }
        covering = !i || is_one_rule(covering, s.covering) ? s.covering : NULL;
    }
    return s.differs ? covering : s.drop;
}

/* Of frames that have none of a field's values.  If tags are dropped before, these have none. */
static void
find_field_drop(struct nwf_guard *g, enum nwf_compared field)
{
    struct match frames;

    match_init_catchall(&frames);
    nwf_compared_require(field, &frames);
    if (frames.wc.masks.dl_type && g->drop_tagged) {
        nwf_match_set_eth_type(&frames, ntohs(frames.flow.dl_type));
    }
    nwf_guard_ask(&frames, 0, nwf_guard_bits(g, field));
    g->of[field].drop = g->of[field].n ? find_drop(g, &frames) : NULL;
}

/* In the order in which they are looked for. */
void
nwf_guard_find_drops(struct nwf_guard *g)
{
    struct match tagged;

    find_field_drop(g, NWF_COMPARED_ETH_SRC);
    nwf_match_tagged(&tagged);
    g->drop_tagged = find_drop(g, &tagged);
    find_field_drop(g, NWF_COMPARED_IPV4_SRC);
    find_field_drop(g, NWF_COMPARED_IPV6_SRC);
    for (size_t i = 0; i < NWF_N_GUARD_KINDS; i++) {
        find_field_drop(g, nwf_guard_kinds[i][0]);
        find_field_drop(g, nwf_guard_kinds[i][1]);
    }
}
