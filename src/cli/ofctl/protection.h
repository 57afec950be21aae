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
};

bool ofctl_is_deletion(const struct ofputil_flow_mod *mod);

/* The table that a flow is added to. */
uint8_t ofctl_table_of(const struct ofputil_flow_mod *mod);

void ofctl_note_loss(struct ofctl_protection *protection, enum ofctl_loss loss,
                     const struct nwf_flow *flow);

#endif
