/* SPDX-License-Identifier: Apache-2.0
 *
 * A switch's flows: reading them, and changing them by bundles; see nwf/conn.h. */
#include <config.h>

#include "conn.h"

#include <errno.h>
#include <string.h>

#include "nwf/openflow.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"

/* Flows that a dump may hold: a limit on what the other side makes us keep. */
#define FLOWS_MAX 4000000

/* ---- Dumping. ---- */

static bool
fill_dump(struct nwf_conn *conn, size_t i)
{
    return nwf_conn_ask_flows(conn, i, OFPTT_ALL);
}

static int
add_flow(const struct ofputil_flow_stats *fs, void *set_)
{
    struct nwf_flow_set *set = set_;

    if (nwf_flow_set_count(set) >= FLOWS_MAX) {
        return E2BIG;
    }
    const struct ofpbuf actions = ofpbuf_const_initializer(fs->ofpacts, (uint32_t) fs->ofpacts_len);
    nwf_flow_set_add(set, fs->table_id, fs->priority, ntohll(fs->cookie), &fs->match, &actions);
    return 0;
}

static int
take_dump(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    const size_t n_before = nwf_flow_set_count(conn->set);
    bool more;
    int code = nwf_read_flows(msg, false, add_flow, conn->set, &more);

    if (code) {
        return nwf_conn_fail(conn, err, code, "reading flows");
    }
    nwf_conn_took_part(conn, more, nwf_flow_set_count(conn->set) > n_before);
    return 0;
}

static const struct nwf_conn_op dump_op = {.fill = fill_dump, .take = take_dump};

void
nwf_conn_dump(struct nwf_conn *conn, uint64_t cookie, uint64_t mask, struct nwf_flow_set *set)
{
    nwf_conn_begin(conn, &dump_op);
    conn->cookies = (struct nwf_cookies){cookie, mask};
    conn->set = set;
}

/* ---- Changing flows: what is sent. ---- */

#define BUNDLE_ID 1

static struct ofpbuf *
bundle_control(const struct nwf_conn *conn, uint16_t type)
{
    return nwf_bundle_control(conn->version, BUNDLE_ID, type);
}

static void
bundle_add(struct nwf_conn *conn, const struct ofputil_flow_mod *fm, uint32_t xid)
{
    struct ofpbuf *inner = ofputil_encode_flow_mod(fm, conn->protocol);

    ((struct ofp_header *) inner->data)->xid = htonl(xid);
    nwf_conn_queue(conn, nwf_bundle_add(conn->version, BUNDLE_ID, inner));
}

static void
bundle_add_change(struct nwf_conn *conn, size_t i)
{
    const struct nwf_change *change = &conn->changes->data[i];
    const struct nwf_flow *flow = change->flow;
    const bool delete = change->kind == NWF_CHANGE_DELETE;
    uint64_t stub[256];
    struct ofpbuf actions CLEANUP(ofpbuf_uninit) = OFPBUF_STUB_INITIALIZER(stub);
    const struct ofputil_flow_mod fm = {
        .match = nwf_flow_match(flow), /* Borrowed. */
        .priority = flow->priority,
        .cookie = delete ? htonll(flow->cookie) : htonll(0),
        .cookie_mask = delete ? OVS_BE64_MAX : htonll(0),
        .new_cookie = delete ? OVS_BE64_MAX : htonll(flow->cookie),
        .table_id = flow->table,
        .command = delete ? OFPFC_DELETE_STRICT : OFPFC_ADD,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .ofpacts = delete ? NULL : nwf_flow_ofpacts(flow, &actions),
        .ofpacts_len = delete ? 0 : flow->form->ofpacts_len,
    };

    bundle_add(conn, &fm, NWF_FIRST_XID + (uint32_t) i);
}

static struct ofputil_flow_mod
deletion(const struct nwf_cookies *cookies)
{
    struct ofputil_flow_mod fm = {
        .cookie = htonll(cookies->cookie),
        .cookie_mask = htonll(cookies->mask),
        .new_cookie = OVS_BE64_MAX,
        .table_id = OFPTT_ALL,
        .command = OFPFC_DELETE,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };

    minimatch_init_catchall(&fm.match);
    return fm;
}

static void
bundle_add_deletion(struct nwf_conn *conn)
{
    struct ofputil_flow_mod fm = deletion(&conn->cookies);

    bundle_add(conn, &fm, NWF_FIRST_XID);
    minimatch_destroy(&fm.match);
}

/* ---- Changing flows: what the switch says. ----
 *
 * Open vSwitch answers to an addition only if it refuses it, and commits what it took of a
 * bundle.  One that gets no message for some time (ten seconds, unless it is set otherwise) it
 * drops, with an error that answers the opening one; the next addition then opens a bundle
 * of the same number, without a word.  Hence the barrier: behind it everything that may be said
 * of the additions has been, and no addition comes behind it.  A bundle that is dropped later
 * than that is whole, and no commit finds it.
 *
 * One that is not to be committed is discarded, with a barrier behind that too: what is still
 * said of it shall not be taken for an answer to the next operation. */

static const struct nwf_conn_op commit_op, discard_op;

/* The opening; all changes; the barrier. */
static bool
fill_bundle(struct nwf_conn *conn, size_t i)
{
    const size_t n = conn->changes ? conn->changes->n : 1;

    if (i == 0) {
        conn->open_xid = nwf_conn_send(conn, bundle_control(conn, OFPBCT_OPEN_REQUEST));
    } else if (i <= n && conn->changes) {
        bundle_add_change(conn, i - 1);
    } else if (i <= n) {
        bundle_add_deletion(conn);
    } else if (i == n + 1) {
        nwf_conn_ask_barrier(conn);
    }
    return i <= n + 1;
}

/* Whether the error is about a bundle and not about a message in it, whichever of them it
 * answers: "timeout" answers the one that opened the bundle, which an addition does too. */
static bool
is_about_bundle(enum ofperr code)
{
    return code >= OFPERR_OFPBFC_UNKNOWN && code <= OFPERR_OFPBFC_BAD_VERSION;
}

/* Whether the error refuses a change of the bundle that is being sent, which is noted.  No
 * honest switch says more than one thing of each. */
static bool
note_refusal(struct nwf_conn *conn, ovs_be32 xid, enum ofperr code)
{
    const size_t n = conn->changes ? conn->changes->n : 0;
    uint32_t i = ntohl(xid) - NWF_FIRST_XID;

    if (i >= n || is_about_bundle(code) || conn->refusals.n >= n) {
        return false;
    }
    nwf_vec_push(&conn->refusals, (struct nwf_refusal){i, (int) code});
    return true;
}

static void
discard(struct nwf_conn *conn)
{
    conn->op = &discard_op;
    conn->open_xid = 0;
    nwf_conn_send(conn, bundle_control(conn, OFPBCT_DISCARD_REQUEST));
    nwf_conn_ask_barrier(conn);
}

static int
refuse_bundle(struct nwf_conn *conn, ovs_be32 xid, enum ofperr code, struct nwf_error *err)
{
    (void) err; /* That comes once all of the bundle has been discarded. */
    if (!note_refusal(conn, xid, code)) {
        nwf_conn_refused(conn, &conn->verdict, -EREMOTEIO, code);
        discard(conn);
    }
    return 0;
}

/* Nothing else says that the switch has done it. */
static int
check_bundle_reply(struct nwf_conn *conn, const struct ofpbuf *reply, uint16_t type,
                   const char *what, struct nwf_error *err)
{
    return nwf_is_bundle_reply(reply, BUNDLE_ID, type) ? 0 : nwf_conn_fail(conn, err, EPROTO, what);
}

static int
take_bundle(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    int r;

    if (conn->open_xid) { /* Its answer has to come first. */
        conn->open_xid = 0;
        return check_bundle_reply(conn, msg, OFPBCT_OPEN_REPLY, "opening a bundle", err);
    }
    if ((r = nwf_conn_check_barrier(conn, msg, err))) {
        return r;
    }
    if (conn->refusals.n) {
        discard(conn);
    } else {
        nwf_conn_ask(conn, bundle_control(conn, OFPBCT_COMMIT_REQUEST));
        conn->op = &commit_op;
    }
    return 0;
}

char *
nwf_refusal_text(const struct nwf_refusal *refusal, const struct nwf_changes *changes)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "the switch refuses: %s: ",
                  refusal->code ? ofperr_to_string((enum ofperr) refusal->code) : "unknown error");
    nwf_flow_format(changes->data[refusal->index].flow, &s);
    return ds_steal_cstr(&s);
}

/* Of all that was said of the bundle, the first refusal says most. */
static int
report_refusal(struct nwf_conn *conn, struct nwf_error *err)
{
    if (!conn->refusals.n) {
        return nwf_error_set(err, -EREMOTEIO, "%s", nwf_error_text(&conn->verdict));
    }
    char *text CLEANUP_FREE = nwf_refusal_text(&conn->refusals.data[0], conn->changes);

    return nwf_error_set(err, -EREMOTEIO, "bridge %s: %s", conn->bridge, text);
}

static int
take_commit(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    int r = check_bundle_reply(conn, msg, OFPBCT_COMMIT_REPLY, "the bundle", err);

    if (r) {
        return r;
    }
    nwf_conn_end(conn);
    return conn->refusals.n ? report_refusal(conn, err) : 0; /* What is done, a new look sees. */
}

static int
take_discarded(struct nwf_conn *conn, struct ofpbuf *msg, struct nwf_error *err)
{
    int r = nwf_conn_check_barrier(conn, msg, err);

    if (r) {
        return r;
    }
    nwf_conn_end(conn);
    return report_refusal(conn, err);
}

static int
refuse_discarded(struct nwf_conn *conn, ovs_be32 xid, enum ofperr code, struct nwf_error *err)
{
    (void) conn, (void) xid, (void) code, (void) err;
    return 0; /* E.g. there is no such bundle any more. */
}

static const struct nwf_conn_op bundle_op = {
    .fill = fill_bundle,
    .take = take_bundle,
    .refuse = refuse_bundle,
};
static const struct nwf_conn_op commit_op = {.take = take_commit, .refuse = refuse_bundle};
/* The end of the connection discards the bundle too, should this not get there. */
static const struct nwf_conn_op discard_op = {
    .take = take_discarded,
    .refuse = refuse_discarded,
    .give_up = report_refusal,
};

static void
begin_bundle(struct nwf_conn *conn, const struct nwf_changes *changes, struct nwf_cookies cookies)
{
    nwf_conn_begin(conn, &bundle_op);
    nwf_error_clear(&conn->verdict);
    conn->changes = changes;
    conn->cookies = cookies;
}

void
nwf_conn_apply(struct nwf_conn *conn, const struct nwf_changes *changes)
{
    begin_bundle(conn, changes, (struct nwf_cookies){0, 0});
    if (!changes->n) {
        nwf_conn_end(conn);
    }
}

const struct nwf_refusals *
nwf_conn_refusals(const struct nwf_conn *conn)
{
    return &conn->refusals;
}

void
nwf_conn_delete(struct nwf_conn *conn, uint64_t cookie, uint64_t mask)
{
    begin_bundle(conn, NULL, (struct nwf_cookies){cookie, mask});
}

/* ---- Deleting without waiting. ---- */

void
nwf_conn_send_delete(struct nwf_conn *conn, const struct nwf_cookies *cookies)
{
    struct ofputil_flow_mod fm = deletion(cookies);

    nwf_conn_send(conn, ofputil_encode_flow_mod(&fm, conn->protocol));
    minimatch_destroy(&fm.match);
}
