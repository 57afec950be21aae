/* SPDX-License-Identifier: Apache-2.0
 *
 * The tags that a binding stands for, as changes of an Interface's row. */
#ifndef NWF_CLI_TAGS_H
#define NWF_CLI_TAGS_H

#include "nwf/ovsdb.h"

/* Keys and values are the list's own, rows are not. */
struct nwf_cli_changes {
    struct nwf_tag_change *data;
    size_t n, allocated;
};

void nwf_cli_changes_clear(struct nwf_cli_changes *changes);

/* Sets the tag, or removes it if 'value' is NULL, provided that all tags are as they were read. */
void nwf_cli_change_tag(struct nwf_cli_changes *changes, const struct nwf_ovs_port *port,
                        const char *key, const char *value);

/* Whether the tag is one of those that "bind" writes. */
bool nwf_cli_is_of_binding(const char *key);

/* Removes those that the port has.  What sync has noted stays until it has changed that; the rest
 * is not ours. */
void nwf_cli_remove_binding(struct nwf_cli_changes *changes, const struct nwf_ovs_port *port);

/* Adds those of the binding, and for which machine they are if the port says whose it is; what sync
 * would refuse to read is an error. */
int nwf_cli_add_binding(struct nwf_cli_changes *changes, const struct nwf_ovs_port *port,
                        const struct nwf_binding *binding, struct nwf_error *err);

#endif
