/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles that are committed, refused, dropped, or never answered to. */
#include <config.h>

#include "support.h"

#include "conn_pair.h"

#include <errno.h>
#include <unistd.h>

#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"

#include "lib/flow.h"

/* Flows to be sent, and one to be removed before them. */
struct bundle {
    struct nwf_flow_set installed, desired;
    struct nwf_changes changes;
};

static void
bundle_init(struct bundle *b, int n)
{
    struct match match;

    nwf_flow_set_init(&b->installed);
    nwf_flow_set_init(&b->desired);
    match_init_catchall(&match);
    nwf_flow_set_add(&b->installed, 1, 9, 7, &match, NULL);
    for (int i = 0; i < n; i++) {
        nwf_flow_set_add(&b->desired, (uint8_t) (2 + i / 60000), (uint16_t) (i % 60000), 7, &match,
                         NULL);
    }
    nwf_flow_diff(&b->installed, &b->desired, &b->changes);
}

static void
bundle_finish(struct bundle *b)
{
    nwf_vec_clear(&b->changes);
    nwf_flow_set_finish(&b->installed);
    nwf_flow_set_finish(&b->desired);
}

static void
test_bundle(void **state)
{
    struct bundle b;

    (void) state;
    bundle_init(&b, 2);
    FOR_EACH_VERSION(version)
    {
        struct pair p;

        pair_start(&p, *version, LONG);
        nwf_conn_apply(p.conn, &b.changes);
        expect_ok(pair_drive(&p), &p.err);
        expect_said(&p, "open remove add add barrier commit ");
        assert_int_equal(nwf_conn_refusals(p.conn)->n, 0);
        nwf_conn_apply(p.conn, &(struct nwf_changes){NULL, 0, 0});
        expect_ok(pair_drive(&p), &p.err);
        nwf_conn_delete(p.conn, 7, UINT64_MAX);
        expect_ok(pair_drive(&p), &p.err);
        expect_said(&p, "open remove add add barrier commit open delete barrier commit ");
        pair_stop(&p);
    }
    bundle_finish(&b);
}

static void
test_large_bundle(void **state)
{
    struct bundle b;
    struct pair p;

    (void) state;
    bundle_init(&b, 100000);
    pair_start(&p, OFP15_VERSION, LONG);
    nwf_conn_apply(p.conn, &b.changes);
    expect_ok(pair_drive(&p), &p.err);
    assert_int_equal(p.fake.n_adds, 100001);
    pair_stop(&p);
    bundle_finish(&b);
}

/* The third change is refused. */
static bool
refuse_third(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    if (type == OFPTYPE_BUNDLE_ADD_MESSAGE && fake->n_adds == 3) {
        fake_switch_refuse(fake, ((struct ofp_header *) msg->data)->xid,
                           OFPERR_OFPBAC_BAD_OUT_PORT);
    }
    return false;
}

static void
test_refusal(void **state)
{
    struct bundle b;
    struct pair p;

    (void) state;
    bundle_init(&b, 3);
    pair_start(&p, OFP14_VERSION, LONG);
    p.fake.script = refuse_third;
    nwf_conn_apply(p.conn, &b.changes);
    int r = pair_drive(&p);
    assert_int_equal(r, -EREMOTEIO);
    expect_error(r, &p.err,
                 "bridge br0: the switch refuses: OFPBAC_BAD_OUT_PORT: cookie=0x7,table=2,");
    expect_said(&p, "open remove add add add barrier discard barrier ");
    assert_int_equal(nwf_conn_refusals(p.conn)->n, 1);
    assert_int_equal(nwf_conn_refusals(p.conn)->data[0].index, 2);
    assert_int_equal(nwf_conn_refusals(p.conn)->data[0].code, OFPERR_OFPBAC_BAD_OUT_PORT);
    /* The connection can be used. */
    nwf_conn_apply(p.conn, &b.changes);
    expect_ok(pair_drive(&p), &p.err);
    assert_int_equal(nwf_conn_refusals(p.conn)->n, 0);
    pair_stop(&p);
    bundle_finish(&b);
}

/* The switch finds out when it commits: first the change, then the bundle. */
static bool
refuse_commit(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    static ovs_be32 xid;

    if (type == OFPTYPE_BUNDLE_ADD_MESSAGE && fake->n_adds == 2) {
        xid = oh->xid;
    }
    if (type != OFPTYPE_BUNDLE_CONTROL || !strstr(ds_cstr(&fake->said), "commit")) {
        return false;
    }
    if (!strstr(ds_cstr(&fake->said), "discard")) {
        fake_switch_refuse(fake, xid, OFPERR_OFPFMFC_TABLE_FULL);
        fake_switch_refuse(fake, oh->xid, OFPERR_OFPBFC_MSG_FAILED);
    } else {
        fake_switch_refuse(fake, oh->xid, OFPERR_OFPBFC_BAD_ID);
    }
    return true;
}

static void
test_refused_commit(void **state)
{
    struct bundle b;
    struct pair p;

    (void) state;
    bundle_init(&b, 2);
    pair_start(&p, OFP15_VERSION, LONG);
    p.fake.script = refuse_commit;
    nwf_conn_apply(p.conn, &b.changes);
    expect_error(pair_drive(&p), &p.err,
                 "the switch refuses: OFPFMFC_TABLE_FULL: cookie=0x7,table=2");
    assert_int_equal(nwf_conn_refusals(p.conn)->n, 1);
    assert_int_equal(nwf_conn_refusals(p.conn)->data[0].index, 1);
    pair_settle(&p);
    pair_stop(&p);
    bundle_finish(&b);
}

/* The bundle has paused for too long: the error answers its opening. */
static bool
drop_bundle(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    (void) msg;
    if (type == OFPTYPE_BUNDLE_ADD_MESSAGE && fake->n_adds == 2) {
        fake_switch_refuse(fake, fake->opened, OFPERR_OFPBFC_TIMEOUT);
    }
    return false;
}

static void
test_dropped_bundle(void **state)
{
    struct bundle b;
    struct pair p;

    (void) state;
    bundle_init(&b, 3);
    pair_start(&p, OFP14_VERSION, LONG);
    p.fake.script = drop_bundle;
    nwf_conn_apply(p.conn, &b.changes);
    int r = pair_drive(&p);
    assert_int_equal(r, -EREMOTEIO);
    expect_error(r, &p.err, "bridge br0: the switch refuses: OFPBFC_TIMEOUT");
    assert_int_equal(nwf_conn_refusals(p.conn)->n, 0);
    assert_null(strstr(ds_cstr(&p.fake.said), "commit"));
    assert_non_null(strstr(ds_cstr(&p.fake.said), "discard barrier "));
    pair_settle(&p);
    pair_stop(&p);
    bundle_finish(&b);
}

static bool
ignore_commit(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    (void) msg;
    return type == OFPTYPE_BUNDLE_CONTROL && strstr(ds_cstr(&fake->said), "commit");
}

static void
test_silent_commit(void **state)
{
    struct bundle b;
    struct pair p;

    (void) state;
    bundle_init(&b, 3);
    pair_start(&p, OFP14_VERSION, SHORT);
    p.fake.script = ignore_commit;
    nwf_conn_apply(p.conn, &b.changes);
    int r = pair_drive(&p);
    assert_int_equal(r, -ETIMEDOUT);
    expect_error(r, &p.err, "bridge br0: the switch does not answer");
    pair_stop(&p);
    bundle_finish(&b);
}

static bool
close_at_barrier(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    (void) msg;
    if (type == OFPTYPE_BARRIER_REQUEST) {
        fake_switch_close(fake);
        return true;
    }
    return false;
}

static void
test_closed(void **state)
{
    struct bundle b;
    struct pair p;

    (void) state;
    bundle_init(&b, 3);
    pair_start(&p, OFP14_VERSION, LONG);
    p.fake.script = close_at_barrier;
    nwf_conn_apply(p.conn, &b.changes);
    int r = pair_drive(&p);
    assert_int_equal(r, -EPIPE);
    expect_error(r, &p.err, "bridge br0: receiving: connection closed");
    pair_stop(&p);
    bundle_finish(&b);
}

/* Where nothing is to be done it is noticed too. */
static void
test_closed_idle(void **state)
{
    struct pair p;

    (void) state;
    pair_start(&p, OFP14_VERSION, LONG);
    pair_settle(&p);
    fake_switch_close(&p.fake);
    nwf_conn_wait(p.conn);
    poll_block();
    assert_int_equal(nwf_conn_run(p.conn, &p.err), -EPIPE);
    pair_stop(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bundle),         cmocka_unit_test(test_large_bundle),
        cmocka_unit_test(test_refusal),        cmocka_unit_test(test_refused_commit),
        cmocka_unit_test(test_dropped_bundle), cmocka_unit_test(test_silent_commit),
        cmocka_unit_test(test_closed),         cmocka_unit_test(test_closed_idle),
    };

    return cmocka_run_group_tests(tests, fake_switch_rundir, fake_switch_rundir_remove);
}
