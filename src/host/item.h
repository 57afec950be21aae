/* SPDX-License-Identifier: Apache-2.0
 *
 * Items, and what the kernel calls them. */
#ifndef NWF_HOST_ITEM_H
#define NWF_HOST_ITEM_H

#include "netlink.h"
#include "nwf/host.h"

/* Of those that cannot be in one kernel at a time the keys are the same. */
uint32_t nwf_host_item_hash(const struct nwf_host_item *item);
bool nwf_host_item_same_key(const struct nwf_host_item *a, const struct nwf_host_item *b);
bool nwf_host_item_same_value(const struct nwf_host_item *a, const struct nwf_host_item *b);

/* ---- Messages. ---- */

/* Requests; 'buffer' has NWF_NETLINK_REQUEST bytes, 'index' is the device's. */
struct nlmsghdr *nwf_item_make(char *buffer, const struct nwf_host_item *item, int index);
struct nlmsghdr *nwf_item_unmake(char *buffer, const struct nwf_host_item *item, int index);
/* Asks for what may be in the item's way; NULL if that is said when it is made. */
struct nlmsghdr *nwf_item_look(char *buffer, const struct nwf_host_item *item, int index);

/* Whether 'r', a negative errno, says that there is nothing to unmake, or to look at. */
bool nwf_item_is_absent(int r);

/* What a message of the kernel tells of. */
struct nwf_host_news {
    struct nwf_host_item item; /* Without 'device'. */
    int index;                 /* The device's; 0: of several, or none. */
    bool gone;
    bool ours;      /* It bears our number. */
    bool transient; /* A neighbour that the kernel has found by itself; a route that leads nowhere:
                     * "unreachable" is how an operator says what becomes of the rest. */
};

/* False: of none of those kinds, malformed, or of no concern. */
bool nwf_item_read(const struct nlmsghdr *message, struct nwf_host_news *ret);
bool nwf_device_read(const struct nlmsghdr *message, struct nwf_host_device *ret, bool *ret_gone);
bool nwf_address_read(const struct nlmsghdr *message, struct nwf_host_address *ret, bool *ret_gone);

#endif
