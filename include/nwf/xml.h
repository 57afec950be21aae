/* SPDX-License-Identifier: Apache-2.0
 *
 * Hostile XML, read safely: no entities, no document type, no network, no files,
 * bounded size and nesting. */
#ifndef NWF_XML_H
#define NWF_XML_H

#include <libxml/tree.h>
#include <stdbool.h>

#include "nwf/cleanup.h"
#include "nwf/error.h"

/* Largest document, bytes. */
#define NWF_XML_MAX (1024 * 1024)

DEFINE_CLEANUP(xmlDoc, nwf_xml, xmlFreeDoc)

/* Parses 'size' bytes; 'name' stands for the document in errors ("NAME:LINE:
 * cause").  *ret_doc is the caller's to free with xmlFreeDoc(). */
int nwf_xml_parse(const char *name, const char *data, size_t size, xmlDoc **ret_doc,
                  struct nwf_error *err);
/* The same for documents that may have 'max' bytes. */
int nwf_xml_parse_large(const char *name, const char *data, size_t size, size_t max,
                        xmlDoc **ret_doc, struct nwf_error *err);

/* Attribute 'key' of 'node' as a new string; NULL when it is absent. */
char *nwf_xml_attr(const xmlNode *node, const char *key);
/* The same for a required one: -EINVAL and an error at the node's line without it. */
int nwf_xml_need_attr(const char *name, const xmlNode *node, const char *key, char **ret,
                      struct nwf_error *err);

/* -EINVAL if the element has another attribute than those in 'keys' (separated by
 * spaces; NULL: any), or one of a namespace. */
int nwf_xml_only_attrs(const char *name, const xmlNode *node, const char *keys,
                       struct nwf_error *err);
/* -EINVAL if there is an element in the element. */
int nwf_xml_no_elements(const char *name, const xmlNode *node, struct nwf_error *err);

/* Whether 'node' is an element called 'tag'. */
bool nwf_xml_is(const xmlNode *node, const char *tag);

/* Line of 'node', from 1. */
unsigned int nwf_xml_line(const xmlNode *node);

#endif
