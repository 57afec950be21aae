/* SPDX-License-Identifier: Apache-2.0
 *
 * Single rules of a program; see prule.h. */
#include "prule.h"

#include <string.h>

void
nwf_cond_clear(struct nwf_cond *cond)
{
    free(cond->text);
}

void
nwf_prule_clear(struct nwf_prule *prule)
{
    nwf_vec_foreach (cond, &prule->conds) {
        nwf_cond_clear(cond);
    }
    nwf_vec_clear(&prule->conds);
}

void
nwf_prule_remove(struct nwf_prule *prule, struct nwf_cond *cond)
{
    size_t i = (size_t) (cond - prule->conds.data);

    nwf_cond_clear(cond);
    memmove(cond, cond + 1, (--prule->conds.n - i) * sizeof *cond);
}

struct nwf_cond *
nwf_prule_find(struct nwf_prule *prule, size_t start, enum nwf_field field)
{
    for (size_t i = start; i < prule->conds.n; i++) {
        if (prule->conds.data[i].field == field) {
            return &prule->conds.data[i];
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
nwf_prule_widen(struct nwf_prule *prule)
{
    for (size_t i = prule->conds.n; i-- > 0;) {
        if (is_variable(prule->rule, &prule->conds.data[i])) {
            nwf_prule_remove(prule, &prule->conds.data[i]);
        }
    }
}

bool
nwf_prule_drops(const struct nwf_prule *prule)
{
    return prule->rule->action == NWF_DROP || prule->rule->action == NWF_REJECT;
}

bool
nwf_prule_is_stateful(const struct nwf_prule *prule)
{
    bool is = prule->states != 0;

    nwf_vec_foreach (cond, &prule->conds) {
        is |= cond->text && strstr(cond->text, "ct_"); /* ovs-fields(7): ct_state and its kin. */
    }
    return is;
}
