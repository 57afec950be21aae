/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans and their ports; see nwf/plan.h. */
#include <config.h>

#include "plan.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "routes.h"

nwf_owner
nwf_owner_of(uint64_t cookie)
{
    if ((cookie & NWF_COOKIE_MASK) != NWF_COOKIE_MAGIC) {
        return NWF_OWNER_FOREIGN;
    }
    switch (nwf_cookie_kind(cookie)) {
    case NWF_COOKIE_CLASSIFY:
    case NWF_COOKIE_PINNED:
    case NWF_COOKIE_FROM_VM:
    case NWF_COOKIE_TO_VM:
        return nwf_cookie_port(cookie);
    case NWF_COOKIE_ROUTE:
        return nwf_cookie_port(cookie) ? nwf_cookie_port(cookie) : NWF_OWNER_UPLINK;
    case NWF_COOKIE_QUARANTINE: /* That of ports which nobody has looked at is shared. */
        return nwf_cookie_port(cookie) ? nwf_cookie_port(cookie) : NWF_OWNER_SHARED;
    case NWF_COOKIE_PENDING:
        return NWF_OWNER_PENDING;
    case NWF_COOKIE_FIXED:
        return nwf_cookie_port(cookie) ? NWF_OWNER_SHARED : NWF_OWNER_FIXED;
    case NWF_COOKIE_DELIVER:
    case NWF_COOKIE_TRUSTED:
    case NWF_COOKIE_FLOOD:
    case NWF_COOKIE_GUARD:
    case NWF_COOKIE_LEARNED:
    case NWF_COOKIE_OFFENDER:
        break;
    }
    return NWF_OWNER_SHARED;
}

/* ---- Ports. ---- */

const struct nwf_error *
nwf_plan_port_error(const struct nwf_plan_port *port)
{
    const struct nwf_error *const errors[] = {&port->failure,  &port->foreign,   &port->stale,
                                              &port->outdated, &port->unlimited, &port->unrouted};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i]->text) {
            return errors[i];
        }
    }
    return &port->flooding;
}

const struct nwf_error *
nwf_plan_error(const struct nwf_plan *plan)
{
    const struct nwf_error *const errors[] = {&plan->routed.error, &plan->unguarded};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i]->text) {
            return errors[i];
        }
    }
    return &plan->host_error;
}

bool
nwf_plan_is_unreached(const struct nwf_plan_port *port)
{
    return port->flooding.text && nwf_plan_port_error(port) == &port->flooding;
}

static void
facts_clear(struct nwf_port *facts)
{
    nwf_vec_clear(&facts->bond);
    nwf_vec_clear(&facts->nics);
    nwf_vec_clear(&facts->macs);
    nwf_vec_clear(&facts->addresses);
    nwf_vlan_clear(&facts->vlan);
}

static void
port_free(struct nwf_plan_port *port)
{
    nwf_port_config_clear(&port->config);
    nwf_port_notes_clear(&port->notes);
    facts_clear(&port->facts);
    facts_clear(&port->known);
    nwf_error_clear(&port->mac_error);
    nwf_error_clear(&port->claim);
    nwf_error_clear(&port->route_claim);
    nwf_error_clear(&port->unrouted);
    nwf_vec_clear(&port->addresses);
    nwf_error_clear(&port->refusal);
    nwf_error_clear(&port->failure);
    nwf_error_clear(&port->foreign);
    nwf_error_clear(&port->flooding);
    nwf_error_clear(&port->stale);
    nwf_error_clear(&port->outdated);
    nwf_error_clear(&port->unlimited);
    free(port);
}

struct nwf_plan_port *
nwf_plan_add_port(struct nwf_plan *plan, struct nwf_port_config *config)
{
    struct nwf_plan_port *port = nwf_zalloc(sizeof *port);

    port->config = *config;
    memset(config, 0, sizeof *config);
    port->dirty = true;
    nwf_plan_read_addresses(port);
    nwf_plan_read_routes(port);
    nwf_vec_push(&plan->ports, port);
    plan->claims_dirty = true;
    return port;
}

struct nwf_plan_port *
nwf_plan_find_port(const struct nwf_plan *plan, const char *name)
{
    nwf_vec_foreach (port, &plan->ports) {
        if (!strcmp((*port)->config.name, name)) {
            return *port;
        }
    }
    return NULL;
}

static int
compare_ports(const void *a_, const void *b_)
{
    const struct nwf_port_config *a = &(*(struct nwf_plan_port *const *) a_)->config;
    const struct nwf_port_config *b = &(*(struct nwf_plan_port *const *) b_)->config;

    return a->ofport != b->ofport ? (a->ofport < b->ofport ? -1 : 1) : strcmp(a->name, b->name);
}

static bool
has_number_of(const struct nwf_plan *plan, const struct nwf_plan_port *port, size_t i)
{
    return i < plan->ports.n && port->config.ofport
           && plan->ports.data[i]->config.ofport == port->config.ofport;
}

/* Of two with one number, as rows of a database that has not settled may have it, nobody knows
 * which of them frames come from. */
void
nwf_plan_sort(struct nwf_plan *plan)
{
    if (plan->ports.n) {
        qsort(plan->ports.data, plan->ports.n, sizeof plan->ports.data[0], compare_ports);
    }
    for (size_t i = 0; i < plan->ports.n; i++) {
        struct nwf_plan_port *port = plan->ports.data[i];
        bool is_duplicate = has_number_of(plan, port, i - 1) || has_number_of(plan, port, i + 1);

        port->dirty |= is_duplicate || port->is_duplicate;
        port->is_duplicate = is_duplicate;
    }
}

/* The owner's flows go, unless some port has its number. */
static void
lose_owner(struct nwf_plan *plan, nwf_owner owner)
{
    if (owner) {
        nwf_vec_push(&plan->gone, owner);
    }
}

/* Whether the port claims its addresses elsewhere, or for something else. */
static bool
claims_differ(const struct nwf_port_config *a, const struct nwf_port_config *b)
{
    return a->ofport != b->ofport || a->role != b->role || !nwf_vlan_equals(&a->vlan, &b->vlan)
           || a->has_own_mac != b->has_own_mac
           || memcmp(&a->own_mac, &b->own_mac, sizeof a->own_mac) || strcmp(a->name, b->name);
}

static bool
same_own_address(const struct nwf_macs *macs, size_t own_mac, const struct nwf_port *now)
{
    return own_mac < macs->n && now->own_mac < now->macs.n
           && !memcmp(&macs->data[own_mac], &now->macs.data[now->own_mac], sizeof *macs->data);
}

void
nwf_plan_replace_config(struct nwf_plan *plan, struct nwf_plan_port *port,
                        struct nwf_port_config *config)
{
    struct nwf_port_config before = port->config;
    struct nwf_macs macs = port->facts.macs;
    struct nwf_addresses addresses = port->addresses;
    size_t own_mac = port->facts.own_mac;

    if (before.ofport != config->ofport) {
        lose_owner(plan, before.ofport);
    }
    plan->claims_dirty |= port->refusal.text != NULL;
    nwf_error_clear(&port->refusal);
    memset(&port->facts.macs, 0, sizeof port->facts.macs);
    memset(&port->addresses, 0, sizeof port->addresses);
    port->config = *config;
    memset(config, 0, sizeof *config);
    nwf_plan_read_addresses(port);
    nwf_plan_read_routes(port);
    port->facts.is_sighted &= same_own_address(&macs, own_mac, &port->facts);
    port->dirty = true;
    plan->claims_dirty |= claims_differ(&before, &port->config) || own_mac != port->facts.own_mac
                          || !nwf_macs_equal(&macs, &port->facts.macs)
                          || (plan->routed.is_routed /* Nobody else claims those. */
                              && !nwf_addresses_equal(&addresses, &port->addresses));
    nwf_vec_clear(&macs);
    nwf_vec_clear(&addresses);
    nwf_port_config_clear(&before);
}

void
nwf_plan_remove_unseen(struct nwf_plan *plan)
{
    size_t kept = 0;

    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->is_seen) {
            plan->ports.data[kept++] = *port;
            continue;
        }
        lose_owner(plan, (*port)->config.ofport);
        port_free(*port);
        plan->claims_dirty = plan->shared_dirty = plan->has_lost_ports = true;
    }
    plan->ports.n = kept;
}

/* ---- Plans. ---- */

void
nwf_plan_init(struct nwf_plan *plan, const char *name)
{
    memset(plan, 0, sizeof *plan);
    plan->name = nwf_strdup(name);
    plan->bridge.mac_aging = 300;
    plan->all_dirty = true;
}

void
nwf_plan_finish(struct nwf_plan *plan)
{
    nwf_plan_clear_parts(plan);
    nwf_vec_clear(&plan->bridge.ports); /* What they own is the plan's ports'. */
    nwf_vec_foreach (port, &plan->ports) {
        port_free(*port);
    }
    nwf_vec_clear(&plan->ports);
    nwf_vec_clear(&plan->rows);
    nwf_vec_clear(&plan->gone);
    nwf_vec_clear(&plan->holders);
    nwf_routed_config_clear(&plan->routed);
    nwf_routing_clear(&plan->routing);
    nwf_error_clear(&plan->unguarded);
    nwf_error_clear(&plan->host_error);
    free(plan->host_advice);
    nwf_vec_clear(&plan->isolated);
    free(plan->host_note);
    free(plan->settings);
    free(plan->status);
    free(plan->datapath);
    free(plan->no_limits);
    free(plan->no_meters);
    free(plan->name);
}

/* Guests' own flows know of it only whether the datapath can answer in the host's place. */
void
nwf_plan_set_routing(struct nwf_plan *plan, struct nwf_routing *routing)
{
    if (nwf_routing_equals(&plan->routing, routing)) {
        nwf_routing_clear(routing);
        return;
    }
    plan->uplink_dirty = true;
    plan->all_dirty |= plan->routing.answers_nd != routing->answers_nd;
    nwf_routing_clear(&plan->routing);
    plan->routing = *routing;
    memset(routing, 0, sizeof *routing);
}

void
nwf_plan_dirty_all(struct nwf_plan *plan)
{
    plan->all_dirty = true;
}

void
nwf_plan_dirty_owner(struct nwf_plan *plan, nwf_owner owner)
{
    bool any = false;

    if (owner == NWF_OWNER_SHARED) {
        plan->shared_dirty = true;
    } else if (owner == NWF_OWNER_FIXED) {
        plan->fixed_dirty = true;
    } else if (owner == NWF_OWNER_UPLINK) {
        plan->uplink_dirty = true;
    } else if (owner <= UINT16_MAX) {
        nwf_vec_foreach (port, &plan->ports) {
            if ((*port)->config.ofport == owner) {
                (*port)->dirty = any = true;
            }
        }
        if (!any) {
            lose_owner(plan, owner);
        }
    }
}

bool
nwf_plan_is_dirty(const struct nwf_plan *plan)
{
    if (plan->all_dirty || plan->claims_dirty || plan->shared_dirty || plan->fixed_dirty
        || plan->uplink_dirty || plan->gone.n) {
        return true;
    }
    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->dirty) {
            return true;
        }
    }
    return false;
}

void
nwf_plan_clear_parts(struct nwf_plan *plan)
{
    nwf_vec_foreach (part, &plan->parts) {
        nwf_flow_set_finish(&(*part)->flows);
        free(*part);
    }
    nwf_vec_clear(&plan->parts);
    nwf_vec_clear(&plan->deletions);
    nwf_vec_clear(&plan->rest);
}

void
nwf_plan_merge_parts(struct nwf_plan *plan, struct nwf_flow_set *ret)
{
    nwf_flow_set_init(ret);
    nwf_vec_foreach (part, &plan->parts) {
        nwf_flow_set_move(ret, &(*part)->flows);
    }
}

void
nwf_plan_refuse(struct nwf_plan *plan, struct nwf_plan_port *port, const char *cause)
{
    nwf_error_clear(&port->refusal);
    nwf_error_set(&port->refusal, -EINVAL, "filter %.80s: %s", port->config.binding.filter, cause);
    port->new_zone = false;
    port->zone = 0;
    port->dirty = true;
    plan->claims_dirty = true;
}
