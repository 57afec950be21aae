/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of protocol elements, attributes and chain types.  Names, ranges
 * and defaults are those of libvirt's nwfilter format (formatnwfilter.html);
 * a new attribute is one row here. */
#include "nwf/protocol.h"

#include <string.h>

#include "nwf/text.h"

static const struct nwf_name ethertype_names[] = {
    {"arp", 0x0806},  {"rarp", 0x8035}, {"ipv4", 0x0800},
    {"ipv6", 0x86dd}, {"vlan", 0x8100}, {NULL, 0},
};

static const struct nwf_name arp_op_names[] = {
    {"Request", 1},       {"Reply", 2},       {"Request_Reverse", 3}, {"Reply_Reverse", 4},
    {"DRARP_Request", 5}, {"DRARP_Reply", 6}, {"DRARP_Error", 7},     {"InARP_Request", 8},
    {"ARP_NAK", 9},       {NULL, 0},
};

static const struct nwf_name ip_proto_names[] = {
    {"tcp", 6},  {"udp", 17}, {"udplite", 136}, {"esp", 50},    {"ah", 51},
    {"icmp", 1}, {"igmp", 2}, {"sctp", 132},    {"icmpv6", 58}, {NULL, 0},
};

/* clang-format off */
#define PLAIN(NAME, TYPE, FIELD, ROLE)                                                             \
    {NAME, NWF_T_##TYPE, FIELD, NWF_ROLE_##ROLE, {0, 0, NULL}}
#define ADDRESS(NAME, MASKNAME, TYPE, FIELD)                                                       \
    PLAIN(NAME, TYPE, FIELD, VALUE),                                                               \
    PLAIN(MASKNAME, TYPE##MASK, FIELD, MASK)
#define NUMBER(NAME, TYPE, FIELD, MIN, MAX, NAMES)                                                 \
    {NAME, NWF_T_##TYPE, FIELD, NWF_ROLE_VALUE, {MIN, MAX, NAMES}}
#define RANGE(START, END, TYPE, FIELD, MAX)                                                        \
    {START, NWF_T_##TYPE, FIELD, NWF_ROLE_VALUE, {0, MAX, NULL}},                                  \
    {END, NWF_T_##TYPE, FIELD, NWF_ROLE_END, {0, MAX, NULL}}
#define COMMENT PLAIN("comment", TEXT, NWF_F_NONE, NOTE)
#define END PLAIN(NULL, TEXT, NWF_F_NONE, NOTE)

#define MAC_SRC ADDRESS("srcmacaddr", "srcmacmask", MAC, NWF_F_ETH_SRC)
#define MAC_DST ADDRESS("dstmacaddr", "dstmacmask", MAC, NWF_F_ETH_DST)
#define PORTS                                                                                      \
    RANGE("srcportstart", "srcportend", U16, NWF_F_PORT_SRC, 0xffff),                              \
        RANGE("dstportstart", "dstportend", U16, NWF_F_PORT_DST, 0xffff)
/* What a rule of the IP layer can say whatever its protocol. */
#define IP_ADDRESSES(TYPE, SRC, DST)                                                               \
    PLAIN("srcmacaddr", MAC, NWF_F_ETH_SRC, VALUE),                                                \
        ADDRESS("srcipaddr", "srcipmask", TYPE, SRC),                                              \
        ADDRESS("dstipaddr", "dstipmask", TYPE, DST),                                              \
        PLAIN("srcipfrom", TYPE, SRC, VALUE), PLAIN("srcipto", TYPE, SRC, END),                    \
        PLAIN("dstipfrom", TYPE, DST, VALUE), PLAIN("dstipto", TYPE, DST, END)
#define IP_REST                                                                                    \
    NUMBER("dscp", U8, NWF_F_IP_DSCP, 0, 63, NULL),                                                \
        PLAIN("state", STATES, NWF_F_STATE, VALUE),                                                \
        NUMBER("connlimit-above", U16, NWF_F_CONNLIMIT, 0, 0xffff, NULL),                          \
        PLAIN("ipset", TEXT, NWF_F_IPSET, VALUE), PLAIN("ipsetflags", TEXT, NWF_F_IPSET, VALUE),   \
        COMMENT, END
#define IP4_ADDRESSES IP_ADDRESSES(IP4, NWF_F_IP4_SRC, NWF_F_IP4_DST)
#define IP6_ADDRESSES IP_ADDRESSES(IP6, NWF_F_IP6_SRC, NWF_F_IP6_DST)
#define TCP_REST                                                                                   \
    PLAIN("flags", TCP_FLAGS, NWF_F_TCP_FLAGS, VALUE),                                             \
        NUMBER("option", U8, NWF_F_TCP_OPTION, 0, 0xff, NULL)
#define ICMP_REST                                                                                  \
    NUMBER("type", U8, NWF_F_ICMP_TYPE, 0, 0xff, NULL),                                            \
        NUMBER("code", U8, NWF_F_ICMP_CODE, 0, 0xff, NULL)
#define STP(NAME, TYPE) NUMBER(NAME, TYPE, NWF_F_STP, 0, UINT32_MAX, NULL)
/* clang-format on */

static const struct nwf_attr_def mac_attrs[] = {
    MAC_SRC, MAC_DST, NUMBER("protocolid", U16, NWF_F_ETH_TYPE, 0x600, 0xffff, ethertype_names),
    COMMENT, END,
};

static const struct nwf_attr_def vlan_attrs[] = {
    MAC_SRC,
    MAC_DST,
    NUMBER("vlanid", U16, NWF_F_VLAN_ID, 0, 4094, NULL),
    NUMBER("encap-protocol", U16, NWF_F_VLAN_ENCAP, 0x3c, 0xffff, ethertype_names),
    COMMENT,
    END,
};

static const struct nwf_attr_def stp_attrs[] = {
    MAC_SRC,
    STP("type", U8),
    STP("flags", U8),
    STP("root-priority", U16),
    STP("root-priority-hi", U16),
    STP("root-address", MAC),
    STP("root-address-mask", MACMASK),
    STP("root-cost", U32),
    STP("root-cost-hi", U32),
    STP("sender-priority", U16),
    STP("sender-priority-hi", U16),
    STP("sender-address", MAC),
    STP("sender-address-mask", MACMASK),
    STP("port", U16),
    STP("port-hi", U16),
    STP("age", U16),
    STP("age-hi", U16),
    STP("max-age", U16),
    STP("max-age-hi", U16),
    STP("hello-time", U16),
    STP("hello-time-hi", U16),
    STP("forward-delay", U16),
    STP("forward-delay-hi", U16),
    COMMENT,
    END,
};

/* ARP and RARP share their format (RFC 826, RFC 903). */
static const struct nwf_attr_def arp_attrs[] = {
    MAC_SRC,
    MAC_DST,
    NUMBER("hwtype", U16, NWF_F_ARP_HTYPE, 0, 0xffff, NULL),
    NUMBER("protocoltype", U16, NWF_F_ARP_PTYPE, 0, 0xffff, NULL),
    NUMBER("opcode", U16, NWF_F_ARP_OP, 0, 0xffff, arp_op_names),
    PLAIN("arpsrcmacaddr", MAC, NWF_F_ARP_SHA, VALUE),
    PLAIN("arpdstmacaddr", MAC, NWF_F_ARP_THA, VALUE),
    ADDRESS("arpsrcipaddr", "arpsrcipmask", IP4, NWF_F_ARP_SPA),
    ADDRESS("arpdstipaddr", "arpdstipmask", IP4, NWF_F_ARP_TPA),
    PLAIN("gratuitous", BOOL, NWF_F_ARP_GRATUITOUS, VALUE),
    COMMENT,
    END,
};

static const struct nwf_attr_def ip_attrs[] = {
    MAC_SRC,
    MAC_DST,
    ADDRESS("srcipaddr", "srcipmask", IP4, NWF_F_IP4_SRC),
    ADDRESS("dstipaddr", "dstipmask", IP4, NWF_F_IP4_DST),
    NUMBER("protocol", U8, NWF_F_IP_PROTO, 0, 0xff, ip_proto_names),
    PORTS,
    NUMBER("dscp", U8, NWF_F_IP_DSCP, 0, 63, NULL),
    COMMENT,
    END,
};

static const struct nwf_attr_def ipv6_attrs[] = {
    MAC_SRC,
    MAC_DST,
    ADDRESS("srcipaddr", "srcipmask", IP6, NWF_F_IP6_SRC),
    ADDRESS("dstipaddr", "dstipmask", IP6, NWF_F_IP6_DST),
    NUMBER("protocol", U8, NWF_F_IP_PROTO, 0, 0xff, ip_proto_names),
    PORTS,
    RANGE("type", "typeend", U8, NWF_F_ICMP_TYPE, 0xff),
    RANGE("code", "codeend", U8, NWF_F_ICMP_CODE, 0xff),
    COMMENT,
    END,
};

static const struct nwf_attr_def all_attrs[] = {IP4_ADDRESSES, IP_REST};
static const struct nwf_attr_def ports_attrs[] = {IP4_ADDRESSES, PORTS, IP_REST};
static const struct nwf_attr_def tcp_attrs[] = {IP4_ADDRESSES, PORTS, TCP_REST, IP_REST};
static const struct nwf_attr_def icmp_attrs[] = {IP4_ADDRESSES, ICMP_REST, IP_REST};

/* libvirt's documentation gives tcp-ipv6 the flags that its parser passes over. */
static const struct nwf_attr_def all_ipv6_attrs[] = {IP6_ADDRESSES, IP_REST};
static const struct nwf_attr_def ports_ipv6_attrs[] = {IP6_ADDRESSES, PORTS, IP_REST};
static const struct nwf_attr_def tcp_ipv6_attrs[] = {IP6_ADDRESSES, PORTS, TCP_REST, IP_REST};
static const struct nwf_attr_def icmpv6_attrs[] = {IP6_ADDRESSES, ICMP_REST, IP_REST};

static const struct nwf_attr_def flow_attrs[] = {
    PLAIN("match", MATCH, NWF_F_MATCH, VALUE),
    COMMENT,
    END,
};

#define ETHERTYPE(NUM)                                                                             \
    {                                                                                              \
        .bytes = {(NUM) >> 8, (NUM) &0xff}, .len = 2                                               \
    }

enum { P_MAC, P_VLAN, P_STP, P_ARP, P_RARP, P_IP, P_IPV6, P_FLOW };

#define IP(NAME, LAYER, TYPE, ATTRS)                                                               \
    .name = NAME, .implied = NWF_F_ETH_TYPE, .implied_value = ETHERTYPE(TYPE), .attrs = ATTRS,     \
    .layer = LAYER
#define IP4(NAME, PROTO, ATTRS)                                                                    \
    {                                                                                              \
        IP(NAME, NWF_IPV4, 0x0800, ATTRS), .has_ip_proto = true, .ip_proto = PROTO                 \
    }
#define IP6(NAME, PROTO, ATTRS)                                                                    \
    {                                                                                              \
        IP(NAME, NWF_IPV6, 0x86dd, ATTRS), .has_ip_proto = true, .ip_proto = PROTO                 \
    }

static const struct nwf_protocol protocols[] = {
    [P_MAC] = {.name = "mac", .implied = NWF_F_NONE, .attrs = mac_attrs},
    [P_VLAN] = {.name = "vlan",
                .implied = NWF_F_ETH_TYPE,
                .implied_value = ETHERTYPE(0x8100),
                .attrs = vlan_attrs},
    [P_STP] = {.name = "stp",
               .implied = NWF_F_ETH_DST,
               .implied_value = {.bytes = {0x01, 0x80, 0xc2}, .len = 6},
               .attrs = stp_attrs},
    [P_ARP] = {.name = "arp",
               .implied = NWF_F_ETH_TYPE,
               .implied_value = ETHERTYPE(0x0806),
               .attrs = arp_attrs},
    [P_RARP] = {.name = "rarp",
                .implied = NWF_F_ETH_TYPE,
                .implied_value = ETHERTYPE(0x8035),
                .attrs = arp_attrs},
    [P_IP] = {.name = "ip",
              .implied = NWF_F_ETH_TYPE,
              .implied_value = ETHERTYPE(0x0800),
              .attrs = ip_attrs},
    [P_IPV6] = {.name = "ipv6",
                .implied = NWF_F_ETH_TYPE,
                .implied_value = ETHERTYPE(0x86dd),
                .attrs = ipv6_attrs},
    [P_FLOW] = {.name = "flow", .implied = NWF_F_NONE, .attrs = flow_attrs},
    IP4("tcp", 6, tcp_attrs),
    IP4("udp", 17, ports_attrs),
    IP4("udplite", 136, all_attrs),
    IP4("esp", 50, all_attrs),
    IP4("ah", 51, all_attrs),
    IP4("sctp", 132, ports_attrs),
    IP4("icmp", 1, icmp_attrs),
    IP4("igmp", 2, all_attrs),
    {IP("all", NWF_IPV4, 0x0800, all_attrs)},
    IP6("tcp-ipv6", 6, tcp_ipv6_attrs),
    IP6("udp-ipv6", 17, ports_ipv6_attrs),
    IP6("udplite-ipv6", 136, all_ipv6_attrs),
    IP6("esp-ipv6", 50, all_ipv6_attrs),
    IP6("ah-ipv6", 51, all_ipv6_attrs),
    IP6("sctp-ipv6", 132, ports_ipv6_attrs),
    IP6("icmpv6", 58, icmpv6_attrs),
    {IP("all-ipv6", NWF_IPV6, 0x86dd, all_ipv6_attrs)},
};

#define N_PROTOCOLS (sizeof protocols / sizeof protocols[0])

/* "stp" has priority 0: libvirt's documentation says -810, its code has no entry. */
static const struct nwf_chain_type chain_types[] = {
    {"mac", -800, NULL},
    {"vlan", -750, &protocols[P_VLAN]},
    {"stp", 0, &protocols[P_STP]},
    {"arp", -500, &protocols[P_ARP]},
    {"rarp", -400, &protocols[P_RARP]},
    {"ipv4", -700, &protocols[P_IP]},
    {"ipv6", -600, &protocols[P_IPV6]},
};

static const struct nwf_chain_type root_type = {"root", 0, NULL};

enum nwf_field
nwf_field_mirror(enum nwf_field field)
{
    static const enum nwf_field pairs[][2] = {
        {NWF_F_ETH_SRC, NWF_F_ETH_DST}, {NWF_F_ARP_SHA, NWF_F_ARP_THA},
        {NWF_F_ARP_SPA, NWF_F_ARP_TPA}, {NWF_F_IP4_SRC, NWF_F_IP4_DST},
        {NWF_F_IP6_SRC, NWF_F_IP6_DST}, {NWF_F_PORT_SRC, NWF_F_PORT_DST},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i][0] == field) {
            return pairs[i][1];
        }
        if (pairs[i][1] == field) {
            return pairs[i][0];
        }
    }
    return field;
}

const struct nwf_protocol *
nwf_protocol_get(size_t i)
{
    return i < N_PROTOCOLS ? &protocols[i] : NULL;
}

const struct nwf_protocol *
nwf_protocol_find(const char *name)
{
    for (size_t i = 0; i < N_PROTOCOLS; i++) {
        if (!strcmp(protocols[i].name, name)) {
            return &protocols[i];
        }
    }
    return NULL;
}

const struct nwf_attr_def *
nwf_attr_find(const struct nwf_protocol *protocol, const char *name)
{
    for (const struct nwf_attr_def *a = protocol->attrs; a && a->name; a++) {
        if (!strcmp(a->name, name)) {
            return a;
        }
    }
    return NULL;
}

const char *
nwf_protocol_near(const char *name)
{
    const char *near = NULL;
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < N_PROTOCOLS; i++) {
        nwf_text_keep_nearer(name, protocols[i].name, &near, &least);
    }
    return near;
}

const char *
nwf_attr_near(const struct nwf_protocol *protocol, const char *name)
{
    const char *near = NULL;
    size_t least = SIZE_MAX;

    for (const struct nwf_attr_def *a = protocol->attrs; a && a->name; a++) {
        nwf_text_keep_nearer(name, a->name, &near, &least);
    }
    return near;
}

bool
nwf_protocol_is_flow(const struct nwf_protocol *protocol)
{
    return protocol == &protocols[P_FLOW];
}

bool
nwf_chain_is_root(const char *name)
{
    return !strcmp(name, root_type.prefix);
}

const struct nwf_chain_type *
nwf_chain_type_find(const char *name)
{
    if (nwf_chain_is_root(name)) {
        return &root_type;
    }
    for (size_t i = 0; i < sizeof chain_types / sizeof chain_types[0]; i++) {
        if (!strncmp(chain_types[i].prefix, name, strlen(chain_types[i].prefix))) {
            return &chain_types[i];
        }
    }
    return NULL;
}
