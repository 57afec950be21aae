/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon: what its parts share. */
#ifndef NWF_DAEMON_SERVER_H
#define NWF_DAEMON_SERVER_H

#include <stdbool.h>

#include "files.h"
#include "nwf/live.h"
#include "requests.h"

/* More than a bridge's steps take together, in timeouts. */
#define NWF_PATIENCE 6

struct nwf_server {
    struct nwf_live *live;
    struct nwf_files *files;
    struct nwf_requests requests;
    unsigned int patience_ms; /* Of a request that does not say. */
    bool exiting;
    bool ready, settled; /* As the service manager knows it. */
};

#endif
