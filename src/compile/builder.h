/* SPDX-License-Identifier: Apache-2.0
 *
 * Stages while they are built (builder.c): shared by the files that do it, one for the
 * Ethernet layer (stages.c), one for the IP layers (stages_ip.c), one that makes fewer of
 * them (merge_stages.c). */
#ifndef NWF_COMPILE_BUILDER_H
#define NWF_COMPILE_BUILDER_H

#include "nwf/stages.h"
#include "rule.h"

struct nwf_builder {
    const struct nwf_program *program;
    enum nwf_direction direction;
    const struct nwf_side *side;
    struct nwf_stages *stages;
    struct nwf_sets sets;
    size_t n_rows;
    size_t n_values;     /* See NWF_EXPANDED_VALUES_MAX. */
    bool has_flow_text;  /* A rule of the side is a <flow>. */
    bool accept_goes_on; /* What is accepted goes on at NWF_TARGET_ACCEPT. */
    bool tracked;        /* Packets in the open stage have been through conntrack. */
};

/* Targets that are not known yet. */
#define NWF_TARGET_BEHIND_CHAIN SIZE_MAX
#define NWF_TARGET_ACCEPT (SIZE_MAX - 1)
#define NWF_TARGET_TRACKED (SIZE_MAX - 2)
#define NWF_TARGET_UNTRACKED (SIZE_MAX - 3)

struct nwf_stage *nwf_builder_last(struct nwf_builder *b);
void nwf_builder_new_stage(struct nwf_builder *b);

/* Ends the open stage: what has no verdict yet goes on in the next. */
void nwf_builder_close_stage(struct nwf_builder *b);

/* Replaces a placeholder, in stages from 'first' on, by the open stage. */
void nwf_builder_resolve(struct nwf_builder *b, size_t first, size_t placeholder);

/* Adds a row to the open stage as it is, uncounted. */
struct nwf_row *nwf_builder_push(struct nwf_builder *b, const struct match *match,
                                 enum nwf_verdict verdict, size_t target, uint32_t rule);

/* What the rows of some matches have in common. */
struct nwf_emission {
    const struct match *guard; /* What the matches are narrowed to; NULL: nothing. */
    enum nwf_verdict verdict;
    size_t target;
    uint32_t rule;
    enum nwf_why why;
};

/* Adds 'match' to the open stage. */
int nwf_builder_emit(struct nwf_builder *b, const struct match *match,
                     const struct nwf_emission *emission, struct nwf_error *err);

/* Adds a rule.  'guard' is NULL outside of chains; *returns is set if the rule can go on
 * behind its chain. */
int nwf_builder_emit_rule(struct nwf_builder *b, const struct match *guard, uint32_t id,
                          bool *returns, struct nwf_error *err);

/* Adds the stages of the IP layers, behind those of the Ethernet layer. */
int nwf_builder_emit_ip(struct nwf_builder *b, struct nwf_error *err);
bool nwf_builder_has_ip(const struct nwf_builder *b);

/* Adds the rows of a stage that sets NWF_REG_STRAY; behind conntrack. */
void nwf_builder_emit_stray(struct nwf_builder *b, enum nwf_family family, uint16_t eth_type);

/* Whether TCP of the family has states to any rule. */
bool nwf_builder_tracks_tcp(const struct nwf_builder *b, enum nwf_family family);

/* Removes rows that no frame reaches, and merges stages into the ones before them.
 * 'has_flow_text': what two rows ask for together may have no place in OpenFlow. */
void nwf_stages_merge(struct nwf_stages *stages, bool has_flow_text);

/* Drops rows that no frame reaches, and doubts that the next row settles anyway. */
void nwf_stage_prune(struct nwf_stage *stage);

#endif
