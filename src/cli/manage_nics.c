/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the NICs and gateways that manage is given can be what the options say: what cannot be
 * is refused before anything is changed. */
#include <config.h>

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "manage.h"
#include "nwf/plan.h"
#include "nwf/routed.h"
#include "nwf/text.h"

/* What the checks look at. */
struct look {
    const struct nwf_ovs_bridges *bridges;
    const struct nwf_ovs_bridge *bridge;
    struct nwf_plan plan; /* Of the bridge as it will be. */
    struct nwf_routed_config config;
    struct nwf_error *err;
};

/* ---- NICs. ---- */

static bool
has_port(const struct nwf_ovs_bridge *bridge, const char *name)
{
    nwf_vec_foreach (port, &bridge->ports) {
        if (!strcmp(port->name, name) || !strcmp(port->port_name, name)) {
            return true;
        }
    }
    return false;
}

/* Who else has the NIC. */
static int
check_bridges(const struct look *look, const char *tag, const char *nic)
{
    char *kernel CLEANUP_FREE = nwf_asprintf("/sys/class/net/%s/brport", nic);

    nwf_vec_foreach (bridge, look->bridges) {
        if (bridge != look->bridge && (has_port(bridge, nic) || !strcmp(bridge->name, nic))) {
            return nwf_error_set(look->err, -EBUSY, "%s: %s is in the bridge %s", tag, nic,
                                 bridge->name);
        }
    }
    return !strchr(nic, '/') && !access(kernel, F_OK)
               ? nwf_error_set(look->err, -EBUSY, "%s: %s is in a bridge of the kernel", tag, nic)
               : 0;
}

static int
check_guest(const struct look *look, const char *tag, const char *nic)
{
    const struct nwf_plan_port *port = nwf_plan_find_port(&look->plan, nic);

    return port && port->config.binding.filter
               ? nwf_error_set(look->err, -EINVAL,
                               "%s: %s is a guest's port, with the filter %.80s", tag, nic,
                               port->config.binding.filter)
               : 0;
}

static bool
is_global(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        return true;
    }
    return address->sa_family == AF_INET6
           && !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *) address)->sin6_addr);
}

/* Whether an address of the host's is on one of the two devices. */
static bool
has_address(const char *nic, const char *bridge)
{
    struct ifaddrs *list, *item;
    bool found = false;

    if (getifaddrs(&list)) {
        return false;
    }
    for (item = list; item; item = item->ifa_next) {
        found |= item->ifa_addr && is_global(item->ifa_addr)
                 && (!strcmp(item->ifa_name, nic) || (bridge && !strcmp(item->ifa_name, bridge)));
    }
    freeifaddrs(list);
    return found;
}

static int
check_uplink(const struct look *look)
{
    const char *nic = look->config.uplink, *name = look->bridge->name;
    bool is_on_bridge = has_port(look->bridge, nic), flows = look->config.via == NWF_VIA_FLOWS;

    if (is_on_bridge && !flows) {
        return nwf_error_set(look->err, -EBUSY,
                             "%s: %s is a port of %s; with --via=host the uplink stays outside of "
                             "the bridge",
                             NWF_BRIDGE_UPLINK, nic, name);
    }
    if (!is_on_bridge && !if_nametoindex(nic)) {
        return nwf_error_set(look->err, -ENODEV, "%s: %s: there is no such device",
                             NWF_BRIDGE_UPLINK, nic);
    }
    if (!has_address(nic, flows ? name : NULL)) {
        return nwf_error_set(look->err, -EADDRNOTAVAIL, "%s: %s has no address", NWF_BRIDGE_UPLINK,
                             nic);
    }
    return 0;
}

static int
check_nic(const struct look *look, const char *tag, const char *nic)
{
    int r = strcmp(nic, look->bridge->name)
                ? check_bridges(look, tag, nic)
                : nwf_error_set(look->err, -EINVAL, "%s: %s is the bridge itself", tag, nic);

    if (r) {
        return r;
    }
    return check_guest(look, tag, nic);
}

/* ---- Gateways. ---- */

/* Whether 'value', of a guest's variable, is the address or holds it. */
static bool
holds(const char *value, const struct nwf_address *gateway)
{
    struct nwf_address address;

    if (nwf_address_parse(value, true, &address, NULL) || address.family != gateway->family) {
        return false;
    }
    for (unsigned int bit = 0; bit < address.prefix_len; bit++) {
        if ((address.bytes[bit / 8] ^ gateway->bytes[bit / 8]) & (0x80 >> bit % 8)) {
            return false;
        }
    }
    return true;
}

static int
check_gateway(const struct look *look, const struct nwf_address *gateway)
{
    static const char *const variables[] = {"IP", "IPV6"};

    nwf_vec_foreach (port, &look->plan.ports) {
        for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
            const struct nwf_param *param =
                nwf_params_find(&(*port)->config.binding.params, variables[i]);
            for (size_t j = 0; param && j < param->values.n; j++) {
                if (holds(param->values.data[j], gateway)) {
                    return nwf_error_set(look->err, -EADDRINUSE,
                                         "%s: %s is an address of the guest %s", NWF_BRIDGE_GATEWAY,
                                         param->values.data[j], (*port)->config.name);
                }
            }
        }
    }
    return 0;
}

/* ---- All of them. ---- */

static int
check_all(const struct look *look)
{
    int r;

    if (look->config.uplink
        && ((r = check_nic(look, NWF_BRIDGE_UPLINK, look->config.uplink))
            || (r = check_uplink(look)))) {
        return r;
    }
    nwf_vec_foreach (name, &look->config.guards) {
        if ((r = check_nic(look, NWF_BRIDGE_GUARD, *name))) {
            return r;
        }
    }
    nwf_vec_foreach (gateway, &look->config.gateways) {
        if ((r = check_gateway(look, gateway))) {
            return r;
        }
    }
    return 0;
}

int
nwf_manage_check_nics(const struct nwf_cli *cli, const struct nwf_ovs_bridges *bridges,
                      const struct nwf_ovs_bridge *bridge, const struct nwf_record *tags,
                      struct nwf_error *err)
{
    struct look look = {.bridges = bridges, .bridge = bridge, .err = err};
    struct nwf_ovs_bridge wanted = *bridge;
    int r = nwf_routed_config_read(tags->data, tags->n, &look.config, err);

    if (!r && nwf_routed_has_guards(&look.config)) {
        nwf_bridge_config_read(tags->data, tags->n, &wanted.config);
        nwf_plan_init(&look.plan, bridge->name);
        nwf_plan_update(&look.plan, &wanted, &cli->sources, true);
        r = check_all(&look);
        nwf_plan_finish(&look.plan);
    }
    nwf_routed_config_clear(&look.config);
    return r;
}
