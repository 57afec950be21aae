/* SPDX-License-Identifier: Apache-2.0
 *
 * What a kernel is to have for guests, in a network namespace of the test's own: it comes, stays,
 * comes again, goes; and nothing else is touched. */
#include <config.h>

#include "support.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "item.h"
#include "nwf/announce.h"
#include "nwf/host.h"
#include "nwf/sysctl.h"
#include "nwf/text.h"

static void __attribute__((format(printf, 1, 2))) ip(const char *format, ...)
{
    char command[512];
    va_list args;

    va_start(args, format);
    (void) vsnprintf(command, sizeof command, format, args);
    va_end(args);
    char *line CLEANUP_FREE = nwf_asprintf("ip %s", command);
    expect(system(line) == 0, "%s failed", line);
}

/* With a link. */
static void
add_device(const char *name, bool up)
{
    ip("link add %s type veth peer name %s-peer", name, name);
    ip("link set %s-peer up", name);
    if (up) {
        ip("link set %s up", name);
    }
}

/* What "ip ARGUMENTS" prints: a new string. */
static char *
shown(const char *arguments)
{
    char *line CLEANUP_FREE = nwf_asprintf("ip %s", arguments);
    FILE *stream = popen(line, "r");
    char *text = nwf_zalloc(1 << 20);

    assert_non_null(stream);
    (void) fread(text, 1, (1 << 20) - 1, stream);
    (void) pclose(stream);
    return text;
}

static void
expect_shown(const char *arguments, const char *part, bool there)
{
    char *text CLEANUP_FREE = shown(arguments);

    expect((strstr(text, part) != NULL) == there, "ip %s: \"%s\" is %s in:\n%s", arguments, part,
           there ? "not" : "still", text);
}

/* ---- The world: a bridge, an uplink. ---- */

static const struct nwf_mac guest_mac = {{0x52, 0x54, 0, 0xaa, 0xbb, 1}};

static int
set_up(void **state)
{
    (void) state;
    if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET)) {
        return -1;
    }
    ip("link set lo up");
    add_device("br0", false);
    add_device("up0", true);
    ip("address add 203.0.113.10/24 dev up0");
    ip("address add 2001:db8::2/64 dev up0 nodad");
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    ip("link delete br0");
    ip("link delete up0");
    return 0;
}

static struct nwf_host *
open_host(void)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_host *host = NULL;

    expect(!nwf_host_open("br0", &host, &err), "%s", nwf_error_text(&err));
    nwf_host_set_uplink(host, "up0");
    return host;
}

static struct nwf_address
address(const char *text)
{
    struct nwf_address ret;
    struct nwf_error err = NWF_ERROR_INIT;

    expect(!nwf_address_parse(text, true, &ret, &err), "%s", nwf_error_text(&err));
    return ret;
}

/* Words are addresses of a guest. */
static void
want_guest(struct nwf_host *host, const char *owner, const char *const *texts)
{
    struct nwf_host_items items = {.data = NULL};

    for (; *texts; texts++) {
        struct nwf_address one = address(*texts);
        nwf_host_items_add_guest(&items, "br0", "up0", &one, &guest_mac);
    }
    nwf_host_want(host, owner, &items);
    nwf_vec_clear(&items);
}

#define WANT(host, owner, ...) want_guest(host, owner, (const char *const[]){__VA_ARGS__, NULL})

static void
want_bridge(struct nwf_host *host)
{
    struct nwf_host_items items = {.data = NULL};
    const struct nwf_address gateway = address("fe80::1"), main4 = address("203.0.113.10"),
                             main6 = address("2001:db8::2");

    nwf_host_items_add(&items, NWF_HOST_UP, "br0", NULL);
    nwf_host_items_add(&items, NWF_HOST_ADDRESS, "br0", &gateway);
    nwf_host_items_add(&items, NWF_HOST_ADDRESS, "br0", &main4);
    nwf_host_items_add(&items, NWF_HOST_PROXY, "br0", &main6);
    nwf_host_want(host, "", &items);
    nwf_vec_clear(&items);
}

/* Until nothing is to be done. */
static void
settle(struct nwf_host *host)
{
    struct nwf_error err = NWF_ERROR_INIT;

    for (int i = 0; i < 10; i++) {
        expect(!nwf_host_run(host, &err), "%s", nwf_error_text(&err));
        if (!nwf_host_is_dirty(host)) {
            return;
        }
        (void) nwf_host_apply(host, SIZE_MAX, &err);
        expect(!err.text, "%s", nwf_error_text(&err));
    }
    fail_msg("it does not settle");
}

static void
expect_said(const struct nwf_host *host, const char *owner, const char *part)
{
    const struct nwf_error *error = nwf_host_error(host, owner);

    expect(part ? error->text && strstr(error->text, part) : !error->text, "%s: %s, not \"%s\"",
           owner, nwf_error_text(error), part ? part : "no error");
}

static void
read_all(const struct nlmsghdr *message)
{
    struct nwf_host_address own;
    struct nwf_host_device device;
    struct nwf_host_news news;
    bool gone;

    (void) nwf_item_read(message, &news);
    (void) nwf_address_read(message, &own, &gone);
    (void) nwf_device_read(message, &device, &gone);
}

/* ---- Tests. ---- */

static void
expect_guest(bool there)
{
    expect_shown("route", "192.0.2.5 dev br0 proto 110 scope link", there);
    expect_shown("route", "198.51.100.8/29 via inet6 fe80::5054:ff:feaa:bb01 dev br0 proto 110",
                 there);
    expect_shown("-6 route", "2001:db8::5 dev br0 proto 110 metric 1", there);
    expect_shown("-6 route", "2001:db8:0:1::/80 via fe80::5054:ff:feaa:bb01 dev br0 proto 110",
                 there);
    expect_shown("neigh", "192.0.2.5 dev br0 lladdr 52:54:00:aa:bb:01 PERMANENT proto 110", there);
    expect_shown("neigh", "2001:db8::5 dev br0 lladdr 52:54:00:aa:bb:01 PERMANENT", there);
    expect_shown("neigh", "fe80::5054:ff:feaa:bb01 dev br0 lladdr 52:54:00:aa:bb:01 PERMANENT",
                 there);
    expect_shown("neigh show proxy", "192.0.2.5 dev up0", there);
    expect_shown("neigh show proxy", "2001:db8::5 dev up0", there);
    expect_shown("neigh show proxy", "198.51.100.8", false);
}

static void
expect_bridge(bool there)
{
    expect_shown("address show dev br0", "fe80::1/64", there);
    expect_shown("address show dev br0", "203.0.113.10/32", there);
    expect_shown("neigh show proxy", "2001:db8::2 dev br0", there);
}

static struct nwf_host *
start(void)
{
    struct nwf_host *host = open_host();

    want_bridge(host);
    WANT(host, "vnet0", "192.0.2.5", "2001:db8::5", "198.51.100.8/29", "2001:db8:0:1::/80");
    nwf_host_set_complete(host);
    settle(host);
    expect_said(host, "", NULL);
    expect_said(host, "vnet0", NULL);
    expect_guest(true);
    expect_bridge(true);
    return host;
}

static void
test_comes_and_goes(void **state)
{
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = start();
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_host_items none = {.data = NULL};

    (void) state;
    WANT(host, "vnet0", "192.0.2.5", "2001:db8::5");
    settle(host);
    expect_shown("route", "192.0.2.5 dev br0", true);
    expect_shown("route", "198.51.100.8/29", false);
    expect_shown("neigh", "fe80::5054:ff:feaa:bb01 dev br0", false);
    expect(!nwf_host_withdraw(host, "vnet0", &none, &err), "%s", nwf_error_text(&err));
    expect_guest(false);
    expect_bridge(true);
    expect(!nwf_host_remove_all(host, &err), "%s", nwf_error_text(&err));
    expect_bridge(false);
    expect_shown("address show dev up0", "203.0.113.10/24", true);
    expect_shown("neigh show proxy", "dev", false);
}

/* An address moves to another guest, whatever the order in which the two say so. */
static void
test_moves(void **state)
{
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = start();
    const struct nwf_host_items none = {.data = NULL};

    (void) state;
    WANT(host, "vnet1", "192.0.2.5");
    nwf_host_want(host, "vnet0", &none);
    settle(host);
    expect_shown("route", "192.0.2.5 dev br0", true);
    expect_shown("-6 route", "2001:db8::5 dev br0", false);
    nwf_host_begin_owners(host);
    nwf_host_keep_owner(host, "");
    nwf_host_end_owners(host);
    settle(host);
    expect_shown("route", "192.0.2.5 dev br0", false);
    expect_bridge(true);
}

/* Each command takes something away. */
static void
test_comes_again(void **state)
{
    static const char *const commands[] = {
        "route delete 192.0.2.5",
        "route flush proto 110",
        "-6 route flush proto 110",
        "neigh flush dev br0 nud permanent",
        "neigh replace 192.0.2.5 dev br0 lladdr 52:54:00:00:00:99 nud permanent",
        "neigh replace 192.0.2.5 dev br0 lladdr 52:54:00:00:00:99 nud reachable",
        "neigh delete 2001:db8::5 dev br0",
        "link set br0 down",
        "address flush dev br0",
        "-6 address flush dev br0",
        "link set br0 address 52:54:00:00:00:77",
    };
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = start();

    (void) state;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        ip("%s", commands[i]);
        settle(host);
        print_message("%s\n", commands[i]);
        expect_guest(true);
        expect_bridge(true);
    }
    ip("link delete br0");
    settle(host);
    expect_said(host, "vnet0", "neighbour 192.0.2.5 dev br0: there is no such device now");
    add_device("br0", false);
    settle(host);
    expect_guest(true);
    expect_bridge(true);
    expect(nwf_host_n_repairs(host) > 0, "no repair is counted");
}

/* Proxies of which the kernel does not tell are found when they are looked at. */
static void
test_proxies_come_again(void **state)
{
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = start();

    (void) state;
    ip("neigh delete proxy 192.0.2.5 dev up0");
    ip("link set up0 down");
    ip("link set up0 up");
    for (int i = 0; i < 300; i++) {
        char *text CLEANUP_FREE = NULL;
        settle(host);
        text = shown("neigh show proxy");
        if (strstr(text, "192.0.2.5 dev up0") && strstr(text, "2001:db8::5 dev up0")) {
            return;
        }
        usleep(10000);
    }
    fail_msg("they do not come again");
}

static void
test_leaves_others(void **state)
{
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    ip("link set br0 up");
    ip("address add 198.18.0.1 dev br0"); /* Neighbours go with the last address. */
    add_device("br1", true);
    ip("route add 192.0.2.5 dev br1 metric 7");
    ip("route add 192.0.2.6 dev br1 proto 110"); /* Another bridge of ours. */
    ip("neigh add proxy 192.0.2.6 dev up0 protocol 110");
    ip("neigh add proxy 192.0.2.7 dev up0");
    ip("neigh add 192.0.2.8 dev br0 lladdr 52:54:00:00:00:99 nud permanent");
    host = open_host();
    want_bridge(host);
    WANT(host, "vnet0", "2001:db8::5", "192.0.2.5");
    WANT(host, "vnet1", "192.0.2.6");
    WANT(host, "vnet2", "192.0.2.7");
    WANT(host, "vnet3", "192.0.2.8");
    nwf_host_set_complete(host);
    settle(host);
    expect_said(host, "vnet0", "route 192.0.2.5 dev br0: left alone");
    expect_said(host, "vnet1", "route 192.0.2.6 dev br0: left alone");
    expect_said(host, "vnet2", NULL);
    expect_said(host, "vnet3", "neighbour 192.0.2.8 dev br0: left alone");
    expect_shown("-6 route", "2001:db8::5 dev br0", false); /* As a whole, or not at all. */
    expect_shown("neigh", "2001:db8::5 dev br0", false);
    ip("route delete 192.0.2.5 dev br1");
    settle(host);
    expect_said(host, "vnet0", NULL);
    expect_shown("route", "192.0.2.5 dev br0", true);
    expect_shown("-6 route", "2001:db8::5 dev br0", true);
    expect(!nwf_host_remove_all(host, &err), "%s", nwf_error_text(&err));
    expect_shown("route", "192.0.2.6 dev br1", true);
    expect_shown("neigh show proxy", "192.0.2.6 dev up0", true);
    expect_shown("neigh show proxy", "192.0.2.7 dev up0", true);
    expect_shown("neigh", "192.0.2.8 dev br0", true);
    ip("link delete br1");
}

/* What an earlier run has left is known by its number, and goes when nobody wants it. */
static void
test_finds_what_was_left(void **state)
{
    nwf_host_close(start());
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = open_host();

    (void) state;
    settle(host);
    want_bridge(host);
    settle(host);
    expect_guest(true); /* Its owner may still speak. */
    nwf_host_set_complete(host);
    settle(host);
    expect_guest(false);
    expect_bridge(true);
    expect(!nwf_host_n_repairs(host), "what was there has been made");
}

/* More than a monitor's buffer may hold. */
static void
test_many(void **state)
{
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = start();
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    for (unsigned int i = 0; i < 5000; i++) {
        char *v4 CLEANUP_FREE = nwf_asprintf("10.1.%u.%u", i / 250, i % 250 + 1);
        char *v6 CLEANUP_FREE = nwf_asprintf("2001:db8:0:2::%x", i + 1);
        char *name CLEANUP_FREE = nwf_asprintf("tap%u", i);
        WANT(host, name, v4, v6);
    }
    settle(host);
    expect_said(host, "", NULL);
    expect_said(host, "tap4999", NULL);
    expect_shown("route", "10.1.19.250 dev br0", true);
    ip("link set br0 down");
    settle(host);
    expect_said(host, "", NULL);
    expect_said(host, "tap4999", NULL);
    expect_shown("route", "10.1.19.250 dev br0", true);
    expect_shown("-6 route", "2001:db8:0:2::1388 dev br0", true);
    expect(!nwf_host_remove_all(host, &err), "%s", nwf_error_text(&err));
    expect_shown("route", "proto 110", false);
}

static void
test_reads(void **state)
{
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = start();
    struct nwf_address range = address("203.0.113.8/29"), other = address("203.0.113.16/29");
    const char *device = NULL;

    (void) state;
    expect(nwf_host_has_address(host, &range, &device) && !strcmp(device, "up0"), "not found");
    expect(!nwf_host_has_address(host, &other, &device), "found on %s", device);
    const struct nwf_address *main4 = nwf_host_main_address(host, "up0", AF_INET),
                             *main6 = nwf_host_main_address(host, "up0", AF_INET6);
    struct nwf_address wanted4 = address("203.0.113.10"), wanted6 = address("2001:db8::2");
    expect(main4 && nwf_address_equals(main4, &wanted4), "another main address");
    expect(main6 && nwf_address_equals(main6, &wanted6), "another main address");
    expect(!nwf_host_main_address(host, "br0", AF_INET), "one of ours is no main address");
    ip("-6 route add default via 2001:db8::1 dev up0");
    settle(host);
    const struct nwf_host_defaults *routes = nwf_host_default_routes(host);
    assert_int_equal(routes->n, 1);
    expect(routes->data[0].has_gateway && !routes->data[0].by_ra, "not as it was made");
    ip("-6 route delete default");
    settle(host);
    assert_int_equal(nwf_host_default_routes(host)->n, 0);
}

static void
test_settings(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;
    char *value CLEANUP_FREE = NULL;

    (void) state;
    expect(!nwf_sysctl_write("net/ipv4/conf/up0/forwarding", "1", &err), "%s",
           nwf_error_text(&err));
    expect(!nwf_sysctl_read("net/ipv4/conf/up0/forwarding", &value, &err), "%s",
           nwf_error_text(&err));
    assert_string_equal(value, "1");
    assert_int_equal(nwf_sysctl_write("net/ipv4/conf/up1/forwarding", "1", &err), -ENOENT);
    assert_int_equal(nwf_sysctl_write("net/../../../etc/passwd", "1", &err), -EINVAL);
    nwf_error_clear(&err);
}

/* ---- Messages. ---- */

/* What is asked for is read back as it was; and of whatever is cut short, or has other bytes in
 * it, nothing is read that is not there. */
static void
test_messages(void **state)
{
    const struct nwf_address v4 = address("192.0.2.5"), v6 = address("2001:db8:0:1::/80");
    struct nwf_host_items items = {.data = NULL};
    struct dice dice = dice_seed(11);

    (void) state;
    nwf_host_items_add_guest(&items, "br0", "up0", &v4, &guest_mac);
    nwf_host_items_add_guest(&items, "br0", "up0", &v6, &guest_mac);
    nwf_host_items_add(&items, NWF_HOST_ADDRESS, "br0", &v4);
    nwf_host_items_add(&items, NWF_HOST_UP, "br0", NULL);
    nwf_vec_foreach (item, &items) {
        char *buffer = nwf_zalloc(NWF_NETLINK_REQUEST);
        struct nlmsghdr *request = nwf_item_make(buffer, item, 7);
        struct nwf_host_news news;
        if (item->kind != NWF_HOST_ADDRESS && item->kind != NWF_HOST_UP) {
            expect(nwf_item_read(request, &news), "it is not read");
            expect(news.ours && news.index == 7 && news.item.kind == item->kind
                       && nwf_address_equals(&news.item.address, &item->address)
                       && nwf_host_item_same_value(&news.item, item),
                   "it is read as something else");
        }
        for (uint32_t size = request->nlmsg_len; size >= sizeof *request; size--) {
            for (int i = 0; i < 20; i++) { /* In memory that ends where the message does. */
                char *copy CLEANUP_FREE = nwf_memdup(buffer, size);
                struct nlmsghdr *message = (struct nlmsghdr *) copy;
                message->nlmsg_len = size;
                if (i && size > sizeof *message) {
                    copy[sizeof *message + dice_roll(&dice, size - (uint32_t) sizeof *message)] =
                        (char) dice_roll(&dice, 256);
                }
                read_all(message);
            }
        }
        free(buffer);
    }
    nwf_vec_clear(&items);
}

/* ---- Frames. ---- */

static void
test_frames(void **state)
{
    static const uint8_t na[] = {0x33, 0x33, 0,    0, 0, 1, 0x52, 0x54, 0,  0xaa, 0xbb, 1,
                                 0x86, 0xdd, 0x60, 0, 0, 0, 0,    32,   58, 255,  0xfe, 0x80};
    const struct nwf_address v4 = address("192.0.2.1"), v6 = address("fe80::1"),
                             global = address("2001:db8::2");
    uint8_t frame[NWF_ANNOUNCE_MAX];

    (void) state;
    assert_int_equal(nwf_announce_frame(&guest_mac, &v4, frame), 42);
    assert_memory_equal(frame + 28, v4.bytes, 4); /* Sender and target are the same. */
    assert_memory_equal(frame + 38, v4.bytes, 4);
    assert_int_equal(nwf_announce_frame(&guest_mac, &v6, frame), 86);
    assert_memory_equal(frame, na, sizeof na);
    assert_memory_equal(frame + 62, v6.bytes, 16);
    assert_int_equal(nwf_solicit_frame(&guest_mac, &global, &v6, frame), 86);
    assert_memory_equal(frame + 22, global.bytes, 16);
    /* The sum over all of it, its own field included, is that of nothing. */
    uint32_t sum = 58 + 32;
    for (size_t i = 22; i < 86; i += 2) {
        sum += (uint32_t) frame[i] << 8 | frame[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_messages),
        cmocka_unit_test_setup_teardown(test_comes_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_moves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_comes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_proxies_come_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leaves_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_finds_what_was_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
