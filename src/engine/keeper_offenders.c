/* SPDX-License-Identifier: Apache-2.0
 *
 * What a keeper says of frames that the uplink guard has kept back: a line when the switch learns
 * of an offender, which it does once until he has been good for a day. */
#include <config.h>

#include "keeper.h"
#include "nwf/offenders.h"
#include "openvswitch/vlog.h"

#include "lib/packets.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_offenders);

void
nwf_keeper_tell_offender(const struct nwf_keeper *k, const struct nwf_flow *flow)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 60);
    struct nwf_offender offender;
    struct eth_addr mac;

    if (nwf_offender_from_flow(&k->plan, flow, &offender)) {
        memcpy(&mac, offender.mac.octets, sizeof mac);
        VLOG_WARN_RL(&rl,
                     "bridge %s: a frame of port %s was kept from leaving %s: from " ETH_ADDR_FMT
                     ", VLAN %u: %s",
                     k->plan.name, offender.port, offender.uplink, ETH_ADDR_ARGS(mac), offender.vid,
                     nwf_offence_describe(offender.offence));
        nwf_offender_clear(&offender);
    }
}
