/* SPDX-License-Identifier: Apache-2.0
 *
 * Handing over to a daemon that runs. */
#ifndef NWF_CLI_HANDOVER_H
#define NWF_CLI_HANDOVER_H

#include <errno.h>

#include "cli.h"

/* How the daemon's answer begins if it was not done in time. */
#define NWF_LATE "not enforced within"

/* The daemon has ended: the verb is to be run again, by itself or with the next one. */
#define NWF_NO_DAEMON (-ENOLINK)

/* Whether ovs-nwfilterd runs. */
bool nwf_cli_find_daemon(void);

/* How long a verb waits if it is not told otherwise, seconds. */
unsigned int nwf_cli_patience_s(const struct nwf_cli *cli);

/* Has the daemon put in force what the database and the files say now of the bridge, or of the
 * port, or if both are NULL of all bridges.  *ret_answer, the caller's, has a line for each bridge,
 * or the port; those that begin with "!" are errors, with "!!" of a whole bridge, with "?"
 * warnings. -ETIMEDOUT: it is not done in time. */
int nwf_cli_ask_to_settle(const char *bridge, const char *port, unsigned int patience_s,
                          char **ret_answer, struct nwf_error *err);

/* The same, and shows the answer.  Returns an exit code, or a negative errno if there is none. */
int nwf_cli_hand_over(const struct nwf_cli *cli, const char *bridge, const char *port,
                      unsigned int patience_s, struct nwf_error *err);

/* Waits until the daemon has heard of what was written before; what it says of the bridge is not
 * shown.  -ETIMEDOUT: it does not answer. */
int nwf_cli_await_daemon(const struct nwf_cli *cli, const char *bridge, struct nwf_error *err);

#endif
