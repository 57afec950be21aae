/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting ports in force: by the daemon if it runs, else by this process. */
#ifndef NWF_HOOK_ENFORCE_H
#define NWF_HOOK_ENFORCE_H

#include "hook.h"

/* A port of a managed bridge, or if that is NULL the bridge itself. */
struct nwf_hook_target {
    char *port, *bridge;
};

struct nwf_hook_targets {
    struct nwf_hook_target *data;
    size_t n, allocated;
};

void nwf_hook_targets_clear(struct nwf_hook_targets *targets);
/* Adds one, once.  Both are copied. */
void nwf_hook_targets_add(struct nwf_hook_targets *targets, const char *bridge, const char *port);

/* What becomes of a port's error. */
enum nwf_hook_manner {
    NWF_HOOK_STRICT, /* The first is the result. */
    NWF_HOOK_SAY,    /* It is said on stderr. */
    NWF_HOOK_QUIET,  /* It was to be expected. */
};

/* Returns when the switch enforces what the database and the files say of the targets.  A bridge's
 * error is the result, after all other bridges have had their turn.  NWF_NO_DAEMON: the daemon has
 * ended meanwhile. */
int nwf_hook_enforce(const struct nwf_cli *cli, struct nwf_ovsdb *db,
                     const struct nwf_hook_targets *targets, enum nwf_hook_manner manner,
                     struct nwf_error *err);

#endif
