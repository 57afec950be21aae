/* SPDX-License-Identifier: Apache-2.0
 *
 * The stages in front of those of rows, where fields are compared and frames dropped that cannot
 * pass; see guard.c.  While they are made, a target in them is a number of theirs, or NO_TARGET:
 * the first of the stages behind. */
#include <config.h>

#include "guard_parts.h"
#include "match.h"
#include "nwf/pipeline.h"
#include "tag.h"

#include "lib/packets.h"

#define NO_TARGET SIZE_MAX

const enum nwf_compared nwf_guard_kinds[NWF_N_GUARD_KINDS][2] = {
    [NWF_GUARD_ARP] = {NWF_COMPARED_ARP_SHA, NWF_COMPARED_ARP_SPA},
    [NWF_GUARD_RARP] = {NWF_COMPARED_RARP_MACS, NWF_COMPARED_RARP_ADDRESSES},
    [NWF_GUARD_TCP] = {NWF_COMPARED_TCP_SRC, NWF_COMPARED_TCP_DST},
    [NWF_GUARD_UDP] = {NWF_COMPARED_UDP_SRC, NWF_COMPARED_UDP_DST},
    [NWF_GUARD_NS] = {NWF_COMPARED_NS_SLL, NWF_COMPARED_NS_TARGET},
    [NWF_GUARD_NA] = {NWF_COMPARED_NA_TLL, NWF_COMPARED_NA_TARGET},
    [NWF_GUARD_TCP6] = {NWF_COMPARED_TCP6_SRC, NWF_COMPARED_TCP6_DST},
    [NWF_GUARD_UDP6] = {NWF_COMPARED_UDP6_SRC, NWF_COMPARED_UDP6_DST},
};

/* ---- Types that have bits. ---- */

/* They are where NWF_COMPARED_ETH_DST has its own, and needs no types. */
static uint32_t
type_bit(size_t type)
{
    return UINT32_C(1) << (NWF_COMPARED_LAST_BITS + type);
}

static bool
needs_type(const struct match *match)
{
    const struct flow *masks = &match->wc.masks;

    return masks->dl_type == OVS_BE16_MAX
           && (!eth_addr_is_zero(masks->dl_dst) || !eth_addr_is_zero(masks->dl_src));
}

static void
note_type(struct nwf_guard *g, struct match *match)
{
    uint16_t type = ntohs(match->flow.dl_type);
    size_t i = 0;

    while (i < g->n_types && g->types[i] != type) {
        i++;
    }
    if (i < NWF_GUARD_TYPES_MAX) {
        g->types[i] = type;
        g->n_types = i < g->n_types ? g->n_types : i + 1;
        nwf_guard_ask(match, type_bit(i), type_bit(i));
    }
}

void
nwf_guard_note_types(struct nwf_guard *g)
{
    if (g->of[NWF_COMPARED_ETH_DST].n) {
        return;
    }
    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (needs_type(&row->match)) {
                note_type(g, &row->match);
            }
        }
    }
}

/* ---- The stages in front. ---- */

static size_t
new_stage(struct nwf_guard *g)
{
    struct nwf_stage empty = {.rows.data = NULL};

    nwf_vec_push(&g->front.list, empty);
    return g->front.list.n - 1;
}

static struct nwf_row *
push(struct nwf_stage *stage, const struct match *match, enum nwf_verdict verdict, size_t target)
{
    struct nwf_row row = {.verdict = verdict, .target = target, .rule = NWF_RULE_END};

    row.match = *match;
    nwf_vec_push(&stage->rows, row);
    return &stage->rows.data[stage->rows.n - 1];
}

static void
push_drop(struct nwf_stage *stage, const struct match *match, const struct nwf_row *drop)
{
    struct nwf_row *row = push(stage, match, NWF_V_DROP, 0);

    row->rule = drop->rule;
    row->why = drop->why;
}

static struct nwf_row *
push_bits(struct nwf_stage *stage, const struct match *match, uint32_t bits, uint32_t mask,
          size_t target)
{
    struct nwf_row *row = push(stage, match, NWF_V_SET, target);

    row->set.reg = NWF_REG_COMPARED;
    row->set.value = bits;
    row->set.mask = mask;
    return row;
}

static void
push_rest(struct nwf_guard *g, size_t stage, size_t target)
{
    struct match all;

    match_init_catchall(&all);
    push(&g->front.list.data[stage], &all, NWF_V_GOTO, target);
}

/* The bits of all values that a frame has which has this one. */
static uint32_t
bits_of(const struct nwf_guard_values *values, enum nwf_compared field,
        const struct nwf_operand *operand)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < values->n; i++) {
        bits |= nwf_operand_is_inside(operand, &values->list[i]) ? nwf_guard_bit(field, i) : 0;
    }
    return bits;
}

/* The bit of the Ethernet type that frames with the field have, if it has one. */
static uint32_t
type_bit_of(const struct nwf_guard *g, enum nwf_compared field)
{
    struct match frames;

    match_init_catchall(&frames);
    nwf_compared_require(field, &frames);
    for (size_t i = 0; i < g->n_types; i++) {
        if (frames.wc.masks.dl_type && frames.flow.dl_type == htons(g->types[i])) {
            return type_bit(i);
        }
    }
    return 0;
}

/* 'all': no other frames come to the stage than those that have the field. */
static void
push_comparison(struct nwf_guard *g, size_t stage, enum nwf_compared field, bool all, size_t target)
{
    const struct nwf_guard_values *values = &g->of[field];
    uint32_t type = type_bit_of(g, field);

    for (size_t i = 0; i <= values->n; i++) {
        struct match match;
        uint32_t bits = type;

        match_init_catchall(&match);
        if (i < values->n || !all) {
            nwf_compared_require(field, &match);
        }
        if (i < values->n) {
            nwf_compared_set(field, &values->list[i], &match);
            bits |= bits_of(values, field, &values->list[i]);
        }
        struct nwf_row *row = push_bits(&g->front.list.data[stage], &match, bits,
                                        nwf_guard_bits(g, field) | type, target);
        row->set.compares = true;
        row->set.is_last = i == values->n;
        row->set.is_dropped = !row->set.is_last && values->is_dropped[i];
        row->set.field = (uint8_t) field;
    }
}

static void
push_missing(struct nwf_guard *g, size_t stage, enum nwf_compared field)
{
    struct match match;

    if (g->of[field].drop) {
        match_init_catchall(&match);
        nwf_compared_require(field, &match);
        nwf_guard_ask(&match, 0, nwf_guard_bits(g, field));
        push_drop(&g->front.list.data[stage], &match, g->of[field].drop);
    }
}

/* The second field of a kind of frames is looked at in a stage of its own, by those that have the
 * first. */
static void
push_kind(struct nwf_guard *g, size_t stage, int kind)
{
    enum nwf_compared first = nwf_guard_kinds[kind][0], second = nwf_guard_kinds[kind][1];

    if (g->of[first].n && g->of[second].n) {
        size_t next = new_stage(g);
        push_comparison(g, stage, first, false, next);
        push_missing(g, next, first);
        push_comparison(g, next, second, true, NO_TARGET);
    } else if (g->of[first].n || g->of[second].n) {
        push_comparison(g, stage, g->of[first].n ? first : second, false, NO_TARGET);
    }
}

/* Packets of a family: the field of their source, and their kinds. */
static const struct family {
    enum nwf_compared source;
    int first, last;
} families[] = {
    {NWF_COMPARED_IPV4_SRC, NWF_GUARD_TCP, NWF_GUARD_UDP},
    {NWF_COMPARED_IPV6_SRC, NWF_GUARD_NS, NWF_GUARD_UDP6},
};
#define N_FAMILIES (sizeof families / sizeof families[0])

/* Whether more of its packets than their source is compared. */
static bool
has_kinds(const struct nwf_guard *g, const struct family *family)
{
    for (int kind = family->first; kind <= family->last; kind++) {
        if (g->of[nwf_guard_kinds[kind][0]].n || g->of[nwf_guard_kinds[kind][1]].n) {
            return true;
        }
    }
    return false;
}

static void
push_kinds(struct nwf_guard *g, size_t stage, const struct family *family)
{
    for (int kind = family->first; kind <= family->last; kind++) {
        push_kind(g, stage, kind);
    }
}

/* What is in packets is looked at in a stage of its own, by those whose source is one of those that
 * are compared, if any are. */
static void
push_family(struct nwf_guard *g, size_t stage, const struct family *family)
{
    if (!g->of[family->source].n) {
        push_kinds(g, stage, family);
    } else if (!has_kinds(g, family)) {
        push_comparison(g, stage, family->source, false, NO_TARGET);
    } else {
        size_t next = new_stage(g);
        push_comparison(g, stage, family->source, false, next);
        push_missing(g, next, family->source);
        push_kinds(g, next, family);
        push_rest(g, next, NO_TARGET);
    }
}

static void
push_types(struct nwf_guard *g, size_t stage)
{
    for (size_t i = 0; i < g->n_types; i++) {
        struct match match;
        match_init_catchall(&match);
        match_set_dl_type(&match, htons(g->types[i]));
        push_bits(&g->front.list.data[stage], &match, type_bit(i), type_bit(i), NO_TARGET);
    }
}

/* Those that the last comparison of their kind has found wrong. */
static void
push_last_missing(struct nwf_guard *g, size_t stage)
{
    for (size_t i = 0; i < NWF_N_GUARD_KINDS; i++) {
        enum nwf_compared first = nwf_guard_kinds[i][0], second = nwf_guard_kinds[i][1];
        push_missing(g, stage, g->of[second].n ? second : first);
    }
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (!has_kinds(g, &families[i])) {
            push_missing(g, stage, families[i].source);
        }
    }
}

/* Where a frame goes is looked at when it is known where it is from, so that the masks of both do
 * not multiply. */
static void
push_destination(struct nwf_guard *g)
{
    size_t last = new_stage(g);

    for (size_t i = 0; i < last; i++) {
        nwf_vec_foreach (row, &g->front.list.data[i].rows) {
            row->target = row->target == NO_TARGET ? last : row->target;
        }
    }
    push_last_missing(g, last);
    push_comparison(g, last, NWF_COMPARED_ETH_DST, true, NO_TARGET);
}

/* Nor with what else the rows look at: the last of the stages in front becomes the beginning of the
 * first stage of rows. */
static void
join_rows(struct nwf_guard *g)
{
    struct nwf_stage *stage = &g->stages->list.data[0];
    struct nwf_stage first = g->front.list.data[--g->front.list.n];

    nwf_vec_foreach (row, &stage->rows) {
        nwf_vec_push(&first.rows, *row);
    }
    nwf_vec_clear(&stage->rows);
    *stage = first;
}

void
nwf_guard_build_front(struct nwf_guard *g)
{
    size_t stage = new_stage(g);
    struct match tagged;

    if (g->of[NWF_COMPARED_ETH_SRC].n) {
        push_comparison(g, stage, NWF_COMPARED_ETH_SRC, true, stage + 1);
        stage = new_stage(g);
    }
    push_missing(g, stage, NWF_COMPARED_ETH_SRC);
    if (g->drop_tagged) {
        nwf_match_tagged(&tagged);
        push_drop(&g->front.list.data[stage], &tagged, g->drop_tagged);
    }
    push_kind(g, stage, NWF_GUARD_ARP);
    push_kind(g, stage, NWF_GUARD_RARP);
    for (size_t i = 0; i < N_FAMILIES; i++) {
        push_family(g, stage, &families[i]);
    }
    push_types(g, stage);
    push_rest(g, stage, NO_TARGET);
    if (g->of[NWF_COMPARED_ETH_DST].n) {
        push_destination(g);
    } else {
        push_last_missing(g, new_stage(g));
    }
}

void
nwf_guard_put_front(struct nwf_guard *g)
{
    if (!g->of[NWF_COMPARED_ETH_DST].n) {
        join_rows(g);
    }
    struct nwf_stages whole = g->front;
    size_t n_front = whole.list.n;

    nwf_vec_foreach (stage, &whole.list) {
        nwf_vec_foreach (row, &stage->rows) {
            row->target = row->target == NO_TARGET ? n_front : row->target;
        }
    }
    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            row->target += nwf_row_has_target(row) ? n_front : 0;
        }
        nwf_vec_push(&whole.list, *stage);
    }
    nwf_vec_clear(&g->stages->list);
    *g->stages = whole;
}
