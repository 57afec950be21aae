/* SPDX-License-Identifier: Apache-2.0
 *
 * routed plan: what "routed apply" would change, as a table: what, of which kind, now and then. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "../engine/host_settings.h"
#include "../engine/routes.h"
#include "manage.h"
#include "nwf/nic_lock.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "apply.h"

#include "openvswitch/dynamic-string.h"

/* What is not there. */
#define NONE "-"

static const char *const headings[] = {"kind", "what", "now", "then"};

static void
add(struct nwf_rows *rows, const char *kind, const char *what, const char *now, const char *then)
{
    nwf_rows_add(rows, kind);
    nwf_rows_add(rows, what);
    nwf_rows_add(rows, now ? now : NONE);
    nwf_rows_add(rows, then ? then : NONE);
}

static const char *
find(const struct nwf_record *tags, const char *key)
{
    return nwf_tag_find(tags->data, tags->n, key);
}

/* Of a device: a new string; NULL: it has none. */
static char *
mac_text(const char *device)
{
    struct nwf_mac mac;
    const uint8_t *o = mac.octets;

    return nwf_nic_own_mac(device, &mac)
               ? NULL
               : nwf_asprintf("%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5]);
}

/* ---- The bridge. ---- */

static void
add_bridge(struct nwf_rows *rows, const struct nwf_ovs_bridge *bridge,
           const struct nwf_routed_job *job)
{
    char *record CLEANUP_FREE = nwf_record_path(bridge->name);

    if (!bridge->secure) {
        add(rows, "fail mode", bridge->name, "standalone", "secure");
    }
    for (size_t i = 0; i < NWF_N_MANAGE_KEYS; i++) {
        const char *key = nwf_manage_keys[i];
        const char *now = find(&job->before, key), *then = find(&job->tags, key);
        if (now || then) {
            if (!now || !then || strcmp(now, then)) {
                add(rows, "tag", key, now, then);
            }
        }
    }
    add(rows, "record", record, nwf_record_exists(bridge->name) ? "there" : NULL, "these tags");
}

/* The bridge's MAC address is its uplink's. */
static void
add_mac(struct nwf_rows *rows, const struct nwf_routed_job *job)
{
    char *now CLEANUP_FREE = mac_text(job->bridge);
    char *then CLEANUP_FREE = mac_text(job->config.uplink);

    if (then && (!now || strcmp(now, then))) {
        add(rows, "MAC", job->bridge, now, then);
    }
}

/* ---- By flows: the uplink's move. ---- */

static void
add_moved(struct nwf_rows *rows, char *text, const struct nwf_routed_job *job)
{
    char *space = strchr(text, ' ');

    *space = '\0'; /* Behind "address" or "route". */
    add(rows, text, space + 1, job->adoption.nic, job->bridge);
    free(text);
}

static void
add_adoption(struct nwf_rows *rows, const struct nwf_routed_job *job)
{
    const struct nwf_adoption *a = &job->adoption;

    if (a->joins) {
        char *then CLEANUP_FREE = nwf_asprintf("on %s, guarded", job->bridge);
        add(rows, "port", a->nic, NULL, then);
    }
    if (a->lifts) {
        add(rows, "link", job->bridge, "down", "up");
    }
    nwf_vec_foreach (address, &a->moved.addresses) {
        add_moved(rows, nwf_moved_address_format(address), job);
    }
    nwf_vec_foreach (route, &a->moved.routes) {
        add_moved(rows, nwf_moved_route_format(route), job);
    }
    for (size_t i = 0; i < NWF_N_NIC_SETTINGS; i++) {
        const struct nwf_nic_setting *setting = &nwf_nic_settings[i];
        char *path CLEANUP_FREE = nwf_nic_setting_path(setting, a->nic);
        if (a->before[i] && strcmp(a->before[i], setting->value)) {
            add(rows, "sysctl", path, a->before[i], setting->value);
        }
    }
}

/* ---- Through the host. ---- */

static void
add_items(struct nwf_rows *rows, const struct nwf_host_items *items, const char *owner)
{
    char *then CLEANUP_FREE = nwf_asprintf("there, for %s", owner);

    nwf_vec_foreach (item, items) {
        char *text CLEANUP_FREE = nwf_host_item_format(item);
        char *space = strchr(text, ' ');
        if (item->kind == NWF_HOST_UP) {
            if (!nwf_device_is_up(item->device)) {
                add(rows, "link", item->device, "down", "up");
            }
        } else if (space) {
            *space = '\0';
            add(rows, text, space + 1, NULL, then);
        }
    }
}

static void
add_setting(const char *path, const char *now, const char *then, void *rows)
{
    add(rows, "sysctl", path, now, then);
}

static void
add_host(struct nwf_rows *rows, struct nwf_plan *plan, struct nwf_host *host)
{
    const struct nwf_host_places places = nwf_plan_places(plan);
    struct nwf_host_items items = {.data = NULL};

    nwf_host_settings_each(host, &places, add_setting, rows);
    nwf_plan_list_bridge_items(plan, host, &items);
    add_items(rows, &items, plan->name);
    nwf_vec_clear(&items);
    nwf_vec_foreach (port, &plan->ports) {
        struct nwf_host_items routes = {.data = NULL};
        const char *cause;
        nwf_plan_list_routes(plan, *port, &routes, &cause);
        add_items(rows, &routes, (*port)->config.name);
        nwf_vec_clear(&routes);
    }
}

/* The plan of the bridge as it will be. */
static int
plan_host(struct nwf_rows *rows, const struct nwf_cli *cli, const struct nwf_ovs_bridge *bridge,
          const struct nwf_routed_job *job, struct nwf_error *err)
{
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = NULL;
    struct nwf_plan plan CLEANUP(nwf_plan_finish);
    struct nwf_ovs_bridge wanted = *bridge;
    uint8_t *zones CLEANUP_FREE = nwf_zalloc(0x10000);
    int r;

    wanted.tags.data = job->tags.data;
    wanted.tags.n = job->tags.n;
    nwf_bridge_config_read(job->tags.data, job->tags.n, &wanted.config);
    nwf_plan_init(&plan, bridge->name);
    plan.zones = zones;
    if ((r = nwf_host_open(bridge->name, &host, err)) || (r = nwf_host_run(host, err))) {
        return r;
    }
    plan.host = host;
    nwf_host_set_uplink(host, job->config.uplink);
    nwf_plan_update(&plan, &wanted, &cli->sources, true);
    if (!(r = nwf_plan_compute(&plan, &cli->sources, err))) {
        add_host(rows, &plan, host);
    }
    plan.host = NULL;
    return r;
}

/* ---- What else there is to say. ---- */

static void
add_lock(struct nwf_rows *rows, const struct nwf_routed_job *job, const char *nic)
{
    char *what CLEANUP_FREE = nwf_asprintf("netdev ovs-nwfilter-%s", job->bridge);
    struct ds then = DS_EMPTY_INITIALIZER;

    ds_put_format(&then, "%s sends from its own MAC", nic);
    nwf_vec_foreach (mac, &job->config.guard_macs) {
        const uint8_t *o = mac->mac.octets;
        ds_put_format(&then, ", %02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5]);
        if (mac->vid) {
            ds_put_format(&then, "@%u", mac->vid);
        }
    }
    add(rows, "ruleset", what, NULL, ds_cstr(&then));
    ds_destroy(&then);
}

static void
add_locks(struct nwf_rows *rows, const struct nwf_routed_job *job)
{
    nwf_vec_foreach (name, &job->config.guards) {
        add_lock(rows, job, *name);
    }
    if (nwf_routed_adopts(job)) {
        add_lock(rows, job, job->config.uplink);
    }
}

static void
add_gateways(struct nwf_rows *rows, const struct nwf_routed_job *job)
{
    nwf_vec_foreach (gateway, &job->gateways) {
        char *text CLEANUP_FREE = nwf_address_format(&gateway->address);
        add(rows, "gateway", text, gateway->answers ? "answers" : "does not answer",
            gateway->answers ? "has to answer" : "is not expected to");
    }
}

int
nwf_routed_print(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_routed_job *job,
                 struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge = nwf_cli_read_bridge(db, job->bridge, &bridges, err);
    struct nwf_rows rows;
    int r = 0;

    if (!bridge) {
        return -ENOENT;
    }
    nwf_rows_init(&rows, headings, sizeof headings / sizeof headings[0]);
    add_bridge(&rows, bridge, job);
    add_mac(&rows, job);
    add_locks(&rows, job);
    if (nwf_routed_adopts(job)) {
        add_adoption(&rows, job);
    } else {
        r = plan_host(&rows, cli, bridge, job, err);
    }
    if (r) {
        nwf_vec_foreach (cell, &rows.cells) {
            free(*cell);
        }
        nwf_vec_clear(&rows.cells);
        return r;
    }
    add_gateways(&rows, job);
    nwf_rows_print(&rows, cli->json);
    return NWF_EXIT_OK;
}
