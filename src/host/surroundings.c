/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the kernel sends packets to; see nwf/surroundings.h.
 *
 * Other tables than the main one, which rules choose (ip-rule(8)), are not looked at. */
#include <config.h>

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "nwf/announce.h"
#include "nwf/surroundings.h"
#include "nwf/vec.h"
#include "state.h"

/* What the kernel may send to. */
#define NUD_VALID_STATES                                                                           \
    (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

void
nwf_surroundings_clear(struct nwf_surroundings *surroundings)
{
    nwf_vec_clear(&surroundings->inwards);
    memset(surroundings, 0, sizeof *surroundings);
}

/* ---- Routes. ---- */

struct look {
    struct nwf_surroundings *s;
    int index; /* The device's. */
    uint32_t metrics[NWF_N_ROUTED];
    bool is_excess;
};

static uint8_t
all_bits(int family)
{
    return family == AF_INET ? 32 : 128;
}

static void
add_inward(struct look *look, const struct nwf_address *address, bool is_own)
{
    if (look->s->inwards.n == NWF_INWARDS_MAX) {
        look->is_excess = true;
        return;
    }
    nwf_vec_push(&look->s->inwards, ((struct nwf_inward){*address, is_own}));
}

/* Of several the one of the lowest metric counts.  One that leads elsewhere, or to several routers,
 * makes that none is known: the kernel chooses. */
static void
take_default(struct look *look, const struct rtmsg *header, const struct nlattr **attributes)
{
    int family = header->rtm_family == AF_INET ? NWF_ROUTED_IP : NWF_ROUTED_IPV6;
    size_t size = header->rtm_family == AF_INET ? 4 : 16;
    const uint32_t *metric = nwf_netlink_data(attributes[RTA_PRIORITY], sizeof *metric);
    const int *index = nwf_netlink_data(attributes[RTA_OIF], sizeof *index);
    const void *gateway = nwf_netlink_data(attributes[RTA_GATEWAY], size);
    struct nwf_host_router *router = &look->s->routers[family];

    if ((metric ? *metric : 0) >= look->metrics[family]) {
        return;
    }
    look->metrics[family] = metric ? *metric : 0;
    memset(router, 0, sizeof *router);
    router->is_known = header->rtm_type == RTN_UNICAST && index && *index == look->index && gateway;
    if (router->is_known) {
        router->address.family = header->rtm_family;
        router->address.prefix_len = all_bits(header->rtm_family);
        memcpy(router->address.bytes, gateway, size);
    }
}

static int
take_route(const struct nlmsghdr *message, void *look_)
{
    const struct nlattr *attributes[RTA_MAX + 1];
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    struct look *look = look_;

    if (message->nlmsg_type != RTM_NEWROUTE
        || !nwf_netlink_parse(message, sizeof *header, attributes, RTA_MAX)
        || (header->rtm_family != AF_INET && header->rtm_family != AF_INET6)
        || header->rtm_protocol == NWF_HOST_PROTOCOL || header->rtm_flags & RTM_F_CLONED
        || header->rtm_table != RT_TABLE_MAIN
        || header->rtm_dst_len > all_bits(header->rtm_family)) {
        return 0;
    }
    if (!header->rtm_dst_len) {
        take_default(look, header, attributes);
        return 0;
    }
    struct nwf_address address = {.family = header->rtm_family, .prefix_len = header->rtm_dst_len};
    size_t size = header->rtm_family == AF_INET ? 4 : 16;
    const void *destination = nwf_netlink_data(attributes[RTA_DST], size);
    if (destination) {
        memcpy(address.bytes, destination, size);
        add_inward(look, &address, false);
    }
    return 0;
}

static int
dump_routes(struct nwf_host *host, int family, struct look *look, struct nwf_error *err)
{
    char buffer[NWF_NETLINK_REQUEST];
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETROUTE, 0);
    struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);

    header->rtm_family = (uint8_t) family;
    header->rtm_table = RT_TABLE_MAIN;
    return nwf_netlink_dump(&host->requests, request, take_route, look, err);
}

/* ---- The host's own addresses. ---- */

static bool
is_link_local(const struct nwf_address *address)
{
    return address->family == AF_INET6 && address->bytes[0] == 0xfe
           && (address->bytes[1] & 0xc0) == 0x80;
}

static void
add_own_addresses(const struct nwf_host *host, struct look *look)
{
    nwf_vec_foreach (own, &host->addresses) {
        struct nwf_address address = own->address;
        address.prefix_len = all_bits(address.family);
        if (!is_link_local(&address)) {
            add_inward(look, &address, true);
        }
    }
}

static int
compare_inwards(const void *a_, const void *b_)
{
    const struct nwf_inward *a = a_, *b = b_;
    int order = a->address.family - b->address.family;

    order = order ? order : memcmp(a->address.bytes, b->address.bytes, sizeof a->address.bytes);
    order = order ? order : (int) a->address.prefix_len - (int) b->address.prefix_len;
    return order ? order : (int) b->is_own - (int) a->is_own;
}

static bool
is_a_router(const struct nwf_surroundings *s, const struct nwf_inward *inward)
{
    for (int family = 0; family < NWF_N_ROUTED; family++) {
        if (s->routers[family].is_known && !inward->is_own
            && nwf_address_equals(&s->routers[family].address, &inward->address)) {
            return true;
        }
    }
    return false;
}

/* Each once; an address that is the host's own and has a route as well is its own.  What is for a
 * router goes to it as what is for others does. */
static void
sort_inwards(struct nwf_surroundings *s)
{
    struct nwf_inwards *list = &s->inwards;
    size_t kept = 0;

    if (list->n) {
        qsort(list->data, list->n, sizeof list->data[0], compare_inwards);
    }
    nwf_vec_foreach (inward, list) {
        if (!is_a_router(s, inward)
            && (!kept || !nwf_address_equals(&list->data[kept - 1].address, &inward->address))) {
            list->data[kept++] = *inward;
        }
    }
    list->n = kept;
}

/* ---- Neighbours. ---- */

static int
take_neighbour(const struct nlmsghdr *message, void *gateway_)
{
    const struct nlattr *attributes[NDA_MAX + 1];
    const struct ndmsg *header = mnl_nlmsg_get_payload(message);
    struct nwf_gateway *gateway = gateway_;

    if (message->nlmsg_type != RTM_NEWNEIGH
        || !nwf_netlink_parse(message, sizeof *header, attributes, NDA_MAX)) {
        return 0;
    }
    const void *mac = nwf_netlink_data(attributes[NDA_LLADDR], sizeof gateway->mac);
    gateway->has_mac = mac && header->ndm_state & NUD_VALID_STATES;
    if (gateway->has_mac) {
        memcpy(&gateway->mac, mac, sizeof gateway->mac);
        gateway->has_mac = !(gateway->mac.octets[0] & 1);
    }
    return 0;
}

/* That there is none is no error. */
static void
find_neighbour(struct nwf_host *host, const struct nwf_host_device *device,
               struct nwf_host_router *router)
{
    struct nwf_host_item item = {.kind = NWF_HOST_NEIGHBOUR, .address = router->address};
    char buffer[NWF_NETLINK_REQUEST];

    if (router->is_known) {
        (void) nwf_netlink_ask(&host->requests, nwf_item_look(buffer, &item, device->index),
                               take_neighbour, &router->at, NULL);
    }
}

/* ---- All of it. ---- */

int
nwf_host_look_around(struct nwf_host *host, const char *name, struct nwf_surroundings *ret,
                     struct nwf_error *err)
{
    const struct nwf_host_device *device = nwf_host_device(host, name);
    struct look look = {.s = ret, .index = device ? device->index : 0};
    int r;

    memset(ret, 0, sizeof *ret);
    memset(look.metrics, 0xff, sizeof look.metrics);
    add_own_addresses(host, &look);
    if ((r = dump_routes(host, AF_INET, &look, err))
        || (r = dump_routes(host, AF_INET6, &look, err))) {
        nwf_surroundings_clear(ret);
        return r;
    }
    if (look.is_excess) {
        nwf_surroundings_clear(ret);
        return nwf_error_set(err, -E2BIG,
                             "the host has more than %d routes: flows cannot route "
                             "in its place",
                             NWF_INWARDS_MAX);
    }
    sort_inwards(ret);
    for (int family = 0; device && family < NWF_N_ROUTED; family++) {
        find_neighbour(host, device, &ret->routers[family]);
        host->routers[family] = ret->routers[family].address;
    }
    return 0;
}

unsigned int
nwf_host_around_seqno(const struct nwf_host *host)
{
    return host->around_seqno;
}

/* ---- What the kernel tells. ---- */

static bool
is_router(const struct nwf_host *host, const struct ndmsg *header, const struct nlattr *destination)
{
    int family = header->ndm_family == AF_INET ? NWF_ROUTED_IP : NWF_ROUTED_IPV6;
    size_t size = header->ndm_family == AF_INET ? 4 : 16;
    const void *address = nwf_netlink_data(destination, size);

    return address && host->routers[family].family == header->ndm_family
           && !memcmp(host->routers[family].bytes, address, size);
}

/* Of neighbours only the routers count: others come and go all the time. */
static bool
is_of_concern(const struct nwf_host *host, const struct nlmsghdr *message)
{
    const struct nlattr *attributes[NDA_MAX + 1];
    const struct rtmsg *route = mnl_nlmsg_get_payload(message);
    const struct ndmsg *neighbour = mnl_nlmsg_get_payload(message);

    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return true;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return mnl_nlmsg_get_payload_len(message) >= sizeof *route
               && route->rtm_protocol != NWF_HOST_PROTOCOL && route->rtm_table == RT_TABLE_MAIN;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        return nwf_netlink_parse(message, sizeof *neighbour, attributes, NDA_MAX)
               && !(neighbour->ndm_flags & NTF_PROXY)
               && is_router(host, neighbour, attributes[NDA_DST]);
    default:
        return false;
    }
}

void
nwf_host_note_around(struct nwf_host *host, const struct nlmsghdr *message)
{
    host->around_seqno += is_of_concern(host, message);
}

/* ---- Asking. ---- */

void
nwf_host_ask_routers(struct nwf_host *host, const char *name,
                     const struct nwf_surroundings *surroundings)
{
    const struct nwf_host_device *device = nwf_host_device(host, name);
    uint8_t frame[NWF_ANNOUNCE_MAX];

    for (int family = 0; device && device->up && device->has_mac && family < NWF_N_ROUTED;
         family++) {
        const struct nwf_host_router *router = &surroundings->routers[family];
        const struct nwf_address *own =
            nwf_host_main_address(host, name, family == NWF_ROUTED_IP ? AF_INET : AF_INET6);
        if (router->is_known && own) {
            size_t size = nwf_solicit_frame(&device->mac, own, &router->address, frame);
            (void) nwf_frame_send(device, frame, size, NULL);
        }
    }
}
