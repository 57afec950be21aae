/* SPDX-License-Identifier: Apache-2.0
 *
 * Single rules of a program; see rule_instance.h. */
#include "rule_instance.h"

#include <string.h>

void
nwf_cond_clear(struct nwf_cond *cond)
{
    free(cond->text);
}

void
nwf_rule_instance_clear(struct nwf_rule_instance *instance)
{
    nwf_vec_foreach (cond, &instance->conds) {
        nwf_cond_clear(cond);
    }
    nwf_vec_clear(&instance->conds);
}

void
nwf_rule_instance_remove(struct nwf_rule_instance *instance, struct nwf_cond *cond)
{
    size_t i = (size_t) (cond - instance->conds.data);

    nwf_cond_clear(cond);
    memmove(cond, cond + 1, (--instance->conds.n - i) * sizeof *cond);
}

struct nwf_cond *
nwf_rule_instance_find(struct nwf_rule_instance *instance, size_t start, enum nwf_field field)
{
    for (size_t i = start; i < instance->conds.n; i++) {
        if (instance->conds.data[i].field == field) {
            return &instance->conds.data[i];
        }
    }
    return NULL;
}

const struct nwf_attr *
nwf_element_find(const struct nwf_element *element, enum nwf_field field, enum nwf_attr_role role)
{
    nwf_vec_foreach (attr, &element->attrs) {
        if (attr->def->field == field && attr->def->role == role) {
            return attr;
        }
    }
    return NULL;
}

bool
nwf_rule_has_variables(const struct nwf_rule *rule)
{
    nwf_vec_foreach (element, &rule->elements) {
        nwf_vec_foreach (attr, &element->attrs) {
            if (attr->vars.n) {
                return true;
            }
        }
    }
    return false;
}

/* Whether a variable has a part in the condition, in its mask or its range's end. */
static bool
is_variable(const struct nwf_rule *rule, const struct nwf_cond *cond)
{
    if (!cond->def) {
        return false;
    }
    nwf_vec_foreach (attr, &rule->elements.data[cond->element].attrs) {
        if (attr->vars.n && attr->def->field == cond->def->field) {
            return true;
        }
    }
    return false;
}

void
nwf_rule_instance_widen(struct nwf_rule_instance *instance)
{
    for (size_t i = instance->conds.n; i-- > 0;) {
        if (is_variable(instance->rule, &instance->conds.data[i])) {
            nwf_rule_instance_remove(instance, &instance->conds.data[i]);
        }
    }
}

bool
nwf_rule_instance_drops(const struct nwf_rule_instance *instance)
{
    return instance->rule->action == NWF_DROP || instance->rule->action == NWF_REJECT;
}

bool
nwf_rule_instance_is_stateful(const struct nwf_rule_instance *instance)
{
    bool is = instance->states != 0;

    nwf_vec_foreach (cond, &instance->conds) {
        is |= cond->text && strstr(cond->text, "ct_"); /* ovs-fields(7): ct_state and its kin. */
    }
    return is;
}
