/* SPDX-License-Identifier: Apache-2.0
 *
 * Where flows route: what they know of the host, of its gateways and of the uplink, kept true. */
#include <config.h>

#include <string.h>

#include "keeper.h"
#include "nwf/text.h"
#include "nwf/vec.h"
#include "openvswitch/vlog.h"
#include "routes.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_routing);

/* ---- The host's Ethernet address. ---- */

static bool
has_nic(const struct nwf_port_config *uplink, const struct nwf_mac *mac)
{
    nwf_vec_foreach (nic, &uplink->nics) {
        if (nic->has_mac && !memcmp(&nic->mac, mac, sizeof *mac)) {
            return true;
        }
    }
    return false;
}

/* The bridge's, which is to be that of the uplink: by another one nothing would leave, and nothing
 * come. */
static void
find_mac(const struct nwf_plan *plan, struct nwf_routing *routing)
{
    const struct nwf_plan_port *uplink = nwf_plan_find_uplink(plan);

    nwf_vec_foreach (item, &plan->ports) {
        const struct nwf_port_config *config = &(*item)->config;
        if (uplink && config->ofport == NWF_OFPORT_LOCAL && config->has_own_mac
            && has_nic(&uplink->config, &config->own_mac)) {
            routing->has_mac = true;
            routing->mac = config->own_mac;
        }
    }
}

/* ---- Its routes. ---- */

/* Packets may be too big for the uplink only where guests may send larger ones. */
static uint32_t
find_mtu(const struct nwf_keeper *k)
{
    uint32_t uplink = UINT32_MAX, largest = 0;

    nwf_vec_foreach (item, &k->plan.ports) {
        const struct nwf_port_config *config = &(*item)->config;
        const struct nwf_host_device *device = nwf_host_device(k->host, config->name);
        if (device && config->is_uplink) {
            uplink = device->mtu < uplink ? device->mtu : uplink;
        } else if (device && config->role == NWF_GUEST) {
            largest = device->mtu > largest ? device->mtu : largest;
        }
    }
    return largest > uplink ? uplink : 0;
}

/* That nothing is known of them makes flows leave all to the kernel. */
static void
look_around(struct nwf_keeper *k)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (k->is_around_known && k->around_seqno == nwf_host_around_seqno(k->host)) {
        return;
    }
    k->is_around_known = true;
    k->around_seqno = nwf_host_around_seqno(k->host);
    nwf_surroundings_clear(&k->surroundings);
    if (nwf_host_look_around(k->host, nwf_plan_wire(&k->plan), &k->surroundings, &err)) {
        VLOG_WARN("bridge %s: %s", k->plan.name, nwf_error_text(&err));
        nwf_error_clear(&err);
    }
}

/* Not those that are the host's own elsewhere as well, for which it answers anybody. */
static void
list_gateways(const struct nwf_keeper *k, struct nwf_addresses *ret)
{
    struct nwf_addresses gateways = {.data = NULL};
    const char *device;

    nwf_plan_list_gateways(&k->plan, k->host, &gateways);
    nwf_vec_foreach (gateway, &gateways) {
        if (!k->host || !nwf_host_has_address(k->host, gateway, &device)) {
            nwf_vec_push(ret, *gateway);
        }
    }
    nwf_vec_clear(&gateways);
}

void
nwf_keeper_look_around(struct nwf_keeper *k)
{
    struct nwf_routing routing = {.answers_nd = k->plan.is_userspace};

    if (!nwf_plan_routes(&k->plan)) {
        return;
    }
    find_mac(&k->plan, &routing);
    list_gateways(k, &routing.gateway_addresses);
    if (k->host) {
        look_around(k);
        routing.mtu = find_mtu(k);
    }
    nwf_vec_foreach (inward, &k->surroundings.inwards) {
        nwf_vec_push(&routing.inwards, *inward);
    }
    for (int family = 0; family < NWF_N_ROUTED; family++) {
        routing.gateways[family] = k->surroundings.routers[family].at;
    }
    nwf_plan_set_routing(&k->plan, &routing);
}

/* ---- Its routers. ---- */

/* As long as packets are not the kernel's, it does not look whether its routers are still there. */
void
nwf_keeper_ask_routers(struct nwf_keeper *k)
{
    if (nwf_plan_routes(&k->plan)) {
        nwf_host_ask_routers(k->host, nwf_plan_wire(&k->plan), &k->surroundings);
    }
}

void
nwf_keeper_forget_around(struct nwf_keeper *k)
{
    nwf_surroundings_clear(&k->surroundings);
    k->is_around_known = false;
}
