/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames for group addresses (NWF_TABLE_GROUP).
 *
 * NORMAL drops frames for the bridge itself (spanning tree and the like) unless
 * other_config:forward-bpdu says otherwise; so do we.  If one lookup told such an address from all
 * others, Open vSwitch would look at all of its bits and cache each group address for
 * itself.  So what is flooded is told by the first bit in which it differs from those
 * addresses: what is cached then has the bits up to there, and is one flow for many addresses. */
#include <config.h>

#include "group.h"

#include "nwf/pipeline.h"

#include "actions.h"

#include "lib/packets.h"

#define ADDRESS_BITS 48
#define GROUP_BIT (UINT64_C(1) << 40)

#define PRIORITY_DIFFERS 200 /* Less its number of bits: the shorter are looked at first. */
#define PRIORITY_RESERVED 100

struct prefix {
    uint64_t bits;
    unsigned int length;
};

static const struct prefix reserved[] = {
    {UINT64_C(0x0180c2000000), 44},
    {UINT64_C(0x01000ccccccc), 47}, /* CDP, PVST+ */
    {UINT64_C(0x01000ccdcdcd), 48}, /* UplinkFast */
};
#define N_RESERVED (sizeof reserved / sizeof reserved[0])

static uint64_t
mask_of(unsigned int length)
{
    return (UINT64_C(1) << ADDRESS_BITS) - (UINT64_C(1) << (ADDRESS_BITS - length));
}

/* Whether one of the two is inside of the other. */
static bool
overlap(const struct prefix *a, const struct prefix *b)
{
    return !((a->bits ^ b->bits) & mask_of(a->length < b->length ? a->length : b->length));
}

static void
add_flow(const struct prefix *prefix, bool drop, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct eth_addr address, mask;
    struct match match;

    eth_addr_from_uint64(prefix->bits | GROUP_BIT, &address);
    eth_addr_from_uint64(mask_of(prefix->length) | GROUP_BIT, &mask);
    match_init_catchall(&match);
    match_set_dl_dst_masked(&match, address, mask);
    if (!drop) {
        nwf_put_resubmit(&actions, NWF_TABLE_FLOOD);
    }
    nwf_flow_set_add(flows, NWF_TABLE_GROUP,
                     drop ? PRIORITY_RESERVED : (uint16_t) (PRIORITY_DIFFERS - prefix->length),
                     nwf_cookie(NWF_COOKIE_FIXED, 0, NWF_COOKIE_NO_RULE), &match, &actions);
}

/* Whether no address of the prefix is of a group. */
static bool
is_unicast(const struct prefix *prefix)
{
    return mask_of(prefix->length) & ~prefix->bits & GROUP_BIT;
}

/* Adds flows for all group addresses that begin so. */
static void
add_prefix(const struct prefix *prefix, struct nwf_flow_set *flows)
{
    struct prefix half = {prefix->bits, prefix->length + 1};
    bool differs = true;

    for (size_t i = 0; i < N_RESERVED; i++) {
        if (overlap(prefix, &reserved[i])) {
            differs = false;
            if (prefix->length == reserved[i].length) {
                add_flow(prefix, true, flows);
                return;
            }
        }
    }
    if (is_unicast(prefix)) {
        return;
    }
    if (differs) {
        add_flow(prefix, false, flows);
        return;
    }
    add_prefix(&half, flows);
    half.bits |= UINT64_C(1) << (ADDRESS_BITS - half.length);
    add_prefix(&half, flows);
}

void
nwf_compile_groups(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    static const struct prefix all = {0, 0};

    if (!bridge->forward_bpdu) {
        add_prefix(&all, flows);
    }
}
