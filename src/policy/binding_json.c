/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON policy files. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "binding_json.h"
#include "nwf/cleanup.h"
#include "nwf/text.h"

DEFINE_CLEANUP(json_t, json, json_decref)

static int
add_parameter(const char *name, const json_t *value, struct nwf_params *params,
              struct nwf_error *err)
{
    const json_t *element;
    size_t i;

    if (json_is_string(value)) {
        return nwf_params_add_list(params, name, json_string_value(value), err);
    }
    if (!json_is_array(value)) {
        return nwf_error_set(err, -EINVAL, "%.80s: neither a string nor a list of strings", name);
    }
    json_array_foreach (value, i, element) {
        int r = json_is_string(element)
                    ? nwf_params_add(params, name, json_string_value(element), err)
                    : nwf_error_set(err, -EINVAL, "%.80s: value %zu is not a string", name, i);
        if (r) {
            return r;
        }
    }
    return 0;
}

int
nwf_json_take_string(const char *key, const json_t *value, char **ret, struct nwf_error *err)
{
    if (!json_is_string(value)) {
        return nwf_error_set(err, -EINVAL, "%s: not a string", key);
    }
    *ret = nwf_strdup(json_string_value(value));
    return 0;
}

static int
take_limits(const json_t *object, uint16_t limits[NWF_N_LIMITS], struct nwf_error *err)
{
    size_t n = 0;

    for (int i = 0; json_is_object(object) && i < NWF_N_LIMITS; i++) {
        const json_t *value = json_object_get(object, nwf_limit_name((enum nwf_limit) i));
        json_int_t rate = json_integer_value(value);

        if (value && (!json_is_integer(value) || rate < 1 || rate > NWF_LIMIT_MAX)) {
            return nwf_error_set(err, -EINVAL, "limits: %s: not a number from 1 to %d",
                                 nwf_limit_name((enum nwf_limit) i), NWF_LIMIT_MAX);
        }
        limits[i] = (uint16_t) rate;
        n += value != NULL;
    }
    return json_is_object(object) && n == json_object_size(object)
               ? 0
               : nwf_error_set(err, -EINVAL, "limits: not an object of broadcast, arp and new");
}

int
nwf_binding_json_member(struct nwf_binding *binding, const char *key, json_t *value,
                        struct nwf_error *err)
{
    const char *name;
    json_t *parameter;

    if (!strcmp(key, "port")) {
        return nwf_json_take_string(key, value, &binding->port, err);
    }
    if (!strcmp(key, "filter")) {
        return nwf_json_take_string(key, value, &binding->filter, err);
    }
    if (!strcmp(key, "mac")) {
        return nwf_json_take_string(key, value, &binding->own_mac, err);
    }
    if (!strcmp(key, "isolated")) {
        binding->isolated = json_is_true(value);
        return json_is_boolean(value)
                   ? 0
                   : nwf_error_set(err, -EINVAL, "isolated: neither true nor false");
    }
    if (!strcmp(key, "limits")) {
        return take_limits(value, binding->limits, err);
    }
    if (strcmp(key, "parameters") || !json_is_object(value)) {
        return nwf_error_set(err, -EINVAL, "%.80s: %s", key,
                             strcmp(key, "parameters") ? "unknown key" : "not an object");
    }
    json_object_foreach (value, name, parameter) {
        int r = add_parameter(name, parameter, &binding->params, err);
        if (r) {
            nwf_error_wrap(err, "parameters");
            return r;
        }
    }
    return 0;
}

static int
parse_binding(json_t *object, struct nwf_binding *binding, struct nwf_error *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object)) {
        return nwf_error_set(err, -EINVAL, "not an object");
    }
    json_object_foreach (object, key, value) {
        int r = nwf_binding_json_member(binding, key, value, err);
        if (r) {
            return r;
        }
    }
    if (!binding->port || !binding->filter) {
        return nwf_error_set(err, -EINVAL, "\"%s\" is missing", binding->port ? "filter" : "port");
    }
    return binding->own_mac && !nwf_params_find(&binding->params, "MAC")
               ? nwf_params_add(&binding->params, "MAC", binding->own_mac, err)
               : 0;
}

/* The end of the string that begins at 'p'. */
static const char *
skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\';
    }
    return p;
}

/* Checks how much memory the parsed text will take: a character such as "[" becomes an object of a
 * hundred bytes. */
static int
check_size(const char *file, const char *data, size_t size, struct nwf_error *err)
{
    size_t n_containers = 0, n_values = 0;

    for (const char *p = data; p < data + size; p++) {
        if (*p == '"') {
            p = skip_string(p, data + size);
        } else {
            n_containers += *p == '[' || *p == '{';
            n_values += *p == ',';
        }
        if (n_containers > NWF_JSON_CONTAINERS_MAX || n_values > NWF_JSON_VALUES_MAX) {
            return nwf_error_set(err, -E2BIG,
                                 "%s: more than %d objects and arrays, or than %d values in them",
                                 file, NWF_JSON_CONTAINERS_MAX, NWF_JSON_VALUES_MAX);
        }
    }
    return 0;
}

int
nwf_json_load_array(const char *file, const char *data, size_t size, size_t max, json_t **ret,
                    struct nwf_error *err)
{
    json_error_t cause;
    int r = check_size(file, data, size, err);

    if (r) {
        return r;
    }
    json_t *root CLEANUP(json_cleanup) = json_loadb(data, size, JSON_REJECT_DUPLICATES, &cause);
    if (!root) {
        return nwf_error_set(err, -EINVAL, "%s:%d: %s", file, cause.line, cause.text);
    }
    if (!json_is_array(root) || json_array_size(root) > max) {
        return nwf_error_set(err, -EINVAL, "%s: not an array of at most %zu bindings", file, max);
    }
    *ret = TAKE_PTR(root);
    return 0;
}

static void
drop_from(struct nwf_bindings *bindings, size_t first)
{
    while (bindings->n > first) {
        nwf_binding_clear(&bindings->data[--bindings->n]);
    }
}

int
nwf_bindings_from_json(const char *file, const char *data, size_t size, struct nwf_bindings *ret,
                       struct nwf_error *err)
{
    json_t *root CLEANUP(json_cleanup) = NULL;
    size_t first = ret->n, i;
    json_t *object;
    int r = nwf_json_load_array(file, data, size, NWF_BINDINGS_MAX, &root, err);

    if (r) {
        return r;
    }
    json_array_foreach (root, i, object) {
        struct nwf_binding binding = {.has_identity = true};

        if ((r = parse_binding(object, &binding, err))) {
            nwf_error_wrap(err, "%s: binding %zu%s%.80s", file, i, binding.port ? ", port " : "",
                           binding.port ? binding.port : "");
            nwf_binding_clear(&binding);
            drop_from(ret, first);
            return r;
        }
        nwf_vec_push(ret, binding);
    }
    return 0;
}
