/* SPDX-License-Identifier: Apache-2.0
 *
 * A port's rows; see port_rows.h.  The generated code of the IDL checks what the server
 * sends, and takes it apart. */
#include <config.h>
#include <ovs-json-names.h>

#include "port_rows.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "nwf/vec.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"

#include "lib/jsonrpc.h"
#include "lib/ovsdb-data.h"
#include "lib/ovsdb-error.h"
#include "lib/ovsdb-idl-provider.h"
#include "lib/ovsdb-session.h"
#include "lib/svec.h"
#include "lib/timeval.h"
#include "lib/uuid.h"

/* A column's value, which the row's struct may point into. */
struct cell {
    const struct ovsdb_idl_column *column;
    struct ovsdb_idl_row *row;
    struct ovsdb_datum datum;
};

struct nwf_port_rows {
    char *remote;
    unsigned int timeout_ms;
    struct jsonrpc_session *session;
    unsigned int seqno; /* The session's, while it is the same connection. */
    NWF_VEC(struct cell) cells;

    struct ovsrec_interface interface;
    struct ovsrec_port port;
    struct ovsrec_bridge bridge;
    struct ovsrec_mirror mirror; /* One that outputs to the port. */
    bool has_port, has_bridge;
    size_t n_zone_users; /* Interfaces that say they use the port's conntrack zone. */

    struct smap tags_read; /* The tags that the database had when the Interface was read. */
    struct shash staged;   /* A key's new value, or NULL: it goes. */

    /* What the rows refer to. */
    struct ovsrec_interface *interfaces[1];
    struct ovsrec_port *ports[1];
    struct ovsrec_mirror *mirrors[1];
};

static const struct ovsdb_idl_column *const interface_columns[] = {
    &ovsrec_interface_col_name,
    &ovsrec_interface_col_external_ids,
    &ovsrec_interface_col_ofport,
};

static const struct ovsdb_idl_column *const port_columns[] = {
    &ovsrec_port_col_tag,
    &ovsrec_port_col_trunks,
    &ovsrec_port_col_vlan_mode,
    &ovsrec_port_col_protected_,
};

static const struct ovsdb_idl_column *const bridge_columns[] = {
    &ovsrec_bridge_col_name,         &ovsrec_bridge_col_external_ids,
    &ovsrec_bridge_col_fail_mode,    &ovsrec_bridge_col_datapath_type,
    &ovsrec_bridge_col_other_config, &ovsrec_bridge_col_stp_enable,
    &ovsrec_bridge_col_rstp_enable,  &ovsrec_bridge_col_mcast_snooping_enable,
    &ovsrec_bridge_col_flood_vlans,
};

/* ---- Transactions. ---- */

static int
fail(const struct nwf_port_rows *rows, int code, const char *cause, struct nwf_error *err)
{
    return nwf_error_set(err, code, "OVSDB %s: %s", rows->remote, cause);
}

static int
lost(const struct nwf_port_rows *rows, struct nwf_error *err)
{
    int cause = jsonrpc_session_get_last_error(rows->session);

    return fail(rows, -ENOTCONN, cause ? ovs_retval_to_string(cause) : "connection lost", err);
}

/* Sleeps until something happens on the connection, or the time is up. */
static int
wait_until(struct nwf_port_rows *rows, long long int deadline, struct nwf_error *err)
{
    if (time_msec() >= deadline) {
        return nwf_error_set(err, -ETIMEDOUT, "OVSDB %s: no answer within %u ms", rows->remote,
                             rows->timeout_ms);
    }
    jsonrpc_session_wait(rows->session);
    jsonrpc_session_recv_wait(rows->session);
    poll_timer_wait_until(deadline);
    poll_block();
    return 0;
}

static bool
is_reply(const struct jsonrpc_msg *msg, const struct json *id)
{
    return (msg->type == JSONRPC_REPLY || msg->type == JSONRPC_ERROR) && json_equal(msg->id, id);
}

static int
receive(struct nwf_port_rows *rows, const struct json *id, struct jsonrpc_msg **ret,
        struct nwf_error *err)
{
    long long int deadline = time_msec() + rows->timeout_ms;
    int r = 0;

    while (!r) {
        jsonrpc_session_run(rows->session);
        struct jsonrpc_msg *msg = jsonrpc_session_recv(rows->session);
        if (msg && is_reply(msg, id)) {
            *ret = msg;
            return 0;
        }
        if (!jsonrpc_session_is_connected(rows->session)
            || jsonrpc_session_get_seqno(rows->session) != rows->seqno) {
            r = lost(rows, err);
        } else if (!msg || time_msec() >= deadline) { /* What is no answer may come for ever. */
            r = wait_until(rows, deadline, err);
        }
        jsonrpc_msg_destroy(msg);
    }
    return r;
}

/* The error that one of the operations gave, or NULL. */
static const char *
find_error(const struct json *results)
{
    for (size_t i = 0; i < json_array(results)->n; i++) {
        const struct json *result = json_array(results)->elems[i];
        const struct json *cause =
            result->type == JSON_OBJECT ? shash_find_data(json_object(result), "error") : NULL;
        if (cause) {
            return cause->type == JSON_STRING ? json_string(cause) : "an operation failed";
        }
    }
    return NULL;
}

/* Runs the transaction of 'n' operations 'params', which is taken.  *ret has at least as
 * many results; the caller frees it. */
static int
transact(struct nwf_port_rows *rows, struct json *params, struct jsonrpc_msg **ret,
         struct nwf_error *err)
{
    size_t n = json_array(params)->n - 1;
    struct json *id;
    struct jsonrpc_msg *request = jsonrpc_create_request("transact", params, &id);
    struct jsonrpc_msg *reply = NULL;
    int r = jsonrpc_session_send(rows->session, request);

    r = r ? lost(rows, err) : receive(rows, id, &reply, err);
    json_destroy(id);
    if (r) {
        return r;
    }
    const struct json *results = reply->result;
    const char *cause = reply->type != JSONRPC_REPLY || results->type != JSON_ARRAY
                            ? "the transaction was refused"
                            : find_error(results);
    if (!cause && json_array(results)->n < n) {
        cause = "an answer is missing";
    }
    if (cause) {
        r = fail(rows, -EIO, cause, err);
        jsonrpc_msg_destroy(reply);
        return r;
    }
    *ret = reply;
    return 0;
}

static struct json *
new_transaction(void)
{
    return json_array_create_1(json_string_create("Open_vSwitch"));
}

static struct json *
uuid_json(const struct uuid *uuid)
{
    return json_array_create_2(json_string_create("uuid"),
                               json_string_create_nocopy(nwf_asprintf(UUID_FMT, UUID_ARGS(uuid))));
}

static struct json *
condition(const char *column, const char *function, struct json *value)
{
    return json_array_create_3(json_string_create(column), json_string_create(function), value);
}

static struct json *
clause(const char *column, const char *function, struct json *value)
{
    return json_array_create_1(condition(column, function, value));
}

static struct json *
pair_json(const char *key, const char *value)
{
    return json_array_create_2(json_string_create(key), json_string_create(value));
}

static struct json *
collection(const char *kind, struct json *elements)
{
    return json_array_create_2(json_string_create(kind), elements);
}

static struct json *
operation(const char *op, const char *table, struct json *where)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "op", op);
    json_object_put_string(json, "table", table);
    json_object_put(json, "where", where);
    return json;
}

/* Selects 'columns', and "_uuid" and 'reference' (may be NULL). */
static struct json *
selection(const char *table, struct json *where, const struct ovsdb_idl_column *const columns[],
          size_t n, const char *reference)
{
    struct json *json = operation("select", table, where);
    struct json *names = json_array_create_1(json_string_create("_uuid"));

    for (size_t i = 0; i < n; i++) {
        json_array_add(names, json_string_create(columns[i]->name));
    }
    if (reference) {
        json_array_add(names, json_string_create(reference));
    }
    json_object_put(json, "columns", names);
    return json;
}

/* ---- Rows. ---- */

/* The one row that operation 'i' has selected; NULL if it is none, or several. */
static const struct json *
only_row(const struct jsonrpc_msg *reply, size_t i)
{
    const struct json *result = json_array(reply->result)->elems[i];
    const struct json *list =
        result->type == JSON_OBJECT ? shash_find_data(json_object(result), "rows") : NULL;

    return list && list->type == JSON_ARRAY && json_array(list)->n == 1
                   && json_array(list)->elems[0]->type == JSON_OBJECT
               ? json_array(list)->elems[0]
               : NULL;
}

static int
refuse(const struct nwf_port_rows *rows, const char *column, struct ovsdb_error *error,
       struct nwf_error *err)
{
    char *text CLEANUP_FREE = error ? ovsdb_error_to_string_free(error) : NULL;

    return nwf_error_set(err, -EPROTO, "OVSDB %s: column %s: %s", rows->remote, column,
                         text ? text : "missing");
}

static int
read_column(struct nwf_port_rows *rows, const struct json *json,
            const struct ovsdb_idl_column *column, struct ovsdb_idl_row *row, struct nwf_error *err)
{
    const struct json *value = shash_find_data(json_object(json), column->name);
    struct cell cell = {.column = column, .row = row};
    struct ovsdb_error *error =
        value ? ovsdb_datum_from_json(&cell.datum, &column->type, value, NULL) : NULL;

    if (!value || error) {
        return refuse(rows, column->name, error, err);
    }
    column->parse(row, &cell.datum);
    nwf_vec_push(&rows->cells, cell);
    return 0;
}

/* The only UUID that 'column' holds; false if it holds another number of them. */
static bool
read_uuid(const struct json *json, const char *column, struct uuid *ret)
{
    static const struct ovsdb_type type = {
        .key = OVSDB_BASE_UUID_INIT,
        .value = OVSDB_BASE_VOID_INIT,
        .n_min = 1,
        .n_max = 1,
    };
    const struct json *value = shash_find_data(json_object(json), column);
    struct ovsdb_datum datum;
    struct ovsdb_error *error = value ? ovsdb_datum_from_json(&datum, &type, value, NULL) : NULL;

    if (!value || error) {
        ovsdb_error_destroy(error);
        return false;
    }
    *ret = datum.keys[0].uuid;
    ovsdb_datum_destroy(&datum, &type);
    return true;
}

static int
read_row(struct nwf_port_rows *rows, const struct json *json,
         const struct ovsdb_idl_column *const columns[], size_t n, struct ovsdb_idl_row *row,
         struct nwf_error *err)
{
    int r = read_uuid(json, "_uuid", &row->uuid) ? 0 : refuse(rows, "_uuid", NULL, err);

    for (size_t i = 0; !r && i < n; i++) {
        r = read_column(rows, json, columns[i], row, err);
    }
    return r;
}

/* ---- The port. ---- */

/* 'remote' may be what the IDL takes: one of several, a passive one. */
static int
open_session(struct nwf_port_rows *rows, struct nwf_error *err)
{
    long long int deadline = time_msec() + rows->timeout_ms;
    struct svec remotes = SVEC_EMPTY_INITIALIZER;
    struct uuid cluster;
    int r = 0;

    ovsdb_session_parse_remote(rows->remote, &remotes, &cluster);
    rows->session = jsonrpc_session_open_multiple(&remotes, false);
    svec_destroy(&remotes);
    while (!r && !jsonrpc_session_is_connected(rows->session)) {
        jsonrpc_session_run(rows->session);
        if (!jsonrpc_session_is_alive(rows->session)) {
            r = lost(rows, err);
        } else if (!jsonrpc_session_is_connected(rows->session)) {
            r = wait_until(rows, deadline, err);
        }
    }
    rows->seqno = jsonrpc_session_get_seqno(rows->session);
    return r;
}

/* Takes the Port if the Interface is its only one, as a guest's is. */
static int
read_port(struct nwf_port_rows *rows, const struct json *json, struct nwf_error *err)
{
    struct uuid interface;

    if (!json || !read_uuid(json, "interfaces", &interface)
        || !uuid_equals(&interface, &rows->interface.header_.uuid)) {
        return 0;
    }
    int r = read_row(rows, json, port_columns, ARRAY_SIZE(port_columns), &rows->port.header_, err);
    if (!r) {
        rows->interfaces[0] = &rows->interface;
        rows->port.interfaces = rows->interfaces;
        rows->port.n_interfaces = 1;
        rows->has_port = true;
    }
    return r;
}

/* What is written at last depends on these tags. */
static void
remember_tags(struct nwf_port_rows *rows)
{
    const struct smap_node *node;

    SMAP_FOR_EACH (node, &rows->interface.external_ids) {
        if (!strcmp(node->key, NWF_TAG_FILTER) || !strcmp(node->key, NWF_TAG_MAC)
            || !strncmp(node->key, NWF_TAG_VARIABLE, strlen(NWF_TAG_VARIABLE))) {
            smap_add(&rows->tags_read, node->key, node->value);
        }
    }
}

static int
read_interface(struct nwf_port_rows *rows, const char *name, struct nwf_error *err)
{
    struct json *params = new_transaction();
    struct jsonrpc_msg *reply;

    json_array_add(params, selection("Interface", clause("name", "==", json_string_create(name)),
                                     interface_columns, ARRAY_SIZE(interface_columns), NULL));
    json_array_add(params, selection("Port", clause("name", "==", json_string_create(name)),
                                     port_columns, ARRAY_SIZE(port_columns), "interfaces"));
    int r = transact(rows, params, &reply, err);
    if (r) {
        return r;
    }
    const struct json *row = only_row(reply, 0);
    r = row ? read_row(rows, row, interface_columns, ARRAY_SIZE(interface_columns),
                       &rows->interface.header_, err)
            : nwf_error_set(err, -ENOENT, "%.80s: no such interface", name);
    r = r ? r : read_port(rows, only_row(reply, 1), err);
    jsonrpc_msg_destroy(reply);
    if (!r) {
        remember_tags(rows);
    }
    return r;
}

int
nwf_port_rows_read(const char *remote, unsigned int timeout_ms, const char *name,
                   struct nwf_port_rows **ret, struct nwf_error *err)
{
    struct nwf_port_rows *rows CLEANUP(nwf_port_rows_cleanup) = nwf_zalloc(sizeof *rows);

    rows->remote = nwf_strdup(remote);
    rows->timeout_ms = timeout_ms;
    ovsrec_interface_init(&rows->interface);
    ovsrec_port_init(&rows->port);
    ovsrec_bridge_init(&rows->bridge);
    ovsrec_mirror_init(&rows->mirror);
    smap_init(&rows->tags_read);
    shash_init(&rows->staged);
    int r = open_session(rows, err);
    r = r ? r : read_interface(rows, name, err);
    if (!r) {
        *ret = TAKE_PTR(rows);
    }
    return r;
}

void
nwf_port_rows_free(struct nwf_port_rows *rows)
{
    nwf_vec_foreach (cell, &rows->cells) {
        cell->column->unparse(cell->row);
        ovsdb_datum_destroy(&cell->datum, &cell->column->type);
    }
    nwf_vec_clear(&rows->cells);
    smap_destroy(&rows->tags_read);
    shash_destroy_free_data(&rows->staged);
    jsonrpc_session_close(rows->session);
    free(rows->remote);
    free(rows);
}

const struct ovsrec_interface *
nwf_port_rows_interface(const struct nwf_port_rows *rows)
{
    return &rows->interface;
}

/* ---- Its bridge. ---- */

/* The number of rows that operation 'i' has selected. */
static int
count_rows(const struct nwf_port_rows *rows, const struct jsonrpc_msg *reply, size_t i, size_t *ret,
           struct nwf_error *err)
{
    const struct json *result = json_array(reply->result)->elems[i];
    const struct json *list =
        result->type == JSON_OBJECT ? shash_find_data(json_object(result), "rows") : NULL;

    if (!list || list->type != JSON_ARRAY) {
        return fail(rows, -EPROTO, "an answer has no rows", err);
    }
    *ret = json_array(list)->n;
    return 0;
}

static int
read_bridge(struct nwf_port_rows *rows, const struct jsonrpc_msg *reply, struct nwf_error *err)
{
    const struct json *row = only_row(reply, 0);
    size_t n_mirrors;
    int r = row ? read_row(rows, row, bridge_columns, ARRAY_SIZE(bridge_columns),
                           &rows->bridge.header_, err)
                : 0;

    if (r || !row) {
        return r;
    }
    r = count_rows(rows, reply, 1, &n_mirrors, err);
    r = r ? r : count_rows(rows, reply, 2, &rows->n_zone_users, err);
    if (r) {
        return r;
    }
    if (n_mirrors) {
        rows->mirror.output_port = &rows->port;
        rows->mirrors[0] = &rows->mirror;
        rows->bridge.mirrors = rows->mirrors;
        rows->bridge.n_mirrors = 1;
    }
    rows->ports[0] = &rows->port;
    rows->bridge.ports = rows->ports;
    rows->bridge.n_ports = 1;
    rows->has_bridge = true;
    return 0;
}

/* A Port may have another name than its Interface. */
static int
find_port(struct nwf_port_rows *rows, struct nwf_error *err)
{
    struct json *params = new_transaction();
    struct jsonrpc_msg *reply;

    json_array_add(params, selection("Port",
                                     clause("interfaces", "includes",
                                            uuid_json(&rows->interface.header_.uuid)),
                                     port_columns, ARRAY_SIZE(port_columns), "interfaces"));
    int r = transact(rows, params, &reply, err);
    if (!r) {
        r = read_port(rows, only_row(reply, 0), err);
        jsonrpc_msg_destroy(reply);
    }
    return r;
}

/* Selects all Interfaces with the port's zone, or a zone that none has. */
static struct json *
select_zone_users(const struct nwf_port_rows *rows)
{
    const char *zone = smap_get_def(&rows->interface.external_ids, NWF_TAG_ZONE, "none");
    struct json *pairs = json_array_create_1(pair_json(NWF_TAG_ZONE, zone));

    return selection("Interface", clause("external_ids", "includes", collection("map", pairs)),
                     NULL, 0, NULL);
}

static int
find_bridge(struct nwf_port_rows *rows, struct nwf_error *err)
{
    const struct uuid *port = &rows->port.header_.uuid;
    struct json *params = new_transaction();
    struct jsonrpc_msg *reply;

    json_array_add(params, selection("Bridge", clause("ports", "includes", uuid_json(port)),
                                     bridge_columns, ARRAY_SIZE(bridge_columns), NULL));
    json_array_add(params, selection("Mirror", clause("output_port", "includes", uuid_json(port)),
                                     NULL, 0, NULL));
    json_array_add(params, select_zone_users(rows));
    int r = transact(rows, params, &reply, err);
    if (!r) {
        r = read_bridge(rows, reply, err);
        jsonrpc_msg_destroy(reply);
    }
    return r;
}

int
nwf_port_rows_read_bridge(struct nwf_port_rows *rows, struct nwf_error *err)
{
    int r = rows->has_port ? 0 : find_port(rows, err);

    return r || !rows->has_port || rows->has_bridge ? r : find_bridge(rows, err);
}

const struct ovsrec_bridge *
nwf_port_rows_bridge(const struct nwf_port_rows *rows)
{
    return rows->has_bridge ? &rows->bridge : NULL;
}

size_t
nwf_port_rows_zone_users(const struct nwf_port_rows *rows)
{
    return rows->n_zone_users;
}

/* ---- Writing. ---- */

static void
stage(struct nwf_port_rows *rows, const struct nwf_tag_change *change)
{
    free(shash_replace(&rows->staged, change->key,
                       change->value ? nwf_strdup(change->value) : NULL));
}

void
nwf_port_rows_stage(struct nwf_port_rows *rows, const struct nwf_tag_change *changes, size_t n)
{
    struct smap *ids = &rows->interface.external_ids;

    for (size_t i = 0; i < n; i++) {
        stage(rows, &changes[i]);
        if (changes[i].value) {
            smap_replace(ids, changes[i].key, changes[i].value);
        } else {
            smap_remove(ids, changes[i].key);
        }
    }
}

static struct json *
mutation(const char *mutator, struct json *collection)
{
    return json_array_create_3(json_string_create("external_ids"), json_string_create(mutator),
                               collection);
}

/* Keys are deleted first, also those that are set: "insert" leaves the value that is there. */
static struct json *
mutations(const struct shash *staged)
{
    struct json *keys = json_array_create_empty(), *pairs = json_array_create_empty();
    const struct shash_node *node;

    SHASH_FOR_EACH (node, staged) {
        json_array_add(keys, json_string_create(node->name));
        if (node->data) {
            json_array_add(pairs, pair_json(node->name, node->data));
        }
    }
    return json_array_create_2(mutation("delete", collection("set", keys)),
                               mutation("insert", collection("map", pairs)));
}

/* Selects the Interface as long as its tags are those that were read. */
static struct json *
select_unchanged(const struct nwf_port_rows *rows)
{
    struct json *where = clause("_uuid", "==", uuid_json(&rows->interface.header_.uuid));
    struct json *pairs = json_array_create_empty();
    const struct smap_node *node;

    SMAP_FOR_EACH (node, &rows->tags_read) {
        json_array_add(pairs, pair_json(node->key, node->value));
    }
    json_array_add(where, condition("external_ids", "includes", collection("map", pairs)));
    return where;
}

static int
check_count(const struct nwf_port_rows *rows, const struct jsonrpc_msg *reply,
            struct nwf_error *err)
{
    const struct json *result = json_array(reply->result)->elems[0];
    const struct json *count =
        result->type == JSON_OBJECT ? shash_find_data(json_object(result), "count") : NULL;

    return count && count->type == JSON_INTEGER && count->integer == 1
               ? 0
               : nwf_error_set(err, -ECANCELED,
                               "%s: the interface is gone, or its tags were changed meanwhile",
                               rows->interface.name);
}

int
nwf_port_rows_write(struct nwf_port_rows *rows, const struct nwf_tag_change *changes, size_t n,
                    struct nwf_error *err)
{
    struct json *params, *mutate, *comment;
    struct jsonrpc_msg *reply;

    for (size_t i = 0; i < n; i++) {
        stage(rows, &changes[i]);
    }
    if (shash_is_empty(&rows->staged)) {
        return 0;
    }
    params = new_transaction();
    mutate = operation("mutate", "Interface", select_unchanged(rows));
    json_object_put(mutate, "mutations", mutations(&rows->staged));
    json_array_add(params, mutate);
    comment = json_object_create();
    json_object_put_string(comment, "op", "comment");
    json_object_put_string(comment, "comment", "ovs-nwfilter");
    json_array_add(params, comment);
    int r = transact(rows, params, &reply, err);
    if (r) {
        return r;
    }
    r = check_count(rows, reply, err);
    jsonrpc_msg_destroy(reply);
    if (!r) {
        shash_clear_free_data(&rows->staged);
        smap_clear(&rows->tags_read);
    }
    return r;
}
