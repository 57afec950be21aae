/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plan makes of a database that cannot be right, or that no switch would obey: in
 * doubt a port is quarantined, and its neighbours are as they were. */
#include <config.h>

#include "support.h"

#include <string.h>

#include "nwf/engine.h"

static const struct nwf_tag guest_tags[] = {
    {NWF_TAG_FILTER, "clean-traffic"},
    {NWF_TAG_MAC, "52:54:00:00:00:01"},
};

static void
add_port(struct nwf_ovs_bridge *bridge, const char *name, uint16_t ofport, bool guest,
         const char *bypass)
{
    struct nwf_ovs_port port = {.name = name, .ofport = ofport, .bypass = bypass};

    for (size_t i = 0; guest && i < sizeof guest_tags / sizeof guest_tags[0]; i++) {
        nwf_vec_push(&port.tags, guest_tags[i]);
    }
    nwf_vec_push(&bridge->ports, port);
}

/* Roles as letters, in the order of ports: guest, trusted, quarantined. */
static void
expect_roles(struct nwf_ovs_bridge *bridge, const char *expected, const char *what)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    char found[16] = "";

    nwf_bridge_config_read(bridge->tags.data, bridge->tags.n, &bridge->config);
    nwf_plan_init(&plan, "br0");
    nwf_plan_read(&plan, bridge, NULL);
    nwf_vec_foreach (port, &plan.ports) {
        bool is_quarantined = port->role == NWF_QUARANTINED;

        strcat(found, is_quarantined ? "q" : port->role == NWF_GUEST ? "g" : "t");
        expect(is_quarantined == (port->error.text != NULL), "%s: %s: a cause", what, port->name);
    }
    expect(!strcmp(found, expected), "%s: %s, not %s", what, found, expected);
    nwf_vec_foreach (port, &bridge->ports) {
        nwf_vec_clear(&port->tags);
    }
    nwf_vec_clear(&bridge->ports);
}

static void
test_equal_numbers(void **state)
{
    struct nwf_ovs_bridge bridge = {.name = "br0"};

    (void) state;
    add_port(&bridge, "none-a", 0, true, NULL);
    add_port(&bridge, "none-b", 0, true, NULL);
    add_port(&bridge, "vnet0", 1, true, NULL);
    add_port(&bridge, "vnet1", 2, true, NULL);
    add_port(&bridge, "uplink", 3, false, NULL);
    expect_roles(&bridge, "ggggt", "numbers of their own");
    add_port(&bridge, "vnet0", 1, true, NULL);
    add_port(&bridge, "vnet1", 2, true, NULL);
    add_port(&bridge, "vnet2", 2, true, NULL);
    add_port(&bridge, "vnet3", 3, true, NULL);
    expect_roles(&bridge, "gqqg", "two guests");
    add_port(&bridge, "vnet0", 1, true, NULL);
    add_port(&bridge, "uplink", 1, false, NULL);
    add_port(&bridge, "vnet1", 1, true, NULL);
    expect_roles(&bridge, "qqq", "guests and a trusted port");
}

static void
test_bypass(void **state)
{
    struct nwf_ovs_bridge bridge = {.name = "br0"};

    (void) state;
    add_port(&bridge, "vnet0", 1, true, "a mirror");
    add_port(&bridge, "vnet1", 2, true, NULL);
    add_port(&bridge, "uplink", 3, false, "a mirror");
    expect_roles(&bridge, "qgt", "frames past a guest's flows");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_numbers),
        cmocka_unit_test(test_bypass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
