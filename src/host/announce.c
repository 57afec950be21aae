/* SPDX-License-Identifier: Apache-2.0
 *
 * Announcements and solicitations; see nwf/announce.h. */
#include <config.h>

#include "nwf/announce.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/csum.h"

#define ETHERNET_SIZE 14
#define ARP_SIZE 28
#define NO_HOP 255 /* The hop limit of what no router has passed on. */
#define NA_OVERRIDE 0x20
#define NA_ROUTER 0x80

static uint8_t *
put(uint8_t *at, const void *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

static uint8_t *
put_ethernet(uint8_t *at, const uint8_t to[6], const struct nwf_mac *from, uint16_t type)
{
    const uint8_t bytes[2] = {(uint8_t) (type >> 8), (uint8_t) type};

    at = put(at, to, 6);
    at = put(at, from->octets, sizeof from->octets);
    return put(at, bytes, sizeof bytes);
}

static size_t
arp_frame(const struct nwf_mac *mac, const struct nwf_address *address,
          const struct nwf_address *target, uint8_t *frame)
{
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    static const struct nwf_mac nobody;
    uint8_t *at = put_ethernet(frame, everybody, mac, ETHERTYPE_ARP);

    at = put(at, request, sizeof request);
    at = put(at, mac, sizeof *mac);
    at = put(at, address->bytes, 4);
    at = put(at, &nobody, sizeof nobody);
    (void) put(at, target->bytes, 4);
    return ETHERNET_SIZE + ARP_SIZE;
}

/* ---- Neighbour discovery (RFC 4861). ---- */

struct discovery {
    struct ip6_hdr ip;
    struct nd_neighbor_advert message; /* A solicitation has the same shape. */
    uint8_t option[2];
    struct nwf_mac mac;
};

/* With the pseudo-header in the place of the rest of IPv6's. */
static uint16_t
checksum(const struct discovery *d)
{
    const size_t size = sizeof *d - sizeof d->ip;
    const uint8_t tail[8] = {0, 0, 0, (uint8_t) size, 0, 0, 0, IPPROTO_ICMPV6};
    uint32_t partial = csum_continue(0, &d->ip.ip6_src, 2 * sizeof d->ip.ip6_src);

    partial = csum_continue(partial, tail, sizeof tail);
    return csum_finish(csum_continue(partial, &d->message, size));
}

static size_t
discovery_frame(const struct nwf_mac *mac, const uint8_t from[16], const uint8_t to[16],
                struct discovery *d, uint8_t *frame)
{
    const uint8_t group[6] = {0x33, 0x33, to[12], to[13], to[14], to[15]};
    uint8_t *at = put_ethernet(frame, group, mac, ETHERTYPE_IPV6);

    d->ip.ip6_flow = htonl(6u << 28);
    d->ip.ip6_plen = htons(sizeof *d - sizeof d->ip);
    d->ip.ip6_nxt = IPPROTO_ICMPV6;
    d->ip.ip6_hlim = NO_HOP;
    memcpy(&d->ip.ip6_src, from, sizeof d->ip.ip6_src);
    memcpy(&d->ip.ip6_dst, to, sizeof d->ip.ip6_dst);
    d->option[1] = 1; /* Eight bytes. */
    d->mac = *mac;
    d->message.nd_na_cksum = checksum(d);
    (void) put(at, d, sizeof *d);
    return ETHERNET_SIZE + sizeof *d;
}

static size_t
advert_frame(const struct nwf_mac *mac, const struct nwf_address *address, uint8_t *frame)
{
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    struct discovery d = {.option = {ND_OPT_TARGET_LINKADDR}};

    d.message.nd_na_type = ND_NEIGHBOR_ADVERT;
    d.message.nd_na_flags_reserved = htonl((uint32_t) (NA_ROUTER | NA_OVERRIDE) << 24);
    memcpy(&d.message.nd_na_target, address->bytes, sizeof d.message.nd_na_target);
    return discovery_frame(mac, address->bytes, all_nodes, &d, frame);
}

size_t
nwf_announce_frame(const struct nwf_mac *mac, const struct nwf_address *address,
                   uint8_t frame[NWF_ANNOUNCE_MAX])
{
    return address->family == AF_INET ? arp_frame(mac, address, address, frame)
                                      : advert_frame(mac, address, frame);
}

size_t
nwf_solicit_frame(const struct nwf_mac *mac, const struct nwf_address *source,
                  const struct nwf_address *target, uint8_t frame[NWF_ANNOUNCE_MAX])
{
    const uint8_t *t = target->bytes;
    const uint8_t group[16] = {0xff, 2, [11] = 1, 0xff, t[13], t[14], t[15]};
    struct discovery d = {.option = {ND_OPT_SOURCE_LINKADDR}};

    if (target->family == AF_INET) {
        return arp_frame(mac, source, target, frame);
    }
    d.message.nd_na_type = ND_NEIGHBOR_SOLICIT;
    memcpy(&d.message.nd_na_target, t, sizeof d.message.nd_na_target);
    return discovery_frame(mac, source->bytes, group, &d, frame);
}

/* ---- Sending. ---- */

int
nwf_frame_send(const struct nwf_host_device *device, const uint8_t *frame, size_t size,
               struct nwf_error *err)
{
    const struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_ifindex = device->index,
        .sll_halen = 6,
    };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? -errno : 0;

    if (!r && sendto(fd, frame, size, 0, (const struct sockaddr *) &to, sizeof to) < 0) {
        r = -errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    return r ? nwf_error_set(err, r, "sending out of %s: %s", device->name, strerror(-r)) : 0;
}
