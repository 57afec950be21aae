/* SPDX-License-Identifier: Apache-2.0
 *
 * What a document may have so many of that libxml2 would take too long, or too much memory, for it:
 * it compares each attribute of an element with all others, looks through all namespaces for each
 * element, and makes of "<a/>" some 250 bytes. */
#ifndef NWF_FILTER_XML_BOUNDS_H
#define NWF_FILTER_XML_BOUNDS_H

#include <stdbool.h>
#include <stddef.h>

#include "nwf/error.h"

/* Attributes of an element; prefixes of namespaces; and tags, attributes, comments, sections and
 * processing instructions. */
#define NWF_XML_ATTRIBUTES_MAX 256
#define NWF_XML_PREFIXES_MAX 1024
#define NWF_XML_MARKS_MAX 200000

/* Looks at a text that has not been parsed, in one pass.  What is not well-formed is not an error
 * here: it is one of the parser, which must go no further then. */
int nwf_xml_check_bounds(const char *name, const char *data, size_t size, struct nwf_error *err);

/* Whether texts of this encoding have ASCII's bytes for ASCII's characters and for nothing else, so
 * that what nwf_xml_check_bounds() has seen is what the parser sees. */
bool nwf_xml_is_plain_encoding(const char *encoding);

#endif
