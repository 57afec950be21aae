/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of protect.h share: our flows on a switch, and what changes would do to them. */
#ifndef NWF_CLI_OFCTL_PROTECTION_H
#define NWF_CLI_OFCTL_PROTECTION_H

#include "nwf/flow.h"
#include "protect.h"

/* What changes may do to flows of ours; the first of these that one does is told. */
enum ofctl_loss {
    OFCTL_LOSS_DELETED,
    OFCTL_LOSS_CHANGED,
    OFCTL_LOSS_REPLACED,
    OFCTL_LOSS_BELOW,
    OFCTL_N_LOSSES,
};

struct ofctl_losses {
    const struct nwf_flow **data;
    size_t n, allocated;
};

struct ofctl_protection {
    struct ofctl *ofctl;
    const char *target;
    /* A table's flows, those of low priority first. */
    struct {
        struct nwf_flow **data;
        size_t n, allocated;
    } tables[256];
    struct ofctl_losses losses[OFCTL_N_LOSSES]; /* A flow may be there more than once. */
    uint64_t taken_cookie; /* One of ours, for a flow that would not be; 0: none. */
};

bool ofctl_is_deletion(const struct ofputil_flow_mod *mod);

/* The table that a flow is added to. */
uint8_t ofctl_table_of(const struct ofputil_flow_mod *mod);

/* A flow that is going to be added, by a change or by the switch itself. */
struct ofctl_addition {
    uint8_t table;
    int priority;
    struct match match;         /* As much as is known, */
    struct flow_wildcards mask; /* of what it looks at. */
};

/* Notes flows of ours that it replaces, or that it takes packets from, or may, where none of its
 * like belongs. */
void ofctl_note_addition(struct ofctl_protection *protection,
                         const struct ofctl_addition *addition);

/* Whether cookies like this are ours alone; and notes it, in host byte order, if so. */
bool ofctl_is_own_cookie(uint64_t cookie);
void ofctl_note_cookie(struct ofctl_protection *protection, uint64_t cookie);

/* Whether the switch adds flows by itself when it executes the actions, nested ones included. */
bool ofctl_learns(const struct ofpact *ofpacts, size_t len);

void ofctl_note_loss(struct ofctl_protection *protection, enum ofctl_loss loss,
                     const struct nwf_flow *flow);

#endif
