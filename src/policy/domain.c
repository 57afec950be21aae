/* SPDX-License-Identifier: Apache-2.0
 *
 * <domain> documents; see nwf/domain.h.
 *
 * Most of a document is libvirt's and others', who may say what they like: of that we take what
 * we know, and leave the rest alone.  What is in our namespace is policy, and read strictly: an
 * element that is overlooked would be a guest that is less filtered than its owner believes. */
#include "nwf/domain.h"

#include <errno.h>
#include <string.h>

#include "nwf/filter.h"
#include "nwf/text.h"
#include "nwf/value.h"
#include "nwf/xml.h"

/* What the namespaces of all versions begin with. */
#define NAMESPACES "urn:ovs-nwfilter:domain:"

static void
nic_clear(struct nwf_domain_nic *nic)
{
    free(nic->alias);
    free(nic->dev);
    free(nic->bridge);
    free(nic->profile);
    free(nic->interface_id);
}

static void
port_clear(struct nwf_domain_port *port)
{
    free(port->alias);
    nwf_binding_clear(&port->binding);
}

void
nwf_domain_clear(struct nwf_domain *domain)
{
    nwf_vec_foreach (nic, &domain->nics) {
        nic_clear(nic);
    }
    nwf_vec_foreach (port, &domain->ports) {
        port_clear(port);
    }
    nwf_vec_clear(&domain->nics);
    nwf_vec_clear(&domain->ports);
    free(domain->name);
    free(domain->uuid);
    memset(domain, 0, sizeof *domain);
}

/* ---- libvirt's part. ---- */

/* libvirt's own elements have no namespace. */
static bool
is_plain(const xmlNode *node, const char *tag)
{
    return nwf_xml_is(node, tag) && !node->ns;
}

/* Of an attribute or element that is there twice the first counts. */
static void
take_attr(const xmlNode *node, const char *key, char **text)
{
    if (!*text) {
        *text = nwf_xml_attr(node, key);
    }
}

static void
take_content(const xmlNode *node, char **text)
{
    xmlChar *content = *text ? NULL : xmlNodeGetContent(node);

    if (content) {
        *text = nwf_strdup((const char *) content);
        xmlFree(content);
    }
}

static void
read_virtualport(const xmlNode *node, struct nwf_domain_nic *nic)
{
    char *type CLEANUP_FREE = nwf_xml_attr(node, "type");

    nic->is_ovs |= type && !strcmp(type, "openvswitch");
    for (const xmlNode *child = node->children; child; child = child->next) {
        if (is_plain(child, "parameters")) {
            take_attr(child, "profileid", &nic->profile);
            take_attr(child, "interfaceid", &nic->interface_id);
        }
    }
}

static void
read_mac(const xmlNode *node, struct nwf_domain_nic *nic)
{
    char *text CLEANUP_FREE = nwf_xml_attr(node, "address");

    if (text && !nic->has_mac) {
        nic->has_mac = !nwf_mac_parse(text, &nic->mac, NULL);
    }
}

static void
read_type(const xmlNode *node, struct nwf_domain_nic *nic)
{
    char *type CLEANUP_FREE = nwf_xml_attr(node, "type");

    nic->is_tap = type && (!strcmp(type, "ethernet") || !strcmp(type, "vhostuser"));
    nic->is_network = type && !strcmp(type, "network");
}

static void
read_nic_child(const xmlNode *node, struct nwf_domain_nic *nic)
{
    if (is_plain(node, "mac")) {
        read_mac(node, nic);
    } else if (is_plain(node, "alias")) {
        take_attr(node, "name", &nic->alias);
    } else if (is_plain(node, "target")) {
        take_attr(node, "dev", &nic->dev);
    } else if (is_plain(node, "source")) {
        take_attr(node, "bridge", &nic->bridge);
    } else if (is_plain(node, "virtualport")) {
        read_virtualport(node, nic);
    }
}

static int
read_devices(const char *file, const xmlNode *node, struct nwf_domain *domain,
             struct nwf_error *err)
{
    for (const xmlNode *child = node->children; child; child = child->next) {
        struct nwf_domain_nic nic = {.line = nwf_xml_line(child)};

        if (!is_plain(child, "interface")) {
            continue;
        }
        if (domain->nics.n >= NWF_DOMAIN_NICS_MAX) {
            return nwf_error_set(err, -E2BIG, "%s:%u: more than %d interfaces", file, nic.line,
                                 NWF_DOMAIN_NICS_MAX);
        }
        read_type(child, &nic);
        for (const xmlNode *of = child->children; of; of = of->next) {
            read_nic_child(of, &nic);
        }
        nwf_vec_push(&domain->nics, nic);
    }
    return 0;
}

/* ---- Ours. ---- */

static bool
has_namespace(const xmlNode *node, const char *namespace)
{
    return node->ns && node->ns->href && !strcmp((const char *) node->ns->href, namespace);
}

/* Nothing but elements of our namespace called 'tag', comments and white space may be in 'node';
 * NULL: no elements at all. */
static int
check_children(const char *file, const xmlNode *node, const char *tag, struct nwf_error *err)
{
    for (const xmlNode *child = node->children; child; child = child->next) {
        if (child->type == XML_ELEMENT_NODE
            && (!tag || !nwf_xml_is(child, tag) || !has_namespace(child, NWF_DOMAIN_NAMESPACE))) {
            return nwf_error_set(err, -EINVAL, "%s:%u: unknown element <%.80s> in <%.80s>", file,
                                 nwf_xml_line(child), (const char *) child->name,
                                 (const char *) node->name);
        }
        if (child->type != XML_ELEMENT_NODE && child->type != XML_COMMENT_NODE
            && !xmlIsBlankNode(child)) {
            return nwf_error_set(err, -EINVAL, "%s:%u: there may be no text in <%.80s>", file,
                                 nwf_xml_line(child), (const char *) node->name);
        }
    }
    return 0;
}

/* Variables become tags, and some tags are something else. */
static int
check_variables(const struct nwf_binding *binding, struct nwf_error *err)
{
    nwf_vec_foreach (param, &binding->params.list) {
        char *key CLEANUP_FREE = nwf_asprintf("%s%s", NWF_TAG_VARIABLE, param->name);
        if (!nwf_tag_is_variable(key)) {
            return nwf_error_set(err, -EINVAL,
                                 "a variable cannot be called %s: the tag %s is for something else",
                                 param->name, key);
        }
    }
    return 0;
}

static int
read_filterref(const char *file, const xmlNode *node, struct nwf_binding *binding,
               struct nwf_error *err)
{
    int r;

    if (binding->filter) {
        return nwf_error_set(err, -EINVAL, "%s:%u: a second <filterref> in one <port>", file,
                             nwf_xml_line(node));
    }
    if ((r = nwf_xml_only_attrs(file, node, "filter", err))
        || (r = nwf_xml_need_attr(file, node, "filter", &binding->filter, err))
        || (r = check_children(file, node, "parameter", err))
        || (r = nwf_filter_parse_params(file, node, &binding->params, err))) {
        return r;
    }
    if ((r = nwf_filter_check_name(binding->filter, err)) || (r = check_variables(binding, err))) {
        nwf_error_wrap(err, "%s:%u", file, nwf_xml_line(node));
    }
    return r;
}

/* Which interface the entry is for. */
static int
read_selector(const char *file, const xmlNode *node, struct nwf_domain_port *port,
              struct nwf_error *err)
{
    char *mac CLEANUP_FREE = nwf_xml_attr(node, "mac");
    int r = nwf_xml_only_attrs(file, node, "mac alias isolated", err);

    if (r) {
        return r;
    }
    port->alias = nwf_xml_attr(node, "alias");
    if (!mac == !port->alias) {
        return nwf_error_set(err, -EINVAL,
                             "%s:%u: <port> needs one of the attributes mac and alias", file,
                             port->line);
    }
    if (mac && (r = nwf_mac_parse(mac, &port->mac, err))) {
        nwf_error_wrap(err, "%s:%u: mac", file, port->line);
        return r;
    }
    if (!mac && !nwf_text_is_name(port->alias, "_-", NWF_NAME_MAX)) {
        return nwf_error_set(err, -EINVAL, "%s:%u: \"%.80s\" is not an alias", file, port->line,
                             port->alias);
    }
    port->has_mac = mac != NULL;
    return 0;
}

static int
read_isolated(const char *file, const xmlNode *node, struct nwf_domain_port *port,
              struct nwf_error *err)
{
    char *text CLEANUP_FREE = nwf_xml_attr(node, "isolated");

    port->binding.isolated = text && !strcmp(text, "yes");
    return !text || port->binding.isolated || !strcmp(text, "no")
               ? 0
               : nwf_error_set(err, -EINVAL, "%s:%u: isolated: \"%.80s\" is neither yes nor no",
                               file, port->line, text);
}

static int
read_port(const char *file, const xmlNode *node, struct nwf_domain_port *port,
          struct nwf_error *err)
{
    int r;

    if ((r = read_selector(file, node, port, err)) || (r = read_isolated(file, node, port, err))
        || (r = check_children(file, node, "filterref", err))) {
        return r;
    }
    for (const xmlNode *child = node->children; child; child = child->next) {
        if (child->type == XML_ELEMENT_NODE
            && (r = read_filterref(file, child, &port->binding, err))) {
            return r;
        }
    }
    return port->binding.filter
               ? 0
               : nwf_error_set(err, -EINVAL, "%s:%u: <port> has no <filterref>", file, port->line);
}

/* One that is broken is not added, and does not keep others from being read; the first error is
 * the result. */
static int
add_port(const char *file, const xmlNode *node, struct nwf_domain_port *port,
         struct nwf_domain *domain, int broken, struct nwf_error *err)
{
    struct nwf_error one = NWF_ERROR_INIT;
    int r = read_port(file, node, port, &one);

    if (!r) {
        nwf_vec_push(&domain->ports, *port);
        return broken;
    }
    port_clear(port);
    if (broken || !err) {
        nwf_error_clear(&one);
        return broken ? broken : r;
    }
    *err = one;
    return r;
}

static int
read_ports(const char *file, const xmlNode *node, struct nwf_domain *domain, struct nwf_error *err)
{
    int r, broken = 0;

    if ((r = nwf_xml_only_attrs(file, node, "", err))
        || (r = check_children(file, node, "port", err))) {
        return r;
    }
    for (const xmlNode *child = node->children; child; child = child->next) {
        struct nwf_domain_port port = {
            .line = nwf_xml_line(child),
            .binding.has_identity = true,
        };

        if (child->type != XML_ELEMENT_NODE) {
            continue;
        }
        if (domain->ports.n >= NWF_DOMAIN_NICS_MAX) {
            return nwf_error_set(err, -E2BIG, "%s:%u: more than %d ports", file, port.line,
                                 NWF_DOMAIN_NICS_MAX);
        }
        broken = add_port(file, child, &port, domain, broken, err);
    }
    return broken;
}

/* Elements of others' namespaces are theirs, with all that is in them. */
static int
read_metadata(const char *file, const xmlNode *node, struct nwf_domain *domain, bool *seen,
              struct nwf_error *err)
{
    for (const xmlNode *child = node->children; child; child = child->next) {
        const char *namespace = child->type == XML_ELEMENT_NODE && child->ns && child->ns->href
                                    ? (const char *) child->ns->href
                                    : "";
        int r = 0;

        if (strncmp(namespace, NAMESPACES, strlen(NAMESPACES))) {
            continue;
        }
        if (strcmp(namespace, NWF_DOMAIN_NAMESPACE)) {
            return nwf_error_set(err, -EINVAL,
                                 "%s:%u: <%.80s> is of the namespace %.80s, and this version "
                                 "knows " NWF_DOMAIN_NAMESPACE " alone",
                                 file, nwf_xml_line(child), (const char *) child->name, namespace);
        }
        if (!nwf_xml_is(child, "ports") || *seen) {
            return nwf_error_set(err, -EINVAL, "%s:%u: %s element <%.80s> in <metadata>", file,
                                 nwf_xml_line(child), *seen ? "a second" : "unknown",
                                 (const char *) child->name);
        }
        *seen = true;
        if ((r = read_ports(file, child, domain, err))) {
            return r;
        }
    }
    return 0;
}

/* ---- The whole. ---- */

static int
read_domain(const char *file, const xmlNode *root, struct nwf_domain *domain, struct nwf_error *err)
{
    bool seen = false;
    int r = 0, broken = 0;

    if (!is_plain(root, "domain")) {
        return nwf_error_set(err, -EINVAL, "%s:%u: <%.80s> is not <domain>", file,
                             nwf_xml_line(root), (const char *) root->name);
    }
    for (const xmlNode *node = root->children; node && !r; node = node->next) {
        if (is_plain(node, "name")) {
            take_content(node, &domain->name);
        } else if (is_plain(node, "uuid")) {
            take_content(node, &domain->uuid);
        } else if (is_plain(node, "devices")) {
            r = read_devices(file, node, domain, err);
        } else if (is_plain(node, "metadata") && !broken) {
            broken = read_metadata(file, node, domain, &seen, err);
        }
    }
    if (r) {
        return r;
    }
    return broken;
}

int
nwf_domain_read(const char *file, const char *data, size_t size, struct nwf_domain *ret,
                struct nwf_error *err)
{
    xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
    int r = nwf_xml_parse_large(file, data, size, NWF_DOMAIN_MAX, &doc, err);

    memset(ret, 0, sizeof *ret);
    if (r) {
        return r;
    }
    return read_domain(file, xmlDocGetRootElement(doc), ret, err);
}

static bool
is_for(const struct nwf_domain_port *port, const struct nwf_domain_nic *nic)
{
    if (port->has_mac) {
        return nic->has_mac && !memcmp(&port->mac, &nic->mac, sizeof port->mac);
    }
    return port->alias && nic->alias && !strcmp(port->alias, nic->alias);
}

static const struct nwf_domain_port *
find_first(const struct nwf_domain *domain, const struct nwf_domain_nic *nic)
{
    nwf_vec_foreach (port, &domain->ports) {
        if (is_for(port, nic)) {
            return port;
        }
    }
    return NULL;
}

const struct nwf_domain_port *
nwf_domain_find_port(const struct nwf_domain *domain, const struct nwf_domain_nic *nic)
{
    const struct nwf_domain_port *first = find_first(domain, nic);

    nwf_vec_foreach (port, &domain->ports) {
        if (port != first && is_for(port, nic)) {
            return NULL;
        }
    }
    nwf_vec_foreach (other, &domain->nics) {
        if (first && other != nic && is_for(first, other)) {
            return NULL;
        }
    }
    return first;
}

/* An interface before this one that has the same name. */
static const struct nwf_domain_nic *
find_twin(const struct nwf_domain *domain, const struct nwf_domain_nic *nic)
{
    for (const struct nwf_domain_nic *other = domain->nics.data; other < nic; other++) {
        if (other->dev && nic->dev && !strcmp(other->dev, nic->dev)) {
            return other;
        }
    }
    return NULL;
}

/* Notes which interface each entry is for, of which there may be one, as there may be one entry for
 * each. */
static int
check_nic(const char *file, const struct nwf_domain *domain, const struct nwf_domain_nic *nic,
          const struct nwf_domain_nic **used, struct nwf_error *err)
{
    const struct nwf_domain_port *first = find_first(domain, nic);
    const struct nwf_domain_nic *twin = find_twin(domain, nic);

    if (twin) {
        return nwf_error_set(err, -EEXIST,
                             "%s:%u: a second interface has <target dev='%.80s'>, which is that of "
                             "line %u",
                             file, nic->line, nic->dev, twin->line);
    }
    nwf_vec_foreach (port, &domain->ports) {
        const struct nwf_domain_nic **of = &used[port - domain->ports.data];
        if (!is_for(port, nic)) {
            continue;
        }
        if (port != first) {
            return nwf_error_set(err, -EEXIST,
                                 "%s:%u: this <port> and that of line %u are for one interface, "
                                 "that of line %u",
                                 file, port->line, first->line, nic->line);
        }
        if (*of) {
            return nwf_error_set(err, -EEXIST,
                                 "%s:%u: this <port> is for two interfaces, of lines %u and %u; "
                                 "give each an alias of your own, and name that",
                                 file, port->line, (*of)->line, nic->line);
        }
        *of = nic;
    }
    return 0;
}

int
nwf_domain_check(const char *file, const struct nwf_domain *domain, struct nwf_error *err)
{
    const struct nwf_domain_nic *used[NWF_DOMAIN_NICS_MAX] = {NULL};
    int r;

    nwf_vec_foreach (nic, &domain->nics) {
        if ((r = check_nic(file, domain, nic, used, err))) {
            return r;
        }
    }
    nwf_vec_foreach (port, &domain->ports) {
        if (!used[port - domain->ports.data]) {
            return nwf_error_set(err, -ENOENT,
                                 "%s:%u: this <port> is for none of the domain's interfaces", file,
                                 port->line);
        }
    }
    return 0;
}

int
nwf_domain_parse(const char *file, const char *data, size_t size, struct nwf_domain *ret,
                 struct nwf_error *err)
{
    int r = nwf_domain_read(file, data, size, ret, err);

    if (!r) {
        r = nwf_domain_check(file, ret, err);
    }
    if (r) {
        nwf_domain_clear(ret);
    }
    return r;
}
