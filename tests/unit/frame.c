/* SPDX-License-Identifier: Apache-2.0
 *
 * See frame.h. */
#include <config.h>

#include "frame.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "nwf/value.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/flow.h"

#include "lib/dp-packet.h"
#include "lib/flow.h"

#define ETH_ARP 0x0806
#define ETH_RARP 0x8035
#define ETH_IPV4 0x0800
#define ETH_IPV6 0x86dd
#define ETH_VLAN 0x8100

const char *const pool_macs[] = {
    "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:01:02", "52:54:00:00:00:03",
    "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:00", "33:33:00:00:00:01", NULL,
};
const char *const pool_ips[] = {
    "10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.200", "224.0.0.1", "0.0.0.0", NULL,
};
const char *const pool_ip6s[] = {
    "fe80::1", "fe80::2", "2001:db8::1", "2001:db8:8000::1", "ff02::1", "::", NULL,
};
const char *const pool_ports[] = {"0", "22", "67", "68", "80", "1023", "1024", "65535", NULL};
const char *const pool_protos[] = {"6", "17", "132", "1", "58", "2", "136", "59", "255", NULL};
const char *const pool_vids[] = {"0", "1", "5", "4094", NULL};
const char *const pool_types[] = {
    "0x800", "0x806", "0x8035", "0x86dd", "0x8100", "0x835", "0x600", NULL,
};
const char *const pool_ops[] = {"1", "2", "3", "9", "255", NULL};
const char *const pool_dscps[] = {"0", "10", "46", "63", NULL};
const char *const pool_icmp_types[] = {"0", "128", "133", "134", "135", "255", NULL};
const char *const pool_icmp_codes[] = {"0", "1", "255", NULL};

const char *
pool_pick(struct dice *dice, const char *const *pool)
{
    uint32_t n = 0;

    while (pool[n]) {
        n++;
    }
    return pool[dice_roll(dice, n)];
}

bool
frame_is_arp(const struct frame *frame)
{
    return frame->eth_type == ETH_ARP || frame->eth_type == ETH_RARP;
}

/* ---- Bytes. ---- */

static void
put(struct dp_packet *p, const void *data, size_t size)
{
    dp_packet_put(p, data, size);
}

static void
put8(struct dp_packet *p, uint8_t n)
{
    put(p, &n, 1);
}

static void
put16(struct dp_packet *p, uint16_t n)
{
    n = htons(n);
    put(p, &n, 2);
}

static void
put_arp(struct dp_packet *p, const struct frame *f)
{
    put16(p, f->htype);
    put16(p, f->ptype);
    put8(p, 6);
    put8(p, 4);
    put16(p, f->op);
    put(p, f->sha, 6);
    put(p, f->spa, 4);
    put(p, f->tha, 6);
    put(p, f->tpa, 4);
}

/* Bytes of the transport header that are there. */
static uint16_t
transport_size(const struct frame *f)
{
    return f->oddity == CUT_TRANSPORT ? 8 : 24;
}

uint8_t
frame_tcp_flags(const struct frame *f)
{
    return f->connection == CONN_ANSWER ? 0x12 : 0x02;
}

static void
put_transport(struct dp_packet *p, const struct frame *f)
{
    if (f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6) {
        put8(p, f->icmp_type);
        put8(p, f->icmp_code);
        put16(p, 0);
    } else {
        put16(p, f->src_port);
        put16(p, f->dst_port);
    }
    dp_packet_put_zeros(p, 4);
    if (transport_size(f) > 8) {
        dp_packet_put_zeros(p, 4);
        put8(p, 0x50); /* TCP: a header of 20 bytes. */
        put8(p, frame_tcp_flags(f));
        dp_packet_put_zeros(p, transport_size(f) - 14u);
    }
}

static void
put_ipv4(struct dp_packet *p, const struct frame *f)
{
    /* Of each kind some: a packet longer than its frame, or shorter than its header; a
     * header that is too short. */
    static const uint16_t wrong_sizes[] = {0xffff, 12, 0, 44};
    unsigned int kind = f->ip_dst[3] % 4u;
    bool wrong = f->oddity == WRONG_LENGTHS;

    put8(p, wrong && kind == 3 ? 0x44 : 0x45);
    put8(p, (uint8_t) (f->dscp << 2));
    put16(p, wrong ? wrong_sizes[kind] : (uint16_t) (20 + transport_size(f)));
    put16(p, 1);
    put16(p, f->fragment == FIRST_FRAGMENT ? 0x2000 : f->fragment == LATER_FRAGMENT ? 3 : 0);
    put8(p, 64);
    put8(p, f->proto);
    put16(p, 0);
    put(p, f->ip_src, 4);
    put(p, f->ip_dst, 4);
    put_transport(p, f);
}

static void
put_ipv6(struct dp_packet *p, const struct frame *f)
{
    bool cut = f->oddity == CUT_EXTENSION, fragment = f->fragment != WHOLE;

    put16(p, (uint16_t) (0x6000 | f->dscp << 6));
    put16(p, 0);
    put16(p, f->oddity == WRONG_LENGTHS
                 ? 0xffff
                 : (uint16_t) ((cut ? 8 : transport_size(f)) + (fragment ? 8 : 0)));
    put8(p, fragment ? IPPROTO_FRAGMENT : cut ? IPPROTO_DSTOPTS : f->proto);
    put8(p, 64);
    put(p, f->ip_src, 16);
    put(p, f->ip_dst, 16);
    if (fragment) {
        put8(p, cut ? IPPROTO_DSTOPTS : f->proto);
        put8(p, 0);
        put16(p, f->fragment == FIRST_FRAGMENT ? 1 : 24);
        put16(p, 0);
        put16(p, 1);
    }
    if (cut) {
        put8(p, f->proto);
        put8(p, 2); /* 24 bytes, of which 8 are there. */
        dp_packet_put_zeros(p, 6);
    } else {
        put_transport(p, f);
    }
}

static void
put_body(struct dp_packet *p, const struct frame *f)
{
    size_t start = dp_packet_size(p);

    switch (f->eth_type) {
    case ETH_ARP:
    case ETH_RARP:
        put_arp(p, f);
        break;
    case ETH_IPV4:
        put_ipv4(p, f);
        break;
    case ETH_IPV6:
        put_ipv6(p, f);
        break;
    default:
        dp_packet_put_zeros(p, 46);
        break;
    }
    if (f->oddity == CUT_SHORT) {
        dp_packet_set_size(p, (uint32_t) start + 12);
    }
}

void
frame_to_flow(const struct frame *frame, struct flow *ret)
{
    struct dp_packet packet;

    flow_limit_vlans(1); /* other_config:vlan-limit's default */
    dp_packet_init(&packet, 128);
    pkt_metadata_init(&packet.md, ODP_PORT_C(1));
    put(&packet, frame->dst, 6);
    put(&packet, frame->src, 6);
    if (frame->tagged) {
        put16(&packet, ETH_VLAN);
        put16(&packet, frame->tci);
    }
    put16(&packet, frame->eth_type);
    put_body(&packet, frame);
    flow_extract(&packet, ret);
    dp_packet_uninit(&packet);
}

/* ---- Random frames. ---- */

static void
roll_bytes(struct dice *dice, enum nwf_type type, const char *const *pool, uint8_t *ret)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_masked m;

    expect_ok(nwf_value_parse(type, NULL, pool_pick(dice, pool), &m, &err), &err);
    memcpy(ret, m.value.bytes, m.value.len);
}

static uint16_t
roll_number(struct dice *dice, const char *const *pool)
{
    return (uint16_t) strtol(pool_pick(dice, pool), NULL, 0);
}

/* Mostly a value of the pool, at times one beside it. */
static uint16_t
roll_near(struct dice *dice, const char *const *pool, uint16_t max)
{
    uint32_t n = roll_number(dice, pool) + (dice_roll(dice, 4) ? 0 : dice_roll(dice, 3));

    return (uint16_t) (n > max ? max : n);
}

static void
roll_arp(struct dice *dice, struct frame *f)
{
    f->htype = f->oddity == ARP_HARDWARE ? 6 : 1;
    f->ptype = f->oddity == ARP_PROTOCOL ? 0x86dd : ETH_IPV4;
    f->op = roll_near(dice, pool_ops, 255);
    if (f->oddity == ARP_OPCODE) {
        f->op = dice_roll(dice, 2) ? 0 : 256 + 1;
    }
    roll_bytes(dice, NWF_T_MAC, pool_macs, f->sha);
    roll_bytes(dice, NWF_T_MAC, pool_macs, f->tha);
    roll_bytes(dice, NWF_T_IP4, pool_ips, f->spa);
    roll_bytes(dice, NWF_T_IP4, pool_ips, f->tpa);
}

static void
roll_ip(struct dice *dice, struct frame *f)
{
    bool is_v4 = f->eth_type == ETH_IPV4;

    roll_bytes(dice, is_v4 ? NWF_T_IP4 : NWF_T_IP6, is_v4 ? pool_ips : pool_ip6s, f->ip_src);
    roll_bytes(dice, is_v4 ? NWF_T_IP4 : NWF_T_IP6, is_v4 ? pool_ips : pool_ip6s, f->ip_dst);
    f->proto = (uint8_t) roll_number(dice, pool_protos);
    f->dscp = (uint8_t) roll_number(dice, pool_dscps);
    f->src_port = roll_near(dice, pool_ports, 65535);
    f->dst_port = roll_near(dice, pool_ports, 65535);
    f->icmp_type = (uint8_t) roll_near(dice, pool_icmp_types, 255);
    f->icmp_code = (uint8_t) roll_near(dice, pool_icmp_codes, 255);
    f->fragment = dice_roll(dice, 5) ? WHOLE : (enum fragment) dice_roll(dice, 3);
    if (f->oddity == CUT_TRANSPORT) {
        f->proto = dice_roll(dice, 2) ? IPPROTO_TCP : IPPROTO_SCTP;
        f->fragment = FIRST_FRAGMENT;
    } else if (f->oddity == CUT_EXTENSION && f->fragment == LATER_FRAGMENT) {
        f->fragment = FIRST_FRAGMENT; /* What follows in a later one is no header. */
    }
}

static void
roll_oddity(struct dice *dice, struct frame *f)
{
    bool is_ip = f->eth_type == ETH_IPV4 || f->eth_type == ETH_IPV6;

    if (dice_roll(dice, 4) || (!is_ip && !frame_is_arp(f))) {
        return;
    }
    if (frame_is_arp(f)) {
        static const enum oddity of_arp[] = {CUT_SHORT, ARP_HARDWARE, ARP_PROTOCOL, ARP_OPCODE};
        f->oddity = of_arp[dice_roll(dice, N_ROWS(of_arp))];
    } else {
        static const enum oddity of_ip[] = {CUT_SHORT, CUT_EXTENSION, CUT_TRANSPORT, WRONG_LENGTHS};
        f->oddity = of_ip[dice_roll(dice, N_ROWS(of_ip))];
        if (f->oddity == CUT_EXTENSION && f->eth_type == ETH_IPV4) {
            f->oddity = CLEAR;
        }
    }
}

/* A transport header of zeros, where no flag tells it from one that is not there. */
static bool
is_transport_zero(const struct frame *f)
{
    if (f->fragment == LATER_FRAGMENT) {
        return false; /* It has none. */
    }
    return f->proto == IPPROTO_ICMPV6 ? !f->icmp_type && !f->icmp_code
                                      : f->proto != IPPROTO_TCP && !f->src_port && !f->dst_port;
}

/* Whether conntrack finds what is behind the packet's headers. */
static bool
is_readable(const struct frame *f)
{
    return f->oddity != CUT_SHORT && f->oddity != CUT_EXTENSION && f->oddity != WRONG_LENGTHS;
}

bool
frame_is_untracked(const struct frame *f)
{
    bool type = (f->icmp_type >= 130 && f->icmp_type <= 136) || f->icmp_type == 143;

    return f->eth_type == ETH_IPV6 && f->proto == IPPROTO_ICMPV6 && type
           && f->fragment != LATER_FRAGMENT && is_readable(f);
}

/* A later fragment is of a connection that its packet's header fits. */
static void
roll_connection(struct dice *dice, struct frame *f)
{
    bool is_later = f->fragment == LATER_FRAGMENT;
    bool is_icmp = f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;

    f->connection = (enum connection) dice_roll(dice, is_later ? CONN_RELATED : N_CONNECTIONS);
    if (!is_readable(f)) {
        f->connection = CONN_INVALID;
    }
    f->from_host = !dice_roll(dice, 8);
    if (is_later && is_icmp && f->connection == CONN_ANSWER) {
        f->icmp_type = f->eth_type == ETH_IPV6 ? 129 : 0;
    }
}

void
frame_roll(struct dice *dice, struct frame *ret)
{
    static const uint16_t bodies[] = {ETH_ARP, ETH_RARP, ETH_IPV4, ETH_IPV4, ETH_IPV6, ETH_IPV6};

    memset(ret, 0, sizeof *ret);
    roll_bytes(dice, NWF_T_MAC, pool_macs, ret->src);
    roll_bytes(dice, NWF_T_MAC, pool_macs, ret->dst);
    ret->tagged = !dice_roll(dice, 4);
    ret->tci = (uint16_t) (roll_number(dice, pool_vids) | dice_roll(dice, 8) << 13);
    ret->eth_type = dice_roll(dice, 4) ? bodies[dice_roll(dice, N_ROWS(bodies))]
                                       : roll_number(dice, pool_types);
    if (!dice_roll(dice, 20)) {
        ret->eth_type = 46; /* A length: 802.3 */
    } else if (ret->eth_type == ETH_VLAN && !ret->tagged) {
        ret->eth_type = ETH_ARP; /* A tag is 'tagged' here; two tags are both. */
    }
    roll_oddity(dice, ret);
    if (frame_is_arp(ret)) {
        roll_arp(dice, ret);
    } else {
        roll_ip(dice, ret);
        roll_connection(dice, ret);
        if (ret->oddity == CLEAR && is_transport_zero(ret)) {
            ret->oddity = ZERO_TRANSPORT;
        }
    }
}

/* ---- In words. ---- */

static void
format_hex(struct ds *s, const char *name, const uint8_t *bytes, size_t n)
{
    ds_put_format(s, " %s=", name);
    for (size_t i = 0; i < n; i++) {
        ds_put_format(s, "%02x", bytes[i]);
    }
}

void
frame_format(const struct frame *f, struct ds *s)
{
    ds_put_format(s, "oddity=%d", f->oddity);
    format_hex(s, "src", f->src, 6);
    format_hex(s, "dst", f->dst, 6);
    if (f->tagged) {
        ds_put_format(s, " tci=%04x", f->tci);
    }
    ds_put_format(s, " type=%04x", f->eth_type);
    if (frame_is_arp(f)) {
        ds_put_format(s, " htype=%u ptype=%04x op=%u", f->htype, f->ptype, f->op);
        format_hex(s, "sha", f->sha, 6);
        format_hex(s, "tha", f->tha, 6);
        format_hex(s, "spa", f->spa, 4);
        format_hex(s, "tpa", f->tpa, 4);
    } else if (f->eth_type == ETH_IPV4 || f->eth_type == ETH_IPV6) {
        size_t n = f->eth_type == ETH_IPV4 ? 4 : 16;
        format_hex(s, "ip_src", f->ip_src, n);
        format_hex(s, "ip_dst", f->ip_dst, n);
        ds_put_format(s, " proto=%u dscp=%u fragment=%d ports=%u,%u icmp=%u,%u", f->proto, f->dscp,
                      f->fragment, f->src_port, f->dst_port, f->icmp_type, f->icmp_code);
        ds_put_format(s, " connection=%d%s", f->connection, f->from_host ? " from the host" : "");
    }
}
