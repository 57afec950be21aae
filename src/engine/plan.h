/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of a plan's making share. */
#ifndef NWF_ENGINE_PLAN_H
#define NWF_ENGINE_PLAN_H

#include "nwf/plan.h"

/* The port's addresses, and which of them is its own, out of its binding. */
void nwf_plan_read_addresses(struct nwf_plan_port *port);

/* Gives the port another config, which is taken; removes ports that nwf_plan_update() has not
 * seen. */
void nwf_plan_replace_config(struct nwf_plan *plan, struct nwf_plan_port *port,
                             struct nwf_port_config *config);
void nwf_plan_remove_unseen(struct nwf_plan *plan);

/* Marks ports as quarantined that claim an address which is another's; see nwf/claims.h.  Those
 * of which something else is said than before become dirty. */
void nwf_plan_judge_claims(struct nwf_plan *plan);

/* Notes that the guest was heard, if 'pin' is the switch's flow that says so of the address that
 * the guest has now; else returns false. */
bool nwf_plan_note_sighting(struct nwf_plan_port *port, const struct nwf_flow *pin);

/* The same of all guests that the switch has heard. */
void nwf_plan_collect_sightings(struct nwf_plan *plan, const struct nwf_image *image);

/* Whether the port is the bridge's uplink, if that is routed to in this way.  Who names a member of
 * a bond means the bond. */
bool nwf_plan_has_uplink(const struct nwf_plan *plan, const struct nwf_ovs_port *from,
                         enum nwf_via via);
/* Whether the bridge's tags name the port as a NIC that nothing leaves unguarded. */
bool nwf_plan_guards(const struct nwf_plan *plan, const struct nwf_ovs_port *from);
/* What the uplink guard is to know of a port: 'config' is what else was read of it. */
void nwf_plan_read_guard(const struct nwf_plan *plan, const struct nwf_ovs_port *from,
                         struct nwf_port_config *config);
/* Why a guard of the bridge does not hold, if it does not. */
void nwf_plan_judge_guards(struct nwf_plan *plan);

/* Fills plan->holders: who has an address now. */
void nwf_plan_collect_holders(struct nwf_plan *plan, const struct nwf_image *image);

/* The conntrack zone of a guest whose filter needs one: the one that it has, or that OVSDB keeps
 * for it, or a new one. */
int nwf_plan_take_zone(struct nwf_plan *plan, struct nwf_plan_port *port, struct nwf_error *err);

#endif
