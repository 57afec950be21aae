/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink's IPv6 routers: which they are, and that the kernel does not lose them.
 *
 * For packets that it forwards the kernel asks for a neighbour from the link-local address, and
 * there are routers that answer to none but a global one: then a lost entry never comes back. */
#include <config.h>

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "nwf/announce.h"
#include "state.h"

/* Default routes that are looked at. */
#define ROUTES_MAX 64

/* ---- Default routes. ---- */

static int
take_route(const struct nlmsghdr *message, void *host_)
{
    const struct nlattr *attributes[RTA_MAX + 1];
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    struct nwf_host *host = host_;

    if (message->nlmsg_type != RTM_NEWROUTE
        || !nwf_netlink_parse(message, sizeof *header, attributes, RTA_MAX) || header->rtm_dst_len
        || header->rtm_family != AF_INET6 || header->rtm_type != RTN_UNICAST
        || host->defaults.n == ROUTES_MAX) {
        return 0;
    }
    const int *index = nwf_netlink_data(attributes[RTA_OIF], sizeof *index);
    const void *gateway = nwf_netlink_data(attributes[RTA_GATEWAY], 16);
    struct nwf_host_default route = {
        .index = index ? *index : 0,
        .by_ra = header->rtm_protocol == RTPROT_RA,
        .has_gateway = gateway != NULL,
        .gateway = {.family = AF_INET6, .prefix_len = 128},
    };
    if (gateway) {
        memcpy(route.gateway.bytes, gateway, sizeof route.gateway.bytes);
    }
    nwf_vec_push(&host->defaults, route);
    return 0;
}

const struct nwf_host_defaults *
nwf_host_default_routes(struct nwf_host *host)
{
    char buffer[NWF_NETLINK_REQUEST];
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETROUTE, 0);
    struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);

    if (host->defaults_known) {
        return &host->defaults;
    }
    header->rtm_family = AF_INET6;
    header->rtm_table = RT_TABLE_MAIN;
    host->defaults.n = 0;
    host->defaults_known = !nwf_netlink_dump(&host->requests, request, take_route, host, NULL);
    return &host->defaults;
}

static int
take_way(const struct nlmsghdr *message, void *index_)
{
    const struct nlattr *attributes[RTA_MAX + 1];
    int *index = index_;

    if (message->nlmsg_type == RTM_NEWROUTE
        && nwf_netlink_parse(message, sizeof(struct rtmsg), attributes, RTA_MAX)) {
        const int *found = nwf_netlink_data(attributes[RTA_OIF], sizeof *found);
        *index = found ? *found : 0;
    }
    return 0;
}

int
nwf_host_way_out(struct nwf_host *host, const struct nwf_address *address)
{
    const struct nwf_host_item item = {.kind = NWF_HOST_ROUTE, .address = *address};
    char buffer[NWF_NETLINK_REQUEST];
    int index = 0;

    (void) nwf_netlink_ask(&host->requests, nwf_item_look(buffer, &item, 0), take_way, &index,
                           NULL);
    return index;
}

/* ---- Keeping them. ---- */

static int
take_state(const struct nlmsghdr *message, void *state)
{
    const struct ndmsg *header = mnl_nlmsg_get_payload(message);

    if (message->nlmsg_type == RTM_NEWNEIGH
        && mnl_nlmsg_get_payload_len(message) >= sizeof *header) {
        *(uint16_t *) state = header->ndm_state;
    }
    return 0;
}

/* Whether the kernel looks for it, or has given up. */
static bool
is_missed(struct nwf_host *host, const struct nwf_host_default *route)
{
    const struct nwf_host_item item = {.kind = NWF_HOST_NEIGHBOUR, .address = route->gateway};
    char buffer[NWF_NETLINK_REQUEST];
    uint16_t state = 0;

    return !nwf_netlink_ask(&host->requests, nwf_item_look(buffer, &item, route->index), take_state,
                            &state, NULL)
           && state & (NUD_INCOMPLETE | NUD_FAILED | NUD_PROBE);
}

void
nwf_host_look_for_gateways(struct nwf_host *host, const char *uplink)
{
    const struct nwf_host_device *device = nwf_host_device(host, uplink);
    const struct nwf_address *own = nwf_host_main_address(host, uplink, AF_INET6);
    uint8_t frame[NWF_ANNOUNCE_MAX];

    if (!device || !device->up || !device->has_mac || !own) {
        return;
    }
    const struct nwf_host_defaults *routes = nwf_host_default_routes(host);
    nwf_vec_foreach (route, routes) {
        if (route->index == device->index && route->has_gateway && is_missed(host, route)) {
            size_t size = nwf_solicit_frame(&device->mac, own, &route->gateway, frame);
            (void) nwf_frame_send(device, frame, size, NULL);
        }
    }
}
