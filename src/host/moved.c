/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses and routes that are put onto a device, or taken off; see nwf/moved.h. */
#include <config.h>

#include "nwf/moved.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <string.h>

#include "netlink.h"
#include "nwf/cleanup.h"
#include "nwf/text.h"

static int
find_device(const char *device, unsigned int *ret_index, struct nwf_error *err)
{
    *ret_index = if_nametoindex(device);
    return *ret_index ? 0 : nwf_error_set(err, -ENODEV, "%s: there is no such device", device);
}

static void
put_bytes(struct nlmsghdr *request, uint16_t type, int family, const uint8_t *bytes)
{
    mnl_attr_put(request, type, nwf_ip_size(family), bytes);
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

/* What does not tell one route from another. */
static void
put_details(struct nlmsghdr *request, const struct nwf_moved_route *r)
{
    if (r->has_source) {
        put_bytes(request, RTA_PREFSRC, r->source.family, r->source.bytes);
    }
    if (r->preference) {
        mnl_attr_put_u8(request, RTA_PREF, (uint8_t) r->preference);
    }
    struct nlattr *metrics = mnl_attr_nest_start(request, RTA_METRICS);
    for (uint16_t type = 0; type <= RTAX_MAX; type++) {
        if (r->metrics[type]) {
            mnl_attr_put_u32(request, type, r->metrics[type]);
        }
    }
    mnl_attr_nest_end(request, metrics);
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
    header->rtm_tos = (uint8_t) r->tos;
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
    if (type == RTM_NEWROUTE) {
        put_details(request, r);
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
