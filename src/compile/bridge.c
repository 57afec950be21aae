/* SPDX-License-Identifier: Apache-2.0
 *
 * What connects a bridge's ports: trusted ports' ways in, delivery by address.
 *
 * A guest that was heard is found by its own address, never by learning, so nobody can take its
 * frames with a forged source address.  What lies behind trusted ports, and other addresses that
 * guests' filters accept, are learned into NWF_TABLE_LEARNED. */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "actions.h"
#include "compare.h"
#include "deliver.h"
#include "flood.h"
#include "group.h"
#include "guest.h"
#include "learn.h"
#include "nwf/compile.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "router.h"
#include "sighting.h"
#include "tag.h"
#include "uplink.h"

#include "lib/packets.h"

void
nwf_bridge_finish(struct nwf_bridge *bridge)
{
    nwf_vec_foreach (port, &bridge->ports) {
        nwf_vec_clear(&port->bond);
        nwf_vec_clear(&port->macs);
        nwf_vec_clear(&port->addresses);
        nwf_vec_clear(&port->nics);
        nwf_vlan_clear(&port->vlan);
    }
    nwf_vec_clear(&bridge->ports);
}

/* ---- Trusted ports. ---- */

/* Set in the addresses of frames for many (IEEE 802.3, 3.2.3). */
static const struct eth_addr group_bit = ETH_ADDR_C(01, 00, 00, 00, 00, 00);

/* What is done with every frame of a trusted port before it is forwarded; with 'learn' its sender
 * is learned. */
static void
put_arrival(const struct nwf_admission *admission, bool learn, struct ofpbuf *actions)
{
    nwf_put_admission(actions, admission);
    nwf_put_load(actions, MFF_REG0 + NWF_REG_INBOUND, 1);
    if (learn) {
        nwf_put_resubmit(actions, NWF_TABLE_LEARN);
    }
    nwf_put_outer_tag(actions, admission);
}

/* Above other arrivals. */
static uint16_t
arrival_priority(const struct nwf_admission *admission)
{
    return admission->is_blank ? 120 : 100;
}

static void
add_trusted_flow(const struct nwf_port *port, uint8_t table, uint16_t priority,
                 const struct match *match, const struct ofpbuf *actions,
                 struct nwf_flow_set *flows)
{
    nwf_flow_set_add(flows, table, priority,
                     nwf_cookie(NWF_COOKIE_TRUSTED, port->ofport, NWF_COOKIE_NO_RULE), match,
                     actions);
}

/* Frames for many that come in by a member of a bond: see flows/pipeline.flows.  Such a frame may
 * be a guest's own, which went out by another member: nothing is learned of those that are not
 * taken. */
static void
add_bond_member(const struct nwf_port *port, const struct nwf_admission *admission,
                struct nwf_flow_set *flows)
{
    NWF_ACTIONS(arrival);
    NWF_ACTIONS(taken);
    struct match match = admission->match;
    char *members CLEANUP_FREE = nwf_strdup("");

    nwf_vec_foreach (member, &port->bond) {
        char *old CLEANUP_FREE = members;
        members = nwf_asprintf("%s,%u", old, *member);
    }
    put_arrival(admission, false, &arrival);
    nwf_put_text(&arrival,
                 "bundle_load(eth_src,0,active_backup,ofport,NXM_NX_REG5[0..15],members:%s)",
                 members + 1);
    nwf_put_goto(&arrival, NWF_TABLE_BOND);
    match_set_dl_dst_masked(&match, group_bit, group_bit);
    add_trusted_flow(port, NWF_TABLE_CLASSIFY, arrival_priority(admission) + 10, &match, &arrival,
                     flows);

    match_init_catchall(&match);
    match_set_in_port(&match, OFP_PORT_C(port->ofport));
    match_set_reg_masked(&match, 5, port->ofport, 0xffff);
    nwf_put_resubmit(&taken, NWF_TABLE_LEARN);
    nwf_put_resubmit(&taken, NWF_TABLE_BEHIND);
    add_trusted_flow(port, NWF_TABLE_BOND, 100, &match, &taken, flows);
}

static void
add_trusted_in(const struct nwf_bridge *bridge, const struct nwf_port *port,
               struct nwf_flow_set *flows)
{
    bool is_router = bridge->is_host_routed && port->ofport == NWF_OFPORT_LOCAL;
    struct nwf_admissions list;

    nwf_vlan_admissions(&port->vlan, &list);
    nwf_vec_foreach (admission, &list) {
        NWF_ACTIONS(actions);

        match_set_in_port(&admission->match, OFP_PORT_C(port->ofport));
        put_arrival(admission, true, &actions);
        if (is_router) {
            nwf_add_routed_arrivals(bridge, port, &admission->match, &actions,
                                    arrival_priority(admission), flows);
        }
        nwf_put_goto(&actions, NWF_TABLE_BEHIND);
        add_trusted_flow(port, NWF_TABLE_CLASSIFY, arrival_priority(admission), &admission->match,
                         &actions, flows);
        if (port->bond.n) {
            add_bond_member(port, admission, flows);
        }
    }
    nwf_vec_clear(&list);
}

/* Forwarding by NORMAL, guests apart.  A guest's frame enters it as from nowhere:
 * NORMAL would learn the sender's address on the guest's port and from then on
 * deliver to it past the guest's filter. */
static void
add_normal(struct nwf_flow_set *flows)
{
    NWF_ACTIONS(trusted);
    NWF_ACTIONS(guest);
    uint64_t cookie = nwf_cookie(NWF_COOKIE_TRUSTED, 0, NWF_COOKIE_NO_RULE);
    struct match match;

    match_init_catchall(&match);
    match_set_reg(&match, 4, 1);
    nwf_put_text(&trusted, "NORMAL");
    nwf_flow_set_add(flows, NWF_TABLE_NORMAL, 100, cookie, &match, &trusted);

    match_init_catchall(&match);
    match_set_reg(&match, 4, 0);
    nwf_put_restore_tag(&guest);
    nwf_put_from_nowhere(&guest);
    nwf_put_text(&guest, "NORMAL");
    nwf_flow_set_add(flows, NWF_TABLE_NORMAL, 100, cookie, &match, &guest);

    /* NORMAL takes a priority tag that names no priority off, and another one comes to light,
     * or an IP packet: another frame than the guest's filter has seen. */
    match_set_reg_masked(&match, 1, 0x1000, 0xffff);
    nwf_flow_set_add(flows, NWF_TABLE_NORMAL, 110, cookie, &match, NULL);
}

/* NORMAL puts a tunnel's frames into its VLAN itself. */
static void
add_tunnel_normal(const struct nwf_port *port, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    match_set_in_port(&match, OFP_PORT_C(port->ofport));
    match_set_dl_tci_masked(&match, htons(0x1000), htons(0x1000));
    nwf_put_text(&actions, "pop_vlan,NORMAL");
    add_trusted_flow(port, NWF_TABLE_NORMAL, 120, &match, &actions, flows);
}

/* A known address behind a trusted port, where NORMAL forwards. */
static void
add_known_normal(const struct nwf_port *port, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    match_set_reg_masked(&match, NWF_REG_KNOWN, port->ofport, 0xffff);
    nwf_put_resubmit(&actions, NWF_TABLE_NORMAL);
    nwf_flow_set_add(flows, NWF_TABLE_KNOWN, NWF_PRIORITY_KNOWN,
                     nwf_cookie(NWF_COOKIE_TRUSTED, port->ofport, NWF_COOKIE_NO_RULE), &match,
                     &actions);
}

/* ---- The bridge. ---- */

/* A tag came off, and Open vSwitch does not show the one behind it, by other_config:vlan-limit.
 * The guest's kernel does, and takes what is inside of a priority tag for a frame without one,
 * past the filter's rules.  So no guest gets such a frame, unless it gets all. */
static void
add_hidden_tags(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    static const uint16_t types[] = {ETH_TYPE_VLAN_8021Q, ETH_TYPE_VLAN_8021AD};
    NWF_ACTIONS(actions);

    if (bridge->audit) {
        nwf_put_output_receiver(&actions);
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct match match;

        match_init_catchall(&match);
        match_set_dl_tci_masked(&match, htons(0), htons(0x1000));
        match_set_dl_type(&match, htons(types[i]));
        nwf_flow_set_add(flows, NWF_TABLE_TO_VM, NWF_PRIORITY_HIDDEN_TAG,
                         nwf_cookie(NWF_COOKIE_FIXED, 0, NWF_COOKIE_NO_RULE), &match, &actions);
    }
}

/* In these VLANs NORMAL does not learn, and looks for nobody (flood_vlans). */
static void
add_flooded_vlans(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    for (uint16_t vid = 0; vid < NWF_N_VLANS; vid++) {
        if (nwf_vlan_set_has(&bridge->flooded, vid)) {
            NWF_ACTIONS(actions);
            struct match match;

            match_init_catchall(&match);
            nwf_match_vlan(&match, vid);
            nwf_put_goto(&actions, NWF_TABLE_FLOOD);
            nwf_flow_set_add(flows, NWF_TABLE_FORWARD, 350,
                             nwf_cookie(NWF_COOKIE_FLOOD, 0, NWF_COOKIE_NO_RULE), &match, &actions);
        }
    }
}

/* In audit mode a port that nobody has looked at yet passes too.  What VLANs keep out
 * of a known one stays out: no filter would have dropped it. */
static void
add_unknown_port(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    nwf_vec_foreach (port, &bridge->ports) {
        if (port->role == NWF_TRUSTED) {
            nwf_add_unadmitted(port, NWF_COOKIE_TRUSTED, flows);
        }
    }
    match_init_catchall(&match);
    nwf_put_save_tag(&actions);
    nwf_put_goto(&actions, NWF_TABLE_BEHIND);
    nwf_flow_set_add(flows, NWF_TABLE_CLASSIFY, 10,
                     nwf_cookie(NWF_COOKIE_QUARANTINE, 0, NWF_COOKIE_NO_RULE), &match, &actions);
}

void
nwf_compile_bridge(struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    nwf_vec_foreach (port, &bridge->ports) {
        if (port->role == NWF_TRUSTED) {
            add_trusted_in(bridge, port, flows);
            if (port->vlan.mode == NWF_VLAN_TUNNEL) {
                add_tunnel_normal(port, flows);
            }
            if (bridge->use_normal) {
                add_known_normal(port, flows);
            } else {
                nwf_add_known(port, NWF_COOKIE_TRUSTED, flows);
            }
        }
    }
    if (bridge->use_normal) {
        add_normal(flows);
    }
    nwf_compile_learning(bridge, flows);
    if (bridge->audit) {
        add_unknown_port(bridge, flows);
    }
    add_flooded_vlans(bridge, flows);
    nwf_compile_host_addresses(bridge, flows);
    nwf_compile_deliveries(bridge, flows);
    if (bridge->has_guards) {
        nwf_compile_guards(bridge, flows);
    }
    nwf_compile_floods(bridge, flows);
}

/* ---- Fixed flows. ---- */

static void
add_table_end(uint8_t table, struct nwf_flow_set *flows)
{
    struct match match;

    match_init_catchall(&match);
    nwf_flow_set_add(flows, table, 0, nwf_cookie(NWF_COOKIE_FIXED, 0, NWF_COOKIE_NO_RULE), &match,
                     NULL);
}

int
nwf_compile_fixed(const struct nwf_bridge *bridge, const char *name, const char *text,
                  const struct nwf_guest_size *most, struct nwf_flow_set *flows,
                  struct nwf_error *err)
{
    add_hidden_tags(bridge, flows);
    nwf_compile_groups(bridge, flows);
    nwf_compile_comparisons(most->compared | (bridge->has_guards ? nwf_guard_compares() : 0),
                            flows);
    int r = nwf_flow_set_parse(flows, name, text,
                               nwf_cookie(NWF_COOKIE_FIXED, 0, NWF_COOKIE_NO_RULE), err);

    for (uint8_t i = 0; !r && i < most->n_stages[NWF_OUT]; i++) {
        add_table_end(NWF_TABLE_FROM_VM + i, flows);
    }
    for (uint8_t i = 0; !r && i < most->n_stages[NWF_IN]; i++) {
        add_table_end(NWF_TABLE_TO_VM + i, flows);
    }
    return r;
}
