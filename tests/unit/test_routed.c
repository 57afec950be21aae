/* SPDX-License-Identifier: Apache-2.0
 *
 * Tags of routed bridges and of the uplink guard: what they mean, and that whatever is wrong with
 * them is told with the tag and the entry, and shuts what they name. */
#include "support.h"

#include <stdio.h>

#include "nwf/cleanup.h"
#include "nwf/role.h"
#include "nwf/routed.h"
#include "nwf/text.h"

struct row {
    const char *mode, *uplink, *via, *gateway, *guard, *macs; /* NULL: the tag is absent. */
    const char *error[2];                                     /* What it says; NULL: none. */
};

static int
read_row(const struct row *row, struct nwf_routed_config *ret, struct nwf_error *err)
{
    const struct nwf_tag all[] = {
        {NWF_BRIDGE_MODE, row->mode},   {NWF_BRIDGE_UPLINK, row->uplink},
        {NWF_BRIDGE_VIA, row->via},     {NWF_BRIDGE_GATEWAY, row->gateway},
        {NWF_BRIDGE_GUARD, row->guard}, {NWF_BRIDGE_GUARD_MAC, row->macs},
    };
    struct nwf_tag tags[N_ROWS(all)];
    size_t n = 0;

    for (size_t i = 0; i < N_ROWS(all); i++) {
        if (all[i].value) {
            tags[n++] = all[i];
        }
    }
    return nwf_routed_config_read(tags, n, ret, err);
}

#define M "02:00:00:00:00:01"
#define G .guard = "eth0"

static const struct row rows[] = {
    {.mode = NULL},
    {.mode = "routed", .uplink = "eth0"},
    {.mode = "routed", .uplink = "eth0", .via = "host", .gateway = "192.0.2.1, fe80::1"},
    {.mode = "routed", .uplink = "bond0", .via = "flows", .macs = M},
    {.mode = "routed", .uplink = "eth0", .guard = "eth1", .macs = M},
    {.guard = "eth0"},
    {.guard = "eth0,bond0 eth2", .macs = M "@4000,02:00:00:00:00:02/192.0.2.7," M "@4001"},
    {G, .macs = M "/192.0.2.7," M "/2001:db8::/64," M "@4094/192.0.2.7"},
    /* Modes. */
    {.mode = "", .uplink = "eth0", .error = {NWF_BRIDGE_MODE, "\"\""}},
    {.mode = "Routed", .uplink = "eth0", .error = {NWF_BRIDGE_MODE, "\"Routed\""}},
    {.mode = "routed", .error = {NWF_BRIDGE_UPLINK, "missing"}},
    {.uplink = "eth0", .error = {NWF_BRIDGE_UPLINK, NWF_BRIDGE_MODE}},
    {.via = "flows", .error = {NWF_BRIDGE_VIA, NWF_BRIDGE_MODE}},
    {.gateway = "192.0.2.1", .error = {NWF_BRIDGE_GATEWAY, NWF_BRIDGE_MODE}},
    {.mode = "routed", .uplink = "eth0", .via = "magic", .error = {NWF_BRIDGE_VIA, "\"magic\""}},
    {.mode = "routed", .uplink = "", .error = {NWF_BRIDGE_UPLINK, "\"\""}},
    {.mode = "routed", .uplink = "eth0,eth1", .error = {NWF_BRIDGE_UPLINK, "\"eth0,eth1\""}},
    {.mode = "routed", .uplink = "eth0", G, .error = {NWF_BRIDGE_GUARD, "\"eth0\""}},
    /* Gateways. */
    {.mode = "routed", .uplink = "eth0", .gateway = "", .error = {NWF_BRIDGE_GATEWAY, "nothing"}},
    {.mode = "routed",
     .uplink = "eth0",
     .gateway = "192.0.2.1/24",
     .error = {NWF_BRIDGE_GATEWAY, "\"192.0.2.1/24\""}},
    {.mode = "routed",
     .uplink = "eth0",
     .gateway = "fe80::1,0.0.0.0",
     .error = {NWF_BRIDGE_GATEWAY, "\"0.0.0.0\""}},
    {.mode = "routed", .uplink = "eth0", .gateway = "::", .error = {NWF_BRIDGE_GATEWAY, "\"::\""}},
    {.mode = "routed",
     .uplink = "eth0",
     .gateway = "127.0.0.1",
     .error = {NWF_BRIDGE_GATEWAY, "\"127.0.0.1\""}},
    {.mode = "routed",
     .uplink = "eth0",
     .gateway = "224.0.0.1",
     .error = {NWF_BRIDGE_GATEWAY, "\"224.0.0.1\""}},
    {.mode = "routed",
     .uplink = "eth0",
     .gateway = "ff02::1",
     .error = {NWF_BRIDGE_GATEWAY, "\"ff02::1\""}},
    {.mode = "routed",
     .uplink = "eth0",
     .gateway = "fe80::1,fe80:0::1",
     .error = {NWF_BRIDGE_GATEWAY, "twice"}},
    {.mode = "routed",
     .uplink = "eth0",
     .gateway = "192.0.2.1.5",
     .error = {NWF_BRIDGE_GATEWAY, "\"192.0.2.1.5\""}},
    /* Names. */
    {.guard = "", .error = {NWF_BRIDGE_GUARD, "nothing"}},
    {.guard = ", ,", .error = {NWF_BRIDGE_GUARD, "nothing"}},
    {.macs = M, .error = {NWF_BRIDGE_GUARD_MAC, "no NIC"}},
    {.mode = "routed", .uplink = "eth0", .macs = M, .error = {NWF_BRIDGE_GUARD_MAC, "no NIC"}},
    /* Addresses that may leave. */
    {G, .macs = "", .error = {NWF_BRIDGE_GUARD_MAC, "nothing"}},
    {G, .macs = M ",02:00:00:00:00", .error = {NWF_BRIDGE_GUARD_MAC, "\"02:00:00:00:00\""}},
    {G, .macs = "03:00:00:00:00:01", .error = {NWF_BRIDGE_GUARD_MAC, "group"}},
    {G, .macs = "ff:ff:ff:ff:ff:ff@5", .error = {NWF_BRIDGE_GUARD_MAC, "\"ff:ff:ff:ff:ff:ff@5\""}},
    {G, .macs = "00:00:00:00:00:00", .error = {NWF_BRIDGE_GUARD_MAC, "\"00:00:00:00:00:00\""}},
    {G, .macs = M "@", .error = {NWF_BRIDGE_GUARD_MAC, "VLAN"}},
    {G, .macs = M "@0", .error = {NWF_BRIDGE_GUARD_MAC, "VLAN"}},
    {G, .macs = M "@4095", .error = {NWF_BRIDGE_GUARD_MAC, "\"" M "@4095\""}},
    {G, .macs = M "@-1", .error = {NWF_BRIDGE_GUARD_MAC, "VLAN"}},
    {G, .macs = M "@1@2", .error = {NWF_BRIDGE_GUARD_MAC, "VLAN"}},
    {G, .macs = M "/", .error = {NWF_BRIDGE_GUARD_MAC, "\"" M "/\""}},
    {G, .macs = M "/192.0.2.7@5", .error = {NWF_BRIDGE_GUARD_MAC, "\"192.0.2.7@5\""}},
    {G, .macs = M "/192.0.2.7/24", .error = {NWF_BRIDGE_GUARD_MAC, "behind its prefix"}},
    {G, .macs = M "/192.0.2.0/0", .error = {NWF_BRIDGE_GUARD_MAC, "no IP address"}},
    {G, .macs = M "/192.0.2.0/33", .error = {NWF_BRIDGE_GUARD_MAC, "no IP address"}},
    {G, .macs = M "/2001:db8::/129", .error = {NWF_BRIDGE_GUARD_MAC, "no IP address"}},
    {G, .macs = M "," M, .error = {NWF_BRIDGE_GUARD_MAC, "twice"}},
    {G, .macs = M "/192.0.2.7," M "/192.0.2.7", .error = {NWF_BRIDGE_GUARD_MAC, "twice"}},
    {G, .macs = M "," M "/192.0.2.7", .error = {NWF_BRIDGE_GUARD_MAC, "without"}},
};

/* Of what is broken nothing is left but names. */
static void
test_rows(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
        struct nwf_error err CLEANUP(nwf_error_clear) = NWF_ERROR_INIT;
        int r = read_row(&rows[i], &config, &err);

        expect(!r == !rows[i].error[0], "row %zu: %s", i, nwf_error_text(&err));
        for (size_t j = 0; r && j < 2; j++) {
            expect(strstr(nwf_error_text(&err), rows[i].error[j]) != NULL, "row %zu: \"%s\" in %s",
                   i, rows[i].error[j], nwf_error_text(&err));
        }
        expect(!r == !config.error.text && (!r || (!config.guard_macs.n && !config.gateways.n)),
               "row %zu: what is left", i);
    }
}

static void
test_meaning(void **state)
{
    const struct row row = {.mode = "routed",
                            .uplink = "eth0",
                            .via = "flows",
                            .gateway = "192.0.2.1,fe80::1",
                            .guard = "eth1",
                            .macs = "02:00:00:00:00:09@7,02:00:00:00:00:09/2001:db8:5::/48"};
    struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
    const struct nwf_guard_mac *macs;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(read_row(&row, &config, &err), &err);
    expect(config.is_routed && config.via == NWF_VIA_FLOWS && !strcmp(config.uplink, "eth0"),
           "the mode");
    expect(config.gateways.n == 2 && config.gateways.data[0].prefix_len == 32
               && config.gateways.data[1].family == AF_INET6
               && config.gateways.data[1].bytes[0] == 0xfe,
           "gateways");
    macs = config.guard_macs.data;
    expect(config.guard_macs.n == 2 && macs[0].vid == 0 && macs[0].has_address && macs[1].vid == 7
               && !macs[1].has_address && macs[1].mac.octets[5] == 9,
           "addresses that may leave");
    char *subnet CLEANUP_FREE = nwf_address_format(&macs[0].address);
    expect(!strcmp(subnet, "2001:db8:5::/48"), "%s", subnet);
}

/* What holds for a port, by its name and its Interface's. */
static void
test_guarding(void **state)
{
    static const struct {
        struct row row;
        const char *port, *interface;
        enum nwf_guarding guarding;
    } cases[] = {
        {{.guard = "eth0"}, "eth0", "eth0", NWF_GUARDED},
        {{.guard = "eth0"}, "eth1", "eth1", NWF_UNGUARDED},
        {{.guard = "bond0"}, "bond0", "eth1", NWF_GUARDED},
        {{.guard = "eth1"}, "bond0", "eth1", NWF_GUARDED},
        {{.mode = "routed", .uplink = "eth0", .via = "flows"}, "eth0", "eth0", NWF_GUARDED},
        {{.mode = "routed", .uplink = "eth0", .via = "host"}, "eth0", "eth0", NWF_SHUT_OUT},
        {{.mode = "routed", .uplink = "eth0"}, "bond0", "eth0", NWF_SHUT_OUT},
        {{.mode = "routed", .uplink = "eth0"}, "eth1", "eth1", NWF_UNGUARDED},
        {{.mode = "routed", .uplink = "eth0", .via = "?"}, "eth0", "eth0", NWF_SHUT_OUT},
        {{.guard = "eth0", .macs = "?"}, "eth0", "eth0", NWF_SHUT_OUT},
        {{.guard = "eth0", .macs = "?"}, "eth1", "eth1", NWF_UNGUARDED},
        {{.mode = "?", .uplink = "eth1", .guard = "eth0"}, "eth1", "eth1", NWF_SHUT_OUT},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(cases); i++) {
        struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
        const char *reason = NULL;

        (void) read_row(&cases[i].row, &config, NULL);
        expect(nwf_routed_guarding(&config, cases[i].port, cases[i].interface, &reason)
                   == cases[i].guarding,
               "case %zu", i);
        expect((cases[i].guarding == NWF_SHUT_OUT) == (reason != NULL), "case %zu: why", i);
    }
}

/* A tag with so many entries of a kind; the caller frees it. */
static char *
repeat(const char *format, unsigned int n)
{
    char *s = nwf_zalloc(64 * (size_t) n + 1), *end = s;

    for (unsigned int i = 0; i < n; i++) {
        *end++ = ',';
        if (strchr(format, '%')) {
            char text[64];
            (void) snprintf(text, sizeof text, "%02x:%02x", i >> 8, i & 0xff);
            end += sprintf(end, "02:00:00:00:%s", text);
        }
        end += sprintf(end, "%s", strchr(format, '%') ? strchr(format, '%') + 1 : format);
    }
    return s;
}

/* The most that a tag may name is taken, and one more is not; names are shut all the same. */
static void
test_bounds(void **state)
{
    static const struct {
        const char *entry; /* '%' stands for another address each. */
        unsigned int max;
    } kinds[] = {{"%", NWF_GUARD_MACS_MAX - 1}, {"%@7", NWF_GUARD_MACS_MAX - 1}};

    (void) state;
    for (size_t i = 0; i < N_ROWS(kinds); i++) {
        for (unsigned int more = 0; more < 2; more++) {
            char *macs CLEANUP_FREE = repeat(kinds[i].entry, kinds[i].max + more);
            const struct row row = {.guard = "eth0", .macs = macs};
            struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
            expect(!read_row(&row, &config, NULL) == !more, "%s: %u", kinds[i].entry, more);
        }
    }
    char *names CLEANUP_FREE = repeat("eth9", 100000), *long_name CLEANUP_FREE = nwf_zalloc(70001);
    memset(long_name, 'x', 70000);
    const struct row many[] = {{.guard = names},
                               {.guard = long_name},
                               {.guard = "eth9", .macs = long_name},
                               {.guard = "eth9", .macs = names}};
    for (size_t i = 0; i < N_ROWS(many); i++) {
        struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
        const char *reason, *name = i == 1 ? long_name : "eth9";
        expect(read_row(&many[i], &config, NULL) < 0, "many %zu", i);
        expect(nwf_routed_guarding(&config, name, name, &reason) == NWF_SHUT_OUT, "many %zu", i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_guarding),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
