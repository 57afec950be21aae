/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of conntrack zones, by ovs-vswitchd's dpctl commands; see zone_limits.h.
 *
 * The datapath has one table of connections for all.  Limits are the datapath's: one in user space
 * forgets them with ovs-vswitchd, one in the kernel keeps them.  So they are read and mended in
 * each run. */
#include <config.h>

#include "zone_limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nwf/text.h"
#include "nwf/vswitchd.h"
#include "openvswitch/dynamic-string.h"

struct limits {
    const char *datapath;
    unsigned int timeout_ms;
    bool is_set[0x10000]; /* By zone: to NWF_ZONE_LIMIT. */
};

static void
read_line(struct limits *l, const char *line)
{
    unsigned int zone, limit;

    if (sscanf(line, "zone=%u,limit=%u", &zone, &limit) == 2 && zone <= UINT16_MAX) {
        l->is_set[zone] = limit == NWF_ZONE_LIMIT;
    }
}

/* Reads the limits of the zones that have some of their own. */
static int
read_limits(struct limits *l, struct nwf_error *err)
{
    char *table CLEANUP_FREE = NULL, *rest = NULL;
    int r;

    if ((r = nwf_vswitchd_call("dpctl/ct-get-limits", &l->datapath, 1, l->timeout_ms, &table,
                               err))) {
        return r;
    }
    for (char *line = strtok_r(table, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        read_line(l, line);
    }
    return 0;
}

static int
set_limit(const struct limits *l, uint16_t zone, struct nwf_error *err)
{
    char *setting CLEANUP_FREE = nwf_asprintf("zone=%u,limit=%u", zone, NWF_ZONE_LIMIT);
    char *output CLEANUP_FREE = NULL;

    return nwf_vswitchd_call("dpctl/ct-set-limits", (const char *const[]){l->datapath, setting}, 2,
                             l->timeout_ms, &output, err);
}

static int
limit_ports(const struct limits *l, const struct nwf_plan *plan, struct nwf_error *err)
{
    int r = 0;

    nwf_vec_foreach (port, &plan->ports) {
        if (!r && port->zone && !l->is_set[port->zone]) {
            r = set_limit(l, port->zone, err);
        }
    }
    return r;
}

static int
free_unused(const struct limits *l, const uint8_t *zones, struct nwf_error *err)
{
    struct ds list CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    char *output CLEANUP_FREE = NULL;

    for (unsigned int zone = NWF_ZONE_FIRST; zone <= UINT16_MAX; zone++) {
        if (l->is_set[zone] && !zones[zone]) {
            ds_put_format(&list, "%s%u", list.length ? "," : "zone=", zone);
        }
    }
    return list.length ? nwf_vswitchd_call("dpctl/ct-del-limits",
                                           (const char *const[]){l->datapath, ds_cstr(&list)}, 2,
                                           l->timeout_ms, &output, err)
                       : 0;
}

static bool
has_zones(const struct nwf_plan *plan)
{
    nwf_vec_foreach (port, &plan->ports) {
        if (port->zone || port->old_zone) {
            return true;
        }
    }
    return false;
}

int
nwf_zone_limits_apply(struct nwf_plan *plan, bool all, unsigned int timeout_ms,
                      struct nwf_error *err)
{
    struct nwf_error cause = NWF_ERROR_INIT;
    int r = 0;

    if (has_zones(plan)) {
        struct limits *l CLEANUP_FREE = nwf_zalloc(sizeof *l);

        l->datapath = plan->datapath;
        l->timeout_ms = timeout_ms;
        if (!(r = read_limits(l, &cause)) && !(r = limit_ports(l, plan, &cause)) && all) {
            r = free_unused(l, plan->zones, &cause);
        }
    }
    if (r == -EIO) { /* What ovs-vswitchd answers. */
        plan->no_limits = nwf_strdup(nwf_error_text(&cause));
        r = 0;
    } else if (r) {
        nwf_error_set(err, r, "%s", nwf_error_text(&cause));
    }
    nwf_error_clear(&cause);
    return r;
}

int
nwf_zone_limits_free(const char *datapath_type, const uint8_t zones[0x10000],
                     unsigned int timeout_ms, struct nwf_error *err)
{
    char *datapath CLEANUP_FREE = nwf_asprintf("%s@ovs-%s", datapath_type, datapath_type);
    struct limits *l CLEANUP_FREE = nwf_zalloc(sizeof *l);
    int r;

    l->datapath = datapath;
    l->timeout_ms = timeout_ms;
    if ((r = read_limits(l, err))) {
        return r;
    }
    return free_unused(l, zones, err);
}
