/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the host's own settings may keep packets from being forwarded: theirs to mend, and not
 * ours, who cannot know what they are for. */
#ifndef NWF_FIREWALL_H
#define NWF_FIREWALL_H

#include "nwf/host.h"

/* Why packets between the uplink and the bridge may not be forwarded, with the commands that mend
 * it: a new string, or NULL. */
char *nwf_firewall_obstacle(struct nwf_host *host, const char *bridge, const char *uplink);

/* The first chain of a JSON listing of nftables ("nft -j list chains") at the hook "forward" that
 * drops what none of its rules accepts: "FAMILY TABLE CHAIN", a new string, or NULL. */
char *nwf_firewall_find_chain(const char *listing);

#endif
