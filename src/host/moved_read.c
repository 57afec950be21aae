/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses and routes that a device has; see nwf/moved.h. */
#include <config.h>

#include "nwf/moved.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <string.h>

#include "netlink.h"
#include "nwf/cleanup.h"
#include "nwf/host.h"
#include "nwf/nic_lock.h"
#include "nwf/text.h"

#include "lib/util.h"

/* What an administrator asks for; the kernel sets the others itself. */
#define FLAGS_KEPT                                                                                 \
    (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE                  \
     | IFA_F_MCAUTOJOIN)

static bool
is_ip(int family)
{
    return family == AF_INET || family == AF_INET6;
}

static bool
take_bytes(const struct nlattr *attribute, int family, uint8_t ret[16])
{
    const void *data = nwf_netlink_data(attribute, nwf_ip_size(family));

    if (data) {
        memcpy(ret, data, nwf_ip_size(family));
    }
    return data != NULL;
}

static uint32_t
take_u32(const struct nlattr *attribute, uint32_t otherwise)
{
    const uint32_t *data = nwf_netlink_data(attribute, sizeof *data);

    return data ? *data : otherwise;
}

struct reading {
    unsigned int index;
    uint8_t link_local[16]; /* That belongs to the device's Ethernet address. */
    bool is_note;           /* See nwf_moved_note(). */
    struct nwf_moved *moved;
    struct nwf_error *err;
};

static void
take_lifetimes(const struct nlattr *attribute, struct nwf_moved_address *a)
{
    const struct ifa_cacheinfo *info = nwf_netlink_data(attribute, sizeof *info);

    a->valid = info ? info->ifa_valid : UINT32_MAX;
    a->preferred = info ? info->ifa_prefered : UINT32_MAX;
}

/* Whether the kernel has made the address, and does so again on a device that is up: a temporary
 * one of privacy, or a link-local one of its own.  Before Linux 5.18 it does not say so. */
static bool
is_of_kernel(const struct reading *reading, const struct nwf_moved_address *a,
             const struct nlattr *protocol_)
{
    const uint8_t *protocol = nwf_netlink_data(protocol_, sizeof *protocol);

    if (a->family != AF_INET6) {
        return false;
    }
    return a->flags & (IFA_F_TEMPORARY | IFA_F_STABLE_PRIVACY)
           || (protocol && *protocol == IFAPROT_KERNEL_LL)
           || !memcmp(a->local, reading->link_local, sizeof a->local);
}

static int
take_address(const struct nlmsghdr *message, void *reading_)
{
    struct reading *reading = reading_;
    const struct nlattr *attributes[IFA_MAX + 1];
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
    struct nwf_moved_address a = {.family = header->ifa_family,
                                  .prefix_len = header->ifa_prefixlen,
                                  .scope = header->ifa_scope};
    uint8_t address[16];

    if (message->nlmsg_type != RTM_NEWADDR
        || !nwf_netlink_parse(message, sizeof *header, attributes, IFA_MAX)
        || header->ifa_index != reading->index || !is_ip(a.family)
        || !take_bytes(attributes[IFA_ADDRESS], a.family, address)) {
        return 0;
    }
    if (!take_bytes(attributes[IFA_LOCAL], a.family, a.local)) {
        memcpy(a.local, address, sizeof a.local);
    }
    a.flags = take_u32(attributes[IFA_FLAGS], header->ifa_flags);
    const uint8_t *protocol = nwf_netlink_data(attributes[IFA_PROTO], sizeof *protocol);
    if ((protocol && *protocol == NWF_HOST_PROTOCOL)
        || is_of_kernel(reading, &a, attributes[IFA_PROTO])) {
        return 0;
    }
    a.has_peer = memcmp(a.local, address, nwf_ip_size(a.family)) != 0;
    memcpy(a.peer, address, nwf_ip_size(a.family));
    a.has_broadcast = take_bytes(attributes[IFA_BROADCAST], a.family, a.broadcast);
    a.flags &= FLAGS_KEPT;
    take_lifetimes(attributes[IFA_CACHEINFO], &a);
    nwf_vec_push(&reading->moved->addresses, a);
    return 0;
}

static bool
take_metrics(const struct nlattr *metrics, struct nwf_moved_route *r)
{
    const struct nlattr *metric;

    if (!metrics) {
        return true;
    }
    mnl_attr_for_each_nested(metric, metrics)
    {
        uint16_t type = mnl_attr_get_type(metric);
        if (!nwf_moved_has_metric(type)) {
            return false;
        }
        r->metrics[type] = take_u32(metric, 0);
    }
    return true;
}

/* False: it has something that is not read here. */
static bool
take_via(const struct nlattr *const *attributes, struct nwf_moved_route *r)
{
    const int family = r->to.family;
    const uint8_t *via = nwf_netlink_data(attributes[RTA_VIA], 2 + 16);

    if (via) {
        r->has_via = true;
        r->via = (struct nwf_address){.family = AF_INET6, .prefix_len = 128};
        memcpy(r->via.bytes, via + 2, 16);
    } else if (attributes[RTA_GATEWAY]) {
        r->via = (struct nwf_address){.family = family,
                                      .prefix_len = (uint8_t) (8 * nwf_ip_size(family))};
        r->has_via = take_bytes(attributes[RTA_GATEWAY], family, r->via.bytes);
    }
    return r->has_via == (attributes[RTA_VIA] || attributes[RTA_GATEWAY]);
}

static bool
take_details(const struct nlattr *const *attributes, struct nwf_moved_route *r)
{
    const int family = r->to.family;

    if (!take_via(attributes, r) || !take_metrics(attributes[RTA_METRICS], r)) {
        return false;
    }
    const uint8_t *preference = nwf_netlink_data(attributes[RTA_PREF], sizeof *preference);
    r->preference = preference ? *preference : 0;
    r->metric = take_u32(attributes[RTA_PRIORITY], 0);
    r->source =
        (struct nwf_address){.family = family, .prefix_len = (uint8_t) (8 * nwf_ip_size(family))};
    r->has_source = take_bytes(attributes[RTA_PREFSRC], family, r->source.bytes);
    return !attributes[RTA_MULTIPATH] && !attributes[RTA_ENCAP] && !attributes[RTA_SRC]
           && !attributes[RTA_FLOW] && !attributes[RTA_NH_ID];
}

/* Whether a route by several ways has the device among them. */
static bool
is_among(const struct nlattr *multipath, unsigned int index)
{
    const struct rtnexthop *hop = multipath ? mnl_attr_get_payload(multipath) : NULL;
    int left = multipath ? mnl_attr_get_payload_len(multipath) : 0;

    for (; left >= (int) sizeof *hop && hop->rtnh_len >= sizeof *hop && hop->rtnh_len <= left;
         left -= NLA_ALIGN(hop->rtnh_len),
         hop = (const void *) ((const char *) hop + NLA_ALIGN(hop->rtnh_len))) {
        if ((unsigned int) hop->rtnh_ifindex == index) {
            return true;
        }
    }
    return false;
}

/* Whether the route is one by the device that somebody has chosen, or a router. */
static bool
is_chosen(const struct reading *reading, const struct rtmsg *header,
          const struct nlattr *const *attributes)
{
    if (take_u32(attributes[RTA_OIF], 0) != reading->index
        && !is_among(attributes[RTA_MULTIPATH], reading->index)) {
        return false;
    }
    switch (header->rtm_protocol) {
    case RTPROT_KERNEL:
    case NWF_HOST_PROTOCOL:
        return false;
    case RTPROT_RA:
    case RTPROT_REDIRECT:
        return !reading->is_note;
    default:
        return !(header->rtm_flags & RTM_F_CLONED)
               && take_u32(attributes[RTA_TABLE], header->rtm_table) != RT_TABLE_LOCAL;
    }
}

static int
refuse_route(const struct reading *reading, const struct nwf_moved_route *route)
{
    char *text CLEANUP_FREE = nwf_moved_route_format(route);

    return reading->is_note
               ? 0
               : nwf_error_set(reading->err, -EOPNOTSUPP,
                               "%s has more to it than can be put onto another device", text);
}

static int
take_route(const struct nlmsghdr *message, void *reading_)
{
    struct reading *reading = reading_;
    const struct nlattr *attributes[RTA_MAX + 1];
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    struct nwf_moved_route r = {
        .to = {.family = header->rtm_family, .prefix_len = header->rtm_dst_len},
        .protocol = header->rtm_protocol,
        .scope = header->rtm_scope,
        .tos = header->rtm_tos,
        .onlink = header->rtm_flags & RTNH_F_ONLINK};

    if (message->nlmsg_type != RTM_NEWROUTE
        || !nwf_netlink_parse(message, sizeof *header, attributes, RTA_MAX) || !is_ip(r.to.family)
        || !is_chosen(reading, header, attributes)) {
        return 0;
    }
    r.table = take_u32(attributes[RTA_TABLE], header->rtm_table);
    bool has_to = !r.to.prefix_len || take_bytes(attributes[RTA_DST], r.to.family, r.to.bytes);
    if (!has_to || !take_details(attributes, &r) || header->rtm_type != RTN_UNICAST) {
        return refuse_route(reading, &r);
    }
    nwf_vec_push(&reading->moved->routes, r);
    return 0;
}

static int
dump(struct nwf_netlink *nl, struct reading *reading, uint16_t type, int family)
{
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, type, 0);
    struct rtmsg *route;
    struct ifaddrmsg *address;

    if (type == RTM_GETROUTE) {
        route = mnl_nlmsg_put_extra_header(request, sizeof *route);
        route->rtm_family = (uint8_t) family;
    } else {
        address = mnl_nlmsg_put_extra_header(request, sizeof *address);
        address->ifa_family = (uint8_t) family;
    }
    return nwf_netlink_dump(nl, request, type == RTM_GETROUTE ? take_route : take_address, reading,
                            reading->err);
}

/* A note is as long as it may be. */
static int
limit(const struct reading *reading)
{
    struct nwf_moved *moved = reading->moved;

    if (moved->addresses.n <= NWF_MOVED_MAX && moved->routes.n <= NWF_MOVED_MAX) {
        return 0;
    }
    moved->addresses.n = MIN(moved->addresses.n, NWF_MOVED_MAX);
    moved->routes.n = MIN(moved->routes.n, NWF_MOVED_MAX);
    return reading->is_note ? 0
                            : nwf_error_set(reading->err, -E2BIG,
                                            "more than %d addresses or routes", NWF_MOVED_MAX);
}

static int
read_all(const char *device, struct reading *reading)
{
    struct nwf_netlink nl CLEANUP(nwf_netlink_close) = {.socket = NULL};
    struct nwf_mac mac;
    int r = nwf_netlink_open(0, &nl, reading->err);

    if (!nwf_nic_own_mac(device, &mac)) {
        nwf_link_local(&mac, reading->link_local);
    }
    for (int i = 0; !r && i < 2; i++) {
        int family = i ? AF_INET6 : AF_INET;
        if (!(r = dump(&nl, reading, RTM_GETADDR, family))) {
            r = dump(&nl, reading, RTM_GETROUTE, family);
        }
    }
    return r ? r : limit(reading);
}

static int
read_device(const char *device, bool is_note, struct nwf_moved *ret, struct nwf_error *err)
{
    struct reading reading = {.is_note = is_note, .moved = ret, .err = err};
    int r;

    memset(ret, 0, sizeof *ret);
    if (!(reading.index = if_nametoindex(device))) {
        return nwf_error_set(err, -ENODEV, "%s: there is no such device", device);
    }
    if ((r = read_all(device, &reading))) {
        nwf_moved_clear(ret);
        nwf_error_wrap(err, "%s", device);
    }
    return r;
}

int
nwf_moved_read(const char *device, struct nwf_moved *ret, struct nwf_error *err)
{
    return read_device(device, false, ret, err);
}

int
nwf_moved_note(const char *device, struct nwf_moved *ret, struct nwf_error *err)
{
    return read_device(device, true, ret, err);
}
