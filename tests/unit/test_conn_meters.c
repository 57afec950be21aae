/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection's meters, of switches that have them and that have none. */
#include <config.h>

#include "support.h"

#include "conn_pair.h"

#include <errno.h>

#include "nwf/pipeline.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-util.h"

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
    return pair_drive(p);
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
    pair_settle(&p);
    r = set_meters(&p, &silent, false);
    assert_int_equal(r, -EOPNOTSUPP);
    expect_error(r, &p.err, "bridge br0: the switch refuses: OFPBRC_BAD_STAT");
    pair_settle(&p);
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
    pair_settle(&p);
    nwf_conn_post_delete(p.conn, 7, UINT64_MAX);
    fake_switch_run(&p.fake); /* It is there at once. */
    expect_said(&p, "delete barrier delete ");
    pair_settle(&p);
    pair_stop(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meters),
        cmocka_unit_test(test_no_meters),
        cmocka_unit_test(test_post_delete),
    };

    return cmocka_run_group_tests(tests, fake_switch_rundir, fake_switch_rundir_remove);
}
