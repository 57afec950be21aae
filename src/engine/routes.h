/* SPDX-License-Identifier: Apache-2.0
 *
 * Which IP addresses a routed bridge's guests have, and what the host's kernel is to have for
 * them. */
#ifndef NWF_ENGINE_ROUTES_H
#define NWF_ENGINE_ROUTES_H

#include "host_settings.h"
#include "nwf/host.h"
#include "plan.h"

/* Whether the host's kernel has a part in what is routed to the bridge's guests. */
bool nwf_plan_is_host_routed(const struct nwf_plan *plan);

/* The device by which the host itself reaches the provider's network. */
const char *nwf_plan_wire(const struct nwf_plan *plan);

/* Whose settings count. */
struct nwf_host_places nwf_plan_places(const struct nwf_plan *plan);

/* The port of the bridge that is the uplink of flows that route; NULL: there is none. */
const struct nwf_plan_port *nwf_plan_find_uplink(const struct nwf_plan *plan);

/* The addresses out of the port's binding. */
void nwf_plan_read_routes(struct nwf_plan_port *port);

/* Those of them that can be routed, into its facts. */
void nwf_plan_set_route_facts(struct nwf_plan_port *port);

bool nwf_addresses_equal(const struct nwf_addresses *a, const struct nwf_addresses *b);

/* Quarantines guests with an address that is another's: a guest's, the host's, a gateway's.  Those
 * of which something else is said than before become dirty. */
void nwf_plan_judge_routes(struct nwf_plan *plan);

/* Fills plan->isolated; true if it is not what it was. */
bool nwf_plan_collect_isolated(struct nwf_plan *plan);

/* The gateway's addresses towards guests, on the bridge. */
void nwf_plan_list_gateways(const struct nwf_plan *plan, const struct nwf_host *host,
                            struct nwf_addresses *ret);

/* Adds what is to be there for the guest if it is enforced, else nothing.  *ret_cause, a constant:
 * why nothing can be there though it has addresses, or NULL. */
void nwf_plan_list_routes(const struct nwf_plan *plan, const struct nwf_plan_port *port,
                          struct nwf_host_items *ret, const char **ret_cause);

/* Whether the kernel speaks IPv6 on the bridge's device. */
bool nwf_plan_bridge_has_ipv6(const struct nwf_plan *plan);

/* Adds what is to be there for the bridge. */
void nwf_plan_list_bridge_items(const struct nwf_plan *plan, const struct nwf_host *host,
                                struct nwf_host_items *ret);

#endif
