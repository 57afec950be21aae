/* SPDX-License-Identifier: Apache-2.0
 *
 * Other people's flows on a bridge that becomes managed. */
#ifndef NWF_CLI_MANAGE_FOREIGN_H
#define NWF_CLI_MANAGE_FOREIGN_H

#include "cli.h"
#include "nwf/flow.h"

/* Notes which flows of others the bridge has. */
int nwf_manage_note_foreign(const struct nwf_cli *cli, const char *bridge,
                            struct nwf_flow_set *flows, struct nwf_error *err);

/* Says, a line each on stderr, which of them are gone now or are never met any more. */
void nwf_manage_tell_foreign(const struct nwf_cli *cli, const char *bridge,
                             const struct nwf_flow_set *before);

#endif
