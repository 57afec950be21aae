/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes in text, and how two rows of them differ: for the parsers of matches and actions. */
#ifndef NWF_CLI_OFCTL_BYTES_H
#define NWF_CLI_OFCTL_BYTES_H

#include "openvswitch/ofpbuf.h"

/* Adds the bytes that the digits stand for; the program ends if there is anything else. */
void ofctl_put_hex(struct ofpbuf *bytes, const char *text);

/* A line for each byte that is not the same in both, with its place. */
void ofctl_print_differences(const char *prefix, const void *a, size_t a_len, const void *b,
                             size_t b_len);

#endif
