/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies in files; see nwf/policies.h. */
#include "nwf/policies.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "binding_json.h"
#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "nwf/value.h"

DEFINE_CLEANUP(json_t, json, json_decref)

static void
policy_clear(struct nwf_policy *policy)
{
    nwf_binding_clear(&policy->binding);
    free(policy->port);
    free(policy->vm);
    free(policy->place);
}

void
nwf_policies_init(struct nwf_policies *policies)
{
    memset(policies, 0, sizeof *policies);
}

void
nwf_policies_finish(struct nwf_policies *policies)
{
    nwf_vec_foreach (policy, &policies->list) {
        policy_clear(policy);
    }
    nwf_vec_clear(&policies->list);
    nwf_vec_clear(&policies->by_port);
    nwf_vec_clear(&policies->by_mac);
    nwf_vec_clear(&policies->by_vm);
    nwf_error_clear(&policies->broken);
}

/* ---- Reading. ---- */

static int
take_key(struct nwf_policy *policy, const char *key, json_t *value, struct nwf_error *err)
{
    return strcmp(key, "vm") ? nwf_binding_json_member(&policy->binding, key, value, err)
                             : nwf_json_take_string(key, value, &policy->vm, err);
}

/* What the entry is for: its binding's port, or address, or the machine. */
static int
take_selector(struct nwf_policy *policy, struct nwf_error *err)
{
    struct nwf_binding *binding = &policy->binding;

    policy->port = TAKE_PTR(binding->port);
    if (!binding->filter) {
        return nwf_error_set(err, -EINVAL, "\"filter\" is missing");
    }
    if (policy->port && policy->vm) {
        return nwf_error_set(err, -EINVAL, "both \"port\" and \"vm\"");
    }
    if (!policy->port && !policy->vm && !binding->own_mac) {
        return nwf_error_set(err, -EINVAL, "none of \"port\", \"mac\" and \"vm\"");
    }
    policy->has_mac = binding->own_mac && !policy->port;
    return binding->own_mac ? nwf_mac_parse(binding->own_mac, &policy->mac, err) : 0;
}

static int
parse_entry(json_t *object, struct nwf_policy *policy, struct nwf_error *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object)) {
        return nwf_error_set(err, -EINVAL, "not an object");
    }
    json_object_foreach (object, key, value) {
        int r = take_key(policy, key, value, err);
        if (r) {
            return r;
        }
    }
    return take_selector(policy, err);
}

static void
drop_from(struct nwf_policies *policies, size_t first)
{
    while (policies->list.n > first) {
        policy_clear(&policies->list.data[--policies->list.n]);
    }
}

int
nwf_policies_add_json(struct nwf_policies *policies, const char *file, const char *data,
                      size_t size, struct nwf_error *err)
{
    json_t *root CLEANUP(json_cleanup) = NULL;
    size_t first = policies->list.n, i;
    json_t *object;
    int r = nwf_json_load_array(file, data, size, NWF_BINDINGS_MAX - first, &root, err);

    if (r) {
        return r;
    }
    json_array_foreach (root, i, object) {
        struct nwf_policy policy = {.place = nwf_asprintf("%s: entry %zu", file, i)};

        if ((r = parse_entry(object, &policy, err))) {
            nwf_error_wrap(err, "%s", policy.place);
            policy_clear(&policy);
            drop_from(policies, first);
            return r;
        }
        nwf_vec_push(&policies->list, policy);
    }
    return 0;
}

/* ---- Finding. ---- */

static int
compare_port(const void *a, const void *b)
{
    return strcmp((*(struct nwf_policy *const *) a)->port, (*(struct nwf_policy *const *) b)->port);
}

static int
compare_vm(const void *a, const void *b)
{
    return strcasecmp((*(struct nwf_policy *const *) a)->vm, (*(struct nwf_policy *const *) b)->vm);
}

static int
compare_mac(const void *a, const void *b)
{
    return memcmp(&(*(struct nwf_policy *const *) a)->mac, &(*(struct nwf_policy *const *) b)->mac,
                  sizeof(struct nwf_mac));
}

void
nwf_policies_index(struct nwf_policies *policies)
{
    nwf_vec_foreach (policy, &policies->list) {
        if (policy->port) {
            nwf_vec_push(&policies->by_port, policy);
        } else if (policy->vm) {
            nwf_vec_push(&policies->by_vm, policy);
        } else {
            nwf_vec_push(&policies->by_mac, policy);
        }
    }
#define SORT(LIST, COMPARE)                                                                        \
    if ((LIST).n) {                                                                                \
        qsort((LIST).data, (LIST).n, sizeof *(LIST).data, COMPARE);                                \
    }
    SORT(policies->by_port, compare_port)
    SORT(policies->by_mac, compare_mac)
    SORT(policies->by_vm, compare_vm)
#undef SORT
}

struct search {
    const struct nwf_policy *found;
    const struct nwf_mac *mac; /* The port's; NULL: not known. */
    const char *name;          /* Only entries whose machine is written like that; NULL: all. */
    struct nwf_error *err;
};

/* Two addresses as one port's own are as bad as two filters.  An entry without an address leaves
 * it to the port's tags. */
static bool
agree_on_mac(const struct search *search, const struct nwf_policy *a, const struct nwf_policy *b)
{
    if (!a->binding.own_mac || !b->binding.own_mac) {
        return search->mac || a->binding.own_mac == b->binding.own_mac;
    }
    return !memcmp(&a->mac, &b->mac, sizeof a->mac);
}

static bool
agree(const struct search *search, const struct nwf_policy *a, const struct nwf_policy *b)
{
    char *left CLEANUP_FREE = nwf_params_format(&a->binding.params);
    char *right CLEANUP_FREE = nwf_params_format(&b->binding.params);

    return !strcmp(a->binding.filter, b->binding.filter) && !strcmp(left, right)
           && a->binding.isolated == b->binding.isolated
           && !memcmp(a->binding.limits, b->binding.limits, sizeof a->binding.limits)
           && agree_on_mac(search, a, b);
}

static int
meet(struct search *search, const struct nwf_policy *policy)
{
    if (policy->has_mac
        && (!search->mac || memcmp(search->mac, &policy->mac, sizeof policy->mac))) {
        return 0;
    }
    if (search->found && !agree(search, search->found, policy)) {
        return nwf_error_set(search->err, -EEXIST, "%s and %s do not agree", search->found->place,
                             policy->place);
    }
    search->found = search->found ? search->found : policy;
    return 0;
}

/* Meets all entries of an ordered list that equal 'key'. */
static int
meet_all(struct search *search, struct nwf_policy *const *list, size_t n,
         const struct nwf_policy *key, int (*compare)(const void *, const void *))
{
    struct nwf_policy *const *at = n ? bsearch(&key, list, n, sizeof *list, compare) : NULL;

    while (at && at > list && !compare(&key, at - 1)) {
        at--;
    }
    for (; at && at < list + n && !compare(&key, at); at++) {
        int r = search->name && strcmp((*at)->vm, search->name) ? 0 : meet(search, *at);
        if (r) {
            return r;
        }
    }
    return 0;
}

/* UUIDs may be written in any case, names in one. */
static int
meet_machine(struct search *search, const struct nwf_policies *policies, const struct nwf_tag *tags,
             size_t n_tags)
{
    const char *uuid = nwf_tags_machine(tags, n_tags);
    const char *name = nwf_tag_find(tags, n_tags, NWF_TAG_VM_NAME);
    const struct nwf_policy by_uuid = {.vm = (char *) uuid}, by_name = {.vm = (char *) name};
    int r = 0;

    if (uuid) {
        r = meet_all(search, policies->by_vm.data, policies->by_vm.n, &by_uuid, compare_vm);
    }
    if (!r && name) {
        search->name = name;
        r = meet_all(search, policies->by_vm.data, policies->by_vm.n, &by_name, compare_vm);
        search->name = NULL;
    }
    return r;
}

int
nwf_policies_find(const struct nwf_policies *policies, const char *interface,
                  const struct nwf_tag *tags, size_t n_tags, const struct nwf_policy **ret,
                  struct nwf_error *err)
{
    const char *attached = nwf_tag_find(tags, n_tags, NWF_TAG_MAC);
    struct nwf_policy key = {.port = (char *) interface};
    struct search search = {.err = err};

    if (attached && !nwf_mac_parse(attached, &key.mac, NULL)) {
        search.mac = &key.mac;
    }
    int r = meet_all(&search, policies->by_port.data, policies->by_port.n, &key, compare_port);
    if (!r && search.mac) {
        r = meet_all(&search, policies->by_mac.data, policies->by_mac.n, &key, compare_mac);
    }
    if (!r) {
        r = meet_machine(&search, policies, tags, n_tags);
    }
    *ret = r ? NULL : search.found;
    return r;
}

/* ---- Applying. ---- */

int
nwf_policy_apply(const struct nwf_policy *policy, const struct nwf_tag *tags, size_t n_tags,
                 struct nwf_binding *binding, struct nwf_error *err)
{
    const struct nwf_binding *from = &policy->binding;
    bool tag_has_mac = nwf_tag_find(tags, n_tags, NWF_TAG_VARIABLE "MAC");
    struct nwf_params params = {.list = {.data = NULL}};

    nwf_params_override(&params, &from->params);
    /* The tags' own hold, but for an address that is only the default. */
    nwf_vec_foreach (param, &binding->params.list) {
        if (strcmp(param->name, "MAC") || tag_has_mac || !nwf_params_find(&from->params, "MAC")) {
            const struct nwf_params one = {.list = {.data = param, .n = 1}};
            nwf_params_override(&params, &one);
        }
    }
    nwf_params_clear(&binding->params);
    binding->params = params;
    binding->filter = nwf_strdup(from->filter);
    if (!nwf_tag_find(tags, n_tags, NWF_TAG_ISOLATED)) {
        binding->isolated = from->isolated;
    }
    for (int limit = 0; limit < NWF_N_LIMITS; limit++) {
        if (!binding->limits[limit]) {
            binding->limits[limit] = from->limits[limit];
        }
    }
    if (!binding->own_mac && from->own_mac) {
        binding->own_mac = nwf_strdup(from->own_mac);
    }
    return binding->own_mac && !nwf_params_find(&binding->params, "MAC")
               ? nwf_params_add(&binding->params, "MAC", binding->own_mac, err)
               : 0;
}
