/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of a managed bridge: its tags in a file, since the host's own tools clear
 * external_ids.  A JSON object
 *   {"bridge": NAME, "external_ids": {KEY: VALUE ...}}
 * with every key of the bridge that begins with NWF_BRIDGE_TAG. */
#ifndef NWF_RECORD_H
#define NWF_RECORD_H

#include "nwf/binding.h"

/* Largest record, bytes; most tags in one. */
#define NWF_RECORD_MAX (1 << 20)
#define NWF_RECORD_TAGS_MAX 64

/* Tags that own their strings. */
struct nwf_record {
    struct nwf_tag *data;
    size_t n, allocated;
};

void nwf_record_clear(struct nwf_record *record);

/* Whether the key of a Bridge's external_ids belongs into its record. */
bool nwf_record_has_key(const char *key);

/* Whether the bridge's name can be a record's: that of a file in a directory. */
bool nwf_record_is_name(const char *bridge);

/* Copies those of 'tags' that belong into the record. */
void nwf_record_from_tags(const struct nwf_tag *tags, size_t n_tags, struct nwf_record *ret);

/* Whether both have the same tags, in any order. */
bool nwf_record_equals(const struct nwf_record *a, const struct nwf_record *b);

/* Reads the record of 'bridge'; 'file' is for errors. */
int nwf_record_parse(const char *file, const char *data, size_t size, const char *bridge,
                     struct nwf_record *ret, struct nwf_error *err);

/* The record as a file: a new string.  NULL if a text in it is no UTF-8. */
char *nwf_record_format(const char *bridge, const struct nwf_record *record);

#endif
