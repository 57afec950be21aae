/* SPDX-License-Identifier: Apache-2.0
 *
 * What flows rely on, before those flows (conntrack zones and whose they are, settings, what
 * NORMAL does); and what is left of the tables before them, behind. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "keeper.h"
#include "nwf/text.h"
#include "openvswitch/ofp-util.h"

bool
nwf_is_no_flood(const struct nwf_plan *plan, const struct nwf_plan_port *port)
{
    return plan->bridge.use_normal && port->config.ofport && port->role != NWF_TRUSTED;
}

/* A port that we have excluded from floods, and that is trusted now.  (Where NORMAL is not
 * used any more, the setting does no harm.) */
bool
nwf_may_flood_again(const struct nwf_plan *plan, const struct nwf_plan_port *port)
{
    return plan->bridge.use_normal && port->config.ofport && port->notes.no_flood
           && !nwf_is_no_flood(plan, port);
}

/* Deletes the cached flows, but for those that a revalidator looks at in this moment: see
 * nwf_vswitchd_flush_cache().  Waiting for the revalidators ("revalidator/wait") would spare the
 * caches of other bridges, but it ends with a round that may have begun before the change, takes
 * up to half a second where nothing else happens, and fails on a host with two types of
 * datapath. */
static int
expire_cache(struct nwf_keeper *k, struct nwf_error *err)
{
    return nwf_keeper_call(k, "revalidator/purge", NULL, 0, NULL, err);
}

/* ---- Zones. ---- */

/* A zone may hold connections of the one that had it before.  Which zones are new a run that did
 * not come to its end has not told.  0: there is nothing to do. */
static int
begin_zones(struct nwf_keeper *k)
{
    k->zones.n = 0;
    nwf_vec_foreach (port, &k->plan.ports) {
        if ((*port)->new_zone || (k->has_mark && (*port)->zone)) {
            nwf_vec_push(&k->zones, (*port)->zone);
        }
    }
    if (k->zones.n) {
        nwf_conn_flush_zones(k->conn, k->zones.data, k->zones.n);
    }
    return (int) k->zones.n;
}

/* ---- PREPARE. ---- */

/* The connection that floods are set over has to be possible before anything is changed. */
static int
connect_for_floods(struct nwf_keeper *k, struct nwf_error *err)
{
    if (!k->flood_conn) {
        k->flood_conn = nwf_conn_new(k->plan.name, 1u << OFP10_VERSION, k->options->timeout_ms);
    }
    return nwf_conn_run(k->flood_conn, err);
}

/* Whether what NORMAL does has to be looked after in this pass. */
static bool
is_about_normal(const struct nwf_keeper *k)
{
    return k->plan.bridge.use_normal && (k->is_fresh || k->changes.n);
}

int
nwf_keeper_prepare(struct nwf_keeper *k, struct nwf_error *err)
{
    int r;

    if (k->phase == 0) {
        if (is_about_normal(k) && (r = connect_for_floods(k, err))) {
            return r;
        }
        k->phase += begin_zones(k) ? 1 : 2;
    }
    if (k->phase == 1) {
        if ((r = nwf_keeper_run_conn(k, err))) {
            return r;
        }
        k->phase++;
    }
    if (k->phase == 2) {
        k->phase += nwf_keeper_begin_meters(k) ? 1 : 2;
    }
    return k->phase == 3 ? nwf_keeper_run_meters(k, err) : 0;
}

/* ---- RESTRAIN: what NORMAL would do behind the flows' back. ---- */

enum { RESTRAIN_LIMITS, RESTRAIN_FLOODS, RESTRAIN_STATIC, RESTRAIN_CACHE, RESTRAIN_DONE };

static int
exclude_from_floods(struct nwf_keeper *k, struct nwf_error *err)
{
    int r;

    if (!k->flood_wanted) {
        k->flood_wanted = nwf_zalloc(0x10000 * sizeof *k->flood_wanted);
        nwf_vec_foreach (port, &k->plan.ports) {
            if (nwf_is_no_flood(&k->plan, *port)) {
                k->flood_wanted[(*port)->config.ofport] = NWF_NO_FLOOD_SET;
            } else if (nwf_may_flood_again(&k->plan, *port)) {
                k->flood_wanted[(*port)->config.ofport] = NWF_NO_FLOOD_CLEAR;
            }
        }
        nwf_conn_set_no_flood(k->flood_conn, k->flood_wanted);
    }
    r = nwf_conn_run(k->flood_conn, err);
    if (r != -EAGAIN) {
        nwf_conn_free(TAKE_PTR(k->flood_conn));
        free(TAKE_PTR(k->flood_wanted));
    }
    return r;
}

static int
restrain_step(struct nwf_keeper *k, struct nwf_error *err)
{
    switch (k->phase) {
    case RESTRAIN_LIMITS:
        return nwf_keeper_limit_zones(k, err);
    case RESTRAIN_FLOODS:
        return k->flood_conn ? exclude_from_floods(k, err) : 0;
    case RESTRAIN_STATIC:
        return is_about_normal(k) ? nwf_keeper_remove_static(k, err) : 0;
    default:
        return k->any_static ? expire_cache(k, err) : 0;
    }
}

int
nwf_keeper_restrain(struct nwf_keeper *k, struct nwf_error *err)
{
    int r;

    for (; k->phase < RESTRAIN_DONE; k->phase++) {
        if ((r = restrain_step(k, err))) {
            return r;
        }
    }
    return 0;
}

/* ---- EXPIRE. ---- */

enum {
    EXPIRE_CACHE,
    EXPIRE_SKIPPED,
    EXPIRE_FDB,
    EXPIRE_MDB,
    EXPIRE_TAUGHT,
    EXPIRE_ZONES,
    EXPIRE_END,
    EXPIRE_DONE
};

/* Frames that NORMAL learned on a port while it was no guest's would still be
 * delivered there, past its filter.  A cached flow that goes may teach for a last time; one that
 * comes of what was learned then goes too. */
static int
expire_step(struct nwf_keeper *k, struct nwf_error *err)
{
    const char *const name = k->plan.name;
    bool normal = k->plan.bridge.use_normal;

    switch (k->phase) {
    case EXPIRE_CACHE:
    case EXPIRE_SKIPPED: /* What the first one left out. */
        return expire_cache(k, err);
    case EXPIRE_FDB:
        return normal ? nwf_keeper_call(k, "fdb/flush", &name, 1, NULL, err) : 0;
    case EXPIRE_MDB:
        return normal && k->plan.mcast_snooping
                   ? nwf_keeper_call(k, "mdb/flush", &name, 1, NULL, err)
                   : 0;
    case EXPIRE_TAUGHT:
        return normal ? expire_cache(k, err) : 0;
    case EXPIRE_ZONES: /* Also of what came since then. */
        (void) begin_zones(k);
        return 0;
    default:
        return nwf_keeper_run_conn(k, err);
    }
}

/* Should the switch not do it, the guests' status says so. */
static int
note_doubt(struct nwf_keeper *k, struct nwf_error *err)
{
    if (k->phase < EXPIRE_ZONES) {
        nwf_error_wrap(err, "cached flows of the old policy may be left");
    }
    k->doubt = *err;
    *err = NWF_ERROR_INIT;
    return 0;
}

static void
forget_silenced(struct nwf_keeper *k)
{
    nwf_vec_foreach (flows, &k->silenced) {
        nwf_conn_post_delete(k->conn, flows->cookie, flows->mask);
    }
    k->silenced.n = 0;
}

/* Should the switch not do it, the next run makes cached flows go once more. */
static void
remove_mark(struct nwf_keeper *k)
{
    const struct ovs_list *marks = nwf_image_flows(&k->image, NWF_OWNER_PENDING);

    if (marks) {
        nwf_conn_post_delete(k->conn, NWF_PENDING, UINT64_MAX);
        nwf_image_remove(&k->image, CONTAINER_OF(ovs_list_front(marks), struct nwf_flow, owned),
                         NULL);
    }
}

int
nwf_keeper_expire(struct nwf_keeper *k, struct nwf_error *err)
{
    int r;

    for (; k->changes.n && k->phase < EXPIRE_DONE; k->phase++) {
        if ((r = expire_step(k, err))) {
            return r == -EAGAIN ? r : note_doubt(k, err);
        }
    }
    if ((r = nwf_keeper_prune_meters(k, err))) {
        return r;
    }
    remove_mark(k);
    forget_silenced(k);
    return 0;
}
