/* SPDX-License-Identifier: Apache-2.0
 *
 * From <filterref>s in interfaces to a domain's metadata; see nwf/convert.h.
 *
 * The document is parsed to find out what is to be done, and changed as text, so that comments,
 * white space and quotes stay as their owner likes them.  A <filterref> moves with all that is in
 * it.  The result is read again, as the hook will read it: if it does not say of every interface
 * what the document said before, there is an error and no result. */
#include "nwf/convert.h"

#include <errno.h>
#include <string.h>

#include "convert_text.h"
#include "nwf/domain.h"
#include "nwf/filter.h"
#include "nwf/text.h"
#include "nwf/xml.h"

/* A <filterref> that is to move. */
struct move {
    const xmlNode *filterref;
    const struct nwf_domain_nic *nic;
    struct nwf_binding binding; /* What it says. */
    bool by_mac;                /* How the metadata is to name the interface. */
    bool is_there;              /* The metadata says the same already. */
};

struct conversion {
    const struct nwf_domain_text *text;
    const struct nwf_convert_options *options;
    struct nwf_domain domain;
    xmlDoc *doc;
    NWF_VEC(struct move) moves;
    struct nwf_error *err;
};

static void
conversion_finish(struct conversion *c)
{
    nwf_vec_foreach (move, &c->moves) {
        nwf_binding_clear(&move->binding);
    }
    nwf_vec_clear(&c->moves);
    nwf_domain_clear(&c->domain);
    xmlFreeDoc(c->doc);
}

/* Sets "FILE:LINE: cause". */
#define FAIL(C, LINE, ...) fail(C, LINE, nwf_asprintf(__VA_ARGS__))

static int
fail(const struct conversion *c, unsigned int line, char *cause)
{
    int r = nwf_error_set(c->err, -EINVAL, "%s:%u: %s", c->text->file, line, cause);

    free(cause);
    return r;
}

static bool
is_plain(const xmlNode *node, const char *tag)
{
    return nwf_xml_is(node, tag) && !node->ns;
}

/* The next child called 'tag' from 'node' on, or NULL. */
static const xmlNode *
find_plain(const xmlNode *node, const char *tag)
{
    while (node && !is_plain(node, tag)) {
        node = node->next;
    }
    return node;
}

/* ---- Which. ---- */

/* Whether the interface's network is on Open vSwitch; otherwise says that it may be. */
static bool
is_of_named_network(const struct conversion *c, const xmlNode *interface)
{
    const struct nwf_convert_options *options = c->options;
    const xmlNode *source = find_plain(interface->children, "source");
    char *type CLEANUP_FREE = nwf_xml_attr(interface, "type");
    char *network CLEANUP_FREE = source ? nwf_xml_attr(source, "network") : NULL;

    if (!type || strcmp(type, "network") || !network) {
        return false;
    }
    for (size_t i = 0; i < options->n_networks; i++) {
        if (!strcmp(options->networks[i], network)) {
            return true;
        }
    }
    if (options->note) {
        char *note CLEANUP_FREE = nwf_asprintf("<filterref> stays: whether the network %.80s is on "
                                               "Open vSwitch is not said here (--network)",
                                               network);
        options->note(options->aux, c->text->file, nwf_xml_line(interface), note);
    }
    return false;
}

/* The moved elements get our namespace: none of them may have another. */
static int
check_namespaces(const struct conversion *c, const xmlNode *node)
{
    if (node->type != XML_ELEMENT_NODE) {
        return 0;
    }
    if (node->ns || node->nsDef) {
        return FAIL(c, nwf_xml_line(node), "<%.80s> has a namespace", (const char *) node->name);
    }
    for (const xmlNode *child = node->children; child; child = child->next) {
        int r = check_namespaces(c, child);
        if (r) {
            return r;
        }
    }
    return 0;
}

static int
read_filterref(const struct conversion *c, const xmlNode *node, struct nwf_binding *binding)
{
    const char *file = c->text->file;
    int r;

    if ((r = check_namespaces(c, node)) || (r = nwf_xml_only_attrs(file, node, "filter", c->err))
        || (r = nwf_xml_need_attr(file, node, "filter", &binding->filter, c->err))
        || (r = nwf_filter_parse_params(file, node, &binding->params, c->err))) {
        return r;
    }
    if ((r = nwf_filter_check_name(binding->filter, c->err))) {
        nwf_error_wrap(c->err, "%s:%u", file, nwf_xml_line(node));
    }
    return r;
}

/* ---- By which name. ---- */

static const struct nwf_domain_nic *
find_twin(const struct conversion *c, const struct nwf_domain_nic *nic)
{
    nwf_vec_foreach (other, &c->domain.nics) {
        if (other != nic && other->has_mac && nic->has_mac
            && !memcmp(&other->mac, &nic->mac, sizeof nic->mac)) {
            return other;
        }
    }
    return NULL;
}

/* libvirt keeps aliases that begin so, and makes all others up at each start. */
static bool
has_own_alias(const struct nwf_domain_nic *nic)
{
    return nic->alias && !strncmp(nic->alias, "ua-", 3)
           && nwf_text_is_name(nic->alias, "_-", NWF_NAME_MAX);
}

static int
choose_name(const struct conversion *c, struct move *move)
{
    const struct nwf_domain_nic *nic = move->nic, *twin = find_twin(c, nic);

    move->by_mac = nic->has_mac && !twin;
    if (move->by_mac || has_own_alias(nic)) {
        return 0;
    }
    if (twin) {
        return FAIL(c, nic->line,
                    "this interface and that of line %u have one MAC, and the metadata would not "
                    "tell them apart: give them aliases (<alias name='ua-...'/>)",
                    twin->line);
    }
    return FAIL(c, nic->line,
                "this interface has no <mac>, by which the metadata would name it: define the "
                "domain first, and libvirt gives it one (or name it <alias name='ua-...'/>)");
}

/* ---- All moves. ---- */

static char *
describe(const struct nwf_binding *binding)
{
    char *params CLEANUP_FREE = nwf_params_format(&binding->params);

    return nwf_asprintf("%s%s%s", binding->filter, *params ? " " : "", params);
}

static int
compare_with_metadata(const struct conversion *c, struct move *move)
{
    const struct nwf_domain_port *port = nwf_domain_find_port(&c->domain, move->nic);

    if (!port) {
        return choose_name(c, move);
    }
    char *ours CLEANUP_FREE = describe(&move->binding);
    char *theirs CLEANUP_FREE = describe(&port->binding);
    move->is_there = !strcmp(ours, theirs);
    return move->is_there ? 0
                          : FAIL(c, nwf_xml_line(move->filterref),
                                 "<filterref> says \"%.400s\", and the metadata says \"%.400s\" of "
                                 "this interface in line %u",
                                 ours, theirs, port->line);
}

static int
look_at_interface(struct conversion *c, const xmlNode *interface, const struct nwf_domain_nic *nic)
{
    const xmlNode *filterref = find_plain(interface->children, "filterref");
    const xmlNode *second = filterref ? find_plain(filterref->next, "filterref") : NULL;
    struct move move = {.filterref = filterref, .nic = nic};

    if (!filterref || !(nic->is_ovs || is_of_named_network(c, interface))) {
        return 0;
    }
    if (second) {
        return FAIL(c, nwf_xml_line(second), "a second <filterref> in one <interface>");
    }
    int r = read_filterref(c, filterref, &move.binding);
    if (!r) {
        r = compare_with_metadata(c, &move);
    }
    nwf_vec_push(&c->moves, move);
    return r;
}

/* Interfaces come in the order in which nwf_domain_parse() has found them. */
static int
find_moves(struct conversion *c)
{
    const xmlNode *devices = xmlDocGetRootElement(c->doc)->children;
    size_t n = 0;

    while ((devices = find_plain(devices, "devices"))) {
        const xmlNode *interface = devices->children;

        while ((interface = find_plain(interface, "interface"))) {
            if (n == c->domain.nics.n || c->domain.nics.data[n].line != nwf_xml_line(interface)) {
                return FAIL(c, nwf_xml_line(interface), "lost count of the interfaces");
            }
            int r = look_at_interface(c, interface, &c->domain.nics.data[n++]);
            if (r) {
                return r;
            }
            interface = interface->next;
        }
        devices = devices->next;
    }
    return 0;
}

/* ---- The new text. ---- */

static int
write_text(struct conversion *c, char **ret, size_t *ret_size)
{
    struct nwf_convert_text *out CLEANUP(nwf_convert_text_cleanup) = NULL;
    int r = nwf_convert_text_new(c->text, c->doc, &out, c->err);

    if (r) {
        return r;
    }
    nwf_vec_foreach (move, &c->moves) {
        const uint8_t *m = move->nic->mac.octets;
        char *name CLEANUP_FREE = move->by_mac
                                      ? nwf_asprintf("mac=\"%02x:%02x:%02x:%02x:%02x:%02x\"", m[0],
                                                     m[1], m[2], m[3], m[4], m[5])
                                      : nwf_asprintf("alias=\"%s\"", move->nic->alias);

        if (!move->is_there) {
            nwf_convert_text_add(out, name, move->filterref);
        }
        nwf_convert_text_remove(out, move->filterref);
        if (c->options->moved) {
            c->options->moved(c->options->aux, (size_t) (move->nic - c->domain.nics.data),
                              nwf_xml_line(move->filterref));
        }
    }
    *ret = nwf_convert_text_finish(out, ret_size);
    return 0;
}

/* ---- Whether it says the same. ---- */

static bool
is_same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool
is_same_nic(const struct nwf_domain_nic *a, const struct nwf_domain_nic *b)
{
    return a->has_mac == b->has_mac && !memcmp(&a->mac, &b->mac, sizeof a->mac)
           && a->is_ovs == b->is_ovs && is_same_text(a->alias, b->alias)
           && is_same_text(a->dev, b->dev) && is_same_text(a->bridge, b->bridge)
           && is_same_text(a->profile, b->profile);
}

static bool
is_same_binding(const struct nwf_binding *a, const struct nwf_binding *b)
{
    char *one CLEANUP_FREE = describe(a);
    char *other CLEANUP_FREE = describe(b);

    return !strcmp(one, other);
}

/* What is to hold for an interface afterwards; NULL: nothing that the metadata says. */
static const struct nwf_binding *
wanted_for(const struct conversion *c, const struct nwf_domain_nic *nic)
{
    const struct nwf_domain_port *port = nwf_domain_find_port(&c->domain, nic);

    nwf_vec_foreach (move, &c->moves) {
        if (move->nic == nic) {
            return &move->binding;
        }
    }
    return port ? &port->binding : NULL;
}

static bool
is_as_wanted(const struct conversion *c, const struct nwf_domain *result)
{
    if (result->nics.n != c->domain.nics.n) {
        return false;
    }
    for (size_t i = 0; i < result->nics.n; i++) {
        const struct nwf_domain_nic *nic = &c->domain.nics.data[i];
        const struct nwf_binding *wanted = wanted_for(c, nic);
        const struct nwf_domain_port *port = nwf_domain_find_port(result, &result->nics.data[i]);

        if (!is_same_nic(nic, &result->nics.data[i]) || !wanted != !port
            || (wanted && !is_same_binding(wanted, &port->binding))) {
            return false;
        }
    }
    return true;
}

static int
check_result(const struct conversion *c, const char *data, size_t size)
{
    struct nwf_domain result CLEANUP(nwf_domain_clear) = {.name = NULL};
    int r = nwf_domain_parse(c->text->file, data, size, &result, c->err);

    if (r) {
        nwf_error_wrap(c->err, "%s, converted", c->text->file);
        return r;
    }
    return is_as_wanted(c, &result)
               ? 0
               : nwf_error_set(c->err, -EINVAL, "%s: converted, it would not mean the same",
                               c->text->file);
}

/* ---- The whole. ---- */

static int
convert(struct conversion *c, char **ret, size_t *ret_size)
{
    const struct nwf_domain_text *text = c->text;
    char *data CLEANUP_FREE = NULL;
    int r;

    if ((r = nwf_domain_parse(text->file, text->data, text->size, &c->domain, c->err))
        || (r = nwf_xml_parse_large(text->file, text->data, text->size, NWF_DOMAIN_MAX, &c->doc,
                                    c->err))
        || (r = find_moves(c))) {
        return r;
    }
    if (!c->moves.n) {
        *ret = nwf_memdup(text->data, text->size + 1);
        *ret_size = text->size;
        return 0;
    }
    if ((r = write_text(c, &data, ret_size)) || (r = check_result(c, data, *ret_size))) {
        return r;
    }
    *ret = TAKE_PTR(data);
    return 0;
}

int
nwf_domain_convert(const struct nwf_domain_text *text, const struct nwf_convert_options *options,
                   char **ret, size_t *ret_size, struct nwf_error *err)
{
    struct conversion c CLEANUP(conversion_finish) = {.text = text, .options = options, .err = err};

    return convert(&c, ret, ret_size);
}
