/* SPDX-License-Identifier: Apache-2.0
 *
 * Our flows on the switch that a command is about to change; see protect.h.  It is asked, whatever
 * switch that is, as flows of ours may be where nobody has a record of them.  Only a bridge of a
 * host on which nobody has put a flow of ours anywhere is not: the conversation with it is
 * ovs-ofctl's to the byte, in the switch's log too. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "flows_in.h"
#include "nwf/lock.h"
#include "nwf/pipeline.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"
#include "protection.h"

#include "lib/byte-order.h"
#include "lib/util.h"

static int
take_flow(const struct ofputil_flow_stats *flow, void *protection_)
{
    struct ofctl_protection *protection = protection_;

    if (ofctl_is_own_cookie(ntohll(flow->cookie))) {
        nwf_vec_push(&protection->tables[flow->table_id],
                     nwf_flow_new(flow->table_id, flow->priority, ntohll(flow->cookie),
                                  &flow->match, flow->ofpacts, flow->ofpacts_len));
    }
    return 0;
}

static int
compare_priorities(const void *a_, const void *b_)
{
    const struct nwf_flow *const *a = a_, *const *b = b_;

    return (*a)->priority - (*b)->priority;
}

/* Whether it takes flows of other tables to judge the change: where it is made by the switch
 * itself, or by a cookie, which is refused wherever any flow of ours is. */
static bool
reaches_further(const struct ofputil_flow_mod *mod)
{
    return !ofctl_is_deletion(mod)
           && (ofctl_is_own_cookie(ntohll(mod->new_cookie))
               || ofctl_learns(mod->ofpacts, mod->ofpacts_len));
}

/* All of ours, or as many as can have to do with the one change. */
static void
set_request(const struct ofputil_flow_mod *scope, struct ofputil_flow_stats_request *request)
{
    uint8_t table = OFPTT_ALL;

    if (scope && reaches_further(scope)) {
        scope = NULL;
    }
    if (scope) {
        table = scope->command == OFPFC_ADD ? ofctl_table_of(scope) : scope->table_id;
    }
    nwf_flows_request_init(request, table, NWF_COOKIE_MAGIC, NWF_COOKIE_ALL_MASK);
    if (scope && ofctl_is_deletion(scope)) {
        minimatch_expand(&scope->match, &request->match);
    }
}

static bool
is_empty(const struct ofctl_protection *protection)
{
    for (size_t table = 0; table < ARRAY_SIZE(protection->tables); table++) {
        if (protection->tables[table].n) {
            return false;
        }
    }
    return true;
}

/* Whether the switch says that it has such flows.  One that does not understand the question is no
 * Open vSwitch, and has none. */
static bool
has_flows(struct vconn *vconn, const struct ofputil_flow_stats_request *request,
          enum ofputil_protocol protocol)
{
    struct ofputil_flow_stats_request aggregate = *request;
    struct ofputil_aggregate_stats stats = {.flow_count = 0};
    enum ofptype type;

    aggregate.aggregate = true;
    struct ofpbuf *reply =
        ofctl_transact(vconn, ofputil_encode_flow_stats_request(&aggregate, protocol));
    bool is_known = !ofptype_decode(&type, reply->data) && type == OFPTYPE_AGGREGATE_STATS_REPLY
                    && !ofputil_decode_aggregate_stats_reply(&stats, reply->data);
    ofpbuf_delete(reply);
    return is_known && stats.flow_count;
}

static void
read_flows(struct ofctl_protection *protection, const struct ofputil_flow_mod *scope)
{
    struct ofputil_flow_stats_request request;
    struct vconn *vconn = ofctl_connect(protection->target);
    enum ofputil_protocol protocol = ofputil_protocol_from_ofp_version(ofctl_version(vconn));

    /* Of OpenFlow 1.0 the extension, which knows of cookies, and needs no negotiation. */
    if (protocol & OFPUTIL_P_OF10_ANY) {
        protocol = OFPUTIL_P_OF10_NXM_TID;
    }
    set_request(scope, &request);
    if (has_flows(vconn, &request, protocol)) {
        ofctl_read_flows(vconn, &request, protocol, take_flow, protection);
    }
    vconn_close(vconn);
}

static void
sort_flows(struct ofctl_protection *protection)
{
    for (size_t table = 0; table < ARRAY_SIZE(protection->tables); table++) {
        if (protection->tables[table].n) {
            qsort(protection->tables[table].data, protection->tables[table].n,
                  sizeof(struct nwf_flow *), compare_priorities);
        }
    }
}

static bool
is_managed(const char *target)
{
    char *bridge CLEANUP_FREE = ofctl_bridge_of(target);

    return bridge && nwf_record_exists(bridge);
}

static bool
may_have_flows(const char *target)
{
    char *bridge CLEANUP_FREE = ofctl_bridge_of(target);

    return !bridge || nwf_lock_was_taken() || is_managed(target);
}

struct ofctl_protection *
ofctl_protection_new(struct ofctl *ofctl, const char *target, const struct ofputil_flow_mod *scope)
{
    if (ofctl->force || !may_have_flows(target)) {
        return NULL;
    }

    struct ofctl_protection *protection = nwf_zalloc(sizeof *protection);
    protection->ofctl = ofctl;
    protection->target = target;
    ofctl_begin_unseen();
    read_flows(protection, scope);
    ofctl_end_unseen();
    if (is_empty(protection) && !is_managed(target)) {
        ofctl_protection_free(protection);
        return NULL;
    }
    sort_flows(protection);
    return protection;
}

void
ofctl_protection_free(struct ofctl_protection *protection)
{
    for (size_t table = 0; protection && table < ARRAY_SIZE(protection->tables); table++) {
        nwf_vec_foreach (flow, &protection->tables[table]) {
            nwf_flow_free(*flow);
        }
        nwf_vec_clear(&protection->tables[table]);
    }
    for (int loss = 0; protection && loss < OFCTL_N_LOSSES; loss++) {
        nwf_vec_clear(&protection->losses[loss]);
    }
    free(protection);
}
