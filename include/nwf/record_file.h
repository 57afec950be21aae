/* SPDX-License-Identifier: Apache-2.0
 *
 * Where records of managed bridges are kept: SYSCONFDIR/ovs-nwfilter/bridges.d/BRIDGE.json. */
#ifndef NWF_RECORD_FILE_H
#define NWF_RECORD_FILE_H

#include "nwf/ovsdb.h"
#include "nwf/record.h"

/* The record's file: a new string. */
char *nwf_record_path(const char *bridge);

/* Reads it; -ENOENT if there is none. */
int nwf_record_load(const char *bridge, struct nwf_record *ret, struct nwf_error *err);

/* Whether there is one, readable or not. */
bool nwf_record_exists(const char *bridge);

/* Writes it, unless it says the same already. */
int nwf_record_store(const char *bridge, const struct nwf_record *record, struct nwf_error *err);

/* Removes it; -ENOENT if there is none. */
int nwf_record_remove(const char *bridge, struct nwf_error *err);

/* Puts back what bridges have lost.  A bridge with a record, but without NWF_BRIDGE_TAG, was
 * cleared by somebody who is not its operator: it gets all tags that it had, and fail_mode.  One
 * that has lost only our notes of what it was before gets those.  Calls restored() for each of the
 * former.  *ret_txn, the caller's, does it; NULL: there is nothing to do.  The error is the first
 * of records that cannot be read, which keep no other from being restored. */
int nwf_records_restore(struct nwf_ovsdb *db,
                        void (*restored)(const char *bridge, const char *file, void *aux),
                        void *aux, struct nwf_txn **ret_txn, struct nwf_error *err);

/* The same for one bridge. */
int nwf_record_restore(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                       struct nwf_error *err);

/* The first without doing it: calls lost() for each bridge that would be restored. */
int nwf_records_find_lost(struct nwf_ovsdb *db,
                          void (*lost)(const char *bridge, const char *file, void *aux), void *aux,
                          struct nwf_error *err);

#endif
