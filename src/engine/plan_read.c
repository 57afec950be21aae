/* SPDX-License-Identifier: Apache-2.0
 *
 * A bridge's rows into a plan: which of its ports are guests, which are trusted, and which
 * are to be quarantined, and why. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "nwf/value.h"
#include "plan.h"

#include "lib/uuid.h"

static bool
filter_exists(void *store, const char *name)
{
    return nwf_store_has(store, name); /* With a broken one its port is to be quarantined. */
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
list_bond(const struct nwf_ovs_port *from, struct nwf_port_config *config)
{
    nwf_vec_foreach (member, &from->bond) {
        nwf_vec_push(&config->bond, *member);
    }
}

/* What the database says of what became of the port. */
static void
read_notes(const struct nwf_ovs_port *from, struct nwf_port_notes *notes)
{
    nwf_port_notes_clear(notes);
    notes->status = copy_tag(from, NWF_TAG_STATUS);
    notes->installed = copy_tag(from, NWF_TAG_INSTALLED);
    notes->zone = copy_tag(from, NWF_TAG_ZONE);
    notes->no_flood = copy_tag(from, NWF_TAG_NO_FLOOD);
    for (size_t i = 0; i < NWF_N_TREES; i++) {
        notes->trees[i] = copy(from->trees[i]);
        notes->tree_notes[i] = copy(from->tree_notes[i]);
    }
}

static void
quarantine(struct nwf_port_config *config, const char *cause)
{
    config->role = NWF_QUARANTINED;
    nwf_error_set(&config->error, -EINVAL, "%s", cause);
}

/* A guest that the plan cannot enforce anything for, or that flows cannot protect. */
static void
check_guest(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_port *from,
            struct nwf_port_config *config)
{
    if (bridge->owner) {
        char *cause CLEANUP_FREE =
            nwf_asprintf("%s programs this bridge, and deletes other flows", bridge->owner);
        quarantine(config, cause);
    } else if (from->normal_only) {
        quarantine(config, "a guest's port can be no bond, dot1q-tunnel or protected port, "
                           "and have no other_config:priority-tags");
    } else if (from->bypass) {
        /* Which flows cannot stop; at least nobody is told that it is protected. */
        char *cause CLEANUP_FREE =
            nwf_asprintf("%s: it exchanges frames past its filter", from->bypass);
        quarantine(config, cause);
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
nwf_is_bound(const struct nwf_ovs_port *port, const struct nwf_sources *sources)
{
    struct nwf_binding binding CLEANUP(nwf_binding_clear) = {.port = NULL};

    (void) nwf_binding_from_tags(port->name, port->tags.data, port->tags.n,
                                 &(struct nwf_known_filters){filter_exists, sources->store},
                                 &binding, NULL);
    return add_policy(sources->policies, port, &binding, NULL) || binding.filter;
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
read_binding(const struct nwf_sources *sources, const struct nwf_bridge_config *config,
             const struct nwf_ovs_port *from, struct nwf_binding *ret, const char **ret_reason,
             struct nwf_error *err)
{
    int r =
        nwf_binding_from_tags(from->name, from->tags.data, from->tags.n,
                              &(struct nwf_known_filters){filter_exists, sources->store}, ret, err);

    if (!r) {
        r = add_policy(sources->policies, from, ret, err);
    }
    const char *broken = ret->filter ? NULL : broken_reason(sources->policies);
    *ret_reason = ret->filter ? NULL : nwf_guest_reason(config, ret);
    if (broken) {
        *ret_reason = broken; /* Which filter it would have is not known. */
    } else if (*ret_reason && config->default_filter && *config->default_filter) {
        ret->filter = nwf_strndup(config->default_filter, NWF_TAG_MAX);
    }
    return r;
}

/* What is to be known of a port that is trusted. */
static void
read_trusted(const struct nwf_ovs_port *from, struct nwf_port_config *config)
{
    config->role = NWF_TRUSTED;
    config->needs_normal = from->normal_only;
    config->has_own_mac = from->own_mac && !nwf_mac_parse(from->own_mac, &config->own_mac, NULL);
    if (!config->has_own_mac) {
        memset(&config->own_mac, 0, sizeof config->own_mac);
    }
    list_bond(from, config);
}

static void
read_config(const struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge,
            const struct nwf_ovs_port *from, const struct nwf_sources *sources,
            struct nwf_port_config *ret)
{
    struct nwf_error err = NWF_ERROR_INIT;
    const char *reason;

    memset(ret, 0, sizeof *ret);
    int r = read_binding(sources, &bridge->config, from, &ret->binding, &reason, &err);
    bool bound = ret->binding.filter != NULL;
    /* A mirror's output gets mirrored frames only, and sends none: it needs no flows, and is
     * kept for its tags. */
    bool trusted = from->ofport == NWF_OFPORT_LOCAL || from->is_mirror_output
                   || nwf_is_named_trusted(&bridge->config, from->name)
                   || (!bound && (!reason || nwf_plan_guards(plan, from)) && !r);

    ret->name = nwf_strdup(from->name);
    ret->ofport = from->is_mirror_output ? 0 : from->ofport;
    ret->role = NWF_GUEST;
    ret->vlan = nwf_vlan_copy(&from->vlan);
    ret->is_mirror_output = from->is_mirror_output;
    ret->is_patch = from->is_patch;
    ret->is_uplink = trusted && nwf_plan_has_uplink(plan, from, NWF_VIA_FLOWS);
    if (trusted) {
        read_trusted(from, ret);
    } else if (r) {
        quarantine(ret, nwf_error_text(&err));
    } else if (!bound) {
        quarantine(ret, reason);
    } else {
        check_guest(bridge, from, ret);
    }
    if (plan->bridge.has_guards) {
        nwf_plan_read_guard(plan, from, ret);
    }
    nwf_error_clear(&err);
}

/* ---- Keeping a plan up to date. ---- */

static bool
set_text(char **text, const char *value)
{
    bool differs = value ? !*text || strcmp(*text, value) : *text != NULL;

    if (differs) {
        free(*text);
        *text = copy(value);
    }
    return differs;
}

/* What flows depend on that is the bridge's own. */
static void
read_settings(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge)
{
    char *datapath CLEANUP_FREE =
        nwf_asprintf("%s@ovs-%s", bridge->datapath_type, bridge->datapath_type);

    plan->bridge.audit = bridge->config.managed == NWF_AUDITED;
    plan->bridge.forward_bpdu = bridge->forward_bpdu;
    plan->bridge.unknown = bridge->config.unknown;
    plan->bridge.flooded = bridge->flooded;
    plan->bridge.mac_aging = bridge->mac_aging;
    plan->mcast_snooping = bridge->mcast_snooping;
    plan->spanning_tree = bridge->spanning_tree;
    nwf_routed_config_clear(&plan->routed);
    (void) nwf_routed_config_read(bridge->tags.data, bridge->tags.n, &plan->routed, NULL);
    plan->is_userspace = bridge->userspace;
    plan->bridge.routing = nwf_plan_routes(plan) ? &plan->routing : NULL;
    plan->bridge.has_guards = nwf_routed_has_guards(&plan->routed);
    plan->bridge.guard_macs = &plan->routed.guard_macs;
    plan->normal_why = bridge->normal_why;
    (void) set_text(&plan->host_note,
                    nwf_tag_find(bridge->tags.data, bridge->tags.n, NWF_BRIDGE_SETTINGS));
    (void) set_text(&plan->datapath, datapath);
}

/* What flows depend on that is the bridge's, or of one of its ports. */
static void
read_sums(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge)
{
    struct nwf_bridge before = plan->bridge, *now = &plan->bridge;

    now->use_normal = bridge->normal_only;
    now->inner_tags = bridge->two_tags;
    now->blurred_tags = bridge->two_tags && bridge->userspace;
    now->has_patch = false;
    nwf_vec_foreach (item, &plan->ports) {
        const struct nwf_port_config *config = &(*item)->config;
        now->has_patch |= config->is_patch;
        if (config->role == NWF_TRUSTED && config->ofport) {
            now->use_normal |= config->needs_normal;
            now->inner_tags |= config->vlan.mode == NWF_VLAN_TUNNEL;
        }
    }
    now->use_normal &= !now->has_guards;
    nwf_plan_judge_guards(plan);
    plan->all_dirty |= now->use_normal != before.use_normal || now->inner_tags != before.inner_tags
                       || now->has_patch != before.has_patch;
}

struct update {
    struct nwf_plan *plan;
    const struct nwf_ovs_bridge *bridge;
    const struct nwf_sources *sources;
    bool all;          /* Read every row. */
    bool is_reordered; /* Ports have come or gone, or have other numbers. */
    bool is_changed;   /* Some port is not what it was. */
    struct hmap by_uuid;
};

/* A row's place in 'by_uuid'. */
struct place {
    struct hmap_node node;
    const struct nwf_plan_row *row;
};

static const struct nwf_plan_row *
find_row(const struct update *u, const struct uuid *uuid)
{
    const struct place *place;

    HMAP_FOR_EACH_WITH_HASH (place, node, uuid_hash(uuid), &u->by_uuid) {
        if (uuid_equals(&place->row->uuid, uuid)) {
            return place->row;
        }
    }
    return NULL;
}

/* Where the host routes, the uplink is to be no port of the bridge. */
static void
shut_uplink(const struct nwf_plan *plan, const struct nwf_ovs_port *from,
            struct nwf_port_config *config)
{
    if (nwf_plan_has_uplink(plan, from, NWF_VIA_HOST)) {
        nwf_error_clear(&config->error);
        quarantine(config,
                   "it is the uplink, which the host is to have for itself: take it off the "
                   "bridge, or see --via=flows");
    }
}

/* Reads the row of a port, which is a new one if 'port' is NULL. */
static struct nwf_plan_port *
update_port(struct update *u, const struct nwf_ovs_ref *ref, struct nwf_plan_port *port)
{
    struct nwf_port_config config;
    struct nwf_ovs_port from;

    nwf_ovs_read_port(u->bridge, ref, &from);
    read_config(u->plan, u->bridge, &from, u->sources, &config);
    shut_uplink(u->plan, &from, &config);
    if (!port) {
        port = nwf_plan_add_port(u->plan, &config);
        port->uuid = from.uuid;
        u->is_reordered = u->is_changed = true;
    } else if (!nwf_port_config_equals(&port->config, &config)) {
        u->is_reordered |= config.ofport != port->config.ofport;
        u->is_changed = true;
        nwf_plan_replace_config(u->plan, port, &config);
    } else {
        nwf_port_config_clear(&config);
    }
    port->port_uuid = from.port_uuid;
    port->has_report = true;
    read_notes(&from, &port->notes);
    nwf_ovs_port_clear(&from);
    return port;
}

static bool
is_current(const struct update *u, const struct nwf_plan_row *row, const struct nwf_ovs_ref *ref)
{
    return row->seqno == ref->seqno && !u->all && !ref->is_member;
}

/* Where the rows are those from before, one by one, it takes no more than to compare them.  False:
 * some have come or gone. */
static bool
update_in_order(struct update *u, const struct nwf_ovs_refs *refs)
{
    for (size_t i = 0; i < refs->n; i++) {
        const struct nwf_ovs_ref *ref = &refs->data[i];
        struct nwf_plan_row *row = i < u->plan->rows.n ? &u->plan->rows.data[i] : NULL;

        if (!row || !uuid_equals(&row->uuid, &ref->uuid)) {
            return false;
        }
        if (!is_current(u, row, ref)) {
            (void) update_port(u, ref, row->port);
            row->seqno = ref->seqno;
        }
    }
    return refs->n == u->plan->rows.n;
}

/* Ports are found by their UUIDs, and those that are not there any more are removed. */
static void
update_out_of_order(struct update *u, const struct nwf_ovs_refs *refs)
{
    struct nwf_plan *plan = u->plan;
    struct place *places CLEANUP_FREE = nwf_zalloc((plan->rows.n + 1) * sizeof *places);
    NWF_VEC(struct nwf_plan_row) rows = {.data = NULL};

    hmap_init(&u->by_uuid);
    for (size_t i = 0; i < plan->rows.n; i++) {
        places[i].row = &plan->rows.data[i];
        places[i].row->port->is_seen = false;
        hmap_insert(&u->by_uuid, &places[i].node, uuid_hash(&places[i].row->uuid));
    }
    nwf_vec_foreach (ref, refs) {
        const struct nwf_plan_row *row = find_row(u, &ref->uuid);
        struct nwf_plan_port *port = row ? row->port : NULL;
        if (!row || !is_current(u, row, ref)) {
            port = update_port(u, ref, port);
        }
        port->is_seen = true;
        nwf_vec_push(&rows, (struct nwf_plan_row){ref->uuid, ref->seqno, port});
    }
    hmap_destroy(&u->by_uuid);
    nwf_plan_remove_unseen(plan);
    nwf_vec_clear(&plan->rows);
    memcpy(&plan->rows, &rows, sizeof rows);
    u->is_reordered = u->is_changed = true;
}

void
nwf_plan_update(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge,
                const struct nwf_sources *sources, bool all)
{
    struct update u = {
        .plan = plan,
        .bridge = bridge,
        .sources = sources,
        .all = all,
    };
    struct nwf_ovs_refs refs;

    (void) set_text(&plan->status, bridge->status);
    if (set_text(&plan->settings, bridge->settings)) {
        u.all = u.is_changed = plan->all_dirty = true;
        read_settings(plan, bridge);
    }
    nwf_ovs_list_ports(bridge, &refs);
    if (!update_in_order(&u, &refs)) {
        update_out_of_order(&u, &refs);
    }
    nwf_vec_clear(&refs);
    if (u.is_reordered) {
        nwf_plan_sort(plan);
    }
    if (u.is_changed) {
        read_sums(plan, bridge);
    }
}
