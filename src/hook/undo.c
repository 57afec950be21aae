/* SPDX-License-Identifier: Apache-2.0
 *
 * Tags before a start; see undo.h. */
#include <config.h>

#include "undo.h"

#include <string.h>

#include "nwf/text.h"

#include "lib/uuid.h"

void
nwf_hook_undo_clear(struct nwf_hook_undo *undo)
{
    nwf_vec_foreach (tag, undo) {
        free(tag->key);
        free(tag->before);
        free(tag->after);
    }
    nwf_vec_clear(undo);
}

static char *
copy(const char *text)
{
    return text ? nwf_strdup(text) : NULL;
}

static bool
are_same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static struct nwf_hook_undone *
find(const struct nwf_hook_undo *undo, const struct uuid *interface, const char *key)
{
    nwf_vec_foreach (tag, undo) {
        if (uuid_equals(&tag->interface, interface) && !strcmp(tag->key, key)) {
            return tag;
        }
    }
    return NULL;
}

void
nwf_hook_undo_add(struct nwf_hook_undo *undo, const struct nwf_ovs_port *port,
                  const struct nwf_cli_changes *changes)
{
    nwf_vec_foreach (change, changes) {
        if (!uuid_equals(change->interface, &port->uuid)) {
            continue;
        }
        struct nwf_hook_undone *tag = find(undo, &port->uuid, change->key);
        if (tag) {
            free(tag->after);
            tag->after = copy(change->value);
        } else {
            nwf_vec_push(
                undo, (struct nwf_hook_undone){
                          .interface = port->uuid,
                          .key = nwf_strdup(change->key),
                          .before = copy(nwf_tag_find(port->tags.data, port->tags.n, change->key)),
                          .after = copy(change->value),
                      });
        }
    }
}

void
nwf_hook_undo_changes(const struct nwf_hook_undo *undo, const struct nwf_ovs_port *port,
                      struct nwf_cli_changes *changes)
{
    nwf_vec_foreach (tag, undo) {
        const char *now = nwf_tag_find(port->tags.data, port->tags.n, tag->key);
        if (uuid_equals(&tag->interface, &port->uuid) && are_same(now, tag->after)
            && !are_same(now, tag->before)) {
            nwf_cli_change_tag(changes, port, tag->key, tag->before);
        }
    }
}
