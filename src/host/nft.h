/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands to the kernel's nftables, by libnftables. */
#ifndef NWF_HOST_NFT_H
#define NWF_HOST_NFT_H

#include <jansson.h>
#include <nftables/libnftables.h>

#include "nwf/cleanup.h"
#include "nwf/error.h"

DEFINE_CLEANUP(json_t, json, json_decref)

/* Sets the error to what nftables, or the kernel, has said: -EOPNOTSUPP where the kernel lacks what
 * is asked for, -ENOENT, -EPERM or -EIO. */
int nft_fail(struct nwf_error *err, const char *text);

/* Runs 'commands', which are one transaction.  What they print goes to *ret_output (may be NULL),
 * to be freed by the caller.  'flags' are NFT_CTX_OUTPUT_*. */
int nft_run(const char *commands, unsigned int flags, char **ret_output, struct nwf_error *err);

/* The same of one command that lists something; the caller has to drop *ret. */
int nft_list(const char *command, json_t **ret, struct nwf_error *err);

/* The next item of that kind ("table", "chain", ...) in a listing, from *at on, which moves behind
 * it; NULL if there is none any more. */
const json_t *nft_next(const json_t *listing, const char *kind, size_t *at);

/* An object's string of that name, or "". */
const char *nft_string(const json_t *object, const char *key);

/* Whether a listing of tables has this one. */
bool nft_has_table(const json_t *listing, const char *family, const char *table);

/* Whether the kernel has this table. */
int nft_find_table(const char *family, const char *table, bool *ret, struct nwf_error *err);

/* Takes the table away: 1 if there was one, 0 if not, also where the kernel knows none, else a
 * negative errno. */
int nft_remove_table(const char *family, const char *table, struct nwf_error *err);

#endif
