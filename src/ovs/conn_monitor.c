/* SPDX-License-Identifier: Apache-2.0
 *
 * The flow monitor: word of changes that others make to a switch's flows; see nwf/conn.h.
 *
 * Changes made over the same connection come abbreviated, and are ignored.  When this side
 * reads too slowly the switch says that it pauses; later it tells what has changed, this
 * connection's own changes too, and then says that it is complete again.  Own changes cannot be
 * told from others' then: the flows have to be dumped once it is. */
#include <config.h>

#include "conn.h"

#include <errno.h>

#include "nwf/text.h"
#include "openvswitch/ofp-monitor.h"

/* Events that are kept for the taker: a limit on what the other side makes us keep. */
#define EVENTS_MAX 100000

struct nwf_conn_event {
    struct ovs_list node;
    struct nwf_flow_event event;
};

/* ---- Asking for it. ---- */

/* Appends a request to 'msg'.  The library writes no more than the first of a message. */
static void
append_request(struct nwf_conn *conn, uint8_t table, struct ofpbuf *msg)
{
    struct ofputil_flow_monitor_request request = {
        .id = conn->n_monitors++,
        .command = OFPFMC_ADD,
        .flags = OFPFMF_ADD | OFPFMF_REMOVED | OFPFMF_MODIFY | OFPFMF_INSTRUCTIONS,
        .out_port = OFPP_NONE,
        .out_group = OFPG_ANY,
        .table_id = table,
    };
    struct ofpbuf *one = ofpbuf_new(0);

    match_init_catchall(&request.match);
    ofputil_append_flow_monitor_request(&request, one, conn->protocol);
    if (!msg->size) {
        ofpbuf_put(msg, one->data, one->size);
    } else {
        struct ofpbuf body = ofpbuf_const_initializer(one->data, one->size);

        ofpraw_pull_assert(&body);
        ofpbuf_put(msg, body.data, body.size);
    }
    ofpbuf_delete(one);
}

static bool
fill_monitor(struct nwf_conn *conn, size_t i)
{
    if (i) {
        return false;
    }
    struct ofpbuf *msg = ofpbuf_new(0);

    for (size_t table = 0; table < conn->n; table++) {
        append_request(conn, conn->tables[table], msg);
    }
    nwf_conn_ask(conn, msg);
    return true;
}

static int
take_monitor(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    enum ofptype type;

    if (ofptype_decode(&type, msg->data) || type != OFPTYPE_FLOW_MONITOR_STATS_REPLY) {
        return nwf_conn_fail(conn, err, EPROTO, "monitoring flows");
    }
    const bool more = ofpmp_more(msg->data);
    nwf_conn_take_events(conn, type, msg); /* None, unless it tells more than it was asked. */
    if (!more) {
        nwf_conn_end(conn);
    }
    return 0;
}

static int
refuse_monitor(struct nwf_conn *conn, ovs_be32 xid, enum ofperr code, struct nwf_error *err)
{
    if (xid != conn->xid) {
        return nwf_conn_refused(conn, err, -EREMOTEIO, code);
    }
    nwf_conn_end(conn);
    return nwf_conn_refused(conn, err, -EOPNOTSUPP, code);
}

static const struct nwf_conn_op monitor_op = {
    .fill = fill_monitor,
    .take = take_monitor,
    .refuse = refuse_monitor,
};

void
nwf_conn_monitor(struct nwf_conn *conn, const uint8_t *tables, size_t n_tables)
{
    nwf_conn_begin(conn, &monitor_op);
    conn->tables = tables;
    conn->n = n_tables;
    if (!n_tables) {
        nwf_conn_end(conn);
    }
}

/* ---- Events. ---- */

void
nwf_conn_drop_events(struct nwf_conn *conn)
{
    struct nwf_flow_event event;

    while (nwf_conn_next_event(conn, &event)) {
        nwf_flow_free(event.flow);
    }
}

/* The flows have to be dumped again, which says more than the events before it. */
static void
lose_events(struct nwf_conn *conn)
{
    nwf_conn_drop_events(conn);
    conn->lost = true;
}

static void
add_event(struct nwf_conn *conn, const struct ofputil_flow_update *update)
{
    const bool deleted = update->event == OFPFME_REMOVED;

    if (conn->n_events >= EVENTS_MAX) {
        lose_events(conn);
        return;
    }
    struct nwf_conn_event *event = nwf_zalloc(sizeof *event);

    event->event.deleted = deleted;
    event->event.flow =
        nwf_flow_new(update->table_id, update->priority, ntohll(update->cookie), &update->match,
                     deleted ? NULL : update->ofpacts, deleted ? 0 : update->ofpacts_len);
    ovs_list_push_back(&conn->events, &event->node);
    conn->n_events++;
}

static void
pause_events(struct nwf_conn *conn, bool pause)
{
    if (conn->paused && !pause) {
        lose_events(conn);
    }
    conn->paused = pause;
}

static void
take_update(struct nwf_conn *conn, const struct ofputil_flow_update *update)
{
    switch (update->event) {
    case OFPFME_INITIAL:
    case OFPFME_ADDED:
    case OFPFME_REMOVED:
    case OFPFME_MODIFIED:
        if (!conn->paused) {
            add_event(conn, update);
        }
        break;
    case OFPFME_PAUSED:
    case OFPFME_RESUMED:
        pause_events(conn, update->event == OFPFME_PAUSED);
        break;
    case OFPFME_ABBREV:
        break;
    }
}

void
nwf_conn_take_events(struct nwf_conn *conn, enum ofptype type, struct ofpbuf *msg)
{
    uint64_t stub[256];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_update update;
    int r;

    if (type != OFPTYPE_FLOW_MONITOR_STATS_REPLY) {
        pause_events(conn, type == OFPTYPE_FLOW_MONITOR_PAUSED);
        return;
    }
    while (!(r = ofputil_decode_flow_update(&update, msg, &ofpacts))) {
        take_update(conn, &update);
    }
    if (r != EOF) {
        lose_events(conn); /* A change that could not be read. */
    }
    ofpbuf_uninit(&ofpacts);
}

bool
nwf_conn_next_event(struct nwf_conn *conn, struct nwf_flow_event *ret)
{
    if (ovs_list_is_empty(&conn->events)) {
        return false;
    }
    struct nwf_conn_event *event =
        CONTAINER_OF(ovs_list_pop_front(&conn->events), struct nwf_conn_event, node);

    *ret = event->event;
    free(event);
    conn->n_events--;
    return true;
}

bool
nwf_conn_lost_events(struct nwf_conn *conn)
{
    const bool lost = conn->lost;

    conn->lost = false;
    return lost;
}
