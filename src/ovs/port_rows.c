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
#include "transact.h"

#include "lib/jsonrpc.h"
#include "lib/ovsdb-data.h"
#include "lib/ovsdb-error.h"
#include "lib/ovsdb-idl-provider.h"
#include "lib/uuid.h"

/* Attempts to write while others write. */
#define TRIES_MAX 8

/* A column's value, which the row's struct may point into. */
struct cell {
    const struct ovsdb_idl_column *column;
    struct ovsdb_idl_row *row;
    struct ovsdb_datum datum;
};

struct nwf_port_rows {
    struct nwf_transactions db;
    NWF_VEC(struct cell) cells;

    struct ovsrec_interface interface;
    struct ovsrec_port port;
    struct ovsrec_bridge bridge;
    struct ovsrec_mirror mirror; /* One that outputs to the port. */
    struct ovsrec_open_vswitch root;
    bool has_port, has_bridge;
    bool has_vlan_mirror;
    size_t n_zone_users; /* Interfaces that say they use the port's conntrack zone. */

    struct json *ids_read; /* The Interface's external_ids; NULL after they were written. */
    struct smap policy;    /* Those of them that are the port's policy. */
    struct shash staged;   /* A key's new value, or NULL: it goes. */
    /* Operations that fail unless rows, but for the Interface's external_ids, are as they were
     * read: with a bridge, what was made of them holds only then. */
    NWF_VEC(struct json *) waits;

    /* What the rows refer to. */
    struct ovsrec_interface *interfaces[1];
    struct ovsrec_port *ports[1];
    struct ovsrec_mirror *mirrors[1];
};

static const struct ovsdb_idl_column *const interface_columns[] = {
    &ovsrec_interface_col_name, &ovsrec_interface_col_external_ids, &ovsrec_interface_col_ofport,
    &ovsrec_interface_col_lldp, &ovsrec_interface_col_bfd,          &ovsrec_interface_col_cfm_mpid,
};

static const struct ovsdb_idl_column *const port_columns[] = {
    &ovsrec_port_col_tag,          &ovsrec_port_col_trunks,     &ovsrec_port_col_vlan_mode,
    &ovsrec_port_col_cvlans,       &ovsrec_port_col_protected_, &ovsrec_port_col_lacp,
    &ovsrec_port_col_other_config,
};

static const struct ovsdb_idl_column *const bridge_columns[] = {
    &ovsrec_bridge_col_name,
    &ovsrec_bridge_col_external_ids,
    &ovsrec_bridge_col_fail_mode,
    &ovsrec_bridge_col_other_config,
    &ovsrec_bridge_col_stp_enable,
    &ovsrec_bridge_col_rstp_enable,
    &ovsrec_bridge_col_mcast_snooping_enable,
    &ovsrec_bridge_col_flood_vlans,
    &ovsrec_bridge_col_datapath_type,
};

static const struct ovsdb_idl_column *const root_columns[] = {
    &ovsrec_open_vswitch_col_other_config,
};

/* ---- Rows. ---- */

/* Selects 'columns', and "_uuid" and 'reference' (may be NULL). */
static struct json *
selection(const char *table, struct json *where, const struct ovsdb_idl_column *const columns[],
          size_t n, const char *reference)
{
    struct json *json = nwf_json_operation("select", table, where);
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

    return nwf_error_set(err, -EPROTO, "OVSDB %s: column %s: %s", rows->db.remote, column,
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

/* A table's columns that are read. */
struct columns {
    const char *table;
    const struct ovsdb_idl_column *const *list;
    size_t n;
};

/* Waits for nothing: it fails at once if the row is another (RFC 7047, 5.2.6). */
static void
add_wait(struct nwf_port_rows *rows, const struct json *row, const struct columns *columns,
         const struct uuid *uuid)
{
    struct json *wait = nwf_json_operation("wait", columns->table,
                                           nwf_json_where("_uuid", "==", nwf_json_uuid(uuid)));
    struct json *names = json_array_create_empty(), *values = json_object_create();

    for (size_t i = 0; i < columns->n; i++) {
        const char *name = columns->list[i]->name;
        if (columns->list[i] != &ovsrec_interface_col_external_ids) {
            json_array_add(names, json_string_create(name));
            json_object_put(values, name, json_clone(shash_find_data(json_object(row), name)));
        }
    }
    json_object_put(wait, "columns", names);
    json_object_put(wait, "rows", json_array_create_1(values));
    json_object_put_string(wait, "until", "==");
    json_object_put(wait, "timeout", json_integer_create(0));
    nwf_vec_push(&rows->waits, wait);
}

static int
read_row(struct nwf_port_rows *rows, const struct json *json, const struct columns *columns,
         struct ovsdb_idl_row *row, struct nwf_error *err)
{
    int r = read_uuid(json, "_uuid", &row->uuid) ? 0 : refuse(rows, "_uuid", NULL, err);

    for (size_t i = 0; !r && i < columns->n; i++) {
        r = read_column(rows, json, columns->list[i], row, err);
    }
    if (!r) {
        add_wait(rows, json, columns, &row->uuid);
    }
    return r;
}

/* ---- The port. ---- */

/* Takes the Port if the Interface is its only one, as a guest's is. */
static int
read_port(struct nwf_port_rows *rows, const struct json *json, struct nwf_error *err)
{
    struct uuid interface;

    if (!json || !read_uuid(json, "interfaces", &interface)
        || !uuid_equals(&interface, &rows->interface.header_.uuid)) {
        return 0;
    }
    const struct columns columns = {"Port", port_columns, ARRAY_SIZE(port_columns)};
    int r = read_row(rows, json, &columns, &rows->port.header_, err);
    if (!r) {
        rows->interfaces[0] = &rows->interface;
        rows->port.interfaces = rows->interfaces;
        rows->port.n_interfaces = 1;
        rows->has_port = true;
    }
    return r;
}

/* Takes note of external_ids as they are in a row of the database. */
static int
remember_ids(struct nwf_port_rows *rows, const struct json *row, struct nwf_error *err)
{
    const struct ovsdb_idl_column *column = &ovsrec_interface_col_external_ids;
    const struct json *value = shash_find_data(json_object(row), column->name);
    struct ovsdb_datum ids;
    struct ovsdb_error *error =
        value ? ovsdb_datum_from_json(&ids, &column->type, value, NULL) : NULL;

    if (!value || error) {
        return refuse(rows, column->name, error, err);
    }
    json_destroy(rows->ids_read);
    rows->ids_read = json_clone(value);
    smap_clear(&rows->policy);
    for (unsigned int i = 0; i < ids.n; i++) {
        if (nwf_tag_is_policy(ids.keys[i].s->string)) {
            smap_add(&rows->policy, ids.keys[i].s->string, ids.values[i].s->string);
        }
    }
    ovsdb_datum_destroy(&ids, &column->type);
    return 0;
}

static int
read_interface(struct nwf_port_rows *rows, const char *name, struct nwf_error *err)
{
    struct json *params = nwf_transaction_new();
    struct jsonrpc_msg *reply;

    json_array_add(params,
                   selection("Interface", nwf_json_where("name", "==", json_string_create(name)),
                             interface_columns, ARRAY_SIZE(interface_columns), NULL));
    json_array_add(params, selection("Port", nwf_json_where("name", "==", json_string_create(name)),
                                     port_columns, ARRAY_SIZE(port_columns), "interfaces"));
    int r = nwf_transact(&rows->db, params, &reply, err);
    if (r) {
        return r;
    }
    const struct json *row = only_row(reply, 0);
    const struct columns columns = {"Interface", interface_columns, ARRAY_SIZE(interface_columns)};
    r = row ? read_row(rows, row, &columns, &rows->interface.header_, err)
            : nwf_error_set(err, -ENOENT, "%.80s: no such interface", name);
    r = r ? r : remember_ids(rows, row, err);
    r = r ? r : read_port(rows, only_row(reply, 1), err);
    jsonrpc_msg_destroy(reply);
    return r;
}

int
nwf_port_rows_read(const char *remote, unsigned int timeout_ms, const char *name,
                   struct nwf_port_rows **ret, struct nwf_error *err)
{
    struct nwf_port_rows *rows CLEANUP(nwf_port_rows_cleanup) = nwf_zalloc(sizeof *rows);

    ovsrec_interface_init(&rows->interface);
    ovsrec_port_init(&rows->port);
    ovsrec_bridge_init(&rows->bridge);
    ovsrec_mirror_init(&rows->mirror);
    ovsrec_open_vswitch_init(&rows->root);
    smap_init(&rows->policy);
    shash_init(&rows->staged);
    int r = nwf_transactions_open(remote, timeout_ms, &rows->db, err);
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
    nwf_vec_foreach (wait, &rows->waits) {
        json_destroy(*wait);
    }
    nwf_vec_clear(&rows->waits);
    json_destroy(rows->ids_read);
    smap_destroy(&rows->policy);
    shash_destroy_free_data(&rows->staged);
    nwf_transactions_close(&rows->db);
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
        return nwf_transactions_fail(&rows->db, -EPROTO, "an answer has no rows", err);
    }
    *ret = json_array(list)->n;
    return 0;
}

static int
read_bridge(struct nwf_port_rows *rows, const struct jsonrpc_msg *reply, struct nwf_error *err)
{
    const struct json *row = only_row(reply, 0), *root = only_row(reply, 4);
    size_t n_mirrors, n_vlan_mirrors;
    const struct columns columns = {"Bridge", bridge_columns, ARRAY_SIZE(bridge_columns)};
    const struct columns all = {"Open_vSwitch", root_columns, ARRAY_SIZE(root_columns)};
    int r = row ? read_row(rows, row, &columns, &rows->bridge.header_, err) : 0;

    if (r || !row) {
        return r;
    }
    r = root ? read_row(rows, root, &all, &rows->root.header_, err)
             : nwf_transactions_fail(&rows->db, -EPROTO, "no row in table Open_vSwitch", err);
    r = r ? r : count_rows(rows, reply, 1, &n_mirrors, err);
    r = r ? r : count_rows(rows, reply, 2, &rows->n_zone_users, err);
    r = r ? r : count_rows(rows, reply, 3, &n_vlan_mirrors, err);
    if (r) {
        return r;
    }
    rows->has_vlan_mirror = n_vlan_mirrors > 0;
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
    struct json *params = nwf_transaction_new();
    struct jsonrpc_msg *reply;

    json_array_add(params, selection("Port",
                                     nwf_json_where("interfaces", "includes",
                                                    nwf_json_uuid(&rows->interface.header_.uuid)),
                                     port_columns, ARRAY_SIZE(port_columns), "interfaces"));
    int r = nwf_transact(&rows->db, params, &reply, err);
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
    struct json *pairs = json_array_create_1(nwf_json_pair(NWF_TAG_ZONE, zone));

    return selection("Interface",
                     nwf_json_where("external_ids", "includes", nwf_json_collection("map", pairs)),
                     NULL, 0, NULL);
}

static int
find_bridge(struct nwf_port_rows *rows, struct nwf_error *err)
{
    const struct uuid *port = &rows->port.header_.uuid;
    struct json *params = nwf_transaction_new();
    struct jsonrpc_msg *reply;

    json_array_add(params,
                   selection("Bridge", nwf_json_where("ports", "includes", nwf_json_uuid(port)),
                             bridge_columns, ARRAY_SIZE(bridge_columns), NULL));
    json_array_add(params, selection("Mirror",
                                     nwf_json_where("output_port", "includes", nwf_json_uuid(port)),
                                     NULL, 0, NULL));
    json_array_add(params, select_zone_users(rows));
    json_array_add(params,
                   selection("Mirror",
                             nwf_json_where("output_vlan", "!=",
                                            nwf_json_collection("set", json_array_create_empty())),
                             NULL, 0, NULL));
    json_array_add(params, selection("Open_vSwitch", json_array_create_empty(), root_columns,
                                     ARRAY_SIZE(root_columns), NULL));
    int r = nwf_transact(&rows->db, params, &reply, err);
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

const struct ovsrec_open_vswitch *
nwf_port_rows_switch(const struct nwf_port_rows *rows)
{
    return &rows->root;
}

bool
nwf_port_rows_has_vlan_mirror(const struct nwf_port_rows *rows)
{
    return rows->has_vlan_mirror;
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
            json_array_add(pairs, nwf_json_pair(node->name, node->data));
        }
    }
    return json_array_create_2(mutation("delete", nwf_json_collection("set", keys)),
                               mutation("insert", nwf_json_collection("map", pairs)));
}

static struct json *
find_interface(const struct nwf_port_rows *rows)
{
    return nwf_json_where("_uuid", "==", nwf_json_uuid(&rows->interface.header_.uuid));
}

/* What is staged; or, if that is nothing, a look at whether the row is as it was. */
static struct json *
write_operation(const struct nwf_port_rows *rows)
{
    struct json *where = find_interface(rows);

    if (rows->ids_read) {
        json_array_add(where, nwf_json_condition("external_ids", "==", json_clone(rows->ids_read)));
    }
    if (shash_is_empty(&rows->staged)) {
        return selection("Interface", where, NULL, 0, NULL);
    }
    struct json *mutate = nwf_json_operation("mutate", "Interface", where);
    json_object_put(mutate, "mutations", mutations(&rows->staged));
    return mutate;
}

/* *ret_done is false if the row is not there, or not as it was. */
static int
try_to_write(struct nwf_port_rows *rows, bool *ret_done, struct nwf_error *err)
{
    struct json *params = nwf_transaction_new(), *comment = json_object_create();
    struct jsonrpc_msg *reply;

    json_array_add(params, write_operation(rows));
    json_object_put_string(comment, "op", "comment");
    json_object_put_string(comment, "comment", "ovs-nwfilter");
    json_array_add(params, comment);
    nwf_vec_foreach (wait, &rows->waits) {
        if (rows->has_bridge) {
            json_array_add(params, json_clone(*wait));
        }
    }
    int r = nwf_transact(&rows->db, params, &reply, err);
    if (r == -ECANCELED) {
        return nwf_error_set(err, r, "%s: somebody else has changed its rows meanwhile",
                             rows->interface.name);
    }
    if (r) {
        return r;
    }
    const struct json *result = json_array(reply->result)->elems[0];
    const struct json *count =
        result->type == JSON_OBJECT ? shash_find_data(json_object(result), "count") : NULL;
    *ret_done = shash_is_empty(&rows->staged)
                    ? only_row(reply, 0) != NULL
                    : count && count->type == JSON_INTEGER && count->integer == 1;
    jsonrpc_msg_destroy(reply);
    return 0;
}

/* Reads external_ids again.  What is none of ours may have changed. */
static int
read_again(struct nwf_port_rows *rows, struct nwf_error *err)
{
    static const struct ovsdb_idl_column *const ids[] = {&ovsrec_interface_col_external_ids};
    struct json *params = nwf_transaction_new();
    struct smap before = SMAP_INITIALIZER(&before);
    struct jsonrpc_msg *reply;

    json_array_add(params, selection("Interface", find_interface(rows), ids, 1, NULL));
    int r = nwf_transact(&rows->db, params, &reply, err);
    if (r) {
        return r;
    }
    smap_clone(&before, &rows->policy);
    const struct json *row = only_row(reply, 0);
    r = row ? remember_ids(rows, row, err)
            : nwf_error_set(err, -ECANCELED, "%s: the interface is gone", rows->interface.name);
    if (!r && !smap_equal(&before, &rows->policy)) {
        r = nwf_error_set(err, -ECANCELED, "%s: somebody else has changed its tags meanwhile",
                          rows->interface.name);
    }
    smap_destroy(&before);
    jsonrpc_msg_destroy(reply);
    return r;
}

int
nwf_port_rows_write(struct nwf_port_rows *rows, const struct nwf_tag_change *changes, size_t n,
                    struct nwf_error *err)
{
    bool done = false;
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        stage(rows, &changes[i]);
    }
    for (int tries = 0; !r && !done; tries++) {
        r = tries == TRIES_MAX ? nwf_error_set(
                err, -ECANCELED, "%s: its external_ids change all the time", rows->interface.name)
                               : try_to_write(rows, &done, err);
        r = r || done ? r : read_again(rows, err);
    }
    if (!r) {
        shash_clear_free_data(&rows->staged);
        json_destroy(rows->ids_read);
        rows->ids_read = NULL;
    }
    return r;
}
