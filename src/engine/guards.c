/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ports of a bridge are guarded, and why a guard does not hold.
 *
 * A bridge that has guards never uses NORMAL, which cannot be told what not to put out; not even
 * while the NIC is not there, since nobody could be quick enough when it comes.  So what needs
 * NORMAL there is shut. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "plan.h"

/* A name of one of its NICs is one of the Port; of several the strictest holds. */
static enum nwf_guarding
find_guarding(const struct nwf_plan *plan, const struct nwf_ovs_port *from, const char **ret_reason)
{
    enum nwf_guarding strictest = NWF_UNGUARDED;

    nwf_vec_foreach (name, &from->nic_names) {
        const char *reason = NULL;
        enum nwf_guarding guarding =
            nwf_routed_guarding(&plan->routed, from->port_name, *name, &reason);
        if (guarding > strictest) {
            strictest = guarding;
            *ret_reason = reason;
        }
    }
    return strictest;
}

bool
nwf_plan_has_uplink(const struct nwf_plan *plan, const struct nwf_ovs_port *from, enum nwf_via via)
{
    const char *uplink = plan->routed.uplink;

    if (!uplink || !plan->routed.is_routed || plan->routed.via != via) {
        return false;
    }
    nwf_vec_foreach (name, &from->nic_names) {
        if (!strcmp(uplink, *name)) {
            return true;
        }
    }
    return !strcmp(uplink, from->port_name);
}

bool
nwf_plan_guards(const struct nwf_plan *plan, const struct nwf_ovs_port *from)
{
    const char *reason;

    return plan->bridge.has_guards && find_guarding(plan, from, &reason) != NWF_UNGUARDED;
}

static void
shut(struct nwf_port_config *config, const char *name, const char *reason)
{
    config->guarding = NWF_SHUT_OUT;
    nwf_error_clear(&config->unguarded);
    nwf_error_set(&config->unguarded, -EINVAL, "nothing leaves by %.80s: %s", name, reason);
}

/* The addresses of the Port's NICs and those that are listed. */
static size_t
count_macs(const struct nwf_plan *plan, const struct nwf_nics *nics)
{
    const struct nwf_guard_macs *listed = &plan->routed.guard_macs;
    size_t n = 0;

    for (size_t i = 0; i < listed->n; i++) {
        n += !i || memcmp(&listed->data[i].mac, &listed->data[i - 1].mac, sizeof listed->data->mac);
    }
    for (size_t i = 0; i < nics->n; i++) {
        bool is_new = nics->data[i].has_mac;
        for (size_t j = 0; j < i; j++) {
            is_new &= memcmp(&nics->data[i].mac, &nics->data[j].mac, sizeof nics->data->mac) != 0;
        }
        for (size_t j = 0; j < listed->n; j++) {
            is_new &= memcmp(&nics->data[i].mac, &listed->data[j].mac, sizeof nics->data->mac) != 0;
        }
        n += is_new;
    }
    return n;
}

/* Of ports that are not shut for what the tags say. */
static void
check_port(const struct nwf_plan *plan, const struct nwf_ovs_port *from,
           struct nwf_port_config *config)
{
    char *reason CLEANUP_FREE = NULL;

    if (from->normal_only && !from->is_bond) {
        shut(config, from->port_name,
             "a dot1q-tunnel, a protected port or one with other_config:priority-tags needs the "
             "action NORMAL, which a bridge with a guard does not use");
    } else if (config->guarding == NWF_GUARDED && plan->normal_why) {
        reason = nwf_asprintf("the bridge's %s needs the action NORMAL, which passes by the guard",
                              plan->normal_why);
        shut(config, from->port_name, reason);
    } else if (config->guarding == NWF_GUARDED
               && count_macs(plan, &from->nics) > NWF_GUARD_MACS_MAX) {
        reason = nwf_asprintf("its own addresses and those of %s are more than %d",
                              NWF_BRIDGE_GUARD_MAC, NWF_GUARD_MACS_MAX);
        shut(config, from->port_name, reason);
    }
}

/* What ovs-vswitchd sends by the port itself. */
static void
check_bypass(const struct nwf_ovs_port *from, struct nwf_port_config *config)
{
    const char *bypass = from->is_mirror_output ? "a mirror's output_port" : from->bypass;

    if (config->guarding == NWF_GUARDED && bypass && strcmp(bypass, "lacp")) {
        nwf_error_set(&config->unguarded, -EINVAL,
                      "%.80s: %s: frames leave by %.80s past its guard", from->port_name, bypass,
                      from->port_name);
    }
}

static uint16_t
find_leader(const struct nwf_nics *nics)
{
    uint16_t leader = 0;

    nwf_vec_foreach (nic, nics) {
        leader = nic->ofport && (!leader || nic->ofport < leader) ? nic->ofport : leader;
    }
    return leader;
}

void
nwf_plan_read_guard(const struct nwf_plan *plan, const struct nwf_ovs_port *from,
                    struct nwf_port_config *config)
{
    const char *reason = NULL;
    enum nwf_guarding guarding = find_guarding(plan, from, &reason);

    if (config->role != NWF_TRUSTED) {
        if (guarding != NWF_UNGUARDED) { /* Two things at once, and so neither. */
            config->role = NWF_QUARANTINED;
            nwf_error_clear(&config->error);
            nwf_error_set(&config->error, -EINVAL,
                          "it is a guest's port, and one that is guarded as an uplink");
        }
        return;
    }
    config->guarding = guarding;
    if (guarding == NWF_SHUT_OUT) {
        shut(config, from->port_name, reason);
    } else {
        check_port(plan, from, config);
        check_bypass(from, config);
    }
    if (config->guarding != NWF_UNGUARDED || from->is_bond) {
        config->leader = find_leader(&from->nics);
        config->is_hashed = from->has_lacp;
        config->port_name = nwf_strdup(from->port_name);
        nwf_nics_copy(&from->nics, &config->nics);
    }
}

/* The first port's that has something to say. */
void
nwf_plan_judge_guards(struct nwf_plan *plan)
{
    nwf_error_clear(&plan->unguarded);
    nwf_vec_foreach (port, &plan->ports) {
        const struct nwf_error *error = &(*port)->config.unguarded;
        if (error->text && !plan->unguarded.text) {
            nwf_error_set(&plan->unguarded, error->code, "%s", error->text);
        }
    }
}
