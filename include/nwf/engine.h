/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine: a bridge's tags in, its flows out, and those onto the switch.  "sync"
 * and everything else that enforces a policy go through here. */
#ifndef NWF_ENGINE_H
#define NWF_ENGINE_H

#include <errno.h>

#include "nwf/binding.h"
#include "nwf/compile.h"
#include "nwf/ovsdb.h"
#include "nwf/policies.h"
#include "nwf/stamp.h"
#include "nwf/store.h"

/* A port as its source describes it. */
struct nwf_plan_port {
    char *name;
    uint16_t ofport; /* 0: has none. */
    struct nwf_vlan vlan;
    enum nwf_port_role role;
    NWF_VEC(uint16_t) bond; /* As in struct nwf_port. */
    struct nwf_binding binding;
    struct nwf_error error;      /* Why it is quarantined, or a guest not 'active'. */
    struct uuid uuid, port_uuid; /* Of its Interface and its Port. */
    struct nwf_digest input;     /* Of what the plan was made from. */
    char *old_status;            /* What OVSDB says, may be NULL. */
    char *old_installed, *old_zone, *old_no_flood; /* The same of what we have noted. */
    char *old_trees[NWF_N_TREES], *old_tree_notes[NWF_N_TREES];
    uint16_t zone;          /* Of conntrack; 0: none. */
    bool new_zone;          /* Another one used it, or may have. */
    bool changed;           /* Flows of its own are to be changed. */
    bool is_mirror_output;  /* Trusted, and without flows. */
    bool stale;             /* Somebody has changed its rows since they were read. */
    bool unchanged;         /* Its filter's flows are on the switch, and not in the plan's set. */
    struct nwf_stamp stamp; /* If a guest. */
};

/* Stamps as they are on a switch, ordered by port. */
struct nwf_port_stamp {
    uint16_t ofport;
    struct nwf_stamp stamp;
};

struct nwf_port_stamps {
    struct nwf_port_stamp *data;
    size_t n, allocated;
};

/* Which ports the switch delivers an address to now. */
struct nwf_holder {
    struct nwf_mac mac;
    uint16_t ofport;
};

struct nwf_holders {
    struct nwf_holder *data;
    size_t n, allocated;
};

/* Flows that any guest may have, addresses counted; and those that all guests of a bridge
 * with more may have together, so that some cannot take the memory for all. */
#define NWF_FLOWS_FREE 2048
#define NWF_FLOWS_LARGE_MAX 131072

/* What a bridge's flows should be. */
struct nwf_plan {
    char *name;
    const struct nwf_policies *policies; /* The caller's, in files; NULL: there are none. */
    struct nwf_bridge bridge;            /* Settings in, compiled ports out. */
    struct {
        struct nwf_plan_port *data;
        size_t n, allocated;
    } ports;
    struct nwf_flow_set flows;
    struct nwf_macs own_macs; /* The host's, on this bridge. */
    struct nwf_holders holders;
    bool mcast_snooping, spanning_tree, userspace;
    char *datapath;     /* The one that the bridge is on, as ovs-dpctl(8) names it. */
    char *no_limits;    /* Why zones have no limits; NULL: they have. */
    uint8_t *zones;     /* By number: how many ports of the host use it. */
    uint32_t zone_base; /* See NWF_ZONE_FIRST. */
};

void nwf_plan_init(struct nwf_plan *plan, const char *name);
void nwf_plan_finish(struct nwf_plan *plan);

/* Adds a port; what 'binding' holds is taken.  The role is the given one until
 * nwf_plan_compute() finds that a guest cannot be one. */
struct nwf_plan_port *nwf_plan_add_port(struct nwf_plan *plan, const char *name, uint16_t ofport,
                                        enum nwf_port_role role, struct nwf_binding *binding);

/* Fills *plan with the ports of 'bridge' and the roles that their tags, or plan->policies,
 * give them. */
void nwf_plan_read(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge,
                   struct nwf_store *store);

/* Quarantines guests that claim an address which is another's; see nwf/claims.h. */
void nwf_plan_settle_addresses(struct nwf_plan *plan);

/* Quarantines a guest whose filter the switch does not take.  The plan is to be computed
 * again. */
void nwf_plan_refuse(struct nwf_plan_port *port, const char *cause);

/* Computes the flows, in the place of those that are there.  A guest whose filter fails, or
 * whose address is another's, is quarantined and says why in its 'error'; only a broken
 * installation makes the whole fail.  plan->holders says who has an address now.  Guests that
 * have their stamp in 'installed' (may be NULL) are not compiled again: they become
 * 'unchanged'. */
int nwf_plan_compute(struct nwf_plan *plan, struct nwf_store *store,
                     const struct nwf_port_stamps *installed, struct nwf_error *err);

/* Whether all there is to say of the port, a guest's, is that some floods do not reach it. */
bool nwf_plan_is_unreached(const struct nwf_plan_port *port);

/* Computes what is the plan's first port's own: its way in and its filter.  Deliveries,
 * floods and the like are left out. */
void nwf_plan_compute_port(struct nwf_plan *plan, struct nwf_store *store);

/* Conntrack zones are the host's, not a bridge's.  Ports come by theirs by their number, in
 * the upper half, which other users of conntrack seldom reach, unless that zone is taken;
 * OVSDB keeps it for them (NWF_TAG_ZONE).  On a host with several managed bridges the name
 * of theirs counts too, so that equal numbers prefer different zones: flows of a port that
 * has just gone, with its tag, use its zone until the next sync. */
#define NWF_ZONE_FIRST 0x8000

/* Connections that a zone may hold: the table is one for all guests of the host. */
#define NWF_ZONE_LIMIT 65536u

/* Removes limits of zones that 'zones' does not count (nwf_ovsdb_count_zones()) from the datapath
 * of this type. */
int nwf_zone_limits_free(const char *datapath_type, const uint8_t zones[0x10000],
                         unsigned int timeout_ms, struct nwf_error *err);

/* Instantiates and compiles one binding for nothing but its errors. */
int nwf_plan_check_binding(const struct nwf_binding *binding, struct nwf_store *store,
                           struct nwf_error *err);

/* The MAC variable's values as addresses. */
int nwf_plan_macs(const struct nwf_binding *binding, struct nwf_macs *ret, struct nwf_error *err);

/* Called with each step that the switch is away from the plan. */
typedef void nwf_sync_report_fn(const struct nwf_change *change);

struct nwf_sync_options {
    unsigned int timeout_ms;
    uint32_t versions; /* OpenFlow's, a bitmap. */
    bool dry_run;
    bool full;                  /* Compare every flow, also of ports that seem unchanged. */
    bool may_repeat;            /* What changes meanwhile is left to another call. */
    nwf_sync_report_fn *report; /* May be NULL. */
};

struct nwf_sync_result {
    size_t n_added, n_replaced, n_deleted, n_flows;
};

/* The switch refuses flows that are guests' own, and nothing has changed. */
#define NWF_REFUSED (-EBADRQC)

/* Computes 'plan' (which has been read from 'bridge'), brings the bridge's switch to
 * it, and says in OVSDB how each port fares.  Returns 0 when the plan is in force,
 * cached datapath flows included.  In a dry run nothing is changed anywhere.
 *
 * Ports whose rows somebody has changed meanwhile are not called active.  With
 * options->may_repeat that is -EAGAIN, and the bridge is to be read and synchronised again;
 * otherwise it is those ports' error.
 *
 * A guest whose flows the switch refuses is quarantined, as one whose filter fails.  That
 * takes a try more, for all that the switch refuses at once.
 *
 * Unless options->full, the work is in proportion to what has changed: of guests whose
 * stamps say that their tags, filters and port are as they were, flows are counted and
 * not compared.  A count that is off makes the run a full one. */
int nwf_sync_bridge(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                    struct nwf_store *store, struct nwf_plan *plan,
                    const struct nwf_sync_options *options, struct nwf_sync_result *ret,
                    struct nwf_error *err);

/* The same for one port, at a cost that does not grow with the number of others.  'db' is
 * the port's (nwf_ovsdb_open_port()), 'bridge' what nwf_ovsdb_port_bridge() says, and
 * 'plan' has been read from it.  Only the port's own flows are looked at, all of them.
 *
 * That is enough for a guest that the switch knows already, if nothing that other ports'
 * flows know of it has changed, as when it gets another address or filter.  Otherwise
 * *ret_done is false, nothing was changed, and the bridge needs nwf_sync_bridge().  So it does
 * for the port to be quarantined where this returns NWF_REFUSED. */
int nwf_sync_port(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                  struct nwf_store *store, struct nwf_plan *plan,
                  const struct nwf_sync_options *options, struct nwf_sync_result *ret,
                  bool *ret_done, struct nwf_error *err);

/* The status of a guest on a bridge that nobody manages; %s is the bridge. */
#define NWF_STATUS_UNMANAGED "error: bridge %s is not managed, so it is not filtered"

/* Whom nwf_sync_unmanaged() tells. */
struct nwf_unfiltered {
    void (*each)(const char *port, const char *bridge, void *aux); /* For each guest. */
    void *aux;
    bool dry_run; /* Nothing is written. */
};

/* Guests on bridges that are not managed get a status that says so.  Other ports there lose the
 * status that they have from a managed one. */
int nwf_sync_unmanaged(struct nwf_ovsdb *db, struct nwf_store *store,
                       const struct nwf_policies *policies, const struct nwf_unfiltered *unfiltered,
                       struct nwf_error *err);

/* Removes all that is ours from the bridge's switch.  If fail_mode stays "secure", a flow
 * with the NORMAL action takes the place of our table 0, unless something else is there. */
int nwf_sync_remove(const struct nwf_ovs_bridge *bridge, const struct nwf_sync_options *options,
                    struct nwf_error *err);

#endif
