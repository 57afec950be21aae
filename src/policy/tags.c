/* SPDX-License-Identifier: Apache-2.0
 *
 * Bindings out of an Interface's external_ids. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "nwf/binding.h"
#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "nwf/value.h"

const char *
nwf_tag_find(const struct nwf_tag *tags, size_t n_tags, const char *key)
{
    for (size_t i = 0; i < n_tags; i++) {
        if (!strcmp(tags[i].key, key)) {
            return tags[i].value;
        }
    }
    return NULL;
}

/* What tells that a virtual machine is behind the port: libvirt, os-vif (OpenStack) and
 * XenServer's scripts set some of these when they plug it. */
static bool
has_identity(const struct nwf_tag *tags, size_t n_tags)
{
    static const char *const keys[] = {
        NWF_TAG_MAC, NWF_TAG_PROFILE, "iface-id", "vm-id", "vm-uuid", "xs-vm-uuid", "xs-vif-uuid",
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (nwf_tag_find(tags, n_tags, keys[i])) {
            return true;
        }
    }
    return false;
}

bool
nwf_tag_is_note(const char *key)
{
    static const char *const keys[] = {
        NWF_TAG_STATUS,    NWF_TAG_ZONE, NWF_TAG_NO_FLOOD,
        NWF_TAG_INSTALLED, NWF_TAG_VM,   NWF_TAG_ADDED,
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!strcmp(key, keys[i])) {
            return true;
        }
    }
    return false;
}

const char *
nwf_tags_machine(const struct nwf_tag *tags, size_t n_tags)
{
    static const char *const keys[] = {NWF_TAG_VM_ID, "vm-uuid", "xs-vm-uuid"};
    const char *vm = NULL;

    for (size_t i = 0; !vm && i < sizeof keys / sizeof keys[0]; i++) {
        vm = nwf_tag_find(tags, n_tags, keys[i]);
    }
    return vm;
}

bool
nwf_tags_are_stale(const struct nwf_tag *tags, size_t n_tags)
{
    const char *for_whom = nwf_tag_find(tags, n_tags, NWF_TAG_VM);
    const char *owner = nwf_tags_machine(tags, n_tags);

    return for_whom && owner && strcasecmp(for_whom, owner);
}

bool
nwf_tag_is_variable(const char *key)
{
    return !strncmp(key, NWF_TAG_VARIABLE, strlen(NWF_TAG_VARIABLE)) && !nwf_tag_is_note(key)
           && strcmp(key, NWF_TAG_ISOLATED) && strncmp(key, NWF_TAG_LIMIT, strlen(NWF_TAG_LIMIT));
}

/* Whether the tag is a limit, or means to be one. */
static bool
is_limit(const char *key)
{
    return !strncmp(key, NWF_TAG_LIMIT, strlen(NWF_TAG_LIMIT));
}

bool
nwf_tag_is_policy(const char *key)
{
    return !strcmp(key, NWF_TAG_FILTER) || !strcmp(key, NWF_TAG_PROFILE)
           || !strcmp(key, NWF_TAG_MAC) || !strcmp(key, NWF_TAG_ISOLATED) || is_limit(key)
           || nwf_tag_is_variable(key);
}

static int
add_variable(const char *name, const char *value, struct nwf_binding *binding,
             struct nwf_error *err)
{
    return strlen(value) > NWF_TAG_MAX ? nwf_error_set(
               err, -E2BIG, "variable %.80s: longer than %d characters", name, NWF_TAG_MAX)
                                       : nwf_params_add_list(&binding->params, name, value, err);
}

static int
add_variables(const struct nwf_tag *tags, size_t n_tags, struct nwf_binding *binding,
              struct nwf_error *err)
{
    const size_t prefix = strlen(NWF_TAG_VARIABLE);

    for (size_t i = 0; i < n_tags; i++) {
        if (nwf_tag_is_variable(tags[i].key)) {
            int r = add_variable(tags[i].key + prefix, tags[i].value, binding, err);
            if (r) {
                return r;
            }
        }
    }
    return binding->own_mac && !nwf_params_find(&binding->params, "MAC")
               ? add_variable("MAC", binding->own_mac, binding, err)
               : 0;
}

/* A value that means nothing is no reason to let isolated guests meet. */
static int
read_isolated(const struct nwf_tag *tags, size_t n_tags, struct nwf_binding *binding,
              struct nwf_error *err)
{
    const char *value = nwf_tag_find(tags, n_tags, NWF_TAG_ISOLATED);

    binding->isolated = value && strcmp(value, "false");
    return !binding->isolated || !strcmp(value, "true")
               ? 0
               : nwf_error_set(err, -EINVAL,
                               NWF_TAG_ISOLATED ": \"%.80s\" is neither true nor false", value);
}

/* A limit that is none of ours would not be enforced, and nobody would know. */
static int
read_limit(const struct nwf_tag *tag, struct nwf_binding *binding, struct nwf_error *err)
{
    for (int limit = 0; limit < NWF_N_LIMITS; limit++) {
        if (!strcmp(tag->key + strlen(NWF_TAG_LIMIT), nwf_limit_name((enum nwf_limit) limit))) {
            return nwf_limit_parse(tag->key, tag->value, &binding->limits[limit], err);
        }
    }
    return nwf_error_set(err, -EINVAL, "%.80s: there is no such limit", tag->key);
}

static int
read_limits(const struct nwf_tag *tags, size_t n_tags, struct nwf_binding *binding,
            struct nwf_error *err)
{
    for (size_t i = 0; i < n_tags; i++) {
        int r = is_limit(tags[i].key) ? read_limit(&tags[i], binding, err) : 0;
        if (r) {
            return r;
        }
    }
    return 0;
}

int
nwf_binding_from_tags(const char *port, const struct nwf_tag *tags, size_t n_tags,
                      const struct nwf_known_filters *known, struct nwf_binding *ret,
                      struct nwf_error *err)
{
    const char *filter = nwf_tag_find(tags, n_tags, NWF_TAG_FILTER);
    const char *profile = nwf_tag_find(tags, n_tags, NWF_TAG_PROFILE);

    if (!filter && profile && strlen(profile) < NWF_TAG_MAX && known->has(known->aux, profile)) {
        filter = profile;
    }
    const char *mac = nwf_tag_find(tags, n_tags, NWF_TAG_MAC);

    *ret = (struct nwf_binding){
        .port = nwf_strdup(port),
        .filter = filter ? nwf_strndup(filter, NWF_TAG_MAX) : NULL,
        .has_identity = has_identity(tags, n_tags),
        .own_mac = mac ? nwf_strndup(mac, NWF_TAG_MAX + 1) : NULL,
    };
    if (nwf_tags_are_stale(tags, n_tags)) {
        return nwf_error_set(err, -ESTALE,
                             "its tags are those of another virtual machine, %.80s, that had the "
                             "port before; run \"ovs-nwfilter bind\" or \"ovs-nwfilter unbind\"",
                             nwf_tag_find(tags, n_tags, NWF_TAG_VM));
    }
    int r;
    if ((r = read_isolated(tags, n_tags, ret, err)) || (r = read_limits(tags, n_tags, ret, err))) {
        return r;
    }
    return add_variables(tags, n_tags, ret, err);
}
