/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of a text by places; see edits.h. */
#include "edits.h"

#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

/* Longest indentation, bytes, that inserted lines repeat: a document with longer ones must not
 * multiply its size. */
#define INDENT_MAX 64

void
nwf_edits_init(struct nwf_edits *edits, const char *data, size_t size)
{
    const char *newline = memchr(data, '\n', size);

    *edits = (struct nwf_edits){
        .data = data,
        .end = data + size,
        .eol = newline && newline > data && newline[-1] == '\r' ? "\r\n" : "\n",
        .unit = memmem(data, size, "\n\t", 2) ? "\t" : "  ",
    };
}

void
nwf_edits_clear(struct nwf_edits *edits)
{
    nwf_vec_foreach (edit, &edits->list) {
        free(edit->text);
    }
    nwf_vec_clear(&edits->list);
}

void
nwf_edits_put(struct nwf_edits *edits, const char *at, size_t n_removed, char *text)
{
    nwf_vec_push(&edits->list, (struct nwf_edit){at, n_removed, text});
}

/* ---- Lines. ---- */

const char *
nwf_edits_line(const struct nwf_edits *edits, const char *p)
{
    const char *newline = memrchr(edits->data, '\n', (size_t) (p - edits->data));

    return newline ? newline + 1 : edits->data;
}

bool
nwf_edits_is_first(const struct nwf_edits *edits, const char *p)
{
    const char *line = nwf_edits_line(edits, p);

    while (line < p && (*line == ' ' || *line == '\t')) {
        line++;
    }
    return line == p;
}

void
nwf_edits_remove(struct nwf_edits *edits, const char *from, const char *to)
{
    const char *rest = to;

    while (rest < edits->end && (*rest == ' ' || *rest == '\t' || *rest == '\r')) {
        rest++;
    }
    if (nwf_edits_is_first(edits, from) && rest < edits->end && *rest == '\n') {
        from = nwf_edits_line(edits, from);
        to = rest + 1;
    }
    nwf_edits_put(edits, from, (size_t) (to - from), NULL);
}

/* ---- Indentation. ---- */

char *
nwf_edits_indent(const struct nwf_edits *edits, const char *p)
{
    const char *line = nwf_edits_line(edits, p);
    size_t n = 0;

    while (line + n < p && n < INDENT_MAX && (line[n] == ' ' || line[n] == '\t')) {
        n++;
    }
    return nwf_strndup(line, n);
}

char *
nwf_edits_indent_more(const struct nwf_edits *edits, const char *indent)
{
    return nwf_asprintf("%s%s", indent, edits->unit);
}

char *
nwf_indent_anew(const char *from, const char *to, const char *from_indent, const char *to_indent)
{
    size_t n_from = strlen(from_indent), n_to = strlen(to_indent), n_lines = 0;

    for (const char *p = from; p < to; p++) {
        n_lines += *p == '\n';
    }
    char *copy = nwf_zalloc((size_t) (to - from) + n_lines * n_to + 1), *end = copy;
    while (from < to) {
        *end++ = *from++;
        if (end[-1] == '\n' && (size_t) (to - from) > n_from
            && !memcmp(from, from_indent, n_from)) {
            end = stpcpy(end, to_indent);
            from += n_from;
        }
    }
    return copy;
}

/* ---- Applying. ---- */

static int
compare(const void *a, const void *b)
{
    const struct nwf_edit *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

char *
nwf_edits_apply(struct nwf_edits *edits, size_t *ret_size)
{
    size_t size = (size_t) (edits->end - edits->data);
    const char *p = edits->data;

    nwf_vec_foreach (edit, &edits->list) {
        size += edit->text ? strlen(edit->text) : 0;
    }
    char *result = nwf_zalloc(size + 1), *end = result;
    if (edits->list.n) {
        qsort(edits->list.data, edits->list.n, sizeof edits->list.data[0], compare);
    }
    nwf_vec_foreach (edit, &edits->list) {
        end = mempcpy(end, p, (size_t) (edit->at - p));
        end = edit->text ? stpcpy(end, edit->text) : end;
        p = edit->at + edit->n_removed;
    }
    end = mempcpy(end, p, (size_t) (edits->end - p));
    *ret_size = (size_t) (end - result);
    return result;
}
