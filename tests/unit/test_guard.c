/* SPDX-License-Identifier: Apache-2.0
 *
 * What bounds the cost of a flood: tables that compare addresses bit by bit say the same as
 * the addresses do, and look no further than the first bit that differs.  (That guarded stages
 * say of each frame what the rules say is what test_stages.c looks at.) */
#include <config.h>

#include "support.h"

#include "compare.h"
#include "group.h"
#include "nwf/pipeline.h"

#include "lib/flow.h"
#include "lib/packets.h"

#include "match.h"

#define N_PACKETS 20000

/* The first of the table's flows that the packet matches, and how many bits of the packet's 'field'
 * are looked at on the way: those of all flows down to that one. */
static const struct nwf_flow *
look_up(const struct nwf_flow **flows, size_t n, uint8_t table, const struct flow *packet,
        struct match *ret_seen)
{
    match_init_catchall(ret_seen);
    for (size_t i = 0; i < n; i++) {
        struct match match;
        if (flows[i]->table != table) {
            continue;
        }
        nwf_flow_expand_match(flows[i], &match);
        flow_wildcards_or(&ret_seen->wc, &ret_seen->wc, &match.wc);
        if (nwf_match_holds(&match, packet)) {
            return flows[i];
        }
    }
    return NULL;
}

static uint64_t
random_value(struct dice *dice, unsigned int n_bits)
{
    uint64_t value = (uint64_t) dice_roll(dice, 1u << 24) << 24 | dice_roll(dice, 1u << 24);

    return value & ((UINT64_C(1) << n_bits) - 1);
}

/* Another value that is the same down to some bit, or at all. */
static uint64_t
near(struct dice *dice, uint64_t value, unsigned int n_bits)
{
    uint64_t low = (UINT64_C(1) << dice_roll(dice, n_bits + 1)) - 1;

    return (value & ~low) | (random_value(dice, n_bits) & low);
}

static unsigned int
bits_to_difference(uint64_t a, uint64_t b, unsigned int n_bits)
{
    return a == b ? n_bits : (unsigned int) __builtin_clzll(a ^ b) - (64 - n_bits) + 1;
}

/* ---- Comparisons. ---- */

struct row {
    enum nwf_compared field;
    uint8_t table;
    unsigned int n_bits;
    bool has_mask;
};

static const struct row rows[] = {
    {NWF_COMPARED_ETH_SRC, NWF_TABLE_COMPARE_ETH_SRC, 48, false},
    {NWF_COMPARED_ARP_SHA, NWF_TABLE_COMPARE_ARP_SHA, 48, false},
    {NWF_COMPARED_ARP_SPA, NWF_TABLE_COMPARE_ARP_SPA, 32, true},
};

/* Whether the table says what it should, and no bit is looked at that need not be. */
static bool
compares(const struct nwf_flow **flows, size_t n, const struct row *row, uint64_t seen,
         const struct nwf_operand *operand)
{
    const struct nwf_operand all = {seen, (UINT64_C(1) << row->n_bits) - 1};
    struct match packet, looked_at;

    match_init_catchall(&packet);
    match_set_dl_type(&packet, htons(ETH_TYPE_ARP));
    nwf_compared_set(row->field, &all, &packet);
    packet.flow.regs[NWF_REG_OPERAND] = (uint32_t) operand->value;
    packet.flow.regs[NWF_REG_OPERAND_HIGH] =
        (uint32_t) (row->has_mask ? operand->mask : operand->value >> 32);
    const struct nwf_flow *flow = look_up(flows, n, row->table, &packet.flow, &looked_at);
    unsigned int n_seen =
        (unsigned int) __builtin_popcountll(nwf_compared_get(row->field, &looked_at).mask);
    uint64_t difference = (seen ^ operand->value) & operand->mask;

    return flow && (flow->priority == 0) == !difference
           && n_seen == bits_to_difference(difference, 0, row->n_bits);
}

static void
test_comparisons(void **state)
{
    struct nwf_flow_set set;

    (void) state;
    nwf_flow_set_init(&set);
    nwf_compile_comparisons(&set);
    const struct nwf_flow **flows = nwf_flow_set_sort(&set);
    for (size_t i = 0; i < N_PACKETS; i++) {
        const struct row *row = &rows[i % N_ROWS(rows)];
        struct dice dice = dice_seed(i);
        uint64_t seen = random_value(&dice, row->n_bits);
        struct nwf_operand operand = {near(&dice, seen, row->n_bits),
                                      (UINT64_C(1) << row->n_bits) - 1};
        if (row->has_mask && dice_roll(&dice, 2)) {
            operand.mask &= ~((UINT64_C(1) << dice_roll(&dice, 32)) - 1);
            operand.value &= operand.mask;
        }
        expect(nwf_compared_takes(row->field, &operand), "row %zu", i % N_ROWS(rows));
        expect(compares(flows, nwf_flow_set_count(&set), row, seen, &operand), "table %u, seed %zu",
               row->table, i);
    }
    free(flows);
    nwf_flow_set_finish(&set);
}

/* ---- Groups. ---- */

static bool
is_reserved(uint64_t address)
{
    return (address & ~UINT64_C(0xf)) == UINT64_C(0x0180c2000000)
           || (address & ~UINT64_C(1)) == UINT64_C(0x01000ccccccc)
           || address == UINT64_C(0x01000ccdcdcd);
}

static void
test_groups(void **state)
{
    static const uint64_t reserved[] = {UINT64_C(0x0180c2000000), UINT64_C(0x01000ccccccc),
                                        UINT64_C(0x01000ccdcdcd)};
    const struct nwf_bridge bridge = {.forward_bpdu = false};
    size_t n_reserved = 0;
    struct nwf_flow_set set;

    (void) state;
    nwf_flow_set_init(&set);
    nwf_compile_groups(&bridge, &set);
    const struct nwf_flow **flows = nwf_flow_set_sort(&set);
    for (size_t i = 0; i < N_PACKETS; i++) {
        struct dice dice = dice_seed(i);
        uint64_t address = near(&dice, reserved[i % N_ROWS(reserved)], 48) | UINT64_C(1) << 40;
        struct match packet, looked_at;

        match_init_catchall(&packet);
        eth_addr_from_uint64(address, &packet.flow.dl_dst);
        const struct nwf_flow *flow =
            look_up(flows, nwf_flow_set_count(&set), NWF_TABLE_GROUP, &packet.flow, &looked_at);
        expect(flow && (flow->form->ofpacts_len == 0) == is_reserved(address), "seed %zu: %012llx",
               i, (unsigned long long) address);
        n_reserved += is_reserved(address);
    }
    expect(n_reserved > N_PACKETS / 100, "%zu reserved addresses", n_reserved);
    free(flows);
    nwf_flow_set_finish(&set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
