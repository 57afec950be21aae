/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses and routes of a device of the host's, as somebody else configured them: to be put
 * onto another device, and back.
 *
 * Where the uplink goes onto the bridge, what the host had on the uplink belongs to the bridge's
 * device.  What the kernel makes by itself (routes of subnets, its own link-local addresses) is no
 * part of it: it comes and goes with the rest. */
#ifndef NWF_MOVED_H
#define NWF_MOVED_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "nwf/error.h"
#include "nwf/routed.h"

/* Most addresses, and most routes; longest text. */
#define NWF_MOVED_MAX 1024
#define NWF_MOVED_TEXT_MAX (256 * 1024)

struct nwf_moved_address {
    int family;
    uint8_t local[16];
    uint8_t prefix_len;
    bool has_peer, has_broadcast;
    uint8_t peer[16], broadcast[16]; /* 'prefix_len' is the peer's, if there is one. */
    uint32_t scope, flags;           /* As the kernel numbers them (IFA_F_*). */
    uint32_t valid, preferred;       /* Lifetimes in seconds; UINT32_MAX: for ever. */
};

struct nwf_moved_route {
    struct nwf_address to; /* All of a family with prefix_len 0. */
    struct nwf_address via, source;
    bool has_via, has_source, onlink;
    uint32_t table, metric, protocol, scope;
    uint32_t tos, preference;       /* RTA_PREF of IPv6, as the kernel numbers it; 0: medium. */
    uint32_t metrics[RTAX_MAX + 1]; /* By RTAX_*; 0: none of its own. */
};

struct nwf_moved {
    NWF_VEC(struct nwf_moved_address) addresses;
    NWF_VEC(struct nwf_moved_route) routes;
};

void nwf_moved_clear(struct nwf_moved *moved);

/* ---- As text: "address 192.0.2.2/24; route default via 192.0.2.1 ...". ---- */

/* New strings. */
char *nwf_moved_address_format(const struct nwf_moved_address *address);
char *nwf_moved_route_format(const struct nwf_moved_route *route);
char *nwf_moved_format(const struct nwf_moved *moved);

/* Whether a route's metric of this type, one of RTAX_*, has a word there. */
bool nwf_moved_has_metric(uint16_t type);

/* Reads what nwf_moved_format() has written. */
int nwf_moved_parse(const char *text, struct nwf_moved *ret, struct nwf_error *err);

/* ---- In the kernel. ---- */

/* What is on the device.  -ENODEV: there is no such device; -EOPNOTSUPP: it has a route that
 * cannot be put elsewhere, and the error says which. */
int nwf_moved_read(const char *device, struct nwf_moved *ret, struct nwf_error *err);

/* The same of what has to be put back if it goes: without routes that routers' messages make anew,
 * and without those that cannot be put anywhere, or are too many. */
int nwf_moved_note(const char *device, struct nwf_moved *ret, struct nwf_error *err);

/* Puts all of it onto the device; what is there already stays as it is.  Goes on after an error,
 * which is the first. */
int nwf_moved_put(const char *device, const struct nwf_moved *moved, struct nwf_error *err);

/* Takes all of it off the device; what is not there is no error. */
int nwf_moved_take(const char *device, const struct nwf_moved *moved, struct nwf_error *err);

/* Sets the device up or down. */
int nwf_device_set_up(const char *device, bool up, struct nwf_error *err);
bool nwf_device_is_up(const char *device);

/* ---- Gateways. ---- */

/* Makes the host ask for the gateway on the device, by a packet of its own; *known is what it was
 * told.  To be called some times a second until then. */
int nwf_gateway_probe(const char *device, const struct nwf_address *gateway, bool *ret_known,
                      struct nwf_error *err);

/* What the host knows of it is not taken for true any more. */
int nwf_gateway_forget(const char *device, const struct nwf_address *gateway,
                       struct nwf_error *err);

#endif
