/* SPDX-License-Identifier: Apache-2.0
 *
 * From tags to flows, without touching a switch; see nwf/engine.h. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "nwf/engine.h"
#include "nwf/file.h"
#include "nwf/filter_path.h"
#include "nwf/text.h"
#include "nwf/value.h"

/* Largest pipeline file, bytes. */
#define PIPELINE_MAX 65536

void
nwf_plan_init(struct nwf_plan *plan, const char *name)
{
    memset(plan, 0, sizeof *plan);
    plan->name = nwf_strdup(name);
    plan->bridge.mac_aging = 300;
    nwf_flow_set_init(&plan->flows);
}

void
nwf_plan_finish(struct nwf_plan *plan)
{
    nwf_vec_foreach (port, &plan->ports) {
        nwf_binding_clear(&port->binding);
        nwf_error_clear(&port->error);
        free(port->name);
    }
    nwf_vec_clear(&plan->ports);
    nwf_bridge_finish(&plan->bridge);
    nwf_flow_set_finish(&plan->flows);
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

/* ---- Roles. ---- */

static int
compare_word(const char *word, void *name)
{
    return !strcmp(word, name);
}

static bool
is_named_trusted(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_port *port)
{
    return port->ofport == NWF_OFPORT_LOCAL
           || (bridge->trusted
               && nwf_text_split(bridge->trusted, ", \t", compare_word, (void *) port->name));
}

static bool
filter_exists(void *store, const char *name)
{
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_filter *filter;
    /* One that is there and broken exists: its port is to be quarantined. */
    bool exists = nwf_store_get(store, name, &filter, &err) != -ENOENT;

    nwf_error_clear(&err);
    return exists;
}

static const char *
find_status(const struct nwf_ovs_port *port)
{
    nwf_vec_foreach (tag, &port->tags) {
        if (!strcmp(tag->key, NWF_TAG_STATUS)) {
            return tag->value;
        }
    }
    return NULL;
}

static void
quarantine(struct nwf_plan_port *port, const char *cause)
{
    port->role = NWF_QUARANTINED;
    nwf_error_set(&port->error, -EINVAL, "%s", cause);
}

static void
read_port(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge,
          const struct nwf_ovs_port *from, struct nwf_store *store)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_binding binding;

    if (from->is_mirror_output) {
        return; /* Gets mirrored frames only, and sends none. */
    }
    int r = nwf_binding_from_tags(from->name, from->tags.data, from->tags.n, filter_exists, store,
                                  &binding, &err);
    bool trusted = is_named_trusted(bridge, from);
    bool bound = binding.filter != NULL, has_identity = binding.has_identity;
    struct nwf_plan_port *port =
        nwf_plan_add_port(plan, from->name, from->ofport,
                          trusted || !(bound || has_identity) ? NWF_TRUSTED : NWF_GUEST, &binding);

    port->vlan = from->vlan;
    port->row = from->row;
    port->old_status = find_status(from);
    if (port->role == NWF_TRUSTED) {
        plan->bridge.use_normal |= from->normal_only && from->ofport;
    } else if (r) {
        quarantine(port, nwf_error_text(&err));
    } else if (!bound) {
        quarantine(port, "no filter is bound to this virtual machine's port");
    } else if (from->normal_only) {
        quarantine(port, "a guest's port can be no bond, dot1q-tunnel or protected port");
    }
    nwf_error_clear(&err);
}

void
nwf_plan_read(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge, struct nwf_store *store)
{
    plan->bridge.audit = bridge->managed == NWF_AUDITED;
    plan->bridge.forward_bpdu = bridge->forward_bpdu;
    plan->bridge.use_normal = bridge->normal_only;
    plan->bridge.mac_aging = bridge->mac_aging;
    nwf_vec_foreach (port, &bridge->ports) {
        read_port(plan, bridge, port, store);
    }
}

/* ---- Flows. ---- */

int
nwf_plan_macs(const struct nwf_binding *binding, struct nwf_port *port, struct nwf_error *err)
{
    const struct nwf_param *param = nwf_params_find(&binding->params, "MAC");

    for (size_t i = 0; param && i < param->values.n; i++) {
        struct nwf_masked m;
        struct nwf_mac mac;
        int r = nwf_value_parse(NWF_T_MAC, 0, 0, NULL, param->values.data[i], &m, err);
        if (!r && (m.value.bytes[0] & 1)) {
            r = nwf_error_set(err, -EINVAL, "%s is a group address", param->values.data[i]);
        }
        if (r) {
            nwf_error_wrap(err, "variable MAC");
            return r;
        }
        memcpy(mac.octets, m.value.bytes, sizeof mac.octets);
        nwf_vec_push(&port->macs, mac);
    }
    return 0;
}

static int
new_program(const struct nwf_binding *binding, struct nwf_store *store,
            struct nwf_program **ret_program, struct nwf_error *err)
{
    const struct nwf_filter *filter;
    int r = nwf_store_get(store, binding->filter, &filter, err);

    return r ? r : nwf_program_new(store, filter, &binding->params, ret_program, err);
}

/* Compiles a guest into 'flows'; the error says everything behind the port's name. */
static int
compile_guest(const struct nwf_bridge *bridge, const struct nwf_binding *binding,
              struct nwf_store *store, struct nwf_port *port, struct nwf_flow_set *flows,
              struct nwf_error *err)
{
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    int r = nwf_plan_macs(binding, port, err);

    if (r) {
        return r;
    }
    r = new_program(binding, store, &program, err);
    if (!r) {
        r = nwf_compile_guest(bridge, port, program, flows, err);
    }
    if (r) {
        nwf_error_wrap(err, "filter %.80s", binding->filter);
    }
    return r;
}

int
nwf_plan_check_binding(const struct nwf_binding *binding, struct nwf_store *store,
                       struct nwf_error *err)
{
    struct nwf_bridge bridge = {.audit = false};
    struct nwf_port port = {.ofport = 1};
    struct nwf_flow_set flows;

    nwf_flow_set_init(&flows);
    int r = compile_guest(&bridge, binding, store, &port, &flows, err);
    nwf_flow_set_finish(&flows);
    nwf_vec_clear(&port.macs);
    return r;
}

static void
compute_port(struct nwf_plan *plan, struct nwf_plan_port *from, struct nwf_store *store)
{
    struct nwf_port port = {.ofport = from->ofport, .vlan = from->vlan};

    if (!from->ofport) {
        if (from->role != NWF_TRUSTED && !from->error.text) {
            quarantine(from, "the port has no OpenFlow number");
        }
        return;
    }
    if (from->role == NWF_GUEST
        && compile_guest(&plan->bridge, &from->binding, store, &port, &plan->flows, &from->error)) {
        from->role = NWF_QUARANTINED;
    }
    if (from->role == NWF_QUARANTINED) {
        nwf_compile_quarantined(&plan->bridge, &port, &plan->flows);
    }
    port.role = from->role;
    nwf_vec_push(&plan->bridge.ports, port);
}

int
nwf_plan_compute(struct nwf_plan *plan, struct nwf_store *store, struct nwf_error *err)
{
    char *file CLEANUP_FREE = nwf_data_file("pipeline.flows");
    char *text CLEANUP_FREE = NULL;
    size_t size;
    int r = nwf_file_read(file, PIPELINE_MAX, &text, &size, err);

    if (r) {
        return r;
    }
    nwf_vec_foreach (port, &plan->ports) {
        compute_port(plan, port, store);
    }
    plan->n_unreached = nwf_compile_bridge(&plan->bridge, &plan->flows);
    return nwf_compile_fixed(file, text, &plan->flows, err);
}
