/* SPDX-License-Identifier: Apache-2.0
 *
 * A domain's document as text in which <filterref>s move to the metadata; which, convert.c
 * knows. */
#ifndef NWF_POLICY_CONVERT_TEXT_H
#define NWF_POLICY_CONVERT_TEXT_H

#include "nwf/convert.h"
#include "nwf/xml.h"

struct nwf_convert_text;

/* 'doc' is what 'text' has been parsed to; both are needed until the end. */
int nwf_convert_text_new(const struct nwf_domain_text *text, xmlDoc *doc,
                         struct nwf_convert_text **ret, struct nwf_error *err);
void nwf_convert_text_free(struct nwf_convert_text *out);
DEFINE_CLEANUP(struct nwf_convert_text, nwf_convert_text, nwf_convert_text_free)

/* The metadata gets a <port> with the attribute 'name', and a copy of 'filterref' in it. */
void nwf_convert_text_add(struct nwf_convert_text *out, const char *name, const xmlNode *filterref);
void nwf_convert_text_remove(struct nwf_convert_text *out, const xmlNode *filterref);

/* The result, a new string. */
char *nwf_convert_text_finish(struct nwf_convert_text *out, size_t *ret_size);

#endif
