/* SPDX-License-Identifier: Apache-2.0
 *
 * Having single ports put in force, and being sure of that; see enforce.h for many. */
#ifndef NWF_HOOK_PORTS_H
#define NWF_HOOK_PORTS_H

#include "../cli/cli.h"

/* Returns when the switch enforces the port's policy; an error if that fails, or if the port is a
 * trusted one.  The caller holds the host's lock where no daemon runs. */
int nwf_hook_enforce_port(const struct nwf_cli *cli, const char *port, struct nwf_error *err);

/* Returns when the bridge is in order: flows of ports that have gone are removed.  What is wrong
 * with ports that are there is no error. */
int nwf_hook_tidy(const struct nwf_cli *cli, const char *bridge, struct nwf_error *err);

#endif
