/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plan makes of a database that cannot be right, or that no switch would obey: in
 * doubt a port is quarantined, and its neighbours are as they were. */
#include <config.h>

#include "support.h"

#include <string.h>

#include "nwf/filter_path.h"
#include "nwf/plan.h"
#include "nwf/text.h"

#include "lib/smap.h"
#include "nwf-rows.h"

#define N_PORTS_MAX 8

/* Rows as the database has them. */
struct rows {
    struct nwfrec_bridge bridge;
    struct nwfrec_port *list[N_PORTS_MAX];
    struct nwfrec_port ports[N_PORTS_MAX];
    struct nwfrec_interface interfaces[N_PORTS_MAX], *members[N_PORTS_MAX];
    int64_t numbers[N_PORTS_MAX];
};

static void
init_rows(struct rows *rows)
{
    memset(rows, 0, sizeof *rows);
    rows->bridge.name = (char *) "br0";
    rows->bridge.ports = rows->list;
}

static void
clear_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->bridge.n_ports; i++) {
        smap_destroy(&rows->interfaces[i].external_ids);
        smap_destroy(&rows->interfaces[i].lldp);
        smap_destroy(&rows->interfaces[i].bfd);
        smap_destroy(&rows->ports[i].other_config);
        smap_destroy(&rows->ports[i].external_ids);
    }
    init_rows(rows);
}

static void
add_interface(struct rows *rows, const char *name, uint16_t ofport)
{
    static uint32_t n_rows;
    size_t i = rows->bridge.n_ports;
    struct nwfrec_interface *row = &rows->interfaces[i];

    row->header_.uuid.parts[0] = ++n_rows;
    row->name = (char *) name;
    smap_init(&row->external_ids);
    smap_init(&row->lldp);
    smap_init(&row->bfd);
    rows->numbers[i] = ofport;
    row->ofport = &rows->numbers[i];
    row->n_ofport = ofport != 0;
    rows->members[i] = row;
}

/* 'lldp': ovs-vswitchd speaks a protocol of its own on the port. */
static void
add_port(struct rows *rows, const char *name, uint16_t ofport, bool guest, bool lldp)
{
    size_t i = rows->bridge.n_ports;
    struct nwfrec_port *port = &rows->ports[i];

    add_interface(rows, name, ofport);
    if (guest) {
        char *mac CLEANUP_FREE = nwf_asprintf("52:54:00:00:00:%02zx", i + 1);
        smap_add(&rows->interfaces[i].external_ids, NWF_TAG_FILTER, "clean-traffic");
        smap_add(&rows->interfaces[i].external_ids, NWF_TAG_VARIABLE "IP", "10.0.0.1");
        smap_add(&rows->interfaces[i].external_ids, NWF_TAG_MAC, mac);
    }
    if (lldp) {
        smap_add(&rows->interfaces[i].lldp, "enable", "true");
    }
    port->header_.uuid = rows->interfaces[i].header_.uuid;
    port->name = (char *) name;
    port->interfaces = &rows->members[i];
    port->n_interfaces = 1;
    smap_init(&port->other_config);
    smap_init(&port->external_ids);
    rows->list[i] = port;
    rows->bridge.n_ports++;
}

struct world {
    struct rows rows;
    struct nwf_filter_path path;
    struct nwf_sources sources;
    struct nwf_plan plan;
    uint8_t zones[0x10000];
};

static struct world *
world_new(void)
{
    struct world *w = nwf_zalloc(sizeof *w);

    init_rows(&w->rows);
    nwf_filter_path_init(&w->path, NULL);
    w->sources.store = nwf_store_new(nwf_filter_path_read, &w->path);
    nwf_plan_init(&w->plan, "br0");
    w->plan.zones = w->zones;
    return w;
}

static void
world_free(struct world *w)
{
    nwf_plan_finish(&w->plan);
    nwf_store_free(w->sources.store);
    nwf_filter_path_finish(&w->path);
    clear_rows(&w->rows);
    free(w);
}

static void
compute(struct world *w)
{
    struct nwf_ovs_bridge bridge = {
        .name = "br0", .settings = (char *) "", .datapath_type = "system", .row = &w->rows.bridge};
    struct nwf_error err = NWF_ERROR_INIT;

    nwf_bridge_config_read(NULL, 0, &bridge.config);
    nwf_plan_update(&w->plan, &bridge, &w->sources, false);
    expect_ok(nwf_plan_compute(&w->plan, &w->sources, &err), &err);
}

/* Roles as letters, in the order of ports: guest, trusted, quarantined. */
static void
expect_roles(struct world *w, const char *expected, const char *what)
{
    char found[N_PORTS_MAX + 1] = "";

    compute(w);
    nwf_vec_foreach (item, &w->plan.ports) {
        const struct nwf_plan_port *port = *item;
        const char *cause = nwf_plan_port_error(port)->text;
        bool is_quarantined = port->role == NWF_QUARANTINED;

        strcat(found, is_quarantined ? "q" : port->role == NWF_GUEST ? "g" : "t");
        expect(is_quarantined == (cause != NULL), "%s: %s: %s", what, port->config.name,
               cause ? cause : "no cause");
    }
    expect(!strcmp(found, expected), "%s: %s, not %s", what, found, expected);
}

static void
expect_cause(const struct world *w, const char *name, const char *cause)
{
    const struct nwf_plan_port *port = nwf_plan_find_port(&w->plan, name);

    expect(port && strstr(nwf_error_text(nwf_plan_port_error(port)), cause), "%s: not \"%s\"", name,
           cause);
}

/* Other rows, of the same bridge. */
static void
start_over(struct world *w)
{
    clear_rows(&w->rows);
}

static void
test_equal_numbers(void **state)
{
    struct world *w = world_new();

    (void) state;
    add_port(&w->rows, "none-a", 0, true, false);
    add_port(&w->rows, "none-b", 0, true, false);
    add_port(&w->rows, "vnet0", 1, true, false);
    add_port(&w->rows, "vnet1", 2, true, false);
    add_port(&w->rows, "uplink", 3, false, false);
    expect_roles(w, "qqggt", "numbers of their own");
    expect_cause(w, "none-a", "no OpenFlow number");
    start_over(w);
    add_port(&w->rows, "vnet0", 1, true, false);
    add_port(&w->rows, "vnet1", 2, true, false);
    add_port(&w->rows, "vnet2", 2, true, false);
    add_port(&w->rows, "vnet3", 3, true, false);
    expect_roles(w, "gqqg", "two guests");
    expect_cause(w, "vnet1", "the same OpenFlow number");
    start_over(w);
    add_port(&w->rows, "vnet0", 1, true, false);
    add_port(&w->rows, "uplink", 1, false, false);
    add_port(&w->rows, "vnet1", 1, true, false);
    expect_roles(w, "qqq", "guests and a trusted port");
    world_free(w);
}

static void
test_bypass(void **state)
{
    struct world *w = world_new();

    (void) state;
    add_port(&w->rows, "vnet0", 1, true, true);
    add_port(&w->rows, "vnet1", 2, true, false);
    add_port(&w->rows, "uplink", 3, false, true);
    expect_roles(w, "qgt", "frames past a guest's flows");
    expect_cause(w, "vnet0", "past its filter");
    world_free(w);
}

/* ---- Rows that change. ---- */

static void
set_number(struct rows *rows, size_t i, uint16_t ofport)
{
    rows->numbers[i] = ofport;
    rows->interfaces[i].n_ofport = ofport != 0;
    rows->interfaces[i].header_.change_seqno[OVSDB_IDL_CHANGE_MODIFY]++;
}

/* Whether there is a part with flows of the owner, or one without. */
static char
part_of(const struct nwf_plan *plan, nwf_owner owner)
{
    nwf_vec_foreach (part, &plan->parts) {
        if ((*part)->owner == owner) {
            return nwf_flow_set_count(&(*part)->flows) ? '+' : '-';
        }
    }
    return ' ';
}

static void
expect_parts(const struct nwf_plan *plan, const char *expected, const char *what)
{
    char found[N_PORTS_MAX] = "";

    for (nwf_owner owner = 1; expected[owner - 1]; owner++) {
        found[owner - 1] = part_of(plan, owner);
    }
    expect(!strcmp(found, expected), "%s: parts of 1, 2...: \"%s\", not \"%s\"", what, found,
           expected);
}

/* A number that another port has been given, or that nobody has any more. */
static void
test_numbers_change(void **state)
{
    struct world *w = world_new();

    (void) state;
    add_port(&w->rows, "vnet0", 1, true, false);
    add_port(&w->rows, "vnet1", 2, true, false);
    add_port(&w->rows, "uplink", 3, false, false);
    expect_roles(w, "ggt", "at first");
    expect_parts(&w->plan, "++- ", "at first");
    expect_roles(w, "ggt", "no change");
    expect_parts(&w->plan, "    ", "no change");
    set_number(&w->rows, 0, 2);
    expect_roles(w, "qqt", "two with one number");
    expect_parts(&w->plan, "-+  ", "two with one number");
    set_number(&w->rows, 1, 4);
    expect_roles(w, "gtg", "the other has another");
    expect_parts(&w->plan, " + +", "the other has another");
    set_number(&w->rows, 0, 4);
    set_number(&w->rows, 1, 2);
    expect_roles(w, "gtg", "swapped");
    expect_parts(&w->plan, " + +", "swapped");
    set_number(&w->rows, 0, 0);
    expect_roles(w, "qgt", "none any more");
    expect_parts(&w->plan, "   -", "none any more");
    world_free(w);
}

/* One of two with one number goes: the other is a guest as before. */
static void
test_duplicate_goes(void **state)
{
    struct world *w = world_new();

    (void) state;
    add_port(&w->rows, "vnet0", 1, true, false);
    add_port(&w->rows, "vnet1", 2, true, false);
    add_port(&w->rows, "vnet2", 2, true, false);
    expect_roles(w, "gqq", "two with one number");
    w->rows.bridge.n_ports--;
    expect_roles(w, "gg", "one of them has gone");
    expect_parts(&w->plan, " + ", "one of them has gone");
    w->rows.bridge.n_ports--;
    expect_roles(w, "g", "the other too");
    expect_parts(&w->plan, " - ", "the other too");
    w->rows.bridge.n_ports += 2;
    world_free(w);
}

/* A row that has not changed is not read. */
static void
test_unchanged_rows(void **state)
{
    struct world *w = world_new();

    (void) state;
    add_port(&w->rows, "vnet0", 1, true, false);
    add_port(&w->rows, "vnet1", 2, true, false);
    expect_roles(w, "gg", "at first");
    smap_replace(&w->rows.interfaces[0].external_ids, NWF_TAG_FILTER, "absent");
    expect_roles(w, "gg", "nothing says that it has changed");
    w->rows.interfaces[0].header_.change_seqno[OVSDB_IDL_CHANGE_MODIFY]++;
    expect_roles(w, "qg", "another filter");
    expect_parts(&w->plan, "+  ", "another filter");
    world_free(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_numbers),  cmocka_unit_test(test_bypass),
        cmocka_unit_test(test_numbers_change), cmocka_unit_test(test_duplicate_goes),
        cmocka_unit_test(test_unchanged_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
