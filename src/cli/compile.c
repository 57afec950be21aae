/* SPDX-License-Identifier: Apache-2.0
 *
 * compile: flows without a switch.  The options say of the ports what OVSDB would. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "nwf/text.h"
#include "nwf/value.h"
#include "openvswitch/dynamic-string.h"

static struct nwf_words ofports, tags, trunks, trusted, guards, own_addresses;
static bool audit, forward_bpdu;
static const char *own_mac, *unknown, *guard_macs, *uplink, *gateway_mac;

static const struct nwf_option options[] = {
    {"ofport", "IFACE=N", nwf_option_word, &ofports, "a port's OpenFlow number"},
    {"trusted", "PORT[,PORT...]", nwf_option_words, &trusted, "more ports, which are trusted"},
    {"tag", "IFACE=VLAN", nwf_option_word, &tags, "an access port's VLAN"},
    {"trunks", "IFACE=VLAN[,VLAN...]", nwf_option_word, &trunks,
     "the VLANs of a trunk that does not carry all"},
    {"audit", NULL, nwf_option_flag, &audit, "as on a bridge in audit mode"},
    {"forward-bpdu", NULL, nwf_option_flag, &forward_bpdu,
     "the bridge has other_config:forward-bpdu=true"},
    {"unknown-unicast", "flood|trusted", nwf_option_text, &unknown,
     "as the bridge's " NWF_BRIDGE_UNKNOWN},
    {"guard", "IFACE=MAC", nwf_option_word, &guards,
     "a trusted port that is guarded, and its NIC's own address"},
    {"guard-mac", "MAC[@VLAN][/IP][,...]", nwf_option_text, &guard_macs,
     "as the bridge's " NWF_BRIDGE_GUARD_MAC},
    {"own-mac", "MAC", nwf_option_text, &own_mac, "the address of the bridge's own port"},
    {"uplink", "PORT", nwf_option_text, &uplink,
     "flows route to the provider's network by this port, which is guarded"},
    {"gateway-mac", "MAC", nwf_option_text, &gateway_mac, "the address of the gateway there"},
    {"own-address", "ADDRESS[,ADDRESS...]", nwf_option_words, &own_addresses,
     "IP addresses of the host"},
    {.name = NULL},
};

/* "IFACE=REST": the rest if 'word' is about 'name', else NULL. */
static const char *
rest_for(const char *word, const char *name)
{
    size_t n = strlen(name);

    return !strncmp(word, name, n) && word[n] == '=' ? word + n + 1 : NULL;
}

/* An option that gives ports numbers. */
struct number_option {
    const char *name;
    const struct nwf_words *words;
    int64_t min, max;
};

static int
number_for(const struct number_option *option, const char *name, int64_t *ret,
           struct nwf_error *err)
{
    nwf_vec_foreach (word, option->words) {
        const char *rest = rest_for(*word, name);
        if (rest && !nwf_parse_int(rest, option->min, option->max, ret)) {
            return nwf_error_set(err, -EINVAL, "--%s=%s: not a number from %lld to %lld",
                                 option->name, *word, (long long) option->min,
                                 (long long) option->max);
        }
    }
    return 0;
}

/* A word about no port is a slip, and must not leave a port other than it was meant. */
static int
check_words(const struct nwf_words *words, const char *option, const struct nwf_plan *plan,
            struct nwf_error *err)
{
    nwf_vec_foreach (word, words) {
        bool found = false;
        nwf_vec_foreach (port, &plan->ports) {
            found |= rest_for(*word, (*port)->config.name) != NULL;
        }
        if (!found) {
            return nwf_error_set(err, -EINVAL, "--%s=%s: there is no such port", option, *word);
        }
    }
    return 0;
}

static int
check_options(const struct nwf_plan *plan, struct nwf_error *err)
{
    int r = check_words(&ofports, "ofport", plan, err);

    if (!r) {
        r = check_words(&tags, "tag", plan, err);
    }
    if (!r) {
        r = check_words(&guards, "guard", plan, err);
    }
    if (r) {
        return r;
    }
    return check_words(&trunks, "trunks", plan, err);
}

static int
add_trunk(const char *word, void *vlan)
{
    int64_t vid;

    if (!nwf_parse_int(word, 0, NWF_N_VLANS - 1, &vid)) {
        return -EINVAL;
    }
    nwf_vlan_add_trunk(vlan, (uint16_t) vid);
    return 0;
}

static int
describe_guard(struct nwf_port_config *port, struct nwf_error *err)
{
    nwf_vec_foreach (word, &guards) {
        const char *rest = rest_for(*word, port->name);
        struct nwf_nic nic = {.ofport = port->ofport, .has_mac = true};

        if (!rest) {
            continue;
        }
        if (port->role != NWF_TRUSTED) {
            return nwf_error_set(err, -EINVAL, "--guard=%s: not a trusted port", *word);
        }
        if (nwf_mac_parse(rest, &nic.mac, err)) {
            nwf_error_wrap(err, "--guard");
            return -EINVAL;
        }
        port->guarding = NWF_GUARDED;
        port->leader = port->ofport;
        nwf_vec_push(&port->nics, nic);
    }
    return 0;
}

/* What the bridge's tags would say of the guard. */
static int
read_guards(struct nwf_plan *plan, struct nwf_error *err)
{
    const struct nwf_tag all[] = {{NWF_BRIDGE_GUARD, guards.n ? guards.data[0] : ""},
                                  {NWF_BRIDGE_GUARD_MAC, guard_macs ? guard_macs : ""}};
    int r = guards.n || guard_macs
                ? nwf_routed_config_read(guards.n ? all : all + 1,
                                         (guards.n != 0) + (guard_macs != NULL), &plan->routed, err)
                : 0;

    plan->bridge.has_guards = guards.n;
    plan->bridge.guard_macs = &plan->routed.guard_macs;
    return r;
}

static int
describe(struct nwf_port_config *port, struct nwf_error *err)
{
    const struct number_option of_ports = {"ofport", &ofports, 1, NWF_OFPORT_MAX};
    const struct number_option of_tags = {"tag", &tags, 0, NWF_N_VLANS - 1};
    int64_t ofport = port->ofport, tag = -1;
    int r = number_for(&of_ports, port->name, &ofport, err);

    if (!r) {
        r = number_for(&of_tags, port->name, &tag, err);
    }
    if (r) {
        return r;
    }
    if (!ofport) {
        return nwf_error_set(err, -EINVAL, "%s: its OpenFlow number is needed: --ofport %s=N",
                             port->name, port->name);
    }
    port->ofport = (uint16_t) ofport;
    if (tag >= 0) {
        port->vlan.mode = NWF_VLAN_ACCESS;
        port->vlan.tag = (uint16_t) tag;
    }
    nwf_vec_foreach (word, &trunks) {
        const char *rest = rest_for(*word, port->name);
        /* Without a VLAN it would carry all. */
        if (rest && (nwf_text_split(rest, ",", add_trunk, &port->vlan) || !port->vlan.limited)) {
            return nwf_error_set(err, -EINVAL, "--trunks=%s: not VLANs", *word);
        }
    }
    return describe_guard(port, err);
}

static void
add_port(struct nwf_plan *plan, const char *name, uint16_t ofport, enum nwf_port_role role,
         struct nwf_binding *binding)
{
    struct nwf_port_config config = {.name = nwf_strdup(name), .ofport = ofport, .role = role};

    if (binding) {
        config.binding = *binding;
        memset(binding, 0, sizeof *binding);
    }
    nwf_plan_add_port(plan, &config);
}

/* ---- Routing. ---- */

static int
read_gateway(struct nwf_routing *routing, struct nwf_error *err)
{
    struct nwf_gateway gateway = {.has_mac = gateway_mac != NULL};
    int r = gateway_mac ? nwf_mac_parse(gateway_mac, &gateway.mac, err) : 0;

    if (r) {
        nwf_error_wrap(err, "--gateway-mac");
        return r;
    }
    for (int family = 0; family < NWF_N_ROUTED; family++) {
        routing->gateways[family] = gateway;
    }
    return 0;
}

static int
read_own_addresses(struct nwf_routing *routing, struct nwf_error *err)
{
    nwf_vec_foreach (text, &own_addresses) {
        struct nwf_inward inward = {.is_own = true};
        int r = nwf_address_parse(*text, false, &inward.address, err);
        if (r) {
            nwf_error_wrap(err, "--own-address");
            return r;
        }
        nwf_vec_push(&routing->inwards, inward);
    }
    return 0;
}

/* As on the userspace datapath.  The host is its own by the bridge's port. */
static int
describe_routing(struct nwf_plan *plan, struct nwf_error *err)
{
    static const struct nwf_address router = {AF_INET6, {0xfe, 0x80, [15] = 1}, 128};
    struct nwf_routing *routing = &plan->routing;
    int r;

    if (!uplink) {
        return 0;
    }
    struct nwf_plan_port *port = nwf_plan_find_port(plan, uplink);
    if (!port || port->config.guarding != NWF_GUARDED || !own_mac) {
        return nwf_error_set(err, -EINVAL,
                             port && own_mac ? "--uplink=%s: needs --guard"
                             : port          ? "--uplink=%s: needs --own-mac"
                                             : "--uplink=%s: there is no such port",
                             uplink);
    }
    port->config.is_uplink = true;
    plan->bridge.routing = routing;
    routing->has_mac = routing->answers_nd = true;
    nwf_vec_push(&routing->gateway_addresses, router);
    if ((r = nwf_mac_parse(own_mac, &routing->mac, err)) || (r = read_gateway(routing, err))) {
        return r;
    }
    return read_own_addresses(routing, err);
}

/* ---- All of it. ---- */

/* The bridge's own port. */
static int
add_local(struct nwf_plan *plan, struct nwf_error *err)
{
    struct nwf_port_config config = {.ofport = NWF_OFPORT_LOCAL, .role = NWF_TRUSTED};
    int r = own_mac ? nwf_mac_parse(own_mac, &config.own_mac, err) : 0;

    if (r) {
        nwf_error_wrap(err, "--own-mac");
        return r;
    }
    config.has_own_mac = own_mac != NULL;
    config.name = nwf_strdup("LOCAL");
    nwf_plan_add_port(plan, &config);
    return 0;
}

static int
fill_plan(struct nwf_cli *cli, struct nwf_plan *plan, struct nwf_error *err)
{
    struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
    int r = 0;

    for (int i = 0; i < cli->argc; i++) {
        if ((r = nwf_bindings_read(cli->argv[i], &bindings, err))) {
            return r;
        }
    }
    if ((r = add_local(plan, err))) {
        return r;
    }
    nwf_vec_foreach (name, &trusted) {
        add_port(plan, *name, 0, NWF_TRUSTED, NULL);
    }
    nwf_vec_foreach (binding, &bindings) {
        add_port(plan, binding->port, 0, NWF_GUEST, binding);
    }
    if ((r = check_options(plan, err))) {
        return r;
    }
    nwf_vec_foreach (port, &plan->ports) {
        if ((r = describe(&(*port)->config, err))) {
            return r;
        }
    }
    if ((r = describe_routing(plan, err))) {
        return r;
    }
    nwf_plan_sort(plan);
    for (size_t i = 1; i < plan->ports.n; i++) {
        const struct nwf_plan_port *port = plan->ports.data[i];
        if (port->is_duplicate) {
            return nwf_error_set(err, -EINVAL, "%s and %s have one OpenFlow number",
                                 plan->ports.data[i - 1]->config.name, port->config.name);
        }
    }
    return 0;
}

static void
print_flows(const struct nwf_flow_set *flows)
{
    const struct nwf_flow **sorted CLEANUP_FREE = nwf_flow_set_sort(flows);
    struct ds s = DS_EMPTY_INITIALIZER;

    nwf_cli_stop_alarm();
    for (size_t i = 0; i < nwf_flow_set_count(flows); i++) {
        ds_clear(&s);
        nwf_flow_format(sorted[i], &s);
        puts(ds_cstr(&s));
    }
    ds_destroy(&s);
}

static int
compile(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_flow_set flows CLEANUP(nwf_flow_set_finish);
    uint8_t *zones CLEANUP_FREE = nwf_zalloc(0x10000);

    nwf_flow_set_init(&flows);
    nwf_plan_init(&plan, "offline");
    plan.zones = zones;
    plan.bridge.audit = audit;
    plan.bridge.forward_bpdu = forward_bpdu;
    plan.bridge.unknown = nwf_unknown_from_text(unknown);
    int r = read_guards(&plan, err);
    if (!r) {
        r = fill_plan(cli, &plan, err);
    }
    if (!r) {
        r = nwf_plan_compute(&plan, &cli->sources, err);
    }
    if (r) {
        return r;
    }
    /* Unlike sync, which has to go on with the other ports, a wrong file is wrong. */
    nwf_vec_foreach (port, &plan.ports) {
        const struct nwf_error *error = nwf_plan_port_error(*port);
        if (error->text) {
            return nwf_error_set(err, -EINVAL, "%s: %s", (*port)->config.name, error->text);
        }
    }
    nwf_flow_set_finish(&flows);
    nwf_plan_merge_parts(&plan, &flows);
    print_flows(&flows);
    return NWF_EXIT_OK;
}

const struct nwf_verb nwf_compile_verbs[] = {
    {"compile", "FILE...", "bindings (XML or JSON) to flows in ovs-ofctl's syntax, offline", 1,
     INT_MAX, options, .run = compile},
    {.name = NULL},
};
