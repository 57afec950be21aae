/* SPDX-License-Identifier: Apache-2.0
 *
 * The values that rows compare fields with, and the bits of a register that rows ask for in their
 * place; see guard.c. */
#include <config.h>

#include "guard_parts.h"
#include "match.h"
#include "nwf/pipeline.h"

#include "lib/packets.h"

/* ---- Bits. ---- */

uint32_t
nwf_guard_bit(enum nwf_compared field, size_t value)
{
    return UINT32_C(1) << (nwf_compared_first_bit(field) + value);
}

uint32_t
nwf_guard_bits(const struct nwf_guard *g, enum nwf_compared field)
{
    return ((UINT32_C(1) << g->of[field].n) - 1) * nwf_guard_bit(field, 0);
}

void
nwf_guard_ask(struct match *match, uint32_t bits, uint32_t mask)
{
    uint32_t value = match->flow.regs[NWF_REG_COMPARED];
    uint32_t old = match->wc.masks.regs[NWF_REG_COMPARED];

    match_set_reg_masked(match, NWF_REG_COMPARED, (value & ~mask) | bits, old | mask);
}

/* ---- Operands. ---- */

static bool
is_empty(const struct nwf_operand *operand)
{
    static const struct nwf_operand nothing;

    return !memcmp(operand->mask, nothing.mask, sizeof nothing.mask);
}

bool
nwf_operand_is_inside(const struct nwf_operand *a, const struct nwf_operand *b)
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
find_value(const struct nwf_guard_values *values, const struct nwf_operand *operand)
{
    size_t i = 0;

    while (i < values->n && memcmp(&values->list[i], operand, sizeof *operand)) {
        i++;
    }
    return i;
}

/* Values are to have no frame in common, or to be one inside of the other. */
static bool
is_clear(const struct nwf_guard_values *values, const struct nwf_operand *operand)
{
    for (size_t i = 0; i < values->n; i++) {
        const struct nwf_operand *other = &values->list[i];
        if (!is_disjoint(other, operand) && !nwf_operand_is_inside(other, operand)
            && !nwf_operand_is_inside(operand, other)) {
            return false;
        }
    }
    return true;
}

static bool
add_value(struct nwf_guard_values *values, enum nwf_compared field,
          const struct nwf_operand *operand)
{
    if (find_value(values, operand) < values->n) {
        return true;
    }
    if (values->n >= NWF_COMPARED_VALUES_MAX || !nwf_compared_takes(field, operand)
        || !is_clear(values, operand)) {
        return false;
    }
    values->list[values->n++] = *operand;
    return true;
}

/* Whether rows about all types of frames ask for where they go.  A row about one type is helped
 * more cheaply by a bit for the type. */
static bool
asks_for_destinations(const struct nwf_guard *g)
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

/* ---- Ports. ---- */

/* Behind connection tracking, Open vSwitch may have put a packet together of fragments, the last
 * of which had no ports when it came. */
static bool
is_tracked(const struct nwf_guard *g)
{
    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (row->verdict == NWF_V_TRACK) {
                return true;
            }
        }
    }
    return false;
}

/* The fields of packets with this one that the row looks at and that multiply, a bit each.  Sources
 * that are compared do not, since packets from others go no further. */
static unsigned int
asked_fields(const struct nwf_guard *g, enum nwf_compared field, const struct nwf_row *row)
{
    const struct flow *masks = &row->match.wc.masks;
    struct match packets;

    match_init_catchall(&packets);
    nwf_compared_require(field, &packets);
    if (!nwf_match_and(&packets, &row->match)) {
        return 0;
    }
    return (masks->tp_src ? 1 : 0) | (masks->tp_dst ? 2 : 0)
           | (masks->nw_dst || !ipv6_mask_is_any(&masks->ipv6_dst) ? 4 : 0)
           | (masks->nw_src && !g->of[NWF_COMPARED_IPV4_SRC].n ? 8 : 0)
           | (!ipv6_mask_is_any(&masks->ipv6_src) && !g->of[NWF_COMPARED_IPV6_SRC].n ? 8 : 0);
}

/* Whether rows ask for several fields, and not for all of them together.  Else they make no more
 * masks than the fields have bits, and a comparison costs a table. */
static bool
multiply(const struct nwf_guard *g, enum nwf_compared field)
{
    unsigned int before = 0;

    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            unsigned int asked = asked_fields(g, field, row);
            if (asked && before && asked != before) {
                return true;
            }
            before |= asked;
        }
    }
    return false;
}

static bool
is_worth_comparing(const struct nwf_guard *g, enum nwf_compared field)
{
    if (field == NWF_COMPARED_ETH_DST) {
        return asks_for_destinations(g);
    }
    return field < NWF_COMPARED_FIRST_PORT || (multiply(g, field) && !is_tracked(g));
}

void
nwf_guard_find_values(struct nwf_guard *g, enum nwf_compared field)
{
    struct nwf_operand operand;

    if (!is_worth_comparing(g, field)) {
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

void
nwf_guard_replace_values(struct nwf_guard *g, enum nwf_compared field)
{
    static const struct nwf_operand nothing;
    struct nwf_guard_values *values = &g->of[field];
    struct nwf_operand operand;

    qsort(values->list, values->n, sizeof values->list[0], compare_operands);
    memset(values->is_dropped, true, sizeof values->is_dropped);
    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (asks_for(field, &row->match, &operand)) {
                size_t value = find_value(values, &operand);
                uint32_t bit = nwf_guard_bit(field, value);

                values->is_dropped[value] &= row->verdict == NWF_V_DROP;
                nwf_compared_set(field, &nothing, &row->match);
                nwf_guard_ask(&row->match, bit, bit);
            }
        }
    }
}
