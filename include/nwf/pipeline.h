/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers that all flows of a managed bridge agree on: tables, registers,
 * cookies.  flows/pipeline.flows says what each table is for. */
#ifndef NWF_PIPELINE_H
#define NWF_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

enum nwf_table {
    NWF_TABLE_CLASSIFY = 0,
    NWF_TABLE_LIMITS = 1,   /* First of NWF_N_TABLE_LIMITS. */
    NWF_TABLE_BEFORE = 3,   /* An operator's own: before guests' filters. */
    NWF_TABLE_FROM_VM = 10, /* First of NWF_MAX_STAGES. */
    NWF_TABLE_SENDER = 99,
    NWF_TABLE_FORWARD = 100,
    NWF_TABLE_LEARNED = 101,
    NWF_TABLE_KNOWN = 102,
    NWF_TABLE_FLOOD = 103,
    NWF_TABLE_UNTAG = 104,
    NWF_TABLE_NORMAL = 105,
    NWF_TABLE_BOND = 106,
    NWF_TABLE_LEARN = 107,
    NWF_TABLE_RECEIVERS = 109,
    NWF_TABLE_TO_VM = 110, /* First of NWF_MAX_STAGES. */
    NWF_TABLE_GROUP = 200,
    NWF_TABLE_GUARD = 204,
    NWF_TABLE_GUARD_SENDER = 205,
    NWF_TABLE_OFFENDERS = 206,
    NWF_TABLE_LEAVE = 207,
    NWF_TABLE_BEHIND = 210, /* An operator's own: behind filters, before FORWARD; */
    NWF_TABLE_UPLINK = 211, /* and of what a guarded uplink is about to get. */
    /* Of bridges whose flows route, see src/compile/route.c. */
    NWF_TABLE_ROUTE_ARP = 212,
    NWF_TABLE_ROUTE_ND = 213,
    NWF_TABLE_ROUTE_ANSWER = 214,
    NWF_TABLE_ROUTE_SOURCE = 215,
    NWF_TABLE_ROUTE_TTL = 216,
    NWF_TABLE_ROUTE = 217,
    NWF_TABLE_ROUTE_LEAVE = 218,
    NWF_TABLE_ROUTE_DELIVER = 219,
    NWF_TABLE_ROUTE_ARRIVE = 220,
    NWF_TABLE_ROUTE_ASKED = 221,
    NWF_TABLE_ROUTE_HOST = 222,
    NWF_TABLE_ROUTE_HEARD = 223,
    NWF_TABLE_ROUTE_STATION = 224,
    NWF_TABLE_ROUTE_WIRE = 225,
    /* A table for each word of 32 bits.  Two fields that frames may have at once have none in
     * common, since what is looked at of one would be looked at of both. */
    NWF_TABLE_COMPARE_PORT_SRC = 226,
    NWF_TABLE_COMPARE_PORT_DST = 227,
    NWF_TABLE_COMPARE_NA_TLL = 228,
    NWF_TABLE_COMPARE_ETH_SRC = 230,
    NWF_TABLE_COMPARE_ETH_DST = 232,
    NWF_TABLE_COMPARE_ARP_SHA = 234,
    NWF_TABLE_COMPARE_ARP_SPA = 236,
    NWF_TABLE_COMPARE_IPV4_SRC = 237,
    NWF_TABLE_COMPARE_IPV6_SRC = 238,
    NWF_TABLE_COMPARE_NS_SLL = 242,
    NWF_TABLE_COMPARE_ND_TARGET = 244,
    NWF_TABLE_COMPARE_RARP_MACS = 248,
    NWF_TABLE_COMPARE_RARP_ADDRESSES = 252,
    NWF_TABLE_COMPARE_FIRST = 226,
    NWF_TABLE_COMPARE_LAST = 253,
    NWF_TABLE_END, /* Behind the last. */
};

/* Limits of what a guest sends, whatever its filter says of it: a table each. */
#define NWF_N_TABLE_LIMITS 2

/* Whether an operator's own flows have their place there, above the one of ours that goes on:
 * flows/pipeline.flows says what they may do. */
static inline bool
nwf_is_table_of_operator(uint8_t table)
{
    return table == NWF_TABLE_BEFORE || table == NWF_TABLE_BEHIND || table == NWF_TABLE_UPLINK;
}

/* Tables of one direction's stages. */
#define NWF_MAX_STAGES 89

enum nwf_register {
    NWF_REG_GUEST = 0,    /* OpenFlow port of the guest that a frame is about to be delivered to. */
    NWF_REG_VLAN = 1,     /* The frame's VLAN as an 802.1Q TCI, bit 12 set; 0 for none.  VLAN 0
                           * with bit 12: a priority tag. */
    NWF_REG_KNOWN = 2,    /* OpenFlow port that has the destination, a guest's or a trusted one; 0
                           * if unknown. */
    NWF_REG_RECEIVER = 3, /* Receivers to go on with (NWF_TABLE_RECEIVERS), one of
                           * NWF_RECEIVER_... or a list. */
    NWF_REG_INBOUND = 4,  /* 1 for a frame from a trusted port, else 0. */
    NWF_REG_MEMBER = 5,   /* The member of its bond that a frame for many is taken from; and of a
                           * frame that an isolated guest sends NWF_ISOLATED. */
    NWF_REG_SETS = 6,     /* The first of four: sets that the frame's addresses are in, a bit a
                           * set (src/compile/sets.h). */
    NWF_REG_STRAY = 10,   /* What conntrack does not tell of the packet: an enum nwf_stray. */
    NWF_REG_OFFENCE = 10, /* In NWF_TABLE_OFFENDERS: an enum nwf_offence. */
    NWF_REG_OWNER = 11,   /* NWF_OWNED, and the OpenFlow port of the guest whose own address the
                           * destination is; 0: nobody's.  Or NWF_NOWHERE. */
    NWF_REG_OPERAND = 12, /* What a word of a field is compared with, */
    NWF_REG_OPERAND_MASK = 13, /* and which bits of it count. */
    NWF_REG_COMPARED = 14,     /* A bit for each comparison that a filter needs (src/compile/
                                * guard.c). */
    NWF_REG_EQUAL = 15,        /* What came of a comparison: 1 if all words are equal. */

    /* Behind the filter of who sends, where flows route. */
    NWF_REG_SWAP = 12,    /* One of two addresses that change places. */
    NWF_REG_INWARD = 13,  /* 1: for the host's kernel unless it is for a guest. */
    NWF_REG_STATION = 14, /* 1: the destination was heard on the uplink. */
    NWF_REG_ROUTED = 15,  /* 1: the host's frame has been here; or the packet is too big. */
};

#define NWF_OWNED 0x10000u
#define NWF_ISOLATED 0x10000u
/* Nobody knows where the destination is, and only trusted ports are to be asked. */
#define NWF_NOWHERE 0x20000u

/* See src/compile/stray.c. */
enum nwf_stray {
    NWF_STRAY_NONE,
    NWF_STRAY_INVALID, /* To Linux it is invalid. */
    NWF_STRAY_DOUBT,   /* It may be in any state. */
    NWF_STRAY_ERROR,   /* An invalid error of ICMP that may be related. */
};

/* In NWF_TABLE_FORWARD of bridges whose flows route: frames from outside of the bridge, questions
 * that guests ask, packets for other places, and other frames for the host. */
#define NWF_PRIORITY_ROUTE_OUTSIDE 600
#define NWF_PRIORITY_ROUTE_ASKED 520
#define NWF_PRIORITY_ROUTE_PACKET 450
#define NWF_PRIORITY_ROUTE_HOST 440
#define NWF_PRIORITY_ROUTE_STATION 150

/* Why a frame does not leave a NIC that is guarded. */
enum nwf_offence {
    NWF_OFFENCE_NONE,
    NWF_OFFENCE_SOURCE, /* Its Ethernet source is not allowed, or not in its VLAN; */
    NWF_OFFENCE_IP,     /* or not with its IP address. */
    NWF_OFFENCE_ARP,    /* ARP's sender is another station. */
    NWF_OFFENCE_ND,     /* Neighbour discovery speaks of another, or is not for hosts. */
    NWF_N_OFFENCES,
};

/* In the first table towards guests: a guest's rows, frames with a tag that is not seen, the
 * rows of a guest that gets every frame, and frames of an isolated guest for another. */
#define NWF_PRIORITY_ROWS 65000
#define NWF_PRIORITY_HIDDEN_TAG 65100
#define NWF_PRIORITY_OPEN_ROWS 65500
#define NWF_PRIORITY_ISOLATED 65535

/* In NWF_TABLE_SENDER: the host's own addresses, the guest's own, all others. */
#define NWF_PRIORITY_SENDER_HOST 300
#define NWF_PRIORITY_SENDER_OWN 200
#define NWF_PRIORITY_SENDER 100

/* In NWF_TABLE_FORWARD, guests' own addresses: in one VLAN, in all. */
#define NWF_PRIORITY_OWN_VLAN 300
#define NWF_PRIORITY_OWN 200

/* In NWF_TABLE_KNOWN: in one VLAN, in all others; and addresses that are known to be nowhere. */
#define NWF_PRIORITY_KNOWN_VLAN 200
#define NWF_PRIORITY_KNOWN 100
#define NWF_PRIORITY_NOWHERE 1

/* In NWF_TABLE_LEARN, the most special first: the uplink's where flows route, VLANs where nothing
 * is learned, a VLAN of a port's own, all others.  And in NWF_TABLE_LEARNED: a guest's own address
 * that is where the guest is, and what is learned of all others. */
#define NWF_PRIORITY_LEARN_ROUTED 400
#define NWF_PRIORITY_LEARN_FLOODED 300
#define NWF_PRIORITY_LEARN_OWN_VLAN 200
#define NWF_PRIORITY_LEARN_OTHER_VLANS 100
#define NWF_PRIORITY_PINNED 200
#define NWF_PRIORITY_LEARNED 100

/* In reg3. */
#define NWF_RECEIVER_GUEST 0   /* The one in reg0. */
#define NWF_RECEIVER_TRUSTED 1 /* The one in reg2. */
#define NWF_RECEIVER_GUARDED 2 /* The same by NWF_TABLE_GUARD. */
#define NWF_RECEIVER_LIST (1u << 30)
/* Access ports, which get no frame with another tag inside of their VLAN's. */
#define NWF_RECEIVER_ACCESS (1u << 31)

/* Meters: a guest's limits.  Numbers from here on are ours, by the limit and the port. */
#define NWF_METER_FIRST UINT32_C(0x6e760000)

static inline uint32_t
nwf_meter_id(uint32_t limit, uint16_t ofport)
{
    return NWF_METER_FIRST + (limit << 16 | ofport);
}

static inline bool
nwf_is_meter(uint32_t id)
{
    return id >= NWF_METER_FIRST && id < NWF_METER_FIRST + 0x40000;
}

/* Cookie: 24 bits "nwf", 8 bits kind, 16 bits OpenFlow port, 16 bits rule.  The
 * rule is its index in the port's program; 0xffff and above share the last.  Kinds
 * of rules have bit 0x10, so that a mask tells them from what ports share. */
enum nwf_cookie_kind {
    NWF_COOKIE_FIXED = 1,       /* Of the pipeline, no port's. */
    NWF_COOKIE_CLASSIFY = 2,    /* A guest's way in, where it is heard, and how it is reached. */
    NWF_COOKIE_FROM_VM = 0x11,  /* A rule of a guest, direction out. */
    NWF_COOKIE_TO_VM = 0x12,    /* A rule of a guest, direction in. */
    NWF_COOKIE_DELIVER = 5,     /* A guest's own address. */
    NWF_COOKIE_TRUSTED = 6,     /* From and to a trusted port. */
    NWF_COOKIE_FLOOD = 7,       /* To all of a VLAN. */
    NWF_COOKIE_QUARANTINE = 8,  /* A port that nothing passes. */
    NWF_COOKIE_PENDING = 9,     /* Matches nothing; while it is there, cached flows may be old. */
    NWF_COOKIE_PINNED = 10,     /* A guest was heard: made by the switch, and kept by us. */
    NWF_COOKIE_GUARD = 11,      /* Of the uplink guard. */
    NWF_COOKIE_ROUTE = 12,      /* Of routing: a guest's, or with port 0 the uplink's. */
    NWF_COOKIE_LEARNED = 0x81,  /* Made by the switch itself (learn action), */
    NWF_COOKIE_OFFENDER = 0x82, /* and so: who has sent what the uplink guard has kept back. */
};

#define NWF_COOKIE_MAGIC (UINT64_C(0x6e7766) << 40)
/* Selects what we install.  Learned flows have bit 39 and come and go by themselves. */
#define NWF_COOKIE_MASK ((UINT64_C(0xffffff) << 40) | (UINT64_C(1) << 39))
/* Selects learned flows too. */
#define NWF_COOKIE_ALL_MASK (UINT64_C(0xffffff) << 40)

/* Within NWF_COOKIE_MASK: rules, and all that is no rule. */
#define NWF_COOKIE_RULE_BIT (UINT64_C(0x10) << 32)
/* The port of a cookie. */
#define NWF_COOKIE_PORT_MASK (UINT64_C(0xffff) << 16)

#define NWF_COOKIE_NO_RULE 0xffff

static inline uint64_t
nwf_cookie(enum nwf_cookie_kind kind, uint16_t port, uint32_t rule)
{
    return NWF_COOKIE_MAGIC | (uint64_t) kind << 32 | (uint64_t) port << 16
           | (rule < NWF_COOKIE_NO_RULE ? rule : NWF_COOKIE_NO_RULE);
}

static inline enum nwf_cookie_kind
nwf_cookie_kind(uint64_t cookie)
{
    return (enum nwf_cookie_kind)(cookie >> 32 & 0xff);
}

static inline uint16_t
nwf_cookie_port(uint64_t cookie)
{
    return (uint16_t) (cookie >> 16);
}

static inline uint32_t
nwf_cookie_rule(uint64_t cookie)
{
    return cookie & 0xffff;
}

/* Which rule a program's end stands for: the frame matched none. */
#define NWF_RULE_END (NWF_COOKIE_NO_RULE - 1)
/* And what stands for isolation, which drops a frame before the rules. */
#define NWF_RULE_ISOLATED (NWF_COOKIE_NO_RULE - 2)

#endif
