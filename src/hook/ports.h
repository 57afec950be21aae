/* SPDX-License-Identifier: Apache-2.0
 *
 * What hooks do with a port: have it enforced, and be sure of that. */
#ifndef NWF_HOOK_PORTS_H
#define NWF_HOOK_PORTS_H

#include "../cli/cli.h"

/* Has the port's policy put in force, by the daemon or, where none runs, by ourselves; the caller
 * holds the host's lock.  0: frames of the port pass by its filter or not at all.  Otherwise an
 * exit code, and lines on standard error; or a negative errno.  Nothing is printed on standard
 * output. */
int nwf_hook_enforce(struct nwf_cli *cli, const char *port, struct nwf_error *err);

/* The status that the database has of the port, a new string; NULL: none. */
int nwf_hook_status(const struct nwf_cli *cli, const char *port, char **ret, struct nwf_error *err);

/* The same for a bridge as a whole: flows of ports that have gone are removed. */
int nwf_hook_tidy(struct nwf_cli *cli, const char *bridge, struct nwf_error *err);

#endif
