/* SPDX-License-Identifier: Apache-2.0
 *
 * routed plan, apply and confirm; see routed.h. */
#include <config.h>

#include "routed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "manage.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/poll-loop.h"

#include "lib/timeval.h"

/* How long a gateway is asked for before anything is changed, and how often, milliseconds. */
#define ASK_MS 2000
#define ASK_AGAIN_MS 100

static unsigned int confirm_s = 60;

void
nwf_routed_job_clear(struct nwf_routed_job *job)
{
    nwf_record_clear(&job->tags);
    nwf_record_clear(&job->before);
    nwf_routed_config_clear(&job->config);
    nwf_adoption_clear(&job->adoption);
    nwf_vec_clear(&job->gateways);
}

bool
nwf_routed_adopts(const struct nwf_routed_job *job)
{
    return job->config.via == NWF_VIA_FLOWS;
}

const char *
nwf_routed_device(const struct nwf_routed_job *job, bool after)
{
    return after && nwf_routed_adopts(job) ? job->bridge : job->config.uplink;
}

/* ---- What there is. ---- */

/* The gateways of default routes, each once. */
static void
list_gateways(const struct nwf_moved *moved, struct nwf_routed_job *job)
{
    nwf_vec_foreach (route, &moved->routes) {
        bool is_new = !route->to.prefix_len && route->has_via;
        nwf_vec_foreach (gateway, &job->gateways) {
            is_new = is_new && !nwf_address_equals(&gateway->address, &route->via);
        }
        if (is_new) {
            nwf_vec_push(&job->gateways, (struct nwf_routed_gateway){.address = route->via});
        }
    }
}

static void
ask_gateways(struct nwf_routed_job *job)
{
    const long long int end = time_msec() + ASK_MS;

    for (;;) {
        bool all = true;
        nwf_vec_foreach (gateway, &job->gateways) {
            if (!gateway->answers) {
                (void) nwf_gateway_probe(job->config.uplink, &gateway->address, &gateway->answers,
                                         NULL);
            }
            all &= gateway->answers;
        }
        if (all || time_msec() >= end) {
            return;
        }
        poll_timer_wait(ASK_AGAIN_MS);
        poll_block();
    }
}

/* An uplink that is on the bridge already, with its addresses there, needs none of this. */
static int
look_at_uplink(const struct nwf_ovs_bridge *bridge, struct nwf_routed_job *job,
               struct nwf_error *err)
{
    struct nwf_moved moved;
    int r = nwf_routed_adopts(job)
                ? nwf_adoption_plan(bridge, job->config.uplink, &job->adoption, err)
                : nwf_moved_read(job->config.uplink, &moved, err);

    if (r == -EOPNOTSUPP && !nwf_routed_adopts(job)) { /* It stays where it is. */
        nwf_error_clear(err);
        return 0;
    }
    if (r) {
        return r;
    }
    list_gateways(nwf_routed_adopts(job) ? &job->adoption.moved : &moved, job);
    if (!nwf_routed_adopts(job)) {
        nwf_moved_clear(&moved);
    }
    ask_gateways(job);
    return 0;
}

int
nwf_routed_look(struct nwf_cli *cli, struct nwf_ovsdb *db, struct nwf_routed_job *job,
                struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge;
    int r;

    nwf_manage_set_routed();
    job->bridge = cli->argv[0];
    nwf_manage_list_tags(&job->tags);
    if ((r = nwf_manage_check(cli, err))
        || (r = nwf_routed_config_read(job->tags.data, job->tags.n, &job->config, err))) {
        return r;
    }
    if (!(bridge = nwf_cli_read_bridge(db, job->bridge, &bridges, err))) {
        return -ENOENT;
    }
    if ((r = nwf_manage_check_nics(cli, &bridges, bridge, &job->tags, err))) {
        return r;
    }
    job->was_managed = bridge->config.managed != NWF_UNMANAGED || nwf_record_exists(bridge->name);
    nwf_record_from_tags(bridge->tags.data, bridge->tags.n, &job->before);
    if (nwf_tag_find(job->before.data, job->before.n, NWF_BRIDGE_MOVED)) {
        return nwf_error_set(err, -EALREADY,
                             "%s: %s has been put onto it already; see ovs-nwfilter unmanage",
                             bridge->name, job->config.uplink);
    }
    return look_at_uplink(bridge, job, err);
}

/* ---- The verbs. ---- */

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
