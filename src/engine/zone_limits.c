/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of conntrack zones, by ovs-vswitchd's dpctl commands.
 *
 * The datapath has one table of connections for all, and a guest that fills it would leave no
 * room for others.  Limits are the datapath's: one in user space forgets them with ovs-vswitchd,
 * one in the kernel keeps them.  So they are read and mended whenever the switch has been read,
 * and when zones come or go. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "keeper.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"
#include "openvswitch/dynamic-string.h"

static void
read_line(bool is_set[0x10000], const char *line)
{
    unsigned int zone, limit;

    if (sscanf(line, "zone=%u,limit=%u", &zone, &limit) == 2 && zone <= UINT16_MAX) {
        is_set[zone] = limit == NWF_ZONE_LIMIT;
    }
}

/* Which zones have their limit, by what "dpctl/ct-get-limits" prints.  A new array. */
static bool *
read_limits(char *table)
{
    bool *is_set = nwf_zalloc(0x10000 * sizeof *is_set);
    char *rest = NULL;

    for (char *line = strtok_r(table, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        read_line(is_set, line);
    }
    return is_set;
}

/* Zones with a limit that nobody uses, for "dpctl/ct-del-limits"; NULL if there are none. */
static char *
list_unused(const bool is_set[0x10000], const uint8_t zones[0x10000])
{
    struct ds list = DS_EMPTY_INITIALIZER;

    for (unsigned int zone = NWF_ZONE_FIRST; zone <= UINT16_MAX; zone++) {
        if (is_set[zone] && !zones[zone]) {
            ds_put_format(&list, "%s%u", list.length ? "," : "zone=", zone);
        }
    }
    if (!list.length) {
        ds_destroy(&list);
        return NULL;
    }
    return ds_steal_cstr(&list);
}

/* ---- A keeper's. ---- */

static bool
has_zones(const struct nwf_plan *plan)
{
    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->zone || (*port)->notes.zone) {
            return true;
        }
    }
    return false;
}

static bool
has_changed_zones(const struct nwf_plan *plan)
{
    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->new_zone || (!(*port)->zone && (*port)->notes.zone)) {
            return true;
        }
    }
    return false;
}

static uint16_t
next_without_limit(const struct nwf_keeper *k)
{
    nwf_vec_foreach (port, &k->plan.ports) {
        if ((*port)->zone && !k->limits[(*port)->zone]) {
            return (*port)->zone;
        }
    }
    return 0;
}

static int
set_limits(struct nwf_keeper *k, struct nwf_error *err)
{
    uint16_t zone;
    int r;

    while ((zone = next_without_limit(k))) {
        char *setting CLEANUP_FREE = nwf_asprintf("zone=%u,limit=%u", zone, NWF_ZONE_LIMIT);
        const char *const args[] = {k->plan.datapath, setting};

        if ((r = nwf_keeper_call(k, "dpctl/ct-set-limits", args, 2, NULL, err))) {
            return r;
        }
        k->limits[zone] = true;
    }
    return 0;
}

static int
free_unused(struct nwf_keeper *k, struct nwf_error *err)
{
    nwf_keeper_count_zones(k); /* Another bridge's ports may have come by some since. */
    char *unused CLEANUP_FREE = list_unused(k->limits, k->host_zones);
    const char *const args[] = {k->plan.datapath, unused};

    return unused ? nwf_keeper_call(k, "dpctl/ct-del-limits", args, 2, NULL, err) : 0;
}

static int
limit_zones(struct nwf_keeper *k, struct nwf_error *err)
{
    const char *const datapath = k->plan.datapath;
    char *table CLEANUP_FREE = NULL;
    int r;

    if (!k->limits) {
        if ((r = nwf_keeper_call(k, "dpctl/ct-get-limits", &datapath, 1, &table, err))) {
            return r;
        }
        k->limits = read_limits(table);
    }
    if ((r = set_limits(k, err))) {
        return r;
    }
    return free_unused(k, err);
}

int
nwf_keeper_limit_zones(struct nwf_keeper *k, struct nwf_error *err)
{
    if (!has_zones(&k->plan) || (!k->is_fresh && !has_changed_zones(&k->plan))) {
        return 0;
    }
    int r = limit_zones(k, err);
    if (r == -EAGAIN) {
        return r;
    }
    free(TAKE_PTR(k->limits));
    free(TAKE_PTR(k->plan.no_limits));
    if (r == -EIO) { /* What ovs-vswitchd answers. */
        k->plan.no_limits = nwf_strdup(nwf_error_text(err));
        nwf_error_clear(err);
        r = 0;
    }
    return r;
}

/* ---- A bridge's that is given back. ---- */

int
nwf_zone_limits_free(const char *datapath_type, const uint8_t zones[0x10000],
                     unsigned int timeout_ms, struct nwf_error *err)
{
    char *datapath CLEANUP_FREE = nwf_asprintf("%s@ovs-%s", datapath_type, datapath_type);
    char *table CLEANUP_FREE = NULL, *output CLEANUP_FREE = NULL, *unused CLEANUP_FREE = NULL;
    bool *is_set CLEANUP_FREE = NULL;
    const char *const name = datapath;
    int r;

    if ((r = nwf_vswitchd_call("dpctl/ct-get-limits", &name, 1, timeout_ms, &table, err))) {
        return r;
    }
    is_set = read_limits(table);
    unused = list_unused(is_set, zones);
    return unused
               ? nwf_vswitchd_call("dpctl/ct-del-limits", (const char *const[]){datapath, unused},
                                   2, timeout_ms, &output, err)
               : 0;
}
