/* SPDX-License-Identifier: Apache-2.0
 *
 * A filter as its XML says it: rules and references to other filters, with
 * variables not filled in yet. */
#ifndef NWF_FILTER_H
#define NWF_FILTER_H

#include "nwf/cleanup.h"
#include "nwf/params.h"
#include "nwf/protocol.h"
#include "nwf/vec.h"

/* Limits on what comes from outside. */
#define NWF_NAME_MAX 128         /* Characters of a filter's or variable's name. */
#define NWF_CHAIN_NAME_MAX 12    /* libvirt: MAX_CHAIN_SUFFIX_SIZE. */
#define NWF_PRIORITY_MAX 1000    /* Of rules and chains, both signs. */
#define NWF_PRIORITY_DEFAULT 500 /* Of a rule. */
#define NWF_ITERATOR_MAX 1000    /* Iterator ids and element numbers. */
#define NWF_ELEMENTS_MAX 16      /* Protocol elements of a rule. */
#define NWF_MATCH_TEXT_MAX 4096  /* Characters of a <flow>'s match, before and with its values. */

enum nwf_action {
    NWF_ACCEPT,
    NWF_DROP,
    NWF_REJECT,
    NWF_RETURN,
    NWF_CONTINUE,
};

/* As libvirt sees it: from the virtual machine. */
enum nwf_direction {
    NWF_OUT, /* Sent by the guest. */
    NWF_IN,  /* Towards the guest. */
};
#define NWF_N_DIRECTIONS 2

const char *nwf_action_to_string(enum nwf_action action);
const char *nwf_direction_to_string(enum nwf_direction direction);

/* "$NAME", "$NAME[@ITERATOR]" or "$NAME[ELEMENT]". */
struct nwf_var {
    char *name;
    bool fixed; /* 'n' is an element's number, else an iterator's id. */
    unsigned int n;
};

struct nwf_vars {
    struct nwf_var *data;
    size_t n, allocated;
};

struct nwf_attr {
    const struct nwf_attr_def *def;
    struct nwf_vars vars;      /* One, unless the type is NWF_T_MATCH; none: a literal. */
    struct nwf_masked literal; /* If there are none. */
    char *text;                /* NWF_T_MATCH and NWF_T_TEXT; owned. */
};

/* One protocol element of a rule. */
struct nwf_element {
    bool negated; /* match='no'. */
    unsigned int line;
    NWF_VEC(struct nwf_attr) attrs;
};

struct nwf_rule {
    const struct nwf_filter *filter; /* The one it stands in. */
    unsigned int line;
    enum nwf_action action;
    bool direction[NWF_N_DIRECTIONS];
    int priority;
    bool statematch;                     /* Whether connections are tracked for it (IP layers). */
    const struct nwf_protocol *protocol; /* NULL: no protocol element. */
    NWF_VEC(struct nwf_element) elements;
};

struct nwf_ref {
    char *filter;
    unsigned int line;
    struct nwf_params params;
};

/* A rule or, when 'rule' is NULL, a reference; in document order. */
struct nwf_entry {
    struct nwf_rule *rule;
    struct nwf_ref *ref;
};

struct nwf_filter {
    char *name;
    char *file; /* Stands for the filter in errors. */
    char *chain;
    int priority;               /* Of the chain. */
    struct nwf_params defaults; /* What its variables are if nobody gives them a value. */
    NWF_VEC(struct nwf_entry) entries;
};

/* Parses a <filter> document; 'file' names it in errors.  *ret_filter is freed
 * with nwf_filter_free(). */
int nwf_filter_parse(const char *file, const char *data, size_t size,
                     struct nwf_filter **ret_filter, struct nwf_error *err);
void nwf_filter_free(struct nwf_filter *filter);
DEFINE_CLEANUP(struct nwf_filter, nwf_filter, nwf_filter_free)

/* Whether a filter may be called 'name'; the error says which characters it may have. */
int nwf_filter_check_name(const char *name, struct nwf_error *err);

/* Reads <parameter> children of 'node' into *params (added to what is there). */
struct _xmlNode;
int nwf_filter_parse_params(const char *file, const struct _xmlNode *node,
                            struct nwf_params *params, struct nwf_error *err);

/* Parses "$NAME..."; 'text' begins with '$'. */
int nwf_var_parse(const char *text, struct nwf_var *ret_var, struct nwf_error *err);

/* Characters that the variable at the start of 'text' takes there. */
size_t nwf_var_length(const char *text);

/* Whether the rule is one of libvirt's IP layers and not of its Ethernet layer. */
bool nwf_rule_is_ip(const struct nwf_rule *rule);

#endif
