/* SPDX-License-Identifier: Apache-2.0
 *
 * Stages that cost little whatever a guest sends.
 *
 * What one guest sends and its filter drops must not fill the datapath's cache for all: neither
 * with flows, as addresses do that are made up one after the other, nor with masks, which multiply
 * if a frame meets rows about one field after it has failed at another.  So:
 *
 *  - addresses that rows compare with few values are compared bit by bit (compare.c), and rows
 *    ask for a bit of a register.  Where that says no, Open vSwitch looks at nothing else of the
 * row;
 *  - so are ports, where what rows ask for would multiply: in all packets of their protocol, but
 *    with few masks, and rows that ask for a bit have nobody else's destination looked at;
 *  - a frame that is dropped whatever the rest of it is, since its source address or its tag is
 *    wrong, is dropped before anything else is looked at;
 *  - a row about one Ethernet type and the destination's address asks for a bit as well, so that
 *    frames of other types do not have their address looked at. */
#include <config.h>

#include "guard.h"

#include "builder.h"
#include "guard_parts.h"
#include "nwf/pipeline.h"

/* ---- Room. ---- */

static size_t
count_tables(const struct nwf_guard *g, enum nwf_compared field)
{
    return g->of[field].n * nwf_compared_n_words(field);
}

/* Whether there is room for the stages in front and for what they walk through, which count like
 * stages. */
static bool
fits(const struct nwf_guard *g)
{
    size_t most = 0;

    for (int i = 0; i < NWF_N_GUARD_KINDS; i++) {
        size_t n = count_tables(g, nwf_guard_kinds[i][0]) + count_tables(g, nwf_guard_kinds[i][1]);
        n += i < NWF_GUARD_TCP  ? 0
             : i < NWF_GUARD_NS ? count_tables(g, NWF_COMPARED_IPV4_SRC)
                                : count_tables(g, NWF_COMPARED_IPV6_SRC);
        most = n > most ? n : most;
    }
    return g->stages->list.n + NWF_GUARD_FRONT_MAX + most + count_tables(g, NWF_COMPARED_ETH_SRC)
               + count_tables(g, NWF_COMPARED_ETH_DST)
           <= NWF_MAX_STAGES;
}

/* What costs the most tables, and bounds what is rarest, is given up first. */
static void
make_room(struct nwf_guard *g)
{
    static const enum nwf_compared order[] = {
        NWF_COMPARED_TCP_SRC,   NWF_COMPARED_TCP_DST,   NWF_COMPARED_UDP_SRC,
        NWF_COMPARED_UDP_DST,   NWF_COMPARED_TCP6_SRC,  NWF_COMPARED_TCP6_DST,
        NWF_COMPARED_UDP6_SRC,  NWF_COMPARED_UDP6_DST,  NWF_COMPARED_RARP_ADDRESSES,
        NWF_COMPARED_RARP_MACS, NWF_COMPARED_NS_TARGET, NWF_COMPARED_NA_TARGET,
        NWF_COMPARED_IPV6_SRC,  NWF_COMPARED_IPV4_SRC,  NWF_COMPARED_ETH_DST,
        NWF_COMPARED_NS_SLL,    NWF_COMPARED_NA_TLL,    NWF_COMPARED_ARP_SPA,
        NWF_COMPARED_ARP_SHA,   NWF_COMPARED_ETH_SRC,
    };

    for (size_t i = 0; i < sizeof order / sizeof order[0] && !fits(g); i++) {
        g->of[order[i]].n = 0;
    }
}

/* ---- All of it. ---- */

static void
forget_bits(struct match *match, uint32_t bits)
{
    uint32_t value = match->flow.regs[NWF_REG_COMPARED];
    uint32_t mask = match->wc.masks.regs[NWF_REG_COMPARED];

    match_set_reg_masked(match, NWF_REG_COMPARED, value & ~bits, mask & ~bits);
}

/* A frame that lacks the one value does not come as far as the rows. */
static void
drop_needless_bits(struct nwf_guard *g)
{
    nwf_vec_foreach (stage, &g->stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            for (int f = 0; f < NWF_N_COMPARED; f++) {
                enum nwf_compared field = (enum nwf_compared) f;
                if (g->of[field].n == 1 && g->of[field].drop
                    && nwf_compared_is_required(field, &row->match)) {
                    forget_bits(&row->match, nwf_guard_bits(g, field));
                }
            }
        }
        nwf_stage_prune(stage);
    }
}

uint32_t
nwf_stages_guard(struct nwf_stages *stages)
{
    struct nwf_guard g = {.stages = stages};
    uint32_t fields = 0;

    for (int f = 0; f < NWF_N_COMPARED; f++) {
        nwf_guard_find_values(&g, (enum nwf_compared) f);
    }
    make_room(&g);
    for (int f = 0; f < NWF_N_COMPARED; f++) {
        if (g.of[f].n) {
            nwf_guard_replace_values(&g, (enum nwf_compared) f);
            fields |= UINT32_C(1) << f;
        }
    }
    if (fields) {
        nwf_guard_find_drops(&g);
        nwf_guard_note_types(&g);
        nwf_guard_build_front(&g);
        drop_needless_bits(&g);
        nwf_guard_put_front(&g);
    }
    return fields;
}
