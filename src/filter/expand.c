/* SPDX-License-Identifier: Apache-2.0
 *
 * From a rule with variables to rules with values, as one direction needs them.
 *
 * Variables that share an iterator advance together and need lists of one
 * length; different iterators give every combination (libvirt's
 * formatnwfilter.html, "Usage of variables in filters"). */
#include <errno.h>
#include <string.h>

#include "nwf/program.h"
#include "nwf/text.h"
#include "rule_instance.h"

struct iterator {
    unsigned int id;
    const char *first_name; /* Variable that set the length. */
    size_t length;
    size_t at;
    size_t n_uses;
    bool is_list; /* It is not walked: its one attribute takes all values at once. */
};

struct expansion {
    const struct nwf_rule *rule;
    const struct nwf_scope *scope;
    struct nwf_program *program;
    NWF_VEC(struct iterator) iterators;
};

#define FAIL(LINE, ERR, CODE, FORMAT, ...)                                                         \
    nwf_error_set(ERR, CODE, "%s:%u: " FORMAT, e->rule->filter->file, LINE, __VA_ARGS__)

/* ---- Iterators. ---- */

static struct iterator *
find_iterator(struct expansion *e, unsigned int id)
{
    nwf_vec_foreach (it, &e->iterators) {
        if (it->id == id) {
            return it;
        }
    }
    return NULL;
}

static int
fail_unknown(struct expansion *e, unsigned int line, const char *name, struct nwf_error *err)
{
    const char *source = nwf_variable_source(name);

    if (source) {
        return FAIL(line, err, -ENOENT,
                    "unknown variable $%s: it follows from $%s, which has no value", name, source);
    }
    return !strcmp(name, "IP") || !strcmp(name, "IPV6")
               ? FAIL(line, err, -ENOENT,
                      "unknown variable $%s: the binding has no value for it, and addresses "
                      "are not learned: bind with %s=ADDRESS",
                      name, name)
               : FAIL(line, err, -ENOENT, "unknown variable $%s", name);
}

/* For variables that note_var() has found. */
static const struct nwf_param *
find_param(const struct expansion *e, const struct nwf_var *var)
{
    const struct nwf_param *param = NULL;

    nwf_program_find_variable(e->program, e->scope, var->name, &param, NULL);
    return param;
}

static int
note_var(struct expansion *e, unsigned int line, const struct nwf_var *var, struct nwf_error *err)
{
    const struct nwf_param *param;
    int r = nwf_program_find_variable(e->program, e->scope, var->name, &param, err);

    if (r) {
        nwf_error_wrap(err, "%s:%u", e->rule->filter->file, line);
        return r;
    }
    if (!param) {
        return fail_unknown(e, line, var->name, err);
    }
    if (var->fixed) {
        return var->n < param->values.n
                   ? 0
                   : FAIL(line, err, -ENOENT, "$%s[%u]: the list has %zu values", var->name, var->n,
                          param->values.n);
    }
    struct iterator *it = find_iterator(e, var->n);
    if (!it) {
        nwf_vec_push(&e->iterators, (struct iterator){.id = var->n,
                                                      .first_name = param->name,
                                                      .length = param->values.n,
                                                      .n_uses = 1});
        return 0;
    }
    it->n_uses++;
    if (it->length != param->values.n) {
        return FAIL(line, err, -EINVAL,
                    "$%s has %zu values and $%s has %zu: lists walked in parallel must have one "
                    "length",
                    it->first_name, it->length, param->name, param->values.n);
    }
    return 0;
}

static int
note_vars(struct expansion *e, struct nwf_error *err)
{
    nwf_vec_foreach (element, &e->rule->elements) {
        nwf_vec_foreach (attr, &element->attrs) {
            nwf_vec_foreach (var, &attr->vars) {
                int r = note_var(e, element->line, var, err);
                if (r) {
                    return r;
                }
            }
        }
    }
    return 0;
}

static bool
has_negation(const struct nwf_rule *rule)
{
    nwf_vec_foreach (element, &rule->elements) {
        if (element->negated) {
            return true;
        }
    }
    return false;
}

/* Whether all values of the attribute's variable can stand in one condition. */
static bool
can_be_list(const struct nwf_element *element, const struct nwf_attr *attr)
{
    enum nwf_type type = attr->def->type;
    const struct nwf_attr *mask = nwf_element_find(element, attr->def->field, NWF_ROLE_MASK);

    return attr->def->role == NWF_ROLE_VALUE && attr->vars.n == 1
           && (type == NWF_T_MAC || type == NWF_T_IP4 || type == NWF_T_IP6)
           && !(mask && mask->vars.n) && !nwf_element_find(element, attr->def->field, NWF_ROLE_END)
           && !nwf_element_find(element, NWF_F_ARP_GRATUITOUS, NWF_ROLE_VALUE);
}

/* Long lists that are walked for one attribute alone need no rule for each value. */
static void
find_lists(struct expansion *e)
{
    nwf_vec_foreach (element, &e->rule->elements) {
        nwf_vec_foreach (attr, &element->attrs) {
            struct iterator *it = attr->vars.n == 1 && !attr->vars.data[0].fixed
                                      ? find_iterator(e, attr->vars.data[0].n)
                                      : NULL;
            if (it && it->n_uses == 1 && it->length >= NWF_LIST_MIN && !has_negation(e->rule)
                && can_be_list(element, attr)) {
                it->is_list = true;
            }
        }
    }
}

/* Steps to the next combination; false after the last. */
static bool
advance(struct expansion *e)
{
    nwf_vec_foreach (it, &e->iterators) {
        if (!it->is_list && ++it->at < it->length) {
            return true;
        }
        it->at = 0;
    }
    return false;
}

static const char *
var_text(struct expansion *e, const struct nwf_var *var)
{
    const struct nwf_param *param = find_param(e, var);
    const struct iterator *it = var->fixed ? NULL : find_iterator(e, var->n);

    return param->values.data[it ? it->at : var->n];
}

static int
parse_value(struct expansion *e, unsigned int line, const struct nwf_attr *attr, const char *text,
            struct nwf_masked *ret, struct nwf_error *err)
{
    int r = attr->def->field == NWF_F_VLAN_ID && text[strspn(text, "0123456789")]
                ? nwf_error_set(err, -EINVAL,
                                "\"%.80s\" is not a decimal number, which ebtables wants of a VLAN",
                                text)
                : nwf_value_parse(attr->def->type, &attr->def->numbers, text, ret, err);

    if (r) {
        nwf_error_wrap(err, "%s:%u: %s: $%s", e->rule->filter->file, line, attr->def->name,
                       attr->vars.data[0].name);
    }
    return r;
}

static int
attr_value(struct expansion *e, unsigned int line, const struct nwf_attr *attr,
           struct nwf_masked *ret, struct nwf_error *err)
{
    if (!attr->vars.n) {
        *ret = attr->literal;
        return 0;
    }
    return parse_value(e, line, attr, var_text(e, &attr->vars.data[0]), ret, err);
}

/* Appends 'n' characters of 'from' to a text of NWF_MATCH_TEXT_MAX; false if it is full. */
static bool
append(char *text, size_t *used, const char *from, size_t n)
{
    if (n > NWF_MATCH_TEXT_MAX - *used) {
        return false;
    }
    memcpy(text + *used, from, n);
    *used += n;
    return true;
}

/* The attribute's text with values in place of its variables; a new string. */
static int
attr_text(struct expansion *e, unsigned int line, const struct nwf_attr *attr, char **ret,
          struct nwf_error *err)
{
    char text[NWF_MATCH_TEXT_MAX];
    const char *rest = attr->text;
    size_t used = 0;
    bool fits = true;

    nwf_vec_foreach (var, &attr->vars) {
        size_t n = strcspn(rest, "$");
        const char *value = var_text(e, var);

        fits = fits && append(text, &used, rest, n) && append(text, &used, value, strlen(value));
        rest += n + nwf_var_length(rest + n);
    }
    if (!fits || !append(text, &used, rest, strlen(rest))) {
        return FAIL(line, err, -E2BIG, "%s: longer than %d characters with its variables",
                    attr->def->name, NWF_MATCH_TEXT_MAX);
    }
    *ret = nwf_strndup(text, used);
    return 0;
}

/* ---- Conditions. ---- */

/* The condition gets a list of the program's, or *fresh as a new one of them. */
static int
take_list(struct expansion *e, unsigned int line, const struct nwf_list *known,
          struct nwf_list *fresh, struct nwf_cond *cond, struct nwf_error *err)
{
    if (!known && nwf_program_add_list(e->program, fresh, &known)) {
        nwf_vec_clear(&fresh->values);
        return FAIL(line, err, -E2BIG, "%s: more than %d lists, or than %d values in all of them",
                    cond->def->name, NWF_PROGRAM_LISTS_MAX, NWF_PROGRAM_LIST_VALUES_MAX);
    }
    cond->list = known->values;
    return 0;
}

/* All values of the attribute's variable. */
static int
add_list(struct expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
         struct nwf_cond *cond, struct nwf_error *err)
{
    const struct nwf_param *param = find_param(e, &attr->vars.data[0]);
    struct nwf_list fresh = {.origin = param, .type = attr->def->type};
    const struct nwf_list *known =
        nwf_program_find_list(e->program, param, fresh.type, &fresh.mask);

    for (size_t i = 0; !known && i < param->values.n; i++) {
        struct nwf_masked m;
        int r = parse_value(e, element->line, attr, param->values.data[i], &m, err);
        if (r) {
            nwf_vec_clear(&fresh.values);
            return r;
        }
        nwf_vec_push(&fresh.values, m);
    }
    return take_list(e, element->line, known, &fresh, cond, err);
}

static int
add_value(struct expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
          struct nwf_rule_instance *instance, struct nwf_error *err)
{
    struct nwf_cond cond = {
        .field = attr->def->field,
        .def = attr->def,
        .element = (size_t) (element - e->rule->elements.data),
        .negated = element->negated,
    };
    struct nwf_masked m = {.value.len = 0};
    const struct iterator *it = attr->vars.n == 1 && !attr->vars.data[0].fixed
                                    ? find_iterator(e, attr->vars.data[0].n)
                                    : NULL;
    int r = 0;

    if (attr->def->type == NWF_T_MATCH) {
        r = attr_text(e, element->line, attr, &cond.text, err);
    } else if (it && it->is_list) {
        r = add_list(e, element, attr, &cond, err);
    } else {
        r = attr_value(e, element->line, attr, &m, err);
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
mask_value(struct expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
           struct nwf_value *value, struct nwf_value *mask, const struct nwf_value *by,
           struct nwf_error *err)
{
    struct nwf_value ones = nwf_value_ones(mask->len);

    if (!nwf_value_equal(mask, &ones)) {
        return FAIL(element->line, err, -EINVAL, "%s: the address has a prefix length already",
                    attr->def->name);
    }
    *mask = *by;
    for (int i = 0; i < value->len; i++) {
        value->bytes[i] &= by->bytes[i];
    }
    return 0;
}

static int
apply_mask(struct expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
           struct nwf_cond *cond, const struct nwf_value *mask, struct nwf_error *err)
{
    struct nwf_list fresh = {.origin = cond->list.data, .type = attr->def->type, .mask = *mask};

    if (!cond->list.n) {
        return mask_value(e, element, attr, &cond->value, &cond->mask, mask, err);
    }
    const struct nwf_list *known =
        nwf_program_find_list(e->program, fresh.origin, fresh.type, mask);
    for (size_t i = 0; !known && i < cond->list.n; i++) {
        struct nwf_masked m = cond->list.data[i];
        int r = mask_value(e, element, attr, &m.value, &m.mask, mask, err);
        if (r) {
            nwf_vec_clear(&fresh.values);
            return r;
        }
        nwf_vec_push(&fresh.values, m);
    }
    return take_list(e, element->line, known, &fresh, cond, err);
}

static int
apply_end(struct expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
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
apply_partner(struct expansion *e, const struct nwf_element *element, const struct nwf_attr *attr,
              struct nwf_rule_instance *instance, size_t start, struct nwf_error *err)
{
    /* In the table, the partner stands before. */
    struct nwf_cond *cond = find_cond_of(instance, start, attr->def - 1);
    struct nwf_masked m;
    int r;

    if (!cond) {
        return FAIL(element->line, err, -EINVAL, "%s stands alone", attr->def->name);
    }
    if ((r = attr_value(e, element->line, attr, &m, err))) {
        return r;
    }
    return attr->def->role == NWF_ROLE_MASK ? apply_mask(e, element, attr, cond, &m.value, err)
                                            : apply_end(e, element, attr, cond, &m, err);
}

/* libvirt: ports need a protocol that has them, ICMPv6 types need ICMPv6, and
 * neither goes with a negated protocol. */
static int
check_protocol(struct expansion *e, const struct nwf_element *element,
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
add_element(struct expansion *e, const struct nwf_element *element,
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
add_conds(struct expansion *e, struct nwf_rule_instance *instance, struct nwf_error *err)
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
mirror(struct expansion *e, struct nwf_rule_instance *instance, struct nwf_error *err)
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
adapt(struct expansion *e, enum nwf_direction direction, struct nwf_rule_instance *instance,
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

/* Whether a variable has an empty list: then the rule has no instance.  Not so if it is negated:
 * whatever the frame has is none of no values, but a rule for each value is none at all. */
static int
find_empty(struct expansion *e, bool *ret, struct nwf_error *err)
{
    *ret = false;
    nwf_vec_foreach (it, &e->iterators) {
        *ret |= !it->length;
        if (!it->length && has_negation(e->rule)) {
            return FAIL(e->rule->line, err, -EINVAL,
                        "$%s has no values, and match='no' is a rule for each of them",
                        it->first_name);
        }
    }
    return 0;
}

/* Refuses before anything is made: values multiply. */
static int
count_instances(struct expansion *e, struct nwf_side *side, struct nwf_error *err)
{
    size_t n = 1, room = NWF_PROGRAM_RULES_MAX - side->n_expanded;

    nwf_vec_foreach (it, &e->iterators) {
        n *= it->is_list || n > room ? 1 : it->length;
    }
    if (n > room) {
        return FAIL(e->rule->line, err, -E2BIG, "more than %d rules", NWF_PROGRAM_RULES_MAX);
    }
    side->n_expanded += n;
    return 0;
}

static int
push(struct expansion *e, struct nwf_side *side, const struct nwf_rule_instance *instance,
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
add_instance(struct expansion *e, struct nwf_side *side, struct nwf_seen *seen,
             struct nwf_rule_instance *instance, struct nwf_error *err)
{
    bool negated = has_negation(e->rule);

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
expand_all(struct expansion *e, enum nwf_direction direction, struct nwf_side *side,
           struct nwf_error *err)
{
    struct nwf_seen seen CLEANUP(nwf_seen_finish) = {.n = 0};
    int r = count_instances(e, side, err);

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
    } while (advance(e));
    return 0;
}

int
nwf_rule_expand(const struct nwf_rule *rule, const struct nwf_scope *scope,
                enum nwf_direction direction, struct nwf_program *program, struct nwf_error *err)
{
    struct expansion e = {.rule = rule, .scope = scope, .program = program};
    bool is_empty = false;
    int r = note_vars(&e, err);

    if (!r) {
        r = find_empty(&e, &is_empty, err);
    }
    if (!r && !is_empty) {
        find_lists(&e);
        r = expand_all(&e, direction, &program->side[direction], err);
    }
    nwf_vec_clear(&e.iterators);
    return r;
}
