/* SPDX-License-Identifier: Apache-2.0
 *
 * A switch's meters, which no bundle holds: reading them, and changing what differs; see
 * nwf/conn.h. */
#include <config.h>

#include "conn.h"

#include <errno.h>
#include <stdlib.h>

#include "nwf/pipeline.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-util.h"

/* Meters that a switch may tell of. */
#define METERS_MAX (1u << 20)

/* A meter lets a second's packets pass at once. */
#define FLAGS (OFPMF13_PKTPS | OFPMF13_BURST | OFPMF13_STATS)

static int
compare(const void *a, const void *b)
{
    const struct nwf_meter *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static struct nwf_meter *
find(const struct nwf_meters *meters, uint32_t id)
{
    const struct nwf_meter key = {.id = id};

    return meters->n ? bsearch(&key, meters->data, meters->n, sizeof key, compare) : NULL;
}

/* ---- Changing. ---- */

static void
send_change(struct nwf_conn *conn, uint16_t command, uint32_t id, uint32_t rate)
{
    struct ofputil_meter_band band = {.type = OFPMBT13_DROP, .rate = rate, .burst_size = rate};
    const struct ofputil_meter_mod mm = {
        .command = command,
        .meter = {.meter_id = id, .flags = FLAGS, .n_bands = 1, .bands = &band},
    };

    conn->meters_changed = true;
    nwf_conn_send(conn, ofputil_encode_meter_mod(conn->version, &mm));
}

static bool
is_as_wanted(const struct ofputil_meter_config *config, const struct nwf_meter *wanted)
{
    return config->flags == FLAGS && config->n_bands == 1 && config->bands->type == OFPMBT13_DROP
           && config->bands->rate == wanted->rate && config->bands->burst_size == wanted->rate;
}

/* What is to become of a meter that the switch has. */
static void
judge(struct nwf_conn *conn, const struct ofputil_meter_config *config)
{
    struct nwf_meter *wanted = find(conn->meters, config->meter_id);

    if (wanted) {
        wanted->is_there = true;
        if (!is_as_wanted(config, wanted)) {
            send_change(conn, OFPMC13_MODIFY, wanted->id, wanted->rate);
        }
    } else if (nwf_is_meter(config->meter_id)) {
        conn->n_excess += !conn->prunes;
        if (conn->prunes) {
            send_change(conn, OFPMC13_DELETE, config->meter_id, 1);
        }
    }
}

static void
add_missing(struct nwf_conn *conn)
{
    nwf_vec_foreach (meter, conn->meters) {
        if (!meter->is_there) {
            send_change(conn, OFPMC13_ADD, meter->id, meter->rate);
        }
    }
}

/* ---- Reading. ---- */

static int
judge_all(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    uint64_t stub[64];
    struct ofpbuf bands = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_meter_config config;
    int r;

    while (!(r = ofputil_decode_meter_config(msg, &config, &bands))) {
        if (++conn->n_meters > METERS_MAX) {
            r = E2BIG;
            break;
        }
        judge(conn, &config);
    }
    ofpbuf_uninit(&bands);
    return r == EOF ? 0 : nwf_conn_fail(conn, err, r, "reading meters");
}

static bool
fill_meters(struct nwf_conn *conn, size_t i)
{
    if (i) {
        return false;
    }
    nwf_conn_ask(conn,
                 ofputil_encode_meter_request(conn->version, OFPUTIL_METER_CONFIG, OFPM13_ALL));
    return true;
}

/* What it refuses ends the operation, when all has been answered to. */
static int
take_changed(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    int r = nwf_conn_check_barrier(conn, msg, err);

    if (r) {
        return r;
    }
    nwf_conn_end(conn);
    return conn->verdict.text
               ? nwf_error_set(err, -EOPNOTSUPP, "%s", nwf_error_text(&conn->verdict))
               : 0;
}

static int
refuse_change(struct nwf_conn *conn, ovs_be32 xid, enum ofperr code, struct nwf_error *err)
{
    (void) xid, (void) err;
    if (!conn->verdict.text) {
        nwf_conn_refused(conn, &conn->verdict, -EOPNOTSUPP, code);
    }
    return 0;
}

static const struct nwf_conn_op change_op = {.take = take_changed, .refuse = refuse_change};

static int
take_meters(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    enum ofptype type;

    if (ofptype_decode(&type, msg->data) || type != OFPTYPE_METER_CONFIG_STATS_REPLY) {
        return nwf_conn_fail(conn, err, EPROTO, "reading meters");
    }
    const bool more = ofpmp_more(msg->data);
    int r = judge_all(conn, msg, err);
    if (r || more) {
        return r; /* Parts may come without end: they do not restart the clock. */
    }
    add_missing(conn);
    if (!conn->meters_changed) {
        nwf_conn_end(conn);
        return 0;
    }
    nwf_conn_ask_barrier(conn);
    conn->op = &change_op;
    return 0;
}

/* A change may be refused before all parts of the answer have come. */
static int
refuse_meters(struct nwf_conn *conn, ovs_be32 xid, enum ofperr code, struct nwf_error *err)
{
    if (xid != conn->xid) {
        return refuse_change(conn, xid, code, err);
    }
    nwf_conn_end(conn);
    return nwf_conn_refused(conn, err, -EOPNOTSUPP, code);
}

static const struct nwf_conn_op meters_op = {
    .fill = fill_meters,
    .take = take_meters,
    .refuse = refuse_meters,
};

void
nwf_conn_set_meters(struct nwf_conn *conn, struct nwf_meters *wanted, bool prune)
{
    nwf_conn_begin(conn, &meters_op);
    nwf_error_clear(&conn->verdict);
    conn->meters = wanted;
    conn->prunes = prune;
    conn->meters_changed = false;
    conn->n_meters = conn->n_excess = 0;
    if (wanted->n) {
        qsort(wanted->data, wanted->n, sizeof wanted->data[0], compare);
    }
    nwf_vec_foreach (meter, wanted) {
        meter->is_there = false;
    }
}

size_t
nwf_conn_excess_meters(const struct nwf_conn *conn)
{
    return conn->n_excess;
}
