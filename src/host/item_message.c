/* SPDX-License-Identifier: Apache-2.0
 *
 * Items into rtnetlink's messages, and back; see item.h and rtnetlink(7). */
#include <config.h>

#include <errno.h>
#include <net/if.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <string.h>

#include "item.h"

/* Where several routes to a guest are there, ours is the one that counts. */
#define ROUTE_METRIC_6 1

/* Link-local addresses have their subnet with them. */
#define LINK_LOCAL_PREFIX 64

static bool
is_link_local(const struct nwf_address *address)
{
    return address->family == AF_INET6 && address->bytes[0] == 0xfe
           && (address->bytes[1] & 0xc0) == 0x80;
}

static void
put_address(struct nlmsghdr *request, uint16_t type, const struct nwf_address *address)
{
    mnl_attr_put(request, type, nwf_ip_size(address->family), address->bytes);
}

/* ---- Requests. ---- */

static struct nlmsghdr *
begin_link(char *buffer, int index)
{
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(request, sizeof *link);

    link->ifi_index = index;
    link->ifi_flags = link->ifi_change = IFF_UP;
    return request;
}

/* Duplicates are not looked for: all bridges of the host have the same gateway address, and guests
 * may want it at once. */
static struct nlmsghdr *
begin_address(char *buffer, uint16_t type, uint16_t flags, const struct nwf_host_item *item,
              int index)
{
    struct nlmsghdr *request = nwf_netlink_begin(buffer, type, flags);
    struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);

    header->ifa_family = (uint8_t) item->address.family;
    header->ifa_prefixlen =
        is_link_local(&item->address) ? LINK_LOCAL_PREFIX : item->address.prefix_len;
    header->ifa_scope = is_link_local(&item->address) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    header->ifa_index = (unsigned int) index;
    put_address(request, IFA_LOCAL, &item->address);
    put_address(request, IFA_ADDRESS, &item->address);
    if (type == RTM_NEWADDR) {
        mnl_attr_put_u8(request, IFA_PROTO, NWF_HOST_PROTOCOL);
        mnl_attr_put_u32(request, IFA_FLAGS, item->address.family == AF_INET6 ? IFA_F_NODAD : 0);
    }
    return request;
}

static struct nlmsghdr *
begin_neighbour(char *buffer, uint16_t type, uint16_t flags, const struct nwf_host_item *item,
                int index)
{
    struct nlmsghdr *request = nwf_netlink_begin(buffer, type, flags);
    struct ndmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);

    header->ndm_family = (uint8_t) item->address.family;
    header->ndm_ifindex = index;
    header->ndm_flags = item->kind == NWF_HOST_PROXY ? NTF_PROXY : 0;
    put_address(request, NDA_DST, &item->address);
    if (type == RTM_NEWNEIGH) {
        mnl_attr_put_u8(request, NDA_PROTOCOL, NWF_HOST_PROTOCOL);
        if (item->kind == NWF_HOST_NEIGHBOUR) {
            header->ndm_state = NUD_PERMANENT;
            mnl_attr_put(request, NDA_LLADDR, sizeof item->mac, &item->mac);
        }
    }
    return request;
}

static void
put_via(struct nlmsghdr *request, const struct nwf_host_item *item)
{
    struct {
        uint16_t family;
        uint8_t address[16];
    } via = {.family = AF_INET6};

    if (item->address.family == AF_INET6) {
        mnl_attr_put(request, RTA_GATEWAY, sizeof item->via, item->via);
    } else {
        memcpy(via.address, item->via, sizeof via.address);
        mnl_attr_put(request, RTA_VIA, sizeof via, &via);
    }
}

static struct nlmsghdr *
begin_route(char *buffer, uint16_t type, uint16_t flags, const struct nwf_host_item *item,
            int index)
{
    struct nlmsghdr *request = nwf_netlink_begin(buffer, type, flags);
    struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);

    header->rtm_family = (uint8_t) item->address.family;
    header->rtm_dst_len = item->address.prefix_len;
    header->rtm_table = RT_TABLE_MAIN;
    header->rtm_protocol = NWF_HOST_PROTOCOL;
    header->rtm_type = RTN_UNICAST;
    header->rtm_scope =
        item->has_via || item->address.family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    if (type == RTM_DELROUTE) {
        header->rtm_scope = RT_SCOPE_NOWHERE; /* Whatever it is. */
    }
    put_address(request, RTA_DST, &item->address);
    mnl_attr_put_u32(request, RTA_OIF, (uint32_t) index);
    if (item->address.family == AF_INET6) {
        mnl_attr_put_u32(request, RTA_PRIORITY, ROUTE_METRIC_6);
    }
    if (item->has_via && type == RTM_NEWROUTE) {
        put_via(request, item);
    }
    return request;
}

struct nlmsghdr *
nwf_item_make(char *buffer, const struct nwf_host_item *item, int index)
{
    switch (item->kind) {
    case NWF_HOST_UP:
        break;
    case NWF_HOST_ADDRESS:
        return begin_address(buffer, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, item, index);
    case NWF_HOST_NEIGHBOUR:
        return begin_neighbour(buffer, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, item, index);
    case NWF_HOST_ROUTE:
        return begin_route(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, item, index);
    case NWF_HOST_PROXY:
        return begin_neighbour(buffer, RTM_NEWNEIGH, NLM_F_CREATE, item, index);
    case NWF_N_HOST_KINDS:
        break;
    }
    return begin_link(buffer, index);
}

/* A device that is up stays so. */
struct nlmsghdr *
nwf_item_unmake(char *buffer, const struct nwf_host_item *item, int index)
{
    switch (item->kind) {
    case NWF_HOST_ADDRESS:
        return begin_address(buffer, RTM_DELADDR, 0, item, index);
    case NWF_HOST_NEIGHBOUR:
    case NWF_HOST_PROXY:
        return begin_neighbour(buffer, RTM_DELNEIGH, 0, item, index);
    case NWF_HOST_ROUTE:
        return begin_route(buffer, RTM_DELROUTE, 0, item, index);
    case NWF_HOST_UP:
    case NWF_N_HOST_KINDS:
        break;
    }
    return NULL;
}

/* Which route is the one to the item's address now. */
static struct nlmsghdr *
look_up_route(char *buffer, const struct nwf_host_item *item)
{
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETROUTE, 0);
    struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);

    header->rtm_family = (uint8_t) item->address.family;
    header->rtm_dst_len = (uint8_t) (8 * nwf_ip_size(item->address.family));
    header->rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
    put_address(request, RTA_DST, &item->address);
    return request;
}

struct nlmsghdr *
nwf_item_look(char *buffer, const struct nwf_host_item *item, int index)
{
    switch (item->kind) {
    case NWF_HOST_NEIGHBOUR:
    case NWF_HOST_PROXY:
        return begin_neighbour(buffer, RTM_GETNEIGH, 0, item, index);
    case NWF_HOST_ROUTE:
        return look_up_route(buffer, item);
    case NWF_HOST_UP:
    case NWF_HOST_ADDRESS:
    case NWF_N_HOST_KINDS:
        break;
    }
    return NULL;
}

bool
nwf_item_is_absent(int r)
{
    return r == -ENOENT || r == -ESRCH || r == -EADDRNOTAVAIL || r == -ENODEV || r == -ENXIO
           || r == -ENETUNREACH || r == -EHOSTUNREACH || r == -ENETDOWN;
}

/* ---- The kernel's messages. ---- */

static bool
read_address(const struct nlattr *attribute, int family, unsigned int prefix_len,
             struct nwf_address *ret)
{
    const void *data = nwf_netlink_data(attribute, nwf_ip_size(family));

    if (!data || prefix_len > 8 * nwf_ip_size(family)) {
        return false;
    }
    *ret = (struct nwf_address){.family = family, .prefix_len = (uint8_t) prefix_len};
    memcpy(ret->bytes, data, nwf_ip_size(family));
    return true;
}

static bool
is_ip(int family)
{
    return family == AF_INET || family == AF_INET6;
}

static void
read_via(const struct nlattr *const *attributes, struct nwf_host_item *item)
{
    const uint8_t *gateway = nwf_netlink_data(attributes[RTA_GATEWAY], 16);
    const uint8_t *via = nwf_netlink_data(attributes[RTA_VIA], 18);

    if (via) {
        gateway = via + 2;
    }
    item->has_via = gateway || attributes[RTA_GATEWAY] || attributes[RTA_VIA];
    if (gateway) {
        memcpy(item->via, gateway, sizeof item->via);
    }
}

static bool
read_route(const struct nlmsghdr *message, struct nwf_host_news *ret)
{
    const struct nlattr *attributes[RTA_MAX + 1];
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);

    if (!nwf_netlink_parse(message, sizeof *header, attributes, RTA_MAX)
        || !is_ip(header->rtm_family) || header->rtm_flags & RTM_F_CLONED
        || !read_address(attributes[RTA_DST], header->rtm_family, header->rtm_dst_len,
                         &ret->item.address)) {
        return false;
    }
    const uint32_t *table = nwf_netlink_data(attributes[RTA_TABLE], sizeof *table);
    const int *index = nwf_netlink_data(attributes[RTA_OIF], sizeof *index);
    if (table ? *table != RT_TABLE_MAIN && *table != RT_TABLE_LOCAL
              : header->rtm_table != RT_TABLE_MAIN && header->rtm_table != RT_TABLE_LOCAL) {
        return false;
    }
    ret->item.kind = NWF_HOST_ROUTE;
    ret->index = index ? *index : 0;
    ret->ours = header->rtm_protocol == NWF_HOST_PROTOCOL && header->rtm_type == RTN_UNICAST;
    ret->transient = header->rtm_type != RTN_UNICAST && header->rtm_type != RTN_LOCAL;
    read_via(attributes, &ret->item);
    return true;
}

static bool
read_neighbour(const struct nlmsghdr *message, struct nwf_host_news *ret)
{
    const struct nlattr *attributes[NDA_MAX + 1];
    const struct ndmsg *header = mnl_nlmsg_get_payload(message);

    if (!nwf_netlink_parse(message, sizeof *header, attributes, NDA_MAX)
        || !is_ip(header->ndm_family)
        || !read_address(attributes[NDA_DST], header->ndm_family,
                         8 * (unsigned int) nwf_ip_size(header->ndm_family), &ret->item.address)) {
        return false;
    }
    const uint8_t *protocol = nwf_netlink_data(attributes[NDA_PROTOCOL], sizeof *protocol);
    const void *mac = nwf_netlink_data(attributes[NDA_LLADDR], sizeof ret->item.mac);
    bool proxy = header->ndm_flags & NTF_PROXY;

    ret->item.kind = proxy ? NWF_HOST_PROXY : NWF_HOST_NEIGHBOUR;
    ret->index = header->ndm_ifindex;
    ret->ours = protocol && *protocol == NWF_HOST_PROTOCOL;
    ret->transient = !proxy && !(header->ndm_state & NUD_PERMANENT);
    if (mac) {
        memcpy(&ret->item.mac, mac, sizeof ret->item.mac);
    }
    return true;
}

bool
nwf_item_read(const struct nlmsghdr *message, struct nwf_host_news *ret)
{
    memset(ret, 0, sizeof *ret);
    switch (message->nlmsg_type) {
    case RTM_DELROUTE:
        ret->gone = true;
        return read_route(message, ret);
    case RTM_NEWROUTE:
        return read_route(message, ret);
    case RTM_DELNEIGH:
        ret->gone = true;
        return read_neighbour(message, ret);
    case RTM_NEWNEIGH:
        return read_neighbour(message, ret);
    }
    return false;
}

bool
nwf_device_read(const struct nlmsghdr *message, struct nwf_host_device *ret, bool *ret_gone)
{
    const struct nlattr *attributes[IFLA_MASTER + 1];
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);

    if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
        || !nwf_netlink_parse(message, sizeof *header, attributes, IFLA_MASTER)
        || header->ifi_family != AF_UNSPEC || header->ifi_index <= 0) {
        return false; /* AF_BRIDGE: a bridge speaks of its port. */
    }
    const struct nlattr *name = attributes[IFLA_IFNAME];
    if (!name || mnl_attr_validate(name, MNL_TYPE_NUL_STRING) < 0
        || strlen(mnl_attr_get_str(name)) >= sizeof ret->name) {
        return false;
    }
    const void *mac = nwf_netlink_data(attributes[IFLA_ADDRESS], sizeof ret->mac);
    const int *master = nwf_netlink_data(attributes[IFLA_MASTER], sizeof *master);

    memset(ret, 0, sizeof *ret);
    ret->index = header->ifi_index;
    strcpy(ret->name, mnl_attr_get_str(name));
    ret->up = header->ifi_flags & IFF_UP;
    ret->has_mac = mac != NULL;
    if (mac) {
        memcpy(&ret->mac, mac, sizeof ret->mac);
    }
    const uint32_t *mtu = nwf_netlink_data(attributes[IFLA_MTU], sizeof *mtu);
    ret->mtu = mtu ? *mtu : 0;
    ret->master = master ? *master : 0;
    *ret_gone = message->nlmsg_type == RTM_DELLINK;
    return true;
}

bool
nwf_address_read(const struct nlmsghdr *message, struct nwf_host_address *ret, bool *ret_gone)
{
    const struct nlattr *attributes[IFA_PROTO + 1];
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);

    if ((message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR)
        || !nwf_netlink_parse(message, sizeof *header, attributes, IFA_PROTO)
        || !is_ip(header->ifa_family)) {
        return false;
    }
    const struct nlattr *own =
        attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    const uint32_t *flags = nwf_netlink_data(attributes[IFA_FLAGS], sizeof *flags);
    const uint8_t *protocol = nwf_netlink_data(attributes[IFA_PROTO], sizeof *protocol);

    memset(ret, 0, sizeof *ret);
    ret->index = (int) header->ifa_index;
    ret->global = header->ifa_scope == RT_SCOPE_UNIVERSE;
    ret->temporary = (flags ? *flags : header->ifa_flags)
                     & (IFA_F_SECONDARY | IFA_F_DEPRECATED | IFA_F_DADFAILED);
    ret->ours = protocol && *protocol == NWF_HOST_PROTOCOL;
    *ret_gone = message->nlmsg_type == RTM_DELADDR;
    return read_address(own, header->ifa_family, 8 * (unsigned int) nwf_ip_size(header->ifa_family),
                        &ret->address);
}
