/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning the addresses behind trusted ports. */
#include <config.h>

#include "learn.h"

#include "actions.h"
#include "nwf/pipeline.h"
#include "tag.h"

/* Addresses that are learned behind one port. */
#define LEARNED_MAX 8192

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
                 "learn(table=%d,hard_timeout=%u,priority=100,cookie=0x%llx,limit=%d,"
                 "NXM_NX_REG1[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
                 "load:NXM_OF_IN_PORT[]->NXM_NX_REG2[0..15])",
                 NWF_TABLE_LEARNED, bridge->mac_aging, (unsigned long long) cookie, LEARNED_MAX);
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
            nwf_flow_set_add(flows, NWF_TABLE_LEARN, 300,
                             nwf_cookie(NWF_COOKIE_FLOOD, 0, NWF_COOKIE_NO_RULE), &match, NULL, 0);
        }
    }
}

void
nwf_compile_learning(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    add_flooded_vlans(bridge, flows);
    nwf_vec_foreach (port, &bridge->ports) {
        if (port->role == NWF_TRUSTED) {
            uint64_t cookie = nwf_cookie(NWF_COOKIE_LEARNED, port->ofport, NWF_COOKIE_NO_RULE);
            NWF_ACTIONS(actions);
            struct match match;

            match_init_catchall(&match);
            match_set_in_port(&match, OFP_PORT_C(port->ofport));
            put_learn(bridge, cookie, &actions);
            nwf_flow_set_add(flows, NWF_TABLE_LEARN, 200,
                             nwf_cookie(NWF_COOKIE_TRUSTED, port->ofport, NWF_COOKIE_NO_RULE),
                             &match, actions.data, actions.size);
        }
    }
}
