/* SPDX-License-Identifier: Apache-2.0
 *
 * How many masks a guest can leave in the datapath's cache; see nwf/masks.h.
 *
 * A table's flows with one mask are looked up together.  Open vSwitch finds out that none of them
 * matches by as few bits of an address or a port as that takes, so that each number of bits is
 * a mask of its own, and remembers all that it has looked at until a flow matches.  So fields of
 * one mask add up, and those of several masks multiply.  What a stage drops the next one does not
 * see. */
#include <config.h>

#include "nwf/masks.h"

#include "guard.h"
#include "nwf/stages.h"

#include "lib/packets.h"

#define MASKS_MAX (UINT64_C(1) << 32)
#define ROWS_MAX 2000

enum field { NW_SRC, NW_DST, TP_SRC, TP_DST, N_FIELDS };
static const uint64_t n_bits[N_FIELDS] = {
    [NW_SRC] = 32, [NW_DST] = 32, [TP_SRC] = 16, [TP_DST] = 16};

static bool
asks_for(const struct nwf_row *row, enum field field)
{
    const struct flow *masks = &row->match.wc.masks;

    switch (field) {
    case NW_SRC:
        return masks->nw_src && row->match.flow.dl_type == htons(ETH_TYPE_IP);
    case NW_DST:
        return masks->nw_dst && row->match.flow.dl_type == htons(ETH_TYPE_IP);
    case TP_SRC:
        return masks->tp_src;
    case TP_DST:
        return masks->tp_dst;
    case N_FIELDS:
        break;
    }
    return false;
}

static bool
is_of_type(const struct nwf_row *row, const struct nwf_row *like)
{
    ovs_be16 types = row->match.wc.masks.dl_type;

    return !(types & ~like->match.wc.masks.dl_type)
           && !((row->match.flow.dl_type ^ like->match.flow.dl_type) & types);
}

static bool
is_of_protocol(const struct nwf_row *row, const struct nwf_row *like)
{
    uint8_t protos = row->match.wc.masks.nw_proto;

    return !(protos & ~like->match.wc.masks.nw_proto)
           && !((row->match.flow.nw_proto ^ like->match.flow.nw_proto) & protos);
}

/* Whether packets of the type and protocol that 'like' asks for, and of no other that rows ask for,
 * have to be compared with the field.  Addresses are compared together with the protocol. */
static bool
is_compared(const struct nwf_row *row, enum field field, const struct nwf_row *like)
{
    bool is_port = field == TP_SRC || field == TP_DST;

    return asks_for(row, field) && is_of_type(row, like) && (!is_port || is_of_protocol(row, like));
}

/* Of such packets. */
static uint64_t
count_like(const struct nwf_stage *stage, const struct nwf_row *like)
{
    bool seen[N_FIELDS] = {false};
    uint64_t n = 1;

    nwf_vec_foreach (row, &stage->rows) {
        uint64_t ways = 1;
        for (int field = 0; field < N_FIELDS; field++) {
            if (!seen[field] && is_compared(row, (enum field) field, like)) {
                seen[field] = true;
                ways += n_bits[field];
            }
        }
        n *= ways;
    }
    return n;
}

/* Rows that ask for the same fields add nothing, so that the first of each kind tells. */
static uint64_t
count_stage(const struct nwf_stage *stage)
{
    uint64_t most = 1;

    for (size_t i = 0; stage->rows.n <= ROWS_MAX && i < stage->rows.n; i++) {
        uint64_t n = count_like(stage, &stage->rows.data[i]);
        most = n > most ? n : most;
    }
    return most;
}

uint64_t
nwf_filter_masks(struct nwf_store *store, const struct nwf_filter *filter,
                 const struct nwf_params *params)
{
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    struct nwf_error ignored CLEANUP(nwf_error_clear) = NWF_ERROR_INIT;
    struct nwf_stages stages;
    uint64_t n = 0;

    if (nwf_program_new(store, filter, params, &program, &ignored)
        || nwf_stages_build(program, NWF_OUT, &stages, &ignored)) {
        return 0;
    }
    nwf_stages_guard(&stages);
    nwf_vec_foreach (stage, &stages.list) {
        n += count_stage(stage);
    }
    nwf_stages_clear(&stages);
    return n < MASKS_MAX ? n : MASKS_MAX;
}
