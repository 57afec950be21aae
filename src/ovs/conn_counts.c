/* SPDX-License-Identifier: Apache-2.0
 *
 * What has met a table's flows; see nwf/conn.h. */
#include <config.h>

#include "conn.h"

#include <errno.h>

#include "nwf/openflow.h"

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
    return nwf_conn_ask_flows(conn, i, conn->table);
}

static int
add_count(const struct ofputil_flow_stats *fs, void *counts_)
{
    struct nwf_flow_counts *counts = counts_;

    if (counts->n >= COUNTS_MAX) {
        return E2BIG;
    }
    struct nwf_flow *flow = nwf_flow_new(fs->table_id, fs->priority, ntohll(fs->cookie), &fs->match,
                                         fs->ofpacts, fs->ofpacts_len);
    nwf_vec_push(counts, (struct nwf_flow_count){flow, fs->packet_count, fs->idle_age});
    return 0;
}

static int
take_counts(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    const size_t n_before = conn->counts->n;
    bool more;
    int code = nwf_read_flows(msg, true, add_count, conn->counts, &more);

    if (code) {
        return nwf_conn_fail(conn, err, code, "reading counters of flows");
    }
    nwf_conn_took_part(conn, more, conn->counts->n > n_before);
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
