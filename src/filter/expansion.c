/* SPDX-License-Identifier: Apache-2.0
 *
 * The values that a rule's variables take, one combination after the other; see expansion.h. */
#include "expansion.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"

#define FAIL(LINE, ERR, CODE, ...) NWF_EXPANSION_FAIL(e, LINE, ERR, CODE, __VA_ARGS__)

/* ---- Variables and their iterators. ---- */

static struct nwf_iterator *
find_iterator(struct nwf_expansion *e, unsigned int id)
{
    nwf_vec_foreach (it, &e->iterators) {
        if (it->id == id) {
            return it;
        }
    }
    return NULL;
}

/* The iterator that walks the values of the attribute's only variable, or NULL. */
static struct nwf_iterator *
find_iterator_of(struct nwf_expansion *e, const struct nwf_attr *attr)
{
    return attr->vars.n == 1 && !attr->vars.data[0].fixed ? find_iterator(e, attr->vars.data[0].n)
                                                          : NULL;
}

static int
fail_unknown(struct nwf_expansion *e, unsigned int line, const char *name, struct nwf_error *err)
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
find_param(const struct nwf_expansion *e, const struct nwf_var *var)
{
    const struct nwf_param *param = NULL;

    nwf_program_find_variable(e->program, e->scope, var->name, &param, NULL);
    return param;
}

static int
note_var(struct nwf_expansion *e, unsigned int line, const struct nwf_var *var,
         struct nwf_error *err)
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
    struct nwf_iterator *it = find_iterator(e, var->n);
    if (!it) {
        nwf_vec_push(&e->iterators, (struct nwf_iterator){.id = var->n,
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
note_vars(struct nwf_expansion *e, struct nwf_error *err)
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

bool
nwf_rule_is_negated(const struct nwf_rule *rule)
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
find_lists(struct nwf_expansion *e)
{
    nwf_vec_foreach (element, &e->rule->elements) {
        nwf_vec_foreach (attr, &element->attrs) {
            struct nwf_iterator *it = find_iterator_of(e, attr);
            if (it && it->n_uses == 1 && it->length >= NWF_LIST_MIN && !nwf_rule_is_negated(e->rule)
                && can_be_list(element, attr)) {
                it->is_list = true;
            }
        }
    }
}

/* Whether a variable has an empty list: then the rule has no instance.  Not so if it is negated:
 * whatever the frame has is none of no values, but a rule for each value is none at all. */
static int
find_empty(struct nwf_expansion *e, bool *ret, struct nwf_error *err)
{
    *ret = false;
    nwf_vec_foreach (it, &e->iterators) {
        *ret |= !it->length;
        if (!it->length && nwf_rule_is_negated(e->rule)) {
            return FAIL(e->rule->line, err, -EINVAL,
                        "$%s has no values, and match='no' is a rule for each of them",
                        it->first_name);
        }
    }
    return 0;
}

int
nwf_expansion_begin(struct nwf_expansion *e, bool *ret_is_empty, struct nwf_error *err)
{
    int r = note_vars(e, err);

    if (!r) {
        r = find_empty(e, ret_is_empty, err);
    }
    if (!r) {
        find_lists(e);
    }
    return r;
}

void
nwf_expansion_end(struct nwf_expansion *e)
{
    nwf_vec_clear(&e->iterators);
}

/* ---- Combinations. ---- */

/* Refuses before anything is made: values multiply. */
int
nwf_expansion_count(const struct nwf_expansion *e, struct nwf_side *side, struct nwf_error *err)
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

bool
nwf_expansion_advance(struct nwf_expansion *e)
{
    nwf_vec_foreach (it, &e->iterators) {
        if (!it->is_list && ++it->at < it->length) {
            return true;
        }
        it->at = 0;
    }
    return false;
}

/* ---- Values. ---- */

static const char *
var_text(struct nwf_expansion *e, const struct nwf_var *var)
{
    const struct nwf_param *param = find_param(e, var);
    const struct nwf_iterator *it = var->fixed ? NULL : find_iterator(e, var->n);

    return param->values.data[it ? it->at : var->n];
}

static int
parse_value(struct nwf_expansion *e, unsigned int line, const struct nwf_attr *attr,
            const char *text, struct nwf_masked *ret, struct nwf_error *err)
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

int
nwf_expansion_value(struct nwf_expansion *e, unsigned int line, const struct nwf_attr *attr,
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

int
nwf_expansion_text(struct nwf_expansion *e, unsigned int line, const struct nwf_attr *attr,
                   char **ret, struct nwf_error *err)
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

/* ---- Lists. ---- */

bool
nwf_expansion_is_list(struct nwf_expansion *e, const struct nwf_attr *attr)
{
    const struct nwf_iterator *it = find_iterator_of(e, attr);

    return it && it->is_list;
}

int
nwf_expansion_take_list(struct nwf_expansion *e, unsigned int line, const struct nwf_list *known,
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

int
nwf_expansion_add_list(struct nwf_expansion *e, unsigned int line, const struct nwf_attr *attr,
                       struct nwf_cond *cond, struct nwf_error *err)
{
    const struct nwf_param *param = find_param(e, &attr->vars.data[0]);
    struct nwf_list fresh = {.origin = param, .type = attr->def->type};
    const struct nwf_list *known =
        nwf_program_find_list(e->program, param, fresh.type, &fresh.mask);

    for (size_t i = 0; !known && i < param->values.n; i++) {
        struct nwf_masked m;
        int r = parse_value(e, line, attr, param->values.data[i], &m, err);
        if (r) {
            nwf_vec_clear(&fresh.values);
            return r;
        }
        nwf_vec_push(&fresh.values, m);
    }
    return nwf_expansion_take_list(e, line, known, &fresh, cond, err);
}
