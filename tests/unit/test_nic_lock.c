/* SPDX-License-Identifier: Apache-2.0
 *
 * The second lock, with the kernel's nftables and real frames, in a network namespace of the
 * test's own: foreign frames do not leave a NIC, good ones of the same batch all do, and nobody
 * else's rules are touched. */
#include <config.h>

#include "support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nic_lock_text.h"
#include "nwf/cleanup.h"
#include "nwf/nic_lock.h"
#include "nwf/text.h"

#define NIC "nic0"
#define MAX_FRAMES 600
#define SKIPPED 77 /* To meson. */

static const struct nwf_mac own = {{0x52, 0x54, 0, 0, 0, 1}};
static const struct nwf_mac bought = {{0x00, 0x50, 0x56, 0, 0, 2}};
static const struct nwf_mac in_vlan = {{0x52, 0x54, 0, 0, 0, 3}};
static const struct nwf_mac foreign = {{0x52, 0x54, 0, 0, 0, 9}};

/* A frame under construction. */
struct frame {
    uint8_t data[160];
    size_t n;
};

static void
put(struct frame *f, const void *data, size_t n)
{
    assert_true(f->n + n <= sizeof f->data);
    memcpy(f->data + f->n, data, n);
    f->n += n;
}

static void
put16(struct frame *f, uint16_t value)
{
    put(f, (uint8_t[]){(uint8_t) (value >> 8), (uint8_t) value}, 2);
}

static void
put_zeros(struct frame *f, size_t n)
{
    static const uint8_t zeros[100];

    put(f, zeros, n);
}

/* Destination, source and VLAN tags.  A tag's upper half is its Ethernet type; 0 ends them. */
static struct frame
ethernet(const struct nwf_mac *src, uint32_t outer, uint32_t inner)
{
    struct frame f = {.n = 0};

    put(&f, (uint8_t[]){2, 2, 2, 2, 2, 2}, 6);
    put(&f, src, sizeof *src);
    for (size_t i = 0; i < 2; i++) {
        uint32_t tag = i ? inner : outer;
        if (tag) {
            put16(&f, (uint16_t) (tag >> 16));
            put16(&f, (uint16_t) tag);
        }
    }
    return f;
}

#define TAG(VID) (0x81000000 | (VID))
#define SERVICE_TAG(VID) (0x88a80000 | (VID))

static struct frame
ipv4(const struct nwf_mac *src, uint32_t outer, uint32_t inner, uint8_t host)
{
    struct frame f = ethernet(src, outer, inner);

    put16(&f, 0x0800);
    put(&f, (uint8_t[]){0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0}, 12);
    put(&f, host ? (uint8_t[]){10, 0, 0, host} : (uint8_t[]){0, 0, 0, 0}, 4);
    put_zeros(&f, 24);
    return f;
}

static struct frame
arp(const struct nwf_mac *src, const struct nwf_mac *sender, uint32_t outer, uint32_t inner,
    uint16_t type, uint8_t host)
{
    struct frame f = ethernet(src, outer, inner);

    put16(&f, type);
    put(&f, (uint8_t[]){0, 1, 8, 0, 6, 4, 0, 1}, 8);
    put(&f, sender, sizeof *sender);
    put(&f, (uint8_t[]){10, 0, 0, host}, 4);
    put_zeros(&f, 10);
    return f;
}

/* Neighbour discovery of 'type' whose link-layer option, at byte 'at' of the message, is
 * 'sender'; an option of type 0 for none. */
static struct frame
nd(const struct nwf_mac *src, const struct nwf_mac *sender, uint32_t tag, uint8_t type, size_t at,
   uint8_t option)
{
    struct frame f = ethernet(src, tag, 0);

    put16(&f, 0x86dd);
    put(&f, (uint8_t[]){0x60, 0, 0, 0, 0, (uint8_t) (at + 8), 58, 255}, 8);
    put(&f, (uint8_t[]){0xfe, 0x80, [15] = 1}, 16);
    put(&f, (uint8_t[]){0xff, 2, [15] = 1}, 16);
    put(&f, &type, 1);
    put_zeros(&f, at - 1);
    put(&f, (uint8_t[]){option, 1}, 2);
    put(&f, sender, sizeof *sender);
    return f;
}

static struct frame
ipv6(const struct nwf_mac *src, uint8_t host)
{
    struct frame f = ethernet(src, 0, 0);

    put16(&f, 0x86dd);
    put(&f, (uint8_t[]){0x60, 0, 0, 0, 0, 8, 17, 64}, 8);
    put(&f, (uint8_t[]){0x20, 0x01, 0x0d, 0xb8, [15] = host}, 16);
    put_zeros(&f, 24);
    return f;
}

static struct frame
short_arp(const struct nwf_mac *src)
{
    struct frame f = ethernet(src, 0, 0);

    put16(&f, 0x0806);
    put_zeros(&f, 4);
    return f;
}

/* The wire */

static int
open_packet(const char *device)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int) if_nametoindex(device)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){4 << 20}, sizeof(int));
    return fd;
}

/* Sends 'n' frames in one batch, each with its number behind it, and marks those that arrive on
 * the wire, which frames[] of a last one (always good) tells the end of. */
static void
exchange(const struct frame *frames, size_t n, bool arrived[])
{
    static struct frame copies[MAX_FRAMES + 1];
    static struct iovec parts[MAX_FRAMES + 1];
    static struct mmsghdr batch[MAX_FRAMES + 1];
    int from = open_packet(NIC), to = open_packet("wire0");

    memset(arrived, 0, n * sizeof *arrived);
    for (size_t i = 0; i <= n; i++) {
        copies[i] = i < n ? frames[i] : ipv4(&own, 0, 0, 1);
        put16(&copies[i], 0xa5a5);
        put16(&copies[i], (uint16_t) i);
        parts[i] = (struct iovec){copies[i].data, copies[i].n};
        batch[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    /* Nothing that is refused is an error, which would end the batch. */
    assert_int_equal(sendmmsg(from, batch, (unsigned int) n + 1, 0), n + 1);
    for (;;) {
        uint8_t data[256];
        struct pollfd ready = {.fd = to, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 10000), 1);
        ssize_t got = recv(to, data, sizeof data, 0);
        if (got < 4 || data[got - 4] != 0xa5 || data[got - 3] != 0xa5) {
            continue;
        }
        size_t i = (size_t) data[got - 2] << 8 | data[got - 1];
        if (i == n) {
            break;
        }
        assert_true(i < n);
        arrived[i] = true;
    }
    close(from);
    close(to);
}

static bool
leaves(struct frame frame)
{
    bool arrived;

    exchange(&frame, 1, &arrived);
    return arrived;
}

/* Runs a command of the host and returns its output. */
static char *
shell(const char *command)
{
    char *line = nwf_asprintf("PATH=$PATH:/usr/sbin:/sbin; %s", command);
    FILE *pipe = popen(line, "re");
    char *out = nwf_zalloc(1 << 16);

    assert_non_null(pipe);
    size_t n = fread(out, 1, (1 << 16) - 1, pipe);
    out[n] = '\0';
    expect(pclose(pipe) == 0, "%s: %s", command, out);
    free(line);
    return out;
}

static void
do_shell(const char *command)
{
    free(shell(command));
}

static struct nwf_nic_locks
list_of(const struct nwf_nic_lock_mac *macs, size_t n)
{
    struct nwf_nic_locks locks = {0};
    struct nwf_nic_lock_nic *nic = nwf_nic_locks_add(&locks, NIC);

    for (size_t i = 0; i < n; i++) {
        nwf_vec_push(&nic->macs, macs[i]);
    }
    return locks;
}

/* The NIC's own MAC, a bought one with two addresses, and one of a vSwitch's VLAN. */
static struct nwf_nic_locks
usual_list(void)
{
    const struct nwf_nic_lock_mac macs[] = {
        {.mac = own, .vid = NWF_NIC_LOCK_ANY_VLAN},
        {.mac = bought, .address = {AF_INET, {10, 0, 0, 5}, 32}},
        {.mac = bought, .address = {AF_INET, {10, 0, 0, 8}, 30}},
        {.mac = bought, .address = {AF_INET6, {0x20, 1, 0x0d, 0xb8, [15] = 5}, 128}},
        {.mac = in_vlan, .vid = 4000},
    };

    return list_of(macs, N_ROWS(macs));
}

static int
apply_to(const char *bridge, struct nwf_nic_locks locks)
{
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_nic_lock_apply(bridge, &locks, &err);

    expect(r >= 0, "%s", nwf_error_text(&err));
    nwf_nic_locks_clear(&locks);
    return r;
}

static uint64_t
packets_of(const struct nwf_mac *mac, uint16_t vid)
{
    struct nwf_nic_lock_counters counters = {0};
    struct nwf_error err = NWF_ERROR_INIT;
    uint64_t packets = 0;

    expect_ok(nwf_nic_lock_counters("br0", &counters, &err), &err);
    nwf_vec_foreach (offender, &counters.offenders) {
        assert_string_equal(offender->nic, NIC);
        assert_true(offender->last_seen < 60);
        if (!memcmp(&offender->mac, mac, sizeof *mac) && offender->vid == vid) {
            packets += offender->packets;
        }
    }
    nwf_nic_lock_counters_clear(&counters);
    return packets;
}

static int
world_up(void **state)
{
    (void) state;
    do_shell("ip link add " NIC " address 52:54:00:00:00:01 type veth peer name wire0");
    do_shell("for i in " NIC " wire0; do ip link set $i addrgenmode none up; done");
    return 0;
}

static int
world_down(void **state)
{
    (void) state;
    do_shell("ip link del " NIC);
    do_shell("nft flush ruleset");
    return 0;
}

static void
test_frames(void **state)
{
    const struct {
        const char *what;
        struct frame frame;
        bool leaves;
    } rows[] = {
        {"own", ipv4(&own, 0, 0, 77), true},
        {"own in a VLAN", ipv4(&own, TAG(7), 0, 77), true},
        {"own in a VLAN of a MAC", ipv4(&own, TAG(4000), 0, 77), true},
        {"own in a service VLAN", ipv4(&own, SERVICE_TAG(7), TAG(9), 77), true},
        {"own, priority tag", ipv4(&own, TAG(0xe000), 0, 77), true},
        {"foreign", ipv4(&foreign, 0, 0, 77), false},
        {"foreign in a VLAN", ipv4(&foreign, TAG(7), 0, 77), false},
        {"foreign in a MAC's VLAN", ipv4(&foreign, TAG(4000), 0, 77), false},
        {"foreign in a service VLAN", ipv4(&foreign, SERVICE_TAG(4000), 0, 77), false},
        {"foreign, priority tag", ipv4(&foreign, TAG(0), 0, 77), false},
        {"a VLAN's MAC in it", ipv4(&in_vlan, TAG(4000), 0, 77), true},
        {"a VLAN's MAC in it, with priority", ipv4(&in_vlan, TAG(0xafa0), 0, 77), true},
        {"a VLAN's MAC in another", ipv4(&in_vlan, TAG(4001), 0, 77), false},
        {"a VLAN's MAC untagged", ipv4(&in_vlan, 0, 0, 77), false},
        {"a VLAN's MAC below another tag", ipv4(&in_vlan, TAG(1), TAG(4000), 77), false},
        {"bought, its address", ipv4(&bought, 0, 0, 5), true},
        {"bought, its address, priority tag", ipv4(&bought, TAG(0), 0, 5), true},
        {"bought, its prefix's first", ipv4(&bought, 0, 0, 8), true},
        {"bought, its prefix's last", ipv4(&bought, 0, 0, 11), true},
        {"bought, behind its prefix", ipv4(&bought, 0, 0, 12), false},
        {"bought, DHCP", ipv4(&bought, 0, 0, 0), true},
        {"bought, another's address", ipv4(&bought, 0, 0, 6), false},
        {"bought in a VLAN", ipv4(&bought, TAG(4000), 0, 5), false},
        {"bought, its IPv6 address", ipv6(&bought, 5), true},
        {"bought, another's IPv6 address", ipv6(&bought, 6), false},
        {"own, any IPv6 address", ipv6(&own, 6), true},
        {"ARP", arp(&own, &own, 0, 0, 0x0806, 1), true},
        {"ARP of a foreign sender", arp(&own, &foreign, 0, 0, 0x0806, 1), false},
        {"ARP of a bought sender", arp(&own, &bought, 0, 0, 0x0806, 1), true},
        {"ARP, a bought MAC's address", arp(&bought, &bought, 0, 0, 0x0806, 5), true},
        {"ARP, another's address", arp(&bought, &bought, 0, 0, 0x0806, 6), false},
        {"ARP in a VLAN", arp(&own, &own, TAG(7), 0, 0x0806, 1), true},
        {"ARP in a VLAN, foreign", arp(&own, &foreign, TAG(7), 0, 0x0806, 1), false},
        {"ARP in a VLAN, of its MAC", arp(&own, &in_vlan, TAG(4000), 0, 0x0806, 1), true},
        {"ARP in another VLAN", arp(&own, &in_vlan, TAG(7), 0, 0x0806, 1), false},
        {"ARP below two tags", arp(&own, &own, SERVICE_TAG(7), TAG(9), 0x0806, 1), true},
        {"ARP below two, foreign", arp(&own, &foreign, SERVICE_TAG(7), TAG(9), 0x0806, 1), false},
        {"RARP", arp(&own, &own, 0, 0, 0x8035, 1), true},
        {"RARP of a foreign sender", arp(&own, &foreign, 0, 0, 0x8035, 1), false},
        {"ARP that would be padded", short_arp(&own), false},
        {"NS", nd(&own, &own, 0, 135, 24, 1), true},
        {"NS, foreign", nd(&own, &foreign, 0, 135, 24, 1), false},
        {"NS, an option of another kind", nd(&own, &foreign, 0, 135, 24, 14), true},
        {"NA, foreign", nd(&own, &foreign, 0, 136, 24, 2), false},
        {"RS", nd(&own, &own, 0, 133, 8, 1), true},
        {"RS, foreign", nd(&own, &foreign, 0, 133, 8, 1), false},
        {"RA, foreign", nd(&own, &foreign, 0, 134, 16, 1), false},
        {"redirect, foreign", nd(&own, &foreign, 0, 137, 40, 2), false},
        {"NS in a VLAN", nd(&own, &own, TAG(7), 135, 24, 1), true},
        {"NS in a VLAN, foreign", nd(&own, &foreign, TAG(7), 135, 24, 1), false},
        {"echo request", nd(&own, &foreign, 0, 128, 24, 1), true},
    };
    struct frame frames[N_ROWS(rows)];
    bool arrived[N_ROWS(rows)];

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        frames[i] = rows[i].frame;
    }
    exchange(frames, N_ROWS(rows), arrived);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        expect(arrived[i], "%s: does not leave even without a lock", rows[i].what);
    }
    assert_int_equal(apply_to("br0", usual_list()), 1);
    exchange(frames, N_ROWS(rows), arrived);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        expect(arrived[i] == rows[i].leaves, "%s: %s", rows[i].what,
               arrived[i] ? "left" : "did not leave");
    }
}

/* Of 500 frames, every second one foreign, the 250 others all arrive. */
static void
test_batch(void **state)
{
    static struct frame frames[500];
    bool arrived[500];

    (void) state;
    assert_int_equal(apply_to("br0", usual_list()), 1);
    for (size_t i = 0; i < N_ROWS(frames); i++) {
        frames[i] = ipv4(i % 2 ? &foreign : &own, 0, 0, 1);
    }
    exchange(frames, N_ROWS(frames), arrived);
    for (size_t i = 0; i < N_ROWS(frames); i++) {
        expect(arrived[i] == !(i % 2), "frame %zu", i);
    }
    assert_int_equal(packets_of(&foreign, 0), 250);
}

static void
test_empty_list(void **state)
{
    (void) state;
    assert_int_equal(apply_to("br0", list_of(&(struct nwf_nic_lock_mac){.mac = own, .vid = 5}, 1)),
                     1);
    struct frame frames[] = {ipv4(&own, 0, 0, 1), ipv4(&own, TAG(5), 0, 1),
                             ipv4(&own, TAG(6), 0, 1)};
    int from = open_packet(NIC);
    for (size_t i = 0; i < N_ROWS(frames); i++) {
        assert_int_equal(send(from, frames[i].data, frames[i].n, 0), frames[i].n);
    }
    close(from);
    /* Untagged and in VLAN 6 no MAC is allowed, not even the NIC's. */
    assert_int_equal(packets_of(&own, 0), 1);
    assert_int_equal(packets_of(&own, 5), 0);
    assert_int_equal(packets_of(&own, 6), 1);
}

static void
test_counters_stay(void **state)
{
    (void) state;
    assert_int_equal(apply_to("br0", usual_list()), 1);
    assert_false(leaves(ipv4(&foreign, TAG(7), 0, 1)));
    assert_false(leaves(ipv4(&foreign, SERVICE_TAG(8), 0, 1)));
    assert_int_equal(packets_of(&foreign, 7), 1);
    assert_int_equal(packets_of(&foreign, 8), 1);

    assert_int_equal(apply_to("br0", usual_list()), 0);
    assert_int_equal(packets_of(&foreign, 7), 1);

    /* A bond's new MAC, say. */
    const struct nwf_nic_lock_mac macs[] = {{.mac = own, .vid = NWF_NIC_LOCK_ANY_VLAN},
                                            {.mac = foreign, .vid = 8}};
    assert_int_equal(apply_to("br0", list_of(macs, N_ROWS(macs))), 1);
    assert_false(leaves(ipv4(&foreign, TAG(7), 0, 1)));
    assert_true(leaves(ipv4(&foreign, TAG(8), 0, 1)));
    assert_false(leaves(ipv4(&in_vlan, TAG(4000), 0, 1)));
    assert_int_equal(packets_of(&foreign, 7), 2);
    assert_int_equal(packets_of(&foreign, 8), 1);
    assert_int_equal(apply_to("br0", list_of(macs, N_ROWS(macs))), 0);
}

/* More senders than are remembered: the lock holds, and all are counted. */
static void
test_many_offenders(void **state)
{
    static struct frame frames[MAX_FRAMES];
    static bool arrived[MAX_FRAMES];
    struct nwf_nic_lock_counters counters = {0};
    struct nwf_error err = NWF_ERROR_INIT;
    uint64_t packets = 0;

    (void) state;
    assert_int_equal(apply_to("br0", usual_list()), 1);
    for (size_t i = 0; i < MAX_FRAMES; i++) {
        struct nwf_mac mac = {{2, 0, 0, 1, (uint8_t) (i >> 8), (uint8_t) i}};
        frames[i] = ipv4(&mac, 0, 0, 1);
    }
    exchange(frames, MAX_FRAMES, arrived);
    for (size_t i = 0; i < MAX_FRAMES; i++) {
        expect(!arrived[i], "frame %zu left", i);
    }
    expect_ok(nwf_nic_lock_counters("br0", &counters, &err), &err);
    nwf_vec_foreach (offender, &counters.offenders) {
        packets += offender->packets;
    }
    assert_in_range(counters.offenders.n, 128, 257);
    assert_int_equal(counters.rests.n, 1);
    assert_string_equal(counters.rests.data[0].nic, NIC);
    assert_int_equal(packets + counters.rests.data[0].packets, MAX_FRAMES);
    nwf_nic_lock_counters_clear(&counters);
}

/* What others do to our table is noticed and mended. */
static void
test_mended(void **state)
{
    static const char *const damage[] = {
        "nft flush ruleset",
        "nft delete table netdev ovs-nwfilter-br0",
        "nft flush table netdev ovs-nwfilter-br0",
        "nft flush chain netdev ovs-nwfilter-br0 none-nic0",
        "nft insert rule netdev ovs-nwfilter-br0 out-nic0 accept",
        "nft add rule netdev ovs-nwfilter-br0 none-nic0 accept",
        "nft -a list chain netdev ovs-nwfilter-br0 none-nic0 | sed -n '0,/handle/d;s/.*handle //p'"
        " | head -n1 | xargs nft delete rule netdev ovs-nwfilter-br0 none-nic0 handle",
        "nft add chain netdev ovs-nwfilter-br0 strange",
        "nft 'add chain netdev ovs-nwfilter-br0 e { type filter hook egress device wire0 priority "
        "0; policy drop; }'",
        "nft 'add table netdev ovs-nwfilter-br0; delete table netdev ovs-nwfilter-br0; "
        "add table netdev ovs-nwfilter-br0; add chain netdev ovs-nwfilter-br0 out-nic0 { type "
        "filter hook egress device wire0 priority 0; }'",
        "ip link del nic0; ip link add nic0 address 52:54:00:00:00:01 type veth peer name wire0; "
        "for i in nic0 wire0; do ip link set $i addrgenmode none up; done",
    };
    struct nwf_nic_lock_watch *watch;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(nwf_nic_lock_watch_new(&watch, &err), &err);
    assert_int_equal(apply_to("br0", usual_list()), 1);
    for (size_t i = 0; i < N_ROWS(damage); i++) {
        const bool of_rules = !strncmp(damage[i], "nft", 3);
        nwf_nic_lock_watch_run(watch);
        assert_false(nwf_nic_lock_watch_run(watch));
        do_shell(damage[i]);
        expect(!of_rules || nwf_nic_lock_watch_run(watch), "%s: not noticed", damage[i]);
        int r = apply_to("br0", usual_list());
        expect(r == 1 || !of_rules, "%s: nothing mended", damage[i]);
        expect(!leaves(ipv4(&foreign, 0, 0, 1)), "%s: a foreign frame leaves", damage[i]);
        expect(!leaves(arp(&own, &foreign, 0, 0, 0x0806, 1)), "%s: foreign ARP", damage[i]);
        expect(leaves(ipv4(&own, TAG(7), 0, 1)), "%s: our frames do not leave", damage[i]);
        expect(apply_to("br0", usual_list()) == 0, "%s: not at rest", damage[i]);
    }
    nwf_nic_lock_watch_free(watch);
}

static void
test_others_stay(void **state)
{
    (void) state;
    do_shell("nft 'add table netdev other; add chain netdev other c { type filter hook egress "
             "device nic0 priority 5; }; add rule netdev other c ip saddr 192.0.2.1 counter; "
             "add table inet ovs-nwfilter-br0; add set inet ovs-nwfilter-br0 s { type ipv4_addr; "
             "elements = { 192.0.2.1 } }; add table netdev ovs-nwfilter-br00'");
    char *before = shell("nft list ruleset");

    assert_int_equal(apply_to("br0", usual_list()), 1);
    assert_false(leaves(ipv4(&foreign, 0, 0, 1)));
    assert_int_equal(apply_to("br0", (struct nwf_nic_locks){0}), 1);
    char *after = shell("nft list ruleset");
    assert_string_equal(before, after);
    assert_true(leaves(ipv4(&foreign, 0, 0, 1)));
    free(before);
    free(after);
}

static void
test_remove(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    assert_int_equal(nwf_nic_lock_remove("br0", &err), 0);
    assert_int_equal(apply_to("br0", usual_list()), 1);
    assert_int_equal(apply_to("br1", (struct nwf_nic_locks){0}), 0);
    assert_int_equal(nwf_nic_lock_remove("br0", &err), 1);
    assert_int_equal(nwf_nic_lock_remove("br0", &err), 0);
    assert_int_equal(packets_of(&foreign, 0), 0);
    char *rest = shell("nft list ruleset");
    assert_string_equal(rest, "");
    free(rest);
}

/* Names come from tags and from the database: none of them is taken for words of nftables. */
static void
test_names(void **state)
{
    static const char *const bad[] = {
        "",     "0",   "nic0\"; flush ruleset; #", "nic*",       "a b", "a/b",  "$a",   "a;b",
        "a\nb", "a'b", "interface-too-long",       "\xc3\xa9th", "a{b", "a\\b", "@`x`",
    };
    static const char *const odd[] = {
        "br\"",
        "br;x",
        "table",
        "netdev",
        "{",
        "0",
        "br\n",
        "br*",
        "\xff\xfe",
        "/",
        "-",
        "br$x",
        "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"",
    };
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    for (size_t i = 0; i < N_ROWS(bad); i++) {
        struct nwf_nic_locks locks = {0};
        nwf_nic_locks_add(&locks, bad[i]);
        int r = nwf_nic_lock_apply("br0", &locks, &err);
        assert_int_equal(r, -EINVAL);
        expect_error(r, &err, "no name of an interface");
        nwf_nic_locks_clear(&locks);
    }
    for (size_t i = 0; i < N_ROWS(odd); i++) {
        assert_int_equal(apply_to(odd[i], usual_list()), 1);
        assert_int_equal(apply_to(odd[i], usual_list()), 0);
        assert_false(leaves(ipv4(&foreign, 0, 0, 1)));
        assert_int_equal(nwf_nic_lock_remove(odd[i], &err), 1);
    }
    char *rest = shell("nft list ruleset");
    assert_string_equal(rest, "");
    free(rest);
}

static void
test_identifiers(void **state)
{
    char a[NIC_LOCK_NAME_MAX], b[NIC_LOCK_NAME_MAX];

    (void) state;
    nic_lock_identifier("p-", "br+", a);
    assert_string_equal(a, "p-br/2b");
    nic_lock_identifier("p-", "br/2b", b);
    assert_string_not_equal(a, b);
    char *name = nic_lock_name_of("p-", b);
    assert_string_equal(name, "br/2b");
    free(name);
    assert_null(nic_lock_name_of("q-", b));
    name = nic_lock_name_of("p-", "p-x/");
    assert_string_equal(name, "x/");
    free(name);
}

/* Odd names of NICs, which Linux allows, are locked like others. */
static void
test_odd_nic(void **state)
{
    struct nwf_nic_locks locks = {0};

    (void) state;
    nwf_nic_locks_add(&locks, "wan@1-2#~=,+-.");
    nwf_nic_locks_add(&locks, "tcp");
    do_shell("ip link add 'wan@1-2#~=,+-.' type veth peer name tcp");
    assert_int_equal(apply_to("br0", locks), 1);
    char *text = shell("nft list ruleset");
    assert_non_null(strstr(text, "device \"wan@1-2#~=,+-.\""));
    assert_non_null(strstr(text, "device \"tcp\""));
    free(text);
    do_shell("ip link del tcp");
}

static void
test_bounds(void **state)
{
    struct nwf_nic_locks locks = {0};
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    struct nwf_nic_lock_nic *nic = nwf_nic_locks_add(&locks, NIC);
    for (size_t i = 0; i < NWF_NIC_LOCK_MAX_MACS; i++) {
        struct nwf_mac mac = {{2, 0, 0, 2, (uint8_t) (i >> 8), (uint8_t) i}};
        nwf_vec_push(&nic->macs, (struct nwf_nic_lock_mac){.mac = mac, .vid = (uint16_t) i});
    }
    assert_int_equal(nwf_nic_lock_apply("br0", &locks, &err), 1);
    assert_int_equal(nwf_nic_lock_apply("br0", &locks, &err), 0);
    nwf_vec_push(&nic->macs, (struct nwf_nic_lock_mac){.mac = own});
    expect_error(nwf_nic_lock_apply("br0", &locks, &err), &err, "more than 320 MACs");
    nic->macs.n = 1;
    nic->macs.data[0] = (struct nwf_nic_lock_mac){.mac = own, .vid = 4095};
    expect_error(nwf_nic_lock_apply("br0", &locks, &err), &err, "no VLAN");
    nic->macs.data[0] = (struct nwf_nic_lock_mac){.mac = own, .address = {AF_INET, {0}, 33}};
    expect_error(nwf_nic_lock_apply("br0", &locks, &err), &err, "no address");
    nic->macs.data[0] = (struct nwf_nic_lock_mac){.mac = own};
    nwf_nic_locks_add(&locks, NIC);
    expect_error(nwf_nic_lock_apply("br0", &locks, &err), &err, "locked twice");
    nwf_nic_locks_clear(&locks);
}

/* What is forwarded from the bridge's device: a table of its own, made again if somebody has
 * changed it. */
static void
test_sources(void **state)
{
    static const char *const damage[] = {
        "nft flush ruleset",
        "nft flush table inet ovs-nwfilter-from-br0",
        "nft add rule inet ovs-nwfilter-from-br0 forward accept",
        "nft insert rule inet ovs-nwfilter-from-br0 forward accept",
    };
    struct nwf_nic_locks locks = {.sources = true};
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    assert_int_equal(nwf_nic_lock_apply("br0", &locks, &err), 1);
    char *made = shell("nft list ruleset");
    assert_non_null(strstr(made, "iifname \"br0\" fib saddr . iif oif missing"));
    for (size_t i = 0; i < N_ROWS(damage); i++) {
        assert_int_equal(nwf_nic_lock_apply("br0", &locks, &err), 0);
        do_shell(damage[i]);
        assert_int_equal(nwf_nic_lock_apply("br0", &locks, &err), 1);
        char *again = shell("nft list ruleset");
        assert_string_equal(again, made);
        free(again);
    }
    free(made);
    struct nwf_nic_locks usual = usual_list();
    assert_false(nwf_nic_locks_equal(&usual, &locks));
    usual.sources = true;
    assert_int_equal(nwf_nic_lock_apply("br0", &usual, &err), 1);
    assert_int_equal(nwf_nic_lock_apply("br0", &usual, &err), 0);
    usual.sources = false;
    assert_int_equal(nwf_nic_lock_apply("br0", &usual, &err), 1);
    char *left = shell("nft list tables inet");
    assert_string_equal(left, "");
    free(left);
    nwf_nic_locks_clear(&usual);
    assert_int_equal(nwf_nic_lock_apply("br0", &locks, &err), 1);
    assert_int_equal(nwf_nic_lock_remove("br0", &err), 1);
    assert_int_equal(nwf_nic_lock_remove("br0", &err), 0);
    left = shell("nft list ruleset");
    assert_string_equal(left, "");
    free(left);
    expect_error(nwf_nic_lock_apply("b\"r", &locks, &err), &err, "no name");
}

static void
add_deaf(struct nwf_nic_locks *locks, const char *name)
{
    struct nwf_nic_lock_device device = {.index = 0};

    snprintf(device.name, sizeof device.name, "%s", name);
    nwf_vec_push(&locks->deaf, device);
}

/* Guests' devices: one that nftables cannot name leaves the others as they should be, and no
 * other bridge's lock is in the same table. */
static void
test_deaf(void **state)
{
    struct nwf_nic_locks locks = {0}, usual = usual_list();
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    do_shell("ip link add 'vm!1' type veth peer name vm2");
    add_deaf(&locks, "vm!1");
    add_deaf(&locks, "vm2");
    expect_error(nwf_nic_lock_apply("br0", &locks, &err), &err, "vm!1");
    char *made = shell("nft list tables netdev; nft list ruleset");
    assert_non_null(strstr(made, "hook ingress device \"vm2\""));
    assert_null(strstr(made, "vm!1"));
    free(made);
    locks.deaf.n = 0;
    add_deaf(&locks, "vm2");
    assert_int_equal(nwf_nic_lock_apply("br0", &locks, &err), 0);
    do_shell("nft 'delete chain netdev deaf-ovs-nwfilter-br0 in-vm2; add chain netdev "
             "deaf-ovs-nwfilter-br0 in-vm2 { type filter hook ingress device lo priority 0; "
             "policy drop; }'");
    assert_int_equal(nwf_nic_lock_apply("br0", &locks, &err), 1);
    for (size_t i = 0; i < 2; i++) {
        const char *name = i ? "from-br0" : "deaf-br0";
        assert_int_equal(nwf_nic_lock_apply(name, &usual, &err), 1);
        assert_int_equal(nwf_nic_lock_apply("br0", &locks, &err), 0);
        assert_int_equal(nwf_nic_lock_apply(name, &usual, &err), 0);
        assert_int_equal(nwf_nic_lock_remove(name, &err), 1);
    }
    assert_int_equal(nwf_nic_lock_remove("br0", &err), 1);
    char *left = shell("nft list ruleset");
    assert_string_equal(left, "");
    free(left);
    do_shell("ip link del vm2");
    nwf_nic_locks_clear(&usual);
    nwf_nic_locks_clear(&locks);
}

/* From here on there is no socket of netfilter to be had, as on a kernel without it. */
static void
take_netfilter_away(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_NETFILTER, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = N_ROWS(code), .filter = code};

    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* Said, and nothing else happens: neither an end of the process nor a lock that is not one. */
static void
test_kernel_without(void **state)
{
    (void) state;
    pid_t child = fork();
    if (!child) {
        struct nwf_nic_locks locks = usual_list();
        struct nwf_nic_lock_counters counters = {0};
        struct nwf_nic_lock_watch *watch;
        struct nwf_error err = NWF_ERROR_INIT;

        take_netfilter_away();
        int r = nwf_nic_lock_apply("br0", &locks, &err);
        bool good = r == -EOPNOTSUPP
                    && strstr(nwf_error_text(&err), "this kernel lacks a part of nftables");
        good = good && nwf_nic_lock_watch_new(&watch, &err) == -EOPNOTSUPP;
        nwf_error_clear(&err);
        good = good && !nwf_nic_lock_remove("br0", &err) && !err.text;
        good = good && !nwf_nic_lock_counters("br0", &counters, &err) && !counters.rests.n;
        nwf_nic_locks_clear(&locks);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int
main(void)
{
#define ROW(TEST) cmocka_unit_test_setup_teardown(TEST, world_up, world_down)
    const struct CMUnitTest tests[] = {
        ROW(test_frames),         ROW(test_batch),
        ROW(test_empty_list),     ROW(test_counters_stay),
        ROW(test_many_offenders), ROW(test_mended),
        ROW(test_others_stay),    ROW(test_remove),
        ROW(test_names),          cmocka_unit_test(test_identifiers),
        ROW(test_odd_nic),        ROW(test_bounds),
        ROW(test_sources),        ROW(test_deaf),
        ROW(test_kernel_without),
    };

    if (unshare(CLONE_NEWNET)) {
        printf("skipped: no network namespace to be had: %s\n", strerror(errno));
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
