/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of addresses; see sets.h. */
#include <config.h>

#include "sets.h"

#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "rule_query.h"

#include "lib/hash.h"

/* A rule whose conditions multiply to more matches than this has its lists made sets. */
#define PRODUCT_MAX 64
/* Flows that a set must save to be worth a table. */
#define SAVING_MIN 8
/* Bits of a register. */
#define GROUP_SETS_MAX 32

static bool
group_of(enum nwf_field field, enum nwf_set_group *ret)
{
    switch ((int) field) {
    case NWF_F_IP4_SRC:
    case NWF_F_IP6_SRC:
    case NWF_F_ARP_SPA:
        *ret = NWF_SET_SRC;
        return true;
    case NWF_F_IP4_DST:
    case NWF_F_IP6_DST:
    case NWF_F_ARP_TPA:
        *ret = NWF_SET_DST;
        return true;
    case NWF_F_ETH_SRC:
        *ret = NWF_SET_MAC_SRC;
        return true;
    case NWF_F_ETH_DST:
        *ret = NWF_SET_MAC_DST;
        return true;
    default:
        return false;
    }
}

unsigned int
nwf_set_register(enum nwf_set_group group)
{
    return NWF_REG_SETS + (unsigned int) group;
}

/* ---- Prefixes. ---- */

static unsigned int
length_of(const struct nwf_value *mask)
{
    unsigned int n = 0;

    for (int i = 0; i < mask->len; i++) {
        n += (unsigned int) __builtin_popcount(mask->bytes[i]);
    }
    return n;
}

/* By value, then the shorter first: a prefix stands right before what is inside of it. */
static int
compare_prefixes(const void *a_, const void *b_)
{
    const struct nwf_masked *a = a_, *b = b_;
    int order = memcmp(a->value.bytes, b->value.bytes, sizeof a->value.bytes);

    return order ? order : (int) length_of(&a->mask) - (int) length_of(&b->mask);
}

static void
sort_prefixes(struct nwf_masked_list *list)
{
    size_t kept = 0;

    qsort(list->data, list->n, sizeof list->data[0], compare_prefixes);
    for (size_t i = 0; i < list->n; i++) {
        if (!kept || compare_prefixes(&list->data[kept - 1], &list->data[i])) {
            list->data[kept++] = list->data[i];
        }
    }
    list->n = kept;
}

static bool
same_prefixes(const struct nwf_masked_list *a, const struct nwf_masked_list *b)
{
    for (size_t i = 0; i < a->n && a->n == b->n; i++) {
        if (compare_prefixes(&a->data[i], &b->data[i])) {
            return false;
        }
    }
    return a->n == b->n;
}

/* ---- Which sets there are. ---- */

/* Prefixes that all sets of a side may have; what does not fit is no set. */
#define PREFIXES_MAX 65536

/* A set is found by its prefixes; and by the array of a condition's list, which all that
 * have this list share, without a look at the values. */
static uint32_t
hash_set(const struct nwf_set *set, const struct nwf_masked *list)
{
    uint32_t hash = hash_2words((uint32_t) set->field, set->eth_type);

    return list ? hash_pointer(list, hash)
                : hash_bytes(set->prefixes.data, set->prefixes.n * sizeof set->prefixes.data[0],
                             hash);
}

/* The number of the set that is like this one, or was made from 'list', counted from 1; 0 if
 * there is none. */
static size_t
find_set(const struct nwf_sets *sets, const struct nwf_set *set, const struct nwf_masked *list)
{
    const struct nwf_set_node *node;

    HMAP_FOR_EACH_WITH_HASH (node, node, hash_set(set, list), &sets->index) {
        const struct nwf_set *other = &sets->list.data[node->set];
        if (node->list == list && other->field == set->field && other->eth_type == set->eth_type
            && (list || same_prefixes(&other->prefixes, &set->prefixes))) {
            return node->set + 1;
        }
    }
    return 0;
}

static void
add_node(struct nwf_sets *sets, size_t number, const struct nwf_masked *list)
{
    struct nwf_set_node *node = nwf_zalloc(sizeof *node);

    node->set = number - 1;
    node->list = list;
    hmap_insert(&sets->index, &node->node, hash_set(&sets->list.data[number - 1], list));
}

/* Finds the set by its prefixes, or takes it over as a new one. */
static size_t
find_or_add(struct nwf_sets *sets, struct nwf_set *set)
{
    size_t number = find_set(sets, set, NULL);

    if (!number && sets->n_prefixes + set->prefixes.n <= PREFIXES_MAX) {
        sets->n_prefixes += set->prefixes.n;
        nwf_vec_push(&sets->list, *set);
        number = sets->list.n;
        add_node(sets, number, NULL);
        memset(&set->prefixes, 0, sizeof set->prefixes);
    }
    nwf_vec_clear(&set->prefixes);
    return number;
}

/* The set that the condition asks for, as its index + 1; 0 if it is none. */
static size_t
note_set(struct nwf_sets *sets, const struct nwf_rule_instance *instance,
         const struct nwf_cond *cond)
{
    struct nwf_set set = {.field = cond->field};
    const struct nwf_masked *list = cond->list.data;

    if (cond->negated || !group_of(cond->field, &set.group) || !(cond->list.n || cond->is_range)) {
        return 0;
    }
    if (set.group == NWF_SET_SRC || set.group == NWF_SET_DST) {
        set.eth_type = nwf_rule_eth_type(instance);
    }
    size_t number = list ? find_set(sets, &set, list) : 0;
    if (!number) {
        nwf_cond_prefixes(cond, &set.prefixes);
        sort_prefixes(&set.prefixes);
        number = find_or_add(sets, &set);
        if (number && list) {
            add_node(sets, number, list);
        }
    }
    if (number) {
        sets->list.data[number - 1].n_uses++;
    }
    return number;
}

static bool
has_sets(const struct nwf_sets *sets, size_t rule)
{
    size_t n_conds = sets->side->rules.data[rule].conds.n;

    for (size_t i = 0; i < n_conds; i++) {
        if (sets->of_cond.data[sets->first_cond.data[rule] + i]) {
            return true;
        }
    }
    return false;
}

/* Lists that stand beside each other multiply. */
static void
choose_for_product(struct nwf_sets *sets, size_t rule)
{
    const struct nwf_rule_instance *instance = &sets->side->rules.data[rule];
    size_t product = 1, largest = 1;

    if (!has_sets(sets, rule)) {
        return;
    }
    nwf_vec_foreach (cond, &instance->conds) {
        size_t n = cond->negated ? 1 : nwf_cond_count(cond);
        product = product < SIZE_MAX / n ? product * n : SIZE_MAX;
        largest = n > largest ? n : largest;
    }
    for (size_t i = 0; i < instance->conds.n && product > PRODUCT_MAX && product > largest; i++) {
        size_t set = sets->of_cond.data[sets->first_cond.data[rule] + i];
        if (set) {
            sets->list.data[set - 1].chosen = true;
        }
    }
}

static void
assign_bits(struct nwf_sets *sets)
{
    unsigned int n_sets[NWF_N_SET_GROUPS] = {0};

    nwf_vec_foreach (set, &sets->list) {
        size_t n = set->prefixes.n;
        bool saves = set->n_uses * n > set->n_uses + n + SAVING_MIN;

        set->chosen = (set->chosen || saves) && n_sets[set->group] < GROUP_SETS_MAX;
        if (set->chosen) {
            set->bit = UINT32_C(1) << n_sets[set->group]++;
        }
    }
}

void
nwf_sets_init(struct nwf_sets *sets, const struct nwf_side *side)
{
    memset(sets, 0, sizeof *sets);
    hmap_init(&sets->index);
    sets->side = side;
    nwf_vec_foreach (instance, &side->rules) {
        nwf_vec_push(&sets->first_cond, sets->of_cond.n);
        nwf_vec_foreach (cond, &instance->conds) {
            nwf_vec_push(&sets->of_cond, note_set(sets, instance, cond));
        }
    }
    for (size_t i = 0; sets->list.n && i < side->rules.n; i++) {
        choose_for_product(sets, i);
    }
    assign_bits(sets);
}

void
nwf_sets_finish(struct nwf_sets *sets)
{
    struct nwf_set_node *node;

    HMAP_FOR_EACH_POP (node, node, &sets->index) {
        free(node);
    }
    hmap_destroy(&sets->index);
    nwf_vec_foreach (set, &sets->list) {
        nwf_vec_clear(&set->prefixes);
    }
    nwf_vec_clear(&sets->list);
    nwf_vec_clear(&sets->of_cond);
    nwf_vec_clear(&sets->first_cond);
}

const struct nwf_set *
nwf_sets_find(const struct nwf_sets *sets, const struct nwf_rule_instance *instance,
              const struct nwf_cond *cond)
{
    size_t rule = (size_t) (instance - sets->side->rules.data);
    size_t set =
        sets->of_cond.data[sets->first_cond.data[rule] + (size_t) (cond - instance->conds.data)];

    return set && sets->list.data[set - 1].chosen ? &sets->list.data[set - 1] : NULL;
}

void
nwf_sets_cond_matches(const struct nwf_sets *sets, const struct nwf_rule_instance *instance,
                      const struct nwf_cond *cond, struct nwf_matches *list)
{
    const struct nwf_set *set = nwf_sets_find(sets, instance, cond);

    if (!set) {
        nwf_cond_to_matches(cond, list);
        return;
    }
    struct match match;
    match_init_catchall(&match);
    match_set_reg_masked(&match, nwf_set_register(set->group), set->bit, set->bit);
    nwf_vec_push(list, match);
}

/* ---- Looking an address up. ---- */

struct member {
    struct nwf_masked prefix;
    const struct nwf_set *set;
};

struct members {
    struct member *data;
    size_t n, allocated;
};

static int
compare_members(const void *a_, const void *b_)
{
    const struct member *a = a_, *b = b_;

    if (a->set->field != b->set->field) {
        return (int) a->set->field - (int) b->set->field;
    }
    if (a->set->eth_type != b->set->eth_type) {
        return (int) a->set->eth_type - (int) b->set->eth_type;
    }
    return compare_prefixes(&a->prefix, &b->prefix);
}

static bool
is_inside(const struct member *inner, const struct member *outer)
{
    if (inner->set->field != outer->set->field || inner->set->eth_type != outer->set->eth_type) {
        return false;
    }
    for (int i = 0; i < outer->prefix.mask.len; i++) {
        uint8_t mask = outer->prefix.mask.bytes[i];
        if ((inner->prefix.mask.bytes[i] & mask) != mask
            || ((inner->prefix.value.bytes[i] ^ outer->prefix.value.bytes[i]) & mask)) {
            return false;
        }
    }
    return true;
}

static void
add_entry(const struct member *member, uint32_t value, struct nwf_set_entries *ret)
{
    const struct nwf_cond cond = {
        .field = member->set->field, .value = member->prefix.value, .mask = member->prefix.mask};
    struct nwf_set_entry entry = {.length = length_of(&member->prefix.mask), .value = value};
    struct nwf_matches list = {.data = NULL};

    nwf_cond_to_matches(&cond, &list);
    entry.match = list.data[0];
    nwf_vec_clear(&list);
    if (member->set->eth_type) {
        nwf_match_set_eth_type(&entry.match, member->set->eth_type);
    }
    nwf_vec_push(ret, entry);
}

/* Prefixes nest or have nothing in common: sorted, those around one are the open ones. */
static void
add_entries(const struct members *members, struct nwf_set_entries *ret)
{
    struct {
        const struct member *member;
        uint32_t value;
    } open[130];
    size_t depth = 0;

    for (size_t i = 0; i < members->n;) {
        const struct member *member = &members->data[i];
        uint32_t value;

        while (depth && !is_inside(member, open[depth - 1].member)) {
            depth--;
        }
        value = depth ? open[depth - 1].value : 0;
        for (; i < members->n && !compare_members(member, &members->data[i]); i++) {
            value |= members->data[i].set->bit;
        }
        open[depth].member = member;
        open[depth++].value = value;
        add_entry(member, value, ret);
    }
}

static int
compare_entries(const void *a_, const void *b_)
{
    const struct nwf_set_entry *a = a_, *b = b_;

    return (int) b->length - (int) a->length;
}

void
nwf_sets_lookup(const struct nwf_sets *sets, enum nwf_set_group group, struct nwf_set_entries *ret)
{
    struct members members = {.data = NULL};

    memset(ret, 0, sizeof *ret);
    nwf_vec_foreach (set, &sets->list) {
        for (size_t i = 0; set->chosen && set->group == group && i < set->prefixes.n; i++) {
            nwf_vec_push(&members, (struct member){set->prefixes.data[i], set});
        }
    }
    if (members.n) {
        qsort(members.data, members.n, sizeof members.data[0], compare_members);
        add_entries(&members, ret);
        qsort(ret->data, ret->n, sizeof ret->data[0], compare_entries);
    }
    nwf_vec_clear(&members);
}
