/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames for the compiler's tests: described by their fields, put together as bytes,
 * and seen by Open vSwitch's own parser. */
#ifndef TEST_FRAME_H
#define TEST_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "support.h"

struct ds;
struct flow;

enum fragment { WHOLE, FIRST_FRAGMENT, LATER_FRAGMENT };

/* In what a frame departs from what Open vSwitch looks into. */
enum oddity {
    CLEAR,          /* In nothing. */
    CUT_SHORT,      /* The frame ends inside of its ARP, IPv4 or IPv6 header. */
    CUT_EXTENSION,  /* The packet ends inside of an IPv6 extension header. */
    WRONG_LENGTHS,  /* The lengths in an IP header contradict those of the frame. */
    CUT_TRANSPORT,  /* A first fragment has the ports of TCP or SCTP, and ends there. */
    ZERO_TRANSPORT, /* A transport header is there and is all zeros. */
    ARP_HARDWARE,   /* ARP for another network than Ethernet. */
    ARP_PROTOCOL,   /* ARP for another protocol than IPv4. */
    ARP_OPCODE,     /* Opcode 0, or one that needs more than 8 bits. */
    N_ODDITIES,
};

/* What becomes of a packet in conntrack. */
enum connection {
    CONN_NEW,     /* It begins a connection, or goes on with one that nobody has answered. */
    CONN_AGAIN,   /* From the one who began, after an answer. */
    CONN_ANSWER,  /* To the one who began. */
    CONN_RELATED, /* An ICMP error about a connection. */
    CONN_INVALID,
    N_CONNECTIONS,
};

struct frame {
    enum oddity oddity;
    uint8_t src[6], dst[6];
    bool tagged;
    uint16_t tci;
    uint16_t eth_type; /* Behind the tag; below 0x600 it is a length. */

    uint16_t htype, ptype, op; /* ARP and RARP */
    uint8_t sha[6], tha[6], spa[4], tpa[4];

    uint8_t ip_src[16], ip_dst[16]; /* IPv4: the first four bytes. */
    uint8_t proto, dscp;
    enum fragment fragment;
    uint16_t src_port, dst_port;
    uint8_t icmp_type, icmp_code;

    enum connection connection;
    bool from_host; /* The host itself sent it. */
};

/* Whether Linux leaves the packet out of conntrack: neighbour discovery and the like. */
bool frame_is_untracked(const struct frame *frame);

/* Of TCP: SYN, and of an answer SYN,ACK. */
uint8_t frame_tcp_flags(const struct frame *frame);

bool frame_is_arp(const struct frame *frame); /* Or RARP. */

/* Parses the frame's bytes as ovs-vswitchd does. */
void frame_to_flow(const struct frame *frame, struct flow *ret);

/* A frame out of the same few values that random filters are made of, so that rules
 * meet frames. */
void frame_roll(struct dice *dice, struct frame *ret);

/* The frame in words, for messages. */
void frame_format(const struct frame *frame, struct ds *s);

/* ---- The few values, as filters write them; each list ends with NULL. ---- */

extern const char *const pool_macs[], *const pool_ips[], *const pool_ip6s[];
extern const char *const pool_ports[], *const pool_protos[], *const pool_vids[];
extern const char *const pool_types[], *const pool_ops[], *const pool_dscps[];
extern const char *const pool_icmp_types[], *const pool_icmp_codes[];

const char *pool_pick(struct dice *dice, const char *const *pool);

#endif
