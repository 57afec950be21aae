/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host's network configuration has to say of a managed bridge, so that the tools which
 * read it keep the bridge shut and managed. */
#ifndef NWF_CLI_SNIPPET_H
#define NWF_CLI_SNIPPET_H

#include "nwf/binding.h"

struct nwf_snippet {
    const char *bridge;
    const struct nwf_tag *tags;
    size_t n_tags;
    const char *uplink; /* The NIC whose address the bridge has; NULL: there is none. */
    const char *hwaddr; /* That address; NULL: it is not known. */
};

/* Whether there is a snippet for the tool of this name. */
bool nwf_cli_has_snippet(const char *tool);

/* Prints it. */
int nwf_cli_print_snippet(const char *tool, const struct nwf_snippet *snippet,
                          struct nwf_error *err);

#endif
