/* SPDX-License-Identifier: Apache-2.0
 *
 * Stages that cost little whatever a guest sends.
 *
 * What one guest sends and its filter drops must not fill the datapath's cache for all: neither
 * with flows, as addresses do that are made up one after the other, nor with masks, which multiply
 * if a frame meets rows about one field after it has failed at another.  So:
 *
 *  - addresses that rows compare with few values are compared bit by bit (compare.c), and rows
 *    ask for a bit of a register.  Where that says no, Open vSwitch looks at nothing else of the
 * row;
 *  - a frame that is dropped whatever the rest of it is, since its source address or its tag is
 *    wrong, is dropped before anything else is looked at;
 *  - a row about one Ethernet type and the destination's address asks for a bit as well, so that
 *    frames of other types do not have their address looked at. */
#include <config.h>

#include "guard.h"

#include "builder.h"
#include "compare.h"
#include "match.h"
#include "nwf/pipeline.h"
#include "tag.h"

#include "lib/packets.h"

#define VALUES_MAX NWF_COMPARED_VALUES_MAX
#define TYPES_MAX 8
#define FIRST_TYPE_BIT (VALUES_MAX * NWF_N_COMPARED)
#define NO_TARGET SIZE_MAX

struct values {
    struct nwf_operand list[VALUES_MAX];
    size_t n;                   /* 0: the field is not compared bit by bit. */
    const struct nwf_row *drop; /* Decides on frames that have none of them; NULL: many rows do. */
};

struct guard {
    struct nwf_stages *stages;
    struct values of[NWF_N_COMPARED];
    const struct nwf_row *drop_tagged;
    uint16_t types[TYPES_MAX];
    size_t n_types;
    struct nwf_stages front; /* What comes before the stages.  A target there is a number of it,
                              * or NO_TARGET: the first of the stages. */
};

/* ---- Bits. ---- */

static uint32_t
bit_of(enum nwf_compared field, size_t value)
{
    return UINT32_C(1) << (nwf_compared_first_bit(field) + value);
}

static uint32_t
all_bits(const struct guard *g, enum nwf_compared field)
{
    return ((UINT32_C(1) << g->of[field].n) - 1) * bit_of(field, 0);
}

static void
ask_bits(struct match *match, uint32_t bits, uint32_t mask)
{
    uint32_t value = match->flow.regs[NWF_REG_COMPARED];
    uint32_t old = match->wc.masks.regs[NWF_REG_COMPARED];

    match_set_reg_masked(match, NWF_REG_COMPARED, (value & ~mask) | bits, old | mask);
}

static void
forget_bits(struct match *match, uint32_t bits)
{
    uint32_t value = match->flow.regs[NWF_REG_COMPARED];
    uint32_t mask = match->wc.masks.regs[NWF_REG_COMPARED];

    match_set_reg_masked(match, NWF_REG_COMPARED, value & ~bits, mask & ~bits);
}

/* ---- The values that rows compare a field with. ---- */

static bool
asks_for(enum nwf_compared field, const struct match *match, struct nwf_operand *ret)
{
    uint16_t eth_type = nwf_compared_eth_type(field);

    *ret = nwf_compared_get(field, match);
    return ret->mask
           && (!eth_type
               || (match->wc.masks.dl_type == OVS_BE16_MAX
                   && match->flow.dl_type == htons(eth_type)));
}

static size_t
find_value(const struct values *values, const struct nwf_operand *operand)
{
    size_t i = 0;

    while (i < values->n
           && (values->list[i].value != operand->value || values->list[i].mask != operand->mask)) {
        i++;
    }
    return i;
}

/* Values are to have no frame in common, or to be one inside of the other. */
static bool
is_clear(const struct values *values, const struct nwf_operand *operand)
{
    for (size_t i = 0; i < values->n; i++) {
        const struct nwf_operand *other = &values->list[i];
        uint64_t both = other->mask & operand->mask;
        if (!((other->value ^ operand->value) & both) && both != other->mask
            && both != operand->mask) {
            return false;
        }
    }
    return true;
}

static bool
add_value(struct values *values, enum nwf_compared field, const struct nwf_operand *operand)
{
    if (find_value(values, operand) < values->n) {
        return true;
    }
    if (values->n >= VALUES_MAX || !nwf_compared_takes(field, operand)
        || !is_clear(values, operand)) {
        return false;
    }
    values->list[values->n++] = *operand;
    return true;
}

/* None if they are too many, or of another kind. */
static void
find_values(struct guard *g, enum nwf_compared field)
{
    struct nwf_operand operand;

    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (asks_for(field, &row->match, &operand)
                && !add_value(&g->of[field], field, &operand)) {
                g->of[field].n = 0;
                return;
            }
        }
    }
}

/* Rows ask for a value's bit in the place of the value. */
static void
replace_values(struct guard *g, enum nwf_compared field)
{
    static const struct nwf_operand nothing = {0, 0};
    struct nwf_operand operand;

    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (asks_for(field, &row->match, &operand)) {
                uint32_t bit = bit_of(field, find_value(&g->of[field], &operand));
                nwf_compared_set(field, &nothing, &row->match);
                ask_bits(&row->match, bit, bit);
            }
        }
    }
}

/* ---- Frames that are dropped whatever the rest of them is. ---- */

struct search {
    const struct nwf_stages *stages;
    const struct nwf_row *drop;
    bool seen[NWF_MAX_STAGES];
};

/* Whether all frames that match are dropped from the stage on, all of them by one rule. */
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
            if (s->drop && (s->drop->rule != row->rule || s->drop->why != row->why)) {
                return false;
            }
            s->drop = row;
        }
        if (nwf_match_covers(&row->match, frames)) {
            break;
        }
    }
    return true;
}

/* The same of frames whose source address is one of those that are compared, if others are
 * dropped before. */
static const struct nwf_row *
find_drop(const struct guard *g, const struct match *frames)
{
    const struct values *sources = &g->of[NWF_COMPARED_ETH_SRC];
    struct search s = {.stages = g->stages};
    size_t n = sources->drop ? sources->n : 1;

    for (size_t i = 0; i < n; i++) {
        struct match match = *frames;
        if (sources->drop) {
            ask_bits(&match, bit_of(NWF_COMPARED_ETH_SRC, i), bit_of(NWF_COMPARED_ETH_SRC, i));
        }
        memset(s.seen, 0, sizeof s.seen);
        if (!drops(&s, 0, &match)) {
            return NULL;
        }
    }
    return s.drop;
}

/* Of frames that have none of a field's values.  If tags are dropped before, these have none. */
static void
find_field_drop(struct guard *g, enum nwf_compared field)
{
    uint16_t eth_type = nwf_compared_eth_type(field);
    struct match frames;

    match_init_catchall(&frames);
    if (eth_type && g->drop_tagged) {
        nwf_match_set_eth_type(&frames, eth_type);
    } else if (eth_type) {
        match_set_dl_type(&frames, htons(eth_type));
    }
    ask_bits(&frames, 0, all_bits(g, field));
    g->of[field].drop = g->of[field].n ? find_drop(g, &frames) : NULL;
}

/* In the order in which they are looked for. */
static void
find_drops(struct guard *g)
{
    struct match tagged;

    find_field_drop(g, NWF_COMPARED_ETH_SRC);
    nwf_match_tagged(&tagged);
    g->drop_tagged = find_drop(g, &tagged);
    find_field_drop(g, NWF_COMPARED_ARP_SHA);
    find_field_drop(g, NWF_COMPARED_ARP_SPA);
}

/* ---- Types that have bits. ---- */

static bool
needs_type(const struct guard *g, const struct match *match)
{
    const struct flow *masks = &match->wc.masks;
    bool arp = g->of[NWF_COMPARED_ARP_SHA].n || g->of[NWF_COMPARED_ARP_SPA].n;

    return masks->dl_type == OVS_BE16_MAX
           && (!eth_addr_is_zero(masks->dl_dst) || !eth_addr_is_zero(masks->dl_src))
           && (match->flow.dl_type != htons(ETH_TYPE_ARP) || !arp);
}

static void
note_type(struct guard *g, struct match *match)
{
    uint16_t type = ntohs(match->flow.dl_type);
    size_t i = 0;

    while (i < g->n_types && g->types[i] != type) {
        i++;
    }
    if (i < TYPES_MAX) {
        g->types[i] = type;
        g->n_types = i < g->n_types ? g->n_types : i + 1;
        ask_bits(match, UINT32_C(1) << (FIRST_TYPE_BIT + i), UINT32_C(1) << (FIRST_TYPE_BIT + i));
    }
}

static void
note_types(struct guard *g)
{
    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (needs_type(g, &row->match)) {
                note_type(g, &row->match);
            }
        }
    }
}

/* ---- The stages in front. ---- */

static struct nwf_stage *
new_stage(struct guard *g)
{
    struct nwf_stage empty = {.rows.data = NULL};

    nwf_vec_push(&g->front.list, empty);
    return &g->front.list.data[g->front.list.n - 1];
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

static void
push_bits(struct nwf_stage *stage, const struct match *match, uint32_t bits, uint32_t mask,
          size_t target)
{
    struct nwf_row *row = push(stage, match, NWF_V_SET, target);

    row->set.reg = NWF_REG_COMPARED;
    row->set.value = bits;
    row->set.mask = mask;
}

/* The bits of all values that a frame has which has this one. */
static uint32_t
bits_of(const struct values *values, enum nwf_compared field, const struct nwf_operand *operand)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < values->n; i++) {
        const struct nwf_operand *other = &values->list[i];
        bool inside = (operand->mask & other->mask) == other->mask
                      && !((operand->value ^ other->value) & other->mask);
        bits |= inside ? bit_of(field, i) : 0;
    }
    return bits;
}

/* What is inside of something else comes first. */
static int
compare_operands(const void *a_, const void *b_)
{
    const struct nwf_operand *a = a_, *b = b_;
    int order = __builtin_popcountll(b->mask) - __builtin_popcountll(a->mask);

    return order || a->value == b->value ? order : a->value < b->value ? -1 : 1;
}

static void
push_comparison(struct guard *g, struct nwf_stage *stage, enum nwf_compared field,
                const struct match *frames, size_t target)
{
    const struct values *values = &g->of[field];

    for (size_t i = 0; i <= values->n; i++) {
        struct match match = *frames;
        uint32_t bits = 0;

        if (i < values->n) {
            nwf_compared_set(field, &values->list[i], &match);
            bits = bits_of(values, field, &values->list[i]);
        }
        push_bits(stage, &match, bits, all_bits(g, field), target);
        stage->rows.data[stage->rows.n - 1].set.compares = true;
        stage->rows.data[stage->rows.n - 1].set.field = (uint8_t) field;
    }
}

static void
push_missing(struct guard *g, struct nwf_stage *stage, enum nwf_compared field)
{
    struct match match;

    if (g->of[field].drop) {
        match_init_catchall(&match);
        ask_bits(&match, 0, all_bits(g, field));
        push_drop(stage, &match, g->of[field].drop);
    }
}

/* What is told by the Ethernet type. */
static void
push_types(struct guard *g, struct nwf_stage *stage)
{
    enum nwf_compared arp =
        g->of[NWF_COMPARED_ARP_SHA].n ? NWF_COMPARED_ARP_SHA : NWF_COMPARED_ARP_SPA;
    bool both = g->of[NWF_COMPARED_ARP_SHA].n && g->of[NWF_COMPARED_ARP_SPA].n;
    struct match match;

    match_init_catchall(&match);
    if (g->of[arp].n) {
        match_set_dl_type(&match, htons(ETH_TYPE_ARP));
        push_comparison(g, stage, arp, &match, both ? g->front.list.n : NO_TARGET);
    }
    for (size_t i = 0; i < g->n_types; i++) {
        uint32_t bit = UINT32_C(1) << (FIRST_TYPE_BIT + i);
        match_set_dl_type(&match, htons(g->types[i]));
        push_bits(stage, &match, bit, bit, NO_TARGET);
    }
}

static void
build_front(struct guard *g)
{
    struct nwf_stage *stage;
    struct match all, tagged;

    match_init_catchall(&all);
    if (g->of[NWF_COMPARED_ETH_SRC].n) {
        push_comparison(g, new_stage(g), NWF_COMPARED_ETH_SRC, &all, 1);
    }
    stage = new_stage(g);
    push_missing(g, stage, NWF_COMPARED_ETH_SRC);
    if (g->drop_tagged) {
        nwf_match_tagged(&tagged);
        push_drop(stage, &tagged, g->drop_tagged);
    }
    push_types(g, stage);
    push(stage, &all, NWF_V_GOTO, NO_TARGET);
    if (g->of[NWF_COMPARED_ARP_SHA].n && g->of[NWF_COMPARED_ARP_SPA].n) {
        stage = new_stage(g);
        push_missing(g, stage, NWF_COMPARED_ARP_SHA);
        push_comparison(g, stage, NWF_COMPARED_ARP_SPA, &all, NO_TARGET);
    }
}

static void
put_front(struct guard *g)
{
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

/* ---- All of it. ---- */

/* A frame that lacks the one value does not come as far as the rows. */
static void
drop_needless_bits(struct guard *g)
{
    uint32_t bits = 0;

    for (int f = 0; f < NWF_N_COMPARED; f++) {
        enum nwf_compared field = (enum nwf_compared) f;
        /* What is compared last is left to the rows. */
        bool last = field == NWF_COMPARED_ARP_SPA
                    || (field == NWF_COMPARED_ARP_SHA && !g->of[NWF_COMPARED_ARP_SPA].n);
        bits |= !last && g->of[field].drop && g->of[field].n == 1 ? all_bits(g, field) : 0;
    }
    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            forget_bits(&row->match, bits);
        }
        nwf_stage_prune(stage);
    }
}

/* Whether there is room for the stages in front and for what they walk through, which count like
 * stages. */
static bool
fits(const struct guard *g)
{
    size_t n = g->stages->list.n + 3;

    for (int field = 0; field < NWF_N_COMPARED; field++) {
        n += g->of[field].n;
    }
    return n <= NWF_MAX_STAGES;
}

void
nwf_stages_guard(struct nwf_stages *stages)
{
    struct guard g = {.stages = stages};
    size_t n = 0;

    for (int f = 0; f < NWF_N_COMPARED; f++) {
        find_values(&g, (enum nwf_compared) f);
        n += g.of[f].n;
    }
    if (!n || !fits(&g)) {
        return;
    }
    for (int f = 0; f < NWF_N_COMPARED; f++) {
        if (g.of[f].n) {
            qsort(g.of[f].list, g.of[f].n, sizeof g.of[f].list[0], compare_operands);
            replace_values(&g, (enum nwf_compared) f);
        }
    }
    find_drops(&g);
    note_types(&g);
    build_front(&g);
    drop_needless_bits(&g);
    put_front(&g);
}
