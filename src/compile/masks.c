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

#include "compare.h"
#include "guard.h"
#include "nwf/pipeline.h"
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

static bool
is_port_comparison(const struct nwf_row *row)
{
    return row->verdict == NWF_V_SET && row->set.compares
           && row->set.field >= NWF_COMPARED_FIRST_PORT;
}

/* The bits that tell of the ports of such packets what came of their comparison, a mask a field
 * that is compared, and in how many ways they are told from others. */
struct compared_ports {
    uint32_t bits[2];
    size_t n;
    uint64_t ways;
};

static struct compared_ports
find_ports(uint32_t compared, const struct nwf_row *like)
{
    struct compared_ports ports = {.ways = 1};

    for (int f = NWF_COMPARED_FIRST_PORT; f < NWF_N_COMPARED; f++) {
        enum nwf_compared field = (enum nwf_compared) f;
        if (compared & UINT32_C(1) << f && nwf_compared_is_required(field, &like->match)) {
            ports.bits[ports.n++] = ((UINT32_C(1) << NWF_COMPARED_VALUES_MAX) - 1)
                                    << nwf_compared_first_bit(field);
            ports.ways *= nwf_compared_n_bits(field, 0) / nwf_compared_step(field);
        }
    }
    return ports;
}

/* Whether the row is about ports that such packets have not. */
static bool
asks_for_others(uint32_t compared, const struct nwf_row *row, const struct nwf_row *like)
{
    struct compared_ports own = find_ports(compared, row);

    for (size_t i = 0; i < own.n; i++) {
        if (row->match.flow.regs[NWF_REG_COMPARED] & own.bits[i]) {
            return !is_of_protocol(row, like);
        }
    }
    return false;
}

/* Whether packets whose ports are any but those of one value meet no more of the row. */
static bool
asks_for_ports(const struct compared_ports *ports, const struct nwf_row *row)
{
    for (size_t i = 0; i < ports->n; i++) {
        if (!(row->match.flow.regs[NWF_REG_COMPARED] & ports->bits[i])) {
            return false;
        }
    }
    return ports->n > 0;
}

/* Of such packets.  Bits that an earlier row has them looked at add nothing, and all fields
 * together make no more than each of their bits with each of the others'.  Ports that are compared
 * in front of all rows, where no packet is dropped for them, multiply with all that follows but for
 * rows about one value of them. */
static uint64_t
count_like(const struct nwf_stage *stage, const struct nwf_row *like, uint32_t compared)
{
    struct compared_ports ports = find_ports(compared, like);
    unsigned int seen[N_FIELDS] = {0};
    uint64_t n = 1, most = 1, more = 0;

    nwf_vec_foreach (row, &stage->rows) {
        bool single = asks_for_ports(&ports, row);
        uint64_t ways = 1;
        if (is_port_comparison(row) || asks_for_others(compared, row, like)) {
            continue;
        }
        for (int field = 0; field < N_FIELDS; field++) {
            unsigned int bits = compared_bits(row, (enum field) field, like);
            if (bits > seen[field]) {
                ways += bits - seen[field];
                seen[field] = single ? seen[field] : bits;
            }
        }
        more += single ? ways - 1 : 0;
        n = single ? n : n * ways < MASKS_MAX ? n * ways : MASKS_MAX;
    }
    for (int field = 0; field < N_FIELDS; field++) {
        most *= 1 + seen[field];
    }
    return (n < most ? n : most) * ports.ways + more;
}

/* Rows that ask for the same fields add nothing, so that the first of each kind tells. */
static uint64_t
count_stage(const struct nwf_stage *stage, uint32_t compared)
{
    uint64_t most = 1;

    for (size_t i = 0; stage->rows.n <= ROWS_MAX && i < stage->rows.n; i++) {
        uint64_t n = count_like(stage, &stage->rows.data[i], compared);
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
    uint32_t compared = nwf_stages_guard(&stages);

    nwf_vec_foreach (stage, &stages.list) {
        n += count_stage(stage, compared);
    }
    nwf_stages_clear(&stages);
    return n < MASKS_MAX ? n : MASKS_MAX;
}
