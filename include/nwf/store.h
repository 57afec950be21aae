/* SPDX-License-Identifier: Apache-2.0
 *
 * The filters in reach, each parsed once.  Where their text comes from is the
 * caller's affair. */
#ifndef NWF_STORE_H
#define NWF_STORE_H

#include "nwf/filter.h"

struct nwf_store;

/* Largest number of filters that one store keeps. */
#define NWF_STORE_MAX 4096
/* Bytes of their text, those included that cannot be parsed. */
#define NWF_STORE_SIZE_MAX (8 * 1024 * 1024)

/* Reads the document of filter 'name' into *ret_data (malloc'ed) and says where
 * it was found in *ret_path (malloc'ed).  -ENOENT when there is none. */
typedef int nwf_store_read_fn(void *aux, const char *name, char **ret_path, char **ret_data,
                              size_t *ret_size, struct nwf_error *err);

struct nwf_store *nwf_store_new(nwf_store_read_fn *read, void *aux);
void nwf_store_free(struct nwf_store *store);
DEFINE_CLEANUP(struct nwf_store, nwf_store, nwf_store_free)

/* *ret_filter stays the store's.  A filter that cannot be read or parsed gives
 * the same error at every call, and is read once. */
int nwf_store_get(struct nwf_store *store, const char *name, const struct nwf_filter **ret_filter,
                  struct nwf_error *err);

/* Whether there is a filter of this name, good or broken. */
bool nwf_store_has(struct nwf_store *store, const char *name);

/* A new store with the filters that 'old' has read, read anew.  Where there is one that is broken
 * now, its definition from before stays in force.  *ret_differs: some filter is not what it was. */
struct nwf_store *nwf_store_renew(const struct nwf_store *old, bool *ret_differs);

/* Calls each() for every filter whose definition is one from before; the error says why. */
void nwf_store_each_outdated(const struct nwf_store *store,
                             void (*each)(const char *name, const struct nwf_error *error,
                                          void *aux),
                             void *aux);

/* An error if 'filter', or one that it refers to, is one of those. */
int nwf_store_check_current(struct nwf_store *store, const struct nwf_filter *filter,
                            struct nwf_error *err);

/* The names of filters by way of which 'from' refers to 'to', "from, ..., to", as a new
 * string; NULL if it does not.  Filters that cannot be read refer to nothing. */
char *nwf_store_find_reference(struct nwf_store *store, const char *from, const char *to);

/* Parses 'data' as filter text that stands in for what the source would give for
 * its name, e.g. to check a filter before it is installed. */
int nwf_store_put(struct nwf_store *store, const char *file, const char *data, size_t size,
                  const struct nwf_filter **ret_filter, struct nwf_error *err);

#endif
