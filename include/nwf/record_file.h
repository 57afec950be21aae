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

/* Writes it, unless it says the same already. */
int nwf_record_store(const char *bridge, const struct nwf_record *record, struct nwf_error *err);

/* Removes it; -ENOENT if there is none. */
int nwf_record_remove(const char *bridge, struct nwf_error *err);

/* Puts back what bridges have lost.  A bridge with a record, but without NWF_BRIDGE_TAG, was
 * cleared by some tool of the host: "unmanage" would have removed the record first.  If none of
 * its keys is left it gets all of them, else that one; the others, if they are missing, are taken
 * for an operator's change.  'restored' is called for each such bridge when it is done.  A
 * record that cannot be read is an error; other bridges are restored all the same. */
int nwf_records_restore(struct nwf_ovsdb *db,
                        void (*restored)(const char *bridge, const char *file, void *aux),
                        void *aux, struct nwf_error *err);

/* The same without doing it: calls lost() for each bridge that would be restored. */
void nwf_records_find_lost(struct nwf_ovsdb *db,
                           void (*lost)(const char *bridge, const char *file, void *aux),
                           void *aux);

#endif
