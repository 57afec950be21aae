/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of bridges; see nwf/record.h. */
#include "nwf/record.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/role.h"
#include "nwf/text.h"

DEFINE_CLEANUP(json_t, json, json_decref)

/* Longest name of a bridge that can be one of a file. */
#define BRIDGE_NAME_MAX 200

void
nwf_record_clear(struct nwf_record *record)
{
    nwf_vec_foreach (tag, record) {
        free((char *) tag->key);
        free((char *) tag->value);
    }
    nwf_vec_clear(record);
}

bool
nwf_record_has_key(const char *key)
{
    const size_t n = strlen(NWF_BRIDGE_TAG);

    return !strncmp(key, NWF_BRIDGE_TAG, n) && (key[n] == '\0' || key[n] == '-')
           && strcmp(key, NWF_BRIDGE_STATUS);
}

bool
nwf_record_is_name(const char *bridge)
{
    return *bridge && *bridge != '.' && !strchr(bridge, '/') && strlen(bridge) <= BRIDGE_NAME_MAX;
}

void
nwf_record_from_tags(const struct nwf_tag *tags, size_t n_tags, struct nwf_record *ret)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < n_tags; i++) {
        if (nwf_record_has_key(tags[i].key)) {
            nwf_vec_push(ret, (struct nwf_tag){nwf_strdup(tags[i].key), nwf_strdup(tags[i].value)});
        }
    }
}

bool
nwf_record_equals(const struct nwf_record *a, const struct nwf_record *b)
{
    if (a->n != b->n) {
        return false;
    }
    nwf_vec_foreach (tag, a) {
        const char *other = nwf_tag_find(b->data, b->n, tag->key);
        if (!other || strcmp(other, tag->value)) {
            return false;
        }
    }
    return true;
}

static int
take_tags(json_t *ids, struct nwf_record *ret, struct nwf_error *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(ids) || json_object_size(ids) > NWF_RECORD_TAGS_MAX) {
        return nwf_error_set(err, -EINVAL, "external_ids: not an object of at most %d keys",
                             NWF_RECORD_TAGS_MAX);
    }
    json_object_foreach (ids, key, value) {
        if (!nwf_record_has_key(key) || !json_is_string(value)) {
            return nwf_error_set(err, -EINVAL, "external_ids: %.80s: %s", key,
                                 json_is_string(value) ? "unknown key" : "not a string");
        }
        nwf_vec_push(ret, (struct nwf_tag){nwf_strdup(key), nwf_strdup(json_string_value(value))});
    }
    return 0;
}

static int
take_record(json_t *root, const char *bridge, struct nwf_record *ret, struct nwf_error *err)
{
    const char *name = json_string_value(json_object_get(root, "bridge"));

    if (!name || strcmp(name, bridge)) {
        return nwf_error_set(err, -EINVAL, "not the record of a bridge called %s", bridge);
    }
    int r = take_tags(json_object_get(root, "external_ids"), ret, err);
    if (!r && !nwf_tag_find(ret->data, ret->n, NWF_BRIDGE_TAG)) {
        r = nwf_error_set(err, -EINVAL, "external_ids: \"" NWF_BRIDGE_TAG "\" is missing");
    }
    return r;
}

int
nwf_record_parse(const char *file, const char *data, size_t size, const char *bridge,
                 struct nwf_record *ret, struct nwf_error *err)
{
    json_error_t cause;
    json_t *root CLEANUP(json_cleanup) = json_loadb(data, size, JSON_REJECT_DUPLICATES, &cause);
    struct nwf_record record = {.data = NULL};

    if (!root) {
        return nwf_error_set(err, -EINVAL, "%s:%d: %s", file, cause.line, cause.text);
    }
    int r = take_record(root, bridge, &record, err);
    if (r) {
        nwf_error_wrap(err, "%s", file);
        nwf_record_clear(&record);
        return r;
    }
    *ret = record;
    return 0;
}

char *
nwf_record_format(const char *bridge, const struct nwf_record *record)
{
    json_t *ids = json_object();

    nwf_vec_foreach (tag, record) {
        if (json_object_set_new(ids, tag->key, json_string(tag->value))) {
            json_decref(ids);
            return NULL;
        }
    }
    json_t *root CLEANUP(json_cleanup) =
        json_pack("{s:s, s:o}", "bridge", bridge, "external_ids", ids);
    char *text CLEANUP_FREE = root ? json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
    return text ? nwf_asprintf("%s\n", text) : NULL;
}
