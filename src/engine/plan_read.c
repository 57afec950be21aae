/* SPDX-License-Identifier: Apache-2.0
 *
 * A bridge's rows into a plan: which of its ports are guests, which are trusted, and which
 * are to be quarantined, and why. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "input.h"
#include "nwf/text.h"
#include "plan.h"

#include "lib/uuid.h"

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

static char *
copy(const char *text)
{
    return text ? nwf_strdup(text) : NULL;
}

static char *
copy_tag(const struct nwf_ovs_port *port, const char *key)
{
    return copy(nwf_tag_find(port->tags.data, port->tags.n, key));
}

/* Lists the members of a port's bond, the active one first: as long as it is alive,
 * guests and NORMAL take frames for many from the same member. */
static void
list_bond(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_port *from,
          struct nwf_plan_port *port)
{
    for (int active = 1; from->bond && active >= 0; active--) {
        nwf_vec_foreach (other, &bridge->ports) {
            if (other->bond == from->bond && other->ofport && other->is_active_member == active) {
                nwf_vec_push(&port->bond, other->ofport);
            }
        }
    }
}

/* What the database says of the port beside its policy. */
static void
read_notes(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_port *from,
           struct nwf_plan_port *port)
{
    port->vlan = from->vlan;
    port->is_mirror_output = from->is_mirror_output;
    port->uuid = from->uuid;
    port->port_uuid = from->port_uuid;
    port->input = nwf_input_digest(bridge, from);
    port->old_status = copy_tag(from, NWF_TAG_STATUS);
    port->old_installed = copy_tag(from, NWF_TAG_INSTALLED);
    port->old_zone = copy_tag(from, NWF_TAG_ZONE);
    port->old_no_flood = copy_tag(from, NWF_TAG_NO_FLOOD);
    for (size_t i = 0; i < NWF_N_TREES; i++) {
        port->old_trees[i] = copy(from->trees[i]);
        port->old_tree_notes[i] = copy(from->tree_notes[i]);
    }
}

/* A guest that the plan cannot enforce anything for, or that flows cannot protect. */
static void
check_guest(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_port *from,
            struct nwf_plan_port *port)
{
    if (bridge->owner) {
        char *cause CLEANUP_FREE =
            nwf_asprintf("%s programs this bridge, and deletes other flows", bridge->owner);
        nwf_plan_quarantine(port, cause);
    } else if (from->normal_only) {
        nwf_plan_quarantine(port, "a guest's port can be no bond, dot1q-tunnel or protected port, "
                                  "and have no other_config:priority-tags");
    } else if (from->bypass) {
        /* Which flows cannot stop; at least nobody is told that it is protected. */
        char *cause CLEANUP_FREE =
            nwf_asprintf("%s: it exchanges frames past its filter", from->bypass);
        nwf_plan_quarantine(port, cause);
    }
}

/* Completes a binding out of tags by the policy in a file, if the tags name no filter. */
static int
add_policy(const struct nwf_policies *policies, const struct nwf_ovs_port *from,
           struct nwf_binding *binding, struct nwf_error *err)
{
    const struct nwf_policy *policy;

    if (!policies || binding->filter) {
        return 0;
    }
    int r = nwf_policies_find(policies, from->name, from->tags.data, from->tags.n, &policy, err);
    if (!r && policy) {
        r = nwf_policy_apply(policy, from->tags.data, from->tags.n, binding, err);
    }
    return r;
}

bool
nwf_is_bound(const struct nwf_ovs_port *port, struct nwf_store *store,
             const struct nwf_policies *policies)
{
    struct nwf_binding binding CLEANUP(nwf_binding_clear) = {.port = NULL};

    (void) nwf_binding_from_tags(port->name, port->tags.data, port->tags.n,
                                 &(struct nwf_known_filters){filter_exists, store}, &binding, NULL);
    return add_policy(policies, port, &binding, NULL) || binding.filter;
}

/* Why a port is quarantined that no policy is known of: a file that cannot be read may have one.
 * No status in the database tells which ports those are, since a host may make its database anew
 * at each boot. */
static const char *
broken_reason(const struct nwf_policies *policies)
{
    return policies && policies->broken.text ? nwf_error_text(&policies->broken) : NULL;
}

/* The port's filter: its own, one of a policy file, or the bridge's default if it is a guest's.
 * *ret_reason is why it is to have one, though it has none. */
static int
read_binding(const struct nwf_plan *plan, const struct nwf_bridge_config *config,
             const struct nwf_ovs_port *from, struct nwf_store *store, struct nwf_binding *ret,
             const char **ret_reason, struct nwf_error *err)
{
    int r = nwf_binding_from_tags(from->name, from->tags.data, from->tags.n,
                                  &(struct nwf_known_filters){filter_exists, store}, ret, err);

    if (!r) {
        r = add_policy(plan->policies, from, ret, err);
    }
    const char *broken = ret->filter ? NULL : broken_reason(plan->policies);
    *ret_reason = ret->filter ? NULL : nwf_guest_reason(config, ret);
    if (broken) {
        *ret_reason = broken; /* Which filter it would have is not known. */
    } else if (*ret_reason && config->default_filter && *config->default_filter) {
        ret->filter = nwf_strndup(config->default_filter, NWF_TAG_MAX);
    }
    return r;
}

static void
read_port(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge,
          const struct nwf_ovs_port *from, struct nwf_store *store)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_binding binding;
    const char *reason;
    int r = read_binding(plan, &bridge->config, from, store, &binding, &reason, &err);
    bool bound = binding.filter != NULL;
    /* A mirror's output gets mirrored frames only, and sends none: it needs no flows, and is
     * kept for its tags. */
    bool trusted = from->ofport == NWF_OFPORT_LOCAL || from->is_mirror_output
                   || nwf_is_named_trusted(&bridge->config, from->name)
                   || (!bound && !reason && !r);
    struct nwf_plan_port *port =
        nwf_plan_add_port(plan, from->name, from->is_mirror_output ? 0 : from->ofport,
                          trusted ? NWF_TRUSTED : NWF_GUEST, &binding);

    plan->bridge.has_patch |= from->is_patch;
    read_notes(bridge, from, port);
    if (trusted) {
        plan->bridge.use_normal |= from->normal_only && port->ofport;
        plan->bridge.inner_tags |= from->vlan.mode == NWF_VLAN_TUNNEL && port->ofport;
        list_bond(bridge, from, port);
        nwf_plan_add_own_mac(plan, from->own_mac);
    } else if (r) {
        nwf_plan_quarantine(port, nwf_error_text(&err));
    } else if (!bound) {
        nwf_plan_quarantine(port, reason);
    } else {
        check_guest(bridge, from, port);
    }
    nwf_error_clear(&err);
}

static bool
has_number_of(const struct nwf_plan_port *port, const struct nwf_plan_port *other)
{
    return port->ofport && port->ofport == other->ofport;
}

/* Ports are in the order of their numbers.  Of two with one number, as rows of a database
 * that has not settled may have it, nobody knows which of them frames come from. */
static void
separate_numbers(struct nwf_plan *plan)
{
    for (size_t i = 0; i < plan->ports.n; i++) {
        struct nwf_plan_port *port = &plan->ports.data[i];

        if ((i && has_number_of(port, port - 1))
            || (i + 1 < plan->ports.n && has_number_of(port, port + 1))) {
            nwf_error_clear(&port->error);
            nwf_plan_quarantine(port, "another port has the same OpenFlow number");
        }
    }
}

void
nwf_plan_read(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge, struct nwf_store *store)
{
    plan->bridge.audit = bridge->config.managed == NWF_AUDITED;
    plan->bridge.forward_bpdu = bridge->forward_bpdu;
    plan->bridge.use_normal = bridge->normal_only;
    plan->bridge.inner_tags = bridge->two_tags;
    plan->bridge.blurred_tags = bridge->two_tags && bridge->userspace;
    plan->bridge.flooded = bridge->flooded;
    plan->bridge.mac_aging = bridge->mac_aging;
    plan->mcast_snooping = bridge->mcast_snooping;
    plan->spanning_tree = bridge->spanning_tree;
    plan->userspace = bridge->userspace;
    plan->datapath = nwf_asprintf("%s@ovs-%s", bridge->datapath_type, bridge->datapath_type);
    nwf_vec_foreach (port, &bridge->ports) {
        read_port(plan, bridge, port, store);
    }
    separate_numbers(plan);
}

static int
compare_uuids(const void *key, const void *port)
{
    return uuid_compare_3way(key, &(*(const struct nwf_ovs_port *const *) port)->uuid);
}

static int
compare_ports(const void *a, const void *b)
{
    return compare_uuids(&(*(const struct nwf_ovs_port *const *) a)->uuid, b);
}

void
nwf_plan_mark_current(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge)
{
    NWF_VEC(const struct nwf_ovs_port *) ports = {.data = NULL};

    nwf_vec_foreach (port, &bridge->ports) {
        nwf_vec_push(&ports, port);
    }
    if (ports.n) {
        qsort(ports.data, ports.n, sizeof ports.data[0], compare_ports);
    }
    nwf_vec_foreach (port, &plan->ports) {
        const struct nwf_ovs_port **found =
            ports.n ? bsearch(&port->uuid, ports.data, ports.n, sizeof ports.data[0], compare_uuids)
                    : NULL;
        struct nwf_digest now;

        if (found) {
            now = nwf_input_digest(bridge, *found);
            port->stale = memcmp(&now, &port->input, sizeof now) != 0;
        }
    }
    nwf_vec_clear(&ports);
}
