/* SPDX-License-Identifier: Apache-2.0
 *
 * A direction of a program as a row of stages: what OpenFlow's tables can hold.
 *
 * A stage is a list of rows, the first that matches decides: accept, drop, or go
 * on in a later stage.  "return" and negated rules need "later", and so do the IP
 * layers behind the Ethernet layer, with conntrack in between if any rule asks for a
 * connection's state; all the rest of a filter is one list.  Stages know no port; the
 * caller adds it to each match. */
#ifndef NWF_STAGES_H
#define NWF_STAGES_H

#include "nwf/program.h"
#include "openvswitch/match.h"

/* Rows of one direction, those included that no frame reaches.  A row takes 3.5 kB. */
#define NWF_ROWS_MAX 16384
/* Values in the lists and ranges that are no sets, of all rules of one direction. */
#define NWF_EXPANDED_VALUES_MAX 262144

enum nwf_verdict {
    NWF_V_ACCEPT,
    NWF_V_DROP,
    NWF_V_GOTO,   /* Goes on in stage 'target'. */
    NWF_V_SET,    /* The same, with a register set. */
    NWF_V_TRACK,  /* The same, behind conntrack in the port's zone. */
    NWF_V_MARK,   /* The same, with the connection marked. */
    NWF_V_COMMIT, /* The same, with the connection begun. */
    NWF_V_JOIN,   /* The same, once all fragments of the packet have come so far. */
};

/* What a row has to do with its rule. */
enum nwf_why {
    NWF_WHY_RULE,      /* The rule matches. */
    NWF_WHY_EXCEPTION, /* It does not, since a negated condition holds. */
    NWF_WHY_DOUBT,     /* Open vSwitch does not see whether it does. */
    NWF_WHY_HOST,      /* No rule: what the host sends is not the IP layer's. */
};

struct nwf_row {
    struct match match;
    enum nwf_verdict verdict;
    size_t target; /* Unless it accepts or drops; greater than the row's own stage. */
    uint32_t rule; /* The deciding rule's id in its side, or NWF_RULE_END. */
    enum nwf_why why;
    bool accepts; /* Its rule accepts, and there is more to do. */
    struct {
        unsigned int reg;
        uint32_t value, mask;
        unsigned int level; /* Rows of one level need no order among them. */
        bool compares;      /* It, and such rows behind it up to one that 'is_last', stand for
                             * comparisons of 'field'; the last one's bits are all of them's. */
        bool is_last;
        bool is_dropped; /* All rows that ask for the value drop. */
        uint8_t field;   /* An enum nwf_compared (src/compile/compare.h). */
    } set;               /* If NWF_V_SET. */
    struct {
        uint32_t value, mask;
    } mark; /* Bits of the connection's mark, if NWF_V_MARK or NWF_V_COMMIT. */
};

/* Every stage ends in a row that matches all. */
struct nwf_stage {
    NWF_VEC(struct nwf_row) rows;
};

struct nwf_stages {
    NWF_VEC(struct nwf_stage) list;
};

/* Bits of a connection's mark. */
#define NWF_CT_MARK_ANSWERED 1 /* An answer was seen. */
#define NWF_CT_MARK_OPEN 2     /* TCP: a SYN was seen, and no SYN,ACK yet. */
#define NWF_CT_MARK_REFUSED 4  /* TCP: instead of that, a reset. */

/* Compiles one direction of a program.  Errors (what OpenFlow cannot express, or too
 * much of it) name file, line and cause; *stages is empty then. */
int nwf_stages_build(const struct nwf_program *program, enum nwf_direction direction,
                     struct nwf_stages *stages, struct nwf_error *err);
void nwf_stages_clear(struct nwf_stages *stages);

/* The same with rows that no frame reaches still there, and nothing merged. */
int nwf_stages_build_whole(const struct nwf_program *program, enum nwf_direction direction,
                           struct nwf_stages *stages, struct nwf_error *err);

/* Whether the row goes on in its 'target'. */
bool nwf_row_has_target(const struct nwf_row *row);

/* What the stages say of all frames that match 'frames': true and the verdict
 * (ACCEPT or DROP) when they agree, false when it depends on the frame. */
bool nwf_stages_uniform(const struct nwf_stages *stages, const struct match *frames,
                        enum nwf_verdict *ret_verdict);

/* Whether they drop all frames that match, be it by different rows. */
bool nwf_stages_drop(const struct nwf_stages *stages, const struct match *frames);

/* The most tables that any frame that matches 'frames' goes through, up to conntrack. */
uint8_t nwf_stages_cost(const struct nwf_stages *stages, const struct match *frames);

#endif
