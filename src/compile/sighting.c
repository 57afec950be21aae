/* SPDX-License-Identifier: Apache-2.0
 *
 * Sightings of guests' addresses, made by the switch itself when a filter has accepted a frame.
 *
 * A guest's own address is pinned: the first sighting stays, and outranks whatever is learned of
 * the address elsewhere.  Until then the address is where it was last seen, so that a port that
 * waits for a migrating guest takes nothing from the host where the guest still runs.  Other
 * addresses float: the latest sighting counts, on guests and trusted ports alike, and ages. */
#include <config.h>

#include <string.h>

#include "sighting.h"

#include "actions.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"

#include "lib/hash.h"
#include "lib/packets.h"

/* Addresses besides its own that are learned of one guest.  For each new one Open vSwitch counts
 * those that are there (ofproto_flow_mod_learn()). */
#define FLOATS_MAX 64

/* ---- Whether a filter lets other addresses pass. ---- */

static bool
is_from(const struct match *match, const struct nwf_mac *mac)
{
    return eth_mask_is_exact(match->wc.masks.dl_src)
           && !memcmp(&match->flow.dl_src, mac, sizeof *mac);
}

bool
nwf_stages_confine_sender(const struct nwf_stages *stages, const struct nwf_mac *mac)
{
    bool confines[NWF_MAX_STAGES];

    for (size_t i = stages->list.n; i-- > 0;) {
        confines[i] = true;
        nwf_vec_foreach (row, &stages->list.data[i].rows) {
            bool passes =
                nwf_row_has_target(row) ? !confines[row->target] : row->verdict == NWF_V_ACCEPT;
            confines[i] &= !passes || is_from(&row->match, mac);
        }
    }
    return confines[0];
}

/* ---- A guest's flows. ---- */

/* What tells guests of one number apart is the hash of their addresses. */
static uint64_t
pin_cookie(uint16_t ofport, const struct nwf_mac *mac)
{
    return nwf_cookie(NWF_COOKIE_PINNED, ofport, hash_bytes(mac, sizeof *mac, 0) & 0xffff);
}

static void
add_sender(const struct nwf_port *port, const struct nwf_mac *mac, const char *learn,
           struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    match_set_in_port(&match, OFP_PORT_C(port->ofport));
    if (mac) {
        struct eth_addr address;
        memcpy(&address, mac->octets, sizeof address);
        match_set_dl_src(&match, address);
    }
    nwf_put_text(&actions, "%s", learn);
    nwf_put_goto(&actions, NWF_TABLE_BEHIND);
    nwf_flow_set_add(flows, NWF_TABLE_SENDER, mac ? NWF_PRIORITY_SENDER_OWN : NWF_PRIORITY_SENDER,
                     nwf_cookie(NWF_COOKIE_CLASSIFY, port->ofport, NWF_COOKIE_NO_RULE), &match,
                     &actions);
}

/* What the learn action makes of a frame. */
void
nwf_add_pin(uint16_t ofport, const struct nwf_mac *mac, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    match_set_reg_masked(&match, NWF_REG_OWNER, ofport, 0xffff);
    nwf_put_text(&actions, "set_field:0x%x/0xffff->reg%d", ofport, NWF_REG_KNOWN);
    nwf_flow_set_add(flows, NWF_TABLE_LEARNED, NWF_PRIORITY_PINNED, pin_cookie(ofport, mac), &match,
                     &actions);
}

bool
nwf_is_pin(const struct nwf_flow *flow, uint16_t ofport, const struct nwf_mac *mac)
{
    struct nwf_flow_set set CLEANUP(nwf_flow_set_finish);

    nwf_flow_set_init(&set);
    if (flow->cookie != pin_cookie(ofport, mac)) {
        return false;
    }
    nwf_add_pin(ofport, mac, &set);
    const struct nwf_flow *pin = nwf_flow_set_find(&set, flow);
    return pin && nwf_flow_data_equal(pin, flow);
}

static void
add_own(const struct nwf_port *port, const struct nwf_mac *mac, struct nwf_flow_set *flows)
{
    uint64_t cookie = pin_cookie(port->ofport, mac);
    char *learn CLEANUP_FREE = nwf_asprintf(
        "learn(table=%d,priority=%d,cookie=0x%llx,NXM_NX_REG%d[0..15]=NXM_OF_IN_PORT[],"
        "load:NXM_OF_IN_PORT[]->NXM_NX_REG%d[0..15])",
        NWF_TABLE_LEARNED, NWF_PRIORITY_PINNED, (unsigned long long) cookie, NWF_REG_OWNER,
        NWF_REG_KNOWN);

    add_sender(port, mac, learn, flows);
    if (port->is_sighted) {
        nwf_add_pin(port->ofport, mac, flows);
    }
}

void
nwf_add_sightings(const struct nwf_bridge *bridge, const struct nwf_port *port, bool floats,
                  struct nwf_flow_set *flows)
{
    if (port->own_mac < port->macs.n) {
        add_own(port, &port->macs.data[port->own_mac], flows);
    }
    if (floats) {
        char *learn CLEANUP_FREE = nwf_asprintf(
            "learn(table=%d,hard_timeout=%u,priority=%d,cookie=0x%llx,limit=%d,delete_learned,"
            "NXM_NX_REG%d[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
            "load:NXM_OF_IN_PORT[]->NXM_NX_REG%d[0..15])",
            NWF_TABLE_LEARNED, bridge->mac_aging, NWF_PRIORITY_LEARNED,
            (unsigned long long) nwf_cookie(NWF_COOKIE_LEARNED, port->ofport, NWF_COOKIE_NO_RULE),
            FLOATS_MAX, NWF_REG_VLAN, NWF_REG_KNOWN);
        add_sender(port, NULL, learn, flows);
    }
}

/* ---- The host's. ---- */

void
nwf_compile_host_addresses(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    nwf_vec_foreach (port, &bridge->ports) {
        if (port->has_own_mac) {
            NWF_ACTIONS(actions);
            struct eth_addr address;
            struct match match;

            memcpy(&address, port->host_mac.octets, sizeof address);
            match_init_catchall(&match);
            match_set_dl_src(&match, address);
            nwf_put_goto(&actions, NWF_TABLE_BEHIND);
            nwf_flow_set_add(flows, NWF_TABLE_SENDER, NWF_PRIORITY_SENDER_HOST,
                             nwf_cookie(NWF_COOKIE_TRUSTED, port->ofport, NWF_COOKIE_NO_RULE),
                             &match, &actions);
        }
    }
}
