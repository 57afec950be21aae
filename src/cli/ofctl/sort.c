/* SPDX-License-Identifier: Apache-2.0
 *
 * Sorting what is known of flows; see sort.h. */
#include <config.h>

#include "sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nwf/text.h"
#include "openvswitch/meta-flow.h"
#include "tunnel.h"

struct ofctl_sorted_line {
    uint16_t priority;
    uint32_t number; /* In the order in which they came. */
    uint32_t text_len;
    /* For each key that is a field, whether the flow has any of it, and the value; then the
     * text. */
    uint8_t bytes[];
};

/* ---- Values. ---- */

static size_t
key_size(const struct ofctl_sort_key *key)
{
    return key->field ? 1 + (size_t) key->field->n_bytes : 0;
}

static size_t
keys_size(const struct ofctl *ofctl)
{
    size_t size = 0;

    nwf_vec_foreach (key, &ofctl->sort_keys) {
        size += key_size(key);
    }
    return size;
}

/* What is wildcarded counts as zero. */
static void
put_value(uint8_t *bytes, const struct mf_field *field, const struct match *match)
{
    union mf_value value;

    bytes[0] = mf_are_prereqs_ok(field, &match->flow, NULL) && !mf_is_all_wild(field, &match->wc);
    if (mf_is_tun_metadata(field)) {
        ofctl_tunnel_read(match, field, &value);
    } else {
        mf_get_value(field, &match->flow, &value);
    }
    memcpy(bytes + 1, &value, (size_t) field->n_bytes);
}

void
ofctl_sorted_lines_add(struct ofctl_sorted_lines *sorted, const struct ofputil_flow_stats *flow,
                       const struct ds *text)
{
    size_t size = keys_size(sorted->ofctl);
    struct ofctl_sorted_line *line = nwf_zalloc(sizeof *line + size + text->length);
    uint8_t *bytes = line->bytes;

    line->priority = flow->priority;
    line->number = (uint32_t) sorted->lines.n;
    line->text_len = (uint32_t) text->length;
    nwf_vec_foreach (key, &sorted->ofctl->sort_keys) {
        if (key->field) {
            put_value(bytes, key->field, &flow->match);
        }
        bytes += key_size(key);
    }
    memcpy(bytes, text->string, text->length);
    nwf_vec_push(&sorted->lines, line);
}

/* ---- Order. ---- */

/* A flow that has nothing of the field goes to the end, whichever way the others go. */
static int
compare_values(const struct ofctl_sort_key *key, const uint8_t *a, const uint8_t *b)
{
    if (!a[0] || !b[0]) {
        return b[0] - a[0];
    }

    int order = memcmp(a + 1, b + 1, (size_t) key->field->n_bytes);
    return key->descending ? -order : order;
}

static int
compare_numbers(uint32_t a, uint32_t b, bool descending)
{
    int order = (a > b) - (a < b);

    return descending ? -order : order;
}

/* Flows that are alike in all keys: the higher priority first, then the one that came first. */
static int
compare_lines(const void *a_, const void *b_, void *ofctl_)
{
    const struct ofctl_sorted_line *a = *(struct ofctl_sorted_line *const *) a_;
    const struct ofctl_sorted_line *b = *(struct ofctl_sorted_line *const *) b_;
    const struct ofctl *ofctl = ofctl_;
    size_t offset = 0;

    nwf_vec_foreach (key, &ofctl->sort_keys) {
        int order = key->field ? compare_values(key, a->bytes + offset, b->bytes + offset)
                               : compare_numbers(a->priority, b->priority, key->descending);
        if (order) {
            return order;
        }
        offset += key_size(key);
    }
    int order = compare_numbers(a->priority, b->priority, true);
    return order ? order : compare_numbers(a->number, b->number, false);
}

void
ofctl_sorted_lines_print(struct ofctl_sorted_lines *sorted)
{
    size_t size = keys_size(sorted->ofctl);

    if (sorted->lines.n) {
        qsort_r(sorted->lines.data, sorted->lines.n, sizeof *sorted->lines.data, compare_lines,
                (void *) sorted->ofctl);
    }
    nwf_vec_foreach (line, &sorted->lines) {
        fwrite((*line)->bytes + size, 1, (*line)->text_len, stdout);
        free(*line);
    }
    nwf_vec_clear(&sorted->lines);
}
