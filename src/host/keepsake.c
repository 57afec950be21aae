/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands on a device; see nwf/keepsake.h.
 *
 * It is kept as the kernel has told it, message by message, and given back as it was told.  What
 * the kernel makes itself comes back by itself, and what bears our number is made by others of us
 * (host.c): both are left out. */
#include <config.h>

#include "nwf/keepsake.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <string.h>

#include "netlink.h"
#include "nwf/host.h"
#include "nwf/text.h"
#include "openvswitch/poll-loop.h"

#include "lib/timeval.h"

/* Addresses and routes that are kept. */
#define ENTRIES_MAX 4096

/* How long nothing has changed before what is there is taken for what is meant to be there:
 * changes of the device itself come with others a moment before. */
#define CALM_MS 1000

#define ADDRESS_MAX IFA_PROTO
#define ROUTE_MAX RTA_EXPIRES

struct device {
    int index; /* 0: it is not there. */
    bool up;
    struct nwf_mac mac;
};

struct messages {
    struct nlmsghdr **data;
    size_t n, allocated;
};

/* An address that the host has on another device. */
struct elsewhere {
    int family;
    uint8_t bytes[16];
};

struct elsewheres {
    struct elsewhere *data;
    size_t n, allocated;
};

struct nwf_keepsake {
    char name[IFNAMSIZ];
    struct nwf_netlink requests, monitor;
    struct device now, then; /* The device; and when its state was noted. */
    bool is_noted;
    bool is_disturbed; /* It was another, or had another address, since then. */
    bool is_stale;     /* Something on it has changed since then, */
    long long int changed_at;
    struct messages addresses, routes;
    struct elsewheres elsewhere; /* When that was noted. */
};

static void
messages_clear(struct messages *messages)
{
    nwf_vec_foreach (message, messages) {
        free(*message);
    }
    nwf_vec_clear(messages);
}

/* ---- Reading. ---- */

static void
take_device(struct device *device, const struct nlmsghdr *message)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[IFLA_ADDRESS + 1];
    const void *mac;

    if (!nwf_netlink_parse(message, sizeof *info, attributes, IFLA_ADDRESS)) {
        return;
    }
    device->index = info->ifi_index;
    device->up = info->ifi_flags & IFF_UP;
    memset(&device->mac, 0, sizeof device->mac);
    if ((mac = nwf_netlink_data(attributes[IFLA_ADDRESS], sizeof device->mac))) {
        memcpy(&device->mac, mac, sizeof device->mac);
    }
}

static int
read_device_message(const struct nlmsghdr *message, void *device)
{
    if (message->nlmsg_type == RTM_NEWLINK) {
        take_device(device, message);
    }
    return 0;
}

/* One that is not there has no index. */
static int
read_device(struct nwf_keepsake *k, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETLINK, 0);
    struct device device = {.index = 0};

    mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request, IFLA_IFNAME, k->name);
    int r = nwf_netlink_ask(&k->requests, request, read_device_message, &device, err);
    if (r == -ENODEV) {
        nwf_error_clear(err);
        r = 0;
    }
    if (!r) {
        k->now = device;
    }
    return r;
}

static void
keep(struct messages *list, const struct nlmsghdr *message)
{
    if (list->n < ENTRIES_MAX) {
        nwf_vec_push(list, nwf_memdup(message, message->nlmsg_len));
    }
}

static uint32_t
number(const struct nlattr *attribute)
{
    const uint32_t *value = nwf_netlink_data(attribute, sizeof *value);
    uint32_t copy = 0;

    if (value) {
        memcpy(&copy, value, sizeof copy);
    }
    return copy;
}

/* Whether the kernel has made the address, and does so again: a temporary one, or the link-local
 * one of the device's Ethernet address. */
static bool
is_of_kernel(const struct nwf_keepsake *k, const struct ifaddrmsg *info,
             const struct nlattr *const *attributes)
{
    uint32_t flags = attributes[IFA_FLAGS] ? number(attributes[IFA_FLAGS]) : info->ifa_flags;
    const uint8_t *protocol = nwf_netlink_data(attributes[IFA_PROTO], 1);
    const uint8_t *address = nwf_netlink_data(attributes[IFA_ADDRESS], 16);
    uint8_t link_local[16];

    if (info->ifa_family != AF_INET6) {
        return false;
    }
    nwf_link_local(&k->now.mac, link_local);
    return flags & IFA_F_TEMPORARY || (protocol && *protocol == IFAPROT_KERNEL_LL)
           || (address && !memcmp(address, link_local, sizeof link_local));
}

static int
take_address(const struct nlmsghdr *message, void *keepsake_)
{
    struct nwf_keepsake *k = keepsake_;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[ADDRESS_MAX + 1];

    if (message->nlmsg_type != RTM_NEWADDR
        || !nwf_netlink_parse(message, sizeof *info, attributes, ADDRESS_MAX)
        || (int) info->ifa_index != k->now.index) {
        return 0;
    }
    const uint8_t *protocol = nwf_netlink_data(attributes[IFA_PROTO], 1);
    if (!is_of_kernel(k, info, attributes) && (!protocol || *protocol != NWF_HOST_PROTOCOL)) {
        keep(&k->addresses, message);
    }
    return 0;
}

/* Routes of somebody's choice, by this device alone. */
static int
take_route(const struct nlmsghdr *message, void *keepsake_)
{
    struct nwf_keepsake *k = keepsake_;
    const struct rtmsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[ROUTE_MAX + 1];

    if (message->nlmsg_type != RTM_NEWROUTE
        || !nwf_netlink_parse(message, sizeof *info, attributes, ROUTE_MAX)
        || (int) number(attributes[RTA_OIF]) != k->now.index || info->rtm_flags & RTM_F_CLONED
        || info->rtm_type != RTN_UNICAST) {
        return 0;
    }
    switch (info->rtm_protocol) {
    case RTPROT_KERNEL:
    case RTPROT_REDIRECT:
    case RTPROT_RA:
    case NWF_HOST_PROTOCOL:
        return 0;
    default:
        keep(&k->routes, message);
        return 0;
    }
}

static int
dump_addresses(struct nwf_keepsake *k, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETADDR, NLM_F_DUMP);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof *info);

    info->ifa_index = (unsigned int) k->now.index;
    return nwf_netlink_dump(&k->requests, request, take_address, k, err);
}

static int
dump_routes(struct nwf_keepsake *k, uint8_t family, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(request, sizeof *info);

    info->rtm_family = family;
    mnl_attr_put_u32(request, RTA_OIF, (uint32_t) k->now.index);
    return nwf_netlink_dump(&k->requests, request, take_route, k, err);
}

struct elsewhere_dump {
    int index;
    struct elsewheres *list;
};

static bool
read_elsewhere(const struct nlmsghdr *message, struct elsewhere *ret)
{
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[ADDRESS_MAX + 1];
    const size_t size = info->ifa_family == AF_INET ? 4 : 16;

    if (!nwf_netlink_parse(message, sizeof *info, attributes, ADDRESS_MAX)) {
        return false;
    }
    const void *bytes = nwf_netlink_data(
        attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS], size);
    *ret = (struct elsewhere){.family = info->ifa_family};
    if (bytes) {
        memcpy(ret->bytes, bytes, size);
    }
    return bytes != NULL;
}

static int
take_elsewhere(const struct nlmsghdr *message, void *dump_)
{
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
    struct elsewhere_dump *dump = dump_;
    struct elsewhere found;

    if (message->nlmsg_type == RTM_NEWADDR && read_elsewhere(message, &found)
        && (int) info->ifa_index != dump->index && dump->list->n < ENTRIES_MAX) {
        nwf_vec_push(dump->list, found);
    }
    return 0;
}

static int
dump_elsewhere(struct nwf_keepsake *k, struct elsewheres *ret, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETADDR, NLM_F_DUMP);
    struct elsewhere_dump dump = {.index = k->now.index, .list = ret};

    mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
    return nwf_netlink_dump(&k->requests, request, take_elsewhere, &dump, err);
}

static bool
is_among(const struct elsewheres *list, const struct elsewhere *wanted)
{
    nwf_vec_foreach (item, list) {
        if (item->family == wanted->family
            && !memcmp(item->bytes, wanted->bytes, sizeof item->bytes)) {
            return true;
        }
    }
    return false;
}

/* ---- Noting. ---- */

static int
take_all(struct nwf_keepsake *k, struct nwf_error *err)
{
    int r;

    messages_clear(&k->addresses);
    messages_clear(&k->routes);
    nwf_vec_clear(&k->elsewhere);
    if ((r = dump_addresses(k, err)) || (r = dump_elsewhere(k, &k->elsewhere, err))
        || (r = dump_routes(k, AF_INET, err)) || (r = dump_routes(k, AF_INET6, err))) {
        messages_clear(&k->addresses);
        messages_clear(&k->routes);
    }
    return r;
}

static int
take(struct nwf_keepsake *k, struct nwf_error *err)
{
    int r = read_device(k, err);

    if (r || !k->now.index || !k->now.up) {
        return r;
    }
    k->is_noted = k->is_disturbed = k->is_stale = false;
    if ((r = take_all(k, err))) {
        return r;
    }
    k->then = k->now;
    k->is_noted = true;
    return 0;
}

int
nwf_keepsake_take(struct nwf_keepsake *k, struct nwf_error *err)
{
    return k->is_noted ? 0 : take(k, err);
}

/* ---- Putting back. ---- */

/* A request for what a message has told; other attributes are as they were.  Nobody else has got
 * the address meanwhile: it is used at once. */
static struct nlmsghdr *
new_request(const struct nwf_keepsake *k, const struct nlmsghdr *message)
{
    char *buffer = nwf_zalloc(message->nlmsg_len + NWF_NETLINK_REQUEST);
    bool is_address = message->nlmsg_type == RTM_NEWADDR;
    struct nlmsghdr *request =
        nwf_netlink_begin(buffer, message->nlmsg_type, NLM_F_CREATE | NLM_F_EXCL);
    size_t size = is_address ? sizeof(struct ifaddrmsg) : sizeof(struct rtmsg);
    void *header = mnl_nlmsg_put_extra_header(request, size);
    uint32_t flags = 0;
    const struct nlattr *attribute;

    memcpy(header, mnl_nlmsg_get_payload(message), size);
    mnl_attr_for_each(attribute, message, (unsigned int) size)
    {
        uint16_t type = mnl_attr_get_type(attribute);
        if (is_address && type == IFA_FLAGS) {
            flags = number(attribute);
        } else if (is_address || (type != RTA_OIF && type != RTA_CACHEINFO)) {
            mnl_attr_put(request, attribute->nla_type, mnl_attr_get_payload_len(attribute),
                         mnl_attr_get_payload(attribute));
        }
    }
    if (is_address) {
        struct ifaddrmsg *info = header;
        flags &= ~(uint32_t) (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_SECONDARY);
        flags |= info->ifa_family == AF_INET6 ? IFA_F_NODAD : 0;
        info->ifa_index = (unsigned int) k->now.index;
        info->ifa_flags = (uint8_t) flags;
        mnl_attr_put_u32(request, IFA_FLAGS, flags);
    } else {
        struct rtmsg *info = header;
        info->rtm_flags &= RTNH_F_ONLINK;
        mnl_attr_put_u32(request, RTA_OIF, (uint32_t) k->now.index);
    }
    return request;
}

static int
put_message(struct nwf_keepsake *k, const struct nlmsghdr *message, struct nwf_error *err)
{
    struct nlmsghdr *request CLEANUP_FREE = new_request(k, message);
    int r = nwf_netlink_ask(&k->requests, request, NULL, NULL, err);

    if (r == -EEXIST) {
        nwf_error_clear(err);
        return 0;
    }
    return r;
}

static bool
has_gateway(const struct nlmsghdr *message)
{
    const struct nlattr *attributes[ROUTE_MAX + 1];

    return nwf_netlink_parse(message, sizeof(struct rtmsg), attributes, ROUTE_MAX)
           && (attributes[RTA_GATEWAY] || attributes[RTA_VIA]);
}

/* Whether somebody has put the address onto another device since it was noted. */
static bool
has_moved(const struct nwf_keepsake *k, const struct elsewheres *now,
          const struct nlmsghdr *message)
{
    struct elsewhere address;

    return read_elsewhere(message, &address) && is_among(now, &address)
           && !is_among(&k->elsewhere, &address);
}

static int
put_addresses(struct nwf_keepsake *k, struct nwf_error *err)
{
    struct elsewheres now = {.data = NULL};
    int result = dump_elsewhere(k, &now, err);

    nwf_vec_foreach (message, &k->addresses) {
        if (!has_moved(k, &now, *message)) {
            int r = put_message(k, *message, result ? NULL : err);
            result = result ? result : r;
        }
    }
    nwf_vec_clear(&now);
    return result;
}

/* Gateways are reached by the routes that come first. */
static int
put_all(struct nwf_keepsake *k, struct nwf_error *err)
{
    int r, result = put_addresses(k, err);

    for (int by_gateway = 0; by_gateway < 2; by_gateway++) {
        nwf_vec_foreach (message, &k->routes) {
            if (has_gateway(*message) == by_gateway) {
                r = put_message(k, *message, result ? NULL : err);
                result = result ? result : r;
            }
        }
    }
    return result;
}

/* A new device is down. */
static int
bring_up(struct nwf_keepsake *k, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof *info);

    info->ifi_index = k->now.index;
    info->ifi_flags = info->ifi_change = IFF_UP;
    return nwf_netlink_ask(&k->requests, request, NULL, NULL, err);
}

int
nwf_keepsake_put_back(struct nwf_keepsake *k, struct nwf_error *err)
{
    int r = read_device(k, err);

    if (r || !k->is_noted || !k->now.index) {
        return r;
    }
    if (!k->now.up && (r = bring_up(k, err))) {
        return r;
    }
    r = put_all(k, err);
    if (r) {
        nwf_error_wrap(err, "putting back what stood on %s", k->name);
    }
    k->then = k->now;
    k->is_disturbed = false;
    k->is_stale = true;
    k->changed_at = time_msec();
    return r;
}

/* ---- Looking on. ---- */

static bool
is_same_device(const struct device *a, const struct device *b)
{
    return a->index == b->index && !memcmp(&a->mac, &b->mac, sizeof a->mac);
}

static bool
is_about(const struct nwf_keepsake *k, const struct nlmsghdr *message)
{
    const struct nlattr *attributes[ROUTE_MAX + 1];

    if (message->nlmsg_type == RTM_NEWADDR || message->nlmsg_type == RTM_DELADDR) {
        const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
        return nwf_netlink_parse(message, sizeof *info, attributes, 0)
               && (int) info->ifa_index == k->now.index;
    }
    return (message->nlmsg_type == RTM_NEWROUTE || message->nlmsg_type == RTM_DELROUTE)
           && nwf_netlink_parse(message, sizeof(struct rtmsg), attributes, ROUTE_MAX)
           && (int) number(attributes[RTA_OIF]) == k->now.index;
}

static bool
is_link_of(const struct nwf_keepsake *k, const struct nlmsghdr *message)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[IFLA_IFNAME + 1];

    if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
        || !nwf_netlink_parse(message, sizeof *info, attributes, IFLA_IFNAME)) {
        return false;
    }
    const struct nlattr *name = attributes[IFLA_IFNAME];
    return info->ifi_index == k->now.index
           || (name && mnl_attr_validate(name, MNL_TYPE_NUL_STRING) >= 0
               && !strcmp(mnl_attr_get_str(name), k->name));
}

static int
take_notification(const struct nlmsghdr *message, void *keepsake_)
{
    struct nwf_keepsake *k = keepsake_;

    if (is_link_of(k, message)) {
        if (message->nlmsg_type == RTM_DELLINK) {
            k->now = (struct device){.index = 0};
        } else {
            take_device(&k->now, message);
        }
        k->is_disturbed |= k->is_noted && !is_same_device(&k->now, &k->then);
    } else if (is_about(k, message)) {
        k->is_stale = true;
        k->changed_at = time_msec();
    }
    return 0;
}

int
nwf_keepsake_run(struct nwf_keepsake *k, const struct nwf_mac *mac, bool *ret_put_back,
                 struct nwf_error *err)
{
    int r = nwf_netlink_listen(&k->monitor, take_notification, k);

    *ret_put_back = false;
    if (r == -ENOBUFS) {
        k->is_stale = true;
        k->changed_at = time_msec();
        if ((r = read_device(k, err))) {
            return r;
        }
        k->is_disturbed |= k->is_noted && !is_same_device(&k->now, &k->then);
    } else if (r) {
        return nwf_error_set(err, r, "rtnetlink: notifications: %s", strerror(-r));
    }
    if (!k->now.index || memcmp(&k->now.mac, mac, sizeof *mac)) {
        return 0;
    }
    if (k->is_disturbed && (k->now.up || k->now.index != k->then.index)) {
        *ret_put_back = true;
        return nwf_keepsake_put_back(k, err);
    }
    return !k->is_disturbed && (k->is_stale || !k->is_noted)
                   && time_msec() >= k->changed_at + CALM_MS
               ? take(k, err)
               : 0;
}

void
nwf_keepsake_wait(const struct nwf_keepsake *k)
{
    poll_fd_wait(nwf_netlink_fd(&k->monitor), POLLIN);
    if (k->is_stale && k->now.up) {
        poll_timer_wait_until(k->changed_at + CALM_MS);
    }
}

/* ---- Life. ---- */

int
nwf_keepsake_open(const char *device, struct nwf_keepsake **ret, struct nwf_error *err)
{
    const unsigned int groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE
                                | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;
    struct nwf_keepsake *k CLEANUP(nwf_keepsake_cleanup) = nwf_zalloc(sizeof *k);
    int r;

    if (strlen(device) >= sizeof k->name) {
        return nwf_error_set(err, -ENODEV, "%.80s: no device can have this name", device);
    }
    strcpy(k->name, device);
    if ((r = nwf_netlink_open(groups, &k->monitor, err))
        || (r = nwf_netlink_open(0, &k->requests, err)) || (r = read_device(k, err))) {
        return r;
    }
    *ret = TAKE_PTR(k);
    return 0;
}

void
nwf_keepsake_close(struct nwf_keepsake *k)
{
    messages_clear(&k->addresses);
    messages_clear(&k->routes);
    nwf_vec_clear(&k->elsewhere);
    nwf_netlink_close(&k->requests);
    nwf_netlink_close(&k->monitor);
    free(k);
}
