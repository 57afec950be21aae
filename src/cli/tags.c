/* SPDX-License-Identifier: Apache-2.0
 *
 * Bindings as tags; see tags.h. */
#include <config.h>

#include "tags.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"

void
nwf_cli_changes_clear(struct nwf_cli_changes *changes)
{
    nwf_vec_foreach (change, changes) {
        free((char *) change->key);
        free((char *) change->value);
    }
    nwf_vec_clear(changes);
}

/* Takes key and value. */
static void
add_change(struct nwf_cli_changes *changes, const struct nwf_ovs_port *port, char *key, char *value)
{
    nwf_vec_push(changes,
                 (struct nwf_tag_change){
                     .interface = &port->uuid, .verify = true, .key = key, .value = value});
}

void
nwf_cli_change_tag(struct nwf_cli_changes *changes, const struct nwf_ovs_port *port,
                   const char *key, const char *value)
{
    add_change(changes, port, nwf_strdup(key), value ? nwf_strdup(value) : NULL);
}

bool
nwf_cli_is_of_binding(const char *key)
{
    return (nwf_tag_is_policy(key) && strcmp(key, NWF_TAG_MAC) && strcmp(key, NWF_TAG_PROFILE))
           || !strcmp(key, NWF_TAG_VM);
}

void
nwf_cli_remove_binding(struct nwf_cli_changes *changes, const struct nwf_ovs_port *port)
{
    nwf_vec_foreach (tag, &port->tags) {
        if (nwf_cli_is_of_binding(tag->key)) {
            nwf_cli_change_tag(changes, port, tag->key, NULL);
        }
    }
    if (nwf_tags_are_stale(port->tags.data, port->tags.n)
        && nwf_tag_find(port->tags.data, port->tags.n, NWF_TAG_VM_NAME)) {
        nwf_cli_change_tag(changes, port, NWF_TAG_VM_NAME, NULL);
    }
}

/* The variable's tag; what sync would refuse to read is not written. */
static int
format_value(const struct nwf_param *param, char **ret, struct nwf_error *err)
{
    size_t len = 0;

    nwf_vec_foreach (value, &param->values) {
        len += strlen(*value) + 1;
    }
    if (len - 1 > NWF_TAG_MAX) {
        return nwf_error_set(err, -E2BIG, "variable %s: longer than %d characters", param->name,
                             NWF_TAG_MAX);
    }
    char *text = nwf_zalloc(len), *end = text;
    nwf_vec_foreach (value, &param->values) {
        end = stpcpy(end, *value);
        *end++ = ',';
    }
    end[-1] = '\0';
    *ret = text;
    return 0;
}

int
nwf_cli_add_binding(struct nwf_cli_changes *changes, const struct nwf_ovs_port *port,
                    const struct nwf_binding *binding, struct nwf_error *err)
{
    const char *owner = nwf_tags_machine(port->tags.data, port->tags.n);

    nwf_cli_change_tag(changes, port, NWF_TAG_FILTER, binding->filter);
    if (binding->isolated) {
        nwf_cli_change_tag(changes, port, NWF_TAG_ISOLATED, "true");
    }
    for (int limit = 0; limit < NWF_N_LIMITS; limit++) {
        if (binding->limits[limit]) {
            add_change(changes, port, nwf_limit_tag((enum nwf_limit) limit),
                       nwf_asprintf("%u", binding->limits[limit]));
        }
    }
    if (owner) {
        nwf_cli_change_tag(changes, port, NWF_TAG_VM, owner);
    }
    nwf_vec_foreach (param, &binding->params.list) {
        char *key CLEANUP_FREE = nwf_asprintf("%s%s", NWF_TAG_VARIABLE, param->name);
        char *value = NULL;
        int r = !nwf_tag_is_variable(key)
                    ? nwf_error_set(err, -EINVAL,
                                    "a variable cannot have this name: the tag %s is "
                                    "for something else",
                                    key)
                    : format_value(param, &value, err);
        if (r) {
            nwf_error_wrap(err, "%s", port->name);
            return r;
        }
        add_change(changes, port, TAKE_PTR(key), value);
    }
    return 0;
}
