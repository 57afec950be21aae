/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of protocol elements and their attributes: the one place that the
 * parser, the compiler's checks, the printer and the documentation read. */
#ifndef NWF_PROTOCOL_H
#define NWF_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "nwf/value.h"

/* What a condition looks at. */
enum nwf_field {
    NWF_F_NONE,
    NWF_F_ETH_SRC,
    NWF_F_ETH_DST,
    NWF_F_ETH_TYPE, /* Of the whole frame: 0x8100 means "has a VLAN tag". */
    NWF_F_VLAN_ID,
    NWF_F_VLAN_ENCAP, /* Ethertype behind the tag. */
    NWF_F_ARP_HTYPE,
    NWF_F_ARP_PTYPE,
    NWF_F_ARP_OP,
    NWF_F_ARP_SHA,
    NWF_F_ARP_THA,
    NWF_F_ARP_SPA,
    NWF_F_ARP_TPA,
    NWF_F_ARP_GRATUITOUS, /* Sender address equals target address. */
    NWF_F_IP4_SRC,
    NWF_F_IP4_DST,
    NWF_F_IP6_SRC,
    NWF_F_IP6_DST,
    NWF_F_IP_PROTO,
    NWF_F_IP_DSCP,
    NWF_F_PORT_SRC,
    NWF_F_PORT_DST,
    NWF_F_ICMP_TYPE,
    NWF_F_ICMP_CODE,
    NWF_F_TCP_FLAGS,
    NWF_F_STATE, /* Of the connection that a packet belongs to. */
    NWF_F_MATCH, /* Whatever the text of <flow> says. */
    NWF_F_STP,   /* Anything inside of a BPDU. */
    NWF_F_TCP_OPTION,
    NWF_F_CONNLIMIT, /* How many connections there are. */
    NWF_F_IPSET,
    NWF_N_FIELDS,
};

/* The field that takes this one's place when source and destination change
 * places ("inout" rules seen from the other side); itself when it has no pair. */
enum nwf_field nwf_field_mirror(enum nwf_field field);

enum nwf_attr_role {
    NWF_ROLE_VALUE,
    NWF_ROLE_MASK, /* Mask of the field's value. */
    NWF_ROLE_END,  /* End of a range that the field's value starts. */
    NWF_ROLE_NOTE, /* For people only ("comment"). */
};

struct nwf_attr_def {
    const char *name;
    enum nwf_type type;
    enum nwf_field field;
    enum nwf_attr_role role;
    struct nwf_numbers numbers; /* Integers only. */
};

/* Which of the two layers a rule works on.  libvirt puts the first into ebtables, where
 * chains count; the others into iptables and ip6tables, of which each port has one list,
 * and which track connections. */
enum nwf_layer {
    NWF_ETHERNET,
    NWF_IPV4,
    NWF_IPV6,
};

struct nwf_protocol {
    const char *name;                 /* The element's, e.g. "ip". */
    enum nwf_field implied;           /* Condition that the element stands for: */
    struct nwf_value implied_value;   /* its value, exact. */
    const struct nwf_attr_def *attrs; /* Ends with a NULL name. */
    enum nwf_layer layer;
    bool has_ip_proto; /* The element stands for an IP protocol as well: */
    uint8_t ip_proto;
};

/* NULL when there is no such element. */
const struct nwf_protocol *nwf_protocol_find(const char *name);
/* The 'i'th element of the table; NULL at its end. */
const struct nwf_protocol *nwf_protocol_get(size_t i);
const struct nwf_attr_def *nwf_attr_find(const struct nwf_protocol *protocol, const char *name);

/* The element, or the element's attribute, that 'name' may be a slip for; NULL: none. */
const char *nwf_protocol_near(const char *name);
const char *nwf_attr_near(const struct nwf_protocol *protocol, const char *name);

/* The element that takes a match in Open vSwitch's words: ours, unknown to libvirt. */
bool nwf_protocol_is_flow(const struct nwf_protocol *protocol);

/* Chain prefixes (libvirt: a chain is named "root" or by a prefix and a suffix). */
struct nwf_chain_type {
    const char *prefix;
    int priority;                     /* Used when the filter gives none. */
    const struct nwf_protocol *guard; /* What the jump to it matches; NULL: every frame. */
};

/* The type of the chain called 'name'; NULL when no chain may be called so. */
const struct nwf_chain_type *nwf_chain_type_find(const char *name);
bool nwf_chain_is_root(const char *name);

#endif
