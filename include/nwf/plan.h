/* SPDX-License-Identifier: Apache-2.0
 *
 * A bridge's plan: its ports as they are to be, and from them its flows, owner by owner.
 *
 * A plan lives as long as its bridge is looked after.  A change of a port's config makes that
 * port dirty; nwf_plan_compute() computes what is dirty, and what all ports share if what that
 * knows of a port has changed.  The result is the same as that of a plan made from scratch. */
#ifndef NWF_PLAN_H
#define NWF_PLAN_H

#include "nwf/compile.h"
#include "nwf/host.h"
#include "nwf/image.h"
#include "nwf/ovsdb.h"
#include "nwf/pipeline.h"
#include "nwf/policies.h"
#include "nwf/port.h"
#include "nwf/routed.h"
#include "nwf/store.h"

/* ---- Owners. ---- */

/* Below these: ports, by their OpenFlow numbers. */
#define NWF_OWNER_SHARED 0x10000  /* What connects the ports: ways in, deliveries, floods. */
#define NWF_OWNER_FIXED 0x10001   /* The pipeline. */
#define NWF_OWNER_PENDING 0x10002 /* The mark that cached flows may be old. */
#define NWF_OWNER_UPLINK 0x10004  /* What flows that route know of the host and its gateways. */
#define NWF_OWNER_FOREIGN 0x10003 /* Somebody else: none of our flows. */

/* Whose the flow with this cookie is. */
nwf_owner nwf_owner_of(uint64_t cookie);

/* ---- Ports. ---- */

struct nwf_plan_port {
    /* Looked at for every port in each pass, and so together. */
    enum nwf_port_role role; /* What came of it. */
    bool dirty;              /* To be computed. */
    bool changed;            /* Flows of its own are to be changed. */
    bool has_report;         /* Something is to be said of it, or may be. */
    bool is_seen;            /* Of nwf_plan_update(). */
    bool is_duplicate;       /* Another port has its number. */
    bool is_excess;          /* Large guests have more flows together than they may. */
    bool new_zone;           /* Another one used 'zone', or may have. */
    bool reroute;            /* What the host's kernel is to have for it may be something else. */
    bool has_routes;         /* The kernel has been asked for some. */
    uint16_t zone;           /* Of conntrack; 0: none. */
    struct nwf_guest_size size;
    uint32_t n_wanted; /* Flows that its filter needs, in force or not. */

    struct nwf_port_config config;
    struct nwf_port_notes notes;
    struct uuid uuid, port_uuid; /* Of its Interface and its Port. */

    struct nwf_error mac_error;   /* Why 'facts.macs' are not known. */
    struct nwf_error claim;       /* Its address is another's. */
    struct nwf_error route_claim; /* The same of an IP address that is routed to it. */
    struct nwf_error refusal;     /* The switch does not take its flows. */
    struct nwf_error failure;     /* Why it is quarantined. */
    struct nwf_error unrouted;    /* It is enforced, and not reached. */
    struct nwf_error foreign;     /* A flow of others lets frames past its filter. */
    struct nwf_error flooding;    /* Some floods do not reach it. */
    struct nwf_error stale;       /* Its rows change faster than they can be put in force. */
    struct nwf_error unlimited;   /* Its limits cannot be had. */
    struct nwf_error outdated; /* Its filter's definition is one from before: the new is broken. */

    struct nwf_addresses addresses; /* IP addresses and subnets, in the binding's order. */
    struct nwf_port facts;          /* What other ports' flows are to know of it, */
    struct nwf_port known;          /* and what they do know. */
};

/* Why the port is not what its owner expects; .text is NULL if it is. */
const struct nwf_error *nwf_plan_port_error(const struct nwf_plan_port *port);

/* Whether all there is to say of the port, a guest's, is that some floods do not reach it. */
bool nwf_plan_is_unreached(const struct nwf_plan_port *port);

/* ---- Plans. ---- */

/* Which ports the switch delivers an address to now. */
struct nwf_holder {
    struct nwf_mac mac;
    uint16_t ofport;
    int vid; /* In this VLAN; negative: in all that the port has. */
};

struct nwf_holders {
    struct nwf_holder *data;
    size_t n, allocated;
};

/* Flows that any guest may have, addresses counted; and those that all guests of a bridge
 * with more may have together, so that some cannot take the memory for all. */
#define NWF_FLOWS_FREE 2048
#define NWF_FLOWS_LARGE_MAX 131072

/* A row of the database that has been read. */
struct nwf_plan_row {
    struct uuid uuid; /* Of the Interface. */
    unsigned int seqno;
    struct nwf_plan_port *port;
};

/* An owner's flows, computed. */
struct nwf_part {
    nwf_owner owner;
    bool is_compared; /* With those of plan->installed. */
    struct nwf_flow_set flows;
};

struct nwf_plan {
    char *name;
    struct nwf_bridge bridge; /* Settings; it has ports while what they share is computed. */
    NWF_VEC(struct nwf_plan_port *) ports; /* In the order of their numbers. */
    NWF_VEC(struct nwf_plan_row) rows;     /* In the order in which the database has them. */
    bool mcast_snooping, spanning_tree;
    struct nwf_addresses isolated;   /* Of isolated guests, where the host routes. */
    struct nwf_routed_config routed; /* What its tags say of guests' way to the network. */
    struct nwf_routing routing;      /* If flows route, what they know. */
    const char *normal_why;          /* What of the bridge's needs NORMAL; NULL: nothing. */
    struct nwf_error unguarded;      /* Why a guard does not hold. */
    bool is_userspace;               /* The bridge is on the userspace datapath. */
    const struct nwf_host *host;     /* What the host is like; the caller's; NULL: not known. */
    struct nwf_error host_error;     /* Why it is not as routed guests need it. */
    char *host_note;                 /* What settings of its kernel were before us; or NULL. */
    char *host_advice;               /* What its operator is to look at; NULL: nothing. */
    bool has_lost_ports;             /* Some are there no more since this was last false. */
    char *status;                    /* What the database says of the bridge; NULL: nothing. */
    char *datapath;                  /* The one that the bridge is on, as ovs-dpctl(8) names it. */
    char *no_limits;                 /* Why zones have no limits; NULL: they have. */
    char *no_meters; /* Why guests have no limits; NULL: they have those that they are to have. */
    char *settings;  /* All that is the bridge's own, as it was read. */

    bool all_dirty, claims_dirty, shared_dirty, fixed_dirty, uplink_dirty;
    NWF_VEC(nwf_owner) gone;    /* Owners that are no port's any more. */
    struct nwf_guest_size most; /* Tables that guests need. */
    struct nwf_holders holders;
    uint8_t *zones;     /* By number: how many ports of the host use it; the caller's. */
    uint32_t zone_base; /* See NWF_ZONE_FIRST. */

    /* What nwf_plan_compute() has computed; and what turns the installed flows into that.  Parts
     * that are installed as they are have no flows, so that those of a large bridge are not there
     * twice. */
    const struct nwf_image *installed; /* The caller's; NULL: nothing is compared. */
    NWF_VEC(struct nwf_part *) parts;
    struct nwf_changes deletions, rest;
};

void nwf_plan_init(struct nwf_plan *plan, const char *name);
void nwf_plan_finish(struct nwf_plan *plan);

/* Why the bridge as a whole is not what its owner expects; .text is NULL if it is. */
const struct nwf_error *nwf_plan_error(const struct nwf_plan *plan);

/* Adds a port, dirty; *config is taken.  Ports are in order after nwf_plan_sort(). */
struct nwf_plan_port *nwf_plan_add_port(struct nwf_plan *plan, struct nwf_port_config *config);
void nwf_plan_sort(struct nwf_plan *plan);

/* The port of this name, or NULL. */
struct nwf_plan_port *nwf_plan_find_port(const struct nwf_plan *plan, const char *name);

/* What a plan is made with. */
struct nwf_sources {
    struct nwf_store *store;
    const struct nwf_policies *policies; /* NULL: there are no files. */
};

/* Brings the ports' config to what the database says of 'bridge' (nwf_ovsdb_find_bridge()) now;
 * what has changed becomes dirty.  With 'all' every row is read, as is needed when the sources
 * have changed. */
void nwf_plan_update(struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge,
                     const struct nwf_sources *sources, bool all);

/* Whether flows route to the provider's network. */
static inline bool
nwf_plan_routes(const struct nwf_plan *plan)
{
    return plan->routed.is_routed && plan->routed.via == NWF_VIA_FLOWS && !plan->routed.error.text;
}

/* What is known now, if flows route on this bridge; *routing is taken. */
void nwf_plan_set_routing(struct nwf_plan *plan, struct nwf_routing *routing);

/* Everything is to be computed. */
void nwf_plan_dirty_all(struct nwf_plan *plan);
/* Its flows on the switch are not what they were any more. */
void nwf_plan_dirty_owner(struct nwf_plan *plan, nwf_owner owner);
bool nwf_plan_is_dirty(const struct nwf_plan *plan);

/* Computes what is dirty into plan->parts, in the place of those that are there.  A guest whose
 * filter fails, or whose address is another's, is quarantined and says why; only a broken
 * installation makes the whole fail.  plan->holders says who has an address now. */
int nwf_plan_compute(struct nwf_plan *plan, const struct nwf_sources *sources,
                     struct nwf_error *err);
void nwf_plan_clear_parts(struct nwf_plan *plan);

/* All parts in one set, as a plan made from scratch has them. */
void nwf_plan_merge_parts(struct nwf_plan *plan, struct nwf_flow_set *ret);

/* Quarantines a guest whose filter the switch does not take. */
void nwf_plan_refuse(struct nwf_plan *plan, struct nwf_plan_port *port, const char *cause);

/* Conntrack zones are the host's, not a bridge's.  Ports come by theirs by their number, in
 * the upper half, which other users of conntrack seldom reach, unless that zone is taken;
 * OVSDB keeps it for them (NWF_TAG_ZONE).  On a host with several managed bridges the name
 * of theirs counts too, so that equal numbers prefer different zones: flows of a port that
 * has just gone, with its tag, use its zone until the next sync. */
#define NWF_ZONE_FIRST 0x8000

/* Connections that a zone may hold: the table is one for all guests of the host. */
#define NWF_ZONE_LIMIT 65536u

/* Instantiates and compiles one binding for nothing but its errors. */
int nwf_plan_check_binding(const struct nwf_binding *binding, struct nwf_store *store,
                           struct nwf_error *err);

/* Whether the port's own tags, or a policy file, bind a filter to it. */
bool nwf_is_bound(const struct nwf_ovs_port *port, const struct nwf_sources *sources);

#endif
