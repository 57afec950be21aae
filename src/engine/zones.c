/* SPDX-License-Identifier: Apache-2.0
 *
 * Conntrack zones of guests; see NWF_ZONE_FIRST. */
#include <config.h>

#include <errno.h>

#include "nwf/text.h"
#include "plan.h"

/* The zone that OVSDB keeps for the port, if it is the only one to have it. */
static uint16_t
kept_zone(const struct nwf_plan *plan, const struct nwf_plan_port *port)
{
    int64_t zone;

    return port->notes.zone && nwf_parse_int(port->notes.zone, NWF_ZONE_FIRST, UINT16_MAX, &zone)
                   && plan->zones[zone] <= 1
               ? (uint16_t) zone
               : 0;
}

int
nwf_plan_take_zone(struct nwf_plan *plan, struct nwf_plan_port *port, struct nwf_error *err)
{
    uint32_t first = plan->zone_base + port->config.ofport;

    /* A zone that two say is theirs is neither's. */
    if (port->zone && plan->zones[port->zone] <= 1) {
        return 0;
    }
    if ((port->zone = kept_zone(plan, port))) {
        return 0;
    }
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
