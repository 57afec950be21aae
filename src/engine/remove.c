/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a switch that is given back: our flows go, and it is a switch again. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "nwf/conn.h"
#include "nwf/keeper.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"
#include "openvswitch/ofp-util.h"

static bool
has_flows_of_others(const struct nwf_flow_set *all)
{
    const struct nwf_flow *flow;

    HMAP_FOR_EACH (flow, node, &all->flows) {
        if ((flow->cookie & NWF_COOKIE_ALL_MASK) != NWF_COOKIE_MAGIC) {
            return true;
        }
    }
    return false;
}

/* A bridge that was "secure" before gets the flow that makes it a switch again. */
static int
add_normal_flow(struct nwf_conn *conn, struct nwf_error *err)
{
    uint64_t stub[8];
    struct ofpbuf actions = OFPBUF_STUB_INITIALIZER(stub);
    struct nwf_flow_set all CLEANUP(nwf_flow_set_finish);
    struct nwf_changes changes = {.data = NULL};
    struct match match;
    int r;

    nwf_flow_set_init(&all);
    nwf_conn_dump(conn, 0, 0, &all);
    if ((r = nwf_conn_block(conn, err)) || has_flows_of_others(&all)) {
        return r;
    }
    match_init_catchall(&match);
    ofpact_put_OUTPUT(&actions)->port = OFPP_NORMAL;
    nwf_vec_push(&changes, (struct nwf_change){NWF_CHANGE_ADD,
                                               nwf_flow_set_add(&all, 0, 0, 0, &match, &actions)});
    nwf_conn_apply(conn, &changes);
    r = nwf_conn_block(conn, err);
    nwf_vec_clear(&changes);
    return r;
}

/* Ports that NORMAL must not flood to, because we have set so, get its floods again. */
static int
include_in_floods(const struct nwf_ovs_bridge *bridge, unsigned int timeout_ms,
                  struct nwf_error *err)
{
    enum nwf_no_flood wanted[0x10000] = {NWF_NO_FLOOD_KEEP};
    struct nwf_conn *conn CLEANUP(nwf_conn_cleanup) = NULL;
    bool any = false;

    nwf_vec_foreach (port, &bridge->ports) {
        if (port->ofport && nwf_tag_find(port->tags.data, port->tags.n, NWF_TAG_NO_FLOOD)) {
            wanted[port->ofport] = NWF_NO_FLOOD_CLEAR;
            any = true;
        }
    }
    if (!any) {
        return 0;
    }
    conn = nwf_conn_new(bridge->name, 1u << OFP10_VERSION, timeout_ms);
    nwf_conn_set_no_flood(conn, wanted);
    return nwf_conn_block(conn, err);
}

static int
delete_all(struct nwf_conn *conn, struct nwf_error *err)
{
    nwf_conn_delete(conn, NWF_COOKIE_MAGIC, NWF_COOKIE_ALL_MASK);
    return nwf_conn_block(conn, err);
}

/* Where there are none, there is nothing to remove. */
static int
delete_meters(struct nwf_conn *conn, struct nwf_error *err)
{
    struct nwf_meters none = {.data = NULL};

    nwf_conn_set_meters(conn, &none, true);
    int r = nwf_conn_block(conn, err);
    if (r == -EOPNOTSUPP) {
        nwf_error_clear(err);
        r = 0;
    }
    return r;
}

int
nwf_sync_remove(const struct nwf_ovs_bridge *bridge, const struct nwf_keeper_options *options,
                struct nwf_error *err)
{
    struct nwf_conn *conn CLEANUP(nwf_conn_cleanup) =
        nwf_conn_new(bridge->name, options->versions, options->timeout_ms);
    int r;

    /* A cached flow that goes may learn for a last time, which makes a flow. */
    if ((r = delete_all(conn, err)) || (r = nwf_vswitchd_flush_cache(options->timeout_ms, err))
        || (r = delete_all(conn, err)) || (r = delete_meters(conn, err))
        || (bridge->stays_secure && (r = add_normal_flow(conn, err)))) {
        return r;
    }
    return include_in_floods(bridge, options->timeout_ms, err);
}
