/* SPDX-License-Identifier: Apache-2.0
 *
 * What "routed apply" is about to do: the options, as manage checks them, and what of the host they
 * concern; see apply.h. */
#include <config.h>

#include "apply.h"

#include <errno.h>
#include <string.h>

#include "manage.h"
#include "nwf/record_file.h"
#include "openvswitch/poll-loop.h"

#include "lib/timeval.h"

/* How long a gateway is asked for before anything is changed, and how often, milliseconds. */
#define ASK_MS 2000
#define ASK_AGAIN_MS 100

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
