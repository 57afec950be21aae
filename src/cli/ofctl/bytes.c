/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes in text; see bytes.h. */
#include <config.h>

#include "bytes.h"

#include <stdint.h>
#include <stdio.h>

#include "lib/util.h"

void
ofctl_put_hex(struct ofpbuf *bytes, const char *text)
{
    if (*ofpbuf_put_hex(bytes, text, NULL)) {
        ovs_fatal(0, "Trailing garbage in hex data");
    }
}

void
ofctl_print_differences(const char *prefix, const void *a_, size_t a_len, const void *b_,
                        size_t b_len)
{
    const uint8_t *a = a_, *b = b_;

    for (size_t i = 0; i < MAX(a_len, b_len); i++) {
        if (i >= a_len) {
            printf("%s%2zu: (none) -> %02x\n", prefix, i, (unsigned int) b[i]);
        } else if (i >= b_len) {
            printf("%s%2zu: %02x -> (none)\n", prefix, i, (unsigned int) a[i]);
        } else if (a[i] != b[i]) {
            printf("%s%2zu: %02x -> %02x\n", prefix, i, (unsigned int) a[i], (unsigned int) b[i]);
        }
    }
}
