/* SPDX-License-Identifier: Apache-2.0
 *
 * From a rule with variables to rules with values, as one direction needs them; which values,
 * expansion.c says. */
#include <errno.h>
#include <string.h>

#include "expansion.h"

#define FAIL(LINE, ERR, CODE, ...) NWF_EXPANSION_FAIL(e, LINE, ERR, CODE, __VA_ARGS__)

/* ---- Conditions. ---- */

static int
add_value(struct nwf_expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
          struct nwf_rule_instance *instance, struct nwf_error *err)
{
    struct nwf_cond cond = {
        .field = attr->def->field,
        .def = attr->def,
        .element = (size_t) (element - e->rule->elements.data),
        .negated = element->negated,
    };
    struct nwf_masked m = {.value.len = 0};
    int r = 0;

    if (attr->def->type == NWF_T_MATCH) {
        r = nwf_expansion_text(e, element->line, attr, &cond.text, err);
    } else if (nwf_expansion_is_list(e, attr)) {
        r = nwf_expansion_add_list(e, element->line, attr, &cond, err);
    } else {
        r = nwf_expansion_value(e, element->line, attr, &m, err);
    }
    if (!r && attr->def->field == NWF_F_STATE && element->negated) {
        r = FAIL(element->line, err, -EINVAL, "%s: a state cannot be negated", attr->def->name);
    }
    if (!r && attr->def->field == NWF_F_STATE && nwf_rule_instance_find(instance, 0, NWF_F_STATE)) {
        r = FAIL(element->line, err, -EINVAL, "%s: the rule asks for a state already",
                 attr->def->name);
    }
    bool nothing =
        (attr->def->type == NWF_T_BOOL || attr->def->type == NWF_T_STATES) && !m.value.bytes[0];
    if (r || nothing) {
        nwf_cond_clear(&cond);
        return r; /* "false" asks nothing, not the contrary; neither does a list without states. */
    }
    cond.value = m.value;
    cond.mask = m.mask;
    nwf_vec_push(&instance->conds, cond);
    return 0;
}

static int
mask_value(struct nwf_expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
           const struct nwf_value *mask, struct nwf_masked *m, struct nwf_error *err)
{
    struct nwf_value ones = nwf_value_ones(m->mask.len);

    if (!nwf_value_equal(&m->mask, &ones)) {
        return FAIL(element->line, err, -EINVAL, "%s: the address has a prefix length already",
                    attr->def->name);
    }
    m->mask = *mask;
    for (int i = 0; i < m->value.len; i++) {
        m->value.bytes[i] &= mask->bytes[i];
    }
    return 0;
}

static int
apply_mask(struct nwf_expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
           struct nwf_cond *cond, const struct nwf_value *mask, struct nwf_error *err)
{
    struct nwf_list fresh = {.origin = cond->list.data, .type = attr->def->type, .mask = *mask};

    if (!cond->list.n) {
        struct nwf_masked m = {cond->value, cond->mask};
        int r = mask_value(e, element, attr, mask, &m, err);

        cond->value = m.value;
        cond->mask = m.mask;
        return r;
    }
    const struct nwf_list *known =
        nwf_program_find_list(e->program, fresh.origin, fresh.type, mask);
    for (size_t i = 0; !known && i < cond->list.n; i++) {
        struct nwf_masked m = cond->list.data[i];
        int r = mask_value(e, element, attr, mask, &m, err);
        if (r) {
            nwf_vec_clear(&fresh.values);
            return r;
        }
        nwf_vec_push(&fresh.values, m);
    }
    return nwf_expansion_take_list(e, element->line, known, &fresh, cond, err);
}

static int
apply_end(struct nwf_expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
          struct nwf_cond *cond, const struct nwf_masked *end, struct nwf_error *err)
{
    const struct nwf_value *last = &end->value, ones = nwf_value_ones(last->len);

    if (!nwf_value_equal(&cond->mask, &ones) || !nwf_value_equal(&end->mask, &ones)) {
        return FAIL(element->line, err, -EINVAL,
                    "%s: a range goes from one address to another, not from or to a network",
                    attr->def->name);
    }
    if (memcmp(cond->value.bytes, last->bytes, last->len) > 0) {
        return FAIL(element->line, err, -EINVAL, "%s: the range ends before it starts",
                    attr->def->name);
    }
    cond->is_range = true;
    cond->last = *last;
    return 0;
}

static struct nwf_cond *
find_cond_of(struct nwf_rule_instance *instance, size_t start, const struct nwf_attr_def *def)
{
    for (size_t i = start; i < instance->conds.n; i++) {
        if (instance->conds.data[i].def == def) {
            return &instance->conds.data[i];
        }
    }
    return NULL;
}

/* Masks and range ends change the condition that their attribute's partner made. */
static int
apply_partner(struct nwf_expansion *e, const struct nwf_element *element,
              const struct nwf_attr *attr, struct nwf_rule_instance *instance, size_t start,
              struct nwf_error *err)
{
    /* In the table, the partner stands before. */
    struct nwf_cond *cond = find_cond_of(instance, start, attr->def - 1);
    struct nwf_masked m;
    int r;

    if (!cond) {
        return FAIL(element->line, err, -EINVAL, "%s stands alone", attr->def->name);
    }
    if ((r = nwf_expansion_value(e, element->line, attr, &m, err))) {
        return r;
    }
    return attr->def->role == NWF_ROLE_MASK ? apply_mask(e, element, attr, cond, &m.value, err)
                                            : apply_end(e, element, attr, cond, &m, err);
}

/* libvirt: ports need a protocol that has them, ICMPv6 types need ICMPv6, and
 * neither goes with a negated protocol. */
static int
check_protocol(struct nwf_expansion *e, const struct nwf_element *element,
               struct nwf_rule_instance *instance, size_t start, struct nwf_error *err)
{
    static const uint8_t with_ports[] = {6, 17, 132};
    bool ports = nwf_rule_instance_find(instance, start, NWF_F_PORT_SRC)
                 || nwf_rule_instance_find(instance, start, NWF_F_PORT_DST);
    bool icmp = nwf_rule_instance_find(instance, start, NWF_F_ICMP_TYPE)
                || nwf_rule_instance_find(instance, start, NWF_F_ICMP_CODE);
    const struct nwf_cond *proto = nwf_rule_instance_find(instance, start, NWF_F_IP_PROTO);

    if (e->rule->protocol->layer != NWF_ETHERNET) {
        return !icmp || nwf_rule_instance_find(instance, start, NWF_F_ICMP_TYPE)
                   ? 0
                   : FAIL(element->line, err, -EINVAL, "%s", "code needs a type beside it");
    }
    if (!ports && !icmp) {
        return 0;
    }
    if (!proto || proto->negated) {
        return FAIL(element->line, err, -EINVAL, "%s need a protocol%s",
                    ports ? "ports" : "ICMPv6 types and codes",
                    proto ? " that is not negated" : "");
    }
    uint8_t n = proto->value.bytes[0];
    if (ports && n == 33) {
        return FAIL(element->line, err, -EOPNOTSUPP, "%s",
                    "Open vSwitch does not look at the ports of DCCP");
    }
    if ((ports && !memchr(with_ports, n, sizeof with_ports)) || (icmp && n != 58)) {
        return FAIL(element->line, err, -EINVAL, "protocol %u has no %s", n,
                    ports ? "ports" : "ICMPv6 types");
    }
    return 0;
}

static int
add_element(struct nwf_expansion *e, const struct nwf_element *element,
            struct nwf_rule_instance *instance, struct nwf_error *err)
{
    size_t start = instance->conds.n;

    nwf_vec_foreach (attr, &element->attrs) {
        int r = attr->def->role == NWF_ROLE_VALUE ? add_value(e, element, attr, instance, err) : 0;
        if (r) {
            return r;
        }
    }
    nwf_vec_foreach (attr, &element->attrs) {
        int r = attr->def->role != NWF_ROLE_VALUE
                    ? apply_partner(e, element, attr, instance, start, err)
                    : 0;
        if (r) {
            return r;
        }
    }
    return check_protocol(e, element, instance, start, err);
}

static int
add_conds(struct nwf_expansion *e, struct nwf_rule_instance *instance, struct nwf_error *err)
{
    const struct nwf_protocol *protocol = e->rule->protocol;

    if (protocol && protocol->implied != NWF_F_NONE) {
        nwf_vec_push(&instance->conds,
                     (struct nwf_cond){.field = protocol->implied,
                                       .value = protocol->implied_value,
                                       .mask = nwf_value_ones(protocol->implied_value.len)});
    }
    if (protocol && protocol->has_ip_proto) {
        nwf_vec_push(&instance->conds,
                     (struct nwf_cond){.field = NWF_F_IP_PROTO,
                                       .value = nwf_value_from_int(protocol->ip_proto, 1),
                                       .mask = nwf_value_ones(1)});
    }
    nwf_vec_foreach (element, &e->rule->elements) {
        int r = add_element(e, element, instance, err);
        if (r) {
            return r;
        }
    }
    return 0;
}

/* What the element itself stands for, such as the group address of STP, has no
 * other side. */
static int
mirror(struct nwf_expansion *e, struct nwf_rule_instance *instance, struct nwf_error *err)
{
    bool implies_dst = e->rule->protocol && e->rule->protocol->implied == NWF_F_ETH_DST;

    nwf_vec_foreach (cond, &instance->conds) {
        if (implies_dst && cond->def && cond->field == NWF_F_ETH_SRC) {
            return FAIL(e->rule->line, err, -EINVAL, "<%s> with %s cannot be inout",
                        e->rule->protocol->name, cond->def->name);
        }
        if (cond->def) {
            cond->field = nwf_field_mirror(cond->field);
        }
    }
    return 0;
}

/* ---- All of it. ---- */

/* Changes what the rule's elements say into what it asks of frames in 'direction'. */
static int
adapt(struct nwf_expansion *e, enum nwf_direction direction, struct nwf_rule_instance *instance,
      bool *ret_there, struct nwf_error *err)
{
    *ret_there = true;
    if (nwf_rule_is_ip(e->rule)) {
        *ret_there = nwf_rule_instance_adapt_ip(instance, direction);
        return 0;
    }
    /* libvirt: an "inout" rule is written as the guest receives. */
    return direction == NWF_OUT && e->rule->direction[NWF_IN] ? mirror(e, instance, err) : 0;
}

static int
push(struct nwf_expansion *e, struct nwf_side *side, const struct nwf_rule_instance *instance,
     struct nwf_error *err)
{
    side->size += sizeof *instance + instance->conds.allocated * sizeof instance->conds.data[0];
    nwf_vec_foreach (cond, &instance->conds) {
        side->size += cond->text ? strlen(cond->text) : 0;
    }
    if (side->size > NWF_PROGRAM_SIZE_MAX) {
        return FAIL(e->rule->line, err, -E2BIG, "the rules take more than %d MiB",
                    NWF_PROGRAM_SIZE_MAX >> 20);
    }
    nwf_vec_push(&side->rules, *instance);
    return 0;
}

/* A repeated value is skipped.  Only a negated rule, which costs a table of its
 * own, is worth the search; the compiler drops other rules that never match. */
static int
add_instance(struct nwf_expansion *e, struct nwf_side *side, struct nwf_seen *seen,
             struct nwf_rule_instance *instance, struct nwf_error *err)
{
    bool negated = nwf_rule_is_negated(e->rule);

    if (negated && nwf_seen_has(seen, side, instance)) {
        nwf_rule_instance_clear(instance);
        return 0;
    }
    int r = push(e, side, instance, err);
    if (r) {
        nwf_rule_instance_clear(instance);
        return r;
    }
    if (negated) {
        nwf_seen_add(seen, side, side->rules.n - 1);
    }
    return 0;
}

static int
expand_all(struct nwf_expansion *e, enum nwf_direction direction, struct nwf_side *side,
           struct nwf_error *err)
{
    struct nwf_seen seen CLEANUP(nwf_seen_finish) = {.n = 0};
    int r = nwf_expansion_count(e, side, err);

    if (r) {
        return r;
    }
    do {
        struct nwf_rule_instance instance = {.rule = e->rule};
        bool there = true;

        if ((r = add_conds(e, &instance, err)) || (r = adapt(e, direction, &instance, &there, err))
            || !there) {
            nwf_rule_instance_clear(&instance);
        } else {
            r = add_instance(e, side, &seen, &instance, err);
        }
        if (r) {
            return r;
        }
    } while (nwf_expansion_advance(e));
    return 0;
}

int
nwf_rule_expand(const struct nwf_rule *rule, const struct nwf_scope *scope,
                enum nwf_direction direction, struct nwf_program *program, struct nwf_error *err)
{
    struct nwf_expansion e = {.rule = rule, .scope = scope, .program = program};
    bool is_empty = false;
    int r = nwf_expansion_begin(&e, &is_empty, err);

    if (!r && !is_empty) {
        r = expand_all(&e, direction, &program->side[direction], err);
    }
    nwf_expansion_end(&e);
    return r;
}
