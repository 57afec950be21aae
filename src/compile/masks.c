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

/* The bits of the field that the row asks for, from the first on. */
static uint32_t
bits_of(const struct nwf_row *row, enum field field)
{
    const struct flow *masks = &row->match.wc.masks;
    bool is_ip = row->match.flow.dl_type == htons(ETH_TYPE_IP);

    switch (field) {
    case NW_SRC:
        return is_ip ? ntohl(masks->nw_src) : 0;
    case NW_DST:
        return is_ip ? ntohl(masks->nw_dst) : 0;
    case TP_SRC:
        return (uint32_t) ntohs(masks->tp_src) << 16;
    case TP_DST:
        return (uint32_t) ntohs(masks->tp_dst) << 16;
    case N_FIELDS:
        break;
    }
    return 0;
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

/* How many bits of the field packets of the type and protocol that 'like' asks for, and of no other
 * that rows ask for, are compared with.  Addresses are compared together with the protocol. */
static unsigned int
compared_bits(const struct nwf_row *row, enum field field, const struct nwf_row *like)
{
    bool is_port = field == TP_SRC || field == TP_DST;
    uint32_t bits = bits_of(row, field);

    return bits && is_of_type(row, like) && (!is_port || is_of_protocol(row, like))
               ? 32 - (unsigned int) __builtin_ctz(bits)
               : 0;
}

/* Of such packets.  Bits that an earlier row has them looked at add nothing, and all fields
 * together make no more than each of their bits with each of the others'. */
static uint64_t
count_like(const struct nwf_stage *stage, const struct nwf_row *like)
{
    unsigned int seen[N_FIELDS] = {0};
    uint64_t n = 1, most = 1;

    nwf_vec_foreach (row, &stage->rows) {
        uint64_t ways = 1;
        for (int field = 0; field < N_FIELDS; field++) {
            unsigned int bits = compared_bits(row, (enum field) field, like);
            if (bits > seen[field]) {
                ways += bits - seen[field];
                seen[field] = bits;
            }
        }
        n = n * ways < MASKS_MAX ? n * ways : MASKS_MAX;
    }
    for (int field = 0; field < N_FIELDS; field++) {
        most *= 1 + seen[field];
    }
    return n < most ? n : most;
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
