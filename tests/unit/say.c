/* SPDX-License-Identifier: Apache-2.0
 *
 * See say.h. */
#include "say.h"

#include <stdio.h>

void
say(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text->data + text->n, sizeof text->data - text->n, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t) n < sizeof text->data - text->n);
    text->n += (size_t) n;
}

void
say_rule(struct text *text, const struct nwf_side *side, size_t id)
{
    const struct nwf_rule *rule = side->rules.data[id].rule;

    say(text, " %s%u", rule->filter->name, rule->line);
}

void
say_order(struct text *text, const struct nwf_side *side)
{
    nwf_vec_foreach (item, &side->root) {
        if (!item->is_chain) {
            say_rule(text, side, item->index);
            continue;
        }
        const struct nwf_pchain *chain = &side->chains.data[item->index];
        say(text, " %s(", chain->name);
        nwf_vec_foreach (id, &chain->rules) {
            say_rule(text, side, *id);
        }
        say(text, " )");
    }
}

void
say_ip_order(struct text *text, const struct nwf_side *side, enum nwf_family family)
{
    for (size_t i = 0; i < side->ip[family].n; i++) {
        say_rule(text, side, side->ip[family].data[i]);
    }
}

static void
say_value(struct text *text, const struct nwf_value *value)
{
    for (int i = 0; i < value->len; i++) {
        say(text, "%02x", value->bytes[i]);
    }
}

static const char *
field_name(enum nwf_field field)
{
    static const char *const names[NWF_N_FIELDS] = {
        [NWF_F_ETH_SRC] = "eth_src",  [NWF_F_ETH_DST] = "eth_dst",
        [NWF_F_ETH_TYPE] = "type",    [NWF_F_ARP_SHA] = "sha",
        [NWF_F_ARP_THA] = "tha",      [NWF_F_ARP_SPA] = "spa",
        [NWF_F_ARP_TPA] = "tpa",      [NWF_F_ARP_OP] = "op",
        [NWF_F_IP4_SRC] = "src",      [NWF_F_IP4_DST] = "dst",
        [NWF_F_IP6_SRC] = "src6",     [NWF_F_IP6_DST] = "dst6",
        [NWF_F_IP_PROTO] = "proto",   [NWF_F_PORT_SRC] = "sport",
        [NWF_F_PORT_DST] = "dport",   [NWF_F_ARP_GRATUITOUS] = "gratuitous",
        [NWF_F_ICMP_TYPE] = "icmp",   [NWF_F_VLAN_ID] = "vid",
        [NWF_F_VLAN_ENCAP] = "encap", [NWF_F_ICMP_CODE] = "code",
        [NWF_F_IP_DSCP] = "dscp",     [NWF_F_TCP_FLAGS] = "flags",
        [NWF_F_MATCH] = "match",      [NWF_F_STATE] = "state",
    };

    return names[field] ? names[field] : "?";
}

static void
say_cond(struct text *text, const struct nwf_cond *cond)
{
    struct nwf_value ones = nwf_value_ones(cond->value.len);

    say(text, " %s%s=", cond->negated ? "!" : "", field_name(cond->field));
    if (cond->text) {
        say(text, "%s", cond->text);
        return;
    }
    if (cond->list.n) {
        say(text, "(%zu values)", cond->list.n);
        return;
    }
    say_value(text, &cond->value);
    if (cond->is_range) {
        say(text, "-");
        say_value(text, &cond->last);
    } else if (!nwf_value_equal(&cond->mask, &ones)) {
        say(text, "/");
        say_value(text, &cond->mask);
    }
}

static void
say_states(struct text *text, const struct nwf_rule_instance *instance)
{
    static const char *const directions[] = {
        [NWF_CT_ANY] = "", [NWF_CT_ORIGINAL] = " original", [NWF_CT_REPLY] = " reply"};
    static const struct {
        enum nwf_state state;
        const char *name;
    } states[] = {
        {NWF_STATE_NEW, "new"},
        {NWF_STATE_ESTABLISHED, "est"},
        {NWF_STATE_RELATED, "rel"},
        {NWF_STATE_INVALID, "inv"},
    };

    if (!instance->states) {
        return;
    }
    say(text, " {");
    for (size_t i = 0, n = 0; i < N_ROWS(states); i++) {
        if (instance->states & states[i].state) {
            say(text, "%s%s", n++ ? "," : "", states[i].name);
        }
    }
    say(text, "%s}", directions[instance->ct_direction]);
}

void
say_conds(struct text *text, const struct nwf_side *side)
{
    nwf_vec_foreach (instance, &side->rules) {
        say(text, "%s", instance == side->rules.data ? "" : ";");
        nwf_vec_foreach (cond, &instance->conds) {
            say_cond(text, cond);
        }
        say_states(text, instance);
    }
}

void
expect_text(const struct text *text, const char *expected, const char *what)
{
    const char *said = text->n ? text->data + (text->data[0] == ' ') : "";

    expect(!strcmp(said, expected), "%s:\n  \"%s\", where\n  \"%s\" was expected", what, said,
           expected);
}

int
program_of(const struct text_filter *filters, const char *variables, struct nwf_store **ret_store,
           struct nwf_program **ret_program, struct nwf_error *err)
{
    struct nwf_params params CLEANUP(nwf_params_clear);
    const struct nwf_filter *filter;

    params_of(variables, &params);
    *ret_program = NULL;
    *ret_store = store_of(filters);
    int r = nwf_store_get(*ret_store, filters[0].name, &filter, err);
    if (r) {
        return r;
    }
    return nwf_program_new(*ret_store, filter, &params, ret_program, err);
}
