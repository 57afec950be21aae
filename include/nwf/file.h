/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounded reading and atomic writing of files that others may have made. */
#ifndef NWF_FILE_H
#define NWF_FILE_H

#include <stddef.h>

#include "nwf/error.h"

/* Reads 'path' ("-" is standard input) whole, 'max' bytes at most.  A device,
 * FIFO or directory is refused without waiting for it.  *ret_data is owned by
 * the caller and ends in a NUL that *ret_size does not count.  -ENOENT is
 * returned with the error set when the file does not exist. */
int nwf_file_read(const char *path, size_t max, char **ret_data, size_t *ret_size,
                  struct nwf_error *err);

/* Replaces or makes 'path' with 'data' by a rename, so that readers see the old
 * or the new contents. */
int nwf_file_write(const char *path, const char *data, size_t size, struct nwf_error *err);
/* The same for a file that is a program. */
int nwf_file_write_program(const char *path, const char *data, size_t size, struct nwf_error *err);

#endif
