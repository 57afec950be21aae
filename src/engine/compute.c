/* SPDX-License-Identifier: Apache-2.0
 *
 * From a plan's ports to flows; see nwf/plan.h.
 *
 * First the dirty ports, each on its own; then who of the large ones has to give way; then what
 * ports share, if that knows of a port something that is not true any more; then the pipeline. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "nwf/file.h"
#include "nwf/filter_path.h"
#include "nwf/text.h"
#include "plan.h"
#include "routes.h"

/* Largest pipeline file, bytes. */
#define PIPELINE_MAX 65536

struct computation {
    struct nwf_plan *plan;
    struct nwf_store *store;
    bool *is_computed; /* By OpenFlow number: a part of this owner is there. */
};

static struct nwf_part *
new_part(struct computation *c, nwf_owner owner)
{
    struct nwf_part *part = nwf_zalloc(sizeof *part);

    part->owner = owner;
    nwf_flow_set_init(&part->flows);
    if (c->plan->installed) {
        part->flows.forms = c->plan->installed->flows.forms;
    }
    nwf_vec_push(&c->plan->parts, part);
    if (owner <= UINT16_MAX) {
        c->is_computed[owner] = true;
    }
    return part;
}

/* Compares a part to which nothing comes any more with what is installed. */
static void
compare_part(struct computation *c, struct nwf_part *part)
{
    struct nwf_plan *plan = c->plan;
    size_t n_before = plan->deletions.n + plan->rest.n;

    if (!plan->installed || part->is_compared) {
        return;
    }
    nwf_image_diff(plan->installed, part->owner, &part->flows, &plan->deletions, &plan->rest);
    part->is_compared = true;
    if (plan->deletions.n + plan->rest.n == n_before) {
        nwf_flow_set_clear(&part->flows);
    }
}

/* ---- One port. ---- */

/* Its address has a flow for each VLAN that the port names, and so has the way to it. */
static size_t
count_deliveries(const struct nwf_port *port)
{
    size_t n_vlans = 0;

    for (int vid = 0; port->vlan.limited && vid < NWF_N_VLANS; vid++) {
        n_vlans += nwf_vlan_has(&port->vlan, (uint16_t) vid);
    }
    return 2 * n_vlans;
}

static int
compile_program(struct computation *c, struct nwf_plan_port *port,
                const struct nwf_program *program, struct nwf_flow_set *flows,
                struct nwf_error *err)
{
    int r;

    if (!nwf_program_is_stateful(program)) {
        port->zone = 0;
        port->new_zone = false;
    } else if ((r = nwf_plan_take_zone(c->plan, port, err))) {
        return r;
    }
    port->facts.zone = port->zone;
    if (!port->zone && port->facts.limits[NWF_LIMIT_NEW]) {
        char *tag CLEANUP_FREE = nwf_limit_tag(NWF_LIMIT_NEW);
        return nwf_error_set(err, -EINVAL, "%s: the filter looks at no connections", tag);
    }
    return nwf_compile_guest(&c->plan->bridge, &port->facts, program, &port->size, flows, err);
}

static int
compile_filter(struct computation *c, struct nwf_plan_port *port, struct nwf_flow_set *flows,
               struct nwf_error *err)
{
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    const struct nwf_binding *binding = &port->config.binding;
    const struct nwf_filter *filter;
    int r;

    if ((r = nwf_store_get(c->store, binding->filter, &filter, err))
        || (r = nwf_program_new(c->store, filter, &binding->params, &program, err))) {
        return r;
    }
    (void) nwf_store_check_current(c->store, filter, &port->outdated);
    return compile_program(c, port, program, flows, err);
}

/* Compiles a guest; the error says everything behind the port's name. */
static int
compile_guest(struct computation *c, struct nwf_plan_port *port, struct nwf_flow_set *flows,
              struct nwf_error *err)
{
    if (port->mac_error.text) {
        return nwf_error_set(err, -EINVAL, "%s", port->mac_error.text);
    }
    int r = compile_filter(c, port, flows, err);
    if (r) {
        nwf_error_wrap(err, "filter %.80s", port->config.binding.filter);
    }
    return r;
}

static void
quarantine(struct computation *c, struct nwf_plan_port *port, struct nwf_flow_set *flows)
{
    port->role = NWF_QUARANTINED;
    port->zone = 0;
    port->new_zone = false;
    port->size = (struct nwf_guest_size){.n_stages[NWF_IN] = 1};
    memset(&port->facts.flood, 0, sizeof port->facts.flood);
    port->facts.zone = 0;
    nwf_compile_quarantined(&c->plan->bridge, &port->facts, flows);
}

/* Why a port is none of those that its config would let it be; NULL if it may. */
static const char *
find_obstacle(const struct nwf_plan_port *port)
{
    if (port->config.role == NWF_TRUSTED && !port->is_duplicate) {
        return NULL;
    }
    if (!port->config.ofport && !port->config.error.text) {
        return "the port has no OpenFlow number";
    }
    if (port->is_duplicate) {
        return "another port has the same OpenFlow number";
    }
    return port->config.error.text  ? port->config.error.text
           : port->claim.text       ? port->claim.text
           : port->route_claim.text ? port->route_claim.text
                                    : port->refusal.text;
}

/* What shared flows know of the port, but for what its filter says. */
static void
set_facts(struct nwf_plan_port *port)
{
    struct nwf_port *facts = &port->facts;

    facts->name = port->config.name;
    facts->ofport = port->config.ofport;
    nwf_vlan_clear(&facts->vlan);
    facts->vlan = nwf_vlan_copy(&port->config.vlan);
    facts->zone = 0;
    memset(&facts->flood, 0, sizeof facts->flood);
    facts->is_isolated = port->config.binding.isolated;
    facts->has_floats = false;
    memcpy(facts->limits, port->config.binding.limits, sizeof facts->limits);
    facts->is_uplink = port->config.is_uplink;
    nwf_plan_set_route_facts(port);
    facts->has_own_mac = port->config.has_own_mac;
    facts->host_mac = port->config.own_mac;
    nwf_vec_clear(&facts->bond);
    nwf_vec_foreach (member, &port->config.bond) {
        nwf_vec_push(&facts->bond, *member);
    }
    facts->leader = port->config.leader;
    facts->is_hashed = port->config.is_hashed;
    facts->guarding = port->config.guarding;
    nwf_vec_clear(&facts->nics);
    nwf_nics_copy(&port->config.nics, &facts->nics);
}

static void
note_unlimited(const struct nwf_plan *plan, struct nwf_plan_port *port)
{
    bool any = false;

    for (int limit = 0; limit < NWF_N_LIMITS; limit++) {
        any |= port->facts.limits[limit] > 0;
    }
    if (any && plan->bridge.no_meters) {
        nwf_error_set(&port->unlimited, -EOPNOTSUPP, "it has no limits: %s", plan->no_meters);
    }
}

static void
compute_port(struct computation *c, struct nwf_plan_port *port)
{
    const char *obstacle = find_obstacle(port);
    struct nwf_part *part = NULL;

    nwf_error_clear(&port->failure);
    nwf_error_clear(&port->stale);
    nwf_error_clear(&port->outdated);
    nwf_error_clear(&port->unlimited);
    port->has_report = port->reroute = true;
    set_facts(port);
    memset(&port->size, 0, sizeof port->size);
    port->n_wanted = 0;
    port->role = obstacle ? NWF_QUARANTINED : port->config.role;
    if (obstacle) {
        nwf_error_set(&port->failure, -EINVAL, "%s", obstacle);
    }
    if (port->config.ofport && !c->is_computed[port->config.ofport]) {
        part = new_part(c, port->config.ofport);
    }
    if (part && port->role == NWF_GUEST && compile_guest(c, port, &part->flows, &port->failure)) {
        port->role = NWF_QUARANTINED;
    }
    if (part && port->role == NWF_QUARANTINED) {
        quarantine(c, port, &part->flows);
    } else if (port->role == NWF_GUEST) {
        note_unlimited(c->plan, port);
        port->n_wanted = port->size.n_flows + (uint32_t) count_deliveries(&port->facts);
    }
    if (port->role != NWF_GUEST) {
        port->zone = 0;
        port->new_zone = false;
    }
    port->facts.role = port->role;
    if (part && port->n_wanted <= NWF_FLOWS_FREE) { /* A larger one may have to give way. */
        compare_part(c, part);
    }
}

/* ---- Large guests. ---- */

static struct nwf_part *
find_part(struct computation *c, nwf_owner owner)
{
    nwf_vec_foreach (part, &c->plan->parts) {
        if ((*part)->owner == owner) {
            return *part;
        }
    }
    return NULL;
}

/* The guest gets back what its filter takes. */
static void
admit(struct computation *c, struct nwf_plan_port *port)
{
    port->is_excess = false;
    if (!c->is_computed[port->config.ofport]) {
        port->dirty = true;
        compute_port(c, port);
    }
}

static void
exclude(struct computation *c, struct nwf_plan_port *port)
{
    nwf_owner owner = port->config.ofport;
    struct nwf_part *part = c->is_computed[owner] ? find_part(c, owner) : new_part(c, owner);

    port->is_excess = port->has_report = port->dirty = port->reroute = true;
    nwf_error_clear(&port->failure);
    nwf_error_set(&port->failure, -ENOSPC,
                  "filter %.80s: guests that need more than %d flows need more than %d together",
                  port->config.binding.filter, NWF_FLOWS_FREE, NWF_FLOWS_LARGE_MAX);
    nwf_flow_set_clear(&part->flows);
    quarantine(c, port, &part->flows);
    port->facts.role = port->role;
}

/* In the order of their numbers, so that none loses its room to one that comes later. */
static void
share_room(struct computation *c)
{
    size_t n_large = 0;

    nwf_vec_foreach (item, &c->plan->ports) {
        struct nwf_plan_port *port = *item;

        if (port->n_wanted <= NWF_FLOWS_FREE) {
            port->is_excess = false;
        } else if (port->n_wanted > NWF_FLOWS_LARGE_MAX - n_large) {
            if (port->role == NWF_GUEST) {
                exclude(c, port);
            }
        } else {
            n_large += port->n_wanted;
            if (port->is_excess) {
                admit(c, port);
            }
        }
    }
}

/* ---- What ports share. ---- */

static bool
same_facts(const struct nwf_port *a, const struct nwf_port *b)
{
    return a->ofport == b->ofport && a->role == b->role && a->own_mac == b->own_mac
           && a->is_isolated == b->is_isolated && a->has_floats == b->has_floats
           && a->has_own_mac == b->has_own_mac && a->is_uplink == b->is_uplink
           && !memcmp(&a->host_mac, &b->host_mac, sizeof a->host_mac)
           && nwf_vlan_equals(&a->vlan, &b->vlan) && !memcmp(&a->flood, &b->flood, sizeof a->flood)
           && nwf_macs_equal(&a->macs, &b->macs) && a->leader == b->leader
           && a->is_hashed == b->is_hashed && a->guarding == b->guarding
           && nwf_nics_equal(&a->nics, &b->nics) && a->bond.n == b->bond.n
           && (!a->bond.n
               || !memcmp(a->bond.data, b->bond.data, a->bond.n * sizeof a->bond.data[0]));
}

static void
say_unreached(struct nwf_plan_port *port)
{
    char *list CLEANUP_FREE = nwf_strdup("");

    for (unsigned int kind = 0; kind < NWF_N_FRAME_KINDS; kind++) {
        if (port->facts.unreached >> kind & 1) {
            char *old CLEANUP_FREE = list;
            list = nwf_asprintf("%s%s%s", old, *old ? ", " : "", nwf_frame_kind_to_string(kind));
        }
    }
    nwf_error_set(&port->flooding, -E2BIG,
                  "gets no flooded frames (%s): the bridge's filters have more stages than one "
                  "frame can visit",
                  list);
}

/* A guest that flooded frames do not reach is filtered, and not as its owner expects. */
static void
note_unreached(struct nwf_plan *plan)
{
    const struct nwf_port *compiled = plan->bridge.ports.data;

    nwf_vec_foreach (item, &plan->ports) {
        struct nwf_plan_port *port = *item;

        nwf_error_clear(&port->flooding);
        if (!port->config.ofport) {
            continue;
        }
        port->facts.unreached = compiled++->unreached;
        if (port->role == NWF_GUEST && port->facts.unreached) {
            say_unreached(port);
        }
        port->has_report |= port->known.unreached != port->facts.unreached;
        port->known.unreached = port->facts.unreached;
    }
}

/* Whether the shared flows know of some port what is not true any more. */
static bool
shares_change(const struct nwf_plan *plan)
{
    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->dirty && !same_facts(&(*port)->facts, &(*port)->known)) {
            return true;
        }
    }
    return false;
}

static void
learn_facts(struct nwf_plan_port *port)
{
    struct nwf_port *known = &port->known;

    nwf_vec_clear(&known->macs);
    nwf_vec_clear(&known->bond);
    nwf_vec_clear(&known->nics);
    nwf_vlan_clear(&known->vlan);
    *known = port->facts;
    memset(&known->addresses, 0, sizeof known->addresses);
    known->vlan = nwf_vlan_copy(&port->facts.vlan);
    memset(&known->macs, 0, sizeof known->macs);
    memset(&known->bond, 0, sizeof known->bond);
    nwf_nics_copy(&port->facts.nics, &known->nics);
    nwf_vec_foreach (mac, &port->facts.macs) {
        nwf_vec_push(&known->macs, *mac);
    }
    nwf_vec_foreach (member, &port->facts.bond) {
        nwf_vec_push(&known->bond, *member);
    }
}

/* The shared flows know of ports by copies of their facts; what those own stays the ports'. */
static void
compute_shared(struct computation *c)
{
    struct nwf_plan *plan = c->plan;

    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->dirty) {
            learn_facts(*port);
        }
        if ((*port)->config.ofport) {
            struct nwf_port facts = (*port)->facts;
            facts.unreached = 0;
            nwf_vec_push(&plan->bridge.ports, facts);
        }
    }
    nwf_compile_bridge(&plan->bridge, &new_part(c, NWF_OWNER_SHARED)->flows);
    note_unreached(plan);
    nwf_vec_clear(&plan->bridge.ports);
}

/* ---- Routing. ---- */

static void
compute_uplink(struct computation *c)
{
    struct nwf_plan *plan = c->plan;

    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->config.ofport && (*port)->facts.is_uplink) {
            nwf_vec_push(&plan->bridge.ports, (*port)->facts);
        }
    }
    nwf_compile_routing(&plan->bridge, &new_part(c, NWF_OWNER_UPLINK)->flows);
    nwf_vec_clear(&plan->bridge.ports);
}

/* ---- The pipeline. ---- */

static bool
needs_other_tables(struct nwf_plan *plan)
{
    struct nwf_guest_size most = {.compared = 0};

    nwf_vec_foreach (port, &plan->ports) {
        for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
            uint8_t n = (*port)->size.n_stages[d];
            most.n_stages[d] = n > most.n_stages[d] ? n : most.n_stages[d];
        }
        most.compared |= (*port)->size.compared;
    }
    bool differs = most.compared != plan->most.compared
                   || memcmp(most.n_stages, plan->most.n_stages, sizeof most.n_stages);
    plan->most = most;
    return differs;
}

static int
compute_fixed(struct computation *c, struct nwf_error *err)
{
    char *file CLEANUP_FREE = nwf_data_file("pipeline.flows");
    char *text CLEANUP_FREE = NULL;
    size_t size;
    int r = nwf_file_read(file, PIPELINE_MAX, &text, &size, err);

    if (r) {
        return r;
    }
    return nwf_compile_fixed(&c->plan->bridge, file, text, &c->plan->most,
                             &new_part(c, NWF_OWNER_FIXED)->flows, err);
}

/* ---- All of it. ---- */

/* Whether a port has the number that another had before. */
static bool
has_owner(const struct nwf_plan *plan, nwf_owner owner)
{
    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->config.ofport == owner) {
            return true;
        }
    }
    return false;
}

static void
compute_ports(struct computation *c)
{
    struct nwf_plan *plan = c->plan;

    nwf_vec_foreach (item, &plan->ports) {
        if ((*item)->dirty) {
            compute_port(c, *item);
        }
    }
    share_room(c);
    nwf_vec_foreach (owner, &plan->gone) {
        if (!c->is_computed[*owner] && !has_owner(plan, *owner)) {
            new_part(c, *owner);
        }
    }
    plan->gone.n = 0;
}

int
nwf_plan_compute(struct nwf_plan *plan, const struct nwf_sources *sources, struct nwf_error *err)
{
    bool *is_computed CLEANUP_FREE = nwf_zalloc(0x10000 * sizeof *is_computed);
    struct computation c = {.plan = plan, .store = sources->store, .is_computed = is_computed};
    bool all = plan->all_dirty;
    int r;

    nwf_plan_clear_parts(plan);
    if (all || plan->claims_dirty) {
        nwf_plan_judge_claims(plan);
        nwf_plan_judge_routes(plan);
        plan->claims_dirty = false;
    }
    nwf_vec_foreach (port, &plan->ports) {
        (*port)->dirty |= all;
    }
    compute_ports(&c);
    plan->shared_dirty |= nwf_plan_collect_isolated(plan);
    if (all || plan->shared_dirty || shares_change(plan)) {
        compute_shared(&c);
        plan->shared_dirty = false;
        plan->uplink_dirty = true;
    }
    if (plan->uplink_dirty) {
        compute_uplink(&c);
        plan->uplink_dirty = false;
    }
    if ((needs_other_tables(plan) || all || plan->fixed_dirty) && (r = compute_fixed(&c, err))) {
        plan->all_dirty = true;
        return r;
    }
    nwf_vec_foreach (part, &plan->parts) {
        compare_part(&c, *part);
    }
    plan->fixed_dirty = false;
    plan->all_dirty = false;
    nwf_vec_foreach (port, &plan->ports) {
        (*port)->dirty = false;
    }
    return 0;
}

int
nwf_plan_check_binding(const struct nwf_binding *binding, struct nwf_store *store,
                       struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_flow_set flows CLEANUP(nwf_flow_set_finish);
    uint8_t *zones CLEANUP_FREE = nwf_zalloc(0x10000);
    struct computation c = {.plan = &plan, .store = store};
    struct nwf_plan_port port = {
        .config = {.ofport = 1, .role = NWF_GUEST, .binding = *binding}, /* Borrowed. */
    };

    nwf_plan_init(&plan, "check");
    nwf_flow_set_init(&flows);
    plan.zones = zones;
    set_facts(&port);
    nwf_plan_read_addresses(&port);
    int r = compile_guest(&c, &port, &flows, err);
    nwf_vec_clear(&port.facts.macs);
    nwf_vec_clear(&port.facts.addresses);
    nwf_error_clear(&port.mac_error);
    nwf_error_clear(&port.outdated);
    return r;
}
