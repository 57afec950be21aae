/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema of a domain's metadata; see schema.h. */
#include "schema.h"

#include "nwf/domain.h"
#include "nwf/xml.h"
#include "support.h"

xmlRelaxNG *
schema_load(void)
{
    xmlRelaxNGParserCtxt *ctxt = xmlRelaxNGNewParserCtxt(DOMAIN_SCHEMA);
    xmlRelaxNG *schema = xmlRelaxNGParse(ctxt);

    xmlRelaxNGFreeParserCtxt(ctxt);
    assert_non_null(schema);
    return schema;
}

static void
say_nothing(void *aux, const char *format, ...)
{
    (void) aux;
    (void) format;
}

static bool
is_ours(const xmlNode *node)
{
    return node->ns && !strcmp((const char *) node->ns->href, NWF_DOMAIN_NAMESPACE);
}

/* The element of the metadata that is ours, else the first; NULL: none. */
static xmlNode *
find_metadata(xmlDoc *doc)
{
    xmlNode *node = xmlDocGetRootElement(doc)->children;

    while (node && !nwf_xml_is(node, "metadata")) {
        node = node->next;
    }
    xmlNode *first = node ? xmlFirstElementChild(node) : NULL, *child = first;
    while (child && !is_ours(child)) {
        child = xmlNextElementSibling(child);
    }
    return child ? child : first;
}

bool
schema_takes(xmlRelaxNG *schema, const char *data, size_t size)
{
    xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;
    xmlRelaxNGValidCtxt *ctxt = xmlRelaxNGNewValidCtxt(schema);

    xmlRelaxNGSetValidErrors(ctxt, say_nothing, say_nothing, NULL);
    expect_ok(nwf_xml_parse("d.xml", data, size, &doc, &err), &err);
    xmlDoc *one CLEANUP(nwf_xml_cleanup) = xmlNewDoc((const xmlChar *) "1.0");
    xmlDocSetRootElement(one, xmlDocCopyNode(find_metadata(doc), one, 1));
    int r = xmlRelaxNGValidateDoc(ctxt, one);
    xmlRelaxNGFreeValidCtxt(ctxt);
    return r == 0;
}
