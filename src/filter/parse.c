/* SPDX-License-Identifier: Apache-2.0
 *
 * <filter> documents.  What libvirt's parser passes over in silence (unknown
 * attributes and elements, values out of range, a second protocol in a rule) is
 * an error here: each of them would make a rule mean something else. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "nwf/filter.h"
#include "nwf/text.h"
#include "nwf/xml.h"

static const char *const action_names[] = {
    [NWF_ACCEPT] = "accept", [NWF_DROP] = "drop",         [NWF_REJECT] = "reject",
    [NWF_RETURN] = "return", [NWF_CONTINUE] = "continue",
};

const char *
nwf_action_to_string(enum nwf_action action)
{
    return action_names[action];
}

const char *
nwf_direction_to_string(enum nwf_direction direction)
{
    return direction == NWF_OUT ? "out" : "in";
}

/* Sets "FILE:LINE: cause". */
#define FAIL(FILE, LINE, ERR, ...) fail(FILE, LINE, ERR, nwf_asprintf(__VA_ARGS__))

static int
fail(const char *file, unsigned int line, struct nwf_error *err, char *cause)
{
    int r = nwf_error_set(err, -EINVAL, "%s:%u: %s", file, line, cause);

    free(cause);
    return r;
}

/* ---- Variables. ---- */

size_t
nwf_var_length(const char *text)
{
    size_t n = 1;

    while (isalnum((unsigned char) text[n]) || text[n] == '_') {
        n++;
    }
    return text[n] == '[' ? n + strcspn(text + n, "]") + (strchr(text + n, ']') != NULL) : n;
}

int
nwf_var_parse(const char *text, struct nwf_var *ret_var, struct nwf_error *err)
{
    const char *name = text + 1;
    size_t len = strcspn(name, "[");
    struct nwf_var var = {.name = NULL};
    int64_t n = 0;

    if (name[len]) {
        /* [ELEMENT] or [@ITERATOR], with spaces as libvirt allows them. */
        const char *start = name + len + 1 + strspn(name + len + 1, " ");
        var.fixed = *start != '@';
        start += !var.fixed;
        size_t digits = strspn(start, "0123456789");
        const char *rest = start + digits + strspn(start + digits, " ");
        char *number CLEANUP_FREE = nwf_strndup(start, digits);
        if (!nwf_parse_int(number, 0, NWF_ITERATOR_MAX, &n) || rest[0] != ']'
            || rest[1 + strspn(rest + 1, " ")]) {
            return nwf_error_set(err, -EINVAL, "\"%.80s\" is not a variable", text);
        }
    }
    var.name = nwf_strndup(name, len);
    if (!nwf_text_is_name(var.name, "_", NWF_NAME_MAX)) {
        free(var.name);
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is not a variable", text);
    }
    var.n = (unsigned int) n;
    *ret_var = var;
    return 0;
}

/* ---- Rules. ---- */

bool
nwf_rule_is_ip(const struct nwf_rule *rule)
{
    return rule->protocol && rule->protocol->layer != NWF_ETHERNET;
}

static void
attr_clear(struct nwf_attr *attr)
{
    nwf_vec_foreach (var, &attr->vars) {
        free(var->name);
    }
    nwf_vec_clear(&attr->vars);
    free(attr->text);
}

static void
rule_free(struct nwf_rule *rule)
{
    nwf_vec_foreach (element, &rule->elements) {
        nwf_vec_foreach (attr, &element->attrs) {
            attr_clear(attr);
        }
        nwf_vec_clear(&element->attrs);
    }
    nwf_vec_clear(&rule->elements);
    free(rule);
}
DEFINE_CLEANUP(struct nwf_rule, rule, rule_free)

/* The variables in 'text': it is one, or has any number of them 'anywhere'. */
static int
parse_vars(const char *text, bool anywhere, struct nwf_vars *vars, struct nwf_error *err)
{
    while ((text = strchr(text, '$'))) {
        size_t n = anywhere ? nwf_var_length(text) : strlen(text);
        char *word CLEANUP_FREE = nwf_strndup(text, n);
        struct nwf_var var;
        int r = nwf_var_parse(word, &var, err);

        if (r) {
            return r;
        }
        nwf_vec_push(vars, var);
        text += n;
    }
    return 0;
}

static int
parse_attr(const char *file, const struct nwf_protocol *protocol, const char *name,
           const char *text, struct nwf_element *element, struct nwf_error *err)
{
    unsigned int line = element->line;
    struct nwf_attr attr = {.def = nwf_attr_find(protocol, name)};

    if (!attr.def) {
        const char *near = nwf_attr_near(protocol, name);
        return FAIL(file, line, err, "<%s> has no attribute %.80s%s%s", protocol->name, name,
                    near ? "; did you mean " : "", near ? near : "");
    }
    if (attr.def->role == NWF_ROLE_NOTE) {
        return 0;
    }
    if (strlen(text) > NWF_MATCH_TEXT_MAX) {
        return FAIL(file, line, err, "%s: longer than %d characters", name, NWF_MATCH_TEXT_MAX);
    }
    int r = text[0] == '$' || attr.def->type == NWF_T_MATCH
                ? parse_vars(text, attr.def->type == NWF_T_MATCH, &attr.vars, err)
                : nwf_value_parse(attr.def->type, &attr.def->numbers, text, &attr.literal, err);
    if (r) {
        nwf_error_wrap(err, "%s:%u: %s", file, line, name);
        attr_clear(&attr);
        return r;
    }
    if (attr.def->type == NWF_T_MATCH) {
        attr.text = nwf_strdup(text);
    }
    nwf_vec_push(&element->attrs, attr);
    return 0;
}

static int
parse_element_attr(const char *file, const struct nwf_protocol *protocol, const char *name,
                   const char *text, struct nwf_element *element, struct nwf_error *err)
{
    if (strcmp(name, "match") || nwf_protocol_is_flow(protocol)) {
        return parse_attr(file, protocol, name, text, element, err);
    }
    element->negated = !strcmp(text, "no");
    return element->negated || !strcmp(text, "yes")
               ? 0
               : FAIL(file, element->line, err, "match: \"%.80s\" is neither yes nor no", text);
}

static int
check_flow(const char *file, const struct nwf_rule *rule, const struct nwf_element *element,
           struct nwf_error *err)
{
    unsigned int line = element->line;

    if (rule->direction[NWF_OUT] && rule->direction[NWF_IN]) {
        return FAIL(file, line, err,
                    "<flow> cannot be inout: its match has no other side; write two rules");
    }
    return element->attrs.n ? 0 : FAIL(file, line, err, "<flow> needs the attribute match");
}

static int
parse_element(const char *file, const xmlNode *node, struct nwf_rule *rule, struct nwf_error *err)
{
    unsigned int line = nwf_xml_line(node);
    const struct nwf_protocol *protocol = nwf_protocol_find((const char *) node->name);
    int r;

    if (!protocol) {
        const char *near = nwf_protocol_near((const char *) node->name);
        return FAIL(file, line, err, "unknown element <%.80s>%s%s%s", (const char *) node->name,
                    near ? "; did you mean <" : "", near ? near : "", near ? ">" : "");
    }
    /* <flow> goes with any other. */
    if (!rule->protocol || nwf_protocol_is_flow(rule->protocol)) {
        rule->protocol = protocol;
    } else if (rule->protocol != protocol && !nwf_protocol_is_flow(protocol)) {
        return FAIL(file, line, err, "<%s> and <%s> in one rule", rule->protocol->name,
                    protocol->name);
    }
    if (rule->elements.n == NWF_ELEMENTS_MAX) {
        return FAIL(file, line, err, "more than %d elements in one rule", NWF_ELEMENTS_MAX);
    }
    nwf_vec_push(&rule->elements, (struct nwf_element){.line = line});
    struct nwf_element *element = &rule->elements.data[rule->elements.n - 1];

    if ((r = nwf_xml_only_attrs(file, node, NULL, err))
        || (r = nwf_xml_no_elements(file, node, err))) {
        return r;
    }
    for (const xmlAttr *a = node->properties; a; a = a->next) {
        const char *name = (const char *) a->name;
        char *text CLEANUP_FREE = nwf_xml_attr(node, name);
        if ((r = parse_element_attr(file, protocol, name, text, element, err))) {
            return r;
        }
    }
    return nwf_protocol_is_flow(protocol) ? check_flow(file, rule, element, err) : 0;
}

static int
parse_action(const char *text, struct nwf_rule *rule, struct nwf_error *err)
{
    for (size_t i = 0; i < sizeof action_names / sizeof action_names[0]; i++) {
        if (!strcmp(action_names[i], text)) {
            rule->action = (enum nwf_action) i;
            return 0;
        }
    }
    return FAIL(rule->filter->file, rule->line, err, "unknown action \"%.80s\"", text);
}

static int
parse_direction(const char *text, struct nwf_rule *rule, struct nwf_error *err)
{
    rule->direction[NWF_OUT] = !strcmp(text, "out") || !strcmp(text, "inout");
    rule->direction[NWF_IN] = !strcmp(text, "in") || !strcmp(text, "inout");
    return rule->direction[NWF_OUT] || rule->direction[NWF_IN]
               ? 0
               : FAIL(rule->filter->file, rule->line, err, "unknown direction \"%.80s\"", text);
}

/* The priority of a rule or of a filter's chain. */
static int
parse_priority(const char *file, unsigned int line, const char *text, int *ret,
               struct nwf_error *err)
{
    int64_t n;

    if (!nwf_parse_int(text, -NWF_PRIORITY_MAX, NWF_PRIORITY_MAX, &n)) {
        return FAIL(file, line, err, "priority \"%.80s\" is not a number from %d to %d", text,
                    -NWF_PRIORITY_MAX, NWF_PRIORITY_MAX);
    }
    *ret = (int) n;
    return 0;
}

static int
parse_rule_attrs(const xmlNode *node, struct nwf_rule *rule, struct nwf_error *err)
{
    const char *file = rule->filter->file;
    char *action CLEANUP_FREE = NULL, *direction CLEANUP_FREE = NULL;
    char *priority CLEANUP_FREE = nwf_xml_attr(node, "priority");
    char *statematch CLEANUP_FREE = nwf_xml_attr(node, "statematch");
    int r;

    if ((r = nwf_xml_only_attrs(file, node, "action direction priority statematch", err))
        || (r = nwf_xml_need_attr(file, node, "action", &action, err))
        || (r = nwf_xml_need_attr(file, node, "direction", &direction, err))
        || (r = parse_action(action, rule, err)) || (r = parse_direction(direction, rule, err))) {
        return r;
    }
    /* libvirt takes whatever is not one of these for true. */
    rule->statematch = !statematch || (strcasecmp(statematch, "false") && strcmp(statematch, "0"));
    rule->priority = NWF_PRIORITY_DEFAULT;
    return priority ? parse_priority(file, rule->line, priority, &rule->priority, err) : 0;
}

static int
parse_rule(const struct nwf_filter *filter, const xmlNode *node, struct nwf_rule **ret_rule,
           struct nwf_error *err)
{
    struct nwf_rule *rule CLEANUP(rule_cleanup) = nwf_zalloc(sizeof *rule);

    rule->filter = filter;
    rule->line = nwf_xml_line(node);
    int r = parse_rule_attrs(node, rule, err);
    if (r) {
        return r;
    }
    for (const xmlNode *child = node->children; child; child = child->next) {
        if (child->type == XML_ELEMENT_NODE
            && (r = parse_element(filter->file, child, rule, err))) {
            return r;
        }
    }
    *ret_rule = TAKE_PTR(rule);
    return 0;
}

/* ---- References. ---- */

static void
ref_free(struct nwf_ref *ref)
{
    nwf_params_clear(&ref->params);
    free(ref->filter);
    free(ref);
}
DEFINE_CLEANUP(struct nwf_ref, ref, ref_free)

/* A <parameter>; without a value, which only a filter's own may be, an empty list. */
static int
parse_param(const char *file, const xmlNode *node, bool may_be_empty, struct nwf_params *params,
            struct nwf_error *err)
{
    char *name CLEANUP_FREE = NULL, *value CLEANUP_FREE = nwf_xml_attr(node, "value");
    bool is_empty = may_be_empty && (!value || !*value);
    int r;

    if ((r = nwf_xml_only_attrs(file, node, "name value", err))
        || (r = nwf_xml_no_elements(file, node, err))
        || (r = nwf_xml_need_attr(file, node, "name", &name, err))) {
        return r;
    }
    if (!value && !is_empty) {
        return FAIL(file, nwf_xml_line(node), err, "%s", "<parameter> needs the attribute value");
    }
    if (!is_empty && strpbrk(value, ", \t")) {
        return FAIL(file, nwf_xml_line(node), err,
                    "variable %.80s: \"%.80s\" is not a value: a list is written as a "
                    "<parameter> for each of its values",
                    name, value);
    }
    r = is_empty ? nwf_params_declare(params, name, err) : nwf_params_add(params, name, value, err);
    if (r) {
        nwf_error_wrap(err, "%s:%u", file, nwf_xml_line(node));
    }
    return r;
}

int
nwf_filter_parse_params(const char *file, const struct _xmlNode *node, struct nwf_params *params,
                        struct nwf_error *err)
{
    for (const xmlNode *child = node->children; child; child = child->next) {
        if (child->type != XML_ELEMENT_NODE) {
            continue;
        }
        if (!nwf_xml_is(child, "parameter")) {
            return FAIL(file, nwf_xml_line(child), err, "unknown element <%.80s>",
                        (const char *) child->name);
        }
        int r = parse_param(file, child, false, params, err);
        if (r) {
            return r;
        }
    }
    return 0;
}

static int
parse_ref(const struct nwf_filter *filter, const xmlNode *node, struct nwf_ref **ret_ref,
          struct nwf_error *err)
{
    struct nwf_ref *ref CLEANUP(ref_cleanup) = nwf_zalloc(sizeof *ref);
    int r;

    ref->line = nwf_xml_line(node);
    if ((r = nwf_xml_only_attrs(filter->file, node, "filter", err))
        || (r = nwf_xml_need_attr(filter->file, node, "filter", &ref->filter, err))
        || (r = nwf_filter_parse_params(filter->file, node, &ref->params, err))) {
        return r;
    }
    *ret_ref = TAKE_PTR(ref);
    return 0;
}

/* ---- Filters. ---- */

int
nwf_filter_check_name(const char *name, struct nwf_error *err)
{
    return nwf_text_is_name(name, "_.-", NWF_NAME_MAX)
               ? 0
               : nwf_error_set(err, -EINVAL,
                               "\"%.80s\" is not a filter's name: it may have up to %d letters, "
                               "digits, \"_\", \".\" and \"-\"",
                               name, NWF_NAME_MAX);
}

static int
parse_entry(struct nwf_filter *filter, const xmlNode *node, struct nwf_error *err)
{
    struct nwf_entry entry = {.rule = NULL};
    int r = 0;

    if (node->type != XML_ELEMENT_NODE || nwf_xml_is(node, "uuid")) {
        return 0;
    }
    if (nwf_xml_is(node, "rule")) {
        r = parse_rule(filter, node, &entry.rule, err);
    } else if (nwf_xml_is(node, "filterref")) {
        r = parse_ref(filter, node, &entry.ref, err);
    } else if (nwf_xml_is(node, "parameter")) {
        return parse_param(filter->file, node, true, &filter->defaults, err);
    } else {
        return FAIL(filter->file, nwf_xml_line(node), err, "unknown element <%.80s>",
                    (const char *) node->name);
    }
    if (!r) {
        nwf_vec_push(&filter->entries, entry);
    }
    return r;
}

static int
parse_chain(struct nwf_filter *filter, const xmlNode *node, struct nwf_error *err)
{
    char *chain CLEANUP_FREE = nwf_xml_attr(node, "chain");
    char *priority CLEANUP_FREE = nwf_xml_attr(node, "priority");
    unsigned int line = nwf_xml_line(node);

    if (chain
        && (!nwf_text_is_name(chain, "_.:-", NWF_CHAIN_NAME_MAX) || !nwf_chain_type_find(chain))) {
        return FAIL(filter->file, line, err, "no chain can be called \"%.80s\"", chain);
    }
    int n = chain ? nwf_chain_type_find(chain)->priority : 0;
    int r = priority ? parse_priority(filter->file, line, priority, &n, err) : 0;
    if (r) {
        return r;
    }
    /* libvirt reads the priority only beside a chain. */
    filter->priority = chain ? n : 0;
    filter->chain = chain ? TAKE_PTR(chain) : nwf_strdup("root");
    return 0;
}

int
nwf_filter_parse(const char *file, const char *data, size_t size, struct nwf_filter **ret_filter,
                 struct nwf_error *err)
{
    struct nwf_filter *filter CLEANUP(nwf_filter_cleanup) = nwf_zalloc(sizeof *filter);
    xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
    int r = nwf_xml_parse(file, data, size, &doc, err);

    if (r) {
        return r;
    }
    const xmlNode *root = xmlDocGetRootElement(doc);
    filter->file = nwf_strdup(file);
    if (!nwf_xml_is(root, "filter")) {
        return FAIL(file, nwf_xml_line(root), err, "<%.80s> is not <filter>",
                    (const char *) root->name);
    }
    if ((r = nwf_xml_need_attr(file, root, "name", &filter->name, err))
        || (r = nwf_xml_only_attrs(file, root, "name chain priority", err))
        || (r = parse_chain(filter, root, err))) {
        return r;
    }
    if ((r = nwf_filter_check_name(filter->name, err))) {
        nwf_error_wrap(err, "%s:%u", file, nwf_xml_line(root));
        return r;
    }
    for (const xmlNode *node = root->children; node; node = node->next) {
        if ((r = parse_entry(filter, node, err))) {
            return r;
        }
    }
    *ret_filter = TAKE_PTR(filter);
    return 0;
}

void
nwf_filter_free(struct nwf_filter *filter)
{
    nwf_vec_foreach (entry, &filter->entries) {
        if (entry->rule) {
            rule_free(entry->rule);
        } else {
            ref_free(entry->ref);
        }
    }
    nwf_vec_clear(&filter->entries);
    nwf_params_clear(&filter->defaults);
    free(filter->chain);
    free(filter->file);
    free(filter->name);
    free(filter);
}
