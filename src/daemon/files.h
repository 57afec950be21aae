/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's filters and policy files: has the engine read them anew when they change. */
#ifndef NWF_DAEMON_FILES_H
#define NWF_DAEMON_FILES_H

struct nwf_files;
struct nwf_live;

/* 'filter_dir' as in struct nwf_live_options. */
struct nwf_files *nwf_files_new(struct nwf_live *live, const char *filter_dir);
void nwf_files_free(struct nwf_files *files);

void nwf_files_run(struct nwf_files *files);
void nwf_files_wait(struct nwf_files *files);

/* What has changed up to now is read at once. */
void nwf_files_flush(struct nwf_files *files);

#endif
