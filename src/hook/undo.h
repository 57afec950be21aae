/* SPDX-License-Identifier: Apache-2.0
 *
 * What tags were before a start, which may fail. */
#ifndef NWF_HOOK_UNDO_H
#define NWF_HOOK_UNDO_H

#include "../cli/tags.h"

/* A tag that was written; NULL: none. */
struct nwf_hook_undone {
    struct uuid interface;
    char *key, *before, *after;
};

struct nwf_hook_undo {
    struct nwf_hook_undone *data;
    size_t n, allocated;
};

void nwf_hook_undo_clear(struct nwf_hook_undo *undo);

/* Notes what the changes, which have been written, do to the tags of 'port'. */
void nwf_hook_undo_add(struct nwf_hook_undo *undo, const struct nwf_ovs_port *port,
                       const struct nwf_cli_changes *changes);

/* Adds the changes that make the port's tags what they were, but for those that somebody else has
 * changed since. */
void nwf_hook_undo_changes(const struct nwf_hook_undo *undo, const struct nwf_ovs_port *port,
                           struct nwf_cli_changes *changes);

#endif
