/* SPDX-License-Identifier: Apache-2.0
 *
 * routed plan, apply and confirm; see apply.h. */
#include <config.h>

#include "apply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "manage.h"
#include "nwf/text.h"

static unsigned int confirm_s = 60;

static int
parse_seconds(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    int64_t n;

    if (!nwf_parse_int(argument, 0, 3600, &n)) {
        return nwf_error_set(err, -EINVAL, "--%s: \"%.80s\" is not a number of seconds up to 3600",
                             option->name, argument);
    }
    *(unsigned int *) option->value = (unsigned int) n;
    return 0;
}

static const struct nwf_option apply_options[] = {
    {"confirm", "SECONDS", parse_seconds, &confirm_s,
     "undo all of it unless it is confirmed by then (60); 0: it needs no confirmation"},
    {.name = NULL},
};

static int
plan(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_routed_job job CLEANUP(nwf_routed_job_clear) = {.bridge = NULL};
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    if (r || (r = nwf_routed_look(cli, db, &job, err))) {
        return r;
    }
    return nwf_routed_print(cli, db, &job, err);
}

/* The connection to the database is this process's own, and so it ends before the other one's
 * begins. */
static int
look(struct nwf_cli *cli, struct nwf_routed_job *job, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    return r ? r : nwf_routed_look(cli, db, job, err);
}

static int
apply(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_routed_job job CLEANUP(nwf_routed_job_clear) = {.bridge = NULL};
    int r = look(cli, &job, err);

    if (r) {
        return r;
    }
    nwf_cli_stop_alarm();
    return nwf_routed_apply(cli, &job, confirm_s, err);
}

static int
confirm(struct nwf_cli *cli, struct nwf_error *err)
{
    char *answer CLEANUP_FREE = NULL;
    int r = nwf_routed_send(cli->argc ? cli->argv[0] : NULL, cli->timeout_ms, &answer, err);

    if (!r) {
        puts(answer);
    }
    return r;
}

const struct nwf_verb nwf_routed_verbs[] = {
    {"routed plan", "BRIDGE", "what \"routed apply\" would change", 1, 1, nwf_manage_options,
     .needs_policies = true, .run = plan},
    {"routed apply", "BRIDGE",
     "manage a routed bridge, the uplink's move onto it included; undone unless confirmed", 1, 1,
     nwf_manage_options, apply_options, .needs_policies = true, .run = apply},
    {"routed confirm", "[BRIDGE]", "what was applied shall stay", 0, 1, .run = confirm},
    {.name = NULL},
};
