/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules of the IP layers: one rule in two directions, for packets of a connection. */
#include "rule_instance.h"

static bool
asks_for(const struct nwf_rule *rule, enum nwf_field field)
{
    nwf_vec_foreach (element, &rule->elements) {
        if (nwf_element_find(element, field, NWF_ROLE_VALUE)) {
            return true;
        }
    }
    return false;
}

/* What libvirt makes of a rule's connection, for packets in the rule's own direction or
 * in the other one. */
static void
set_states(struct nwf_rule_instance *instance, uint8_t asked, bool own)
{
    const struct nwf_rule *rule = instance->rule;
    bool both = rule->direction[NWF_OUT] && rule->direction[NWF_IN];

    if (asked) {
        instance->states = asked & NWF_STATE_NONE ? 0 : asked;
    } else if (rule->action == NWF_ACCEPT && rule->statematch && !both) {
        instance->states = own ? NWF_STATE_NEW | NWF_STATE_ESTABLISHED : NWF_STATE_ESTABLISHED;
        instance->ct_direction = own ? NWF_CT_ORIGINAL : NWF_CT_REPLY;
    }
}

/* Answers do not come from the MAC address of the rule's sender, so that it is not asked of them.
 * False if the rule asks for nothing else. */
static bool
drop_sender(struct nwf_rule_instance *instance)
{
    struct nwf_cond *cond;
    bool others = false;

    while ((cond = nwf_rule_instance_find(instance, 0, NWF_F_ETH_SRC))) {
        nwf_rule_instance_remove(instance, cond);
    }
    nwf_vec_foreach (rest, &instance->conds) {
        others |= rest->def != NULL;
    }
    return others;
}

/* libvirt (iptablesCreateRuleInstance): a rule matches packets in its own direction, and
 * with source and destination in each other's place the other way round, since that is
 * where the answers go.  ICMP types have no other side; neither has <flow>.  An asked-for
 * state is for the rule's own direction alone.  Returns whether the direction has the
 * rule at all. */
bool
nwf_rule_instance_adapt_ip(struct nwf_rule_instance *instance, enum nwf_direction direction)
{
    const struct nwf_rule *rule = instance->rule;
    bool own = rule->direction[direction], both = own && rule->direction[!direction];
    bool mirrored = direction == NWF_OUT ? rule->direction[NWF_IN] : !own;
    bool one_way = asks_for(rule, NWF_F_ICMP_TYPE) || asks_for(rule, NWF_F_MATCH);
    struct nwf_cond *state = nwf_rule_instance_find(instance, 0, NWF_F_STATE);
    uint8_t asked = state && rule->statematch ? state->value.bytes[0] : 0;

    if (state) {
        nwf_rule_instance_remove(instance, state);
    }
    if ((one_way && (both || !own)) || (asked && !own)) {
        return false;
    }
    set_states(instance, asked, own);
    if (one_way) {
        instance->ct_direction = NWF_CT_ANY;
    }
    if (mirrored) {
        if (nwf_rule_instance_find(instance, 0, NWF_F_ETH_SRC) && !drop_sender(instance)) {
            return false;
        }
        nwf_vec_foreach (cond, &instance->conds) {
            cond->field = nwf_field_mirror(cond->field);
        }
    }
    return true;
}
