/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a gateway answers; see nwf/moved.h.
 *
 * The kernel asks for it when there is a packet to be sent there.  The packet is one of the host's
 * own, so that the question comes from the address that the host is known by: some routers do not
 * answer to a link-local one. */
#include <config.h>

#include "nwf/moved.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "netlink.h"
#include "nwf/cleanup.h"

/* "discard" of UDP: whoever hears of it does nothing about it. */
#define DISCARD_PORT 9

static int
find_device(const char *device, unsigned int *ret_index, struct nwf_error *err)
{
    *ret_index = if_nametoindex(device);
    return *ret_index ? 0 : nwf_error_set(err, -ENODEV, "%s: there is no such device", device);
}

/* It needs no answer but that to the question where the gateway is. */
static void
send_packet(const char *device, unsigned int index, const struct nwf_address *gateway)
{
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT)};
    struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons(DISCARD_PORT)};
    const bool is_4 = gateway->family == AF_INET;
    int fd = socket(gateway->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return;
    }
    memcpy(is_4 ? (void *) &to4.sin_addr : (void *) &to6.sin6_addr, gateway->bytes,
           nwf_ip_size(gateway->family));
    to6.sin6_scope_id = index;
    (void) setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t) strlen(device));
    (void) !sendto(fd, "", 1, 0,
                   is_4 ? (const struct sockaddr *) &to4 : (const struct sockaddr *) &to6,
                   is_4 ? sizeof to4 : sizeof to6);
    close(fd);
}

static struct nlmsghdr *
begin_neighbour(char *buffer, uint16_t type, unsigned int index, const struct nwf_address *address)
{
    struct nlmsghdr *request = nwf_netlink_begin(buffer, type, 0);
    struct ndmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);

    header->ndm_family = (uint8_t) address->family;
    header->ndm_ifindex = (int) index;
    mnl_attr_put(request, NDA_DST, nwf_ip_size(address->family), address->bytes);
    return request;
}

struct neighbour {
    uint16_t state;
};

static int
take_neighbour(const struct nlmsghdr *message, void *neighbour_)
{
    struct neighbour *neighbour = neighbour_;
    const struct ndmsg *header = mnl_nlmsg_get_payload(message);

    neighbour->state = header->ndm_state;
    return 0;
}

int
nwf_gateway_probe(const char *device, const struct nwf_address *gateway, bool *ret_known,
                  struct nwf_error *err)
{
    struct nwf_netlink nl CLEANUP(nwf_netlink_close) = {.socket = NULL};
    struct neighbour neighbour = {.state = NUD_NONE};
    char buffer[NWF_NETLINK_REQUEST] = {0};
    unsigned int index;
    int r = find_device(device, &index, err);

    if (r || (r = nwf_netlink_open(0, &nl, err))) {
        return r;
    }
    send_packet(device, index, gateway);
    (void) nwf_netlink_ask(&nl, begin_neighbour(buffer, RTM_GETNEIGH, index, gateway),
                           take_neighbour, &neighbour, NULL);
    *ret_known = neighbour.state
                 & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP);
    return 0;
}

/* An entry that somebody has made for good stays. */
int
nwf_gateway_forget(const char *device, const struct nwf_address *gateway, struct nwf_error *err)
{
    struct nwf_netlink nl CLEANUP(nwf_netlink_close) = {.socket = NULL};
    struct neighbour neighbour = {.state = NUD_NONE};
    char buffer[NWF_NETLINK_REQUEST] = {0};
    unsigned int index;
    int r = find_device(device, &index, err);

    if (r || (r = nwf_netlink_open(0, &nl, err))) {
        return r;
    }
    (void) nwf_netlink_ask(&nl, begin_neighbour(buffer, RTM_GETNEIGH, index, gateway),
                           take_neighbour, &neighbour, NULL);
    if (neighbour.state && !(neighbour.state & (NUD_PERMANENT | NUD_NOARP))) {
        (void) nwf_netlink_ask(&nl, begin_neighbour(buffer, RTM_DELNEIGH, index, gateway), NULL,
                               NULL, NULL);
    }
    return 0;
}
