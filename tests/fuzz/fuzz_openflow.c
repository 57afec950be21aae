/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: what a switch says, in the midst of each operation, and what becomes of flows
 * that it tells of.
 *
 * An input is a byte of flags and then messages, each behind a head of four bytes: what is
 * begun before it if nothing is, what is put right in it, and its length, two bytes. */
#include <config.h>

#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "keeper.h"
#include "nwf/foreign.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-util.h"
#include "peer.h"

/* Flags of an input: its version, and who reads. */
enum {
    INPUT_VERSION = 3, /* OpenFlow 1.0, 1.3, 1.4, 1.5. */
    INPUT_KEEPER = 4,  /* A keeper, from READ on (not 1.0); otherwise the connection alone. */
    INPUT_RAW = 8,     /* No greeting either. */
};

/* What is begun from this on is meters. */
#define BEGIN_METERS 0xf0

/* What is put right in a message. */
enum {
    FIX_HEADER = 1, /* Its version and its length. */
    FIX_XID = 2,    /* It answers what is waited for, */
    FIX_OPEN = 4,   /* the opening of the bundle, */
    FIX_CHANGE = 8, /* or its first changes; what the xid says, it says of them. */
};

static const uint8_t versions[] = {OFP10_VERSION, OFP13_VERSION, OFP14_VERSION, OFP15_VERSION};

/* Messages of one input, and bytes of one message. */
#define MESSAGES_MAX 64
#define MESSAGE_MAX 4096

struct run {
    struct nwf_keeper *k; /* With the connection. */
    int peer;
    uint8_t version;
    bool is_keepers, is_read;
    struct nwf_flow_set wanted; /* What a bundle adds. */
    struct nwf_changes changes;
    struct nwf_meter meter;
    struct nwf_meters meters;
    enum nwf_no_flood *no_flood;
};

/* ---- Flows. ---- */

static void
check_flow(const struct nwf_flow *flow)
{
    struct ofpbuf actions CLEANUP(ofpbuf_uninit) = {.data = NULL};
    struct ds text CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    struct nwf_flow *copy;
    struct match match;

    nwf_flow_format(flow, &text);
    FUZZ_CHECK(text.length && !strchr(ds_cstr(&text), '\n'));
    nwf_flow_expand_match(flow, &match);
    copy = nwf_flow_new(flow->table, flow->priority, flow->cookie, &match,
                        nwf_flow_ofpacts(flow, &actions), flow->form->ofpacts_len);
    FUZZ_CHECK(nwf_flow_data_equal(copy, flow));
    nwf_flow_free(copy);
}

/* The image's flows are each on one owner's list. */
static void
check_image(const struct nwf_image *image)
{
    nwf_owner *owners CLEANUP_FREE = NULL;
    size_t n, n_flows = 0;

    owners = nwf_image_owners(image, &n);
    for (size_t i = 0; i < n; i++) {
        const struct nwf_flow *flow;

        FUZZ_CHECK(nwf_image_count(image, owners[i]));
        LIST_FOR_EACH (flow, owned, nwf_image_flows(image, owners[i])) {
            FUZZ_CHECK(flow->owner == owners[i]);
            FUZZ_CHECK(owners[i] == nwf_owner_of(flow->cookie));
            FUZZ_CHECK(nwf_flow_set_find(&image->flows, flow) == flow);
            check_flow(flow);
            n_flows++;
        }
    }
    FUZZ_CHECK(n_flows == nwf_flow_set_count(&image->flows));
}

/* What is there and should not be is deleted: it has to be something that can be said. */
static void
delete_all(struct run *run)
{
    struct nwf_flow_set nothing;
    nwf_owner *owners CLEANUP_FREE = NULL;
    size_t n;

    nwf_flow_set_init(&nothing);
    owners = nwf_image_owners(&run->k->image, &n);
    for (size_t i = 0; i < n; i++) {
        nwf_image_diff(&run->k->image, owners[i], &nothing, &run->changes, &run->changes);
    }
    FUZZ_CHECK(run->changes.n == nwf_flow_set_count(&run->k->image.flows));
    nwf_flow_set_finish(&nothing);
}

/* ---- Operations. ---- */

static void
put_dump(struct run *run)
{
    struct nwf_flow *flow, *next;

    HMAP_FOR_EACH_SAFE (flow, next, node, &run->k->dump.flows) {
        nwf_flow_set_detach(&run->k->dump, flow);
        nwf_image_put(&run->k->image, nwf_owner_of(flow->cookie), flow);
    }
}

static void
begin(struct run *run, uint8_t what)
{
    static const uint8_t tables[] = {0, 10, 110};
    static const uint16_t zones[] = {1, 0x8000};
    struct nwf_conn *conn = run->k->conn;

    nwf_vec_clear(&run->changes);
    put_dump(run);
    if (run->version == OFP10_VERSION) { /* It is for nothing else. */
        nwf_conn_set_no_flood(conn, run->no_flood);
        return;
    }
    if (what >= BEGIN_METERS) {
        run->meter = (struct nwf_meter){.id = nwf_meter_id(0, 1), .rate = 1};
        run->meters = (struct nwf_meters){&run->meter, 1, 1};
        nwf_conn_set_meters(conn, &run->meters, what & 1);
        return;
    }
    switch (what % 9) {
    case 0:
        nwf_conn_dump(conn, 0, 0, &run->k->dump);
        break;
    case 1: {
        const struct nwf_flow *flow;
        HMAP_FOR_EACH (flow, node, &run->wanted.flows) {
            nwf_vec_push(&run->changes, (struct nwf_change){NWF_CHANGE_ADD, flow});
        }
        nwf_conn_apply(conn, &run->changes);
        break;
    }
    case 2:
        delete_all(run);
        nwf_conn_apply(conn, &run->changes);
        break;
    case 3:
        nwf_conn_delete(conn, 1, 1);
        break;
    case 4:
        nwf_conn_set_frags(conn);
        break;
    case 5:
        nwf_conn_flush_zones(conn, zones, sizeof zones / sizeof zones[0]);
        break;
    case 6:
        nwf_conn_barrier(conn);
        break;
    case 7:
        nwf_conn_monitor(conn, tables, sizeof tables);
        break;
    case 8:
        nwf_conn_post_delete(conn, 1, 1);
        break;
    }
}

static void
check_refusals(const struct run *run)
{
    const struct nwf_refusals *refusals = nwf_conn_refusals(run->k->conn);

    FUZZ_CHECK(refusals->n <= run->changes.n);
    nwf_vec_foreach (refusal, refusals) {
        FUZZ_CHECK(refusal->index < run->changes.n);
        char *text CLEANUP_FREE = nwf_refusal_text(refusal, &run->changes);
        FUZZ_CHECK(*text);
    }
}

/* Goes on as a keeper does; whether the connection is of use any more. */
static bool
go_on(struct run *run)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_flow_event event;
    int r;

    if (run->is_keepers && !run->is_read) {
        r = nwf_keeper_read(run->k, &err);
        run->is_read = !r;
    } else {
        r = nwf_conn_run(run->k->conn, &err);
    }
    if (r == -EAGAIN) {
        FUZZ_CHECK(!err.code);
        return true;
    }
    const bool is_over = run->k->conn->failure.code;
    FUZZ_CHECK(is_over ? r < 0 : !r || r == -EREMOTEIO || r == -EOPNOTSUPP);
    FUZZ_CHECK(run->is_keepers || !run->k->conn->op);
    fuzz_is_ok(r, &err);
    if (r == -EREMOTEIO && !is_over) {
        check_refusals(run);
    }
    if (run->is_read) {
        nwf_keeper_take_events(run->k);
    } else if (!run->is_keepers) {
        while (nwf_conn_next_event(run->k->conn, &event)) {
            FUZZ_CHECK(!event.deleted || !event.flow->form->ofpacts_len);
            check_flow(event.flow);
            nwf_flow_free(event.flow);
        }
        nwf_conn_lost_events(run->k->conn);
    }
    if (is_over) { /* It says so again. */
        FUZZ_CHECK(nwf_conn_run(run->k->conn, &err) < 0 && !fuzz_is_ok(err.code, &err));
    }
    return !is_over;
}

/* ---- Messages. ---- */

static void
put_right(const struct run *run, uint8_t what, uint8_t *message, size_t size)
{
    struct ofp_header *oh = (struct ofp_header *) message;
    const struct nwf_conn *conn = run->k->conn;

    if (what & FIX_HEADER) {
        oh->version = run->version;
        oh->length = htons((uint16_t) size);
    }
    if (what & FIX_XID) {
        oh->xid = conn->xid;
    } else if (what & FIX_OPEN) {
        oh->xid = conn->open_xid;
    } else if (what & FIX_CHANGE) {
        oh->xid = htonl(NWF_FIRST_XID + (ntohl(oh->xid) & 7));
    }
}

/* The next message of the input; whether there is one, and the connection of use. */
static bool
say(struct run *run, const uint8_t **data, size_t *left)
{
    uint64_t buffer[MESSAGE_MAX / 8]; /* Aligned. */
    uint8_t *message = (uint8_t *) buffer;

    if (*left < 4) {
        return false;
    }
    const uint8_t *head = *data;
    size_t size = (size_t) (head[2] << 8 | head[3]);
    *data += 4;
    *left -= 4;
    size = size < *left ? size : *left;
    size = size < MESSAGE_MAX ? size : MESSAGE_MAX;
    memcpy(message, *data, size);
    *data += size;
    *left -= size;

    if (!run->is_keepers && !run->k->conn->op) {
        begin(run, head[0]);
    }
    if (!go_on(run)) { /* What has been begun is asked. */
        return false;
    }
    peer_drain(run->peer);
    if (size >= sizeof(struct ofp_header)) {
        put_right(run, head[1], message, size);
    }
    peer_send(run->peer, message, size);
    return go_on(run);
}

static void
greet(const struct run *run)
{
    struct ofpbuf *hello = ofputil_encode_hello(1u << run->version);

    peer_send(run->peer, hello->data, hello->size);
    ofpbuf_delete(hello);
}

static void
init_run(struct run *run, uint8_t flags)
{
    static const char flows[] = "table=0,priority=5,ip,in_port=1,actions=drop\n"
                                "table=10,priority=7,in_port=1,actions=resubmit(,20)\n"
                                "table=110,priority=9,reg0=0x1,actions=output:1\n";
    struct nwf_port_config config = {.name = nwf_strdup("vnet0"), .ofport = 1, .role = NWF_GUEST};

    run->version = versions[flags & INPUT_VERSION];
    run->is_keepers = flags & INPUT_KEEPER && run->version != OFP10_VERSION;
    run->k = nwf_zalloc(sizeof *run->k);
    nwf_plan_init(&run->k->plan, "br0");
    nwf_plan_add_port(&run->k->plan, &config)->role = NWF_GUEST;
    nwf_image_init(&run->k->image);
    nwf_flow_set_init(&run->k->dump);
    nwf_flow_set_init(&run->wanted);
    FUZZ_CHECK(!nwf_flow_set_parse(&run->wanted, "flows", flows, 1, NULL));
    run->no_flood = nwf_zalloc(0x10000 * sizeof *run->no_flood);
    run->no_flood[1] = NWF_NO_FLOOD_SET;
    run->no_flood[2] = NWF_NO_FLOOD_CLEAR;
}

static void
finish_run(struct run *run)
{
    nwf_conn_free(run->k->conn);
    nwf_vec_clear(&run->changes);
    nwf_flow_set_finish(&run->k->dump);
    nwf_flow_set_finish(&run->wanted);
    nwf_image_finish(&run->k->image);
    nwf_plan_finish(&run->k->plan);
    free(run->no_flood);
    free(run->k);
    close(run->peer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct nwf_keeper_options options = {.timeout_ms = 60000};
    static int listener = -1;
    struct run run = {.peer = -1};

    if (listener < 0) {
        listener = peer_listen("br0.mgmt");
    }
    if (!size) {
        return 0;
    }
    const uint8_t flags = *data++;
    size--;
    init_run(&run, flags);
    run.k->options = &options;
    run.k->conn = nwf_conn_new("br0", 1u << run.version, options.timeout_ms);
    go_on(&run);
    run.peer = peer_accept(listener);
    FUZZ_CHECK(run.peer >= 0);
    if (!(flags & INPUT_RAW)) {
        greet(&run);
    }
    if (go_on(&run)) {
        for (int i = 0; i < MESSAGES_MAX && say(&run, &data, &size); i++) {
        }
    }
    if (!run.is_keepers) {
        put_dump(&run);
    }
    check_image(&run.k->image);
    nwf_foreign_judge(&run.k->plan, &run.k->image);
    free(nwf_foreign_find(&run.k->image.flows));
    finish_run(&run);
    return 0;
}
