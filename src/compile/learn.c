/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning the addresses behind trusted ports, at a bounded cost.
 *
 * For each address that a learn action would add, Open vSwitch walks all flows that it has
 * added with the same cookie, to count them (ofproto_flow_mod_learn()).  So there is a cookie
 * for each trusted port, VLAN and value of the address's last bits, and few flows with each.
 *
 * Who is learned stays so while he talks: a flow that is there is refreshed without a count,
 * and an address that finds no room is not learned, and its frames are flooded. */
#include <config.h>

#include "learn.h"

#include "actions.h"
#include "flood.h"
#include "nwf/pipeline.h"
#include "tag.h"

/* Addresses with the same last bits that are learned behind one port in one VLAN. */
#define SHARE_MAX 256

/* The last bits of an address that choose its share. */
#define SHARE_BITS 2
#define N_SHARES (1 << SHARE_BITS)

/* VLANs, of those that ports name, that have shares of their own; all others have one set
 * together. */
#define OWN_VLANS_MAX 32

#define OTHER_VLANS NWF_N_VLANS

static void
put_learn(const struct nwf_bridge *bridge, uint64_t cookie, struct ofpbuf *actions)
{
    /* A NORMAL that puts nothing out, since the address it looks for was learned on
     * the port the frame came from: it teaches NORMAL what a frame delivered to a guest
     * would not.  Where NORMAL does not forward, it need not know. */
    if (bridge->use_normal) {
        nwf_put_text(actions, "clone(move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],NORMAL)");
    }
    nwf_put_text(actions,
                 "learn(table=%d,hard_timeout=%u,priority=%d,cookie=0x%llx,limit=%d,delete_learned,"
                 "NXM_NX_REG%d[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
                 "load:NXM_OF_IN_PORT[]->NXM_NX_REG%d[0..15])",
                 NWF_TABLE_LEARNED, bridge->mac_aging, NWF_PRIORITY_LEARNED,
                 (unsigned long long) cookie, SHARE_MAX, NWF_REG_VLAN, NWF_REG_KNOWN);
}

/* Nothing is learned in VLANs that are flooded.  NORMAL does not learn there either, and so
 * would put the frame that is to teach it out of all ports. */
static void
add_flooded_vlans(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    for (uint16_t vid = 0; vid < NWF_N_VLANS; vid++) {
        if (nwf_vlan_set_has(&bridge->flooded, vid)) {
            struct match match;

            match_init_catchall(&match);
            nwf_match_vlan(&match, vid);
            nwf_flow_set_add(flows, NWF_TABLE_LEARN, NWF_PRIORITY_LEARN_FLOODED,
                             nwf_cookie(NWF_COOKIE_FLOOD, 0, NWF_COOKIE_NO_RULE), &match, NULL);
        }
    }
}

/* The port's shares in VLAN 'vid', or in OTHER_VLANS. */
static void
add_shares(const struct nwf_bridge *bridge, const struct nwf_port *port, uint16_t vid,
           struct nwf_flow_set *flows)
{
    const struct eth_addr mask = ETH_ADDR_C(00, 00, 00, 00, 00, 03);

    _Static_assert(N_SHARES - 1 == 0x03, "the mask");
    for (uint32_t share = 0; share < N_SHARES; share++) {
        struct eth_addr bits = {.ea = {[5] = (uint8_t) share}};
        uint32_t number = (uint32_t) vid << SHARE_BITS | share;
        NWF_ACTIONS(actions);
        struct match match;

        match_init_catchall(&match);
        match_set_in_port(&match, OFP_PORT_C(port->ofport));
        match_set_dl_src_masked(&match, bits, mask);
        if (vid != OTHER_VLANS) {
            nwf_match_vlan(&match, vid);
        }
        put_learn(bridge, nwf_cookie(NWF_COOKIE_LEARNED, port->ofport, number), &actions);
        nwf_flow_set_add(
            flows, NWF_TABLE_LEARN,
            vid == OTHER_VLANS ? NWF_PRIORITY_LEARN_OTHER_VLANS : NWF_PRIORITY_LEARN_OWN_VLAN,
            nwf_cookie(NWF_COOKIE_TRUSTED, port->ofport, NWF_COOKIE_NO_RULE), &match, &actions);
    }
}

static void
add_port(const struct nwf_bridge *bridge, const struct nwf_port *port, const bool vids[NWF_N_VLANS],
         struct nwf_flow_set *flows)
{
    unsigned int n_own = 0;

    for (uint16_t vid = 0; vid < NWF_N_VLANS && n_own < OWN_VLANS_MAX; vid++) {
        if (vids[vid] && nwf_vlan_has(&port->vlan, vid)) {
            add_shares(bridge, port, vid, flows);
            n_own++;
        }
    }
    if (port->vlan.mode != NWF_VLAN_ACCESS) {
        add_shares(bridge, port, OTHER_VLANS, flows);
    }
}

void
nwf_compile_learning(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    bool vids[NWF_N_VLANS];

    nwf_bridge_note_vlans(bridge, vids);
    add_flooded_vlans(bridge, flows);
    nwf_vec_foreach (port, &bridge->ports) {
        if (port->role == NWF_TRUSTED) {
            add_port(bridge, port, vids, flows);
        }
    }
}
