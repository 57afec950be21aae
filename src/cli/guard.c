/* SPDX-License-Identifier: Apache-2.0
 *
 * guard: what was kept from leaving an uplink, and which port has sent it. */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "guard_lock.h"
#include "nwf/offenders.h"
#include "nwf/text.h"

DEFINE_CLEANUP(json_t, json, json_decref)

static const char *const headings[] = {"bridge", "uplink",  "port",   "mac",      "vlan",
                                       "reason", "packets", "locked", "last seen"};

/* What was found on a bridge. */
struct found {
    const char *bridge;
    struct nwf_offenders offenders;
};

struct found_list {
    struct found *data;
    size_t n, allocated;
};

static void
found_clear(struct found_list *list)
{
    nwf_vec_foreach (found, list) {
        nwf_offenders_clear(&found->offenders);
    }
    nwf_vec_clear(list);
}

/* ---- Printing. ---- */

static char *
mac_text(const struct nwf_mac *mac)
{
    const uint8_t *o = mac->octets;

    return nwf_asprintf("%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5]);
}

/* The second lock does not say what is wrong with a frame. */
static const char *
reason_of(const struct nwf_offender *offender)
{
    return !offender->is_learned ? NULL
           : offender->n_locked && offender->n_locked == offender->n_packets
               ? "second lock"
               : nwf_offence_to_string(offender->offence);
}

static void
add_row(struct nwf_rows *rows, const char *bridge, const struct nwf_offender *offender)
{
    char *mac CLEANUP_FREE = mac_text(&offender->mac);
    char *vlan CLEANUP_FREE = offender->vid ? nwf_asprintf("%u", offender->vid) : nwf_strdup("");
    char *packets CLEANUP_FREE = nwf_asprintf("%" PRIu64, offender->n_packets);
    char *locked CLEANUP_FREE = nwf_asprintf("%" PRIu64, offender->n_locked);
    char *seen CLEANUP_FREE =
        offender->idle < 0 ? nwf_strdup("") : nwf_asprintf("%d s ago", offender->idle);

    nwf_rows_add(rows, bridge);
    nwf_rows_add(rows, offender->uplink ? offender->uplink : "");
    nwf_rows_add(rows, offender->port);
    nwf_rows_add(rows, offender->is_learned ? mac : "(others)");
    nwf_rows_add(rows, vlan);
    nwf_rows_add(rows, reason_of(offender) ? reason_of(offender) : "");
    nwf_rows_add(rows, packets);
    nwf_rows_add(rows, locked);
    nwf_rows_add(rows, seen);
}

/* So many seconds ago, by RFC 3339; null if that is not known. */
static json_t *
time_to_json(int idle)
{
    time_t then = time(NULL) - idle;
    char text[sizeof "2000-01-01T00:00:00Z" + 16];
    struct tm tm;

    return idle >= 0 && gmtime_r(&then, &tm)
                   && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm)
               ? json_string(text)
               : json_null();
}

/* A name that is no UTF-8 has such bytes made visible. */
static json_t *
name_to_json(const char *name)
{
    char *clean CLEANUP_FREE = name ? nwf_text_clean(name, NWF_ERROR_MAX) : NULL;

    return clean ? json_string(clean) : json_null();
}

static void
add_object(json_t *array, const char *bridge, const struct nwf_offender *offender)
{
    char *mac CLEANUP_FREE = mac_text(&offender->mac);
    json_t *object = json_object();

    json_object_set_new(object, "bridge", name_to_json(bridge));
    json_object_set_new(object, "uplink", name_to_json(offender->uplink));
    json_object_set_new(object, "port", name_to_json(*offender->port ? offender->port : NULL));
    json_object_set_new(object, "mac", offender->is_learned ? json_string(mac) : json_null());
    json_object_set_new(object, "vlan", offender->vid ? json_integer(offender->vid) : json_null());
    json_object_set_new(object, "reason",
                        reason_of(offender) ? json_string(reason_of(offender)) : json_null());
    json_object_set_new(object, "packets", json_integer((json_int_t) offender->n_packets));
    json_object_set_new(object, "locked", json_integer((json_int_t) offender->n_locked));
    json_object_set_new(object, "last_seen", time_to_json(offender->idle));
    json_array_append_new(array, object);
}

static void
print_rows(const struct found_list *list)
{
    struct nwf_rows rows;

    nwf_rows_init(&rows, headings, sizeof headings / sizeof headings[0]);
    nwf_vec_foreach (found, list) {
        nwf_vec_foreach (offender, &found->offenders) {
            add_row(&rows, found->bridge, offender);
        }
    }
    nwf_rows_print(&rows, false);
}

static void
print_json(const struct found_list *list)
{
    json_t *array CLEANUP(json_cleanup) = json_array();

    nwf_cli_stop_alarm();
    nwf_vec_foreach (found, list) {
        nwf_vec_foreach (offender, &found->offenders) {
            add_object(array, found->bridge, offender);
        }
    }
    json_dumpf(array, stdout, JSON_INDENT(2));
    putchar('\n');
}

/* ---- Finding. ---- */

static int
add_bridge(const struct nwf_cli *cli, const struct nwf_ovs_bridge *bridge, struct found_list *list,
           struct nwf_error *err)
{
    struct nwf_conn *conn CLEANUP(nwf_conn_cleanup) =
        nwf_conn_new(bridge->name, cli->versions, cli->timeout_ms);
    struct nwf_flow_counts counts CLEANUP(nwf_flow_counts_clear) = {.data = NULL};
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    int r;

    nwf_plan_init(&plan, bridge->name);
    nwf_offenders_ask(conn, &counts);
    if ((r = nwf_conn_block(conn, err))) {
        return r;
    }
    nwf_plan_update(&plan, bridge, &cli->sources, true);
    nwf_vec_push(list, (struct found){.bridge = bridge->name});
    nwf_offenders_list(&plan, &counts, &list->data[list->n - 1].offenders);
    return nwf_guard_add_lock(&plan, &list->data[list->n - 1].offenders, err);
}

static bool
is_guarded(const struct nwf_ovs_bridge *bridge)
{
    struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);

    (void) nwf_routed_config_read(bridge->tags.data, bridge->tags.n, &config, NULL);
    return bridge->config.managed != NWF_UNMANAGED && nwf_routed_has_guards(&config);
}

static int
add_named(struct nwf_cli *cli, const struct nwf_ovs_bridges *bridges, struct found_list *list,
          struct nwf_error *err)
{
    int r = 0;

    for (int i = 0; !r && i < cli->argc; i++) {
        const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(bridges, cli->argv[i], err);
        if (!bridge) {
            return -ENOENT;
        }
        if (!is_guarded(bridge)) {
            return nwf_error_set(
                err, -EINVAL, "%s: no NIC of it is guarded; see ovs-nwfilter manage", bridge->name);
        }
        r = add_bridge(cli, bridge, list, err);
    }
    return r;
}

static int
add_all(const struct nwf_cli *cli, const struct nwf_ovs_bridges *bridges, struct found_list *list,
        struct nwf_error *err)
{
    int r;

    nwf_vec_foreach (bridge, bridges) {
        if (is_guarded(bridge) && (r = add_bridge(cli, bridge, list, err))) {
            return r;
        }
    }
    return 0;
}

static int
guard(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct found_list list CLEANUP(found_clear) = {.data = NULL};
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bare_bridges(db, &bridges);
    r = cli->argc ? add_named(cli, &bridges, &list, err) : add_all(cli, &bridges, &list, err);
    if (r) {
        return r;
    }
    if (cli->json) {
        print_json(&list);
    } else {
        print_rows(&list);
    }
    return NWF_EXIT_OK;
}

const struct nwf_verb nwf_guard_verbs[] = {
    {"guard", "[BRIDGE...]", "what was kept from leaving guarded NICs, and which port has sent it",
     0, INT_MAX, .needs_policies = true, .run = guard},
    {.name = NULL},
};
