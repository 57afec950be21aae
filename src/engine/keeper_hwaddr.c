/* SPDX-License-Identifier: Apache-2.0
 *
 * The address of a bridge that has an uplink: it is the uplink's, so that the host's own frames may
 * leave, and stays so whatever ports come and go (Open vSwitch would take the lowest of theirs).
 * Of several guarded NICs it is the first's; of a bond, the member's with the lowest number. */
#include <config.h>

#include <string.h>

#include "keeper.h"
#include "nwf/text.h"
#include "openvswitch/vlog.h"
#include "nwf/uplink_mac.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_hwaddr);

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

/* The uplink's, into k->pin, if it is known. */
static void
find_mac(struct nwf_keeper *k)
{
    static const struct nwf_mac none;
    const char *name = nwf_uplink_name(&k->plan.routed);
    struct nwf_mac mac = none;

    k->has_pin = name && (find_on_bridge(&k->plan, name, &mac) || nwf_kernel_mac(name, &mac))
                 && memcmp(&mac, &none, sizeof mac) && !(mac.octets[0] & 1);
    k->pin = mac;
}

bool
nwf_keeper_is_pinned(struct nwf_keeper *k, const struct nwf_ovs_bridge *bridge)
{
    if (!k->plan.settings || k->plan.routed.error.text || bridge->config.managed == NWF_UNMANAGED) {
        return true; /* Nothing is known, or not now. */
    }
    find_mac(k);
    if (!nwf_uplink_name(&k->plan.routed)) {
        return !bridge->own_hwaddr;
    }
    char *wanted CLEANUP_FREE = nwf_mac_format(&k->pin);
    return !k->has_pin
           || (bridge->own_hwaddr && bridge->hwaddr && !strcasecmp(bridge->hwaddr, wanted));
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
    char *wanted CLEANUP_FREE = k->has_pin ? nwf_mac_format(&k->pin) : NULL;
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
    bool is_back;

    if (k->options->once || k->has_pinned) {
        return;
    }
    if (!k->has_pin) {
        close_keepsake(k);
        return;
    }
    open_keepsake(k);
    if (!k->keepsake) {
        return;
    }
    if (nwf_keepsake_run(k->keepsake, &k->pin, &is_back, &err)) {
        warn_of(k, &err);
    } else if (is_back) {
        VLOG_INFO("bridge %s: its device has changed; what stood on it is put back", k->plan.name);
    }
}

void
nwf_keeper_wait_for_device(const struct nwf_keeper *k)
{
    if (k->keepsake) {
        nwf_keepsake_wait(k->keepsake);
    }
}

void
nwf_keeper_forget_device(struct nwf_keeper *k)
{
    close_keepsake(k);
}
