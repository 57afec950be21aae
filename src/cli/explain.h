/* SPDX-License-Identifier: Apache-2.0
 *
 * What explain has to show. */
#ifndef NWF_CLI_EXPLAIN_H
#define NWF_CLI_EXPLAIN_H

#include "nwf/explain.h"
#include "nwf/trace.h"

struct nwf_cli_explanation {
    const char *port;
    enum nwf_direction direction;
    const struct nwf_explanation *explanation;
    const struct nwf_trace *trace; /* What the switch says of the filter; NULL: not asked. */
    bool agrees;                   /* If asked. */
    bool is_spared; /* If it agrees: the port gets all frames of this kind, past its filter. */
};

void nwf_cli_print_explanation(const struct nwf_cli_explanation *e, bool json);

#endif
