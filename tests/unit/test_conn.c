/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that do not block, against a switch that is honest, slow, silent or hostile: how they
 * come about, what they ask, and nonsense that they get. */
#include <config.h>

#include "support.h"

#include "conn_pair.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"

#include "lib/byte-order.h"
#include "lib/dirs.h"
#include "lib/flow.h"

/* ---- Connecting. ---- */

static void
test_connect(void **state)
{
    struct pair p;

    (void) state;
    pair_start(&p, OFP15_VERSION, LONG);
    expect_ok(pair_drive(&p), &p.err);
    expect_ok(pair_drive(&p), &p.err);
    pair_settle(&p);
    expect_said(&p, "barrier ");
    pair_stop(&p);
}

static void
test_connect_fails(void **state)
{
    struct pair p = {.err = NWF_ERROR_INIT};

    (void) state;
    fake_switch_start(&p.fake, "br0", 1u << OFP10_VERSION);
    p.conn = nwf_conn_new("br0", NWF_OPENFLOW_VERSIONS, LONG);
    nwf_conn_barrier(p.conn);
    expect_error(pair_drive(&p), &p.err,
                 "bridge br0: allows none of the OpenFlow versions asked for");
    expect_error(nwf_conn_run(p.conn, &p.err), &p.err, "allows none of the OpenFlow versions");
    pair_stop(&p);

    struct nwf_conn *conn = nwf_conn_new("br0", NWF_OPENFLOW_VERSIONS, LONG);
    assert_int_equal(nwf_conn_run(conn, &p.err), -ENOENT);
    expect_error(nwf_conn_run(conn, &p.err), &p.err, "br0.mgmt: No such file or directory");
    nwf_conn_free(conn);
}

/* Nobody answers to the hello. */
static void
test_connect_times_out(void **state)
{
    struct pair p;
    int r;

    (void) state;
    pair_start(&p, OFP14_VERSION, SHORT);
    while ((r = nwf_conn_run(p.conn, &p.err)) == -EAGAIN) {
        nwf_conn_wait(p.conn);
        poll_block();
    }
    assert_int_equal(r, -ETIMEDOUT);
    expect_error(r, &p.err, "br0.mgmt: Connection timed out");
    pair_stop(&p);
}

/* ---- Dumping. ---- */

#define N_FLOWS 10000

static void
put_flow(struct ovs_list *replies, int i)
{
    struct ofputil_flow_stats fs = {
        .table_id = 3,
        .priority = (uint16_t) (1 + i),
        .cookie = htonll(7),
        .packet_count = (uint64_t) i,
        .byte_count = UINT64_MAX,
        .idle_age = -1,
        .hard_age = -1,
    };

    match_init_catchall(&fs.match);
    ofputil_append_flow_stats_reply(&fs, replies, NULL);
}

static bool
dump_all(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    struct ovs_list replies;

    if (type != OFPTYPE_FLOW_STATS_REQUEST) {
        return false;
    }
    ofpmp_init(&replies, msg->data);
    for (int i = 0; i < N_FLOWS; i++) {
        put_flow(&replies, i);
    }
    assert_true(ovs_list_size(&replies) > 6);
    fake_switch_send_all(fake, &replies);
    return true;
}

static void
test_dump(void **state)
{
    (void) state;
    FOR_EACH_VERSION(version)
    {
        struct nwf_flow_set set CLEANUP(nwf_flow_set_finish);
        const struct nwf_flow *flow;
        struct pair p;

        nwf_flow_set_init(&set);
        pair_start(&p, *version, SHORT);
        p.fake.script = dump_all;
        p.fake.slow_ms = SHORT / 4; /* Each part is in time, and all together are not. */
        nwf_conn_dump(p.conn, 7, UINT64_MAX, &set);
        expect_ok(pair_drive(&p), &p.err);
        assert_int_equal(nwf_flow_set_count(&set), N_FLOWS);
        HMAP_FOR_EACH (flow, node, &set.flows) {
            assert_int_equal(flow->cookie, 7);
        }
        pair_stop(&p);
    }
}

/* Tells of the same flow, in parts that never end. */
static void
repeat_part(struct fake_switch *fake)
{
    if (fake->aux) {
        fake_switch_send(fake, ofpbuf_clone(fake->aux));
    }
}

static bool
dump_without_end(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    struct ovs_list replies;

    if (type != OFPTYPE_FLOW_STATS_REQUEST) {
        return false;
    }
    ofpmp_init(&replies, msg->data);
    put_flow(&replies, 1);
    struct ofpbuf *part = ofpbuf_from_list(ovs_list_pop_front(&replies));
    ovs_be16 *head = part->data;

    head[5] = htons(1); /* More follows. */
    fake->aux = part;
    fake->idle = repeat_part;
    return true;
}

static void
test_dump_without_end(void **state)
{
    struct nwf_flow_set set CLEANUP(nwf_flow_set_finish);
    struct pair p;

    (void) state;
    nwf_flow_set_init(&set);
    pair_start(&p, OFP14_VERSION, SHORT);
    p.fake.script = dump_without_end;
    nwf_conn_dump(p.conn, 0, 0, &set);
    expect_error(pair_drive(&p), &p.err, "bridge br0: the switch does not answer");
    expect_error(pair_drive(&p), &p.err, "bridge br0: the switch does not answer");
    ofpbuf_delete(p.fake.aux);
    pair_stop(&p);
}

/* ---- Settings. ---- */

static void
test_frags(void **state)
{
    (void) state;
    FOR_EACH_VERSION(version)
    {
        struct pair p;

        pair_start(&p, *version, LONG);
        p.fake.frag = OFPUTIL_FRAG_NX_MATCH;
        nwf_conn_set_frags(p.conn);
        expect_ok(pair_drive(&p), &p.err);
        expect_said(&p, "");
        p.fake.frag = OFPUTIL_FRAG_NORMAL;
        nwf_conn_set_frags(p.conn);
        expect_ok(pair_drive(&p), &p.err);
        expect_said(&p, "set-config barrier ");
        assert_int_equal(p.fake.frag, OFPUTIL_FRAG_NX_MATCH);
        pair_stop(&p);
    }
}

static void
test_zones(void **state)
{
    static const uint16_t zones[] = {5, 1, 40000};
    struct pair p;

    (void) state;
    pair_start(&p, OFP15_VERSION, LONG);
    nwf_conn_flush_zones(p.conn, zones, N_ROWS(zones));
    expect_ok(pair_drive(&p), &p.err);
    expect_said(&p, "flush-5 flush-1 flush-40000 barrier ");
    pair_stop(&p);
}

/* Ports 1 to 5000, in parts, of which every other is out of floods. */
static bool
tell_ports(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    struct ovs_list replies;

    if (type != OFPTYPE_PORT_DESC_STATS_REQUEST) {
        return false;
    }
    ofpmp_init(&replies, msg->data);
    for (uint16_t i = 1; i <= 5000; i++) {
        const struct ofputil_phy_port port = {
            .port_no = u16_to_ofp(i),
            .config = i % 2 ? OFPUTIL_PC_NO_FLOOD : 0,
        };
        ofputil_append_port_desc_stats_reply(&port, &replies);
    }
    fake_switch_send_all(fake, &replies);
    return true;
}

static void
test_no_flood(void **state)
{
    static enum nwf_no_flood wanted[0x10000];
    struct pair p;

    (void) state;
    wanted[1] = wanted[2] = wanted[5000] = NWF_NO_FLOOD_SET;
    wanted[3] = wanted[4] = wanted[6000] = NWF_NO_FLOOD_CLEAR;
    pair_start(&p, OFP10_VERSION, LONG);
    p.fake.script = tell_ports;
    nwf_conn_set_no_flood(p.conn, wanted);
    expect_ok(pair_drive(&p), &p.err);
    expect_said(&p, "no-flood-2 flood-3 no-flood-5000 barrier ");
    pair_stop(&p);
}

/* ---- Nonsense. ---- */

/* The barrier's answer is something else. */
static bool
wrong_answer(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    if (type != OFPTYPE_BARRIER_REQUEST) {
        return false;
    }
    struct ofpbuf *reply = ofpraw_alloc_xid(OFPRAW_OFPT_ECHO_REPLY, OFP14_VERSION,
                                            ((struct ofp_header *) msg->data)->xid, 0);
    fake_switch_send(fake, reply);
    return true;
}

static void
test_wrong_answer(void **state)
{
    struct pair p;

    (void) state;
    pair_start(&p, OFP14_VERSION, LONG);
    p.fake.script = wrong_answer;
    nwf_conn_barrier(p.conn);
    expect_error(pair_drive(&p), &p.err, "bridge br0: a barrier: Protocol error");
    pair_stop(&p);
}

/* Something that cannot be read, and is no answer, comes before the answer. */
static bool
nonsense_first(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    (void) msg;
    if (type == OFPTYPE_BARRIER_REQUEST) {
        struct ofpbuf *nonsense =
            ofpraw_alloc_xid(OFPRAW_OFPT_ECHO_REPLY, OFP14_VERSION, htonl(0x12345678), 0);

        ((struct ofp_header *) nonsense->data)->type = 0xee;
        fake_switch_send(fake, nonsense);
    }
    return false;
}

static void
test_nonsense(void **state)
{
    struct pair p;

    (void) state;
    pair_start(&p, OFP14_VERSION, LONG);
    p.fake.script = nonsense_first;
    pair_settle(&p);
    pair_stop(&p);
}

/* A listener that knows nothing of OpenFlow; returns its socket. */
static int
listen_raw(struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "%s/br0.mgmt", ovs_rundir());
    assert_int_equal(bind(fd, (struct sockaddr *) address, sizeof *address), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* A hello, and a message that is shorter than its head. */
static void
test_garbage(void **state)
{
    static const uint8_t sent[] = {5, 0, 0, 8, 0, 0, 0, 1, 5, 2, 0, 3, 0, 0, 0, 2};
    struct nwf_error err = NWF_ERROR_INIT;
    struct sockaddr_un address;
    int r, fd = listen_raw(&address);
    struct nwf_conn *conn = nwf_conn_new("br0", 1u << OFP14_VERSION, LONG);

    (void) state;
    assert_int_equal(nwf_conn_run(conn, &err), -EAGAIN);
    int client = accept(fd, NULL, NULL);
    assert_int_equal(write(client, sent, sizeof sent), sizeof sent);
    nwf_conn_barrier(conn);
    while ((r = nwf_conn_run(conn, &err)) == -EAGAIN) {
        nwf_conn_wait(conn);
        poll_block();
    }
    assert_int_equal(r, -EPROTO);
    expect_error(r, &err, "bridge br0: receiving: Protocol error");
    nwf_conn_free(conn);
    close(client);
    close(fd);
    unlink(address.sun_path);
}

static bool
say_nothing(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    (void) fake, (void) type, (void) msg;
    return true;
}

/* Probes without end. */
static void
probe(struct fake_switch *fake)
{
    fake_switch_send(fake, ofputil_encode_echo_request(OFP14_VERSION));
}

static void
test_probes(void **state)
{
    struct pair p;

    (void) state;
    pair_start(&p, OFP14_VERSION, SHORT);
    p.fake.script = say_nothing;
    p.fake.idle = probe;
    nwf_conn_barrier(p.conn);
    expect_error(pair_drive(&p), &p.err, "bridge br0: the switch does not answer");
    assert_non_null(strstr(ds_cstr(&p.fake.said), "echo "));
    pair_stop(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_connect_fails),
        cmocka_unit_test(test_connect_times_out),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_dump_without_end),
        cmocka_unit_test(test_frags),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_no_flood),
        cmocka_unit_test(test_wrong_answer),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_probes),
    };

    return cmocka_run_group_tests(tests, fake_switch_rundir, fake_switch_rundir_remove);
}
