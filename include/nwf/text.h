/* SPDX-License-Identifier: Apache-2.0
 *
 * Text and memory helpers.  Allocating ones abort when memory is out. */
#ifndef NWF_TEXT_H
#define NWF_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *nwf_zalloc(size_t size);
void *nwf_memdup(const void *data, size_t size);
char *nwf_strdup(const char *s);
char *nwf_strndup(const char *s, size_t n);
char *nwf_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Parses a whole number, decimal or 0x hexadecimal, in [min, max] and nothing
 * else around it.  Returns false and leaves *ret_value alone otherwise. */
bool nwf_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret_value);

/* Makes control characters and bytes that are not UTF-8 visible as \xNN, in at most
 * 'max' bytes.  Returns a new string. */
char *nwf_text_clean(const char *s, size_t max);

/* Whether 's' is 1 to 'max' characters, each alphanumeric or one of 'extra'. */
bool nwf_text_is_name(const char *s, const char *extra, size_t max);

/* Calls each(word, aux) for every word of 's', split at any character of
 * 'separators'; stops at the first call that does not return 0 and returns that. */
int nwf_text_split(const char *s, const char *separators, int (*each)(const char *word, void *aux),
                   void *aux);

/* Sets *near to 'candidate', and *least to its distance from 'word', if 'word' is more likely a
 * misspelling of it than of the *near before, whose distance is *least (at first SIZE_MAX). */
void nwf_text_keep_nearer(const char *word, const char *candidate, const char **near,
                          size_t *least);

#endif
