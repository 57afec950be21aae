/* SPDX-License-Identifier: Apache-2.0
 *
 * Records in files; see nwf/record_file.h. */
#include <config.h>

#include "nwf/record_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nwf/file.h"
#include "nwf/filter_path.h"
#include "nwf/text.h"
#include "nwf/uplink_mac.h"

char *
nwf_record_path(const char *bridge)
{
    char *dir CLEANUP_FREE = nwf_sysconf_file("bridges.d");

    return nwf_asprintf("%s/%s.json", dir, bridge);
}

int
nwf_record_load(const char *bridge, struct nwf_record *ret, struct nwf_error *err)
{
    char *path CLEANUP_FREE = nwf_record_path(bridge);
    char *data CLEANUP_FREE = NULL;
    size_t size;

    if (!nwf_record_is_name(bridge)) {
        return nwf_error_set(err, -ENOENT, "%.80s: such a bridge has no record", bridge);
    }
    int r = nwf_file_read(path, NWF_RECORD_MAX, &data, &size, err);
    if (r) {
        return r;
    }
    return nwf_record_parse(path, data, size, bridge, ret, err);
}

bool
nwf_record_exists(const char *bridge)
{
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};

    return nwf_record_load(bridge, &record, NULL) != -ENOENT;
}

static int
make_directory(const char *path, struct nwf_error *err)
{
    return mkdir(path, 0755) && errno != EEXIST
               ? nwf_error_set(err, -errno, "%s: %s", path, strerror(errno))
               : 0;
}

static int
make_directories(struct nwf_error *err)
{
    char *parent CLEANUP_FREE = nwf_sysconf_file(NULL);
    char *dir CLEANUP_FREE = nwf_sysconf_file("bridges.d");
    int r = make_directory(parent, err);

    if (r) {
        return r;
    }
    return make_directory(dir, err);
}

static bool
is_stored(const char *bridge, const struct nwf_record *record)
{
    struct nwf_record stored CLEANUP(nwf_record_clear) = {.data = NULL};

    return !nwf_record_load(bridge, &stored, NULL) && nwf_record_equals(&stored, record);
}

int
nwf_record_store(const char *bridge, const struct nwf_record *record, struct nwf_error *err)
{
    char *path CLEANUP_FREE = nwf_record_path(bridge);
    char *text CLEANUP_FREE = nwf_record_format(bridge, record);

    if (!nwf_record_is_name(bridge) || !text) {
        return nwf_error_set(err, -EINVAL, "%.80s: %s", bridge,
                             text ? "no record can have this name" : "a tag is no UTF-8");
    }
    if (record->n > NWF_RECORD_TAGS_MAX || strlen(text) > NWF_RECORD_MAX) {
        return nwf_error_set(err, -E2BIG, "%.80s: its tags are more than a record can hold",
                             bridge);
    }
    if (is_stored(bridge, record)) {
        return 0;
    }
    int r = make_directories(err);
    if (r) {
        return r;
    }
    return nwf_file_write(path, text, strlen(text), err);
}

int
nwf_record_remove(const char *bridge, struct nwf_error *err)
{
    char *path CLEANUP_FREE = nwf_record_path(bridge);

    return !nwf_record_is_name(bridge) || unlink(path) ? nwf_error_set(
               err, nwf_record_is_name(bridge) ? -errno : -ENOENT, "%s: %s", path, strerror(errno))
                                                       : 0;
}

/* ---- Bridges that have lost their tags. ---- */

struct lost {
    char *bridge;
    struct nwf_record record;
    bool was_managed; /* Only notes were missing. */
    const struct nwf_ovs_bridge *row;
};

struct restoration {
    NWF_VEC(struct lost) bridges;
    NWF_VEC(struct nwf_tag_change) changes;
};

static void
restoration_finish(struct restoration *r)
{
    nwf_vec_foreach (lost, &r->bridges) {
        nwf_record_clear(&lost->record);
        free(lost->bridge);
    }
    nwf_vec_clear(&r->bridges);
    nwf_vec_clear(&r->changes);
}

/* Whether the key, of a record, is to be put back: what is missing of a bridge that was cleared,
 * and of our notes, is none of an operator's changes. */
static bool
is_lost(const struct nwf_ovs_bridge *bridge, const char *key)
{
    return !nwf_tag_find(bridge->tags.data, bridge->tags.n, key)
           && (bridge->config.managed == NWF_UNMANAGED
               || !strncmp(key, NWF_BRIDGE_SAVED, strlen(NWF_BRIDGE_SAVED)));
}

static void
add_bridge(struct restoration *r, const struct nwf_ovs_bridge *bridge, struct nwf_record record)
{
    nwf_vec_foreach (tag, &record) {
        if (is_lost(bridge, tag->key)) {
            nwf_vec_push(&r->changes, (struct nwf_tag_change){.bridge = bridge->row,
                                                              .key = tag->key,
                                                              .value = tag->value});
        }
    }
    nwf_vec_push(&r->bridges, (struct lost){nwf_strdup(bridge->name), record,
                                            bridge->config.managed != NWF_UNMANAGED, bridge});
}

static bool
is_whole(const struct nwf_ovs_bridge *bridge)
{
    return bridge->config.managed != NWF_UNMANAGED && bridge->secured;
}

/* The first error is kept, and the others, which the next run shows, are not. */
static int
find_lost(const struct nwf_ovs_bridges *bridges, struct restoration *ret, struct nwf_error *err)
{
    int result = 0;

    nwf_vec_foreach (bridge, bridges) {
        struct nwf_record record = {.data = NULL};
        int r = is_whole(bridge) ? -ENOENT
                                 : nwf_record_load(bridge->name, &record, result ? NULL : err);
        if (!r) {
            add_bridge(ret, bridge, record);
        } else if (r != -ENOENT && !result) {
            result = r;
        }
    }
    if (!result) {
        nwf_error_clear(err); /* Of records that are not there. */
    }
    return result;
}

static void
tell(const struct restoration *restoration,
     void (*each)(const char *bridge, const char *file, void *aux), void *aux)
{
    nwf_vec_foreach (lost, &restoration->bridges) {
        char *file CLEANUP_FREE = nwf_record_path(lost->bridge);
        if (!lost->was_managed) {
            each(lost->bridge, file, aux);
        }
    }
}

int
nwf_records_find_lost(struct nwf_ovsdb *db,
                      void (*lost)(const char *bridge, const char *file, void *aux), void *aux,
                      struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear);
    struct restoration restoration CLEANUP(restoration_finish) = {.bridges = {.data = NULL}};

    nwf_ovsdb_bare_bridges(db, &bridges);
    int r = find_lost(&bridges, &restoration, err);
    tell(&restoration, lost, aux);
    return r;
}

/* Back with its tags, the bridge is shut again in the same transaction. */
static struct nwf_txn *
restoration_begin(struct nwf_ovsdb *db, const struct restoration *restoration)
{
    struct nwf_txn *txn = restoration->bridges.n ? nwf_txn_new(db) : NULL;

    if (txn) {
        nwf_txn_change(txn, restoration->changes.data, restoration->changes.n);
        nwf_vec_foreach (lost, &restoration->bridges) {
            char *hwaddr CLEANUP_FREE = nwf_recorded_hwaddr(&lost->record);
            nwf_txn_shut(txn, lost->row);
            if (hwaddr) { /* At once: the host may be cut off without it. */
                nwf_txn_set_hwaddr(txn, lost->row, hwaddr);
            }
        }
    }
    return txn;
}

int
nwf_records_restore(struct nwf_ovsdb *db,
                    void (*restored)(const char *bridge, const char *file, void *aux), void *aux,
                    struct nwf_txn **ret_txn, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear);
    struct restoration restoration CLEANUP(restoration_finish) = {.bridges = {.data = NULL}};

    nwf_ovsdb_bare_bridges(db, &bridges);
    int r = find_lost(&bridges, &restoration, err);
    *ret_txn = restoration_begin(db, &restoration);
    tell(&restoration, restored, aux);
    return r;
}

int
nwf_record_restore(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct restoration restoration CLEANUP(restoration_finish) = {.bridges = {.data = NULL}};
    struct nwf_record record = {.data = NULL};

    int r = is_whole(bridge) ? -ENOENT : nwf_record_load(bridge->name, &record, err);

    if (r == -ENOENT) {
        nwf_error_clear(err);
        return 0;
    }
    if (r) {
        nwf_error_wrap(err,
                       "%s: its record says what it was like before, and cannot be read; "
                       "mend or remove it",
                       bridge->name);
        return r;
    }
    add_bridge(&restoration, bridge, record);
    return nwf_ovsdb_write_tags(db, restoration.changes.data, restoration.changes.n, err);
}
