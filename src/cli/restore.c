/* SPDX-License-Identifier: Apache-2.0
 *
 * Bridges that have lost their tags get them back. */
#include <config.h>

#include "nwf/record_file.h"
#include "nwf/text.h"
#include "sync.h"

/* An error is worse than a difference. */
int
nwf_cli_worse(int a, int b)
{
    return a == NWF_EXIT_ERROR || b == NWF_EXIT_OK ? a : b;
}

static void
say_restored(const char *bridge, const char *file, void *aux)
{
    char *what CLEANUP_FREE =
        nwf_asprintf("its tags were gone, and are those of %s again: it is managed", file);

    (void) aux;
    nwf_cli_complain_of(bridge, what);
}

/* Says an error that does not keep the rest from being done. */
int
nwf_cli_say_error(int r, struct nwf_error *err)
{
    if (r) {
        nwf_cli_complain(err);
    }
    nwf_error_clear(err);
    return r ? NWF_EXIT_ERROR : NWF_EXIT_OK;
}

/* A record for which nothing can be done is said and does not keep others from being synced. */
int
nwf_cli_restore_bridges(struct nwf_ovsdb *db)
{
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;
    int result = nwf_cli_say_error(nwf_records_restore(db, say_restored, NULL, &txn, &err), &err);
    int r = txn ? nwf_cli_say_error(nwf_ovsdb_commit(db, txn, &err), &err) : NWF_EXIT_OK;

    return nwf_cli_worse(r, result);
}
