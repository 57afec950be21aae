/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of nwf/ovsdb.h share: a connection to the database. */
#ifndef NWF_OVS_OVSDB_H
#define NWF_OVS_OVSDB_H

#include "nwf/ovsdb.h"

#include "lib/ovsdb-idl.h"
#include "nwf-rows.h"

/* The key of a Bridge's other_config that switches in-band control off. */
#define NWF_IN_BAND_KEY "disable-in-band"

/* The one of its address. */
#define NWF_HWADDR_KEY "hwaddr"

struct nwf_ovsdb {
    struct ovsdb_idl *idl;
    char *remote;
    unsigned int timeout_ms; /* Of calls that wait. */
    bool is_stale;           /* A transaction failed: the contents at 'stale_seqno' are old. */
    unsigned int stale_seqno;
};

/* The errors of a connection that is lost, and of 'what' that did not happen in time. */
int nwf_ovsdb_lost(const struct nwf_ovsdb *db, struct nwf_error *err);
int nwf_ovsdb_timed_out(const struct nwf_ovsdb *db, const char *what, struct nwf_error *err);

#endif
