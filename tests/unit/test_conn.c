/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that do not block, against a switch that does as it is told: honest, slow, silent,
 * refusing or hostile. */
#include <config.h>

#include "support.h"

#include "fake_switch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "nwf/conn.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"

#include "lib/byte-order.h"
#include "lib/dirs.h"
#include "lib/flow.h"
#include "lib/timeval.h"

/* Enough for what does come, ms; and for what does not. */
#define LONG 10000
#define SHORT 400

/* A switch and a connection to it. */
struct pair {
    struct fake_switch fake;
    struct nwf_conn *conn;
    struct nwf_error err;
};

static void
pair_start(struct pair *p, uint32_t version, unsigned int timeout_ms)
{
    memset(p, 0, sizeof *p);
    fake_switch_start(&p->fake, "br0", 1u << version);
    p->conn = nwf_conn_new("br0", 1u << version, timeout_ms);
}

static void
pair_stop(struct pair *p)
{
    nwf_conn_free(p->conn);
    fake_switch_stop(&p->fake);
    nwf_error_clear(&p->err);
}

/* Until the operation has ended. */
static int
drive(struct pair *p)
{
    for (;;) {
        fake_switch_run(&p->fake);
        int r = nwf_conn_run(p->conn, &p->err);
        if (r != -EAGAIN) {
            return r;
        }
        fake_switch_wait(&p->fake);
        nwf_conn_wait(p->conn);
        poll_block();
    }
}

/* Until the switch has sent all, and the connection has read it. */
static void
settle(struct pair *p)
{
    nwf_conn_barrier(p->conn);
    expect_ok(drive(p), &p->err);
}

#define expect_said(P, TEXT) assert_string_equal(ds_cstr(&(P)->fake.said), TEXT)

static const uint32_t versions[] = {OFP13_VERSION, OFP14_VERSION, OFP15_VERSION};

#define FOR_EACH_VERSION(V) for (const uint32_t *V = versions; V < versions + N_ROWS(versions); V++)

/* ---- Connecting. ---- */

static void
test_connect(void **state)
{
    struct pair p;

    (void) state;
    pair_start(&p, OFP15_VERSION, LONG);
    expect_ok(drive(&p), &p.err);
    expect_ok(drive(&p), &p.err);
    settle(&p);
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
    expect_error(drive(&p), &p.err, "bridge br0: allows none of the OpenFlow versions asked for");
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
        expect_ok(drive(&p), &p.err);
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
    expect_error(drive(&p), &p.err, "bridge br0: the switch does not answer");
    expect_error(drive(&p), &p.err, "bridge br0: the switch does not answer");
    ofpbuf_delete(p.fake.aux);
    pair_stop(&p);
}

/* ---- Bundles. ---- */

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
    nwf_flow_set_add(&b->installed, 1, 9, 7, &match, NULL, 0);
    for (int i = 0; i < n; i++) {
        nwf_flow_set_add(&b->desired, (uint8_t) (2 + i / 60000), (uint16_t) (i % 60000), 7, &match,
                         NULL, 0);
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
        expect_ok(drive(&p), &p.err);
        expect_said(&p, "open remove add add barrier commit ");
        assert_int_equal(nwf_conn_refusals(p.conn)->n, 0);
        nwf_conn_apply(p.conn, &(struct nwf_changes){NULL, 0, 0});
        expect_ok(drive(&p), &p.err);
        nwf_conn_delete(p.conn, 7, UINT64_MAX);
        expect_ok(drive(&p), &p.err);
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
    expect_ok(drive(&p), &p.err);
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
    int r = drive(&p);
    assert_int_equal(r, -EREMOTEIO);
    expect_error(r, &p.err,
                 "bridge br0: the switch refuses: OFPBAC_BAD_OUT_PORT: cookie=0x7,table=2,");
    expect_said(&p, "open remove add add add barrier discard barrier ");
    assert_int_equal(nwf_conn_refusals(p.conn)->n, 1);
    assert_int_equal(nwf_conn_refusals(p.conn)->data[0].index, 2);
    assert_int_equal(nwf_conn_refusals(p.conn)->data[0].code, OFPERR_OFPBAC_BAD_OUT_PORT);
    /* The connection can be used. */
    nwf_conn_apply(p.conn, &b.changes);
    expect_ok(drive(&p), &p.err);
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
    expect_error(drive(&p), &p.err, "the switch refuses: OFPFMFC_TABLE_FULL: cookie=0x7,table=2");
    assert_int_equal(nwf_conn_refusals(p.conn)->n, 1);
    assert_int_equal(nwf_conn_refusals(p.conn)->data[0].index, 1);
    settle(&p);
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
    int r = drive(&p);
    assert_int_equal(r, -EREMOTEIO);
    expect_error(r, &p.err, "bridge br0: the switch refuses: OFPBFC_TIMEOUT");
    assert_int_equal(nwf_conn_refusals(p.conn)->n, 0);
    assert_null(strstr(ds_cstr(&p.fake.said), "commit"));
    assert_non_null(strstr(ds_cstr(&p.fake.said), "discard barrier "));
    settle(&p);
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
    int r = drive(&p);
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
    int r = drive(&p);
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
    settle(&p);
    fake_switch_close(&p.fake);
    nwf_conn_wait(p.conn);
    poll_block();
    assert_int_equal(nwf_conn_run(p.conn, &p.err), -EPIPE);
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
    expect_error(drive(&p), &p.err, "bridge br0: a barrier: Protocol error");
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
    settle(&p);
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
    expect_error(drive(&p), &p.err, "bridge br0: the switch does not answer");
    assert_non_null(strstr(ds_cstr(&p.fake.said), "echo "));
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
        expect_ok(drive(&p), &p.err);
        expect_said(&p, "");
        p.fake.frag = OFPUTIL_FRAG_NORMAL;
        nwf_conn_set_frags(p.conn);
        expect_ok(drive(&p), &p.err);
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
    expect_ok(drive(&p), &p.err);
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
    expect_ok(drive(&p), &p.err);
    expect_said(&p, "no-flood-2 flood-3 no-flood-5000 barrier ");
    pair_stop(&p);
}

/* ---- Meters. ---- */

/* Meters that the switch has: the first are as they shall be. */
struct told_meters {
    struct {
        uint32_t id, rate;
        uint16_t flags;
    } list[6];
    size_t n;
    enum ofperr refusal; /* Of changes; 0: none. */
    bool refuses_question, is_cut;
};

#define GOOD (OFPMF13_PKTPS | OFPMF13_BURST | OFPMF13_STATS)
#define OURS(LIMIT, PORT) (NWF_METER_FIRST + ((LIMIT) << 16 | (PORT)))

static bool
tell_meters(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    const struct told_meters *told = fake->aux;
    struct ovs_list replies;

    if (type == OFPTYPE_METER_MOD && told->refusal) {
        fake_switch_refuse(fake, oh->xid, told->refusal);
        return false;
    }
    if (type != OFPTYPE_METER_CONFIG_STATS_REQUEST) {
        return false;
    }
    if (told->refuses_question) {
        fake_switch_refuse(fake, oh->xid, OFPERR_OFPBRC_BAD_STAT);
        return true;
    }
    ofpmp_init(&replies, oh);
    for (size_t i = 0; i < told->n; i++) {
        struct ofputil_meter_band band = {OFPMBT13_DROP, 0, told->list[i].rate, told->list[i].rate};
        const struct ofputil_meter_config config = {told->list[i].id, told->list[i].flags, 1,
                                                    &band};
        ofputil_append_meter_config(&replies, &config);
    }
    if (told->is_cut) {
        struct ofpbuf *reply = ofpbuf_from_list(ovs_list_front(&replies));
        reply->size -= 8;
        ofpmsg_update_length(reply);
    }
    fake_switch_send_all(fake, &replies);
    return true;
}

static int
set_meters(struct pair *p, struct told_meters *told, bool prune)
{
    struct nwf_meter wanted[] = {
        {OURS(1, 5), 50, false}, {OURS(0, 5), 20, false}, {OURS(0, 1), 10, false}};
    struct nwf_meters meters = {wanted, N_ROWS(wanted), N_ROWS(wanted)};

    p->fake.script = tell_meters;
    p->fake.aux = told;
    nwf_conn_set_meters(p->conn, &meters, prune);
    return drive(p);
}

static void
test_meters(void **state)
{
    static struct told_meters told = {
        .list = {{OURS(0, 1), 10, GOOD},
                 {7, 1, OFPMF13_KBPS},
                 {OURS(0, 5), 21, GOOD},
                 {OURS(1, 5), 50, GOOD & ~OFPMF13_STATS},
                 {OURS(1, 6), 9, GOOD}},
        .n = 5,
    };

    (void) state;
    FOR_EACH_VERSION(version)
    {
        struct told_meters none = {.n = 0};
        struct pair p;

        pair_start(&p, *version, LONG);
        expect_ok(set_meters(&p, &told, false), &p.err);
        expect_said(&p, "meter-modify-6e760005:20 meter-modify-6e770005:50 barrier ");
        assert_int_equal(nwf_conn_excess_meters(p.conn), 1);
        ds_clear(&p.fake.said);
        expect_ok(set_meters(&p, &told, true), &p.err);
        expect_said(&p, "meter-modify-6e760005:20 meter-modify-6e770005:50 "
                        "meter-delete-6e770006 barrier ");
        assert_int_equal(nwf_conn_excess_meters(p.conn), 0);
        ds_clear(&p.fake.said);
        expect_ok(set_meters(&p, &none, true), &p.err);
        expect_said(&p, "meter-add-6e760001:10 meter-add-6e760005:20 meter-add-6e770005:50 "
                        "barrier ");
        pair_stop(&p);
    }
}

/* What a switch without meters says, or one that is out of them, is not the connection's end. */
static void
test_no_meters(void **state)
{
    struct told_meters full = {.refusal = OFPERR_OFPMMFC_OUT_OF_METERS};
    struct told_meters silent = {.refuses_question = true};
    struct told_meters cut = {.list = {{OURS(0, 1), 10, GOOD}}, .n = 1, .is_cut = true};
    struct pair p;

    (void) state;
    pair_start(&p, OFP15_VERSION, LONG);
    int r = set_meters(&p, &full, false);
    assert_int_equal(r, -EOPNOTSUPP);
    expect_error(r, &p.err, "bridge br0: the switch refuses: OFPMMFC_OUT_OF_METERS");
    settle(&p);
    r = set_meters(&p, &silent, false);
    assert_int_equal(r, -EOPNOTSUPP);
    expect_error(r, &p.err, "bridge br0: the switch refuses: OFPBRC_BAD_STAT");
    settle(&p);
    expect_error(set_meters(&p, &cut, false), &p.err, "reading meters");
    pair_stop(&p);
}

static void
test_post_delete(void **state)
{
    struct pair p;

    (void) state;
    pair_start(&p, OFP15_VERSION, LONG);
    nwf_conn_post_delete(p.conn, 7, UINT64_MAX); /* Before there is a connection. */
    settle(&p);
    nwf_conn_post_delete(p.conn, 7, UINT64_MAX);
    fake_switch_run(&p.fake); /* It is there at once. */
    expect_said(&p, "delete barrier delete ");
    settle(&p);
    pair_stop(&p);
}

/* ---- The flow monitor. ---- */

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
    expect_ok(drive(p), &p->err);
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
        settle(&p);
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
        settle(&p);
        expect_event(&p, false, 1);
        assert_false(nwf_conn_lost_events(p.conn));
        send_update(&p, *version, 2); /* An own change, perhaps. */
        fake_switch_send(&p.fake,
                         ofputil_encode_flow_monitor_pause(OFPFME_RESUMED, protocol_of(*version)));
        settle(&p);
        expect_no_event(&p);
        assert_true(nwf_conn_lost_events(p.conn));
        assert_false(nwf_conn_lost_events(p.conn));
        send_update(&p, *version, 3);
        settle(&p);
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
    settle(&p);
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
        int r = drive(&p);
        assert_int_equal(r, -EOPNOTSUPP);
        expect_error(r, &p.err, "bridge br0: the switch refuses: OFPBRC_BAD_TYPE");
        settle(&p);
        expect_said(&p, "monitor-0 monitor-3 monitor-77 barrier ");
        pair_stop(&p);
    }
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
        cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_large_bundle),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_refused_commit),
        cmocka_unit_test(test_dropped_bundle),
        cmocka_unit_test(test_silent_commit),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_closed_idle),
        cmocka_unit_test(test_wrong_answer),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_frags),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_no_flood),
        cmocka_unit_test(test_meters),
        cmocka_unit_test(test_no_meters),
        cmocka_unit_test(test_post_delete),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_refused_monitor),
    };

    return cmocka_run_group_tests(tests, fake_switch_rundir, fake_switch_rundir_remove);
}
