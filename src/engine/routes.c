/* SPDX-License-Identifier: Apache-2.0
 *
 * From a routed bridge's plan to what its host's kernel is to have; see routes.h.
 *
 * A guest's addresses are the values of the variables that its filter confines it to: what it may
 * send from is what is routed to it. */
#include <config.h>

#include "routes.h"

#include <errno.h>
#include <string.h>

#include "address_claims.h"
#include "nwf/sysctl.h"
#include "nwf/text.h"

/* Towards guests a router is always at this address, whatever it is called elsewhere. */
static const struct nwf_address router = {
    .family = AF_INET6, .bytes = {0xfe, 0x80, [15] = 1}, .prefix_len = 128};

/* The owner, in claims, of what is the host's own; guests are owners by their place. */
#define OWNER_HOST (SIZE_MAX - 1)

bool
nwf_plan_is_host_routed(const struct nwf_plan *plan)
{
    return plan->routed.is_routed;
}

const char *
nwf_plan_wire(const struct nwf_plan *plan)
{
    return plan->routed.via == NWF_VIA_FLOWS ? plan->name : plan->routed.uplink;
}

const struct nwf_plan_port *
nwf_plan_find_uplink(const struct nwf_plan *plan)
{
    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->config.is_uplink && (*port)->config.ofport) {
            return *port;
        }
    }
    return NULL;
}

/* An uplink that is on the bridge is a NIC, or all members of a bond. */
struct nwf_host_places
nwf_plan_places(const struct nwf_plan *plan)
{
    struct nwf_host_places places = {
        .bridge = plan->name,
        .wire = nwf_plan_wire(plan),
        .by_flows = plan->routed.via == NWF_VIA_FLOWS,
        .is_userspace = plan->is_userspace && nwf_plan_find_uplink(plan),
    };

    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->config.is_uplink && places.n_nics < NWF_UPLINK_NICS_MAX) {
            places.nics[places.n_nics++] = (*port)->config.name;
        }
    }
    if (!places.n_nics && plan->routed.uplink) {
        places.nics[places.n_nics++] = plan->routed.uplink;
    }
    return places;
}

/* ---- A guest's addresses. ---- */

static void
read_variable(struct nwf_plan_port *port, const char *name)
{
    const struct nwf_param *param = nwf_params_find(&port->config.binding.params, name);
    struct nwf_address address;

    for (size_t i = 0; param && i < param->values.n; i++) {
        if (!nwf_address_parse(param->values.data[i], true, &address, NULL)) {
            nwf_vec_push(&port->addresses, address);
        }
    }
}

/* What is no address the filter says, if it uses the variable as one. */
void
nwf_plan_read_routes(struct nwf_plan_port *port)
{
    port->addresses.n = 0;
    if (port->config.role == NWF_GUEST) {
        read_variable(port, "IP");
        read_variable(port, "IPV6");
    }
}

bool
nwf_addresses_equal(const struct nwf_addresses *a, const struct nwf_addresses *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        if (!nwf_address_equals(&a->data[i], &b->data[i])) {
            return false;
        }
    }
    return a->n == b->n;
}

/* Whether an address is one on the link only, or nobody's: such are routed nowhere, and several
 * guests may have the same. */
static bool
is_local(const struct nwf_address *address)
{
    const uint8_t *b = address->bytes;

    if (address->family == AF_INET) {
        return !b[0] || b[0] == 127 || b[0] >= 224 || (b[0] == 169 && b[1] == 254);
    }
    return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || !address->prefix_len
           || (!memcmp(b, (const uint8_t[15]){0}, 15) && b[15] <= 1);
}

void
nwf_plan_set_route_facts(struct nwf_plan_port *port)
{
    nwf_vec_clear(&port->facts.addresses);
    nwf_vec_foreach (address, &port->addresses) {
        if (!is_local(address)) {
            nwf_vec_push(&port->facts.addresses, *address);
        }
    }
}

/* ---- Whose they are. ---- */

struct judgement {
    struct nwf_plan *plan;
    struct nwf_address_claims claims;
    struct nwf_addresses gateways;
    size_t *order; /* Of the plan's ports: who has come first keeps what it has. */
};

static bool
is_candidate(const struct nwf_plan_port *port)
{
    return port->config.role == NWF_GUEST && port->config.ofport && !port->is_duplicate
           && !port->refusal.text && !port->claim.text;
}

static int
rank(const struct nwf_plan_port *port)
{
    if (port->has_routes) {
        return 0;
    }
    return port->notes.status && !strcmp(port->notes.status, "active") ? 1 : 2;
}

static int
compare_ranks(const void *a_, const void *b_, void *plan_)
{
    const struct nwf_plan *plan = plan_;
    const struct nwf_plan_port *a = plan->ports.data[*(const size_t *) a_];
    const struct nwf_plan_port *b = plan->ports.data[*(const size_t *) b_];

    return rank(a) != rank(b) ? rank(a) - rank(b) : (int) a->config.ofport - (int) b->config.ofport;
}

static void
refuse(struct judgement *j, struct nwf_plan_port *port, const struct nwf_address *address,
       size_t owner)
{
    char *text CLEANUP_FREE = nwf_address_format(address);

    if (owner == OWNER_HOST) {
        nwf_error_set(&port->route_claim, -EADDRINUSE, "address %s is the gateway's", text);
    } else {
        nwf_error_set(&port->route_claim, -EADDRINUSE, "address %s is that of %s", text,
                      j->plan->ports.data[owner]->config.name);
    }
}

/* False: it is the host's own. */
static bool
check_host(struct judgement *j, struct nwf_plan_port *port, const struct nwf_address *address)
{
    const char *device;

    if (!j->plan->host || !nwf_host_has_address(j->plan->host, address, &device)) {
        return true;
    }
    char *text CLEANUP_FREE = nwf_address_format(address);
    nwf_error_set(&port->route_claim, -EADDRINUSE, "address %s is the host's own, on %s", text,
                  device);
    return false;
}

static bool
check_port(struct judgement *j, size_t number)
{
    struct nwf_plan_port *port = j->plan->ports.data[number];

    nwf_vec_foreach (address, &port->addresses) {
        if (!is_local(address) && !check_host(j, port, address)) {
            return false;
        }
        size_t owner = nwf_address_claims_find(&j->claims, address, number);
        if (owner != NWF_NO_OWNER && (owner == OWNER_HOST || !is_local(address))) {
            refuse(j, port, address, owner);
            return false;
        }
    }
    return true;
}

static void
judge_port(struct judgement *j, size_t number)
{
    struct nwf_plan_port *port = j->plan->ports.data[number];

    if (!is_candidate(port) || !check_port(j, number)) {
        return;
    }
    nwf_vec_foreach (address, &port->addresses) {
        if (!is_local(address)) {
            nwf_address_claims_add(&j->claims, address, number);
        }
    }
}

static void
judge(struct judgement *j)
{
    struct nwf_plan *plan = j->plan;

    nwf_plan_list_gateways(plan, plan->host, &j->gateways);
    nwf_vec_foreach (gateway, &j->gateways) {
        nwf_address_claims_expect(&j->claims, gateway);
    }
    for (size_t i = 0; i < plan->ports.n; i++) {
        j->order[i] = i;
        nwf_vec_foreach (address, &plan->ports.data[i]->addresses) {
            nwf_address_claims_expect(&j->claims, address);
        }
    }
    nwf_vec_foreach (gateway, &j->gateways) {
        nwf_address_claims_add(&j->claims, gateway, OWNER_HOST);
    }
    if (plan->ports.n) {
        qsort_r(j->order, plan->ports.n, sizeof j->order[0], compare_ranks, plan);
    }
    for (size_t i = 0; i < plan->ports.n; i++) {
        judge_port(j, j->order[i]);
    }
}

static bool
says_the_same(const struct nwf_error *a, const struct nwf_error *b)
{
    return a->text && b->text ? !strcmp(a->text, b->text) : a->text == b->text;
}

void
nwf_plan_judge_routes(struct nwf_plan *plan)
{
    struct nwf_error *before CLEANUP_FREE = nwf_zalloc((plan->ports.n + 1) * sizeof *before);
    size_t *order CLEANUP_FREE = nwf_zalloc((plan->ports.n + 1) * sizeof *order);
    struct judgement j = {.plan = plan, .order = order};

    for (size_t i = 0; i < plan->ports.n; i++) {
        before[i] = plan->ports.data[i]->route_claim;
        plan->ports.data[i]->route_claim = (struct nwf_error){.text = NULL};
    }
    nwf_address_claims_init(&j.claims);
    if (plan->routed.is_routed) {
        judge(&j);
    }
    nwf_address_claims_finish(&j.claims);
    nwf_vec_clear(&j.gateways);
    for (size_t i = 0; i < plan->ports.n; i++) {
        struct nwf_plan_port *port = plan->ports.data[i];
        port->dirty |= !says_the_same(&before[i], &port->route_claim);
        nwf_error_clear(&before[i]);
    }
}

/* ---- Isolated guests. ---- */

bool
nwf_plan_collect_isolated(struct nwf_plan *plan)
{
    struct nwf_addresses before = plan->isolated, now = {.data = NULL};

    nwf_vec_foreach (item, &plan->ports) {
        const struct nwf_plan_port *port = *item;
        bool counts = port->role == NWF_GUEST && port->facts.is_isolated;
        for (size_t i = 0; counts && i < port->addresses.n; i++) {
            if (!is_local(&port->addresses.data[i])) {
                nwf_vec_push(&now, port->addresses.data[i]);
            }
        }
    }
    bool differs = !nwf_addresses_equal(&before, &now);
    plan->isolated.data = now.data;
    plan->isolated.n = now.n;
    plan->isolated.allocated = now.allocated;
    plan->bridge.is_host_routed = nwf_plan_is_host_routed(plan);
    plan->bridge.isolated = &plan->isolated;
    nwf_vec_clear(&before);
    return differs && plan->bridge.is_host_routed;
}

/* ---- What is to be there. ---- */

static const struct nwf_address *
main_address(const struct nwf_plan *plan, const struct nwf_host *host, int family)
{
    const char *wire = nwf_plan_wire(plan);

    return host && wire ? nwf_host_main_address(host, wire, family) : NULL;
}

void
nwf_plan_list_gateways(const struct nwf_plan *plan, const struct nwf_host *host,
                       struct nwf_addresses *ret)
{
    const struct nwf_address *own = main_address(plan, host, AF_INET);
    bool has_ipv4 = false, has_router = false;

    ret->n = 0;
    nwf_vec_foreach (gateway, &plan->routed.gateways) {
        has_ipv4 |= gateway->family == AF_INET;
        has_router |= nwf_address_equals(gateway, &router);
        nwf_vec_push(ret, *gateway);
    }
    if (!has_ipv4 && own) {
        nwf_vec_push(ret, *own);
    }
    if (!has_router) {
        nwf_vec_push(ret, router);
    }
}

void
nwf_plan_list_routes(const struct nwf_plan *plan, const struct nwf_plan_port *port,
                     struct nwf_host_items *ret, const char **ret_cause)
{
    const struct nwf_macs *macs = &port->facts.macs;
    bool answers = plan->routed.via == NWF_VIA_HOST || !plan->is_userspace;

    *ret_cause = NULL;
    if (port->role != NWF_GUEST || !port->addresses.n) {
        return;
    }
    if (port->facts.own_mac >= macs->n) {
        *ret_cause = "nothing is routed to it: its Ethernet address is not known";
    } else if (port->config.vlan.mode == NWF_VLAN_ACCESS && port->config.vlan.tag) {
        *ret_cause = "nothing is routed to it: the host's address on the bridge is not in its VLAN";
    }
    nwf_vec_foreach (address, &port->addresses) {
        if (!*ret_cause && !is_local(address)) {
            nwf_host_items_add_guest(ret, plan->name, answers ? nwf_plan_wire(plan) : NULL, address,
                                     &macs->data[port->facts.own_mac]);
        }
    }
}

/* An IPv6 address that the host has elsewhere is answered for here: on both devices it would be a
 * duplicate. */
static enum nwf_host_kind
gateway_kind(const struct nwf_host *host, const struct nwf_address *gateway)
{
    const char *device;

    return gateway->family == AF_INET6 && nwf_host_has_address(host, gateway, &device)
               ? NWF_HOST_PROXY
               : NWF_HOST_ADDRESS;
}

/* Where flows route, a router's link-local address is answered for without being the host's: the
 * provider's own may be the same, and is reached by the same device.  The kernel does so if flows
 * cannot. */
static void
add_gateway(const struct nwf_plan *plan, const struct nwf_host *host,
            const struct nwf_address *gateway, struct nwf_host_items *ret)
{
    const char *device;

    if (plan->routed.via == NWF_VIA_HOST) {
        nwf_host_items_add(ret, gateway_kind(host, gateway), plan->name, gateway);
    } else if (!nwf_address_is_link_local(gateway)) {
        if (!host || !nwf_host_has_address(host, gateway, &device)) {
            nwf_host_items_add(ret, NWF_HOST_ADDRESS, plan->name, gateway);
        }
    } else if (!plan->is_userspace) {
        nwf_host_items_add(ret, NWF_HOST_PROXY, plan->name, gateway);
    }
}

bool
nwf_plan_bridge_has_ipv6(const struct nwf_plan *plan)
{
    char *path CLEANUP_FREE = nwf_asprintf("net/ipv6/conf/%s/disable_ipv6", plan->name);

    return nwf_sysctl_equals(path, "0");
}

void
nwf_plan_list_bridge_items(const struct nwf_plan *plan, const struct nwf_host *host,
                           struct nwf_host_items *ret)
{
    const struct nwf_address *own = main_address(plan, host, AF_INET6);
    bool has_ipv6 = nwf_plan_bridge_has_ipv6(plan);
    struct nwf_addresses gateways = {.data = NULL};

    nwf_plan_list_gateways(plan, host, &gateways);
    nwf_host_items_add(ret, NWF_HOST_UP, plan->name, NULL);
    nwf_vec_foreach (gateway, &gateways) {
        if (has_ipv6 || !nwf_address_equals(gateway, &router)) {
            add_gateway(plan, host, gateway, ret);
        }
    }
    if (own && has_ipv6 && plan->routed.via == NWF_VIA_HOST) {
        nwf_host_items_add(ret, NWF_HOST_PROXY, plan->name, own);
    }
    nwf_vec_clear(&gateways);
}
