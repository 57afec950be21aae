/* SPDX-License-Identifier: Apache-2.0
 *
 * What the schema that we ship says of a domain's metadata. */
#ifndef TEST_SCHEMA_H
#define TEST_SCHEMA_H

#include <libxml/relaxng.h>
#include <stdbool.h>
#include <stddef.h>

xmlRelaxNG *schema_load(void);

/* Whether it takes what is ours in the domain's metadata. */
bool schema_takes(xmlRelaxNG *schema, const char *data, size_t size);

#endif
