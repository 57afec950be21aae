/* SPDX-License-Identifier: Apache-2.0
 *
 * Static addresses in NORMAL's table; see fdb.h.  ovs-vswitchd keeps them in memory only, and
 * tells of them as text: a line for each address, "port VLAN MAC static". */
#include <config.h>

#include "fdb.h"

#include <stdio.h>
#include <string.h>

#include "nwf/text.h"
#include "nwf/vswitchd.h"

static bool
is_trusted(const struct nwf_plan *plan, unsigned int ofport)
{
    nwf_vec_foreach (port, &plan->ports) {
        if (port->ofport == ofport && port->role == NWF_TRUSTED) {
            return true;
        }
    }
    return false;
}

static int
remove_line(const struct nwf_plan *plan, const char *line, unsigned int timeout_ms, bool *any,
            struct nwf_error *err)
{
    char vlan[8], mac[24], age[8], *output CLEANUP_FREE = NULL;
    unsigned int ofport;

    /* The bridge's own port, and the heading, have no number. */
    if (sscanf(line, "%u %7s %23s %7s", &ofport, vlan, mac, age) != 4 || strcmp(age, "static")
        || is_trusted(plan, ofport)) {
        return 0;
    }
    *any = true;
    return nwf_vswitchd_call("fdb/del", (const char *const[]){plan->name, vlan, mac}, 3, timeout_ms,
                             &output, err);
}

int
nwf_fdb_remove_static(const struct nwf_plan *plan, unsigned int timeout_ms, bool *ret_any,
                      struct nwf_error *err)
{
    char *table CLEANUP_FREE = NULL, *rest = NULL;
    const char *const bridge = plan->name;
    int r;

    *ret_any = false;
    if ((r = nwf_vswitchd_call("fdb/show", &bridge, 1, timeout_ms, &table, err))) {
        return r;
    }
    for (char *line = strtok_r(table, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if ((r = remove_line(plan, line, timeout_ms, ret_any, err))) {
            return r;
        }
    }
    return 0;
}
