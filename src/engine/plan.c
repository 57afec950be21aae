/* SPDX-License-Identifier: Apache-2.0
 *
 * From tags to flows, without touching a switch; see nwf/engine.h. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "digest.h"
#include "nwf/file.h"
#include "nwf/filter_path.h"
#include "nwf/text.h"
#include "plan.h"

/* Largest pipeline file, bytes. */
#define PIPELINE_MAX 65536

void
nwf_plan_init(struct nwf_plan *plan, const char *name)
{
    memset(plan, 0, sizeof *plan);
    plan->name = nwf_strdup(name);
    plan->bridge.mac_aging = 300;
    plan->zones = nwf_zalloc(0x10000);
    nwf_flow_set_init(&plan->flows);
}

void
nwf_plan_finish(struct nwf_plan *plan)
{
    nwf_vec_foreach (port, &plan->ports) {
        nwf_vec_clear(&port->bond);
        nwf_binding_clear(&port->binding);
        nwf_error_clear(&port->error);
        free(port->old_status);
        free(port->old_installed);
        free(port->old_zone);
        free(port->old_no_flood);
        for (size_t i = 0; i < NWF_N_TREES; i++) {
            free(port->old_trees[i]);
            free(port->old_tree_notes[i]);
        }
        free(port->name);
    }
    nwf_vec_clear(&plan->ports);
    nwf_bridge_finish(&plan->bridge);
    nwf_vec_clear(&plan->own_macs);
    nwf_vec_clear(&plan->holders);
    nwf_flow_set_finish(&plan->flows);
    free(plan->zones);
    free(plan->datapath);
    free(plan->no_limits);
    free(plan->name);
}

struct nwf_plan_port *
nwf_plan_add_port(struct nwf_plan *plan, const char *name, uint16_t ofport, enum nwf_port_role role,
                  struct nwf_binding *binding)
{
    struct nwf_plan_port port = {.name = nwf_strdup(name), .ofport = ofport, .role = role};

    if (binding) {
        port.binding = *binding;
        memset(binding, 0, sizeof *binding);
    }
    nwf_vec_push(&plan->ports, port);
    return &plan->ports.data[plan->ports.n - 1];
}

void
nwf_plan_quarantine(struct nwf_plan_port *port, const char *cause)
{
    port->role = NWF_QUARANTINED;
    nwf_error_set(&port->error, -EINVAL, "%s", cause);
}

/* ---- Flows. ---- */

struct computation {
    struct nwf_plan *plan;
    struct nwf_store *store;
    const struct nwf_port_stamps *installed; /* NULL: compile all. */
    struct nwf_digests digests;
    uint8_t n_stages[NWF_N_DIRECTIONS]; /* The most that any guest has. */
    size_t n_large;                     /* Flows of guests with more than NWF_FLOWS_FREE. */
};

static int
compare_stamp(const void *ofport, const void *stamp)
{
    return (int) *(const uint16_t *) ofport - (int) ((const struct nwf_port_stamp *) stamp)->ofport;
}

/* Whether what is on the switch for this port is what its digest stands for. */
static bool
is_installed(const struct computation *c, const struct nwf_plan_port *port,
             const struct nwf_digest *digest, struct nwf_stamp *ret_stamp)
{
    const struct nwf_port_stamp *found =
        c->installed && c->installed->n
            ? bsearch(&port->ofport, c->installed->data, c->installed->n,
                      sizeof c->installed->data[0], compare_stamp)
            : NULL;

    if (!found || memcmp(&found->stamp.digest, digest, sizeof *digest)) {
        return false;
    }
    *ret_stamp = found->stamp;
    return true;
}

/* The zone that OVSDB keeps for the port, if it is the only one to have it. */
static uint16_t
kept_zone(const struct nwf_plan *plan, const struct nwf_plan_port *port)
{
    int64_t zone;

    return port->old_zone && nwf_parse_int(port->old_zone, NWF_ZONE_FIRST, UINT16_MAX, &zone)
                   && plan->zones[zone] <= 1
               ? (uint16_t) zone
               : 0;
}

static int
take_new_zone(struct nwf_plan *plan, struct nwf_plan_port *port, struct nwf_error *err)
{
    uint32_t first = plan->zone_base + port->ofport;

    for (uint32_t i = 0; i < NWF_ZONE_FIRST; i++) {
        uint32_t zone = NWF_ZONE_FIRST | ((first + i) % NWF_ZONE_FIRST);
        if (!plan->zones[zone]) {
            plan->zones[zone] = 1;
            port->zone = (uint16_t) zone;
            port->new_zone = true;
            return 0;
        }
    }
    return nwf_error_set(err, -ENOSPC, "no conntrack zone is left");
}

/* Each of several addresses has a flow for each VLAN that the port names. */
static size_t
count_deliveries(const struct nwf_port *port)
{
    size_t n_vlans = 1;

    for (int vid = 0; port->vlan.limited && vid < NWF_N_VLANS; vid++) {
        n_vlans += nwf_vlan_has(&port->vlan, (uint16_t) vid);
    }
    return port->macs.n > 1 ? port->macs.n * n_vlans : 0;
}

/* Takes a guest's flows out of what large ones may have together. */
static int
take_flows(struct computation *c, const struct nwf_plan_port *from, const struct nwf_port *port,
           struct nwf_error *err)
{
    size_t n = from->stamp.n_flows + count_deliveries(port);

    if (n <= NWF_FLOWS_FREE) {
        return 0;
    }
    if (n > NWF_FLOWS_LARGE_MAX - c->n_large) {
        return nwf_error_set(err, -ENOSPC,
                             "guests that need more than %d flows need more than %d together",
                             NWF_FLOWS_FREE, NWF_FLOWS_LARGE_MAX);
    }
    c->n_large += n;
    return 0;
}

static int
compile_program(struct computation *c, struct nwf_plan_port *from, struct nwf_port *port,
                const struct nwf_program *program, struct nwf_error *err)
{
    struct nwf_flow_set flows CLEANUP(nwf_flow_set_finish);

    nwf_flow_set_init(&flows);
    int r = nwf_compile_guest(&c->plan->bridge, port, program, &from->stamp, &flows, err);
    if (r || (r = take_flows(c, from, port, err))) {
        return r;
    }
    nwf_flow_set_move(&c->plan->flows, &flows);
    return 0;
}

static int
compile_filter(struct computation *c, struct nwf_plan_port *from, struct nwf_port *port,
               struct nwf_error *err)
{
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    const struct nwf_filter *filter;
    int r = nwf_store_get(c->store, from->binding.filter, &filter, err);

    if (r) {
        return r;
    }
    from->zone = kept_zone(c->plan, from);
    struct nwf_digest digest =
        nwf_digest_port(&c->digests, c->store, &c->plan->bridge, from, filter);
    if (is_installed(c, from, &digest, &from->stamp)) {
        if ((r = take_flows(c, from, port, err))) {
            return r;
        }
        from->unchanged = true;
        nwf_compile_unchanged(port, &from->stamp, &c->plan->flows);
        return 0;
    }
    r = nwf_program_new(c->store, filter, &from->binding.params, &program, err);
    if (r) {
        return r;
    }
    if (!nwf_program_is_stateful(program)) {
        from->zone = 0;
    } else if (!from->zone && (r = take_new_zone(c->plan, from, err))) {
        return r;
    }
    from->stamp.digest = nwf_digest_port(&c->digests, c->store, &c->plan->bridge, from, filter);
    port->zone = from->zone;
    return compile_program(c, from, port, program, err);
}

/* Compiles a guest; the error says everything behind the port's name. */
static int
compile_guest(struct computation *c, struct nwf_plan_port *from, struct nwf_port *port,
              struct nwf_error *err)
{
    int r = nwf_plan_macs(&from->binding, &port->macs, err);

    if (r) {
        return r;
    }
    port->own_mac = nwf_plan_own_mac(&from->binding, &port->macs);
    r = compile_filter(c, from, port, err);
    if (r) {
        nwf_error_wrap(err, "filter %.80s", from->binding.filter);
        return r;
    }
    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        if (from->stamp.n_stages[d] > c->n_stages[d]) {
            c->n_stages[d] = from->stamp.n_stages[d];
        }
    }
    return 0;
}

int
nwf_plan_check_binding(const struct nwf_binding *binding, struct nwf_store *store,
                       struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct computation c = {.plan = &plan, .store = store};
    struct nwf_plan_port from = {.ofport = 1, .binding = *binding}; /* Borrowed. */
    struct nwf_port port = {.ofport = 1};

    nwf_plan_init(&plan, "check");
    int r = compile_guest(&c, &from, &port, err);
    nwf_digests_clear(&c.digests);
    nwf_vec_clear(&port.macs);
    return r;
}

void
nwf_plan_refuse(struct nwf_plan_port *port, const char *cause)
{
    nwf_plan_quarantine(port, cause);
    nwf_error_wrap(&port->error, "filter %.80s", port->binding.filter);
    port->zone = 0;
    port->new_zone = false;
}

static void
compute_port(struct computation *c, struct nwf_plan_port *from)
{
    struct nwf_plan *plan = c->plan;
    struct nwf_port port = {.name = from->name, .ofport = from->ofport, .vlan = from->vlan};

    if (!from->ofport) {
        if (from->role != NWF_TRUSTED && !from->error.text) {
            nwf_plan_quarantine(from, "the port has no OpenFlow number");
        }
        return;
    }
    if (from->role == NWF_GUEST && compile_guest(c, from, &port, &from->error)) {
        from->role = NWF_QUARANTINED;
        from->zone = 0;
        from->new_zone = false;
    }
    if (from->role == NWF_QUARANTINED) {
        nwf_compile_quarantined(&plan->bridge, &port, &plan->flows);
        c->n_stages[NWF_IN] = c->n_stages[NWF_IN] ? c->n_stages[NWF_IN] : 1;
    }
    port.role = from->role;
    nwf_vec_foreach (member, &from->bond) {
        nwf_vec_push(&port.bond, *member);
    }
    nwf_vec_push(&plan->bridge.ports, port);
}

void
nwf_plan_compute_port(struct nwf_plan *plan, struct nwf_store *store)
{
    struct computation c = {.plan = plan, .store = store};

    compute_port(&c, &plan->ports.data[0]);
    nwf_digests_clear(&c.digests);
}

static void
say_unreached(struct nwf_plan_port *port)
{
    char *list CLEANUP_FREE = nwf_strdup("");

    for (unsigned int kind = 0; kind < NWF_N_FRAME_KINDS; kind++) {
        if (port->stamp.unreached >> kind & 1) {
            char *old CLEANUP_FREE = list;
            list = nwf_asprintf("%s%s%s", old, *old ? ", " : "", nwf_frame_kind_to_string(kind));
        }
    }
    nwf_error_set(&port->error, -E2BIG,
                  "gets no flooded frames (%s): the bridge's filters have more stages than one "
                  "frame can visit",
                  list);
}

bool
nwf_plan_is_unreached(const struct nwf_plan_port *port)
{
    return port->role == NWF_GUEST && port->stamp.unreached && port->error.code == -E2BIG;
}

/* A guest that flooded frames do not reach is filtered, and not as its owner expects. */
static void
note_unreached(struct nwf_plan *plan)
{
    const struct nwf_port *compiled = plan->bridge.ports.data;

    nwf_vec_foreach (port, &plan->ports) {
        const struct nwf_port *this = port->ofport ? compiled++ : NULL;

        if (!this || port->role != NWF_GUEST) {
            continue;
        }
        if (port->stamp.unreached != this->unreached) {
            port->stamp.unreached = this->unreached;
            nwf_compile_restamp(this, &port->stamp, &plan->flows);
        }
        if (this->unreached) {
            say_unreached(port);
        } else if (port->error.code == -E2BIG) {
            nwf_error_clear(&port->error); /* What has been computed before. */
        }
    }
}

static void
forget_computed(struct nwf_plan *plan)
{
    nwf_bridge_finish(&plan->bridge);
    nwf_flow_set_finish(&plan->flows);
    nwf_flow_set_init(&plan->flows);
    nwf_vec_foreach (port, &plan->ports) {
        port->unchanged = false;
    }
}

int
nwf_plan_compute(struct nwf_plan *plan, struct nwf_store *store,
                 const struct nwf_port_stamps *installed, struct nwf_error *err)
{
    struct computation c = {.plan = plan, .store = store, .installed = installed};
    char *file CLEANUP_FREE = nwf_data_file("pipeline.flows");
    char *text CLEANUP_FREE = NULL;
    size_t size;
    int r = nwf_file_read(file, PIPELINE_MAX, &text, &size, err);

    if (r) {
        return r;
    }
    forget_computed(plan);
    nwf_plan_settle_addresses(plan);
    nwf_vec_foreach (port, &plan->ports) {
        compute_port(&c, port);
    }
    nwf_digests_clear(&c.digests);
    nwf_compile_bridge(&plan->bridge, &plan->flows);
    note_unreached(plan);
    return nwf_compile_fixed(file, text, c.n_stages, &plan->flows, err);
}
