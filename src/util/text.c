/* SPDX-License-Identifier: Apache-2.0
 *
 * Text and memory helpers; see nwf/text.h. */
#include "nwf/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/vec.h"

void *
nwf_zalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (!p) {
        abort();
    }
    return p;
}

void *
nwf_memdup(const void *data, size_t size)
{
    void *p = nwf_zalloc(size);

    if (size) {
        memcpy(p, data, size);
    }
    return p;
}

char *
nwf_strdup(const char *s)
{
    return nwf_memdup(s, strlen(s) + 1);
}

char *
nwf_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = nwf_zalloc(len + 1);

    memcpy(copy, s, len);
    return copy;
}

char *
nwf_asprintf(const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    if (vasprintf(&s, format, args) < 0) {
        abort();
    }
    va_end(args);
    return s;
}

/* Most vectors have one or two elements, and each port of a bridge has several such. */
static size_t
first_room(size_t elem_size)
{
    return elem_size < 32 ? 32 / elem_size : 1;
}

void *
nwf_vec_grow(void *data, size_t elem_size, size_t *allocated)
{
    size_t n = *allocated ? *allocated * 2 : first_room(elem_size);
    void *p = reallocarray(data, n, elem_size);

    if (!p) {
        abort();
    }
    *allocated = n;
    return p;
}

bool
nwf_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret_value)
{
    bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    const char *digits = hex ? s + 2 : s + (s[0] == '-');
    char *end;

    if (hex ? !isxdigit((unsigned char) *digits) : !isdigit((unsigned char) *digits)) {
        return false;
    }
    errno = 0;
    long long value = strtoll(s, &end, hex ? 16 : 10);
    if (errno || *end || value < min || value > max) {
        return false;
    }
    *ret_value = value;
    return true;
}

/* Length of the UTF-8 sequence (RFC 3629) at 's' if it is a printable character,
 * else 0. */
static size_t
printable_len(const unsigned char *s)
{
    /* By the sequence's length: its first byte's mark, and the least character that
     * needs so many bytes; U+0080..U+009F are control characters. */
    static const struct {
        unsigned char mask, mark;
        uint32_t least;
    } forms[] = {{0x80, 0, ' '}, {0xe0, 0xc0, 0xa0}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t n = 1; n <= 4; n++) {
        uint32_t c = s[0] & ~forms[n - 1].mask & 0xff;

        if ((s[0] & forms[n - 1].mask) != forms[n - 1].mark) {
            continue;
        }
        for (size_t i = 1; i < n; i++) {
            if ((s[i] & 0xc0) != 0x80) {
                return 0;
            }
            c = c << 6 | (s[i] & 0x3f);
        }
        bool is_surrogate = c >= 0xd800 && c < 0xe000;
        return c >= forms[n - 1].least && c <= 0x10ffff && !is_surrogate && c != 0x7f ? n : 0;
    }
    return 0;
}

/* Makes "..." the end of the text, without splitting a UTF-8 character. */
static void
mark_cut(char *text, size_t used)
{
    if (used >= 3) {
        size_t end = used - 3;
        while (end > 0 && (text[end] & 0xc0) == 0x80) {
            end--;
        }
        memcpy(text + end, "...", 4);
    }
}

char *
nwf_text_clean(const char *s, size_t max)
{
    char *clean CLEANUP_FREE = nwf_zalloc(max + 1);
    size_t used = 0;

    for (const unsigned char *p = (const unsigned char *) s; *p;) {
        size_t n = printable_len(p);
        size_t need = n ? n : 4;

        if (used + need > max) {
            mark_cut(clean, used);
            break;
        }
        if (n) {
            memcpy(clean + used, p, n);
        } else {
            snprintf(clean + used, need + 1, "\\x%02x", *p);
        }
        used += need;
        p += n ? n : 1;
    }
    return nwf_strdup(clean); /* No larger than it needs to be: the caller may keep it for long. */
}

bool
nwf_text_is_name(const char *s, const char *extra, size_t max)
{
    size_t n = 0;

    for (; s[n]; n++) {
        if (n >= max
            || !((isalnum((unsigned char) s[n]) && (unsigned char) s[n] < 0x80)
                 || strchr(extra, s[n]))) {
            return false;
        }
    }
    return n > 0;
}

int
nwf_text_split(const char *s, const char *separators, int (*each)(const char *word, void *aux),
               void *aux)
{
    char *copy CLEANUP_FREE = nwf_strdup(s);
    char *save = NULL;

    for (char *word = strtok_r(copy, separators, &save); word;
         word = strtok_r(NULL, separators, &save)) {
        int r = each(word, aux);
        if (r) {
            return r;
        }
    }
    return 0;
}

/* Longest word that is taken for a misspelling of another. */
#define SLIP_MAX 32

/* How many letters must be put in, taken out or changed to make one word of the other
 * (Levenshtein's distance). */
static size_t
distance(const char *a, const char *b)
{
    size_t row[SLIP_MAX + 1], n = strlen(b);

    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t changed = corner + (a[i] != b[j]);
            size_t less = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            corner = row[j + 1];
            row[j + 1] = changed < less ? changed : less;
        }
    }
    return row[n];
}

void
nwf_text_keep_nearer(const char *word, const char *candidate, const char **near, size_t *least)
{
    if (strlen(word) > SLIP_MAX || strlen(candidate) > SLIP_MAX) {
        return;
    }
    /* A wrong first letter is rare, so it counts for three changes. */
    size_t n = distance(word, candidate) + (word[0] == candidate[0] ? 0 : 2);
    if (n < *least && n * 2 < strlen(word)) {
        *least = n;
        *near = candidate;
    }
}
