/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions on Open vSwitch's database (RFC 7047, 4.1.3), without the IDL.  Who includes
 * this has included <ovs-json-names.h> first. */
#ifndef NWF_TRANSACT_H
#define NWF_TRANSACT_H

#include "nwf/error.h"
#include "openvswitch/uuid.h"

struct json;
struct jsonrpc_msg;

struct nwf_transactions {
    char *remote;
    unsigned int timeout_ms; /* For each call. */
    struct jsonrpc_session *session;
    unsigned int seqno; /* The session's, while it is the same connection. */
};

/* Connects to 'remote', which may be what the IDL takes: one of several, a passive one. */
int nwf_transactions_open(const char *remote, unsigned int timeout_ms, struct nwf_transactions *t,
                          struct nwf_error *err);
void nwf_transactions_close(struct nwf_transactions *t);

/* An error that names the database. */
int nwf_transactions_fail(const struct nwf_transactions *t, int code, const char *cause,
                          struct nwf_error *err);

/* A transaction to which operations are to be added. */
struct json *nwf_transaction_new(void);

/* Runs a transaction, which is taken.  *ret has at least as many results as it has
 * operations; the caller frees it. */
int nwf_transact(struct nwf_transactions *t, struct json *params, struct jsonrpc_msg **ret,
                 struct nwf_error *err);

/* An operation on the rows of 'table' that 'where' finds, and what makes one.  Values are
 * taken. */
struct json *nwf_json_operation(const char *op, const char *table, struct json *where);
struct json *nwf_json_where(const char *column, const char *function, struct json *value);
struct json *nwf_json_condition(const char *column, const char *function, struct json *value);
struct json *nwf_json_uuid(const struct uuid *uuid);
struct json *nwf_json_pair(const char *key, const char *value);
/* "set" or "map". */
struct json *nwf_json_collection(const char *kind, struct json *elements);

#endif
