/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan that is kept, change by change, has the flows that one made from scratch has, whatever
 * the changes: a switch that is told only of what is computed anew ends with the same flows.  No
 * key is in the flows of two owners, and each flow says by its cookie whose it is. */
#include <config.h>

#include "support.h"

#include <errno.h>
#include <stdio.h>

#include "../../src/engine/plan.h"
#include "nwf/file.h"
#include "nwf/filter_path.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

#ifdef __SANITIZE_ADDRESS__
#define N_WORLDS 6
#else
#define N_WORLDS 40
#endif
#define N_STEPS 80
#define N_PORTS_MAX 14
#define N_NUMBERS 18 /* Highest OpenFlow number, but for that of the bridge's own port. */

/* ---- Filters. ---- */

static const struct text_filter own_filters[] = {
    {"open", "<filter name='open'/>"},
    {"shut", "<filter name='shut'><rule action='drop' direction='inout'/></filter>"},
    {"some", "<filter name='some'><rule action='drop' direction='inout'>"
             "<mac srcmacaddr='02:00:00:00:00:99'/></rule>"
             "<rule action='drop' direction='in'><ip match='no' srcipaddr='10.0.0.1'/></rule>"
             "<rule action='accept' direction='in'><mac match='no' protocolid='ipv4'/></rule>"
             "</filter>"},
    {"no-arp", "<filter name='no-arp'><rule action='drop' direction='in'><arp/></rule></filter>"},
    {"web", "<filter name='web'><filterref filter='clean-traffic'/>"
            "<rule action='accept' direction='in'><tcp dstportstart='80'/></rule>"
            "<rule action='accept' direction='out'><all/></rule>"
            "<rule action='drop' direction='inout'><all/></rule></filter>"},
    {"stateless", "<filter name='stateless'>"
                  "<rule action='accept' direction='in' statematch='false'>"
                  "<tcp dstportstart='22'/></rule>"
                  "<rule action='drop' direction='in' statematch='false'><udp/></rule></filter>"},
    {"variable", "<filter name='variable'><rule action='drop' direction='out'>"
                 "<ip match='no' srcipaddr='$NOBODY'/></rule></filter>"},
    {"broken", "<filter name='broken'><rule/></filter>"},
};

static const char *const filter_names[] = {
    "open",       "shut",           "some",          "no-arp",           "web",    "web",
    "web",        "stateless",      "clean-traffic", "clean-traffic",    "broken", "variable",
    "allow-ipv4", "no-ip-spoofing", "absent",        "no-mac-broadcast", "open",   "some",
};

static int
read_filter(void *aux, const char *name, char **ret_path, char **ret_data, size_t *ret_size,
            struct nwf_error *err)
{
    char *file CLEANUP_FREE = nwf_asprintf("filters/%s.xml", name);

    (void) aux;
    for (size_t i = 0; i < N_ROWS(own_filters); i++) {
        if (!strcmp(own_filters[i].name, name)) {
            *ret_path = nwf_asprintf("%s.xml", name);
            *ret_data = nwf_strdup(own_filters[i].xml);
            *ret_size = strlen(own_filters[i].xml);
            return 0;
        }
    }
    *ret_path = nwf_data_file(file);
    return nwf_file_read(*ret_path, 65536, ret_data, ret_size, err);
}

/* ---- A bridge, its plan, and its switch. ---- */

struct world {
    const char *what; /* The last change. */
    uint64_t seed;
    int step;
    struct dice dice;
    struct nwf_sources sources;
    struct nwf_plan plan;
    struct nwf_image image;
    struct nwf_flow_set installed; /* What the switch has by all changes. */
    unsigned int n_names;
    uint8_t zones[0x10000];
};

#define check(W, CONDITION, FORMAT, ...)                                                           \
    expect(CONDITION, "bridge %d, step %d (%s): " FORMAT, (int) (W)->seed, (W)->step, (W)->what,   \
           ##__VA_ARGS__)

static uint32_t
roll(struct world *w, uint32_t n)
{
    return dice_roll(&w->dice, n);
}

static void
world_init(struct world *w, struct nwf_store *store, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->what = "nothing";
    w->dice = dice_seed(seed);
    w->sources.store = store;
    nwf_plan_init(&w->plan, "br0");
    w->plan.zones = w->zones;
    nwf_image_init(&w->image);
    w->plan.installed = &w->image;
    nwf_flow_set_init(&w->installed);
}

static void
world_finish(struct world *w)
{
    nwf_plan_finish(&w->plan);
    nwf_image_finish(&w->image);
    nwf_flow_set_finish(&w->installed);
}

/* ---- Random ports. ---- */

static uint16_t
roll_number(struct world *w)
{
    /* Seldom none, or that of the bridge's own port. */
    return roll(w, 20) ? (uint16_t) (1 + roll(w, N_NUMBERS)) : roll(w, 3) ? NWF_OFPORT_LOCAL : 0;
}

static bool
is_taken(const struct world *w, uint16_t number)
{
    nwf_vec_foreach (port, &w->plan.ports) {
        if ((*port)->config.ofport == number) {
            return true;
        }
    }
    return false;
}

/* Seldom one that is another's. */
static uint16_t
roll_free_number(struct world *w)
{
    uint16_t number = roll_number(w);

    for (int i = 0; i < 20 && is_taken(w, number) && roll(w, 8); i++) {
        number = roll_number(w);
    }
    return number;
}

static void
roll_vlan(struct world *w, bool is_guest, struct nwf_vlan *ret)
{
    memset(ret, 0, sizeof *ret);
    if (roll(w, 2)) {
        return;
    }
    ret->mode = (enum nwf_vlan_mode) roll(w, is_guest ? NWF_VLAN_TUNNEL : NWF_VLAN_TUNNEL + 1);
    if (ret->mode != NWF_VLAN_TRUNK) {
        ret->tag = (uint16_t) (5 + roll(w, 2));
    }
    if (ret->mode == NWF_VLAN_TUNNEL) {
        ret->tpid = 0x88a8;
    }
    while (ret->mode != NWF_VLAN_ACCESS && !roll(w, 2)) {
        nwf_vlan_add_trunk(ret, (uint16_t) roll(w, 9));
    }
}

static char *
roll_mac(struct world *w)
{
    return roll(w, 40) ? nwf_asprintf("52:54:00:00:00:%02x", 1 + roll(w, 24))
                       : nwf_strdup("53:00:00:00:00:01"); /* A group's. */
}

static void
add_variable(struct nwf_params *params, const char *name, const char *value)
{
    struct nwf_error err = NWF_ERROR_INIT;

    expect_ok(nwf_params_add(params, name, value, &err), &err);
}

static void
roll_guest(struct world *w, struct nwf_port_config *config)
{
    struct nwf_binding *binding = &config->binding;

    binding->port = nwf_strdup(config->name);
    binding->filter = nwf_strdup(filter_names[roll(w, N_ROWS(filter_names))]);
    for (uint32_t n = roll(w, 12) ? 1 + !roll(w, 3) : 0; n; n--) {
        char *mac CLEANUP_FREE = roll_mac(w);
        add_variable(&binding->params, "MAC", mac);
    }
    for (uint32_t n = roll(w, 12) ? 1 + !roll(w, 3) : 0; n; n--) {
        char *ip CLEANUP_FREE = nwf_asprintf("10.0.0.%u", 1 + roll(w, 20));
        add_variable(&binding->params, "IP", ip);
    }
    if (!roll(w, 6)) {
        binding->own_mac = roll_mac(w);
    }
}

static void
roll_trusted(struct world *w, struct nwf_port_config *config)
{
    if (config->ofport && !roll(w, 3)) {
        uint16_t other = (uint16_t) (1 + roll(w, N_NUMBERS));
        nwf_vec_push(&config->bond, config->ofport);
        if (other != config->ofport) {
            nwf_vec_push(&config->bond, other);
        }
    }
    config->needs_normal = config->bond.n || config->vlan.mode == NWF_VLAN_TUNNEL;
    config->is_patch = !roll(w, 10);
    config->has_own_mac = !roll(w, 4);
    if (config->has_own_mac) {
        config->own_mac = (struct nwf_mac){{0x52, 0x54, 0, 0, 0, (uint8_t) (1 + roll(w, 24))}};
    }
}

static void
roll_config(struct world *w, const char *name, struct nwf_port_config *ret)
{
    uint32_t kind = roll(w, 20);

    memset(ret, 0, sizeof *ret);
    ret->name = nwf_strdup(name);
    ret->ofport = roll_free_number(w);
    ret->role = kind < 14 ? NWF_GUEST : kind < 18 ? NWF_TRUSTED : NWF_QUARANTINED;
    roll_vlan(w, ret->role != NWF_TRUSTED, &ret->vlan);
    if (ret->role == NWF_GUEST) {
        roll_guest(w, ret);
    } else if (ret->role == NWF_TRUSTED) {
        roll_trusted(w, ret);
    } else {
        nwf_error_set(&ret->error, -EINVAL, "broken tags");
    }
}

static char *
copy_text(const char *text)
{
    return text ? nwf_strdup(text) : NULL;
}

static void
copy_binding(const struct nwf_binding *from, struct nwf_binding *ret)
{
    ret->port = copy_text(from->port);
    ret->filter = copy_text(from->filter);
    ret->own_mac = copy_text(from->own_mac);
    ret->has_identity = from->has_identity;
    memset(&ret->params, 0, sizeof ret->params);
    nwf_vec_foreach (param, &from->params.list) {
        nwf_vec_foreach (value, &param->values) {
            add_variable(&ret->params, param->name, *value);
        }
    }
}

static void
copy_error(const struct nwf_error *from, struct nwf_error *ret)
{
    *ret = (struct nwf_error){.text = copy_text(from->text), .code = from->code};
}

static void
copy_config(const struct nwf_port_config *from, struct nwf_port_config *ret)
{
    *ret = *from;
    ret->name = nwf_strdup(from->name);
    copy_error(&from->error, &ret->error);
    copy_binding(&from->binding, &ret->binding);
    ret->vlan = nwf_vlan_copy(&from->vlan);
    memset(&ret->bond, 0, sizeof ret->bond);
    nwf_vec_foreach (member, &from->bond) {
        nwf_vec_push(&ret->bond, *member);
    }
    expect(nwf_port_config_equals(from, ret), "%s: a copy differs", from->name);
}

/* ---- Random changes. ---- */

static struct nwf_plan_port *
pick(struct world *w)
{
    return w->plan.ports.n ? w->plan.ports.data[roll(w, (uint32_t) w->plan.ports.n)] : NULL;
}

static void
add_port(struct world *w)
{
    char *name CLEANUP_FREE = nwf_asprintf("vnet%u", w->n_names++);
    struct nwf_port_config config;

    w->what = "a port comes";
    if (w->plan.ports.n < N_PORTS_MAX) {
        roll_config(w, name, &config);
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
        roll_config(w, name, &config);
        if (roll(w, 2)) {
            config.ofport = port->config.ofport;
        }
        nwf_plan_replace_config(&w->plan, port, &config);
    }
}

static void
set_number(struct world *w, struct nwf_plan_port *port, uint16_t number)
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
        set_number(w, port, roll_free_number(w));
    }
}

static void
swap_numbers(struct world *w)
{
    struct nwf_plan_port *a = pick(w), *b = pick(w);

    w->what = "numbers swapped";
    if (a) {
        uint16_t number = a->config.ofport;
        set_number(w, a, b->config.ofport);
        set_number(w, b, number);
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
        roll_guest(w, &config);
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
        config.binding.filter = nwf_strdup(filter_names[roll(w, N_ROWS(filter_names))]);
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
        config.binding.own_mac = roll(w, 2) ? roll_mac(w) : NULL;
        nwf_plan_replace_config(&w->plan, port, &config);
    }
}

static void
change_settings(struct world *w)
{
    struct nwf_bridge *bridge = &w->plan.bridge;

    w->what = "other settings";
    switch (roll(w, 4)) {
    case 0:
        bridge->audit = !bridge->audit;
        break;
    case 1:
        bridge->mac_aging = (uint16_t) (15 + roll(w, 3));
        break;
    case 2:
        bridge->forward_bpdu = !bridge->forward_bpdu;
        break;
    case 3:
        memset(&bridge->flooded, 0, sizeof bridge->flooded);
        if (roll(w, 2)) {
            nwf_vlan_set_add(&bridge->flooded, (uint16_t) (5 + roll(w, 2)));
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

static struct nwf_flow *
copy_flow(const struct nwf_flow *flow, uint64_t cookie)
{
    struct match match;

    nwf_flow_expand_match(flow, &match);
    return nwf_flow_new(flow->table, flow->priority, cookie, &match, flow->form->ofpacts,
                        flow->form->ofpacts_len);
}

static void
install(struct world *w, struct nwf_flow *flow)
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

    return n ? flows[roll(w, (uint32_t) n)] : NULL;
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
    uint64_t cookie = cookies[roll(w, N_ROWS(cookies))];

    w->what = "somebody else's change";
    if (!flow) {
        return;
    }
    nwf_plan_dirty_owner(&w->plan, nwf_owner_of(flow->cookie));
    if (roll(w, 2)) {
        nwf_plan_dirty_owner(&w->plan, nwf_owner_of(cookie));
        nwf_image_put(&w->image, nwf_owner_of(cookie), copy_flow(flow, cookie));
        install(w, copy_flow(flow, cookie));
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
        check(w, nwf_plan_note_sighting(port, pin), "it is not noted");
        nwf_image_put(&w->image, number, copy_flow(pin, pin->cookie));
        install(w, copy_flow(pin, pin->cookie));
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

static void
change(struct world *w)
{
    static void (*const changes[])(struct world *) = {
        add_port,      add_port,      add_port,      remove_port,      replace_port,
        replace_port,  change_filter, change_filter, change_filter,    change_own_mac,
        renumber_port, swap_numbers,  refuse_port,   change_addresses, change_settings,
        tamper,        hear_guest,    hear_guest,    hear_guest,
    };

    changes[roll(w, N_ROWS(changes))](w);
    nwf_plan_sort(&w->plan);
    read_sums(&w->plan);
}

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
            check(w, *other == part || (*other)->owner != part->owner, "two parts of %#x",
                  part->owner);
        }
        HMAP_FOR_EACH (flow, node, &part->flows.flows) {
            check(w, nwf_owner_of(flow->cookie) == part->owner,
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
        install(w, copy_flow(step->flow, step->flow->cookie));
        return;
    }
    check(w, old != NULL, "table %u: a flow that is not there is to be deleted", step->flow->table);
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
    check(w, !n, "%s: %zu of %zu flows are not those of a new plan", which, n,
          nwf_flow_set_count(expected));
    nwf_vec_clear(&changes);
}

static void
check_port(const struct world *w, const struct nwf_plan_port *kept,
           const struct nwf_plan_port *fresh)
{
    const char *a = nwf_plan_port_error(kept)->text, *b = nwf_plan_port_error(fresh)->text;

    check(w, !strcmp(kept->config.name, fresh->config.name), "the order of ports");
    check(w, kept->role == fresh->role, "%s: role %d, in a new plan %d", kept->config.name,
          kept->role, fresh->role);
    check(w, !strcmp(a ? a : "", b ? b : ""), "%s: \"%s\", in a new plan \"%s\"", kept->config.name,
          a ? a : "", b ? b : "");
    check(w, kept->zone == fresh->zone && kept->is_excess == fresh->is_excess,
          "%s: its zone or its room", kept->config.name);
    check(w, kept->zone == 0 || kept->role == NWF_GUEST, "%s: a zone for nothing",
          kept->config.name);
}

static void
check_ports(const struct world *w, const struct nwf_plan *fresh)
{
    for (size_t i = 0; i < w->plan.ports.n; i++) {
        const struct nwf_plan_port *port = w->plan.ports.data[i];

        check_port(w, port, fresh->ports.data[i]);
        for (size_t j = 0; j < i; j++) {
            check(w, !port->zone || port->zone != w->plan.ports.data[j]->zone, "zone %u twice",
                  port->zone);
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
        check(w, nwf_image_count(&w->image, (*part)->owner) == n, "%#x has %zu flows, not %zu",
              (*part)->owner, nwf_image_count(&w->image, (*part)->owner), n);
        sum += n;
    }
    nwf_plan_merge_parts(&fresh, &flows);
    check(w, nwf_flow_set_count(&flows) == sum, "%zu flows of all owners, %zu keys", sum,
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

    check(w, !nwf_plan_is_dirty(&w->plan), "something is dirty after all has been computed");
    expect_ok(nwf_plan_compute(&w->plan, &w->sources, &err), &err);
    check(w, !w->plan.parts.n, "%zu parts without a change", w->plan.parts.n);
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
    check(w, n == 0, "%zu changes", n);
}

static void
run(struct nwf_store *store, uint64_t seed)
{
    struct world *w = nwf_zalloc(sizeof *w);

    world_init(w, store, seed);
    for (w->step = 0; w->step < N_STEPS; w->step++) {
        for (uint32_t n = 1 + !roll(w, 3) + !roll(w, 6); n; n--) {
            change(w);
        }
        if (w->plan.claims_dirty || w->plan.all_dirty) {
            nwf_plan_collect_holders(&w->plan, &w->image);
            take_status(&w->plan);
        }
        (void) compute(w);
        check_from_scratch(w);
        check_at_rest(w);
        if (!roll(w, 10)) {
            check_restart(w);
        }
    }
    world_finish(w);
    free(w);
}

static void
test_random_changes(void **state)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(read_filter, NULL);

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
        check(w, (*port)->is_excess == ((*port)->role == NWF_QUARANTINED), "a role");
        strcat(found, (*port)->is_excess ? "x" : "g");
    }
    check(w, strspn(found, "g") >= N_LARGE_OTHERS, "%s", found);
    check(w, !strcmp(found + N_LARGE_OTHERS, expected), "%s, not %s", found, expected);
}

/* Who has no room depends on who else is there, and on nothing that was before. */
static void
test_large_guests(void **state)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(read_filter, NULL);
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
    set_number(w, nwf_plan_find_port(&w->plan, "vnet1"), 101);
    nwf_plan_sort(&w->plan);
    expect_room(w, "it becomes the first", "ggx");
    nwf_plan_refuse(&w->plan, w->plan.ports.data[N_LARGE_OTHERS + 1],
                    "the switch does not take it");
    (void) compute(w);
    check_from_scratch(w);
    check(w, !w->plan.ports.data[N_LARGE_OTHERS + 2]->is_excess,
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
    check(w, nwf_plan_find_port(&w->plan, name)->role == role, "%s: another role", name);
}

/* Who had an address first keeps it, also where the switch delivers to quarantined ports. */
static void
test_address_stays(void **state)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(read_filter, NULL);

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
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(read_filter, NULL);
    struct world *w = nwf_zalloc(sizeof *w);

    (void) state;
    world_init(w, store, 0);
    add_guest(w, "vnet1", 11, "52:54:00:00:00:01");
    add_guest(w, "vnet2", 12, "52:54:00:00:00:01");
    expect_role(w, "the lower number's", "vnet1", NWF_GUEST);
    set_number(w, nwf_plan_find_port(&w->plan, "vnet1"), 12);
    set_number(w, nwf_plan_find_port(&w->plan, "vnet2"), 11);
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
