/* SPDX-License-Identifier: Apache-2.0
 *
 * <filterbinding> documents; the format is libvirt's (formatnwfilterbinding). */
#include <errno.h>
#include <string.h>

#include "nwf/binding.h"
#include "nwf/filter.h"
#include "nwf/text.h"
#include "nwf/xml.h"

static int
parse_child(const char *file, const xmlNode *node, struct nwf_binding *binding,
            struct nwf_error *err)
{
    if (nwf_xml_is(node, "portdev") && !binding->port) {
        return nwf_xml_need_attr(file, node, "name", &binding->port, err);
    }
    if (nwf_xml_is(node, "mac") && !binding->own_mac) {
        return nwf_xml_need_attr(file, node, "address", &binding->own_mac, err);
    }
    if (nwf_xml_is(node, "filterref") && !binding->filter) {
        int r;

        if ((r = nwf_xml_need_attr(file, node, "filter", &binding->filter, err))) {
            return r;
        }
        return nwf_filter_parse_params(file, node, &binding->params, err);
    }
    if (nwf_xml_is(node, "owner") || nwf_xml_is(node, "linkdev") || nwf_xml_is(node, "backend")) {
        return 0;
    }
    return nwf_error_set(err, -EINVAL, "%s:%u: unexpected element <%.80s>", file,
                         nwf_xml_line(node), (const char *) node->name);
}

static int
parse_root(const char *file, const xmlNode *root, struct nwf_binding *binding,
           struct nwf_error *err)
{
    if (!nwf_xml_is(root, "filterbinding")) {
        return nwf_error_set(err, -EINVAL, "%s:%u: <%.80s> is not <filterbinding>", file,
                             nwf_xml_line(root), (const char *) root->name);
    }
    for (const xmlNode *node = root->children; node; node = node->next) {
        int r = node->type == XML_ELEMENT_NODE ? parse_child(file, node, binding, err) : 0;
        if (r) {
            return r;
        }
    }
    if (!binding->port || !binding->filter) {
        return nwf_error_set(err, -EINVAL, "%s:%u: <filterbinding> has no <%s>", file,
                             nwf_xml_line(root), binding->port ? "filterref" : "portdev");
    }
    if (binding->own_mac && !nwf_params_find(&binding->params, "MAC")) {
        int r = nwf_params_add(&binding->params, "MAC", binding->own_mac, err);
        if (r) {
            nwf_error_wrap(err, "%s", file);
            return r;
        }
    }
    return 0;
}

int
nwf_binding_from_xml(const char *file, const char *data, size_t size, struct nwf_binding *ret,
                     struct nwf_error *err)
{
    xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
    struct nwf_binding binding = {.has_identity = true};
    int r = nwf_xml_parse(file, data, size, &doc, err);

    if (r) {
        return r;
    }
    if ((r = parse_root(file, xmlDocGetRootElement(doc), &binding, err))) {
        nwf_binding_clear(&binding);
        return r;
    }
    *ret = binding;
    return 0;
}
