/* SPDX-License-Identifier: Apache-2.0
 *
 * diff: what sync would change. */
#include <config.h>

#include <errno.h>
#include <limits.h>

#include "sync.h"

/* Guests that are not protected although nothing is left to change. */
static bool
complain_of_guests(const struct nwf_plan *plan)
{
    bool any = false;

    nwf_vec_foreach (port, &plan->ports) {
        const struct nwf_error *error = nwf_plan_port_error(*port);
        if ((*port)->role == NWF_GUEST && error->text && !nwf_plan_is_unreached(*port)) {
            nwf_cli_complain_of((*port)->config.name, nwf_error_text(error));
            any = true;
        }
    }
    return any;
}

static int
diff_one(const struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name, const void *aux,
         struct nwf_error *err)
{
    struct nwf_keeper *keeper CLEANUP(nwf_keeper_cleanup) = NULL;
    const struct nwf_keeper_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
        .once = true,
        .dry_run = true,
        .report = nwf_cli_print_change,
    };
    int r = nwf_cli_settle(cli, db, name, &options, &keeper, err);

    (void) aux;
    if (r) {
        return r;
    }
    const struct nwf_keeper_counts *counts = nwf_keeper_counts(keeper);
    if (complain_of_guests(nwf_keeper_plan(keeper))) {
        return NWF_EXIT_ERROR;
    }
    return counts->n_added || counts->n_replaced || counts->n_deleted ? NWF_EXIT_DIFFERENT
                                                                      : NWF_EXIT_OK;
}

static int
diff(struct nwf_cli *cli, struct nwf_error *err)
{
    return nwf_cli_for_bridges(cli, true, diff_one, NULL, err);
}

const struct nwf_verb nwf_diff_verbs[] = {
    {"diff", "[BRIDGE...]", "show what sync would change; exit 2 if anything", 0, INT_MAX,
     .needs_policies = true, .run = diff},
    {.name = NULL},
};
