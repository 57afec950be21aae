/* SPDX-License-Identifier: Apache-2.0
 *
 * <filterref>s move, in a document's text; see convert_text.h. */
#include "convert_text.h"

#include <errno.h>
#include <libxml/xmlstring.h>
#include <string.h>
#include <strings.h>

#include "edits.h"
#include "nwf/domain.h"
#include "nwf/text.h"
#include "xml_ranges.h"

#define XMLNS "xmlns=\"" NWF_DOMAIN_NAMESPACE "\""

struct nwf_convert_text {
    struct nwf_edits edits;
    struct nwf_xml_ranges ranges;
    const xmlNode *root, *metadata, *ports; /* The last two: NULL if there are none yet. */
    char *indent;                           /* Of a new <port>. */
    NWF_VEC(char) block;                    /* The new <port>s, lines of text. */
};

/* ---- What is there. ---- */

/* Other encodings have tags where bytes look otherwise. */
static int
check_encoding(const struct nwf_domain_text *text, const xmlDoc *doc, struct nwf_error *err)
{
    const char *encoding = (const char *) doc->encoding;
    char *copy CLEANUP_FREE = nwf_strndup(text->data, text->size);

    if (encoding && strcasecmp(encoding, "UTF-8")) {
        return nwf_error_set(err, -EINVAL, "%s: its encoding is %.80s; only UTF-8 is converted",
                             text->file, encoding);
    }
    if (strlen(copy) != text->size || !xmlCheckUTF8((const xmlChar *) copy)) {
        return nwf_error_set(err, -EINVAL, "%s: its encoding is not UTF-8", text->file);
    }
    return 0;
}

static bool
is_ports(const xmlNode *node)
{
    return nwf_xml_is(node, "ports") && node->ns
           && !strcmp((const char *) node->ns->href, NWF_DOMAIN_NAMESPACE);
}

static int
find_metadata(struct nwf_convert_text *out, const char *file, struct nwf_error *err)
{
    for (const xmlNode *node = out->root->children; node; node = node->next) {
        if (!nwf_xml_is(node, "metadata") || node->ns) {
            continue;
        }
        if (out->metadata) {
            return nwf_error_set(err, -EINVAL, "%s:%u: a second <metadata>, which libvirt ignores",
                                 file, nwf_xml_line(node));
        }
        out->metadata = node;
        for (const xmlNode *child = node->children; child && !out->ports; child = child->next) {
            out->ports = is_ports(child) ? child : NULL;
        }
    }
    return 0;
}

/* ---- Where it goes. ---- */

/* libvirt writes <metadata> behind these. */
static bool
is_before_metadata(const xmlNode *node)
{
    static const char *const names[] = {"name", "uuid", "genid", "title", "description"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (nwf_xml_is(node, names[i]) && !node->ns) {
            return true;
        }
    }
    return false;
}

/* A comment on the line of an element is about the element. */
static const char *
skip_comment(const struct nwf_convert_text *out, const char *p)
{
    const char *start = p + strspn(p, " \t");
    const char *end = strncmp(start, "<!--", 4) ? NULL : strstr(start + 4, "-->");

    return end && !memchr(start, '\n', (size_t) (end - start)) && end + 3 <= out->edits.end
               ? end + 3
               : p;
}

/* The element that <metadata> is to stand behind, or NULL: it is to be the first. */
static const xmlNode *
find_anchor(const struct nwf_convert_text *out)
{
    const xmlNode *anchor = NULL;

    for (const xmlNode *node = out->root->children; node; node = node->next) {
        anchor = is_before_metadata(node) ? node : anchor;
    }
    return anchor;
}

/* The indentation of an element that is to be put into 'node'. */
static char *
indent_within(const struct nwf_convert_text *out, const xmlNode *node)
{
    char *indent CLEANUP_FREE =
        nwf_edits_indent(&out->edits, nwf_xml_range_of(&out->ranges, node)->start);

    return nwf_edits_indent_more(&out->edits, indent);
}

static char *
indent_of_port(const struct nwf_convert_text *out)
{
    if (out->ports) {
        return indent_within(out, out->ports);
    }
    char *ports CLEANUP_FREE = indent_within(out, out->metadata ? out->metadata : out->root);
    if (out->metadata) {
        return nwf_edits_indent_more(&out->edits, ports);
    }
    char *deeper CLEANUP_FREE = nwf_edits_indent_more(&out->edits, ports);
    return nwf_edits_indent_more(&out->edits, deeper);
}

/* Makes 'block', which is lines, the last that is in 'node'. */
static void
put_last(struct nwf_convert_text *out, const xmlNode *node, const char *block)
{
    const struct nwf_xml_range *range = nwf_xml_range_of(&out->ranges, node);
    char *indent CLEANUP_FREE = nwf_edits_indent(&out->edits, range->start);
    const char *eol = out->edits.eol;

    if (range->end == range->content) {
        size_t n = strcspn(range->start + 1, " \t\r\n/>");
        nwf_edits_put(
            &out->edits, range->end - 2, 2,
            nwf_asprintf(">%s%s%s</%.*s>", eol, block, indent, (int) n, range->start + 1));
    } else if (nwf_edits_is_first(&out->edits, range->content_end)) {
        nwf_edits_put(&out->edits, nwf_edits_line(&out->edits, range->content_end), 0,
                      nwf_strdup(block));
    } else {
        nwf_edits_put(&out->edits, range->content_end, 0,
                      nwf_asprintf("%s%s%s", eol, block, indent));
    }
}

static char *
wrap(const struct nwf_convert_text *out, const char *indent, const char *tag, const char *attrs,
     const char *block)
{
    const char *eol = out->edits.eol;

    return nwf_asprintf("%s<%s%s>%s%s%s</%s>%s", indent, tag, attrs, eol, block, indent, tag, eol);
}

/* Behind the anchor, on lines of its own. */
static void
put_metadata(struct nwf_convert_text *out, const char *ports)
{
    const xmlNode *anchor = find_anchor(out);
    char *indent CLEANUP_FREE = indent_within(out, out->root);
    char *block CLEANUP_FREE = wrap(out, indent, "metadata", "", ports);
    const char *at = anchor ? skip_comment(out, nwf_xml_range_of(&out->ranges, anchor)->end)
                            : nwf_xml_range_of(&out->ranges, out->root)->content;
    size_t n = strlen(block) - strlen(out->edits.eol);

    nwf_edits_put(&out->edits, at, 0, nwf_asprintf("%s%.*s", out->edits.eol, (int) n, block));
}

static void
put_block(struct nwf_convert_text *out)
{
    nwf_vec_push(&out->block, '\0');
    if (out->ports) {
        put_last(out, out->ports, out->block.data);
        return;
    }
    char *metadata CLEANUP_FREE =
        out->metadata
            ? nwf_edits_indent(&out->edits, nwf_xml_range_of(&out->ranges, out->metadata)->start)
            : indent_within(out, out->root);
    char *indent CLEANUP_FREE = nwf_edits_indent_more(&out->edits, metadata);
    char *ports CLEANUP_FREE = wrap(out, indent, "ports", " " XMLNS, out->block.data);
    if (out->metadata) {
        put_last(out, out->metadata, ports);
    } else {
        put_metadata(out, ports);
    }
}

/* ---- For convert.c. ---- */

int
nwf_convert_text_new(const struct nwf_domain_text *text, xmlDoc *doc, struct nwf_convert_text **ret,
                     struct nwf_error *err)
{
    struct nwf_convert_text *out CLEANUP(nwf_convert_text_cleanup) = nwf_zalloc(sizeof *out);
    int r;

    out->root = xmlDocGetRootElement(doc);
    nwf_edits_init(&out->edits, text->data, text->size);
    if ((r = check_encoding(text, doc, err))
        || (r = nwf_xml_find_ranges(text->file, text->data, text->size, doc, &out->ranges, err))
        || (r = find_metadata(out, text->file, err))) {
        return r;
    }
    out->indent = indent_of_port(out);
    *ret = TAKE_PTR(out);
    return 0;
}

void
nwf_convert_text_free(struct nwf_convert_text *out)
{
    nwf_edits_clear(&out->edits);
    nwf_vec_clear(&out->ranges);
    nwf_vec_clear(&out->block);
    free(out->indent);
    free(out);
}

void
nwf_convert_text_add(struct nwf_convert_text *out, const char *name, const xmlNode *filterref)
{
    const struct nwf_xml_range *range = nwf_xml_range_of(&out->ranges, filterref);
    bool has_prefix = out->ports && out->ports->ns->prefix;
    char *deeper CLEANUP_FREE = nwf_edits_indent_more(&out->edits, out->indent);
    char *before CLEANUP_FREE = nwf_edits_indent(&out->edits, range->start);
    char *copy CLEANUP_FREE = nwf_indent_anew(range->start, range->end, before, deeper);
    char *line CLEANUP_FREE = nwf_asprintf("%s%s%s", deeper, copy, out->edits.eol);
    char *attrs CLEANUP_FREE = nwf_asprintf(" %s%s", has_prefix ? XMLNS " " : "", name);
    char *port CLEANUP_FREE = wrap(out, out->indent, "port", attrs, line);

    for (const char *p = port; *p; p++) {
        nwf_vec_push(&out->block, *p);
    }
}

void
nwf_convert_text_remove(struct nwf_convert_text *out, const xmlNode *filterref)
{
    const struct nwf_xml_range *range = nwf_xml_range_of(&out->ranges, filterref);

    nwf_edits_remove(&out->edits, range->start, range->end);
}

char *
nwf_convert_text_finish(struct nwf_convert_text *out, size_t *ret_size)
{
    if (out->block.n) {
        put_block(out);
    }
    return nwf_edits_apply(&out->edits, ret_size);
}
