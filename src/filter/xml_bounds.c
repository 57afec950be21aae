/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounds of a document; see xml_bounds.h.
 *
 * Of a well-formed text a scanner needs to know little to find the tags: comments, sections and
 * processing instructions end at the first of their end marks, and only within the quotes of an
 * attribute's value is ">" not the end of a tag. */
#include "xml_bounds.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "nwf/text.h"

struct scanner {
    const char *name, *data, *p, *end;
    size_t n_marks, n_prefixes;
    struct nwf_error *err;
};

static int
fail(const struct scanner *s, const char *what, int max)
{
    unsigned int line = 1;

    for (const char *p = s->data; p < s->p; p++) {
        line += *p == '\n';
    }
    return nwf_error_set(s->err, -E2BIG, "%s:%u: more than %d %s", s->name, line, max, what);
}

static bool
is_at(const struct scanner *s, const char *mark)
{
    size_t n = strlen(mark);

    return (size_t) (s->end - s->p) >= n && !memcmp(s->p, mark, n);
}

/* Goes behind the next 'mark' that is behind the first 'skip' bytes; to the end if there is
 * none. */
static void
go_behind(struct scanner *s, size_t skip, const char *mark)
{
    const char *from = s->p + skip;
    const char *at = memmem(from, (size_t) (s->end - from), mark, strlen(mark));

    s->p = at ? at + strlen(mark) : s->end;
}

static int
count_mark(struct scanner *s)
{
    return ++s->n_marks > NWF_XML_MARKS_MAX
               ? fail(s, "tags, attributes and comments", NWF_XML_MARKS_MAX)
               : 0;
}

/* Each attribute has one "=" that is not in quotes. */
static int
scan_unquoted(struct scanner *s, size_t *n_attributes)
{
    if (is_at(s, "xmlns:") && ++s->n_prefixes > NWF_XML_PREFIXES_MAX) {
        return fail(s, "prefixes of namespaces", NWF_XML_PREFIXES_MAX);
    }
    if (*s->p != '=') {
        return 0;
    }
    if (++*n_attributes > NWF_XML_ATTRIBUTES_MAX) {
        return fail(s, "attributes of one element", NWF_XML_ATTRIBUTES_MAX);
    }
    return count_mark(s);
}

static int
scan_start_tag(struct scanner *s)
{
    size_t n_attributes = 0;
    char quote = 0;
    int r = 0;

    for (; !r && s->p < s->end && (quote || *s->p != '>'); s->p++) {
        if (quote ? *s->p == quote : *s->p == '"' || *s->p == '\'') {
            quote = quote ? 0 : *s->p;
        } else if (!quote) {
            r = scan_unquoted(s, &n_attributes);
        }
    }
    return r;
}

static int
scan_mark(struct scanner *s)
{
    int r = count_mark(s);

    if (r) {
        return r;
    }
    if (is_at(s, "<!--")) {
        go_behind(s, 4, "-->");
    } else if (is_at(s, "<![CDATA[")) {
        go_behind(s, 9, "]]>");
    } else if (is_at(s, "<?")) {
        go_behind(s, 2, "?>");
    } else if (is_at(s, "</")) {
        go_behind(s, 2, ">");
    } else if (is_at(s, "<!")) {
        s->p = s->end; /* A document type, where parsing ends. */
    } else {
        return scan_start_tag(s);
    }
    return 0;
}

int
nwf_xml_check_bounds(const char *name, const char *data, size_t size, struct nwf_error *err)
{
    struct scanner s = {.name = name, .data = data, .p = data, .end = data + size, .err = err};
    int r = 0;

    while (!r && (s.p = memchr(s.p, '<', (size_t) (s.end - s.p)))) {
        r = scan_mark(&s);
    }
    return r;
}

bool
nwf_xml_is_plain_encoding(const char *encoding)
{
    static const char *const names[] = {"UTF-8", "UTF8", "US-ASCII", "ASCII"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!strcasecmp(encoding, names[i])) {
            return true;
        }
    }
    return !strncasecmp(encoding, "ISO-8859-", strlen("ISO-8859-"));
}
