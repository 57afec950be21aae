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
 * cleared by some tool of the host: "unmanage" would have removed the record first.  It gets all
 * keys that are missing.  On a bridge that has that one, only our notes are put back; other keys
 * that are missing are an operator's change.  'restored' is called for each bridge that was
 * cleared when it is done.  A record that cannot be read is an error; other bridges are restored
 * all the same. */
int nwf_records_restore(struct nwf_ovsdb *db,
                        void (*restored)(const char *bridge, const char *file, void *aux),
                        void *aux, struct nwf_error *err);

/* The same for one bridge. */
int nwf_record_restore(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                       struct nwf_error *err);

/* The first without doing it: calls lost() for each bridge that would be restored. */
int nwf_records_find_lost(struct nwf_ovsdb *db,
                          void (*lost)(const char *bridge, const char *file, void *aux), void *aux,
                          struct nwf_error *err);

#endif
