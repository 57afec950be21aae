/* SPDX-License-Identifier: Apache-2.0
 *
 * See fake_switch.h. */
#include <config.h>

#include "support.h"

#include "fake_switch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "openflow/nicira-ext.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"

#include "lib/dirs.h"
#include "lib/flow.h"
#include "lib/socket-util.h"
#include "lib/timeval.h"

/* Changes up to which each is noted. */
#define FEW 10

int
fake_switch_rundir(void **state)
{
    char path[] = "/tmp/nwf-unit-XXXXXX";

    signal(SIGPIPE, SIG_IGN);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    assert_non_null(mkdtemp(path));
    setenv("OVS_RUNDIR", path, 1);
    assert_string_equal(ovs_rundir(), path);
    *state = NULL;
    return 0;
}

int
fake_switch_rundir_remove(void **state)
{
    (void) state;
    return rmdir(ovs_rundir());
}

void
fake_switch_start(struct fake_switch *fake, const char *bridge, uint32_t versions)
{
    char *name CLEANUP_FREE = nwf_asprintf("punix:%s/%s.mgmt", ovs_rundir(), bridge);

    memset(fake, 0, sizeof *fake);
    ovs_list_init(&fake->tx);
    ds_init(&fake->said);
    assert_int_equal(pvconn_open(name, versions, DSCP_DEFAULT, &fake->listener), 0);
}

void
fake_switch_close(struct fake_switch *fake)
{
    vconn_close(fake->vconn);
    fake->vconn = NULL;
    ofpbuf_list_delete(&fake->tx);
}

void
fake_switch_stop(struct fake_switch *fake)
{
    fake_switch_close(fake);
    pvconn_close(fake->listener);
    ds_destroy(&fake->said);
}

void
fake_switch_send(struct fake_switch *fake, struct ofpbuf *msg)
{
    ovs_list_push_back(&fake->tx, &msg->list_node);
}

void
fake_switch_send_all(struct fake_switch *fake, struct ovs_list *msgs)
{
    struct ofpbuf *msg;

    LIST_FOR_EACH_POP (msg, list_node, msgs) {
        fake_switch_send(fake, msg);
    }
}

void
fake_switch_refuse(struct fake_switch *fake, ovs_be32 xid, enum ofperr error)
{
    const struct ofp_header about = {
        .version = (uint8_t) vconn_get_version(fake->vconn),
        .type = 2, /* An echo request, for what it is worth. */
        .length = htons(sizeof about),
        .xid = xid,
    };

    fake_switch_send(fake, ofperr_encode_reply(error, &about));
}

/* ---- What Open vSwitch would answer. ---- */

static const char *
control_name(uint16_t type)
{
    return type == OFPBCT_OPEN_REQUEST      ? "open"
           : type == OFPBCT_COMMIT_REQUEST  ? "commit"
           : type == OFPBCT_DISCARD_REQUEST ? "discard"
                                            : "?";
}

/* Its replies are named so that each has its request's number + 1. */
static void
answer_control(struct fake_switch *fake, const struct ofp_header *oh)
{
    struct ofputil_bundle_ctrl_msg control;

    assert_int_equal(ofputil_decode_bundle_ctrl(oh, &control), 0);
    assert_int_equal(control.flags, OFPBF_ORDERED | OFPBF_ATOMIC);
    control.type++;
    fake_switch_send(fake, ofputil_encode_bundle_ctrl_reply(oh, &control));
}

static void
answer_config(struct fake_switch *fake, const struct ofp_header *oh)
{
    const struct ofputil_switch_config config = {.frag = fake->frag, .miss_send_len = 128};

    fake_switch_send(fake, ofputil_encode_get_config_reply(oh, &config));
}

static void
answer_monitor(struct fake_switch *fake, const struct ofp_header *oh)
{
    struct ovs_list replies;

    ofpmp_init(&replies, oh);
    fake_switch_send_all(fake, &replies);
}

static void
answer(struct fake_switch *fake, enum ofptype type, const struct ofp_header *oh)
{
    switch ((int) type) {
    case OFPTYPE_BARRIER_REQUEST:
        fake_switch_send(fake, ofpraw_alloc_reply(oh->version == OFP10_VERSION
                                                      ? OFPRAW_OFPT10_BARRIER_REPLY
                                                      : OFPRAW_OFPT11_BARRIER_REPLY,
                                                  oh, 0));
        break;
    case OFPTYPE_BUNDLE_CONTROL:
        answer_control(fake, oh);
        break;
    case OFPTYPE_GET_CONFIG_REQUEST:
        answer_config(fake, oh);
        break;
    case OFPTYPE_FLOW_MONITOR_STATS_REQUEST:
        answer_monitor(fake, oh);
        break;
    default:
        break;
    }
}

/* ---- What is noted. ---- */

static const char *
flow_mod_name(const struct ofp_header *oh)
{
    struct ofpbuf ofpacts;
    struct ofputil_flow_mod fm;

    ofpbuf_init(&ofpacts, 0);
    assert_int_equal(ofputil_decode_flow_mod(&fm, oh,
                                             ofputil_protocol_from_ofp_version(oh->version), NULL,
                                             NULL, &ofpacts, OFPP_MAX, 255),
                     0);
    ofpbuf_uninit(&ofpacts);
    minimatch_destroy(&fm.match);
    return fm.command == OFPFC_ADD             ? "add"
           : fm.command == OFPFC_DELETE_STRICT ? "remove"
           : fm.command == OFPFC_DELETE        ? "delete"
                                               : "?";
}

static const char *
added_name(struct fake_switch *fake, const struct ofp_header *oh)
{
    struct ofputil_bundle_add_msg add;

    assert_int_equal(ofputil_decode_bundle_add(oh, &add, NULL), 0);
    return ++fake->n_adds > FEW ? NULL : flow_mod_name(add.msg);
}

static void
note_zone(struct fake_switch *fake, const struct ofp_header *oh)
{
    const struct nx_zone_id *zone = ofpmsg_body(oh);

    ds_put_format(&fake->said, "flush-%u ", ntohs(zone->zone_id));
}

static void
note_config(struct fake_switch *fake, const struct ofp_header *oh)
{
    struct ofputil_switch_config config;

    ofputil_decode_set_config(oh, &config);
    fake->frag = config.frag;
    ds_put_cstr(&fake->said, "set-config ");
}

static void
note_port(struct fake_switch *fake, const struct ofp_header *oh)
{
    struct ofputil_port_mod pm;

    assert_int_equal(ofputil_decode_port_mod(oh, &pm, false), 0);
    assert_int_equal(pm.mask, OFPUTIL_PC_NO_FLOOD);
    ds_put_format(&fake->said, "%sflood-%u ", pm.config ? "no-" : "", ofp_to_u16(pm.port_no));
}

static void
note_meter(struct fake_switch *fake, const struct ofp_header *oh)
{
    struct ofpbuf bands;
    struct ofputil_meter_mod mm;

    ofpbuf_init(&bands, 64);
    assert_int_equal(ofputil_decode_meter_mod(oh, &mm, &bands), 0);
    ds_put_format(&fake->said, "meter-%s-%x",
                  mm.command == OFPMC13_ADD      ? "add"
                  : mm.command == OFPMC13_MODIFY ? "modify"
                                                 : "delete",
                  mm.meter.meter_id);
    if (mm.command != OFPMC13_DELETE) {
        assert_int_equal(mm.meter.n_bands, 1);
        assert_int_equal(mm.meter.bands->type, OFPMBT13_DROP);
        ds_put_format(&fake->said, ":%u", mm.meter.bands->rate);
    }
    ds_put_char(&fake->said, ' ');
    ofpbuf_uninit(&bands);
}

static void
note_control(struct fake_switch *fake, const struct ofp_header *oh)
{
    struct ofputil_bundle_ctrl_msg control;

    assert_int_equal(ofputil_decode_bundle_ctrl(oh, &control), 0);
    if (control.type == OFPBCT_OPEN_REQUEST) {
        fake->opened = oh->xid;
    }
    ds_put_format(&fake->said, "%s ", control_name(control.type));
}

static void
note(struct fake_switch *fake, enum ofptype type, const struct ofp_header *oh)
{
    const char *word = NULL;

    switch ((int) type) {
    case OFPTYPE_BUNDLE_CONTROL:
        note_control(fake, oh);
        break;
    case OFPTYPE_BUNDLE_ADD_MESSAGE:
        word = added_name(fake, oh);
        break;
    case OFPTYPE_CT_FLUSH_ZONE:
        note_zone(fake, oh);
        break;
    case OFPTYPE_SET_CONFIG:
        note_config(fake, oh);
        break;
    case OFPTYPE_METER_MOD:
        note_meter(fake, oh);
        break;
    case OFPTYPE_PORT_MOD:
        note_port(fake, oh);
        break;
    case OFPTYPE_BARRIER_REQUEST:
        word = "barrier";
        break;
    case OFPTYPE_FLOW_MOD:
        word = flow_mod_name(oh);
        break;
    case OFPTYPE_ECHO_REPLY:
        word = "echo";
        break;
    default:
        break;
    }
    if (word) {
        ds_put_format(&fake->said, "%s ", word);
    }
}

/* ---- Going on. ---- */

static void
send_some(struct fake_switch *fake)
{
    while (!ovs_list_is_empty(&fake->tx) && time_msec() >= fake->next) {
        struct ofpbuf *msg = ofpbuf_from_list(ovs_list_pop_front(&fake->tx));

        if (vconn_send(fake->vconn, msg)) {
            ovs_list_push_front(&fake->tx, &msg->list_node);
            return;
        }
        fake->next = fake->slow_ms ? time_msec() + fake->slow_ms : 0;
    }
}

static bool
take_one(struct fake_switch *fake)
{
    struct ofpbuf *msg;
    enum ofptype type;

    if (vconn_recv(fake->vconn, &msg)) {
        return false;
    }
    assert_int_equal(ofptype_decode(&type, msg->data), 0);
    note(fake, type, msg->data);
    if (!fake->script || !fake->script(fake, type, msg)) {
        answer(fake, type, msg->data);
    }
    ofpbuf_delete(msg);
    return true;
}

void
fake_switch_run(struct fake_switch *fake)
{
    if (!fake->vconn && pvconn_accept(fake->listener, &fake->vconn)) {
        fake->vconn = NULL;
        return;
    }
    vconn_run(fake->vconn);
    for (int i = 0; i < 50 && fake->vconn && take_one(fake); i++) {
    }
    if (!fake->vconn || vconn_get_version(fake->vconn) < 0) {
        return;
    }
    if (ovs_list_is_empty(&fake->tx) && fake->idle) {
        fake->idle(fake);
    }
    send_some(fake);
}

void
fake_switch_wait(struct fake_switch *fake)
{
    if (!fake->vconn) {
        pvconn_wait(fake->listener);
        return;
    }
    vconn_run_wait(fake->vconn);
    vconn_recv_wait(fake->vconn);
    if (fake->idle) {
        vconn_send_wait(fake->vconn);
    } else if (!ovs_list_is_empty(&fake->tx)) {
        if (time_msec() < fake->next) {
            poll_timer_wait_until(fake->next);
        } else {
            vconn_send_wait(fake->vconn);
        }
    }
}
