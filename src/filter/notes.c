/* SPDX-License-Identifier: Apache-2.0
 *
 * Remarks on rules that do something else here than under libvirt, or something that the
 * rule does not seem to say.  One row a remark; none of them is an error. */
#include <string.h>

#include "nwf/program.h"

static bool
has(const struct nwf_element *element, const char *attr)
{
    nwf_vec_foreach (a, &element->attrs) {
        if (!strcmp(a->def->name, attr)) {
            return true;
        }
    }
    return false;
}

static bool
is_inout(const struct nwf_rule *rule)
{
    return rule->direction[NWF_OUT] && rule->direction[NWF_IN];
}

static bool
is_of(const struct nwf_rule *rule, const char *protocol)
{
    return rule->protocol && !strcmp(rule->protocol->name, protocol);
}

/* ---- What there is to remark. ---- */

static bool
rejects(const struct nwf_rule *rule, const struct nwf_element *element)
{
    (void) element;
    return rule->action == NWF_REJECT && nwf_rule_is_ip(rule);
}

static bool
continues(const struct nwf_rule *rule, const struct nwf_element *element)
{
    (void) element;
    return rule->action == NWF_CONTINUE && nwf_rule_is_ip(rule);
}

static bool
has_inout_type(const struct nwf_rule *rule, const struct nwf_element *element)
{
    return nwf_rule_is_ip(rule) && is_inout(rule) && has(element, "type");
}

static bool
has_ethernet_dscp(const struct nwf_rule *rule, const struct nwf_element *element)
{
    return is_of(rule, "ip") && has(element, "dscp");
}

static bool
has_encapsulation(const struct nwf_rule *rule, const struct nwf_element *element)
{
    (void) rule;
    return has(element, "encap-protocol");
}

/* libvirt copies the negation of the first attribute of such a group to the others. */
static bool
loses_negation(const struct nwf_rule *rule, const struct nwf_element *element)
{
    bool ports = has(element, "dstportstart") && !has(element, "srcportstart");

    return nwf_rule_is_ip(rule) && element->negated && ports;
}

static bool
has_ipv6_range(const struct nwf_rule *rule, const struct nwf_element *element)
{
    return rule->protocol && rule->protocol->layer == NWF_IPV6 && has(element, "dstipto");
}

static bool
has_range_and_address(const struct nwf_rule *rule, const struct nwf_element *element)
{
    (void) rule;
    return (has(element, "srcipaddr") && has(element, "srcipfrom"))
           || (has(element, "dstipaddr") && has(element, "dstipfrom"));
}

static bool
has_ipv6_flags(const struct nwf_rule *rule, const struct nwf_element *element)
{
    return is_of(rule, "tcp-ipv6") && has(element, "flags");
}

/* A negated list is a rule for each value, which matches all but that one: with two values there is
 * nothing that neither rule matches. */
static bool
has_negated_list(const struct nwf_rule *rule, const struct nwf_element *element)
{
    (void) rule;
    nwf_vec_foreach (attr, &element->attrs) {
        if (element->negated && attr->vars.n && !attr->vars.data[0].fixed) {
            return true;
        }
    }
    return false;
}

static bool
has_number(const struct nwf_element *element, const char *name, const uint32_t *numbers, size_t n)
{
    nwf_vec_foreach (attr, &element->attrs) {
        for (size_t i = 0; i < n && !strcmp(attr->def->name, name) && !attr->vars.n; i++) {
            if (nwf_value_to_int(&attr->literal.value) == numbers[i]) {
                return true;
            }
        }
    }
    return false;
}

static bool
has_port_0(const struct nwf_rule *rule, const struct nwf_element *element)
{
    static const uint32_t none[] = {0};
    bool is_one = is_of(rule, "tcp") || is_of(rule, "udp") || is_of(rule, "tcp-ipv6")
                  || is_of(rule, "udp-ipv6");

    return is_one
           && ((has_number(element, "srcportstart", none, 1) && !has(element, "srcportend"))
               || (has_number(element, "dstportstart", none, 1) && !has(element, "dstportend")));
}

/* Requests that Open vSwitch's userspace datapath does not take for such. */
static bool
has_odd_request(const struct nwf_rule *rule, const struct nwf_element *element)
{
    static const uint32_t requests[] = {8, 13, 15}, requests6[] = {128}, odd[] = {17},
                          odd6[] = {139}, none[] = {0};
    bool is_icmp = is_of(rule, "icmp");
    bool is_request = is_icmp ? has_number(element, "type", requests, 3)
                              : has_number(element, "type", requests6, 1);
    bool is_odd =
        is_icmp ? has_number(element, "type", odd, 1) : has_number(element, "type", odd6, 1);

    return (is_icmp || is_of(rule, "icmpv6"))
           && (is_odd
               || (is_request && has(element, "code") && !has_number(element, "code", none, 1)));
}

static bool
is_flow(const struct nwf_rule *rule, const struct nwf_element *element)
{
    (void) rule;
    return element->attrs.n && element->attrs.data[0].def->field == NWF_F_MATCH;
}

static const struct {
    bool (*applies)(const struct nwf_rule *rule, const struct nwf_element *element);
    const char *text;
} notes[] = {
    {rejects, "reject drops without an answer; libvirt's iptables answer with an ICMP error"},
    {continues, "continue does nothing; libvirt does not instantiate such a filter"},
    {has_inout_type, "an inout rule with an ICMP type does nothing, as in libvirt: write an in and "
                     "an out rule"},
    {has_ethernet_dscp, "dscp is compared with the DSCP; libvirt compares it with the TOS byte"},
    {has_encapsulation, "encap-protocol works; libvirt's rule never matches"},
    {loses_negation, "the destination ports are negated; libvirt loses the negation"},
    {has_ipv6_range, "dstipto is an IPv6 address; libvirt reads an IPv4 address there"},
    {has_range_and_address, "address and range must both match; libvirt ignores the range"},
    {has_ipv6_flags, "the flags count, as documented; libvirt ignores them for IPv6"},
    {has_negated_list, "match='no' with a list is a rule for each of its values, as in libvirt: "
                       "with two values or more, everything matches"},
    {has_port_0, "Open vSwitch's userspace datapath takes port 0 for invalid: no rule accepts it "
                 "for its state, and those that drop packets of a state drop it"},
    {has_odd_request, "Open vSwitch's userspace datapath takes such a request for invalid: no rule "
                      "accepts it for its state, and those that drop packets of a state drop it"},
    {is_flow, "<flow> is not of libvirt's language"},
};

/* ---- The walk. ---- */

struct walk {
    struct nwf_store *store;
    nwf_filter_note_fn *note;
    void *aux;
    NWF_VEC(const struct nwf_filter *) seen;
};

static void
note_rule(const struct walk *w, const struct nwf_rule *rule)
{
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        nwf_vec_foreach (element, &rule->elements) {
            if (notes[i].applies(rule, element)) {
                w->note(w->aux, rule->filter->file, rule->line, notes[i].text);
                break;
            }
        }
    }
}

static void
visit(struct walk *w, const struct nwf_filter *filter)
{
    nwf_vec_foreach (other, &w->seen) {
        if (*other == filter) {
            return;
        }
    }
    nwf_vec_push(&w->seen, filter);
    nwf_vec_foreach (entry, &filter->entries) {
        struct nwf_error ignored = NWF_ERROR_INIT;
        const struct nwf_filter *target;

        if (entry->rule) {
            note_rule(w, entry->rule);
        } else if (!nwf_store_get(w->store, entry->ref->filter, &target, &ignored)) {
            visit(w, target);
        }
        nwf_error_clear(&ignored);
    }
}

void
nwf_filter_notes(struct nwf_store *store, const struct nwf_filter *filter, nwf_filter_note_fn *note,
                 void *aux)
{
    struct walk w = {.store = store, .note = note, .aux = aux};

    visit(&w, filter);
    nwf_vec_clear(&w.seen);
}
