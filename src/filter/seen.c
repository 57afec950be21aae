/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rules have been seen: a hash table with open addressing. */
#include <string.h>

#include "nwf/text.h"
#include "rule_instance.h"

static bool
same_cond(const struct nwf_cond *a, const struct nwf_cond *b)
{
    return !a->list.n && !b->list.n && !a->text && !b->text && a->field == b->field
           && a->def == b->def && a->negated == b->negated && a->is_range == b->is_range
           && nwf_value_equal(&a->value, &b->value) && nwf_value_equal(&a->mask, &b->mask)
           && nwf_value_equal(&a->last, &b->last);
}

static bool
same_conds(const struct nwf_rule_instance *a, const struct nwf_rule_instance *b)
{
    for (size_t i = 0; i < a->conds.n && a->conds.n == b->conds.n; i++) {
        if (!same_cond(&a->conds.data[i], &b->conds.data[i])) {
            return false;
        }
    }
    return a->conds.n == b->conds.n;
}

static uint64_t
mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t
hash_value(uint64_t hash, const struct nwf_value *value)
{
    uint64_t words[2];

    memcpy(words, value->bytes, sizeof words);
    return mix(mix(hash, words[0]), words[1] ^ value->len);
}

static uint64_t
hash_conds(const struct nwf_rule_instance *instance)
{
    uint64_t hash = 0;

    nwf_vec_foreach (cond, &instance->conds) {
        hash = mix(hash, (uint64_t) cond->field << 2 | (uint64_t) cond->negated << 1
                             | (uint64_t) cond->is_range);
        hash = hash_value(hash_value(hash_value(hash, &cond->value), &cond->mask), &cond->last);
    }
    return hash;
}

bool
nwf_seen_has(const struct nwf_seen *seen, const struct nwf_side *side,
             const struct nwf_rule_instance *instance)
{
    size_t mask = seen->n_slots - 1;

    for (size_t i = hash_conds(instance); seen->n_slots && seen->slots[i & mask]; i++) {
        if (same_conds(&side->rules.data[seen->slots[i & mask] - 1], instance)) {
            return true;
        }
    }
    return false;
}

static void
put(struct nwf_seen *seen, const struct nwf_side *side, size_t index)
{
    size_t mask = seen->n_slots - 1, i = hash_conds(&side->rules.data[index]);

    while (seen->slots[i & mask]) {
        i++;
    }
    seen->slots[i & mask] = (uint32_t) index + 1;
}

/* At most half of the slots are taken. */
static void
grow(struct nwf_seen *seen, const struct nwf_side *side)
{
    struct nwf_seen larger = {.n = seen->n, .n_slots = seen->n_slots ? seen->n_slots * 2 : 16};

    larger.slots = nwf_zalloc(larger.n_slots * sizeof *larger.slots);
    for (size_t i = 0; i < seen->n_slots; i++) {
        if (seen->slots[i]) {
            put(&larger, side, seen->slots[i] - 1);
        }
    }
    free(seen->slots);
    *seen = larger;
}

void
nwf_seen_add(struct nwf_seen *seen, const struct nwf_side *side, size_t index)
{
    if (2 * (seen->n + 1) > seen->n_slots) {
        grow(seen, side);
    }
    put(seen, side, index);
    seen->n++;
}

void
nwf_seen_finish(struct nwf_seen *seen)
{
    free(seen->slots);
    memset(seen, 0, sizeof *seen);
}
