/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of conversations with a switch: flows in an answer, whole or spoiled, and what says that a
 * bundle was done. */
#include <config.h>

#include "support.h"

#include <errno.h>

#include "nwf/openflow.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"

#include "lib/byte-order.h"

#define N_FLOWS 3

/* An answer with flows of tables 1 to N_FLOWS. */
static struct ofpbuf *
answer(enum ofp_version version)
{
    struct ofputil_flow_stats_request request;
    struct ovs_list parts;

    nwf_flows_request_init(&request, 7, UINT64_C(0x6e77660000000000), UINT64_MAX << 40);
    assert_int_equal(request.table_id, 7);
    assert_int_equal(ntohll(request.cookie), UINT64_C(0x6e77660000000000));
    struct ofpbuf *question =
        ofputil_encode_flow_stats_request(&request, ofputil_protocol_from_ofp_version(version));
    ofpmp_init(&parts, question->data);
    for (uint8_t table = 1; table <= N_FLOWS; table++) {
        struct ofputil_flow_stats flow = {.table_id = table, .cookie = htonll(table)};
        match_init_catchall(&flow.match);
        ofputil_append_flow_stats_reply(&flow, &parts, NULL);
    }
    ofpbuf_delete(question);

    struct ofpbuf *part = ofpbuf_from_list(ovs_list_pop_front(&parts));
    assert_true(ovs_list_is_empty(&parts));
    ofpmsg_update_length(part);
    struct ofpbuf *copy = ofpbuf_clone_data(part->data, part->size); /* As it is received. */
    ofpbuf_delete(part);
    return copy;
}

struct taken {
    unsigned int tables; /* A bit each. */
    int n, end_at;       /* After so many, */
    int code;            /* with this. */
};

static int
take(const struct ofputil_flow_stats *flow, void *taken_)
{
    struct taken *taken = taken_;

    taken->tables |= 1u << flow->table_id;
    return ++taken->n == taken->end_at ? taken->code : 0;
}

static int
read_answer(struct ofpbuf *part, struct taken *taken)
{
    bool more = true;
    int r = nwf_read_flows(part, false, take, taken, &more);

    assert_true(r || !more);
    ofpbuf_delete(part);
    return r;
}

static void
test_flows(void **state)
{
    static const enum ofp_version versions[] = {OFP13_VERSION, OFP14_VERSION, OFP15_VERSION};

    (void) state;
    for (size_t i = 0; i < N_ROWS(versions); i++) {
        struct taken taken = {.n = 0};
        assert_int_equal(read_answer(answer(versions[i]), &taken), 0);
        assert_int_equal(taken.tables, 0xe);
        assert_int_equal(taken.n, N_FLOWS);
    }
}

static void
test_end(void **state)
{
    struct taken taken = {.end_at = 2, .code = E2BIG};

    (void) state;
    assert_int_equal(read_answer(answer(OFP13_VERSION), &taken), E2BIG);
    assert_int_equal(taken.n, 2);
}

/* Cut off anywhere, it is an error; flows before that are still taken. */
static void
test_cut_off(void **state)
{
    (void) state;
    for (uint32_t cut = 1; cut < 56; cut++) {
        struct taken taken = {.n = 0};
        struct ofpbuf *part = answer(OFP13_VERSION);
        part->size -= cut;
        ofpmsg_update_length(part);
        expect(read_answer(part, &taken) > 0, "%u bytes less", (unsigned int) cut);
        assert_int_equal(taken.n, N_FLOWS - 1);
    }
}

static void
test_no_answer(void **state)
{
    struct taken taken = {.n = 0};

    (void) state;
    assert_int_equal(read_answer(ofputil_encode_barrier_request(OFP13_VERSION), &taken), EPROTO);
    assert_int_equal(taken.n, 0);
}

static bool
is_done(uint32_t id, uint16_t type)
{
    struct ofputil_bundle_ctrl_msg reply = {.bundle_id = id, .type = type};
    struct ofpbuf *question = nwf_bundle_control(OFP14_VERSION, id, OFPBCT_COMMIT_REQUEST);
    struct ofpbuf *msg = ofputil_encode_bundle_ctrl_reply(question->data, &reply);

    ofpmsg_update_length(msg);
    bool ret = nwf_is_bundle_reply(msg, 5, OFPBCT_COMMIT_REPLY);
    ofpbuf_delete(question);
    ofpbuf_delete(msg);
    return ret;
}

static void
test_bundle(void **state)
{
    struct ofpbuf *barrier = ofputil_encode_barrier_request(OFP14_VERSION);

    (void) state;
    assert_true(is_done(5, OFPBCT_COMMIT_REPLY));
    assert_false(is_done(6, OFPBCT_COMMIT_REPLY));
    assert_false(is_done(5, OFPBCT_DISCARD_REPLY));
    assert_false(nwf_is_bundle_reply(barrier, 5, OFPBCT_COMMIT_REPLY));
    ofpbuf_delete(barrier);
}

/* What is added has the number of the change in it. */
static void
test_bundle_add(void **state)
{
    struct ofpbuf *change = ofputil_encode_barrier_request(OFP14_VERSION);
    ovs_be32 xid = ((struct ofp_header *) change->data)->xid;
    struct ofpbuf *msg = nwf_bundle_add(OFP14_VERSION, 5, change);
    const struct ofp_header *header = msg->data;
    enum ofptype type;

    (void) state;
    assert_int_equal(header->xid, xid);
    assert_int_equal(ofptype_decode(&type, header), 0);
    assert_int_equal(type, OFPTYPE_BUNDLE_ADD_MESSAGE);
    ofpbuf_delete(msg);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flows),   cmocka_unit_test(test_end),
        cmocka_unit_test(test_cut_off), cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_bundle),  cmocka_unit_test(test_bundle_add),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
