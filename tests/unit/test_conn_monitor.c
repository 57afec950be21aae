/* SPDX-License-Identifier: Apache-2.0
 *
 * What a connection hears of flows that others change: the flow monitor. */
#include <config.h>

#include "support.h"

#include "conn_pair.h"

#include <errno.h>
#include <sys/socket.h>

#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-util.h"

#include "lib/byte-order.h"
#include "lib/flow.h"

static void
put_update(struct ovs_list *updates, enum ofp_flow_update_event event, uint16_t priority)
{
    struct ofpbuf *ofpacts = ofpbuf_new(0);
    struct ofputil_flow_update fu = {
        .event = event,
        .table_id = 3,
        .priority = priority,
        .cookie = htonll(9),
    };

    match_init_catchall(&fu.match);
    ofpact_put_OUTPUT(ofpacts)->port = u16_to_ofp(1);
    fu.ofpacts = ofpacts->data;
    fu.ofpacts_len = ofpacts->size;
    ofputil_append_flow_update(&fu, updates, NULL);
    ofpbuf_delete(ofpacts);
}

static void
expect_event(struct pair *p, bool deleted, uint16_t priority)
{
    struct nwf_flow_event event;

    assert_true(nwf_conn_next_event(p->conn, &event));
    assert_int_equal(event.deleted, deleted);
    assert_int_equal(event.flow->table, 3);
    assert_int_equal(event.flow->cookie, 9);
    assert_int_equal(event.flow->priority, priority);
    assert_int_equal(event.flow->form->ofpacts_len > 0, !deleted);
    nwf_flow_free(event.flow);
}

static void
expect_no_event(struct pair *p)
{
    struct nwf_flow_event event;

    assert_false(nwf_conn_next_event(p->conn, &event));
}

static void
start_monitor(struct pair *p, uint32_t version)
{
    static const uint8_t tables[] = {0, 3, 77};

    pair_start(p, version, LONG);
    nwf_conn_monitor(p->conn, tables, N_ROWS(tables));
    expect_ok(pair_drive(p), &p->err);
}

static enum ofputil_protocol
protocol_of(uint32_t version)
{
    return ofputil_protocol_from_ofp_version((enum ofp_version) version);
}

static void
test_events(void **state)
{
    (void) state;
    FOR_EACH_VERSION(version)
    {
        struct ovs_list updates;
        struct pair p;

        start_monitor(&p, *version);
        expect_no_event(&p);
        ofputil_start_flow_update(&updates, protocol_of(*version));
        put_update(&updates, OFPFME_ADDED, 1);
        put_update(&updates, OFPFME_ABBREV, 0);
        put_update(&updates, OFPFME_MODIFIED, 2);
        put_update(&updates, OFPFME_REMOVED, 3);
        fake_switch_send_all(&p.fake, &updates);
        pair_settle(&p);
        expect_event(&p, false, 1);
        expect_event(&p, false, 2);
        expect_event(&p, true, 3);
        expect_no_event(&p);
        assert_false(nwf_conn_lost_events(p.conn));
        pair_stop(&p);
    }
}

static void
send_update(struct pair *p, uint32_t version, uint16_t priority)
{
    struct ovs_list updates;

    ofputil_start_flow_update(&updates, protocol_of(version));
    put_update(&updates, OFPFME_ADDED, priority);
    fake_switch_send_all(&p->fake, &updates);
}

static void
test_pause(void **state)
{
    (void) state;
    FOR_EACH_VERSION(version)
    {
        struct pair p;

        start_monitor(&p, *version);
        send_update(&p, *version, 1);
        fake_switch_send(&p.fake,
                         ofputil_encode_flow_monitor_pause(OFPFME_PAUSED, protocol_of(*version)));
        pair_settle(&p);
        expect_event(&p, false, 1);
        assert_false(nwf_conn_lost_events(p.conn));
        send_update(&p, *version, 2); /* An own change, perhaps. */
        fake_switch_send(&p.fake,
                         ofputil_encode_flow_monitor_pause(OFPFME_RESUMED, protocol_of(*version)));
        pair_settle(&p);
        expect_no_event(&p);
        assert_true(nwf_conn_lost_events(p.conn));
        assert_false(nwf_conn_lost_events(p.conn));
        send_update(&p, *version, 3);
        pair_settle(&p);
        expect_event(&p, false, 3);
        pair_stop(&p);
    }
}

static void
test_overflow(void **state)
{
    struct nwf_flow_event event;
    struct ovs_list updates;
    size_t n = 0;
    struct pair p;

    (void) state;
    start_monitor(&p, OFP15_VERSION);
    ofputil_start_flow_update(&updates, protocol_of(OFP15_VERSION));
    for (int i = 0; i < 100010; i++) {
        put_update(&updates, OFPFME_ADDED, (uint16_t) i);
    }
    fake_switch_send_all(&p.fake, &updates);
    pair_settle(&p);
    assert_true(nwf_conn_lost_events(p.conn));
    while (nwf_conn_next_event(p.conn, &event)) {
        nwf_flow_free(event.flow);
        n++;
    }
    assert_true(n < 10);
    pair_stop(&p);
}

/* One request asks for all tables. */
static bool
refuse_monitor(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    struct ofputil_flow_monitor_request request;
    struct ofpbuf body = ofpbuf_const_initializer(msg->data, msg->size);

    if (type != OFPTYPE_FLOW_MONITOR_STATS_REQUEST) {
        return false;
    }
    while (!ofputil_decode_flow_monitor_request(&request, &body)) {
        assert_int_equal(request.flags,
                         OFPFMF_ADD | OFPFMF_REMOVED | OFPFMF_MODIFY | OFPFMF_INSTRUCTIONS);
        ds_put_format(&fake->said, "monitor-%u ", request.table_id);
    }
    fake_switch_refuse(fake, ((struct ofp_header *) msg->data)->xid, OFPERR_OFPBRC_BAD_TYPE);
    return true;
}

static void
test_refused_monitor(void **state)
{
    static const uint8_t tables[] = {0, 3, 77};

    (void) state;
    FOR_EACH_VERSION(version)
    {
        struct pair p;

        pair_start(&p, *version, LONG);
        p.fake.script = refuse_monitor;
        nwf_conn_monitor(p.conn, tables, N_ROWS(tables));
        int r = pair_drive(&p);
        assert_int_equal(r, -EOPNOTSUPP);
        expect_error(r, &p.err, "bridge br0: the switch refuses: OFPBRC_BAD_TYPE");
        pair_settle(&p);
        expect_said(&p, "monitor-0 monitor-3 monitor-77 barrier ");
        pair_stop(&p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_refused_monitor),
    };

    return cmocka_run_group_tests(tests, fake_switch_rundir, fake_switch_rundir_remove);
}
