/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a packet passes a port's filter, or does not: the rules that it meets. */
#ifndef NWF_EXPLAIN_H
#define NWF_EXPLAIN_H

#include "nwf/binding.h"
#include "nwf/compile.h"
#include "nwf/evaluate.h"
#include "nwf/store.h"

struct nwf_explained_step {
    uint8_t table;     /* Of the pipeline. */
    uint64_t cookie;   /* Of the flow. */
    const char *chain; /* The rule's; "" where no rule decided. */
    char *place;       /* FILE:LINE of the rule, or "". */
    const char *action;
    char *result; /* In words. */
};

struct nwf_explanation {
    bool accepted;
    NWF_VEC(struct nwf_explained_step) steps;
};

/* The port's number and VLANs, for an explanation. */
struct nwf_explain_port {
    uint16_t ofport;
    struct nwf_vlan vlan;
    uint16_t zone;
    bool inner_tags, blurred_tags; /* Of its bridge; see struct nwf_bridge. */
    bool from_isolated;            /* What it is about to get is from an isolated guest. */
};

/* A packet at a port.  All is the caller's. */
struct nwf_explain_question {
    const struct nwf_binding *binding;
    const struct nwf_explain_port *port;
    enum nwf_direction direction; /* The guest sends it (NWF_OUT), or is about to get it. */
    const struct flow *packet;
    const struct nwf_evaluation_ct *ct; /* What conntrack will say of it. */
};

/* Says what the filter of the port's binding does with the packet.  *ret refers to filters of
 * 'store'; it is cleared with nwf_explanation_clear(). */
int nwf_explain(struct nwf_store *store, const struct nwf_explain_question *question,
                struct nwf_explanation *ret, struct nwf_error *err);
void nwf_explanation_clear(struct nwf_explanation *explanation);

#endif
