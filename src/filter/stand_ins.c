/* SPDX-License-Identifier: Apache-2.0
 *
 * Which variables a filter needs, and values that stand in for them, so that a
 * filter can be checked before anybody binds it. */
#include <errno.h>
#include <string.h>

#include "nwf/program.h"
#include "nwf/text.h"
#include "rule_instance.h"
#include "stand_in.h"

static bool
asks_for_icmp(const struct nwf_element *element)
{
    nwf_vec_foreach (attr, &element->attrs) {
        if (attr->def->field == NWF_F_ICMP_TYPE || attr->def->field == NWF_F_ICMP_CODE) {
            return true;
        }
    }
    return false;
}

/* A number for the attribute that suits what stands beside it. */
static const char *
stand_in_number(const struct nwf_element *element, const struct nwf_attr_def *def)
{
    switch (def->field) {
    case NWF_F_IP_PROTO:
        return asks_for_icmp(element) ? "58" : "17";
    case NWF_F_ETH_TYPE:
    case NWF_F_VLAN_ENCAP:
        return "0x800";
    case NWF_F_PORT_SRC:
    case NWF_F_PORT_DST:
        return def->role == NWF_ROLE_END ? "65535" : "0";
    case NWF_F_ICMP_TYPE:
    case NWF_F_ICMP_CODE:
        return def->role == NWF_ROLE_END ? "255" : "0";
    default:
        return "1";
    }
}

static const char *
stand_in(const struct nwf_element *element, const struct nwf_attr_def *def)
{
    switch (def->type) {
    case NWF_T_MAC:
        return NWF_STAND_IN_MAC;
    case NWF_T_MACMASK:
        return "ff:ff:ff:ff:ff:ff";
    case NWF_T_IP4:
        return "192.0.2.1"; /* RFC 5737 */
    case NWF_T_IP6:
        return "2001:db8::1"; /* RFC 3849 */
    case NWF_T_IP4MASK:
        return "32";
    case NWF_T_IP6MASK:
        return "128";
    case NWF_T_BOOL:
        return "true";
    case NWF_T_TCP_FLAGS:
        return "SYN/SYN"; /* Without a comma, which no variable's value can have. */
    case NWF_T_STATES:
        return "NEW";
    case NWF_T_U8:
    case NWF_T_U16:
    case NWF_T_U32:
        return stand_in_number(element, def);
    case NWF_T_TEXT:
    case NWF_T_MATCH:
        break;
    }
    return "text";
}

static int
note_var(const struct nwf_element *element, const struct nwf_attr *attr, const struct nwf_var *var,
         struct nwf_params *needed, struct nwf_error *err)
{
    size_t want = var->fixed ? var->n + 1 : 1;
    const char *source = nwf_variable_source(var->name);
    const char *name = source ? source : var->name;
    const char *value = source                           ? NWF_STAND_IN_MAC
                        : attr->def->type == NWF_T_MATCH ? nwf_flow_stand_in(attr->text, name)
                                                         : stand_in(element, attr->def);

    for (;;) {
        const struct nwf_param *param = nwf_params_find(needed, name);
        if (param && param->values.n >= want) {
            return 0;
        }
        int r = nwf_params_add(needed, name, value, err);
        if (r) {
            return r;
        }
    }
}

/* Lists that are walked in parallel must have one length. */
static int
level(struct nwf_params *needed, struct nwf_error *err)
{
    size_t longest = 0;

    nwf_vec_foreach (param, &needed->list) {
        longest = param->values.n > longest ? param->values.n : longest;
    }
    nwf_vec_foreach (param, &needed->list) {
        while (param->values.n < longest) {
            int r = nwf_params_add(needed, param->name, param->values.data[0], err);
            if (r) {
                return r;
            }
        }
    }
    return 0;
}

static int
note_vars(struct nwf_store *store, const struct nwf_filter *filter, struct nwf_params *needed,
          size_t depth, size_t *n_refs, struct nwf_error *err)
{
    int r = 0;

    if (depth > NWF_PROGRAM_DEPTH_MAX || ++*n_refs > NWF_PROGRAM_REFS_MAX) {
        return 0; /* nwf_program_new() says so with the place. */
    }
    nwf_vec_foreach (entry, &filter->entries) {
        const struct nwf_filter *target;

        if (!entry->rule) {
            struct nwf_error ignored = NWF_ERROR_INIT;
            if (!nwf_store_get(store, entry->ref->filter, &target, &ignored)) {
                r = note_vars(store, target, needed, depth + 1, n_refs, err);
            }
            nwf_error_clear(&ignored);
            if (r) {
                return r;
            }
            continue;
        }
        nwf_vec_foreach (element, &entry->rule->elements) {
            nwf_vec_foreach (attr, &element->attrs) {
                nwf_vec_foreach (var, &attr->vars) {
                    if ((r = note_var(element, attr, var, needed, err))) {
                        return r;
                    }
                }
            }
        }
    }
    return 0;
}

int
nwf_filter_stand_ins(struct nwf_store *store, const struct nwf_filter *filter,
                     struct nwf_params *ret_params, struct nwf_error *err)
{
    size_t n_refs = 0;
    int r;

    if ((r = note_vars(store, filter, ret_params, 0, &n_refs, err))) {
        return r;
    }
    return level(ret_params, err);
}
