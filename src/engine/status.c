/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plan's enforcement says in OVSDB: what flows will rely on, before them; and how each
 * port fares, when they are in force. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "apply.h"
#include "nwf/text.h"
#include "plan.h"

#include "lib/timeval.h"

/* Attempts to say how ports fare, while others write their tags. */
#define TRIES_MAX 8

/* All is written but what is to be done again. */
#define NWF_STALE 1

/* 'doubt' is why no guest is known to be protected; NULL: they are. */
static char *
new_status(const struct nwf_plan_port *port, const char *doubt)
{
    switch (port->role) {
    case NWF_TRUSTED:
        return NULL;
    case NWF_GUEST:
        if (port->error.text) {
            return nwf_asprintf("error: %s", nwf_error_text(&port->error));
        }
        return doubt ? nwf_asprintf("error: %s", doubt) : nwf_strdup("active");
    case NWF_QUARANTINED:
        return nwf_asprintf("error: %s", nwf_error_text(&port->error));
    }
    return NULL;
}

struct tag_changes {
    struct nwf_tag_change *data;
    size_t n, allocated;
};

/* Notes the change from 'old' to 'new', which is taken; NULL: no such key. */
static void
change_tag(struct tag_changes *changes, const struct nwf_plan_port *port, const char *key,
           const char *old, char *new)
{
    if (new ? old && !strcmp(old, new) : !old) {
        free(new);
    } else {
        nwf_vec_push(changes,
                     (struct nwf_tag_change){.interface = &port->uuid, .key = key, .value = new});
    }
}

/* Writes 'changes' and frees them; with 'wait' until ovs-vswitchd acts on them. */
static int
write_changes(struct nwf_ovsdb *db, struct tag_changes *changes, bool wait, struct nwf_error *err)
{
    int r = wait ? nwf_ovsdb_write_tags_and_wait(db, changes->data, changes->n, err)
                 : nwf_ovsdb_write_tags(db, changes->data, changes->n, err);

    nwf_vec_foreach (change, changes) {
        free((char *) change->value);
    }
    nwf_vec_clear(changes);
    return r;
}

bool
nwf_is_no_flood(const struct nwf_plan *plan, const struct nwf_plan_port *port)
{
    return plan->bridge.use_normal && port->ofport && port->role != NWF_TRUSTED;
}

/* A port that we have excluded from floods, and that is trusted now.  (Where NORMAL is not
 * used any more, the setting does no harm.) */
bool
nwf_may_flood_again(const struct nwf_plan *plan, const struct nwf_plan_port *port)
{
    return plan->bridge.use_normal && port->ofport && port->old_no_flood
           && !nwf_is_no_flood(plan, port);
}

/* ---- Spanning tree. ---- */

static void
change_port(struct tag_changes *changes, const struct nwf_plan_port *port, bool config,
            const char *key, const char *value)
{
    nwf_vec_push(changes, (struct nwf_tag_change){.port = &port->port_uuid,
                                                  .config = config,
                                                  .key = key,
                                                  .value = value ? nwf_strdup(value) : NULL});
}

/* Ports that are not trusted take no part in spanning tree, which Open vSwitch speaks past
 * their flows: not now, nor if the bridge should come to use it. */
static bool
leave_trees(struct tag_changes *changes, struct nwf_plan_port *port)
{
    bool any = false;

    for (size_t i = 0; i < NWF_N_TREES; i++) {
        const char *old = port->old_trees[i];
        if (!old || strcmp(old, "false")) {
            if (!port->old_tree_notes[i]) {
                port->old_tree_notes[i] = nwf_strdup(old ? old : "");
                change_port(changes, port, false, nwf_tree_notes[i], port->old_tree_notes[i]);
            }
            change_port(changes, port, true, nwf_tree_keys[i], "false");
            free(port->old_trees[i]);
            port->old_trees[i] = nwf_strdup("false");
            any = true;
        }
    }
    return any;
}

/* What we have noted is put back. */
static void
return_to_trees(struct tag_changes *changes, const struct nwf_plan_port *port)
{
    for (size_t i = 0; i < NWF_N_TREES; i++) {
        const char *note = port->old_tree_notes[i];
        if (note) {
            change_port(changes, port, true, nwf_tree_keys[i], *note ? note : NULL);
            change_port(changes, port, false, nwf_tree_notes[i], NULL);
        }
    }
}

/* ---- Before the flows. ---- */

/* The same of what is *old from here on. */
static void
announce_tag(struct tag_changes *changes, const struct nwf_plan_port *port, const char *key,
             char **old, char *new)
{
    change_tag(changes, port, key, *old, nwf_strdup(new));
    free(*old);
    *old = new;
}

/* Zones are the ports' own before flows use them, and settings noted before they are made. */
int
nwf_announce(struct nwf_ovsdb *db, struct nwf_plan *plan, struct nwf_error *err)
{
    struct tag_changes changes = {.data = NULL};
    bool wait = false;

    nwf_vec_foreach (port, &plan->ports) {
        if (port->role != NWF_TRUSTED && leave_trees(&changes, port)) {
            wait |= plan->spanning_tree;
        }
        if (port->new_zone) {
            announce_tag(&changes, port, NWF_TAG_ZONE, &port->old_zone,
                         nwf_asprintf("%u", port->zone));
        }
        if (nwf_is_no_flood(plan, port) && !port->old_no_flood) {
            announce_tag(&changes, port, NWF_TAG_NO_FLOOD, &port->old_no_flood, nwf_strdup("true"));
        }
    }
    return changes.n ? write_changes(db, &changes, wait, err) : 0;
}

/* ---- Behind the flows. ---- */

/* Marks ports whose rows are not what the plan was made from any more. */
static int
find_stale(struct nwf_ovsdb *db, struct nwf_plan *plan, bool *ret_any, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    int r = nwf_ovsdb_refresh(db, err);

    if (r) {
        return r;
    }
    nwf_vec_foreach (port, &plan->ports) {
        port->stale = true;
    }
    nwf_ovsdb_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (!strcmp(bridge->name, plan->name)) {
            nwf_plan_mark_current(plan, bridge);
        }
    }
    *ret_any = false;
    nwf_vec_foreach (port, &plan->ports) {
        *ret_any |= port->stale;
    }
    return 0;
}

/* Since when the switch enforces what is called active. */
static void
change_installed(struct tag_changes *changes, const struct nwf_plan_port *port, const char *doubt)
{
    bool active = port->role == NWF_GUEST && !port->error.text && !doubt;
    bool was_active = port->old_status && !strcmp(port->old_status, "active");

    if (active && (port->changed || !was_active || !port->old_installed)) {
        change_tag(changes, port, NWF_TAG_INSTALLED, port->old_installed,
                   nwf_asprintf("%lld", time_wall_msec()));
    } else if (!active) {
        change_tag(changes, port, NWF_TAG_INSTALLED, port->old_installed, NULL);
    }
}

/* What is to be said of the port now. */
static void
change_status(struct tag_changes *changes, const struct nwf_plan *plan,
              const struct nwf_plan_port *port, const char *doubt)
{
    char *zone = port->zone ? nwf_asprintf("%u", port->zone) : NULL;
    size_t first = changes->n;

    change_tag(changes, port, NWF_TAG_STATUS, port->old_status, new_status(port, doubt));
    if (changes->n > first) {
        changes->data[first].verify = port->role == NWF_GUEST;
    }
    change_installed(changes, port, doubt);
    change_tag(changes, port, NWF_TAG_ZONE, port->old_zone, zone);
    if (nwf_may_flood_again(plan, port)) {
        change_tag(changes, port, NWF_TAG_NO_FLOOD, port->old_no_flood, NULL);
    }
    if (port->role == NWF_TRUSTED) {
        return_to_trees(changes, port);
    }
}

static int
try_to_write_status(struct nwf_ovsdb *db, struct nwf_plan *plan, const char *doubt, bool may_repeat,
                    struct nwf_error *err)
{
    struct tag_changes changes = {.data = NULL};
    bool any_stale = false;
    int r = nwf_ovsdb_is_port(db) ? 0 : find_stale(db, plan, &any_stale, err);

    if (r) {
        return r;
    }
    nwf_vec_foreach (port, &plan->ports) {
        if (port->stale && !may_repeat && !port->error.text) {
            nwf_error_set(&port->error, -EBUSY, "its rows changed while they were put in force");
        }
        if (!port->stale || !may_repeat) {
            change_status(&changes, plan, port, doubt);
        }
    }
    r = write_changes(db, &changes, false, err);
    return !r && any_stale && may_repeat ? NWF_STALE : r;
}

int
nwf_write_status(struct nwf_ovsdb *db, struct nwf_plan *plan, const char *doubt, bool may_repeat,
                 struct nwf_error *err)
{
    int r = -EAGAIN;

    for (int tries = 0; r == -EAGAIN && tries < TRIES_MAX; tries++) {
        if (err) {
            nwf_error_clear(err);
        }
        r = try_to_write_status(db, plan, doubt, may_repeat, err);
    }
    return r == NWF_STALE
               ? nwf_error_set(err, -EAGAIN, "bridge %s: its ports change all the time", plan->name)
               : r;
}
