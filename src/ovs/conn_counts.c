/* SPDX-License-Identifier: Apache-2.0
 *
 * What has met a table's flows; see nwf/conn.h. */
#include <config.h>

#include "conn.h"

#include <errno.h>

#include "openvswitch/ofp-flow.h"

/* Flows that are counted: a limit on what the other side makes us keep. */
#define COUNTS_MAX 2000000

void
nwf_flow_counts_clear(struct nwf_flow_counts *counts)
{
    nwf_vec_foreach (count, counts) {
        nwf_flow_free(count->flow);
    }
    nwf_vec_clear(counts);
}

static bool
fill_counts(struct nwf_conn *conn, size_t i)
{
    struct ofputil_flow_stats_request request = {
        .cookie = htonll(conn->cookies.cookie),
        .cookie_mask = htonll(conn->cookies.mask),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = conn->table,
    };

    if (i) {
        return false;
    }
    match_init_catchall(&request.match);
    nwf_conn_ask(conn, ofputil_encode_flow_stats_request(&request, conn->protocol));
    return true;
}

static int
add_counts(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    uint64_t stub[256];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_stats fs;
    int r;

    while (!(r = ofputil_decode_flow_stats_reply(&fs, msg, true, &ofpacts))) {
        if (conn->counts->n >= COUNTS_MAX) {
            r = E2BIG;
            break;
        }
        struct nwf_flow *flow = nwf_flow_new(fs.table_id, fs.priority, ntohll(fs.cookie), &fs.match,
                                             fs.ofpacts, fs.ofpacts_len);
        nwf_vec_push(conn->counts, (struct nwf_flow_count){flow, fs.packet_count, fs.idle_age});
    }
    ofpbuf_uninit(&ofpacts);
    return r == EOF ? 0 : nwf_conn_fail(conn, err, r, "reading counters of flows");
}

static int
take_counts(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    const size_t n_before = conn->counts->n;
    enum ofptype type;
    int r;

    if (ofptype_decode(&type, msg->data) || type != OFPTYPE_FLOW_STATS_REPLY) {
        return nwf_conn_fail(conn, err, EPROTO, "reading counters of flows");
    }
    const bool more = ofpmp_more(msg->data);
    if ((r = add_counts(conn, msg, err))) {
        return r;
    }
    if (!more) {
        nwf_conn_end(conn);
    } else if (conn->counts->n > n_before) {
        nwf_conn_start_clock(conn);
    }
    return 0;
}

static const struct nwf_conn_op counts_op = {.fill = fill_counts, .take = take_counts};

void
nwf_conn_count(struct nwf_conn *conn, uint8_t table, uint64_t cookie, uint64_t mask,
               struct nwf_flow_counts *ret)
{
    nwf_conn_begin(conn, &counts_op);
    conn->table = table;
    conn->cookies = (struct nwf_cookies){cookie, mask};
    conn->counts = ret;
}
