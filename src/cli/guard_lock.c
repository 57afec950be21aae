/* SPDX-License-Identifier: Apache-2.0
 *
 * The second lock's counters, among those of the guard's flows; see guard_lock.h.
 *
 * The lock sees a frame where it leaves and does not know the port that it came from: that is the
 * port which the flows name for the address, or the guest whose address it is. */
#include <config.h>

#include "guard_lock.h"

#include <string.h>

#include "nwf/nic_lock.h"
#include "nwf/text.h"
#include "nwf/value.h"

#include "lib/util.h"

/* The port that a NIC is, or whose member it is. */
static const char *
port_of(const struct nwf_plan *plan, const char *nic)
{
    const struct nwf_plan_port *port = nwf_plan_find_port(plan, nic);

    return port && port->config.port_name ? port->config.port_name : nic;
}

static bool
is_same(const struct nwf_plan *plan, const struct nwf_offender *known,
        const struct nwf_nic_lock_offender *locked)
{
    return known->is_learned && known->vid == locked->vid
           && !memcmp(&known->mac, &locked->mac, sizeof known->mac)
           && (!known->uplink || !strcmp(known->uplink, locked->nic)
               || !strcmp(known->uplink, port_of(plan, locked->nic)));
}

/* The guest whose address it is; "" if it is nobody's. */
static const char *
owner_of(const struct nwf_plan *plan, const struct nwf_mac *mac)
{
    struct nwf_mac own;

    nwf_vec_foreach (port, &plan->ports) {
        const char *text = (*port)->config.binding.own_mac;
        if (text && !nwf_mac_parse(text, &own, NULL) && !memcmp(&own, mac, sizeof own)) {
            return (*port)->config.name;
        }
    }
    return "";
}

static void
add_offender(const struct nwf_plan *plan, const struct nwf_nic_lock_offender *locked,
             struct nwf_offenders *offenders)
{
    const int idle = (int) locked->last_seen;

    nwf_vec_foreach (known, offenders) {
        if (is_same(plan, known, locked)) {
            known->n_packets += locked->packets;
            known->n_locked += locked->packets;
            known->idle = known->idle < 0 ? idle : MIN(known->idle, idle);
            return;
        }
    }
    nwf_vec_push(offenders, (struct nwf_offender){.port = nwf_strdup(owner_of(plan, &locked->mac)),
                                                  .uplink = nwf_strdup(port_of(plan, locked->nic)),
                                                  .is_learned = true,
                                                  .mac = locked->mac,
                                                  .vid = locked->vid,
                                                  .n_packets = locked->packets,
                                                  .n_locked = locked->packets,
                                                  .idle = idle});
}

static void
add_rest(const struct nwf_plan *plan, const struct nwf_nic_lock_rest *rest,
         struct nwf_offenders *offenders)
{
    if (rest->packets) {
        nwf_vec_push(offenders,
                     (struct nwf_offender){.port = nwf_strdup(""),
                                           .uplink = nwf_strdup(port_of(plan, rest->nic)),
                                           .n_packets = rest->packets,
                                           .n_locked = rest->packets,
                                           .idle = -1});
    }
}

int
nwf_guard_add_lock(const struct nwf_plan *plan, struct nwf_offenders *offenders,
                   struct nwf_error *err)
{
    struct nwf_nic_lock_counters counters CLEANUP(nwf_nic_lock_counters_clear) = {
        .offenders = {.data = NULL}};
    int r = nwf_nic_lock_counters(plan->name, &counters, err);

    nwf_vec_foreach (locked, &counters.offenders) {
        add_offender(plan, locked, offenders);
    }
    nwf_vec_foreach (rest, &counters.rests) {
        add_rest(plan, rest, offenders);
    }
    return r;
}
