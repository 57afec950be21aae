/* SPDX-License-Identifier: Apache-2.0
 *
 * libxml2 without entities, document types, network and files; see nwf/xml.h. */
#include "nwf/xml.h"

#include <errno.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <string.h>

#include "nwf/text.h"
#include "xml_bounds.h"

DEFINE_CLEANUP(xmlParserCtxt, ctxt, xmlFreeParserCtxt)

/* Why parsing was ended by us: a parser's _private. */
struct refusal {
    bool doctype, encoding;
};

/* A document type is where entities, external subsets and default attributes
 * come from.  None of our formats has one, so parsing ends there. */
static void
refuse_doctype(void *ctx, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
    xmlParserCtxt *ctxt = ctx;
    struct refusal *refusal = ctxt->_private;

    (void) name;
    (void) external_id;
    (void) system_id;
    refusal->doctype = true;
    xmlStopParser(ctxt);
}

static const char *
encoding_of(const xmlParserCtxt *ctxt)
{
    const xmlChar *encoding = ctxt->encoding;

    if (!encoding && ctxt->input) {
        encoding = ctxt->input->encoding;
    }
    return encoding ? (const char *) encoding : "UTF-8";
}

/* In an encoding that is no superset of ASCII a tag may consist of other bytes than those that
 * nwf_xml_check_bounds() has looked for. */
static void
refuse_encoding(void *ctx)
{
    xmlParserCtxt *ctxt = ctx;
    struct refusal *refusal = ctxt->_private;

    xmlSAX2StartDocument(ctx);
    if (!nwf_xml_is_plain_encoding(encoding_of(ctxt))) {
        refusal->encoding = true;
        xmlStopParser(ctxt);
    }
}

/* libxml2 reads on after an error, and may take for tags what nwf_xml_check_bounds() has not. */
#if LIBXML_VERSION >= 21200
static void
stop_at_error(void *ctx, const xmlError *error)
#else
static void
stop_at_error(void *ctx, xmlError *error)
#endif
{
    if (error->level == XML_ERR_FATAL) {
        xmlStopParser(ctx);
    }
}

/* What goes wrong with an encoding is printed in spite of XML_PARSE_NOERROR. */
static void __attribute__((format(printf, 2, 3))) print_nothing(void *ctx, const char *format, ...)
{
    (void) ctx;
    (void) format;
}

static int
parse_error(xmlParserCtxt *ctxt, const char *name, struct nwf_error *err)
{
    const xmlError *cause = xmlCtxtGetLastError(ctxt);
    const struct refusal *refusal = ctxt->_private;

    if (refusal->doctype) {
        return nwf_error_set(err, -EINVAL, "%s: document type declarations are refused", name);
    }
    if (refusal->encoding) {
        return nwf_error_set(err, -EINVAL,
                             "%s: its encoding is %.80s; UTF-8, US-ASCII and ISO-8859 are read",
                             name, encoding_of(ctxt));
    }
    if (!cause || !cause->message) {
        return nwf_error_set(err, -EINVAL, "%s: not well-formed XML", name);
    }
    size_t len = strcspn(cause->message, "\n");
    return nwf_error_set(err, -EINVAL, "%s:%d: %.*s", name, cause->line, (int) len, cause->message);
}

int
nwf_xml_parse_large(const char *name, const char *data, size_t size, size_t max, xmlDoc **ret_doc,
                    struct nwf_error *err)
{
    struct refusal refusal = {.doctype = false};
    int r;

    if (size > max) {
        return nwf_error_set(err, -EFBIG, "%s: larger than %zu bytes", name, max);
    }
    if (memchr(data, '\0', size)) {
        return nwf_error_set(err, -EINVAL, "%s: its encoding is not UTF-8: it has a zero byte",
                             name);
    }
    if ((r = nwf_xml_check_bounds(name, data, size, err))) {
        return r;
    }
    xmlParserCtxt *ctxt CLEANUP(ctxt_cleanup) = xmlNewParserCtxt();
    if (!ctxt) {
        abort();
    }
    ctxt->_private = &refusal;
    ctxt->sax->internalSubset = refuse_doctype;
    ctxt->sax->startDocument = refuse_encoding;
    ctxt->sax->serror = stop_at_error;
    xmlSetGenericErrorFunc(NULL, print_nothing);

    xmlDoc *doc CLEANUP(nwf_xml_cleanup) =
        xmlCtxtReadMemory(ctxt, data, (int) size, NULL, NULL,
                          XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING
                              | XML_PARSE_BIG_LINES | XML_PARSE_NOCDATA);
    if (!doc || refusal.doctype || refusal.encoding || !ctxt->wellFormed
        || !xmlDocGetRootElement(doc)) {
        return parse_error(ctxt, name, err);
    }
    *ret_doc = TAKE_PTR(doc);
    return 0;
}

int
nwf_xml_parse(const char *name, const char *data, size_t size, xmlDoc **ret_doc,
              struct nwf_error *err)
{
    return nwf_xml_parse_large(name, data, size, NWF_XML_MAX, ret_doc, err);
}

char *
nwf_xml_attr(const xmlNode *node, const char *key)
{
    xmlChar *value = xmlGetNoNsProp((xmlNode *) node, (const xmlChar *) key);
    char *copy = value ? nwf_strdup((const char *) value) : NULL;

    xmlFree(value);
    return copy;
}

int
nwf_xml_need_attr(const char *name, const xmlNode *node, const char *key, char **ret,
                  struct nwf_error *err)
{
    char *value = nwf_xml_attr(node, key);

    if (!value) {
        return nwf_error_set(err, -EINVAL, "%s:%u: <%s> needs the attribute %s", name,
                             nwf_xml_line(node), (const char *) node->name, key);
    }
    *ret = value;
    return 0;
}

/* Whether 'word' is one of the words of 'list'. */
static bool
is_word_of(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = list; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (n == len && !memcmp(p, word, n)) {
            return true;
        }
        p += n;
    }
    return false;
}

int
nwf_xml_only_attrs(const char *name, const xmlNode *node, const char *keys, struct nwf_error *err)
{
    for (const xmlAttr *a = node->properties; a; a = a->next) {
        const char *key = (const char *) a->name;

        if (a->ns) {
            return nwf_error_set(err, -EINVAL, "%s:%u: attribute %.80s has a namespace", name,
                                 nwf_xml_line(node), key);
        }
        if (keys && !is_word_of(keys, key)) {
            return nwf_error_set(err, -EINVAL, "%s:%u: <%.80s> has no attribute %.80s", name,
                                 nwf_xml_line(node), (const char *) node->name, key);
        }
    }
    return 0;
}

int
nwf_xml_no_elements(const char *name, const xmlNode *node, struct nwf_error *err)
{
    for (const xmlNode *child = node->children; child; child = child->next) {
        if (child->type == XML_ELEMENT_NODE) {
            return nwf_error_set(err, -EINVAL, "%s:%u: <%.80s> in <%.80s>", name,
                                 nwf_xml_line(child), (const char *) child->name,
                                 (const char *) node->name);
        }
    }
    return 0;
}

bool
nwf_xml_is(const xmlNode *node, const char *tag)
{
    return node->type == XML_ELEMENT_NODE && !strcmp((const char *) node->name, tag);
}

unsigned int
nwf_xml_line(const xmlNode *node)
{
    long line = xmlGetLineNo((xmlNode *) node);

    return line > 0 ? (unsigned int) line : 0;
}
