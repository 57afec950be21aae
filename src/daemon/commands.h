/* SPDX-License-Identifier: Apache-2.0
 *
 * What "ovs-appctl -t ovs-nwfilterd" and ovs-nwfilter can ask of the daemon. */
#ifndef NWF_DAEMON_COMMANDS_H
#define NWF_DAEMON_COMMANDS_H

#include "server.h"

void nwf_commands_register(struct nwf_server *server);

#endif
