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
#define NO_TARGET SIZE_MAX

/* Stages in front: by source, by type, for each kind, for IPv6, for destinations. */
#define FRONT_MAX 8

/* Two fields that frames of one kind have, in the order in which they are looked at. */
enum { KIND_ARP, KIND_RARP, KIND_NS, KIND_NA, N_KINDS };
static const enum nwf_compared kinds[N_KINDS][2] = {
    [KIND_ARP] = {NWF_COMPARED_ARP_SHA, NWF_COMPARED_ARP_SPA},
    [KIND_RARP] = {NWF_COMPARED_RARP_MACS, NWF_COMPARED_RARP_ADDRESSES},
    [KIND_NS] = {NWF_COMPARED_NS_SLL, NWF_COMPARED_NS_TARGET},
    [KIND_NA] = {NWF_COMPARED_NA_TLL, NWF_COMPARED_NA_TARGET},
};

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

/* ---- Operands. ---- */

static bool
is_empty(const struct nwf_operand *operand)
{
    static const struct nwf_operand nothing;

    return !memcmp(operand->mask, nothing.mask, sizeof nothing.mask);
}

/* Whether all that has the value of 'a' has that of 'b'. */
static bool
is_inside(const struct nwf_operand *a, const struct nwf_operand *b)
{
    for (size_t i = 0; i < NWF_OPERAND_WORDS; i++) {
        if (b->mask[i] & ~a->mask[i] || (a->value[i] ^ b->value[i]) & b->mask[i]) {
            return false;
        }
    }
    return true;
}

static bool
is_disjoint(const struct nwf_operand *a, const struct nwf_operand *b)
{
    for (size_t i = 0; i < NWF_OPERAND_WORDS; i++) {
        if ((a->value[i] ^ b->value[i]) & a->mask[i] & b->mask[i]) {
            return true;
        }
    }
    return false;
}

static int
count_bits(const struct nwf_operand *operand)
{
    int n = 0;

    for (size_t i = 0; i < NWF_OPERAND_WORDS; i++) {
        n += __builtin_popcount(operand->mask[i]);
    }
    return n;
}

/* What is inside of something else comes first. */
static int
compare_operands(const void *a_, const void *b_)
{
    const struct nwf_operand *a = a_, *b = b_;
    int order = count_bits(b) - count_bits(a);

    return order ? order : memcmp(a, b, sizeof *a);
}

/* ---- The values that rows compare a field with. ---- */

static bool
asks_for(enum nwf_compared field, const struct match *match, struct nwf_operand *ret)
{
    *ret = nwf_compared_get(field, match);
    return !is_empty(ret) && nwf_compared_is_required(field, match);
}

static size_t
find_value(const struct values *values, const struct nwf_operand *operand)
{
    size_t i = 0;

    while (i < values->n && memcmp(&values->list[i], operand, sizeof *operand)) {
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
        if (!is_disjoint(other, operand) && !is_inside(other, operand)
            && !is_inside(operand, other)) {
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

/* Whether rows about all types of frames ask for where they go.  A row about one type is helped
 * more cheaply by a bit for the type. */
static bool
asks_for_destinations(const struct guard *g)
{
    struct nwf_operand operand;

    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (asks_for(NWF_COMPARED_ETH_DST, &row->match, &operand)
                && !row->match.wc.masks.dl_type) {
                return true;
            }
        }
    }
    return false;
}

/* None if they are too many, of another kind, or overlap. */
static void
find_values(struct guard *g, enum nwf_compared field)
{
    struct nwf_operand operand;

    if (field == NWF_COMPARED_ETH_DST && !asks_for_destinations(g)) {
        return;
    }
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
    static const struct nwf_operand nothing;
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
find_drop(const struct guard *g, const struct match *frames)
{
    const struct values *sources = &g->of[NWF_COMPARED_ETH_SRC];
    struct search s = {.stages = g->stages};
    size_t n = sources->drop ? sources->n : 1;
    const struct nwf_row *covering = NULL;

    for (size_t i = 0; i < n; i++) {
        struct match match = *frames;
        if (sources->drop) {
            ask_bits(&match, bit_of(NWF_COMPARED_ETH_SRC, i), bit_of(NWF_COMPARED_ETH_SRC, i));
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
find_field_drop(struct guard *g, enum nwf_compared field)
{
    struct match frames;

    match_init_catchall(&frames);
    nwf_compared_require(field, &frames);
    if (frames.wc.masks.dl_type && g->drop_tagged) {
        nwf_match_set_eth_type(&frames, ntohs(frames.flow.dl_type));
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
    find_field_drop(g, NWF_COMPARED_IPV4_SRC);
    find_field_drop(g, NWF_COMPARED_IPV6_SRC);
    for (size_t i = 0; i < N_KINDS; i++) {
        find_field_drop(g, kinds[i][0]);
        find_field_drop(g, kinds[i][1]);
    }
}

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
        ask_bits(match, type_bit(i), type_bit(i));
    }
}

static void
note_types(struct guard *g)
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
new_stage(struct guard *g)
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
push_rest(struct guard *g, size_t stage, size_t target)
{
    struct match all;

    match_init_catchall(&all);
    push(&g->front.list.data[stage], &all, NWF_V_GOTO, target);
}

/* The bits of all values that a frame has which has this one. */
static uint32_t
bits_of(const struct values *values, enum nwf_compared field, const struct nwf_operand *operand)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < values->n; i++) {
        bits |= is_inside(operand, &values->list[i]) ? bit_of(field, i) : 0;
    }
    return bits;
}

/* The bit of the Ethernet type that frames with the field have, if it has one. */
static uint32_t
type_bit_of(const struct guard *g, enum nwf_compared field)
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
push_comparison(struct guard *g, size_t stage, enum nwf_compared field, bool all, size_t target)
{
    const struct values *values = &g->of[field];
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
        struct nwf_row *row =
            push_bits(&g->front.list.data[stage], &match, bits, all_bits(g, field) | type, target);
        row->set.compares = true;
        row->set.is_last = i == values->n;
        row->set.field = (uint8_t) field;
    }
}

static void
push_missing(struct guard *g, size_t stage, enum nwf_compared field)
{
    struct match match;

    if (g->of[field].drop) {
        match_init_catchall(&match);
        nwf_compared_require(field, &match);
        ask_bits(&match, 0, all_bits(g, field));
        push_drop(&g->front.list.data[stage], &match, g->of[field].drop);
    }
}

/* The second field of a kind of frames is looked at in a stage of its own, by those that have the
 * first. */
static void
push_kind(struct guard *g, size_t stage, int kind)
{
    enum nwf_compared first = kinds[kind][0], second = kinds[kind][1];

    if (g->of[first].n && g->of[second].n) {
        size_t next = new_stage(g);
        push_comparison(g, stage, first, false, next);
        push_missing(g, next, first);
        push_comparison(g, next, second, true, NO_TARGET);
    } else if (g->of[first].n || g->of[second].n) {
        push_comparison(g, stage, g->of[first].n ? first : second, false, NO_TARGET);
    }
}

static void
push_ip(struct guard *g, size_t stage)
{
    if (g->of[NWF_COMPARED_IPV4_SRC].n) {
        push_comparison(g, stage, NWF_COMPARED_IPV4_SRC, false, NO_TARGET);
    }
    if (g->of[NWF_COMPARED_IPV6_SRC].n) {
        size_t next = new_stage(g);
        push_comparison(g, stage, NWF_COMPARED_IPV6_SRC, false, next);
        push_missing(g, next, NWF_COMPARED_IPV6_SRC);
        push_kind(g, next, KIND_NS);
        push_kind(g, next, KIND_NA);
        push_rest(g, next, NO_TARGET);
    } else {
        push_kind(g, stage, KIND_NS);
        push_kind(g, stage, KIND_NA);
    }
}

static void
push_types(struct guard *g, size_t stage)
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
push_last_missing(struct guard *g, size_t stage)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        enum nwf_compared first = kinds[i][0], second = kinds[i][1];
        push_missing(g, stage, g->of[second].n ? second : first);
    }
    push_missing(g, stage, NWF_COMPARED_IPV4_SRC);
}

/* Where a frame goes is looked at when it is known where it is from, so that the masks of both do
 * not multiply. */
static void
push_destination(struct guard *g)
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
join_rows(struct guard *g)
{
    struct nwf_stage *stage = &g->stages->list.data[0];
    struct nwf_stage first = g->front.list.data[--g->front.list.n];

    nwf_vec_foreach (row, &stage->rows) {
        nwf_vec_push(&first.rows, *row);
    }
    nwf_vec_clear(&stage->rows);
    *stage = first;
}

static void
build_front(struct guard *g)
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
    push_kind(g, stage, KIND_ARP);
    push_kind(g, stage, KIND_RARP);
    push_ip(g, stage);
    push_types(g, stage);
    push_rest(g, stage, NO_TARGET);
    if (g->of[NWF_COMPARED_ETH_DST].n) {
        push_destination(g);
    } else {
        push_last_missing(g, new_stage(g));
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
    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            for (int f = 0; f < NWF_N_COMPARED; f++) {
                enum nwf_compared field = (enum nwf_compared) f;
                if (g->of[field].n == 1 && g->of[field].drop
                    && nwf_compared_is_required(field, &row->match)) {
                    forget_bits(&row->match, all_bits(g, field));
                }
            }
        }
        nwf_stage_prune(stage);
    }
}

static size_t
count_tables(const struct guard *g, enum nwf_compared field)
{
    return g->of[field].n * nwf_compared_n_words(field);
}

/* Whether there is room for the stages in front and for what they walk through, which count like
 * stages. */
static bool
fits(const struct guard *g)
{
    size_t most = count_tables(g, NWF_COMPARED_IPV4_SRC);

    for (int i = 0; i < N_KINDS; i++) {
        size_t n = count_tables(g, kinds[i][0]) + count_tables(g, kinds[i][1]);
        n += i < KIND_NS ? 0 : count_tables(g, NWF_COMPARED_IPV6_SRC);
        most = n > most ? n : most;
    }
    return g->stages->list.n + FRONT_MAX + most + count_tables(g, NWF_COMPARED_ETH_SRC)
               + count_tables(g, NWF_COMPARED_ETH_DST)
           <= NWF_MAX_STAGES;
}

/* What costs the most tables, and bounds what is rarest, is given up first. */
static void
make_room(struct guard *g)
{
    static const enum nwf_compared order[] = {
        NWF_COMPARED_RARP_ADDRESSES, NWF_COMPARED_RARP_MACS, NWF_COMPARED_NS_TARGET,
        NWF_COMPARED_NA_TARGET,      NWF_COMPARED_IPV6_SRC,  NWF_COMPARED_IPV4_SRC,
        NWF_COMPARED_ETH_DST,        NWF_COMPARED_NS_SLL,    NWF_COMPARED_NA_TLL,
        NWF_COMPARED_ARP_SPA,        NWF_COMPARED_ARP_SHA,   NWF_COMPARED_ETH_SRC,
    };

    for (size_t i = 0; i < sizeof order / sizeof order[0] && !fits(g); i++) {
        g->of[order[i]].n = 0;
    }
}

uint32_t
nwf_stages_guard(struct nwf_stages *stages)
{
    struct guard g = {.stages = stages};
    uint32_t fields = 0;

    for (int f = 0; f < NWF_N_COMPARED; f++) {
        find_values(&g, (enum nwf_compared) f);
    }
    make_room(&g);
    for (int f = 0; f < NWF_N_COMPARED; f++) {
        if (g.of[f].n) {
            qsort(g.of[f].list, g.of[f].n, sizeof g.of[f].list[0], compare_operands);
            replace_values(&g, (enum nwf_compared) f);
            fields |= UINT32_C(1) << f;
        }
    }
    if (fields) {
        find_drops(&g);
        note_types(&g);
        build_front(&g);
        drop_needless_bits(&g);
        if (!g.of[NWF_COMPARED_ETH_DST].n) {
            join_rows(&g);
        }
        put_front(&g);
    }
    return fields;
}
