/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters compiled from texts, and packets of connections that walk their stages. */
#ifndef TEST_COMPILED_H
#define TEST_COMPILED_H

#include "flood.h"
#include "nwf/stages.h"
#include "reference.h"

struct compiled {
    struct nwf_store *store;
    struct nwf_program *program;
    struct nwf_stages stages[NWF_N_DIRECTIONS];
    struct nwf_stages guarded; /* Those of the direction "out", as a switch gets them. */
    struct nwf_flood_verdicts flood[NWF_N_DIRECTIONS];
};

/* Compiles the first of 'filters'.  Whatever it returns, *ret is to be freed. */
int compile(const struct text_filter *filters, const char *variables, struct compiled *ret,
            struct nwf_error *err);
void compiled_free(struct compiled *c);

/* Whether the guarded stages, which end in 'last', say of a packet what the others say, which end
 * in 'plain': of several rules that would each drop it, they may name another. */
bool guard_agrees(const struct compiled *c, const struct flow *packet, const struct nwf_row *plain,
                  const struct nwf_row *last);

/* Whether the stages say of the frame what the rules say (reference.h); of one that Open
 * vSwitch does not look into they may accept no more.  Prints what is wrong. */
bool check_frame(const struct compiled *c, enum nwf_direction direction, const struct frame *frame);

#endif
