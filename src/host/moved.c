/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses and routes that go from one device to another; see nwf/moved.h. */
#include <config.h>

#include "nwf/moved.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "netlink.h"
#include "nwf/cleanup.h"
#include "nwf/host.h"
#include "nwf/text.h"

#include "lib/util.h"

/* What an administrator asks for; the kernel sets the others itself. */
#define FLAGS_KEPT                                                                                 \
    (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE                  \
     | IFA_F_MCAUTOJOIN)

static size_t
size_of(int family)
{
    return family == AF_INET ? 4 : 16;
}

static bool
is_ip(int family)
{
    return family == AF_INET || family == AF_INET6;
}

static bool
take_bytes(const struct nlattr *attribute, int family, uint8_t ret[16])
{
    const void *data = nwf_netlink_data(attribute, size_of(family));

    if (data) {
        memcpy(ret, data, size_of(family));
    }
    return data != NULL;
}

static uint32_t
take_u32(const struct nlattr *attribute, uint32_t otherwise)
{
    const uint32_t *data = nwf_netlink_data(attribute, sizeof *data);

    return data ? *data : otherwise;
}

/* ---- Reading. ---- */

struct reading {
    unsigned int index;
    struct nwf_moved *moved;
    struct nwf_error *err;
};

static int
find_device(const char *device, unsigned int *ret_index, struct nwf_error *err)
{
    *ret_index = if_nametoindex(device);
    return *ret_index ? 0 : nwf_error_set(err, -ENODEV, "%s: there is no such device", device);
}

static void
take_lifetimes(const struct nlattr *attribute, struct nwf_moved_address *a)
{
    const struct ifa_cacheinfo *info = nwf_netlink_data(attribute, sizeof *info);

    a->valid = info ? info->ifa_valid : UINT32_MAX;
    a->preferred = info ? info->ifa_prefered : UINT32_MAX;
}

/* Link-local ones of IPv6 belong to the device. */
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
        || (a.family == AF_INET6 && a.scope == RT_SCOPE_LINK)
        || !take_bytes(attributes[IFA_ADDRESS], a.family, address)) {
        return 0;
    }
    const uint8_t *protocol = nwf_netlink_data(attributes[IFA_PROTO], sizeof *protocol);
    uint32_t flags = take_u32(attributes[IFA_FLAGS], header->ifa_flags);
    bool is_temporary = a.family == AF_INET6 && flags & IFA_F_TEMPORARY; /* Of privacy. */
    if ((protocol && *protocol == NWF_HOST_PROTOCOL) || is_temporary) {
        return 0;
    }
    if (!take_bytes(attributes[IFA_LOCAL], a.family, a.local)) {
        memcpy(a.local, address, sizeof a.local);
    }
    a.has_peer = memcmp(a.local, address, size_of(a.family)) != 0;
    memcpy(a.peer, address, size_of(a.family));
    a.has_broadcast = take_bytes(attributes[IFA_BROADCAST], a.family, a.broadcast);
    a.flags = flags & FLAGS_KEPT;
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
        if (mnl_attr_get_type(metric) != RTAX_MTU) {
            return false;
        }
        r->mtu = take_u32(metric, 0);
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
        r->via =
            (struct nwf_address){.family = family, .prefix_len = (uint8_t) (8 * size_of(family))};
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
    r->metric = take_u32(attributes[RTA_PRIORITY], 0);
    r->source =
        (struct nwf_address){.family = family, .prefix_len = (uint8_t) (8 * size_of(family))};
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
        .onlink = header->rtm_flags & RTNH_F_ONLINK};

    if (message->nlmsg_type != RTM_NEWROUTE
        || !nwf_netlink_parse(message, sizeof *header, attributes, RTA_MAX) || !is_ip(r.to.family)
        || header->rtm_flags & RTM_F_CLONED || header->rtm_protocol == RTPROT_KERNEL
        || header->rtm_protocol == NWF_HOST_PROTOCOL
        || (take_u32(attributes[RTA_OIF], 0) != reading->index
            && !is_among(attributes[RTA_MULTIPATH], reading->index))) {
        return 0;
    }
    r.table = take_u32(attributes[RTA_TABLE], header->rtm_table);
    if (r.table == RT_TABLE_LOCAL) {
        return 0;
    }
    bool has_to = !r.to.prefix_len || take_bytes(attributes[RTA_DST], r.to.family, r.to.bytes);
    if (!has_to || !take_details(attributes, &r) || header->rtm_type != RTN_UNICAST
        || header->rtm_tos) {
        char *text CLEANUP_FREE = nwf_moved_route_format(&r);
        return nwf_error_set(reading->err, -EOPNOTSUPP,
                             "%s has more to it than can be put onto another device", text);
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

static bool
is_too_much(const struct nwf_moved *moved)
{
    return moved->addresses.n > NWF_MOVED_MAX || moved->routes.n > NWF_MOVED_MAX;
}

int
nwf_moved_read(const char *device, struct nwf_moved *ret, struct nwf_error *err)
{
    struct nwf_netlink nl CLEANUP(nwf_netlink_close) = {.socket = NULL};
    struct reading reading = {.moved = ret, .err = err};
    int r = find_device(device, &reading.index, err);

    memset(ret, 0, sizeof *ret);
    if (r || (r = nwf_netlink_open(0, &nl, err))) {
        return r;
    }
    for (int i = 0; !r && i < 2; i++) {
        int family = i ? AF_INET6 : AF_INET;
        r = dump(&nl, &reading, RTM_GETADDR, family);
        r = r ? r : dump(&nl, &reading, RTM_GETROUTE, family);
    }
    if (!r && is_too_much(ret)) {
        r = nwf_error_set(err, -E2BIG, "more than %d addresses or routes", NWF_MOVED_MAX);
    }
    if (r) {
        nwf_moved_clear(ret);
        nwf_error_wrap(err, "%s", device);
    }
    return r;
}

/* ---- Writing. ---- */

static void
put_bytes(struct nlmsghdr *request, uint16_t type, int family, const uint8_t *bytes)
{
    mnl_attr_put(request, type, size_of(family), bytes);
}

/* Its uniqueness was found out on the device where it was; a second look would make it unusable
 * for a second. */
static struct nlmsghdr *
begin_address(char *buffer, uint16_t type, const struct nwf_moved_address *a, unsigned int index)
{
    struct nlmsghdr *request =
        nwf_netlink_begin(buffer, type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);
    const struct ifa_cacheinfo lifetimes = {.ifa_prefered = a->preferred, .ifa_valid = a->valid};

    header->ifa_family = (uint8_t) a->family;
    header->ifa_prefixlen = a->prefix_len;
    header->ifa_scope = (uint8_t) a->scope;
    header->ifa_index = index;
    put_bytes(request, IFA_LOCAL, a->family, a->local);
    put_bytes(request, IFA_ADDRESS, a->family, a->has_peer ? a->peer : a->local);
    if (type == RTM_NEWADDR) {
        if (a->has_broadcast) {
            put_bytes(request, IFA_BROADCAST, a->family, a->broadcast);
        }
        mnl_attr_put_u32(request, IFA_FLAGS, a->flags | (a->family == AF_INET6 ? IFA_F_NODAD : 0));
        mnl_attr_put(request, IFA_CACHEINFO, sizeof lifetimes, &lifetimes);
    }
    return request;
}

static void
put_via(struct nlmsghdr *request, const struct nwf_moved_route *r)
{
    struct {
        uint16_t family;
        uint8_t bytes[16];
    } via = {.family = AF_INET6};

    if (r->via.family == r->to.family) {
        put_bytes(request, RTA_GATEWAY, r->via.family, r->via.bytes);
    } else {
        memcpy(via.bytes, r->via.bytes, sizeof via.bytes);
        mnl_attr_put(request, RTA_VIA, sizeof via, &via);
    }
}

static struct nlmsghdr *
begin_route(char *buffer, uint16_t type, const struct nwf_moved_route *r, unsigned int index)
{
    struct nlmsghdr *request =
        nwf_netlink_begin(buffer, type, type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);

    header->rtm_family = (uint8_t) r->to.family;
    header->rtm_dst_len = r->to.prefix_len;
    header->rtm_table = r->table < 256 ? (uint8_t) r->table : RT_TABLE_UNSPEC;
    header->rtm_protocol = (uint8_t) r->protocol;
    header->rtm_scope = (uint8_t) r->scope;
    header->rtm_type = RTN_UNICAST;
    header->rtm_flags = r->onlink ? RTNH_F_ONLINK : 0;
    mnl_attr_put_u32(request, RTA_TABLE, r->table);
    if (r->to.prefix_len) {
        put_bytes(request, RTA_DST, r->to.family, r->to.bytes);
    }
    mnl_attr_put_u32(request, RTA_OIF, index);
    if (r->has_via) {
        put_via(request, r);
    }
    if (r->metric) {
        mnl_attr_put_u32(request, RTA_PRIORITY, r->metric);
    }
    if (type == RTM_NEWROUTE && r->has_source) {
        put_bytes(request, RTA_PREFSRC, r->source.family, r->source.bytes);
    }
    if (type == RTM_NEWROUTE && r->mtu) {
        struct nlattr *metrics = mnl_attr_nest_start(request, RTA_METRICS);
        mnl_attr_put_u32(request, RTAX_MTU, r->mtu);
        mnl_attr_nest_end(request, metrics);
    }
    return request;
}

/* A run of requests, of which the first error is kept. */
struct run {
    struct nwf_netlink nl;
    unsigned int index;
    const char *device;
    int first;
    struct nwf_error *err;
};

static void
ask(struct run *run, struct nlmsghdr *request, char *what)
{
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_netlink_ask(&run->nl, request, NULL, NULL, &err);
    const bool makes = request->nlmsg_type == RTM_NEWADDR || request->nlmsg_type == RTM_NEWROUTE;
    bool is_done =
        makes ? r == -EEXIST : r == -EADDRNOTAVAIL || r == -ESRCH || r == -ENOENT || r == -ENODEV;

    if (r && !is_done && !run->first) {
        run->first =
            nwf_error_set(run->err, r, "%s: %s: %s", run->device, what, nwf_error_text(&err));
    }
    nwf_error_clear(&err);
    free(what);
}

static int
begin_run(struct run *run, const char *device, struct nwf_error *err)
{
    *run = (struct run){.device = device, .err = err};
    int r = find_device(device, &run->index, err);

    return r ? r : nwf_netlink_open(0, &run->nl, err);
}

/* Gateways come behind what leads to them. */
static void
put_routes(struct run *run, const struct nwf_moved *moved, bool has_via)
{
    char buffer[NWF_NETLINK_REQUEST] = {0};

    nwf_vec_foreach (route, &moved->routes) {
        if (route->has_via == has_via) {
            ask(run, begin_route(buffer, RTM_NEWROUTE, route, run->index),
                nwf_moved_route_format(route));
        }
    }
}

static void
put_address(struct run *run, const struct nwf_moved_address *address)
{
    char buffer[NWF_NETLINK_REQUEST] = {0};

    ask(run, begin_address(buffer, RTM_NEWADDR, address, run->index),
        nwf_moved_address_format(address));
}

/* As they were read: the kernel lists IPv6's addresses with the newest first, and IPv4's with the
 * oldest. */
static void
put_addresses(struct run *run, const struct nwf_moved *moved)
{
    nwf_vec_foreach (address, &moved->addresses) {
        if (address->family == AF_INET) {
            put_address(run, address);
        }
    }
    for (size_t i = moved->addresses.n; i-- > 0;) {
        if (moved->addresses.data[i].family == AF_INET6) {
            put_address(run, &moved->addresses.data[i]);
        }
    }
}

int
nwf_moved_put(const char *device, const struct nwf_moved *moved, struct nwf_error *err)
{
    struct run run;
    int r = begin_run(&run, device, err);

    if (r) {
        return r;
    }
    put_addresses(&run, moved);
    put_routes(&run, moved, false);
    put_routes(&run, moved, true);
    nwf_netlink_close(&run.nl);
    return run.first;
}

int
nwf_moved_take(const char *device, const struct nwf_moved *moved, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct run run;
    int r = begin_run(&run, device, err);

    if (r) {
        return r;
    }
    nwf_vec_foreach (route, &moved->routes) {
        ask(&run, begin_route(buffer, RTM_DELROUTE, route, run.index),
            nwf_moved_route_format(route));
    }
    for (size_t i = moved->addresses.n; i-- > 0;) {
        const struct nwf_moved_address *address = &moved->addresses.data[i];
        ask(&run, begin_address(buffer, RTM_DELADDR, address, run.index),
            nwf_moved_address_format(address));
    }
    nwf_netlink_close(&run.nl);
    return run.first;
}

int
nwf_device_set_up(const char *device, bool up, struct nwf_error *err)
{
    struct nwf_netlink nl CLEANUP(nwf_netlink_close) = {.socket = NULL};
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);
    unsigned int index;
    int r = find_device(device, &index, err);

    header->ifi_index = (int) index;
    header->ifi_change = IFF_UP;
    header->ifi_flags = up ? IFF_UP : 0;
    if (r || (r = nwf_netlink_open(0, &nl, err))) {
        return r;
    }
    if ((r = nwf_netlink_ask(&nl, request, NULL, NULL, err))) {
        nwf_error_wrap(err, "%s: setting it %s", device, up ? "up" : "down");
    }
    return r;
}

struct flags {
    bool up;
};

static int
take_flags(const struct nlmsghdr *message, void *flags_)
{
    struct flags *flags = flags_;
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);

    flags->up = header->ifi_flags & IFF_UP;
    return 0;
}

bool
nwf_device_is_up(const char *device)
{
    struct nwf_netlink nl CLEANUP(nwf_netlink_close) = {.socket = NULL};
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETLINK, 0);
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);
    struct flags flags = {.up = false};

    header->ifi_index = (int) if_nametoindex(device);
    return header->ifi_index && !nwf_netlink_open(0, &nl, NULL)
           && !nwf_netlink_ask(&nl, request, take_flags, &flags, NULL) && flags.up;
}
