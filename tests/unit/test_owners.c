/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan that is kept, change by change, has the flows that one made from scratch has, whatever
 * the changes: a switch that is told only of what is computed anew ends with the same flows.  No
 * key is in the flows of two owners, and each flow says by its cookie whose it is. */
#include <config.h>

#include "support.h"

#include "world.h"

#include <errno.h>
#include <stdio.h>

#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

#ifdef __SANITIZE_ADDRESS__
#define N_WORLDS 6
#else
#define N_WORLDS 40
#endif
#define N_STEPS 80

/* ---- As a keeper does it. ---- */

/* Which ports the switch delivers addresses to, and what ports' status is, when claims are
 * judged. */
void nwf_plan_collect_holders(struct nwf_plan *plan, const struct nwf_image *image);

static void
take_status(struct nwf_plan *plan)
{
    nwf_vec_foreach (item, &plan->ports) {
        struct nwf_plan_port *port = *item;
        bool is_active = port->role == NWF_GUEST && !nwf_plan_port_error(port)->text;

        free(port->notes.status);
        port->notes.status = nwf_strdup(is_active ? "active" : "failed");
    }
}

static void
count_zones(struct world *w)
{
    memset(w->zones, 0, sizeof w->zones);
    nwf_vec_foreach (port, &w->plan.ports) {
        w->zones[(*port)->zone] = (*port)->zone != 0;
    }
}

/* Each flow is its owner's, by its cookie. */
static void
check_owners(const struct world *w, const struct nwf_plan *plan)
{
    nwf_vec_foreach (item, &plan->parts) {
        const struct nwf_part *part = *item;
        const struct nwf_flow *flow;

        nwf_vec_foreach (other, &plan->parts) {
            world_check(w, *other == part || (*other)->owner != part->owner, "two parts of %#x",
                        part->owner);
        }
        HMAP_FOR_EACH (flow, node, &part->flows.flows) {
            world_check(w, nwf_owner_of(flow->cookie) == part->owner,
                        "cookie %#llx (table %u, priority %u) is %#x's, and computed for %#x",
                        (unsigned long long int) flow->cookie, flow->table, flow->priority,
                        nwf_owner_of(flow->cookie), part->owner);
        }
    }
}

/* The switch does the one change. */
static void
commit_change(struct world *w, const struct nwf_change *step)
{
    const struct nwf_flow *old = nwf_flow_set_find(&w->installed, step->flow);

    if (step->kind != NWF_CHANGE_DELETE) {
        world_install(w, copy_flow(step->flow, step->flow->cookie));
        return;
    }
    world_check(w, old != NULL, "table %u: a flow that is not there is to be deleted",
                step->flow->table);
    nwf_image_remove(&w->image, old, NULL);
    nwf_flow_set_remove(&w->installed, (struct nwf_flow *) old);
}

static size_t
apply(struct world *w)
{
    size_t n = w->plan.deletions.n + w->plan.rest.n;

    nwf_vec_foreach (step, &w->plan.deletions) {
        commit_change(w, step);
    }
    nwf_vec_foreach (step, &w->plan.rest) {
        commit_change(w, step);
    }
    nwf_vec_foreach (part, &w->plan.parts) {
        nwf_image_take(&w->image, (*part)->owner, &(*part)->flows);
    }
    nwf_plan_clear_parts(&w->plan);
    return n;
}

static size_t
compute(struct world *w)
{
    struct nwf_error err = NWF_ERROR_INIT;

    count_zones(w);
    expect_ok(nwf_plan_compute(&w->plan, &w->sources, &err), &err);
    check_owners(w, &w->plan);
    return apply(w);
}

/* ---- From scratch. ---- */

/* A plan of the same ports.  Its claims are judged by what the kept one's were judged by. */
static void
copy_plan(const struct nwf_plan *from, struct nwf_plan *ret, uint8_t *zones)
{
    nwf_plan_init(ret, from->name);
    ret->zones = zones;
    ret->bridge = from->bridge;
    memset(&ret->bridge.ports, 0, sizeof ret->bridge.ports);
    nwf_vec_foreach (item, &from->ports) {
        struct nwf_port_config config;

        copy_config(&(*item)->config, &config);
        struct nwf_plan_port *port = nwf_plan_add_port(ret, &config);
        port->notes.status = copy_text((*item)->notes.status);
        port->zone = (*item)->zone;
        copy_error(&(*item)->refusal, &port->refusal);
    }
    nwf_vec_foreach (holder, &from->holders) {
        nwf_vec_push(&ret->holders, *holder);
    }
    nwf_plan_sort(ret);
}

/* But for flows that are somebody else's. */
static void
expect_equal(const struct world *w, const struct nwf_flow_set *found,
             const struct nwf_flow_set *expected, const char *which)
{
    static const char signs[] = {
        [NWF_CHANGE_DELETE] = '-', [NWF_CHANGE_ADD] = '+', [NWF_CHANGE_REPLACE] = '!'};
    struct nwf_changes changes;
    size_t n = 0;

    nwf_flow_diff(found, expected, &changes);
    nwf_vec_foreach (step, &changes) {
        struct ds s = DS_EMPTY_INITIALIZER;
        nwf_flow_format(step->flow, &s);
        if (nwf_owner_of(step->flow->cookie) != NWF_OWNER_FOREIGN && n++ < 5) {
            print_error("%c %s\n", signs[step->kind], ds_cstr(&s));
        }
        ds_destroy(&s);
    }
    world_check(w, !n, "%s: %zu of %zu flows are not those of a new plan", which, n,
                nwf_flow_set_count(expected));
    nwf_vec_clear(&changes);
}

static void
check_port(const struct world *w, const struct nwf_plan_port *kept,
           const struct nwf_plan_port *fresh)
{
    const char *a = nwf_plan_port_error(kept)->text, *b = nwf_plan_port_error(fresh)->text;

    world_check(w, !strcmp(kept->config.name, fresh->config.name), "the order of ports");
    world_check(w, kept->role == fresh->role, "%s: role %d, in a new plan %d", kept->config.name,
                kept->role, fresh->role);
    world_check(w, !strcmp(a ? a : "", b ? b : ""), "%s: \"%s\", in a new plan \"%s\"",
                kept->config.name, a ? a : "", b ? b : "");
    world_check(w, kept->zone == fresh->zone && kept->is_excess == fresh->is_excess,
                "%s: its zone or its room", kept->config.name);
    world_check(w, kept->zone == 0 || kept->role == NWF_GUEST, "%s: a zone for nothing",
                kept->config.name);
}

static void
check_ports(const struct world *w, const struct nwf_plan *fresh)
{
    for (size_t i = 0; i < w->plan.ports.n; i++) {
        const struct nwf_plan_port *port = w->plan.ports.data[i];

        check_port(w, port, fresh->ports.data[i]);
        for (size_t j = 0; j < i; j++) {
            world_check(w, !port->zone || port->zone != w->plan.ports.data[j]->zone,
                        "zone %u twice", port->zone);
        }
    }
}

static void
check_from_scratch(const struct world *w)
{
    struct nwf_plan fresh CLEANUP(nwf_plan_finish);
    struct nwf_flow_set flows;
    uint8_t *zones CLEANUP_FREE = nwf_memdup(w->zones, sizeof w->zones);
    struct nwf_error err = NWF_ERROR_INIT;
    size_t sum = 0;

    copy_plan(&w->plan, &fresh, zones);
    nwf_plan_collect_sightings(&fresh, &w->image);
    expect_ok(nwf_plan_compute(&fresh, &w->sources, &err), &err);
    check_owners(w, &fresh);
    check_ports(w, &fresh);
    nwf_vec_foreach (part, &fresh.parts) {
        size_t n = nwf_flow_set_count(&(*part)->flows);
        world_check(w, nwf_image_count(&w->image, (*part)->owner) == n,
                    "%#x has %zu flows, not %zu", (*part)->owner,
                    nwf_image_count(&w->image, (*part)->owner), n);
        sum += n;
    }
    nwf_plan_merge_parts(&fresh, &flows);
    world_check(w, nwf_flow_set_count(&flows) == sum, "%zu flows of all owners, %zu keys", sum,
                nwf_flow_set_count(&flows));
    expect_equal(w, &w->installed, &flows, "the switch");
    expect_equal(w, &w->image.flows, &flows, "the image");
    nwf_flow_set_finish(&flows);
}

/* ---- Nothing comes of nothing. ---- */

static void
check_at_rest(struct world *w)
{
    struct nwf_error err = NWF_ERROR_INIT;

    world_check(w, !nwf_plan_is_dirty(&w->plan), "something is dirty after all has been computed");
    expect_ok(nwf_plan_compute(&w->plan, &w->sources, &err), &err);
    world_check(w, !w->plan.parts.n, "%zu parts without a change", w->plan.parts.n);
}

/* The image is read from the switch anew, and all of it compared.  Whose addresses are is judged
 * as before: by the flows now it may be another's, in audit mode, where the switch delivers to
 * quarantined ports too. */
static void
check_restart(struct world *w)
{
    const struct nwf_flow *flow;

    w->what = "another start";
    nwf_image_clear(&w->image);
    HMAP_FOR_EACH (flow, node, &w->installed.flows) {
        nwf_image_put(&w->image, nwf_owner_of(flow->cookie), copy_flow(flow, flow->cookie));
    }
    nwf_plan_dirty_all(&w->plan);
    size_t n = compute(w);
    world_check(w, n == 0, "%zu changes", n);
}

static void
run(struct nwf_store *store, uint64_t seed)
{
    struct world *w = nwf_zalloc(sizeof *w);

    world_init(w, store, seed);
    for (w->step = 0; w->step < N_STEPS; w->step++) {
        for (uint32_t n = 1 + !world_roll(w, 3) + !world_roll(w, 6); n; n--) {
            world_change(w);
        }
        if (w->plan.claims_dirty || w->plan.all_dirty) {
            nwf_plan_collect_holders(&w->plan, &w->image);
            take_status(&w->plan);
        }
        (void) compute(w);
        check_from_scratch(w);
        check_at_rest(w);
        if (!world_roll(w, 10)) {
            check_restart(w);
        }
    }
    world_finish(w);
    free(w);
}

static void
test_random_changes(void **state)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(world_read_filter, NULL);

    (void) state;
    for (uint64_t seed = 0; seed < N_WORLDS; seed++) {
        run(store, seed);
    }
}

/* ---- Large guests. ---- */

/* Sixteen such guests have room: the tests' first two, and the others. */
#define N_LARGE_VLANS 4000
#define N_LARGE_OTHERS 14

static void
add_large(struct world *w, unsigned int number, uint16_t ofport)
{
    struct nwf_port_config config = {
        .name = nwf_asprintf("vnet%u", number),
        .ofport = ofport,
        .role = NWF_GUEST,
        .binding = {.filter = nwf_strdup("open")},
    };

    char *mac CLEANUP_FREE = nwf_asprintf("52:54:00:00:00:%02x", number);
    add_variable(&config.binding.params, "MAC", mac);
    for (uint16_t vid = 1; vid <= N_LARGE_VLANS; vid++) {
        nwf_vlan_add_trunk(&config.vlan, vid);
    }
    nwf_plan_add_port(&w->plan, &config);
    nwf_plan_sort(&w->plan);
}

static void
remove_named(struct world *w, const char *name)
{
    nwf_vec_foreach (port, &w->plan.ports) {
        (*port)->is_seen = strcmp((*port)->config.name, name) != 0;
    }
    nwf_plan_remove_unseen(&w->plan);
    nwf_plan_sort(&w->plan);
}

/* Ports with and without room, in the order of their numbers; all of the others have it. */
static void
expect_room(struct world *w, const char *what, const char *expected)
{
    char found[N_LARGE_OTHERS + 8] = "";

    w->step++;
    w->what = what;
    (void) compute(w);
    check_from_scratch(w);
    check_at_rest(w);
    nwf_vec_foreach (port, &w->plan.ports) {
        world_check(w, (*port)->is_excess == ((*port)->role == NWF_QUARANTINED), "a role");
        strcat(found, (*port)->is_excess ? "x" : "g");
    }
    world_check(w, strspn(found, "g") >= N_LARGE_OTHERS, "%s", found);
    world_check(w, !strcmp(found + N_LARGE_OTHERS, expected), "%s, not %s", found, expected);
}

/* Who has no room depends on who else is there, and on nothing that was before. */
static void
test_large_guests(void **state)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(world_read_filter, NULL);
    struct world *w = nwf_zalloc(sizeof *w);

    (void) state;
    world_init(w, store, 0);
    for (uint16_t i = 0; i < N_LARGE_OTHERS; i++) {
        add_large(w, 100u + i, 1 + i);
    }
    add_large(w, 1, 101);
    add_large(w, 2, 102);
    add_large(w, 3, 103);
    expect_room(w, "one too many", "ggx");
    nwf_plan_dirty_owner(&w->plan, 103);
    expect_room(w, "it is computed anew", "ggx");
    remove_named(w, "vnet1");
    expect_room(w, "one goes", "gg");
    add_large(w, 1, 109);
    expect_room(w, "it comes back, the last", "ggx");
    world_set_number(w, nwf_plan_find_port(&w->plan, "vnet1"), 101);
    nwf_plan_sort(&w->plan);
    expect_room(w, "it becomes the first", "ggx");
    nwf_plan_refuse(&w->plan, w->plan.ports.data[N_LARGE_OTHERS + 1],
                    "the switch does not take it");
    (void) compute(w);
    check_from_scratch(w);
    world_check(w, !w->plan.ports.data[N_LARGE_OTHERS + 2]->is_excess,
                "one that is refused needs no room");
    check_restart(w);
    world_finish(w);
    free(w);
}

/* ---- Whose an address is. ---- */

static void
add_guest(struct world *w, const char *name, uint16_t ofport, const char *mac)
{
    struct nwf_port_config config = {
        .name = nwf_strdup(name),
        .ofport = ofport,
        .role = NWF_GUEST,
        .binding = {.filter = nwf_strdup("open")},
    };

    add_variable(&config.binding.params, "MAC", mac);
    nwf_plan_add_port(&w->plan, &config);
    nwf_plan_sort(&w->plan);
}

/* One pass, in which claims are judged by what the switch delivers now. */
static void
expect_role(struct world *w, const char *what, const char *name, enum nwf_port_role role)
{
    w->step++;
    w->what = what;
    nwf_plan_collect_holders(&w->plan, &w->image);
    take_status(&w->plan);
    (void) compute(w);
    check_from_scratch(w);
    world_check(w, nwf_plan_find_port(&w->plan, name)->role == role, "%s: another role", name);
}

/* Who had an address first keeps it, also where the switch delivers to quarantined ports. */
static void
test_address_stays(void **state)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(world_read_filter, NULL);

    (void) state;
    for (int audit = 0; audit < 2; audit++) {
        struct world *w = nwf_zalloc(sizeof *w);

        world_init(w, store, (uint64_t) audit);
        w->plan.bridge.audit = audit;
        add_guest(w, "vnet13", 13, "52:54:00:00:00:01");
        expect_role(w, "alone", "vnet13", NWF_GUEST);
        add_guest(w, "vnet5", 5, "52:54:00:00:00:01");
        expect_role(w, "another one", "vnet13", NWF_GUEST);
        add_guest(w, "vnet6", 6, "52:54:00:00:00:02");
        expect_role(w, "a third", "vnet13", NWF_GUEST);
        expect_role(w, "a third", "vnet5", NWF_QUARANTINED);
        world_finish(w);
        free(w);
    }
}

/* It goes with the port, not with its number. */
static void
test_address_follows(void **state)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(world_read_filter, NULL);
    struct world *w = nwf_zalloc(sizeof *w);

    (void) state;
    world_init(w, store, 0);
    add_guest(w, "vnet1", 11, "52:54:00:00:00:01");
    add_guest(w, "vnet2", 12, "52:54:00:00:00:01");
    expect_role(w, "the lower number's", "vnet1", NWF_GUEST);
    world_set_number(w, nwf_plan_find_port(&w->plan, "vnet1"), 12);
    world_set_number(w, nwf_plan_find_port(&w->plan, "vnet2"), 11);
    nwf_plan_sort(&w->plan);
    expect_role(w, "numbers swapped", "vnet1", NWF_GUEST);
    world_finish(w);
    free(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_changes),
        cmocka_unit_test(test_large_guests),
        cmocka_unit_test(test_address_stays),
        cmocka_unit_test(test_address_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
