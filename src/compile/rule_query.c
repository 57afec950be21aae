/* SPDX-License-Identifier: Apache-2.0
 *
 * What a rule asks for; see rule_query.h. */
#include <config.h>

#include "rule_query.h"

int
nwf_rule_fail(const struct nwf_rule_instance *instance, struct nwf_error *err, int code,
              const char *cause, const struct nwf_cond *cond)
{
    return nwf_error_set(err, code, "%s:%u: %s%s%s", instance->rule->filter->file,
                         instance->rule->line, cond && cond->def ? cond->def->name : "",
                         cond && cond->def ? ": " : "", cause);
}

const struct nwf_cond *
nwf_rule_exact_cond(const struct nwf_rule_instance *instance, enum nwf_field field)
{
    nwf_vec_foreach (cond, &instance->conds) {
        struct nwf_value ones = nwf_value_ones(cond->mask.len);

        if (cond->field == field && !cond->negated && !cond->is_range && !cond->list.n
            && nwf_value_equal(&cond->mask, &ones)) {
            return cond;
        }
    }
    return NULL;
}

const struct nwf_cond *
nwf_rule_negated_code(const struct nwf_rule_instance *instance, const struct nwf_cond *type)
{
    nwf_vec_foreach (cond, &instance->conds) {
        if (type->field == NWF_F_ICMP_TYPE && type->negated && cond->field == NWF_F_ICMP_CODE
            && cond->negated && cond->element == type->element) {
            return cond;
        }
    }
    return NULL;
}

const struct nwf_cond *
nwf_rule_flow_text(const struct nwf_rule_instance *instance)
{
    nwf_vec_foreach (cond, &instance->conds) {
        if (cond->field == NWF_F_MATCH) {
            return cond;
        }
    }
    return NULL;
}

uint16_t
nwf_rule_eth_type(const struct nwf_rule_instance *instance)
{
    const struct nwf_protocol *protocol = instance->rule->protocol;

    return protocol && protocol->implied == NWF_F_ETH_TYPE
               ? (uint16_t) nwf_value_to_int(&protocol->implied_value)
               : 0;
}

enum nwf_depth
nwf_field_depth(enum nwf_field field)
{
    if ((field >= NWF_F_PORT_SRC && field <= NWF_F_ICMP_CODE) || field == NWF_F_TCP_FLAGS) {
        return NWF_DEPTH_TRANSPORT;
    }
    if (field == NWF_F_IP_PROTO) {
        return NWF_DEPTH_PROTOCOL;
    }
    return field >= NWF_F_ARP_HTYPE && field <= NWF_F_IP_DSCP ? NWF_DEPTH_PACKET : NWF_DEPTH_FRAME;
}
