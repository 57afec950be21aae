/* SPDX-License-Identifier: Apache-2.0
 *
 * One way to show rows, as text or JSON. */
#include <config.h>

#include "cli.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "nwf/text.h"

void
nwf_rows_init(struct nwf_rows *rows, const char *const *headings, size_t n_columns)
{
    memset(rows, 0, sizeof *rows);
    rows->headings = headings;
    rows->n_columns = n_columns;
}

void
nwf_rows_add(struct nwf_rows *rows, const char *cell)
{
    nwf_vec_push(&rows->cells, nwf_text_clean(cell, NWF_ERROR_MAX));
}

char *
nwf_json_quote(const char *text)
{
    char *clean CLEANUP_FREE = nwf_text_clean(text, NWF_ERROR_MAX);
    json_t *string = json_string(clean);
    char *quoted = json_dumps(string, JSON_ENCODE_ANY);

    json_decref(string);
    return quoted;
}

static void
print_json(const struct nwf_rows *rows)
{
    json_t *array = json_array();

    for (size_t i = 0; i < rows->cells.n; i += rows->n_columns) {
        json_t *object = json_object();
        for (size_t j = 0; j < rows->n_columns; j++) {
            json_object_set_new(object, rows->headings[j], json_string(rows->cells.data[i + j]));
        }
        json_array_append_new(array, object);
    }
    char *text = json_dumps(array, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(array);
}

static void
print_row(const struct nwf_rows *rows, const char *const *cells, const size_t *widths)
{
    for (size_t j = 0; j < rows->n_columns; j++) {
        bool last = j + 1 == rows->n_columns;
        printf("%-*s%s", last ? 0 : (int) widths[j], *cells[j] ? cells[j] : "-",
               last ? "\n" : "  ");
    }
}

static void
print_text(const struct nwf_rows *rows)
{
    size_t *widths CLEANUP_FREE = nwf_zalloc(rows->n_columns * sizeof *widths);
    const char **headings CLEANUP_FREE = nwf_zalloc(rows->n_columns * sizeof *headings);

    for (size_t j = 0; j < rows->n_columns; j++) {
        widths[j] = strlen(rows->headings[j]);
        headings[j] = rows->headings[j];
    }
    for (size_t i = 0; i < rows->cells.n; i++) {
        size_t n = strlen(rows->cells.data[i]);
        size_t *width = &widths[i % rows->n_columns];
        *width = n > *width ? n : *width;
    }
    print_row(rows, headings, widths);
    for (size_t i = 0; i < rows->cells.n; i += rows->n_columns) {
        print_row(rows, (const char *const *) &rows->cells.data[i], widths);
    }
}

void
nwf_rows_print(struct nwf_rows *rows, bool json)
{
    nwf_cli_stop_alarm();
    if (json) {
        print_json(rows);
    } else {
        print_text(rows);
    }
    nwf_vec_foreach (cell, &rows->cells) {
        free(*cell);
    }
    nwf_vec_clear(&rows->cells);
}
