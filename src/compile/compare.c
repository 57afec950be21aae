/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparing a field with a value bit by bit.
 *
 * A flow that matches a MAC address makes Open vSwitch look at all of its bits, and cache a flow
 * for each address that a guest makes up.  A row of flows, one for each bit, of which the first
 * that differs decides, makes it look at the bits up to that one: there are no more cached flows
 * for addresses that are wrong, nor masks, than bits.
 *
 * Written into each port's flows that would be a flow a bit.  So the port's value is loaded into
 * registers, and the flows of a table compare the field's bits with those of the registers, for
 * all ports. */
#include <config.h>

#include "compare.h"

#include <arpa/inet.h>

#include "actions.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"

#include "lib/packets.h"

#define PRIORITY_FIRST_BIT 100

static const struct {
    uint16_t eth_type;
    unsigned int n_bits;
    uint8_t table;
} fields[NWF_N_COMPARED] = {
    [NWF_COMPARED_ETH_SRC] = {0, 48, NWF_TABLE_COMPARE_ETH_SRC},
    [NWF_COMPARED_ARP_SHA] = {ETH_TYPE_ARP, 48, NWF_TABLE_COMPARE_ARP_SHA},
    [NWF_COMPARED_ARP_SPA] = {ETH_TYPE_ARP, 32, NWF_TABLE_COMPARE_ARP_SPA},
};

uint16_t
nwf_compared_eth_type(enum nwf_compared field)
{
    return fields[field].eth_type;
}

struct nwf_operand
nwf_compared_get(enum nwf_compared field, const struct match *match)
{
    const struct flow *value = &match->flow, *mask = &match->wc.masks;

    switch (field) {
    case NWF_COMPARED_ETH_SRC:
        return (struct nwf_operand){eth_addr_to_uint64(value->dl_src),
                                    eth_addr_to_uint64(mask->dl_src)};
    case NWF_COMPARED_ARP_SHA:
        return (struct nwf_operand){eth_addr_to_uint64(value->arp_sha),
                                    eth_addr_to_uint64(mask->arp_sha)};
    case NWF_COMPARED_ARP_SPA:
        return (struct nwf_operand){ntohl(value->nw_src), ntohl(mask->nw_src)};
    case NWF_N_COMPARED:
        break;
    }
    abort();
}

void
nwf_compared_set(enum nwf_compared field, const struct nwf_operand *operand, struct match *match)
{
    struct eth_addr address, mask;

    eth_addr_from_uint64(operand->value, &address);
    eth_addr_from_uint64(operand->mask, &mask);
    switch (field) {
    case NWF_COMPARED_ETH_SRC:
        match_set_dl_src_masked(match, address, mask);
        break;
    case NWF_COMPARED_ARP_SHA:
        match_set_arp_sha_masked(match, address, mask);
        break;
    case NWF_COMPARED_ARP_SPA:
        match_set_nw_src_masked(match, htonl((uint32_t) operand->value),
                                htonl((uint32_t) operand->mask));
        break;
    case NWF_N_COMPARED:
        abort();
    }
}

/* The registers hold a value of 48 bits, or one of 32 and its mask. */
static bool
has_mask(enum nwf_compared field)
{
    return fields[field].n_bits == 32;
}

bool
nwf_compared_takes(enum nwf_compared field, const struct nwf_operand *operand)
{
    return has_mask(field) || operand->mask == (UINT64_C(1) << fields[field].n_bits) - 1;
}

void
nwf_put_compare(struct ofpbuf *actions, enum nwf_compared field, const struct nwf_operand *operand,
                unsigned int bit)
{
    uint64_t high = has_mask(field) ? operand->mask : operand->value >> 32;

    nwf_put_load(actions, MFF_REG0 + NWF_REG_OPERAND, (uint32_t) operand->value);
    nwf_put_load(actions, MFF_REG0 + NWF_REG_OPERAND_HIGH, (uint32_t) high);
    nwf_put_load(actions, MFF_REG0 + NWF_REG_EQUAL, 0);
    nwf_put_resubmit(actions, fields[field].table);
    nwf_put_text(actions, "move:NXM_NX_REG%d[0]->NXM_NX_REG%d[%u]", NWF_REG_EQUAL, NWF_REG_COMPARED,
                 bit);
}

/* A frame of which the bit is 'set' differs from an operand of which it is not. */
static void
add_bit(enum nwf_compared field, unsigned int bit, bool set, struct nwf_flow_set *flows)
{
    const struct nwf_operand seen = {(uint64_t) set << bit, UINT64_C(1) << bit};
    uint64_t wanted = (uint64_t) !set << bit;
    struct match match;

    match_init_catchall(&match);
    if (fields[field].eth_type) {
        match_set_dl_type(&match, htons(fields[field].eth_type));
    }
    nwf_compared_set(field, &seen, &match);
    if (has_mask(field)) {
        match_set_reg_masked(&match, NWF_REG_OPERAND_HIGH, (uint32_t) seen.mask,
                             (uint32_t) seen.mask);
    }
    if (bit < 32) {
        match_set_reg_masked(&match, NWF_REG_OPERAND, (uint32_t) wanted, (uint32_t) seen.mask);
    } else {
        match_set_reg_masked(&match, NWF_REG_OPERAND_HIGH, (uint32_t) (wanted >> 32),
                             (uint32_t) (seen.mask >> 32));
    }
    nwf_flow_set_add(flows, fields[field].table,
                     (uint16_t) (PRIORITY_FIRST_BIT - (fields[field].n_bits - 1 - bit)),
                     nwf_cookie(NWF_COOKIE_FIXED, 0, NWF_COOKIE_NO_RULE), &match, NULL, 0);
}

static void
add_equal(enum nwf_compared field, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    nwf_put_load(&actions, MFF_REG0 + NWF_REG_EQUAL, 1);
    nwf_flow_set_add(flows, fields[field].table, 0,
                     nwf_cookie(NWF_COOKIE_FIXED, 0, NWF_COOKIE_NO_RULE), &match, actions.data,
                     actions.size);
}

void
nwf_compile_comparisons(struct nwf_flow_set *flows)
{
    for (int field = 0; field < NWF_N_COMPARED; field++) {
        for (unsigned int bit = 0; bit < fields[field].n_bits; bit++) {
            add_bit((enum nwf_compared) field, bit, false, flows);
            add_bit((enum nwf_compared) field, bit, true, flows);
        }
        add_equal((enum nwf_compared) field, flows);
    }
}
