/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bridge's tags say of its way to the provider's network: whether guests are routed, by
 * whom, and which NICs nothing leaves that is not allowed (the uplink guard). */
#ifndef NWF_ROUTED_H
#define NWF_ROUTED_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nwf/binding.h"
#include "nwf/mac.h"

/* The keys of a Bridge's external_ids. */
#define NWF_BRIDGE_MODE "nwfilter-mode"
#define NWF_BRIDGE_UPLINK "nwfilter-uplink"
#define NWF_BRIDGE_VIA "nwfilter-via"
#define NWF_BRIDGE_GATEWAY "nwfilter-gateway"
#define NWF_BRIDGE_GUARD "nwfilter-guard"
#define NWF_BRIDGE_GUARD_MAC "nwfilter-guard-mac"

/* Addresses that a provider's switch port takes, the NIC's own included. */
#define NWF_GUARD_MACS_MAX 32
/* Entries of NWF_BRIDGE_GUARD_MAC: an address may stand there with several VLANs and IP addresses.
 * NICs that are guarded, gateways, and characters of a NIC's name. */
#define NWF_GUARD_ENTRIES_MAX 256
/* IP addresses of one of these in one VLAN. */
#define NWF_GUARD_ADDRESSES_MAX 7
#define NWF_GUARDS_MAX 16
#define NWF_GATEWAYS_MAX 16
#define NWF_NIC_NAME_MAX 128

/* Who routes. */
enum nwf_via {
    NWF_VIA_HOST,  /* The host's kernel; the uplink is not on the bridge. */
    NWF_VIA_FLOWS, /* Flows; the uplink is on the bridge, and guarded. */
};

const char *nwf_via_to_string(enum nwf_via via);

/* An IP address or, with a shorter prefix than all bits, a subnet. */
struct nwf_address {
    int family;        /* AF_INET or AF_INET6. */
    uint8_t bytes[16]; /* In network byte order; the bits behind the prefix are zero. */
    uint8_t prefix_len;
};

/* Parses ADDRESS, or ADDRESS/LENGTH if 'prefix'.  -EINVAL with a cause that quotes the text. */
int nwf_address_parse(const char *text, bool prefix, struct nwf_address *ret,
                      struct nwf_error *err);
bool nwf_address_equals(const struct nwf_address *a, const struct nwf_address *b);
/* A new string, without the length if that is all bits. */
char *nwf_address_format(const struct nwf_address *address);

/* An Ethernet address that may leave a guarded NIC, in one VLAN. */
struct nwf_guard_mac {
    struct nwf_mac mac;
    uint16_t vid; /* 0: in frames without a tag. */
    bool has_address;
    struct nwf_address address; /* If so, only from this one. */
};

struct nwf_guard_macs {
    struct nwf_guard_mac *data;
    size_t n, allocated;
};

struct nwf_addresses {
    struct nwf_address *data;
    size_t n, allocated;
};

struct nwf_names {
    char **data;
    size_t n, allocated;
};

/* A NIC on the bridge: a member of a bond, or the only one of its Port. */
struct nwf_nic {
    uint16_t ofport; /* 0: it has none. */
    bool has_mac;
    struct nwf_mac mac; /* Zero if it has none. */
};

struct nwf_nics {
    struct nwf_nic *data;
    size_t n, allocated;
};

void nwf_nics_copy(const struct nwf_nics *from, struct nwf_nics *ret);
bool nwf_nics_equal(const struct nwf_nics *a, const struct nwf_nics *b);

struct nwf_routed_config {
    bool is_routed;
    enum nwf_via via;
    char *uplink; /* NULL: none is named. */
    struct nwf_addresses gateways;
    struct nwf_names guards;          /* NICs; not that of NWF_VIA_FLOWS. */
    struct nwf_guard_macs guard_macs; /* Beside the NICs' own; sorted, each once. */
    struct nwf_error error;           /* A tag is broken: nothing leaves a NIC that is named. */
};

/* Reads the tags.  On error, which is in ret->error too, *ret has at least the NICs' names. */
int nwf_routed_config_read(const struct nwf_tag *tags, size_t n_tags, struct nwf_routed_config *ret,
                           struct nwf_error *err);
void nwf_routed_config_clear(struct nwf_routed_config *config);

/* What holds for frames that leave by a port that the tags may name: the strictest last. */
enum nwf_guarding {
    NWF_UNGUARDED,
    NWF_GUARDED,  /* What is allowed leaves. */
    NWF_SHUT_OUT, /* Nothing leaves. */
};

/* By the name of the port, or of its Interface if that is another.  *ret_reason says why nothing
 * leaves. */
enum nwf_guarding nwf_routed_guarding(const struct nwf_routed_config *config, const char *port,
                                      const char *interface, const char **ret_reason);

/* Whether any NIC is guarded, or kept from what is on the bridge. */
bool nwf_routed_has_guards(const struct nwf_routed_config *config);

#endif
