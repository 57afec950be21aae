/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the elements of a parsed document stand in its text, to the byte. */
#ifndef NWF_POLICY_XML_RANGES_H
#define NWF_POLICY_XML_RANGES_H

#include <stddef.h>

#include "nwf/vec.h"
#include "nwf/xml.h"

/* "<tag ...>" is from 'start' to 'content', "</tag>" from 'content_end' to 'end'.  One that is
 * written "<tag/>" has no content and no end tag: the last three are the same. */
struct nwf_xml_range {
    const char *start, *content, *content_end, *end;
};

struct nwf_xml_ranges {
    struct nwf_xml_range *data; /* In document order. */
    size_t n, allocated;
};

/* Finds all elements of 'doc' in the text that it was parsed from, which must be UTF-8.  Each
 * node's _private says which range is its own. */
int nwf_xml_find_ranges(const char *file, const char *data, size_t size, xmlDoc *doc,
                        struct nwf_xml_ranges *ret, struct nwf_error *err);

const struct nwf_xml_range *nwf_xml_range_of(const struct nwf_xml_ranges *ranges,
                                             const xmlNode *node);

#endif
