/* SPDX-License-Identifier: Apache-2.0
 *
 * From a bridge's ports and their programs to its flows. */
#ifndef NWF_COMPILE_H
#define NWF_COMPILE_H

#include "nwf/flow.h"
#include "nwf/mac.h"
#include "nwf/program.h"
#include "nwf/role.h"
#include "nwf/routing.h"
#include "nwf/vlan.h"

/* Highest port number that a bridge gives to a port (OFPP_MAX of OpenFlow 1.0). */
#define NWF_OFPORT_MAX 0xfeff
#define NWF_OFPORT_LOCAL 0xfffe

/* Kinds of frames that a flood tells apart, to treat guests alike whose filters
 * agree on all frames of a kind. */
#define NWF_N_FRAME_KINDS 5

/* For a sentence, e.g. "ARP". */
const char *nwf_frame_kind_to_string(unsigned int kind);

/* What a guest's filter says of flooded frames, a value of enum nwf_uniform each,
 * as they arrive: [tagged][kind]; and how many tables such a frame may go through there,
 * up to conntrack, behind which Open vSwitch counts anew. */
enum nwf_uniform { NWF_U_MIXED, NWF_U_ACCEPT, NWF_U_DROP };
struct nwf_flood_verdicts {
    uint8_t of[2][NWF_N_FRAME_KINDS];
    uint8_t cost[NWF_N_FRAME_KINDS];
};

/* What there is to know of a guest's flows without a look at them. */
struct nwf_guest_size {
    uint32_t n_flows;                   /* Of its filter, both directions. */
    uint8_t n_stages[NWF_N_DIRECTIONS]; /* Tables that it takes. */
    uint32_t compared;                  /* Fields that are compared bit by bit, a bit each. */
};

struct nwf_stages;

/* A port of the bridge as the compiler sees it. */
struct nwf_port {
    const char *name; /* The caller's; NULL: nobody's. */
    uint16_t ofport;
    enum nwf_port_role role;
    struct nwf_vlan vlan;
    /* Trusted: the members of its bond, unless the bond's other end knows that it is
     * one (LACP). */
    NWF_VEC(uint16_t) bond;
    struct nwf_macs macs;          /* Guest: its addresses. */
    size_t own_mac;                /* Which of them is its own; see nwf/claims.h. */
    bool is_sighted;               /* Guest: it was heard, so that its own address is here. */
    uint16_t limits[NWF_N_LIMITS]; /* Guest: packets a second; 0: none. */
    bool is_isolated;              /* Guest: it gets nothing from others that are. */
    bool has_floats; /* Guest: its filter may let other addresses pass than its own; set by
                      * nwf_compile_guest(). */
    bool is_uplink; /* Trusted: the way to the provider's network, on a bridge whose flows route. */
    struct nwf_addresses addresses; /* Guest: IP addresses and subnets that are routed to it. */
    bool has_own_mac;               /* Trusted: 'host_mac' is the host's own. */
    struct nwf_mac host_mac;
    /* Trusted, on a bridge with guards, if it is guarded or its Port is a bond: the number by which
     * NWF_TABLE_GUARD knows its Port, and the NICs of that, the active one first.  Else 0. */
    uint16_t leader;
    struct nwf_nics nics;
    bool is_hashed; /* The bond's other end knows that it is one (LACP). */
    enum nwf_guarding guarding;
    uint16_t zone;                   /* Guest: of conntrack, if its program is stateful. */
    struct nwf_flood_verdicts flood; /* Guest: set by nwf_compile_guest(). */
    uint8_t unreached; /* Set by nwf_compile_bridge(): kinds of flooded frames, a bit each. */
};

struct nwf_bridge {
    bool audit;                  /* Count what would be dropped, and pass it. */
    bool forward_bpdu;           /* other_config:forward-bpdu. */
    bool use_normal;             /* Trusted ports need the NORMAL action (bonds, STP, ...). */
    bool inner_tags;             /* A tag inside of a VLAN's may be seen (vlan-limit, tunnels). */
    bool blurred_tags;           /* Cached flows may take two tags for one. */
    bool has_patch;              /* Some port leads to another bridge of the switch. */
    bool no_meters;              /* The datapath has none. */
    enum nwf_unknown unknown;    /* Who gets frames for addresses that nobody knows. */
    struct nwf_vlan_set flooded; /* VLANs where every frame is for all ports. */
    const struct nwf_routing *routing;       /* The caller's; NULL: flows do not route. */
    uint16_t mac_aging;                      /* Seconds that a learned address is kept. */
    bool has_guards;                         /* Some NIC may be guarded: never 'use_normal'. */
    const struct nwf_guard_macs *guard_macs; /* What may leave it beside its own; NULL: nothing. */
    bool is_host_routed;                     /* The host's kernel routes between guests, */
    const struct nwf_addresses *isolated;    /* of which these are isolated; NULL: none. */
    NWF_VEC(struct nwf_port) ports;          /* Ordered by ofport. */
};

/* Frees what *bridge owns. */
void nwf_bridge_finish(struct nwf_bridge *bridge);

/* Whether the verdicts are that the guest gets every frame. */
bool nwf_flood_accepts_all(const struct nwf_flood_verdicts *verdicts);

/* Whether Open vSwitch shows of frames with two tags what one direction of a filter asks for,
 * and what the filter says beforehand of those that the guest is to get. */
int nwf_guest_check_side(const struct nwf_bridge *bridge, const struct nwf_side *side,
                         const struct nwf_stages *stages, struct nwf_error *err);
int nwf_guest_check_floods(const struct nwf_bridge *bridge, const struct nwf_flood_verdicts *to_vm,
                           struct nwf_error *err);

/* Adds the flows that are one guest's own: its way in, and its filter in both directions.
 * port->flood is set here.  On error nothing was added, and the port is to be quarantined. */
int nwf_compile_guest(const struct nwf_bridge *bridge, struct nwf_port *port,
                      const struct nwf_program *program, struct nwf_guest_size *ret_size,
                      struct nwf_flow_set *flows, struct nwf_error *err);

/* Whether this is the flow by which the switch notes that it has heard the guest of port 'ofport',
 * whose own address is 'mac'.  It is another one for a guest that had the number before. */
bool nwf_is_pin(const struct nwf_flow *flow, uint16_t ofport, const struct nwf_mac *mac);

/* Adds that flow to 'flows'. */
void nwf_add_pin(uint16_t ofport, const struct nwf_mac *mac, struct nwf_flow_set *flows);

/* Adds a quarantined port's flows. */
void nwf_compile_quarantined(const struct nwf_bridge *bridge, struct nwf_port *port,
                             struct nwf_flow_set *flows);

/* Adds what connects the ports: trusted ports' ways in, delivery by address, floods.
 * Every guest has been compiled before.  Notes in 'unreached' of its port which guest
 * flooded frames of some kind do not reach, because filters that do not agree on the kind
 * have more stages than one packet's translation can visit.  Guests have room in the order
 * of their numbers, so that none loses it to one that comes later. */
void nwf_compile_bridge(struct nwf_bridge *bridge, struct nwf_flow_set *flows);

/* Adds the flows that route which are no guest's, if flows route. */
void nwf_compile_routing(const struct nwf_bridge *bridge, struct nwf_flow_set *flows);

/* Adds what is the bridge's, whatever ports it has: the pipeline's flows out of 'text'
 * (flows/pipeline.flows), those that its settings ask for, and what guests need that are as large
 * as 'most': a drop at the end of each table of stages in use, and comparisons. */
int nwf_compile_fixed(const struct nwf_bridge *bridge, const char *name, const char *text,
                      const struct nwf_guest_size *most, struct nwf_flow_set *flows,
                      struct nwf_error *err);

#endif
