/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host's kernel is to have for guests that it routes to: routes, neighbours, addresses.
 *
 * Owners, the bridge's guests and the bridge itself, say what they want.  It is compared with a
 * copy of what the kernel has, which notifications keep true, and only what differs is asked for.
 * Whoever made something says so there by a protocol number, and nothing is touched that does not
 * bear ours.
 *
 * Nothing here waits for anybody but the kernel, which answers at once. */
#ifndef NWF_HOST_H
#define NWF_HOST_H

#include <net/if.h>

#include "nwf/cleanup.h"
#include "nwf/error.h"
#include "nwf/mac.h"
#include "nwf/routed.h"

/* Who made a route, a neighbour, or an address: a number that no routing daemon uses
 * (rt_protos(5) of iproute2). */
#define NWF_HOST_PROTOCOL 110

/* ---- Items. ---- */

/* In the order in which they are made; they go in the other one. */
enum nwf_host_kind {
    NWF_HOST_UP,        /* The device is up; stays so. */
    NWF_HOST_ADDRESS,   /* An address of the host's, on the device. */
    NWF_HOST_NEIGHBOUR, /* The address is at 'mac', for good. */
    NWF_HOST_ROUTE,     /* To the address or subnet: on the device's link, or by 'via'. */
    NWF_HOST_PROXY,     /* ARP or neighbour discovery for it is answered on the device. */
    NWF_N_HOST_KINDS,
};

struct nwf_host_item {
    enum nwf_host_kind kind;
    char device[IFNAMSIZ];
    struct nwf_address address; /* Zero for NWF_HOST_UP. */
    bool has_via;
    uint8_t via[16]; /* An IPv6 address, whatever the route's family. */
    struct nwf_mac mac;
};

struct nwf_host_items {
    struct nwf_host_item *data;
    size_t n, allocated;
};

/* "route 192.0.2.5 dev br0": a new string. */
char *nwf_host_item_format(const struct nwf_host_item *item);

/* Adds an item; a name that is too long to be a device's is cut, and so there is no such device. */
void nwf_host_items_add(struct nwf_host_items *items, enum nwf_host_kind kind, const char *device,
                        const struct nwf_address *address);

/* Adds what it takes to reach a guest's address: a route over the bridge and a neighbour, and an
 * answer on the uplink, if there is one ('uplink' may be NULL), to whoever looks for it there.  A
 * subnet is routed by way of the link-local address that belongs to the guest's MAC address, and
 * not answered for. */
void nwf_host_items_add_guest(struct nwf_host_items *items, const char *bridge, const char *uplink,
                              const struct nwf_address *address, const struct nwf_mac *mac);

/* The link-local address that belongs to a MAC address (RFC 4291, appendix A). */
void nwf_link_local(const struct nwf_mac *mac, uint8_t ret[16]);

/* ---- Devices and addresses. ---- */

struct nwf_host_device {
    int index;
    char name[IFNAMSIZ];
    bool up;
    bool has_mac;
    struct nwf_mac mac;
    uint32_t mtu;
    int master; /* The bridge or bond that it is in; 0: none. */
};

struct nwf_host_address {
    int index; /* Of the device. */
    struct nwf_address address;
    bool global;    /* Its scope. */
    bool temporary; /* Or secondary, or deprecated: not the one to be known by. */
    bool ours;
};

/* ---- The host. ---- */

struct nwf_host;

/* 'bridge' is the bridge's device.  Of what bears our number, other bridges' is left alone. */
int nwf_host_open(const char *bridge, struct nwf_host **ret, struct nwf_error *err);
void nwf_host_close(struct nwf_host *host);
DEFINE_CLEANUP(struct nwf_host, nwf_host, nwf_host_close)

/* Takes in what has changed, and looks at everything anew where that is not known. */
int nwf_host_run(struct nwf_host *host, struct nwf_error *err);
/* Wakes poll_block() when there is something to take in or to do again. */
void nwf_host_wait(const struct nwf_host *host);

/* Changes with devices and addresses. */
unsigned int nwf_host_seqno(const struct nwf_host *host);

/* Whether nwf_host_apply() has something to do. */
bool nwf_host_is_dirty(const struct nwf_host *host);

/* The device where the bridge's guests are answered for; may be NULL. */
void nwf_host_set_uplink(struct nwf_host *host, const char *uplink);

/* What the owner wants from now on; nothing is done yet.  'items' is read only. */
void nwf_host_want(struct nwf_host *host, const char *owner, const struct nwf_host_items *items);

/* Removes at once what the owner has and is not among 'items'. */
int nwf_host_withdraw(struct nwf_host *host, const char *owner, const struct nwf_host_items *items,
                      struct nwf_error *err);

/* All owners have said what they want: what others have left behind is nobody's. */
void nwf_host_set_complete(struct nwf_host *host);

/* Of the owners that have been there before the first, those want nothing any more for which
 * neither nwf_host_want() nor the second is called before the third. */
void nwf_host_begin_owners(struct nwf_host *host);
void nwf_host_keep_owner(struct nwf_host *host, const char *owner);
void nwf_host_end_owners(struct nwf_host *host);

/* The same of what has been wanted by nobody since, and of what is nobody's. */
int nwf_host_remove_unwanted(struct nwf_host *host, struct nwf_error *err);

/* Makes it true.  What an owner wants comes as a whole or, if the kernel refuses a part, not at
 * all.  At most 'max' owners are looked at; false: there are more.  *err says what could not be
 * removed. */
bool nwf_host_apply(struct nwf_host *host, size_t max, struct nwf_error *err);

/* Why the owner does not have what it wants; .text is NULL if it has, or nobody knows yet. */
const struct nwf_error *nwf_host_error(const struct nwf_host *host, const char *owner);

/* Calls each() for every owner of which something else is to be said than at the last call. */
void nwf_host_each_news(struct nwf_host *host, void (*each)(const char *owner, void *aux),
                        void *aux);

/* How often something that had vanished was made again. */
size_t nwf_host_n_repairs(const struct nwf_host *host);

/* Removes all of the bridge's from the kernel, as if nobody wanted anything. */
int nwf_host_remove_all(struct nwf_host *host, struct nwf_error *err);

/* The device, or NULL. */
const struct nwf_host_device *nwf_host_device(const struct nwf_host *host, const char *name);
const struct nwf_host_device *nwf_host_device_by_index(const struct nwf_host *host, int index);

/* Whether the two have an address in common. */
bool nwf_address_overlaps(const struct nwf_address *a, const struct nwf_address *b);

/* Whether the host itself has an address in 'range', on whatever device, that is not one of ours.
 * Link-local ones do not count.  *ret_device is set then. */
bool nwf_host_has_address(const struct nwf_host *host, const struct nwf_address *range,
                          const char **ret_device);

/* Adds all addresses of the device. */
void nwf_host_list_addresses(const struct nwf_host *host, const struct nwf_host_device *device,
                             struct nwf_addresses *ret);

/* The address of this family by which the device is known; NULL: it has none. */
const struct nwf_address *nwf_host_main_address(const struct nwf_host *host, const char *device,
                                                int family);

/* ---- Routers. ---- */

/* A default route, of IPv6. */
struct nwf_host_default {
    int index;  /* Of its device; 0: of several. */
    bool by_ra; /* Out of a router's advertisement. */
    bool has_gateway;
    struct nwf_address gateway;
};

struct nwf_host_defaults {
    struct nwf_host_default *data;
    size_t n, allocated;
};

/* The index of the device by which packets for the address leave; 0: by none. */
int nwf_host_way_out(struct nwf_host *host, const struct nwf_address *address);

const struct nwf_host_defaults *nwf_host_default_routes(struct nwf_host *host);

/* Looks for routers on the uplink that the kernel has lost, from the uplink's own global address:
 * there are some that do not answer to another one.  To be called every second. */
void nwf_host_look_for_gateways(struct nwf_host *host, const char *uplink);

#endif
