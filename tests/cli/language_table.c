/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the table of the language, "ELEMENT ATTRIBUTE" a line, for language.py. */
#include <stdio.h>

#include "nwf/protocol.h"

int
main(void)
{
    const struct nwf_protocol *protocol;

    for (size_t i = 0; (protocol = nwf_protocol_get(i)); i++) {
        for (const struct nwf_attr_def *attr = protocol->attrs; attr->name; attr++) {
            printf("%s %s\n", protocol->name, attr->name);
        }
    }
    return 0;
}
