/* SPDX-License-Identifier: Apache-2.0
 *
 * Where elements stand in a document's text; see xml_ranges.h.
 *
 * libxml2 has read the document, so that it is well-formed, and has no document type, so that
 * there are no entities but characters.  Of such a text a scanner for tags needs to know little:
 * comments, CDATA sections and processing instructions end at the first of their end marks, and
 * only within the quotes of an attribute's value is ">" not the end of a tag.  Each tag that it
 * finds is compared with libxml2's next element, so that a disagreement between the two is an
 * error and not a wrong place. */
#include "xml_ranges.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

struct scanner {
    const char *file;
    const char *p, *end;
    const xmlNode *root;
    xmlNode *next;        /* The element whose start tag comes next; NULL: none. */
    NWF_VEC(size_t) open; /* Elements whose end tags are to come. */
    struct nwf_xml_ranges *ranges;
    struct nwf_error *err;
};

static int
disagree(const struct scanner *s)
{
    return nwf_error_set(s->err, -EINVAL, "%s: cannot tell where its elements stand", s->file);
}

/* ---- What libxml2 has read. ---- */

/* The node behind 'node' and all that is in it. */
static xmlNode *
step_over(const struct scanner *s, xmlNode *node)
{
    while (node != s->root && !node->next) {
        node = node->parent;
    }
    return node == s->root ? NULL : node->next;
}

static xmlNode *
next_element(const struct scanner *s, xmlNode *node)
{
    do {
        bool has_children = node->type == XML_ELEMENT_NODE && node->children;
        node = has_children ? node->children : step_over(s, node);
    } while (node && node->type != XML_ELEMENT_NODE);
    return node;
}

/* Whether the tag's name, at 'p', is the node's. */
static bool
has_name(const xmlNode *node, const char *p, size_t n)
{
    const char *prefix = node->ns ? (const char *) node->ns->prefix : NULL;
    const char *name = (const char *) node->name;

    if (prefix) {
        size_t len = strlen(prefix);
        if (n <= len || memcmp(p, prefix, len) || p[len] != ':') {
            return false;
        }
        p += len + 1;
        n -= len + 1;
    }
    return strlen(name) == n && !memcmp(p, name, n);
}

static size_t
name_length(const char *p, const char *end)
{
    size_t n = 0;

    while (p + n < end && !strchr(" \t\r\n/>", p[n])) {
        n++;
    }
    return n;
}

/* ---- The text. ---- */

static bool
is_at(const struct scanner *s, const char *mark)
{
    size_t n = strlen(mark);

    return (size_t) (s->end - s->p) >= n && !memcmp(s->p, mark, n);
}

/* Goes behind the next 'mark', which is not within the first 'skip' bytes. */
static int
go_behind(struct scanner *s, size_t skip, const char *mark)
{
    size_t n = strlen(mark);
    const char *from = s->p + skip;
    const char *at = from <= s->end ? memmem(from, (size_t) (s->end - from), mark, n) : NULL;

    if (!at) {
        return disagree(s);
    }
    s->p = at + n;
    return 0;
}

static int
scan_start_tag(struct scanner *s)
{
    const char *start = s->p;
    char quote = 0;

    for (; s->p < s->end && (quote || *s->p != '>'); s->p++) {
        if (quote ? *s->p == quote : *s->p == '"' || *s->p == '\'') {
            quote = quote ? 0 : *s->p;
        }
    }
    if (s->p == s->end || !s->next || !has_name(s->next, start + 1, name_length(start + 1, s->p))) {
        return disagree(s);
    }
    bool is_empty = s->p[-1] == '/';
    s->p++;
    s->next->_private = (void *) (uintptr_t) s->ranges->n;
    s->next = next_element(s, s->next);
    if (!is_empty) {
        nwf_vec_push(&s->open, s->ranges->n);
    }
    nwf_vec_push(s->ranges, (struct nwf_xml_range){start, s->p, s->p, s->p});
    return 0;
}

static int
scan_end_tag(struct scanner *s)
{
    const char *start = s->p;
    int r = go_behind(s, 0, ">");

    if (r || !s->open.n) {
        return disagree(s);
    }
    struct nwf_xml_range *range = &s->ranges->data[s->open.data[--s->open.n]];
    range->content_end = start;
    range->end = s->p;
    size_t n = name_length(range->start + 1, range->content);
    return name_length(start + 2, s->p) == n && !memcmp(start + 2, range->start + 1, n)
               ? 0
               : disagree(s);
}

static int
scan_markup(struct scanner *s)
{
    if (is_at(s, "<!--")) {
        return go_behind(s, 4, "-->");
    }
    if (is_at(s, "<![CDATA[")) {
        return go_behind(s, 9, "]]>");
    }
    if (is_at(s, "<?")) {
        return go_behind(s, 2, "?>");
    }
    if (is_at(s, "<!")) {
        return disagree(s);
    }
    return is_at(s, "</") ? scan_end_tag(s) : scan_start_tag(s);
}

int
nwf_xml_find_ranges(const char *file, const char *data, size_t size, xmlDoc *doc,
                    struct nwf_xml_ranges *ret, struct nwf_error *err)
{
    xmlNode *root = xmlDocGetRootElement(doc);
    struct scanner s = {.file = file,
                        .p = data,
                        .end = data + size,
                        .root = root,
                        .next = root,
                        .ranges = ret,
                        .err = err};
    int r = 0;

    while (!r && (s.p = memchr(s.p, '<', (size_t) (s.end - s.p)))) {
        r = scan_markup(&s);
    }
    if (!r && (s.next || s.open.n)) {
        r = disagree(&s);
    }
    nwf_vec_clear(&s.open);
    return r;
}

const struct nwf_xml_range *
nwf_xml_range_of(const struct nwf_xml_ranges *ranges, const xmlNode *node)
{
    return &ranges->data[(uintptr_t) node->_private];
}
