/* SPDX-License-Identifier: Apache-2.0
 *
 * The address of a bridge that has an uplink: it is the uplink's, so that the host's own frames may
 * leave, and stays so whatever ports come and go (Open vSwitch would take the lowest of theirs).
 * Of several guarded NICs it is the first's; of a bond, the member's with the lowest number. */
#include <config.h>

#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <string.h>

#include "keeper.h"
#include "nwf/text.h"
#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_hwaddr);

static const char *
find_name(const struct nwf_routed_config *config)
{
    if (config->is_routed) {
        return config->uplink;
    }
    return config->guards.n ? config->guards.data[0] : NULL;
}

static bool
is_called(const struct nwf_port_config *config, const char *name)
{
    return !strcmp(config->name, name) || (config->port_name && !strcmp(config->port_name, name));
}

/* By the database: of a port of the bridge. */
static bool
find_on_bridge(const struct nwf_plan *plan, const char *name, struct nwf_mac *ret)
{
    nwf_vec_foreach (port, &plan->ports) {
        const struct nwf_port_config *config = &(*port)->config;
        nwf_vec_foreach (nic, &config->nics) {
            if (is_called(config, name) && nic->has_mac && nic->ofport == config->leader) {
                *ret = nic->mac;
                return true;
            }
        }
    }
    return false;
}

/* By the kernel: of a device that is not, or not yet, on the bridge. */
static bool
find_in_kernel(const char *name, struct nwf_mac *ret)
{
    struct ifaddrs *list, *item;
    bool found = false;

    if (getifaddrs(&list)) {
        return false;
    }
    for (item = list; item && !found; item = item->ifa_next) {
        const struct sockaddr_ll *address = (const void *) item->ifa_addr;
        if (address && address->sll_family == AF_PACKET && address->sll_halen == sizeof *ret
            && !strcmp(item->ifa_name, name)) {
            memcpy(ret, address->sll_addr, sizeof *ret);
            found = true;
        }
    }
    freeifaddrs(list);
    return found;
}

/* The uplink's.  False: it is not known, or there is no uplink. */
static bool
find_mac(const struct nwf_keeper *k, struct nwf_mac *ret)
{
    static const struct nwf_mac none;
    const char *name = find_name(&k->plan.routed);

    *ret = none;
    return name && (find_on_bridge(&k->plan, name, ret) || find_in_kernel(name, ret))
           && memcmp(ret, &none, sizeof *ret) && !(ret->octets[0] & 1);
}

/* The same as a new string, or NULL. */
static char *
find_address(const struct nwf_keeper *k)
{
    struct nwf_mac mac;
    const uint8_t *o = mac.octets;

    return find_mac(k, &mac)
               ? nwf_asprintf("%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5])
               : NULL;
}

bool
nwf_keeper_is_pinned(const struct nwf_keeper *k, const struct nwf_ovs_bridge *bridge)
{
    char *wanted CLEANUP_FREE = NULL;

    if (!k->plan.settings || k->plan.routed.error.text || bridge->config.managed == NWF_UNMANAGED) {
        return true; /* Nothing is known, or not now. */
    }
    if (!find_name(&k->plan.routed)) {
        return !bridge->own_hwaddr;
    }
    wanted = find_address(k);
    return !wanted || (bridge->own_hwaddr && bridge->hwaddr && !strcasecmp(bridge->hwaddr, wanted));
}

/* ---- What stands on the bridge's device. ---- */

static void
warn_of(const struct nwf_keeper *k, struct nwf_error *err)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(6, 6);

    if (err->text) {
        VLOG_WARN_RL(&rl, "bridge %s: %s", k->plan.name, nwf_error_text(err));
        nwf_error_clear(err);
    }
}

static void
open_keepsake(struct nwf_keeper *k)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (!k->keepsake && nwf_keepsake_open(k->plan.name, &k->keepsake, &err)) {
        warn_of(k, &err);
    }
}

static void
close_keepsake(struct nwf_keeper *k)
{
    if (k->keepsake) {
        nwf_keepsake_close(TAKE_PTR(k->keepsake));
    }
}

void
nwf_keeper_pin(struct nwf_keeper *k, const struct nwf_ovs_bridge *bridge)
{
    char *wanted CLEANUP_FREE = find_address(k);
    struct nwf_error err = NWF_ERROR_INIT;

    if (k->conn) { /* The bridge's datapath ID follows, and Open vSwitch closes all connections. */
        nwf_conn_free(TAKE_PTR(k->conn));
        k->needs_update = true;
    }
    open_keepsake(k);
    if (k->keepsake) {
        (void) nwf_keepsake_take(k->keepsake, &err);
        warn_of(k, &err);
    }
    k->has_pinned = true;
    nwf_txn_pin_address(k->txn, bridge, wanted);
}

void
nwf_keeper_end_pin(struct nwf_keeper *k)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (k->has_pinned && k->keepsake) {
        (void) nwf_keepsake_put_back(k->keepsake, &err);
        warn_of(k, &err);
    }
    k->has_pinned = false;
    if (k->options->once) {
        close_keepsake(k);
    }
}

void
nwf_keeper_look_at_device(struct nwf_keeper *k)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_mac mac;
    bool is_back;

    if (k->options->once || !find_mac(k, &mac)) {
        close_keepsake(k);
        return;
    }
    open_keepsake(k);
    if (!k->keepsake) {
        return;
    }
    if (nwf_keepsake_run(k->keepsake, &mac, &is_back, &err)) {
        warn_of(k, &err);
    } else if (is_back) {
        VLOG_INFO("bridge %s: its device has changed; what stood on it is put back", k->plan.name);
    }
}

void
nwf_keeper_wait_for_device(const struct nwf_keeper *k)
{
    if (k->keepsake && k->state == NWF_K_IDLE) {
        nwf_keepsake_wait(k->keepsake);
    }
}

void
nwf_keeper_forget_device(struct nwf_keeper *k)
{
    close_keepsake(k);
}
