/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: what a database server says, in the midst of connecting, of reading and of each
 * transaction, and what is read of bridges and ports then.
 *
 * An input is a byte of flags and then lines, each sent as it is, but for the ids of requests that
 * they answer: '@' is that of the latest, '~' that of the one before.  The reader runs behind each
 * line.
 *
 * libopenvswitch 3.1 believes its server, which runs on the same host as root: some messages end
 * the program (see kills_library()), and one message is collected for as long as it goes on.
 * Neither can be prevented from outside of the library, so the target does not send the former,
 * and inputs are of bounded size. */
#include <config.h>
#include <ovs-json-names.h>

#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nwf/compile.h"
#include "nwf/ovsdb.h"
#include "nwf/text.h"
#include "openvswitch/json.h"
#include "peer.h"

/* Flags of an input: who reads, and what is written as soon as there are contents. */
enum {
    INPUT_INTERFACE = 1, /* One Interface alone, as "bind" does. */
    INPUT_RETRY = 2,     /* A connection that is lost is made again. */
    INPUT_TAGS = 4,
    INPUT_SECURE = 8,     /* Of each bridge. */
    INPUT_WAIT = 16,      /* For ovs-vswitchd. */
    INPUT_GIVE_BACK = 32, /* Of each bridge. */
    INPUT_ROUND_TRIP = 64,
    INPUT_WRITES = INPUT_TAGS | INPUT_SECURE | INPUT_WAIT | INPUT_GIVE_BACK | INPUT_ROUND_TRIP,
};

#define LINES_MAX 64
#define NAME "vnet0"

struct run {
    struct nwf_ovsdb *db;
    struct nwf_txn *txn; /* NULL: none is under way. */
    int listener, peer;
    struct json_parser *parser; /* Of what has been sent to the reader: where its own is. */
    uint8_t flags;
    long int id, old_id; /* Of the latest two requests. */
};

/* ---- What is read. ---- */

static void
check_tags(const struct nwf_tag *tags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(tags[i].key && tags[i].value);
        FUZZ_CHECK(!i || strcmp(tags[i - 1].key, tags[i].key) < 0);
    }
}

static void
check_port(const struct nwf_ovs_port *port)
{
    FUZZ_CHECK(port->name);
    FUZZ_CHECK(port->ofport <= NWF_OFPORT_MAX || port->ofport == NWF_OFPORT_LOCAL);
    FUZZ_CHECK(port->vlan.tag < NWF_N_VLANS);
    for (size_t i = 0; i < port->bond.n; i++) {
        FUZZ_CHECK(port->bond.data[i]);
    }
    check_tags(port->tags.data, port->tags.n);
}

/* What a bridge refers to is there, and both ways to see whether it has changed agree. */
static void
check_refs(const struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge)
{
    struct nwf_ovs_refs refs;

    nwf_ovs_list_ports(bridge, &refs);
    FUZZ_CHECK(refs.n == bridge->ports.n);
    nwf_vec_foreach (ref, &refs) {
        struct nwf_ovs_port port;

        nwf_ovs_read_port(bridge, ref, &port);
        FUZZ_CHECK(!strcmp(nwf_ovs_ref_name(ref), port.name));
        FUZZ_CHECK(nwf_ovsdb_port_seqno(db, &port.uuid, &port.port_uuid) == ref->seqno);
        nwf_ovs_port_clear(&port);
    }
    nwf_vec_clear(&refs);
}

static void
check_bridge(const struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge)
{
    FUZZ_CHECK(bridge->name && bridge->settings && bridge->datapath_type);
    FUZZ_CHECK(bridge->own_fail_mode && bridge->own_in_band);
    FUZZ_CHECK(bridge->mac_aging >= 15 && bridge->mac_aging <= 3600);
    check_tags(bridge->tags.data, bridge->tags.n);
    nwf_vec_foreach (port, &bridge->ports) {
        check_port(port);
    }
    check_refs(db, bridge);
}

static void
check_contents(struct nwf_ovsdb *db)
{
    static uint8_t zones[0x10000];
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_ovs_bridges bridges;
    struct nwf_ovs_port port;

    nwf_ovsdb_bridges(db, &bridges);
    FUZZ_CHECK(nwf_ovsdb_count_managed(db) <= bridges.n);
    nwf_vec_foreach (bridge, &bridges) {
        check_bridge(db, bridge);
    }
    nwf_ovs_bridges_clear(&bridges);
    memset(zones, 0, sizeof zones);
    nwf_ovsdb_count_zones(db, zones);
    if (fuzz_is_ok(nwf_ovsdb_interface(db, NAME, &port, &err), &err)) {
        FUZZ_CHECK(!strcmp(port.name, NAME));
        check_port(&port);
        nwf_vec_clear(&port.tags);
    }
}

/* ---- What is written. ---- */

static void
change_tags(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge)
{
    const struct nwf_tag_change status = {
        .bridge = bridge->row,
        .key = NWF_BRIDGE_STATUS,
        .value = "active: 1 guests",
    };

    nwf_txn_change(txn, &status, 1);
    nwf_vec_foreach (port, &bridge->ports) {
        const struct nwf_tag_change changes[] = {
            {.interface = &port->uuid, .verify = true, .key = NWF_TAG_STATUS, .value = "active"},
            {.interface = &port->uuid, .key = NWF_TAG_ZONE},
            {.port = &port->port_uuid, .config = true, .key = nwf_tree_keys[0], .value = "false"},
            {.port = &port->port_uuid, .key = nwf_tree_notes[0], .value = ""},
        };
        nwf_txn_change(txn, changes, sizeof changes / sizeof changes[0]);
    }
}

static struct nwf_txn *
make_txn(struct nwf_ovsdb *db, uint8_t flags)
{
    if (flags & INPUT_ROUND_TRIP) {
        return nwf_txn_round_trip(db);
    }
    struct nwf_txn *txn = nwf_txn_new(db);
    struct nwf_ovs_bridges bridges;

    nwf_ovsdb_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (flags & INPUT_TAGS) {
            change_tags(txn, bridge);
        }
        if (flags & INPUT_SECURE) {
            nwf_txn_secure(txn, bridge);
        } else if (flags & INPUT_GIVE_BACK) {
            nwf_txn_give_back(txn, bridge);
        }
    }
    if (flags & INPUT_WAIT) {
        nwf_txn_wait_for_vswitchd(txn);
    }
    nwf_ovs_bridges_clear(&bridges);
    return txn;
}

static void
run_txn(struct run *run)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (!run->txn) {
        run->txn = make_txn(run->db, run->flags);
    }
    FUZZ_CHECK(nwf_txn_seqno(run->txn) <= nwf_ovsdb_seqno(run->db));
    int r = nwf_txn_run(run->txn, &err);
    if (r == -EAGAIN) {
        FUZZ_CHECK(!err.code);
        return;
    }
    fuzz_is_ok(r, &err);
    nwf_txn_free(run->txn);
    run->txn = NULL;
}

/* ---- The server. ---- */

static void
forget_parser(struct run *run)
{
    if (run->parser) {
        json_parser_abort(run->parser);
        run->parser = NULL;
    }
}

/* The reader may have connected once more. */
static void
welcome(struct run *run)
{
    int peer = peer_accept(run->listener);

    if (peer >= 0) {
        if (run->peer >= 0) {
            close(run->peer);
        }
        run->peer = peer;
        forget_parser(run);
    }
}

/* Takes what has been asked. */
static void
hear(struct run *run)
{
    static char chunk[65536];
    ssize_t n;

    welcome(run);
    while (run->peer >= 0 && (n = read(run->peer, chunk, sizeof chunk - 1)) > 0) {
        chunk[n] = '\0';
        for (const char *at = chunk; (at = strstr(at, "\"id\":")); at++) {
            run->old_id = run->id;
            run->id = strtol(at + 5, NULL, 10);
        }
    }
}

static const struct json *
member(const struct json *json, const char *name, enum json_type type)
{
    const struct json *found =
        json && json->type == JSON_OBJECT ? shash_find_data(json_object(json), name) : NULL;

    return found && found->type == type ? found : NULL;
}

/* Whether updates delete rows of the table Database, which only the server's own database has. */
static bool
deletes_database(const struct json *updates)
{
    const struct json *table = member(updates, "Database", JSON_OBJECT);
    const struct shash_node *row;

    if (table) {
        SHASH_FOR_EACH (row, json_object(table)) {
            if (member(row->data, "delete", JSON_NULL)
                || (member(row->data, "old", JSON_OBJECT)
                    && !member(row->data, "new", JSON_OBJECT))) {
                return true;
            }
        }
    }
    return false;
}

/* Of "update3", ovsdb-cs.c takes the second parameter for a string, and a row of Database that is
 * deleted for one that is there. */
static bool
is_deadly(const struct json *message)
{
    const struct json *method = member(message, "method", JSON_STRING);
    const struct json *params = member(message, "params", JSON_ARRAY);
    const struct json *result = member(message, "result", JSON_OBJECT);
    size_t n = params ? params->array.n : 0;

    return deletes_database(result) || (n && deletes_database(params->array.elems[n - 1]))
           || (method && !strcmp(json_string(method), "update3") && n == 3
               && params->array.elems[1]->type != JSON_STRING);
}

/* Whether the reader's library does not survive a message that ends in this text. */
static bool
kills_library(struct run *run, const char *text)
{
    size_t n = strlen(text);
    bool kills = false;

    for (size_t used = 0; used < n && !kills;) {
        if (!run->parser) {
            run->parser = json_parser_create(0);
        }
        used += json_parser_feed(run->parser, text + used, n - used);
        if (json_parser_is_done(run->parser)) {
            struct json *message = json_parser_finish(run->parser);

            run->parser = NULL;
            kills = is_deadly(message);
            json_destroy(message);
        }
    }
    return kills;
}

/* The line with ids in their places. */
static char *
fill_in(const struct run *run, const uint8_t *line, size_t size)
{
    char *text = nwf_zalloc(size * 20 + 1); /* No id is longer. */
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        if (line[i] == '@' || line[i] == '~') {
            n += (size_t) sprintf(text + n, "%ld", line[i] == '@' ? run->id : run->old_id);
        } else {
            text[n++] = (char) line[i];
        }
    }
    return text;
}

/* The next line of the input; false: there is none that can be sent. */
static bool
say(struct run *run, const uint8_t **data, size_t *left)
{
    const uint8_t *end = *left ? memchr(*data, '\n', *left) : NULL;
    size_t size = end ? (size_t) (end - *data) : *left;

    if (!*left) {
        return false;
    }
    char *text CLEANUP_FREE = fill_in(run, *data, size);
    if (kills_library(run, text)) {
        return false;
    }
    peer_send(run->peer, text, strlen(text));
    size += end != NULL;
    *data += size;
    *left -= size;
    return true;
}

/* ---- Both. ---- */

/* The reader takes in what has come; whether its connection is of use any more. */
static bool
go_on(struct run *run)
{
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_ovsdb_run(run->db, &err);

    if (r == -EAGAIN) {
        FUZZ_CHECK(!err.code);
        return true;
    }
    if (!fuzz_is_ok(r, &err)) {
        FUZZ_CHECK(r == -ENOTCONN && !(run->flags & INPUT_RETRY));
        return false;
    }
    check_contents(run->db);
    if (run->flags & INPUT_WRITES) {
        run_txn(run);
        check_contents(run->db);
    }
    return true;
}

static void
finish_run(struct run *run)
{
    if (run->txn) {
        nwf_txn_free(run->txn);
    }
    nwf_ovsdb_close(run->db);
    forget_parser(run);
    if (run->peer >= 0) {
        close(run->peer);
    }
    for (int peer; (peer = peer_accept(run->listener)) >= 0;) { /* Connected once more. */
        close(peer);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int listener = -1;
    struct run run = {.peer = -1};

    if (listener < 0) {
        listener = peer_listen("db.sock");
    }
    if (!size) {
        return 0;
    }
    run.listener = listener;
    run.flags = *data++;
    size--;
    char *remote CLEANUP_FREE = nwf_asprintf("unix:%s/db.sock", peer_rundir());
    run.db =
        nwf_ovsdb_new(remote, run.flags & INPUT_INTERFACE ? NAME : NULL, run.flags & INPUT_RETRY);
    go_on(&run); /* Connects, and asks for nothing yet. */
    for (int i = 0; go_on(&run) && i < LINES_MAX; i++) {
        hear(&run);
        if (!say(&run, &data, &size)) {
            break;
        }
    }
    finish_run(&run);
    return 0;
}
