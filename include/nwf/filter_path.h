/* SPDX-License-Identifier: Apache-2.0
 *
 * Where filters and the pipeline's fixed flows are found on a host. */
#ifndef NWF_FILTER_PATH_H
#define NWF_FILTER_PATH_H

#include "nwf/store.h"

/* Directories, searched in order; the first that has NAME.xml gives the filter. */
struct nwf_filter_path {
    char **data;
    size_t n, allocated;
};

/* 'first' (may be NULL), the host's own, libvirt's, the installed stock filters. */
void nwf_filter_path_init(struct nwf_filter_path *path, const char *first);
void nwf_filter_path_finish(struct nwf_filter_path *path);

/* A nwf_store_read_fn; 'aux' is a struct nwf_filter_path. */
int nwf_filter_path_read(void *aux, const char *name, char **ret_path, char **ret_data,
                         size_t *ret_size, struct nwf_error *err);

/* A file or folder of the host's own configuration, /etc/ovs-nwfilter/NAME, or that folder
 * itself if 'name' is NULL: a new string. */
char *nwf_sysconf_file(const char *name);

/* The host's own filters, where "filter define" writes: a new string. */
char *nwf_filter_path_own(void);

/* A data file that comes with the programs ("pipeline.flows", "filters"): from the
 * source tree for a program that runs in its build directory.  A new string. */
char *nwf_data_file(const char *name);

#endif
