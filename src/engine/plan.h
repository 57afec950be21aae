/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of a plan's making share. */
#ifndef NWF_ENGINE_PLAN_H
#define NWF_ENGINE_PLAN_H

#include "nwf/engine.h"

/* Nothing passes the port, and its error says why. */
void nwf_plan_quarantine(struct nwf_plan_port *port, const char *cause);

/* Whether the port's own tags, or a policy file, bind a filter to it. */
bool nwf_is_bound(const struct nwf_ovs_port *port, struct nwf_store *store,
                  const struct nwf_policies *policies);

/* Which of the addresses is the guest's own: that of its tag, else the first of MAC; macs->n if
 * it is none of them. */
size_t nwf_plan_own_mac(const struct nwf_binding *binding, const struct nwf_macs *macs);

/* Takes note of an address of the host's own on the bridge; 'text' may be NULL. */
void nwf_plan_add_own_mac(struct nwf_plan *plan, const char *text);

/* Unmarks ('stale') the ports that 'bridge' has as they were when the plan was read. */
void nwf_plan_mark_current(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge);

#endif
