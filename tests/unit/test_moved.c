/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses and routes that are put onto another device and back, in a network namespace of the
 * test's own: afterwards ip(8) shows what it showed before. */
#include <config.h>

#include "support.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "nwf/cleanup.h"
#include "nwf/moved.h"
#include "nwf/text.h"

#define SKIPPED 77 /* To meson. */

/* Runs a command of the host and returns its output. */
static char *
shell(const char *command)
{
    char *line CLEANUP_FREE = nwf_asprintf("PATH=$PATH:/usr/sbin:/sbin; %s", command);
    FILE *pipe = popen(line, "re");
    char *out = nwf_zalloc(1 << 16);

    assert_non_null(pipe);
    size_t n = fread(out, 1, (1 << 16) - 1, pipe);
    out[n] = '\0';
    expect(pclose(pipe) == 0, "%s: %s", command, out);
    return out;
}

static void
do_shell(const char *command)
{
    free(shell(command));
}

/* What an administrator sees, but for what the device has by itself. */
static char *
show(const char *device)
{
    char *command CLEANUP_FREE = nwf_asprintf(
        "for f in -4 -6; do ip $f addr show dev %s scope global | grep -v mtu; "
        "ip $f route show table all dev %s | grep -v 'proto kernel'; done | sed 's/%s$//; "
        "s/[0-9]*sec/Nsec/g'; true",
        device, device, device);

    return shell(command);
}

static int
world_up(void **state)
{
    (void) state;
    do_shell("ip link add nic0 type veth peer name wire0; ip link add br0 type veth peer name br0x;"
             "for i in nic0 wire0 br0 br0x; do ip link set $i up; done");
    return 0;
}

static int
world_down(void **state)
{
    (void) state;
    do_shell("ip link del nic0 2>/dev/null; ip link del br0");
    return 0;
}

static const char configuration[] =
    "ip addr add 192.0.2.10 peer 192.0.2.1 dev nic0;"
    "ip addr add 198.51.100.2/24 brd + dev nic0;"
    "ip addr add 198.51.100.3/24 brd + dev nic0;"
    "ip addr add 10.1.0.1/16 dev nic0 noprefixroute scope link;"
    "ip addr add 10.9.0.1/24 dev nic0 valid_lft 3000 preferred_lft 2000;"
    "ip -6 addr add 2001:db8:1::2/128 dev nic0 nodad;"
    "ip -6 addr add 2001:db8:2::2/64 dev nic0 nodad noprefixroute;"
    "ip -6 addr add fe80::77/64 dev nic0 nodad;"
    "ip route add default via 192.0.2.1 dev nic0 proto static;"
    "ip route add default via 198.51.100.1 dev nic0 metric 500 proto dhcp src 198.51.100.3;"
    "ip route add 203.0.113.0/24 via 203.0.113.200 dev nic0 onlink mtu 1400 advmss 1300;"
    "ip route add 203.0.114.0/24 via 192.0.2.1 dev nic0 tos 8 window 10000;"
    "ip route add 10.2.0.0/16 dev nic0 scope link table 77;"
    "ip route add 10.3.0.0/16 via inet6 fe80::1 dev nic0;"
    "ip -6 route add 2001:db8:9::1 dev nic0;"
    "ip -6 route add default via 2001:db8:9::1 dev nic0 metric 700 pref high "
    "hoplimit 9;"
    "ip -6 route add default via fe80::1 dev nic0 proto static";

static void
test_there_and_back(void **state)
{
    struct nwf_moved moved, again;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    do_shell(configuration);
    char *before CLEANUP_FREE = show("nic0"), *empty CLEANUP_FREE = show("br0");
    assert_string_equal(empty, "");
    assert_int_equal(nwf_moved_read("nic0", &moved, &err), 0);
    assert_int_equal(moved.addresses.n, 8);
    assert_int_equal(moved.routes.n, 9);

    expect_ok(nwf_moved_take("nic0", &moved, &err), &err);
    expect_ok(nwf_moved_put("br0", &moved, &err), &err);
    char *nic CLEANUP_FREE = show("nic0");
    assert_string_equal(nic, "");
    char *there CLEANUP_FREE = shell("echo \"$(ip -4 addr show dev br0)\" | grep -c inet");
    assert_string_equal(there, "5\n");

    /* The other way by what is on record. */
    char *text CLEANUP_FREE = nwf_moved_format(&moved);
    expect_ok(nwf_moved_parse(text, &again, &err), &err);
    char *text_again CLEANUP_FREE = nwf_moved_format(&again);
    assert_string_equal(text, text_again);
    expect_ok(nwf_moved_take("br0", &again, &err), &err);
    expect_ok(nwf_moved_put("nic0", &again, &err), &err);
    expect_ok(nwf_moved_put("nic0", &again, &err), &err); /* Nothing is left to do. */
    expect_ok(nwf_moved_take("br0", &again, &err), &err);
    char *after CLEANUP_FREE = show("nic0");
    assert_string_equal(before, after);
    nwf_moved_clear(&moved);
    nwf_moved_clear(&again);
}

static void
test_not_movable(void **state)
{
    static const struct {
        const char *make, *unmake, *words;
    } rows[] = {
        {"ip route add 10.7.0.0/16 nexthop via 198.51.100.1 dev nic0 nexthop via 198.51.100.9 dev "
         "nic0",
         "ip route del 10.7.0.0/16", "route 10.7.0.0/16"},
        {"ip route add 10.7.0.0/16 dev nic0 congctl reno", "ip route del 10.7.0.0/16",
         "route 10.7.0.0/16"},
    };
    struct nwf_moved moved;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    do_shell(configuration);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        do_shell(rows[i].make);
        int r = nwf_moved_read("nic0", &moved, &err);
        assert_int_equal(r, -EOPNOTSUPP);
        expect_error(r, &err, rows[i].words);
        assert_int_equal(nwf_moved_note("nic0", &moved, &err), 0); /* Without that one. */
        assert_int_equal(moved.routes.n, 9);
        nwf_moved_clear(&moved);
        do_shell(rows[i].unmake);
    }
    assert_int_equal(nwf_moved_read("none0", &moved, &err), -ENODEV);
    nwf_error_clear(&err);
    do_shell(
        "for i in $(seq 1030); do echo addr add 10.5.$((i / 250)).$((i % 250))/32 dev nic0; done"
        " | ip -batch -");
    expect_error(nwf_moved_read("nic0", &moved, &err), &err, "more than 1024");
    expect_ok(nwf_moved_note("nic0", &moved, &err), &err);
    assert_int_equal(moved.addresses.n, 1024);
    nwf_moved_clear(&moved);
}

static void
test_bad_text(void **state)
{
    static const char *const rows[] = {
        "x",
        "address",
        "address 1.2.3.4",
        "address 1.2.3.4/33",
        "address ::/129",
        "address x/1",
        "address 1.2.3.4/24 peer",
        "address 1.2.3.4/24 peer ::1",
        "address 1.2.3.4/24 scope x",
        "address 1.2.3.4/24 scope 256",
        "address 1.2.3.4/24 flags -1",
        "address 1.2.3.4/24 what 1",
        "address 1.2.3.4/24 valid 1 preferred 2",
        "route",
        "route default",
        "route 1.2.3.0/24 via",
        "route 1.2.3.0/24 via x",
        "route ::/0 via 1.2.3.4",
        "route 1.2.3.0/24 source ::1",
        "route 1.2.3.0/24 table 255",
        "route 1.2.3.0/24 protocol 256",
        "route 1.2.3.0/24 scope 999",
        "route 1.2.3.0/24 metric 4294967296",
        "route 1.2.3.0/24 dev eth0",
        "route 1.2.3.0/24 tos 256",
        "route 1.2.3.0/24 pref 256",
        "route 1.2.3.0/24 mtu",
        "route 1.2.3.0/24 cc 1",
    };
    struct nwf_moved moved;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        int r = nwf_moved_parse(rows[i], &moved, &err);
        expect(r == -EINVAL, "%s: %d", rows[i], r);
        expect_error(r, &err, "no list of addresses");
        assert_int_equal(moved.addresses.n + moved.routes.n, 0);
    }
    char *many = nwf_strdup("");
    for (int i = 0; i <= NWF_MOVED_MAX; i++) {
        char *old CLEANUP_FREE = many;
        many = nwf_asprintf("%saddress 10.0.%d.%d/32; ", old, i / 250, i % 250);
    }
    expect_error(nwf_moved_parse(many, &moved, &err), &err, "no list of addresses");
    free(many);
    expect_ok(nwf_moved_parse("", &moved, &err), &err);
    expect_ok(nwf_moved_parse(" ; ", &moved, &err), &err);
}

static void
test_gateway(void **state)
{
    const struct nwf_address there = {AF_INET, {192, 0, 2, 1}, 32},
                             nowhere = {AF_INET, {192, 0, 2, 7}, 32};
    struct nwf_error err = NWF_ERROR_INIT;
    bool known = false;

    (void) state;
    do_shell("ip netns add r 2>/dev/null; ip link set wire0 netns r && ip -n r addr add "
             "192.0.2.1/24 dev wire0 && ip -n r link set wire0 up && ip addr add 192.0.2.2/24 dev "
             "nic0");
    for (int i = 0; !known && i < 100; i++) {
        expect_ok(nwf_gateway_probe("nic0", &there, &known, &err), &err);
        poll(NULL, 0, 20);
    }
    assert_true(known);
    expect_ok(nwf_gateway_forget("nic0", &there, &err), &err);
    for (int i = 0; i < 10; i++) {
        expect_ok(nwf_gateway_probe("nic0", &nowhere, &known, &err), &err);
        assert_false(known);
    }
    do_shell("ip netns del r");
}

static void
test_up_and_down(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    assert_true(nwf_device_is_up("nic0"));
    expect_ok(nwf_device_set_up("nic0", false, &err), &err);
    assert_false(nwf_device_is_up("nic0"));
    expect_ok(nwf_device_set_up("nic0", true, &err), &err);
    assert_true(nwf_device_is_up("nic0"));
    assert_false(nwf_device_is_up("none0"));
    expect_error(nwf_device_set_up("none0", true, &err), &err, "none0");
}

int
main(void)
{
#define ROW(TEST) cmocka_unit_test_setup_teardown(TEST, world_up, world_down)
    const struct CMUnitTest tests[] = {
        ROW(test_there_and_back), ROW(test_not_movable), cmocka_unit_test(test_bad_text),
        ROW(test_gateway),        ROW(test_up_and_down),
    };

    if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)
        || mount("tmpfs", "/run", "tmpfs", 0, NULL)) {
        printf("skipped: no network namespace to be had: %s\n", strerror(errno));
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
