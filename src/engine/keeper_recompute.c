/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether what was computed step by step is what comes of a computation from scratch. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "keeper.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

static int
compute_from_scratch(const struct nwf_keeper *k, struct nwf_plan *plan, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};

    nwf_ovsdb_bare_bridges(k->db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (!strcmp(bridge->name, k->plan.name)) {
            nwf_plan_update(plan, bridge, k->sources, true);
            plan->zone_base = k->plan.zone_base;
            nwf_routing_copy(&k->plan.routing, &plan->routing);
            nwf_vec_foreach (holder, &k->plan.holders) {
                nwf_vec_push(&plan->holders, *holder);
            }
            nwf_plan_collect_sightings(plan, &k->image);
            return nwf_plan_compute(plan, k->sources, err);
        }
    }
    return nwf_error_set(err, -ENOENT, "%.80s: no such bridge", k->plan.name);
}

static bool
is_ours(const struct nwf_change *change)
{
    nwf_owner owner = nwf_owner_of(change->flow->cookie);

    return owner != NWF_OWNER_FOREIGN && owner != NWF_OWNER_PENDING;
}

/* As ovs-ofctl diff-flows: '-' what only the image has, '+' what only was computed now. */
static int
compare(const struct nwf_image *image, const struct nwf_flow_set *desired, struct ds *s)
{
    struct nwf_changes changes;
    int n = 0;

    nwf_flow_diff(&image->flows, desired, &changes);
    nwf_vec_foreach (change, &changes) {
        if (is_ours(change)) {
            ds_put_char(s, change->kind == NWF_CHANGE_DELETE ? '-' : '+');
            nwf_flow_format(change->flow, s);
            ds_put_char(s, '\n');
            n++;
        }
    }
    nwf_vec_clear(&changes);
    return n;
}

int
nwf_keeper_recompute(const struct nwf_keeper *k, struct ds *s, struct nwf_error *err)
{
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_flow_set desired CLEANUP(nwf_flow_set_finish);
    uint8_t *zones CLEANUP_FREE = nwf_memdup(k->host_zones, sizeof k->host_zones);
    int r;

    nwf_plan_init(&plan, k->plan.name);
    nwf_flow_set_init(&desired);
    plan.zones = zones;
    if (!(r = compute_from_scratch(k, &plan, err))) {
        nwf_flow_set_finish(&desired);
        nwf_plan_merge_parts(&plan, &desired);
        ds_put_format(s, "%s: %zu flows computed from scratch, %zu in the image\n", plan.name,
                      nwf_flow_set_count(&desired), nwf_flow_set_count(&k->image.flows));
        r = compare(&k->image, &desired, s);
    }
    return r;
}
