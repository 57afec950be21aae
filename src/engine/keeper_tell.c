/* SPDX-License-Identifier: Apache-2.0
 *
 * What a keeper tells others of routed guests: guests and the provider, where an address is now;
 * the operator, what is his to mend. */
#include <config.h>

#include <string.h>

#include "keeper.h"
#include "nwf/announce.h"
#include "nwf/firewall.h"
#include "nwf/text.h"
#include "openvswitch/vlog.h"
#include "routes.h"

#include "lib/timeval.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_tell);

/* When an announcement is repeated: somebody may just have missed it. */
#define AGAIN_MS 1000

/* How often the host's firewall is looked at, which may be large. */
#define ADVISE_MS 30000

void
nwf_keeper_warn_of(const struct nwf_keeper *k, struct nwf_error *err)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(6, 6);

    VLOG_WARN_RL(&rl, "bridge %s: %s", k->plan.name, nwf_error_text(err));
    nwf_error_clear(err);
}

/* ---- Announcements. ---- */

static bool
same_mac(const struct nwf_mac *a, const struct nwf_mac *b)
{
    return !memcmp(a, b, sizeof *a);
}

static void
announce(const struct nwf_host_device *device, const struct nwf_addresses *addresses)
{
    uint8_t frame[NWF_ANNOUNCE_MAX];

    nwf_vec_foreach (address, addresses) {
        if (address->prefix_len == (address->family == AF_INET ? 32 : 128)) {
            size_t size = nwf_announce_frame(&device->mac, address, frame);
            (void) nwf_frame_send(device, frame, size, NULL);
        }
    }
}

static void
announce_gateways(const struct nwf_keeper *k, const struct nwf_host_device *device)
{
    const struct nwf_address *own =
        nwf_host_main_address(k->host, nwf_plan_wire(&k->plan), AF_INET6);
    struct nwf_addresses gateways = {.data = NULL};

    nwf_plan_list_gateways(&k->plan, k->host, &gateways);
    if (own) {
        nwf_vec_push(&gateways, *own);
    }
    announce(device, &gateways);
    nwf_vec_clear(&gateways);
}

/* Guests that have asked for the gateway while the bridge had another address would keep that for
 * long. */
static void
look_at_bridge_mac(struct nwf_keeper *k)
{
    const struct nwf_host_device *device = nwf_host_device(k->host, k->plan.name);
    bool again = k->announce_at && time_msec() >= k->announce_at;

    if (!device || !device->up || !device->has_mac) {
        return;
    }
    bool is_new = !same_mac(&device->mac, &k->bridge_mac);
    if (is_new || again) {
        announce_gateways(k, device);
        k->bridge_mac = device->mac;
        k->announce_at = is_new ? time_msec() + AGAIN_MS : 0;
    }
}

/* The host's own addresses, too: guests' are routed to them. */
static void
announce_guests(const struct nwf_keeper *k, const struct nwf_host_device *device)
{
    struct nwf_addresses own = {.data = NULL};

    nwf_host_list_addresses(k->host, device, &own);
    announce(device, &own);
    nwf_vec_clear(&own);
    nwf_vec_foreach (port, &k->plan.ports) {
        if ((*port)->has_routes) {
            announce(device, &(*port)->addresses);
        }
    }
}

/* A bond may have another one from one moment to the next. */
static void
look_at_uplink_mac(struct nwf_keeper *k)
{
    const struct nwf_host_device *device = nwf_host_device(k->host, nwf_plan_wire(&k->plan));
    const struct nwf_mac none = {.octets = {0}};

    if (!device || !device->up || !device->has_mac || same_mac(&device->mac, &k->uplink_mac)) {
        return;
    }
    if (!same_mac(&none, &k->uplink_mac)) {
        announce_guests(k, device);
    }
    k->uplink_mac = device->mac;
}

void
nwf_keeper_announce_addresses(struct nwf_keeper *k)
{
    look_at_bridge_mac(k);
    look_at_uplink_mac(k);
}

/* ---- Advice. ---- */

/* What is the operator's to mend. */
void
nwf_keeper_look_for_obstacles(struct nwf_keeper *k)
{
    char *advice CLEANUP_FREE = NULL;

    if (time_msec() < k->advise_at) {
        return;
    }
    k->advise_at = time_msec() + ADVISE_MS;
    advice = nwf_firewall_obstacle(k->host, k->plan.name, nwf_plan_wire(&k->plan));
    if (advice ? k->plan.host_advice && !strcmp(advice, k->plan.host_advice)
               : !k->plan.host_advice) {
        return;
    }
    if (advice) {
        VLOG_WARN("bridge %s: %s", k->plan.name, advice);
    }
    free(k->plan.host_advice);
    k->plan.host_advice = TAKE_PTR(advice);
    k->host_news = true;
}
