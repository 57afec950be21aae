/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines and addresses, as all of Proxmox VE's files have them. */
#ifndef NWF_HOOK_PVE_LINES_H
#define NWF_HOOK_PVE_LINES_H

#include <stddef.h>

#include "pve_conf.h"

/* A file that is read line by line. */
struct nwf_pve_lines {
    const char *file;
    const char *next, *end;
    unsigned int number;
    char *line; /* The one that was read, without white space around it; owned. */
};

/* -EINVAL: the file is too large, or no text. */
int nwf_pve_lines_begin(struct nwf_pve_lines *lines, const char *file, const char *data,
                        size_t size, struct nwf_error *err);
void nwf_pve_lines_end(struct nwf_pve_lines *lines);

/* Goes on to the next line that is not empty; false behind the last one. */
bool nwf_pve_lines_next(struct nwf_pve_lines *lines);

/* An error of the line: "FILE:LINE: cause". */
int nwf_pve_lines_error(const struct nwf_pve_lines *lines, struct nwf_error *err,
                        const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Removes white space at both ends, in place. */
char *nwf_pve_trim(char *text);

/* The number N of 'text', which is "PREFIXN" as Proxmox VE writes it; -1: it is something else. */
int nwf_pve_number(const char *text, const char *prefix);

/* Adds "ADDRESS" or "ADDRESS/LENGTH" to the interface's.  A host's address loses its length; of a
 * network what is behind the length is cleared. */
enum nwf_pve_meaning { NWF_PVE_HOST, NWF_PVE_NETWORK };
int nwf_pve_add_address(struct nwf_pve_net *net, const char *text, enum nwf_pve_meaning meaning,
                        struct nwf_error *err);
void nwf_pve_addresses_clear(struct nwf_pve_addresses *addresses);

#endif
