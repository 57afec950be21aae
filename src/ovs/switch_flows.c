/* SPDX-License-Identifier: Apache-2.0
 *
 * A switch's flows: reading them, and changing them by bundles; see nwf/switch.h. */
#include <config.h>

#include "switch.h"

#include <errno.h>
#include <string.h>

#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-table.h"

_Static_assert(NWF_TABLES_ALL == OFPTT_ALL, "OpenFlow's number for all tables");

/* Flows that a dump may hold: a limit on what the other side makes us keep. */
#define FLOWS_MAX 4000000

/* ---- Dumping. ---- */

static int
add_flows(struct nwf_switch *sw, struct ofpbuf *msg, struct nwf_flow_set *set,
          struct nwf_error *err)
{
    uint64_t stub[256];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_stats fs;
    int r;

    while (!(r = ofputil_decode_flow_stats_reply(&fs, msg, false, &ofpacts))) {
        if (nwf_flow_set_count(set) >= FLOWS_MAX) {
            r = E2BIG;
            break;
        }
        struct nwf_flow *flow = nwf_flow_set_add(set, fs.table_id, fs.priority, ntohll(fs.cookie),
                                                 &fs.match, fs.ofpacts, fs.ofpacts_len);
        flow->n_packets = fs.packet_count == UINT64_MAX ? 0 : fs.packet_count;
    }
    ofpbuf_uninit(&ofpacts);
    return r == EOF ? 0 : nwf_switch_fail(sw, err, r, "reading flows");
}

static struct ofpbuf *
flows_request(const struct nwf_switch *sw, bool aggregate, uint8_t table, uint64_t cookie,
              uint64_t mask)
{
    struct ofputil_flow_stats_request request = {
        .aggregate = aggregate,
        .cookie = htonll(cookie),
        .cookie_mask = htonll(mask),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = table,
    };

    match_init_catchall(&request.match);
    return ofputil_encode_flow_stats_request(&request, sw->protocol);
}

int
nwf_switch_count(struct nwf_switch *sw, uint8_t table, uint64_t cookie, uint64_t mask,
                 uint64_t *ret_count, struct nwf_error *err)
{
    struct ofputil_aggregate_stats stats;
    struct ofpbuf *reply;
    enum ofptype type;

    int r = nwf_switch_transact(sw, flows_request(sw, true, table, cookie, mask), &reply, err);
    if (r) {
        return r;
    }
    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_AGGREGATE_STATS_REPLY
        || ofputil_decode_aggregate_stats_reply(&stats, reply->data)) {
        r = nwf_switch_fail(sw, err, EPROTO, "counting flows");
    } else {
        *ret_count = stats.flow_count;
    }
    ofpbuf_delete(reply);
    return r;
}

int
nwf_switch_count_tables(struct nwf_switch *sw, uint32_t ret[NWF_TABLES_ALL], struct nwf_error *err)
{
    struct ofputil_table_stats stats;
    struct ofputil_table_features features;
    struct ofpbuf *reply;
    enum ofptype type;
    int r = nwf_switch_transact(sw, ofpraw_alloc(OFPRAW_OFPST_TABLE_REQUEST, sw->version, 0),
                                &reply, err);

    if (r) {
        return r;
    }
    memset(ret, 0, NWF_TABLES_ALL * sizeof *ret);
    if (ofptype_decode(&type, reply->data) || type != OFPTYPE_TABLE_STATS_REPLY
        || ofpmp_more(reply->data)) {
        r = EPROTO;
    }
    while (!r && !(r = ofputil_decode_table_stats_reply(reply, &stats, &features))) {
        if (stats.table_id < NWF_TABLES_ALL) {
            ret[stats.table_id] = stats.active_count;
        }
    }
    ofpbuf_delete(reply);
    return r == EOF ? 0 : nwf_switch_fail(sw, err, r, "counting flows");
}

int
nwf_switch_ask_flows(struct nwf_switch *sw, uint64_t cookie, uint64_t mask,
                     struct nwf_question *ret, struct nwf_error *err)
{
    return nwf_switch_ask(sw, flows_request(sw, false, NWF_TABLES_ALL, cookie, mask), ret, err);
}

int
nwf_switch_take_flows(struct nwf_switch *sw, struct nwf_question question, struct nwf_flow_set *set,
                      struct nwf_error *err)
{
    bool more = true;
    int r = 0;

    nwf_switch_start_clock(sw);
    while (!r && more) {
        struct ofpbuf *reply;
        enum ofptype type;

        if ((r = nwf_switch_receive(sw, question.xid, &reply, err))) {
            break;
        }
        if (ofptype_decode(&type, reply->data) || type != OFPTYPE_FLOW_STATS_REPLY) {
            r = nwf_switch_fail(sw, err, EPROTO, "reading flows");
        } else {
            size_t n_before = nwf_flow_set_count(set);

            more = ofpmp_more(reply->data);
            r = add_flows(sw, reply, set, err);
            if (nwf_flow_set_count(set) > n_before) {
                nwf_switch_start_clock(sw); /* Long dumps are fine as long as they go on. */
            } else if (!r && more) {
                r = nwf_switch_check_clock(sw, err);
            }
        }
        ofpbuf_delete(reply);
    }
    return r;
}

int
nwf_switch_dump(struct nwf_switch *sw, uint64_t cookie, uint64_t mask, struct nwf_flow_set *set,
                struct nwf_error *err)
{
    struct nwf_question question;
    int r = nwf_switch_ask_flows(sw, cookie, mask, &question, err);

    return r ? r : nwf_switch_take_flows(sw, question, set, err);
}

int
nwf_switch_dump_table(struct nwf_switch *sw, uint8_t table, struct nwf_flow_set *set,
                      struct nwf_error *err)
{
    struct nwf_question question;
    int r = nwf_switch_ask(sw, flows_request(sw, false, table, 0, 0), &question, err);

    return r ? r : nwf_switch_take_flows(sw, question, set, err);
}

/* ---- Changing flows. ----
 *
 * Open vSwitch answers to an addition only if it refuses it, and commits what it took of a
 * bundle.  One that gets no message for some time (ten seconds, unless it is set otherwise) it
 * drops, with an error that answers the opening one; the next addition then opens a bundle
 * of the same number, without a word.  Hence the barrier: behind it everything that may be said
 * of the additions has been, and no addition comes behind it.  A bundle that is dropped later
 * than that is whole, and no commit finds it. */

static struct ofpbuf *
bundle_control(const struct nwf_switch *sw, uint16_t type)
{
    struct ofputil_bundle_ctrl_msg control = {
        .bundle_id = 1,
        .type = type,
        .flags = OFPBF_ORDERED | OFPBF_ATOMIC,
    };

    return ofputil_encode_bundle_ctrl_request(sw->version, &control);
}

/* The answer is left for bundle_check(): there is no need to wait for it twice. */
static int
bundle_open(struct nwf_switch *sw, struct nwf_error *err)
{
    struct nwf_question question;
    int r = nwf_switch_ask(sw, bundle_control(sw, OFPBCT_OPEN_REQUEST), &question, err);

    sw->open_xid = question.xid;
    return r;
}

/* Nothing else says that the switch has done it. */
static int
check_bundle_reply(struct nwf_switch *sw, const struct ofpbuf *reply, uint16_t type,
                   const char *what, struct nwf_error *err)
{
    struct ofputil_bundle_ctrl_msg answer;
    enum ofptype decoded;

    return ofptype_decode(&decoded, reply->data) || decoded != OFPTYPE_BUNDLE_CONTROL
                   || ofputil_decode_bundle_ctrl(reply->data, &answer) || answer.type != type
               ? nwf_switch_fail(sw, err, EPROTO, what)
               : 0;
}

/* Reads the answers to all that was sent of the bundle. */
static int
bundle_check(struct nwf_switch *sw, struct nwf_error *err)
{
    struct ofpbuf *opened CLEANUP(nwf_ofpbuf_cleanup) = NULL;
    struct nwf_question barrier;
    int r = nwf_switch_ask_barrier(sw, &barrier, err);

    if (r) {
        return r;
    }
    opened = TAKE_PTR(sw->opened);
    if (!opened && (r = nwf_switch_receive(sw, sw->open_xid, &opened, err))) {
        return r;
    }
    if ((r = check_bundle_reply(sw, opened, OFPBCT_OPEN_REPLY, "opening a bundle", err))) {
        return r;
    }
    return nwf_switch_take_barrier(sw, barrier, err);
}

static int
bundle_commit(struct nwf_switch *sw, struct nwf_error *err)
{
    struct ofpbuf *reply CLEANUP(nwf_ofpbuf_cleanup) = NULL;
    int r = nwf_switch_transact(sw, bundle_control(sw, OFPBCT_COMMIT_REQUEST), &reply, err);

    return r ? r : check_bundle_reply(sw, reply, OFPBCT_COMMIT_REPLY, "the bundle", err);
}

/* Commits what was sent, if 'r', the result so far, and the switch have nothing against it. */
static int
bundle_end(struct nwf_switch *sw, int r, struct nwf_error *err)
{
    r = r ? r : bundle_check(sw, err);
    if (r || sw->refusals.n) {
        /* The end of the connection does the same, should this not get there. */
        (void) nwf_switch_send(sw, bundle_control(sw, OFPBCT_DISCARD_REQUEST), NULL);
        return r ? r : -EREMOTEIO;
    }
    r = bundle_commit(sw, err);
    return r || !sw->refusals.n ? r : -EREMOTEIO; /* What has been done is for a new look to see. */
}

static int
bundle_add(struct nwf_switch *sw, const struct ofputil_flow_mod *fm, uint32_t xid,
           struct nwf_error *err)
{
    struct ofpbuf *inner = ofputil_encode_flow_mod(fm, sw->protocol);

    ((struct ofp_header *) inner->data)->xid = htonl(xid);
    struct ofputil_bundle_add_msg add = {
        .bundle_id = 1,
        .flags = OFPBF_ORDERED | OFPBF_ATOMIC,
        .msg = inner->data,
    };
    struct ofpbuf *outer = ofputil_encode_bundle_add(sw->version, &add);
    ofpbuf_delete(inner);
    return nwf_switch_send(sw, outer, err);
}

static void
change_to_flow_mod(const struct nwf_change *change, struct ofputil_flow_mod *fm)
{
    const struct nwf_flow *flow = change->flow;
    bool delete = change->kind == NWF_CHANGE_DELETE;

    *fm = (struct ofputil_flow_mod){
        .match = flow->match, /* Borrowed. */
        .priority = flow->priority,
        .cookie = delete ? htonll(flow->cookie) : htonll(0),
        .cookie_mask = delete ? OVS_BE64_MAX : htonll(0),
        .new_cookie = delete ? OVS_BE64_MAX : htonll(flow->cookie),
        .table_id = flow->table,
        .command = delete ? OFPFC_DELETE_STRICT : OFPFC_ADD,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .ofpacts = delete ? NULL : flow->ofpacts,
        .ofpacts_len = delete ? 0 : flow->ofpacts_len,
    };
}

static int
bundle_add_all(struct nwf_switch *sw, const struct nwf_changes *changes, struct nwf_error *err)
{
    int r = 0;

    for (size_t i = 0; !r && i < changes->n; i++) {
        struct ofputil_flow_mod fm;

        change_to_flow_mod(&changes->data[i], &fm);
        r = bundle_add(sw, &fm, NWF_FIRST_XID + (uint32_t) i, err);
        if (!(i % 1024)) {
            nwf_switch_start_clock(sw);
        }
    }
    return r;
}

/* Of all that was said of the bundle, the first refusal says most. */
static int
report_refusal(const struct nwf_switch *sw, const struct nwf_changes *changes,
               struct nwf_error *err)
{
    char *text CLEANUP_FREE = nwf_refusal_text(&sw->refusals.data[0], changes);

    return nwf_error_set(err, -EREMOTEIO, "bridge %s: %s", sw->bridge, text);
}

int
nwf_switch_apply(struct nwf_switch *sw, const struct nwf_changes *changes,
                 struct nwf_refusals *ret_refusals, struct nwf_error *err)
{
    if (!changes->n) {
        return 0;
    }
    nwf_switch_start_clock(sw);
    sw->in_flight = changes;
    int r = bundle_open(sw, err);
    r = bundle_end(sw, r ? r : bundle_add_all(sw, changes, err), err);
    if (r != -EREMOTEIO) {
        nwf_vec_clear(&sw->refusals); /* There may be more of them that nobody has read. */
    } else if (sw->refusals.n) {
        r = report_refusal(sw, changes, err);
    }
    sw->in_flight = NULL;
    if (ret_refusals) {
        *ret_refusals = sw->refusals;
        memset(&sw->refusals, 0, sizeof sw->refusals);
    }
    nwf_vec_clear(&sw->refusals);
    return r;
}

static struct ofputil_flow_mod
deletion(uint64_t cookie, uint64_t mask)
{
    struct ofputil_flow_mod fm = {
        .cookie = htonll(cookie),
        .cookie_mask = htonll(mask),
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

int
nwf_switch_delete(struct nwf_switch *sw, uint64_t cookie, uint64_t mask, struct nwf_error *err)
{
    struct ofputil_flow_mod fm = deletion(cookie, mask);

    nwf_switch_start_clock(sw);
    int r = bundle_open(sw, err);
    r = bundle_end(sw, r ? r : bundle_add(sw, &fm, NWF_FIRST_XID, err), err);
    minimatch_destroy(&fm.match);
    return r;
}

int
nwf_switch_post_delete(struct nwf_switch *sw, uint64_t cookie, uint64_t mask, struct nwf_error *err)
{
    struct ofputil_flow_mod fm = deletion(cookie, mask);

    nwf_switch_start_clock(sw);
    int r = nwf_switch_send(sw, ofputil_encode_flow_mod(&fm, sw->protocol), err);
    minimatch_destroy(&fm.match);
    return r;
}
