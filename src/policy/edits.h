/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of a text by places, and how the lines around a place look, so that what is put in
 * looks like its neighbours. */
#ifndef NWF_POLICY_EDITS_H
#define NWF_POLICY_EDITS_H

#include <stdbool.h>
#include <stddef.h>

#include "nwf/vec.h"

/* At 'at', 'n_removed' bytes give way to 'text'. */
struct nwf_edit {
    const char *at;
    size_t n_removed;
    char *text; /* Owned; NULL: none. */
};

struct nwf_edits {
    const char *data, *end; /* The text. */
    const char *eol;        /* How its lines end, */
    const char *unit;       /* and how far they are indented. */
    NWF_VEC(struct nwf_edit) list;
};

void nwf_edits_init(struct nwf_edits *edits, const char *data, size_t size);
void nwf_edits_clear(struct nwf_edits *edits);

/* Edits must not overlap; 'text' is taken. */
void nwf_edits_put(struct nwf_edits *edits, const char *at, size_t n_removed, char *text);

/* Takes out what is between both places, and with it the lines that would be blank without it. */
void nwf_edits_remove(struct nwf_edits *edits, const char *from, const char *to);

/* The edited text, a new string. */
char *nwf_edits_apply(struct nwf_edits *edits, size_t *ret_size);

/* The start of the line, and whether there are only blanks between it and 'p'. */
const char *nwf_edits_line(const struct nwf_edits *edits, const char *p);
bool nwf_edits_is_first(const struct nwf_edits *edits, const char *p);

/* The blanks that the line of 'p' begins with, a new string. */
char *nwf_edits_indent(const struct nwf_edits *edits, const char *p);
/* One step more than that. */
char *nwf_edits_indent_more(const struct nwf_edits *edits, const char *indent);

/* What is between both places, which begins behind the blanks 'from_indent', as it looks behind
 * 'to_indent': a new string. */
char *nwf_indent_anew(const char *from, const char *to, const char *from_indent,
                      const char *to_indent);

#endif
