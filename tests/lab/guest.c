/* SPDX-License-Identifier: Apache-2.0
 *
 * The first and only program of a test's virtual machine, as its /init.
 *
 * It loads the network driver and, before the kernel has an address, sends rounds of frames: one
 * of each kind below, clean and forged.  Then the kernel gets the address and answers ARP and
 * ping, a server echoes what comes by TCP, and the rounds go on until the machine is switched
 * off.  The last eight bytes of a frame are the laboratory's stamp (frames.py); its id is the kind
 * (8 bits) and the round (24 bits).
 *
 * The kernel hands words of its command line to us as environment variables: guest_ip; guest_first
 * and guest_pause_ms, the number of rounds before the address and the pause between them;
 * guest_pace_ms, the pause between later ones (0: there are none); guest_victim_mac and
 * guest_victim_ip, whose addresses are forged.
 */

#define _GNU_SOURCE /* For scandir()'s alphasort() and for memcpy()'s relatives. */
#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SHORTEST = 60, STAMP = 8, MODULES_MAX = 32, ECHO_PORT = 7 };

/* From 64 on they are forged. */
enum kind {
    CLEAN_ARP = 1,
    CLEAN_IP = 2,
    FORGED_ARP_SPA = 64,
    FORGED_ARP_SHA,
    FORGED_ARP_WHOLE,
    FORGED_IP,
    FORGED_MAC,
    FORGED_RARP,
    FORGED_IPV6,
};

static const uint8_t kinds[] = {CLEAN_ARP,        FORGED_ARP_SPA, FORGED_ARP_SHA,
                                FORGED_ARP_WHOLE, CLEAN_IP,       FORGED_IP,
                                FORGED_MAC,       FORGED_RARP,    FORGED_IPV6};

struct station {
    uint8_t mac[6];
    uint8_t ip[4];
};

struct frame {
    uint8_t bytes[SHORTEST];
};

struct guest {
    struct station self, victim;
    int packets; /* The packet socket. */
    int control; /* For ioctl(). */
};

/* ---- Small things. ---- */

/* PID 1 must not end: the kernel would panic before the console has shown why. */
static void
die(const char *what)
{
    warn("%s", what);
    for (;;) {
        pause();
    }
}

static void
sleep_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static long
number(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text ? strtol(text, NULL, 10) : otherwise;
}

/* The variable's address, which need not be there. */
static void
address(const char *name, uint8_t ip[4])
{
    const char *text = getenv(name);

    if (text && inet_pton(AF_INET, text, ip) != 1) {
        errno = EINVAL;
        die(name);
    }
}

static void
mac_address(const char *name, uint8_t mac[6])
{
    const char *text = getenv(name);

    if (text
        && sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3],
                  &mac[4], &mac[5])
               != 6) {
        errno = EINVAL;
        die(name);
    }
}

/* ---- Frames. ---- */

static void
put16(uint8_t *at, unsigned value)
{
    at[0] = value >> 8;
    at[1] = value & 0xff;
}

static void
put_ethernet(struct frame *frame, const uint8_t source[6], unsigned type)
{
    memset(frame, 0, sizeof *frame);
    memset(frame->bytes, 0xff, 6);
    memcpy(frame->bytes + 6, source, 6);
    put16(frame->bytes + 12, type);
}

/* A request; with rarp, QEMU's announcement. */
static void
put_arp(struct frame *frame, const uint8_t sha[6], const uint8_t spa[4], int rarp)
{
    static const uint8_t start[] = {0, 1, 8, 0, 6, 4};
    uint8_t *arp = frame->bytes + 14;

    memcpy(arp, start, sizeof start);
    put16(arp + 6, rarp ? 3 : 1);
    memcpy(arp + 8, sha, 6);
    memcpy(arp + 14, spa, 4);
    if (rarp) {
        memcpy(arp + 18, sha, 6);
    }
    memcpy(arp + 24, spa, 4);
}

static unsigned
checksum(const uint8_t *bytes, size_t length)
{
    unsigned total = 0;

    for (size_t i = 0; i < length; i += 2) {
        total += bytes[i] << 8 | bytes[i + 1];
    }
    while (total >> 16) {
        total = (total & 0xffff) + (total >> 16);
    }
    return ~total & 0xffff;
}

/* UDP to everybody, from port 5000 to 5001, without a checksum. */
static void
put_ipv4(struct frame *frame, const uint8_t source[4])
{
    static const uint8_t start[] = {0x45, 0, 0, SHORTEST - 14, 0, 0, 0, 0, 64, 17};
    uint8_t *ip = frame->bytes + 14;

    memcpy(ip, start, sizeof start);
    memcpy(ip + 12, source, 4);
    memset(ip + 16, 0xff, 4);
    put16(ip + 10, checksum(ip, 20));
    put16(ip + 20, 5000);
    put16(ip + 22, 5001);
    put16(ip + 24, SHORTEST - 14 - 20);
}

/* No next header, from the unspecified address to all nodes. */
static void
put_ipv6(struct frame *frame)
{
    static const uint8_t start[] = {0x60, 0, 0, 0, 0, 6, 59, 255};
    uint8_t *ip = frame->bytes + 14;

    memcpy(ip, start, sizeof start);
    ip[24] = 0xff;
    ip[25] = 0x02;
    ip[39] = 0x01;
}

static void
put_stamp(struct frame *frame, unsigned kind, unsigned round)
{
    uint8_t *stamp = frame->bytes + SHORTEST - STAMP;

    stamp[0] = 0xfd;
    stamp[1] = 0x01;
    put16(stamp + 2, kind << 8 | (round >> 16 & 0xff));
    put16(stamp + 4, round & 0xffff);
    put16(stamp + 6, checksum(stamp + 2, 4));
}

static void
build(const struct guest *guest, enum kind kind, unsigned round, struct frame *frame)
{
    const struct station *self = &guest->self;
    const struct station *victim = &guest->victim;
    const int forged_source = kind == FORGED_MAC || kind == FORGED_ARP_WHOLE || kind == FORGED_RARP;
    const uint8_t *source = forged_source ? victim->mac : self->mac;

    switch (kind) {
    case CLEAN_ARP:
    case FORGED_ARP_SPA:
    case FORGED_ARP_SHA:
    case FORGED_ARP_WHOLE:
        put_ethernet(frame, source, ETHERTYPE_ARP);
        put_arp(frame, kind == FORGED_ARP_SHA ? victim->mac : source,
                kind == FORGED_ARP_SPA || kind == FORGED_ARP_WHOLE ? victim->ip : self->ip, 0);
        break;
    case CLEAN_IP:
    case FORGED_IP:
    case FORGED_MAC:
        put_ethernet(frame, source, ETHERTYPE_IP);
        put_ipv4(frame, kind == FORGED_IP ? victim->ip : self->ip);
        break;
    case FORGED_RARP:
        put_ethernet(frame, source, ETHERTYPE_REVARP);
        put_arp(frame, source, (const uint8_t[4]){0}, 1);
        break;
    case FORGED_IPV6:
        put_ethernet(frame, source, ETHERTYPE_IPV6);
        put_ipv6(frame);
        break;
    }
    put_stamp(frame, kind, round);
}

static void
send_round(const struct guest *guest, unsigned round)
{
    struct frame frame;

    for (size_t i = 0; i < sizeof kinds; i++) {
        build(guest, kinds[i], round, &frame);
        while (send(guest->packets, frame.bytes, sizeof frame.bytes, 0) < 0) {
            if (errno != ENOBUFS && errno != EINTR) {
                die("send");
            }
            sleep_ms(1);
        }
    }
}

/* ---- The machine. ---- */

static void
load_modules(void)
{
    struct dirent **names;
    const int n = scandir("/modules", &names, NULL, alphasort);

    for (int i = 0; i < n && i < MODULES_MAX; i++) {
        char path[sizeof "/modules/" + sizeof names[i]->d_name];
        int fd;

        if (names[i]->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "/modules/%s", names[i]->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0)) {
            die(path);
        }
        close(fd);
    }
}

/* The driver finds the card a moment after it was loaded. */
static void
bring_up(struct guest *guest)
{
    struct ifreq card = {.ifr_name = "eth0"};

    while (ioctl(guest->control, SIOCGIFHWADDR, &card)) {
        sleep_ms(1);
    }
    memcpy(guest->self.mac, card.ifr_hwaddr.sa_data, 6);
    card.ifr_flags = IFF_UP | IFF_BROADCAST | IFF_MULTICAST | IFF_RUNNING;
    if (ioctl(guest->control, SIOCSIFFLAGS, &card)) {
        die("eth0: up");
    }
    do {
        sleep_ms(1);
    } while (ioctl(guest->control, SIOCGIFFLAGS, &card) || !(card.ifr_flags & IFF_RUNNING));
}

static void
open_packets(struct guest *guest)
{
    struct sockaddr_ll card = {.sll_family = AF_PACKET};

    card.sll_ifindex = (int) if_nametoindex("eth0");
    /* Protocol 0: it receives nothing. */
    guest->packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (guest->packets < 0 || bind(guest->packets, (struct sockaddr *) &card, sizeof card)) {
        die("packet socket");
    }
}

static void
set_address(const struct guest *guest)
{
    struct ifreq card = {.ifr_name = "eth0"};
    struct sockaddr_in in = {.sin_family = AF_INET};

    memcpy(&in.sin_addr, guest->self.ip, 4);
    memcpy(&card.ifr_addr, &in, sizeof in);
    if (ioctl(guest->control, SIOCSIFADDR, &card)) {
        die("eth0: address");
    }
    in.sin_addr.s_addr = htonl(0xffffff00);
    memcpy(&card.ifr_netmask, &in, sizeof in);
    if (ioctl(guest->control, SIOCSIFNETMASK, &card)) {
        die("eth0: netmask");
    }
}

static void
echo(int client)
{
    static char buffer[1 << 16];
    ssize_t got;

    while ((got = recv(client, buffer, sizeof buffer, 0)) > 0) {
        for (ssize_t done = 0, sent; done < got; done += sent) {
            sent = send(client, buffer + done, (size_t) (got - done), MSG_NOSIGNAL);
            if (sent < 0) {
                return;
            }
        }
    }
}

/* A side that has nothing to send says so every second. */
static void
keep_alive(int client)
{
    const int yes = 1, one_second = 1;

    if (setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes)
        || setsockopt(client, IPPROTO_TCP, TCP_KEEPIDLE, &one_second, sizeof one_second)
        || setsockopt(client, IPPROTO_TCP, TCP_KEEPINTVL, &one_second, sizeof one_second)) {
        die("keepalive");
    }
}

/* A process of its own, and one for each client. */
static void
serve_echo(void)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(ECHO_PORT)};
    int server;

    if (fork()) {
        return;
    }
    server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || bind(server, (const struct sockaddr *) &any, sizeof any)
        || listen(server, 16)) {
        die("echo");
    }
    for (;;) {
        const int client = accept(server, NULL, NULL);

        if (client >= 0 && !fork()) {
            keep_alive(client);
            echo(client);
            _exit(0);
        }
        close(client);
    }
}

int
main(void)
{
    struct guest guest = {.control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const unsigned first = (unsigned) number("guest_first", 0);
    const long pause_ms = number("guest_pause_ms", 2);
    const long pace_ms = number("guest_pace_ms", 0);
    unsigned round = 0;

    signal(SIGCHLD, SIG_IGN);
    address("guest_ip", guest.self.ip);
    address("guest_victim_ip", guest.victim.ip);
    mac_address("guest_victim_mac", guest.victim.mac);
    load_modules();
    bring_up(&guest);
    open_packets(&guest);
    for (; round < first; round++) {
        send_round(&guest, round);
        sleep_ms(pause_ms);
    }
    set_address(&guest);
    serve_echo();
    printf("guest: %u rounds\n", round);
    for (; pace_ms; round++) {
        send_round(&guest, round);
        sleep_ms(pace_ms);
    }
    for (;;) {
        pause();
    }
}
