/* SPDX-License-Identifier: Apache-2.0
 *
 * Meters of guests that have limits.  They are there before flows lead to them, and go when none
 * does any more: a switch deletes a meter's flows with it. */
#include <config.h>

#include <errno.h>

#include "keeper.h"
#include "nwf/text.h"

static void
list_meters(struct nwf_keeper *k)
{
    k->meters.n = 0;
    nwf_vec_foreach (item, &k->plan.ports) {
        const struct nwf_plan_port *port = *item;
        bool may = port->role == NWF_GUEST && !k->plan.bridge.audit && !k->plan.bridge.no_meters;

        for (int limit = 0; may && limit < NWF_N_LIMITS; limit++) {
            if (port->facts.limits[limit]) {
                nwf_vec_push(&k->meters,
                             (struct nwf_meter){
                                 .id = nwf_meter_id((enum nwf_limit) limit, port->config.ofport),
                                 .rate = port->facts.limits[limit]});
            }
        }
    }
}

/* Whether meters may not be what they are to be. */
bool
nwf_keeper_begin_meters(struct nwf_keeper *k)
{
    list_meters(k);
    if (!k->is_fresh && !(k->changes.n && (k->meters.n || k->has_meters))) {
        return false;
    }
    nwf_conn_set_meters(k->conn, &k->meters, false);
    return true;
}

/* Where there are no meters, guests are filtered all the same, and their statuses say so. */
static int
do_without(struct nwf_keeper *k, struct nwf_error *err)
{
    bool any = k->meters.n > 0;

    if (any) {
        free(k->plan.no_meters);
        k->plan.no_meters = nwf_strdup(nwf_error_text(err));
        k->plan.bridge.no_meters = true;
        nwf_plan_dirty_all(&k->plan);
    }
    nwf_error_clear(err);
    return any ? -ESTALE : 0;
}

int
nwf_keeper_run_meters(struct nwf_keeper *k, struct nwf_error *err)
{
    int r = nwf_keeper_run_conn(k, err);

    if (r == -EOPNOTSUPP) {
        return do_without(k, err);
    }
    if (!r) {
        k->has_excess = nwf_conn_excess_meters(k->conn) > 0;
        k->has_meters = k->meters.n > 0;
    }
    return r;
}

/* Should the switch refuse, they are left over, and do nothing. */
int
nwf_keeper_prune_meters(struct nwf_keeper *k, struct nwf_error *err)
{
    if (!k->has_excess) {
        return 0;
    }
    if (!k->is_pruning) {
        nwf_conn_set_meters(k->conn, &k->meters, true);
        k->is_pruning = true;
    }
    int r = nwf_keeper_run_conn(k, err);
    if (r == -EAGAIN) {
        return r;
    }
    k->is_pruning = k->has_excess = false;
    if (r == -EOPNOTSUPP) {
        nwf_error_clear(err);
        r = 0;
    }
    return r;
}

/* Another switch may have some. */
void
nwf_keeper_forget_meters(struct nwf_keeper *k)
{
    k->is_pruning = k->has_excess = k->plan.bridge.no_meters = false;
    k->has_meters = true;
    free(TAKE_PTR(k->plan.no_meters));
}
