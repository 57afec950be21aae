/* SPDX-License-Identifier: Apache-2.0
 *
 * Static addresses in NORMAL's table.  ovs-vswitchd keeps them in memory only, and tells of them
 * as text: a line for each address, "port VLAN MAC static". */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "keeper.h"
#include "nwf/text.h"

struct entry {
    char vlan[8], mac[24];
};

static bool
is_trusted(const struct nwf_plan *plan, unsigned int ofport)
{
    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->config.ofport == ofport && (*port)->role == NWF_TRUSTED) {
            return true;
        }
    }
    return false;
}

/* Whether the line is of a static address that a port has which is not trusted. */
static bool
read_line(const struct nwf_plan *plan, const char *line, struct entry *ret)
{
    unsigned int ofport;
    char age[8];

    /* The bridge's own port, and the heading, have no number. */
    return sscanf(line, "%u %7s %23s %7s", &ofport, ret->vlan, ret->mac, age) == 4
           && !strcmp(age, "static") && !is_trusted(plan, ofport);
}

/* Removes the address of the first line of 'table'. */
static int
remove_first(struct nwf_keeper *k, const char *table, struct nwf_error *err)
{
    char *line CLEANUP_FREE = nwf_strndup(table, strcspn(table, "\n"));
    struct entry entry;
    int r;

    if (read_line(&k->plan, line, &entry)) {
        const char *const args[] = {k->plan.name, entry.vlan, entry.mac};

        if ((r = nwf_keeper_call(k, "fdb/del", args, 3, NULL, err))) {
            return r;
        }
        k->any_static = true;
    }
    return 0;
}

int
nwf_keeper_remove_static(struct nwf_keeper *k, struct nwf_error *err)
{
    const char *const bridge = k->plan.name;
    int r;

    if (!k->fdb) {
        k->any_static = false;
        if ((r = nwf_keeper_call(k, "fdb/show", &bridge, 1, &k->fdb, err))) {
            return r;
        }
        k->fdb_rest = k->fdb;
    }
    while (*k->fdb_rest) {
        if ((r = remove_first(k, k->fdb_rest, err))) {
            return r;
        }
        k->fdb_rest += strcspn(k->fdb_rest, "\n");
        k->fdb_rest += *k->fdb_rest == '\n';
    }
    free(TAKE_PTR(k->fdb));
    return 0;
}
