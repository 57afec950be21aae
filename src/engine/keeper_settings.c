/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of the host's kernel, as a keeper makes them: noted first, in the database and on
 * record, and then changed. */
#include <config.h>

#include <string.h>

#include "host_settings.h"
#include "keeper.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "routes.h"

/* The note in the database, else the one on record; NULL: there is none.  False: the bridge has
 * lost its tags, and gets them again soon. */
bool
nwf_keeper_find_note(const struct nwf_keeper *k, char **ret)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};
    const char *note = NULL;
    bool found = false;

    nwf_ovsdb_bare_bridges(k->db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (!strcmp(bridge->name, k->plan.name) && bridge->config.managed != NWF_UNMANAGED) {
            note = nwf_tag_find(bridge->tags.data, bridge->tags.n, NWF_BRIDGE_SETTINGS);
            found = true;
        }
    }
    if (!note && !nwf_record_load(k->plan.name, &record, NULL)) {
        note = nwf_tag_find(record.data, record.n, NWF_BRIDGE_SETTINGS);
    }
    *ret = note ? nwf_strdup(note) : NULL;
    return found;
}

/* On record before anything is changed, whatever becomes of the database. */
static void
record_note(const struct nwf_keeper *k, const char *note)
{
    struct nwf_record before CLEANUP(nwf_record_clear) = {.data = NULL};
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};
    NWF_VEC(struct nwf_tag) tags = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;

    if (nwf_record_load(k->plan.name, &before, NULL)) {
        return; /* It is made with the next look at the database. */
    }
    nwf_vec_foreach (tag, &before) {
        if (strcmp(tag->key, NWF_BRIDGE_SETTINGS)) {
            nwf_vec_push(&tags, *tag);
        }
    }
    if (note) {
        nwf_vec_push(&tags, (struct nwf_tag){NWF_BRIDGE_SETTINGS, note});
    }
    nwf_record_from_tags(tags.data, tags.n, &record);
    if (nwf_record_store(k->plan.name, &record, &err)) {
        nwf_keeper_warn_of(k, &err);
    }
    nwf_vec_clear(&tags);
}

/* Settings that have been restored are noted no more. */
static bool
make_last_note(const struct nwf_keeper *k, bool was_asked, const char *before)
{
    if (!was_asked || !before) {
        return false;
    }
    record_note(k, NULL);
    return true;
}

bool
nwf_keeper_make_note(struct nwf_keeper *k, char **ret_note)
{
    const struct nwf_host_places places = nwf_plan_places(&k->plan);
    char *before CLEANUP_FREE = NULL;
    bool was_asked = k->needs_note;

    *ret_note = NULL;
    k->needs_note = false;
    if (k->options->dry_run || (!k->host && !was_asked) || !nwf_keeper_find_note(k, &before)) {
        return false;
    }
    if (!nwf_plan_is_host_routed(&k->plan)) {
        return make_last_note(k, was_asked, before);
    }
    *ret_note = k->host ? nwf_host_settings_note(k->host, &places, before) : NULL;
    if (*ret_note) {
        record_note(k, *ret_note);
    }
    return *ret_note != NULL;
}

void
nwf_keeper_apply_settings(struct nwf_keeper *k, struct nwf_error *err)
{
    const struct nwf_host_places places = nwf_plan_places(&k->plan);
    char *note CLEANUP_FREE = NULL;
    bool missing;

    if (!nwf_keeper_find_note(k, &note)) {
        return;
    }
    (void) nwf_host_settings_apply(k->host, &places, note, &missing, err);
    k->needs_note |= missing && !k->options->once;
}
