/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain transactions; see transact.h. */
#include <config.h>
#include <ovs-json-names.h>

#include "transact.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"

#include "lib/jsonrpc.h"
#include "lib/ovsdb-session.h"
#include "lib/svec.h"
#include "lib/timeval.h"
#include "lib/util.h"
#include "lib/uuid.h"

/* ---- The connection. ---- */

int
nwf_transactions_fail(const struct nwf_transactions *t, int code, const char *cause,
                      struct nwf_error *err)
{
    return nwf_error_set(err, code, "OVSDB %s: %s", t->remote, cause);
}

static int
lost(const struct nwf_transactions *t, struct nwf_error *err)
{
    int cause = jsonrpc_session_get_last_error(t->session);

    return nwf_transactions_fail(t, -ENOTCONN,
                                 cause ? ovs_retval_to_string(cause) : "connection lost", err);
}

/* Sleeps until something happens on the connection, or the time is up. */
static int
wait_until(struct nwf_transactions *t, long long int deadline, struct nwf_error *err)
{
    if (time_msec() >= deadline) {
        return nwf_error_set(err, -ETIMEDOUT, "OVSDB %s: no answer within %u ms", t->remote,
                             t->timeout_ms);
    }
    jsonrpc_session_wait(t->session);
    jsonrpc_session_recv_wait(t->session);
    poll_timer_wait_until(deadline);
    poll_block();
    return 0;
}

int
nwf_transactions_open(const char *remote, unsigned int timeout_ms, struct nwf_transactions *t,
                      struct nwf_error *err)
{
    long long int deadline = time_msec() + timeout_ms;
    struct svec remotes = SVEC_EMPTY_INITIALIZER;
    struct uuid cluster;
    int r = 0;

    t->remote = nwf_strdup(remote);
    t->timeout_ms = timeout_ms;
    ovsdb_session_parse_remote(remote, &remotes, &cluster);
    t->session = jsonrpc_session_open_multiple(&remotes, false);
    svec_destroy(&remotes);
    while (!r && !jsonrpc_session_is_connected(t->session)) {
        jsonrpc_session_run(t->session);
        if (!jsonrpc_session_is_alive(t->session)) {
            r = lost(t, err);
        } else if (!jsonrpc_session_is_connected(t->session)) {
            r = wait_until(t, deadline, err);
        }
    }
    t->seqno = jsonrpc_session_get_seqno(t->session);
    return r;
}

void
nwf_transactions_close(struct nwf_transactions *t)
{
    jsonrpc_session_close(t->session);
    free(t->remote);
}

/* ---- Transactions. ---- */

static bool
is_reply(const struct jsonrpc_msg *msg, const struct json *id)
{
    return (msg->type == JSONRPC_REPLY || msg->type == JSONRPC_ERROR) && json_equal(msg->id, id);
}

static int
receive(struct nwf_transactions *t, const struct json *id, struct jsonrpc_msg **ret,
        struct nwf_error *err)
{
    long long int deadline = time_msec() + t->timeout_ms;
    int r = 0;

    while (!r) {
        jsonrpc_session_run(t->session);
        struct jsonrpc_msg *msg = jsonrpc_session_recv(t->session);
        if (msg && is_reply(msg, id)) {
            *ret = msg;
            return 0;
        }
        if (!jsonrpc_session_is_connected(t->session)
            || jsonrpc_session_get_seqno(t->session) != t->seqno) {
            r = lost(t, err);
        } else if (!msg || time_msec() >= deadline) { /* What is no answer may come for ever. */
            r = wait_until(t, deadline, err);
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

int
nwf_transact(struct nwf_transactions *t, struct json *params, struct jsonrpc_msg **ret,
             struct nwf_error *err)
{
    size_t n = json_array(params)->n - 1;
    struct json *id;
    struct jsonrpc_msg *request = jsonrpc_create_request("transact", params, &id);
    struct jsonrpc_msg *reply = NULL;
    int r = jsonrpc_session_send(t->session, request);

    r = r ? lost(t, err) : receive(t, id, &reply, err);
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
        /* What a "wait" that is not to wait says; see RFC 7047, 5.2.6. */
        r = nwf_transactions_fail(t, strcmp(cause, "timed out") ? -EIO : -ECANCELED, cause, err);
        jsonrpc_msg_destroy(reply);
        return r;
    }
    *ret = reply;
    return 0;
}

/* ---- Their operations. ---- */

struct json *
nwf_transaction_new(void)
{
    return json_array_create_1(json_string_create("Open_vSwitch"));
}

struct json *
nwf_json_uuid(const struct uuid *uuid)
{
    return json_array_create_2(json_string_create("uuid"),
                               json_string_create_nocopy(nwf_asprintf(UUID_FMT, UUID_ARGS(uuid))));
}

struct json *
nwf_json_condition(const char *column, const char *function, struct json *value)
{
    return json_array_create_3(json_string_create(column), json_string_create(function), value);
}

struct json *
nwf_json_where(const char *column, const char *function, struct json *value)
{
    return json_array_create_1(nwf_json_condition(column, function, value));
}

struct json *
nwf_json_pair(const char *key, const char *value)
{
    return json_array_create_2(json_string_create(key), json_string_create(value));
}

struct json *
nwf_json_collection(const char *kind, struct json *elements)
{
    return json_array_create_2(json_string_create(kind), elements);
}

struct json *
nwf_json_operation(const char *op, const char *table, struct json *where)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "op", op);
    json_object_put_string(json, "table", table);
    json_object_put(json, "where", where);
    return json;
}
