/* SPDX-License-Identifier: Apache-2.0
 *
 * A filter with its variables filled in, put in evaluation order: what a guest's
 * port enforces, before anything of Open vSwitch is known.
 *
 * Each direction has a root list of rules and chains.  A frame walks it: a
 * chain whose guard matches is walked in turn; its rules accept, drop, or return
 * to the root list behind the chain, and a frame that reaches the chain's end is
 * accepted (ebtables' policy for user-defined chains).  So is one that reaches
 * the end of the root list.
 *
 * A frame that is accepted there, and is untagged IPv4 or IPv6, walks the list of its IP
 * layer if that has rules (libvirt's iptables chains): the first rule that matches
 * accepts or drops it, and at the list's end it is accepted.  There a rule may ask for
 * the state of the packet's connection. */
#ifndef NWF_PROGRAM_H
#define NWF_PROGRAM_H

#include "nwf/store.h"

/* Rules of one program, both directions, after lists are expanded. */
#define NWF_PROGRAM_RULES_MAX 65536
/* Memory for the rules of one direction, bytes; a rule takes some 100 and as much for each
 * of its conditions. */
#define NWF_PROGRAM_SIZE_MAX (32 * 1024 * 1024)
/* Different lists of one program, and values of all of them. */
#define NWF_PROGRAM_LISTS_MAX 1024
#define NWF_PROGRAM_LIST_VALUES_MAX 262144
/* Filters visited for one program, repetitions counted. */
#define NWF_PROGRAM_REFS_MAX 1024
/* Nesting of references. */
#define NWF_PROGRAM_DEPTH_MAX 32

enum nwf_family { NWF_FAMILY_IPV4, NWF_FAMILY_IPV6 };
#define NWF_N_FAMILIES 2

/* One test of a frame.  A rule matches when all of its conditions hold. */
struct nwf_cond {
    enum nwf_field field;
    const struct nwf_attr_def *def; /* Where it comes from; NULL: the element itself. */
    size_t element;                 /* Of the rule's elements, the one that it stands in. */
    bool negated;
    bool is_range;
    struct nwf_value value; /* Or the first of a range. */
    struct nwf_value mask;  /* If !is_range. */
    struct nwf_value last;  /* If is_range; inclusive. */
    char *text;             /* NWF_F_MATCH: what Open vSwitch is asked; owned. */
    /* Not empty: one of these must hold, instead of value and mask.  Never negated.  The
     * array is the program's, and the same for all conditions with this list. */
    struct nwf_masked_list list;
};

/* Lists of so many values stay lists; shorter ones become a rule a value, each with a
 * counter of its own. */
#define NWF_LIST_MIN 16

/* Which way a packet goes, seen from the one that began its connection. */
enum nwf_ct_direction { NWF_CT_ANY, NWF_CT_ORIGINAL, NWF_CT_REPLY };

struct nwf_rule_instance {
    const struct nwf_rule *rule; /* Where it comes from. */
    NWF_VEC(struct nwf_cond) conds;
    uint8_t states; /* The connection's: enum nwf_state bits; 0: whatever it is. */
    enum nwf_ct_direction ct_direction; /* If 'states' is not 0. */
};

struct nwf_pchain {
    const char *name;
    const struct nwf_chain_type *type;
    int priority;
    NWF_VEC(size_t) rules; /* Into the side's 'rules'. */
};

struct nwf_item {
    bool is_chain;
    size_t index; /* Into the side's 'chains' or 'rules'. */
};

/* What frames of one direction go through. */
struct nwf_side {
    NWF_VEC(struct nwf_rule_instance) rules; /* A rule's index is its id. */
    NWF_VEC(struct nwf_pchain) chains;
    NWF_VEC(struct nwf_item) root;
    struct {
        size_t *data; /* Into 'rules'. */
        size_t n, allocated;
    } ip[NWF_N_FAMILIES]; /* By enum nwf_family. */
    size_t n_expanded;    /* Rules that were made, those included that are left out. */
    size_t size;          /* Bytes that 'rules' take. */
};

struct nwf_list;
struct nwf_derived;

struct nwf_program {
    struct nwf_side side[NWF_N_DIRECTIONS];
    NWF_VEC(struct nwf_list *) lists; /* What the conditions' lists point to; owned. */
    size_t n_list_values;
    NWF_VEC(struct nwf_derived *) derived; /* Variables that nobody gave; owned. */
};

/* Fills 'filter' in with 'params'.  *ret_program refers to filters of 'store' and
 * is freed with nwf_program_free().  Errors name file, line and cause. */
int nwf_program_new(struct nwf_store *store, const struct nwf_filter *filter,
                    const struct nwf_params *params, struct nwf_program **ret_program,
                    struct nwf_error *err);
/* Frees what *instance owns. */
void nwf_rule_instance_clear(struct nwf_rule_instance *instance);

void nwf_program_free(struct nwf_program *program);
DEFINE_CLEANUP(struct nwf_program, nwf_program, nwf_program_free)

bool nwf_rule_has_variables(const struct nwf_rule *rule);
/* Takes out what the rule asks by variables: it matches what it may match with any values. */
void nwf_rule_instance_widen(struct nwf_rule_instance *instance);

/* What it matches, in the words of its element: "ip srcipaddr=10.0.0.5", a new string. */
char *nwf_rule_instance_format(const struct nwf_rule_instance *instance);

/* Whether it drops what it matches. */
bool nwf_rule_instance_drops(const struct nwf_rule_instance *instance);

/* Whether a rule asks for the state of a packet's connection: then the packets of the
 * port are to be tracked. */
bool nwf_rule_instance_is_stateful(const struct nwf_rule_instance *instance);
bool nwf_program_is_stateful(const struct nwf_program *program);

/* Adds the instances of 'rule' under the variables of 'scope' to a side of 'program': one
 * for each combination of their values.  Used by nwf_program_new(). */
int nwf_rule_expand(const struct nwf_rule *rule, const struct nwf_scope *scope,
                    enum nwf_direction direction, struct nwf_program *program,
                    struct nwf_error *err);

/* Calls note() for each rule of 'filter', and of what it refers to, that deserves a remark:
 * it means something else under libvirt, or less than it seems to. */
typedef void nwf_filter_note_fn(void *aux, const char *file, unsigned int line, const char *text);
void nwf_filter_notes(struct nwf_store *store, const struct nwf_filter *filter,
                      nwf_filter_note_fn *note, void *aux);

/* Adds to *ret_params the variables that 'filter' and what it refers to use, with
 * values that stand in for real ones. */
int nwf_filter_stand_ins(struct nwf_store *store, const struct nwf_filter *filter,
                         struct nwf_params *ret_params, struct nwf_error *err);

#endif
