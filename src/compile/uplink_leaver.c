/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink guard's flows, and whom they are about: for uplink.c and uplink_sender.c. */
#include <config.h>

#include "uplink.h"

#include <arpa/inet.h>

#include "lib/packets.h"

void
nwf_add_guard_flow(uint8_t table, uint16_t priority, uint16_t leader, const struct match *match,
                   const struct ofpbuf *actions, struct nwf_flow_set *flows)
{
    nwf_flow_set_add(flows, table, priority,
                     nwf_cookie(NWF_COOKIE_GUARD, leader, NWF_COOKIE_NO_RULE), match, actions);
}

void
nwf_leaver_match(const struct nwf_leaver *leaver, struct match *ret)
{
    struct eth_addr mac;

    memcpy(&mac, leaver->mac.octets, sizeof mac);
    match_init_catchall(ret);
    match_set_reg_masked(ret, NWF_REG_KNOWN, leaver->leader, 0xffff);
    match_set_dl_src(ret, mac);
    if (leaver->vid > 0) {
        match_set_dl_tci_masked(ret, htons((uint16_t) (VLAN_CFI | leaver->vid)),
                                htons(VLAN_CFI | VLAN_VID_MASK));
    } else if (!leaver->vid) { /* A tag that is none but a priority changes nothing. */
        match_set_dl_tci_masked(ret, htons(0), htons(VLAN_VID_MASK));
    }
}

void
nwf_leaver_link_local(const struct nwf_leaver *leaver, struct nwf_address *ret)
{
    const uint8_t *mac = leaver->mac.octets;

    *ret = (struct nwf_address){
        .family = AF_INET6,
        .prefix_len = 128,
        .bytes = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]},
    };
}
