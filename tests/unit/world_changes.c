/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens to a bridge; see world.h. */
#include <config.h>

#include "world.h"

#include <stdio.h>

#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

static struct nwf_plan_port *
pick(struct world *w)
{
    return w->plan.ports.n ? w->plan.ports.data[world_roll(w, (uint32_t) w->plan.ports.n)] : NULL;
}

static void
add_port(struct world *w)
{
    char *name CLEANUP_FREE = nwf_asprintf("vnet%u", w->n_names++);
    struct nwf_port_config config;

    w->what = "a port comes";
    if (w->plan.ports.n < N_PORTS_MAX) {
        world_roll_config(w, name, &config);
        nwf_plan_add_port(&w->plan, &config);
    }
}

static void
remove_port(struct world *w)
{
    const struct nwf_plan_port *gone = pick(w);

    w->what = "a port goes";
    nwf_vec_foreach (port, &w->plan.ports) {
        (*port)->is_seen = *port != gone;
    }
    nwf_plan_remove_unseen(&w->plan);
}

static void
replace_port(struct world *w)
{
    struct nwf_plan_port *port = pick(w);
    struct nwf_port_config config;

    w->what = "another config";
    if (port) {
        char *name CLEANUP_FREE = nwf_strdup(port->config.name);
        world_roll_config(w, name, &config);
        if (world_roll(w, 2)) {
            config.ofport = port->config.ofport;
        }
        nwf_plan_replace_config(&w->plan, port, &config);
    }
}

void
world_set_number(struct world *w, struct nwf_plan_port *port, uint16_t number)
{
    struct nwf_port_config config;

    copy_config(&port->config, &config);
    config.ofport = number;
    nwf_plan_replace_config(&w->plan, port, &config);
}

static void
renumber_port(struct world *w)
{
    struct nwf_plan_port *port = pick(w);

    w->what = "another number";
    if (port) {
        world_set_number(w, port, world_roll_free_number(w));
    }
}

static void
swap_numbers(struct world *w)
{
    struct nwf_plan_port *a = pick(w), *b = pick(w);

    w->what = "numbers swapped";
    if (a) {
        uint16_t number = a->config.ofport;
        world_set_number(w, a, b->config.ofport);
        world_set_number(w, b, number);
    }
}

static void
change_addresses(struct world *w)
{
    struct nwf_plan_port *port = pick(w);
    struct nwf_port_config config;

    w->what = "other addresses";
    if (port && port->config.role == NWF_GUEST) {
        copy_config(&port->config, &config);
        nwf_binding_clear(&config.binding);
        world_roll_guest(w, &config);
        nwf_plan_replace_config(&w->plan, port, &config);
    }
}

static void
change_filter(struct world *w)
{
    struct nwf_plan_port *port = pick(w);
    struct nwf_port_config config;

    w->what = "another filter";
    if (port && port->config.role == NWF_GUEST) {
        copy_config(&port->config, &config);
        free(config.binding.filter);
        config.binding.filter = nwf_strdup(world_filters[world_roll(w, N_ROWS(world_filters))]);
        nwf_plan_replace_config(&w->plan, port, &config);
    }
}

/* Guests whose addresses stay, and of which another one is their own. */
static void
change_own_mac(struct world *w)
{
    struct nwf_plan_port *port = pick(w);
    struct nwf_port_config config;

    w->what = "another own address";
    if (port && port->config.role == NWF_GUEST) {
        copy_config(&port->config, &config);
        free(config.binding.own_mac);
        config.binding.own_mac = world_roll(w, 2) ? world_roll_mac(w) : NULL;
        nwf_plan_replace_config(&w->plan, port, &config);
    }
}

static void
change_settings(struct world *w)
{
    struct nwf_bridge *bridge = &w->plan.bridge;

    w->what = "other settings";
    switch (world_roll(w, 4)) {
    case 0:
        bridge->audit = !bridge->audit;
        break;
    case 1:
        bridge->mac_aging = (uint16_t) (15 + world_roll(w, 3));
        break;
    case 2:
        bridge->forward_bpdu = !bridge->forward_bpdu;
        break;
    case 3:
        memset(&bridge->flooded, 0, sizeof bridge->flooded);
        if (world_roll(w, 2)) {
            nwf_vlan_set_add(&bridge->flooded, (uint16_t) (5 + world_roll(w, 2)));
        }
    }
    nwf_plan_dirty_all(&w->plan);
}

static void
refuse_port(struct world *w)
{
    struct nwf_plan_port *port = pick(w);

    w->what = "a refusal";
    if (port && port->role == NWF_GUEST && port->config.role == NWF_GUEST) {
        nwf_plan_refuse(&w->plan, port, "the switch does not take it");
    }
}

struct nwf_flow *
copy_flow(const struct nwf_flow *flow, uint64_t cookie)
{
    struct ofpbuf buffer CLEANUP(ofpbuf_uninit) = {.data = NULL};
    struct match match;

    nwf_flow_expand_match(flow, &match);
    return nwf_flow_new(flow->table, flow->priority, cookie, &match,
                        nwf_flow_ofpacts(flow, &buffer), flow->form->ofpacts_len);
}

void
world_install(struct world *w, struct nwf_flow *flow)
{
    struct nwf_flow *old = (struct nwf_flow *) nwf_flow_set_find(&w->installed, flow);

    if (old) {
        nwf_flow_set_remove(&w->installed, old);
    }
    nwf_flow_set_insert(&w->installed, flow);
}

static const struct nwf_flow *
pick_flow(struct world *w)
{
    size_t n = nwf_flow_set_count(&w->installed);
    const struct nwf_flow **flows CLEANUP_FREE = nwf_flow_set_sort(&w->installed);

    return n ? flows[world_roll(w, (uint32_t) n)] : NULL;
}

/* Somebody else changes a flow of ours, or puts one in the place of it; as keeper_read.c takes
 * it. */
static void
tamper(struct world *w)
{
    static const uint64_t cookies[] = {0x1234,
                                       NWF_COOKIE_MAGIC | UINT64_C(0x1200000000) | 777 << 16,
                                       NWF_COOKIE_MAGIC | UINT64_C(0x0800000000) | 3 << 16};
    const struct nwf_flow *flow = pick_flow(w);
    uint64_t cookie = cookies[world_roll(w, N_ROWS(cookies))];

    w->what = "somebody else's change";
    if (!flow) {
        return;
    }
    nwf_plan_dirty_owner(&w->plan, nwf_owner_of(flow->cookie));
    if (world_roll(w, 2)) {
        nwf_plan_dirty_owner(&w->plan, nwf_owner_of(cookie));
        nwf_image_put(&w->image, nwf_owner_of(cookie), copy_flow(flow, cookie));
        world_install(w, copy_flow(flow, cookie));
    } else {
        nwf_image_remove(&w->image, flow, NULL);
        nwf_flow_set_remove(&w->installed, (struct nwf_flow *) flow);
    }
}

bool nwf_plan_note_sighting(struct nwf_plan_port *port, const struct nwf_flow *pin);
void nwf_plan_collect_sightings(struct nwf_plan *plan, const struct nwf_image *image);

/* The switch hears a guest whose flows it has, and notes that by a flow of its own making. */
static void
hear_guest(struct world *w)
{
    struct nwf_plan_port *port = pick(w);

    w->what = "a guest that is heard";
    if (!port || port->dirty || w->plan.all_dirty || w->plan.claims_dirty || port->role != NWF_GUEST
        || port->facts.own_mac >= port->facts.macs.n) {
        return;
    }
    uint16_t number = port->config.ofport;
    struct nwf_flow_set set CLEANUP(nwf_flow_set_finish);
    struct nwf_flow *pin;

    nwf_flow_set_init(&set);
    nwf_add_pin(number, &port->facts.macs.data[port->facts.own_mac], &set);
    HMAP_FOR_EACH (pin, node, &set.flows) {
        world_check(w, nwf_plan_note_sighting(port, pin), "it is not noted");
        nwf_image_put(&w->image, number, copy_flow(pin, pin->cookie));
        world_install(w, copy_flow(pin, pin->cookie));
    }
}

/* What nwf_plan_update() sums up of the ports. */
static void
read_sums(struct nwf_plan *plan)
{
    struct nwf_bridge before = plan->bridge, *now = &plan->bridge;

    now->use_normal = now->inner_tags = now->has_patch = false;
    nwf_vec_foreach (item, &plan->ports) {
        const struct nwf_port_config *config = &(*item)->config;
        now->has_patch |= config->is_patch;
        if (config->role == NWF_TRUSTED && config->ofport) {
            now->use_normal |= config->needs_normal;
            now->inner_tags |= config->vlan.mode == NWF_VLAN_TUNNEL;
        }
    }
    plan->all_dirty |= now->use_normal != before.use_normal || now->inner_tags != before.inner_tags
                       || now->has_patch != before.has_patch;
}

void
world_change(struct world *w)
{
    static void (*const changes[])(struct world *) = {
        add_port,      add_port,      add_port,      remove_port,      replace_port,
        replace_port,  change_filter, change_filter, change_filter,    change_own_mac,
        renumber_port, swap_numbers,  refuse_port,   change_addresses, change_settings,
        tamper,        hear_guest,    hear_guest,    hear_guest,
    };

    changes[world_roll(w, N_ROWS(changes))](w);
    nwf_plan_sort(&w->plan);
    read_sums(&w->plan);
}
