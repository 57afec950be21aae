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

/* ---- Comparisons. ---- */

/* The table of each field's first word. */
static const uint8_t tables[NWF_N_COMPARED] = {
    [NWF_COMPARED_ETH_SRC] = NWF_TABLE_COMPARE_ETH_SRC,
    [NWF_COMPARED_ETH_DST] = NWF_TABLE_COMPARE_ETH_DST,
    [NWF_COMPARED_ARP_SHA] = NWF_TABLE_COMPARE_ARP_SHA,
    [NWF_COMPARED_ARP_SPA] = NWF_TABLE_COMPARE_ARP_SPA,
    [NWF_COMPARED_RARP_MACS] = NWF_TABLE_COMPARE_RARP_MACS,
    [NWF_COMPARED_RARP_ADDRESSES] = NWF_TABLE_COMPARE_RARP_ADDRESSES,
    [NWF_COMPARED_IPV4_SRC] = NWF_TABLE_COMPARE_IPV4_SRC,
    [NWF_COMPARED_IPV6_SRC] = NWF_TABLE_COMPARE_IPV6_SRC,
    [NWF_COMPARED_NS_SLL] = NWF_TABLE_COMPARE_NS_SLL,
    [NWF_COMPARED_NS_TARGET] = NWF_TABLE_COMPARE_ND_TARGET,
    [NWF_COMPARED_NA_TLL] = NWF_TABLE_COMPARE_NA_TLL,
    [NWF_COMPARED_NA_TARGET] = NWF_TABLE_COMPARE_ND_TARGET,
    [NWF_COMPARED_TCP_SRC] = NWF_TABLE_COMPARE_PORT_SRC,
    [NWF_COMPARED_TCP_DST] = NWF_TABLE_COMPARE_PORT_DST,
    [NWF_COMPARED_UDP_SRC] = NWF_TABLE_COMPARE_PORT_SRC,
    [NWF_COMPARED_UDP_DST] = NWF_TABLE_COMPARE_PORT_DST,
    [NWF_COMPARED_TCP6_SRC] = NWF_TABLE_COMPARE_PORT_SRC,
    [NWF_COMPARED_TCP6_DST] = NWF_TABLE_COMPARE_PORT_DST,
    [NWF_COMPARED_UDP6_SRC] = NWF_TABLE_COMPARE_PORT_SRC,
    [NWF_COMPARED_UDP6_DST] = NWF_TABLE_COMPARE_PORT_DST,
};

static void
set_all_bits(enum nwf_compared field, uint32_t words[NWF_OPERAND_WORDS])
{
    for (unsigned int i = 0; i < nwf_compared_n_words(field); i++) {
        words[i] = (uint32_t) ((UINT64_C(1) << nwf_compared_n_bits(field, i)) - 1);
    }
}

static bool
is_ipv6(enum nwf_compared field)
{
    return nwf_compared_n_words(field) == 4 && nwf_compared_n_bits(field, 0) == 32;
}

/* Of addresses that there are the first two bits are equal. */
static void
make_real(enum nwf_compared field, struct nwf_operand *operand)
{
    if (is_ipv6(field)) {
        operand->value[0] &= operand->value[0] & 0x80000000 ? UINT32_MAX : 0x3fffffff;
        operand->value[0] |= operand->value[0] & 0x80000000 ? 0xc0000000 : 0;
        operand->mask[0] |= 0xc0000000;
    }
}

/* What a frame has, and a value that is the same down to some bit, or at all; all or the first of
 * its bits count. */
static void
make_operands(enum nwf_compared field, struct dice *dice, struct nwf_operand *seen,
              struct nwf_operand *operand)
{
    unsigned int n_words = nwf_compared_n_words(field), differs = dice_roll(dice, n_words + 1);
    unsigned int ends = dice_roll(dice, 2) ? dice_roll(dice, n_words) : n_words;

    memset(seen, 0, sizeof *seen);
    set_all_bits(field, seen->mask);
    *operand = *seen;
    for (unsigned int i = 0; i < n_words; i++) {
        unsigned int n_bits = nwf_compared_n_bits(field, i);
        uint32_t counts = (uint32_t) ~((UINT64_C(1) << dice_roll(dice, n_bits)) - 1);

        seen->value[i] = (uint32_t) random_value(dice, n_bits);
        operand->value[i] =
            (uint32_t) (i < differs ? seen->value[i] : near(dice, seen->value[i], n_bits));
        operand->mask[i] &= i < ends ? UINT32_MAX : i == ends ? counts : 0;
        if (!i) {
            make_real(field, operand);
        }
        operand->value[i] &= operand->mask[i];
    }
}

/* Which bits of the word are to be looked at: those that count, down to the first that differs, and
 * what is looked at together with these. */
static uint32_t
bits_to_difference(enum nwf_compared field, const struct nwf_operand *seen,
                   const struct nwf_operand *operand, unsigned int word)
{
    uint32_t difference = (seen->value[word] ^ operand->value[word]) & operand->mask[word];
    unsigned int step = is_ipv6(field) ? 2 : field >= NWF_COMPARED_FIRST_PORT ? 4 : 1;
    unsigned int last = difference ? 31 - (unsigned int) __builtin_clz(difference) : 0;

    return seen->mask[word] & ~((UINT32_C(1) << last / step * step) - 1);
}

/* Whether the flows of a row of tables say of each word what they should, and no bit is looked at
 * that need not be; of a value of which frames are dropped as of others. */
static bool
compares(const struct nwf_flow **flows, size_t n, enum nwf_compared field,
         const struct nwf_operand *seen, const struct nwf_operand *operand, bool dropped)
{
    bool equal = true, good = true;
    struct match packet;

    match_init_catchall(&packet);
    nwf_compared_require(field, &packet);
    nwf_compared_set(field, seen, &packet);
    packet.flow.regs[NWF_REG_EQUAL] = 2 + dropped;
    for (unsigned int i = 0; i < nwf_compared_n_words(field); i++) {
        struct match looked_at;

        packet.flow.regs[NWF_REG_OPERAND] = operand->value[i];
        packet.flow.regs[NWF_REG_OPERAND_MASK] = operand->mask[i];
        const struct nwf_flow *flow =
            look_up(flows, n, (uint8_t) (tables[field] + i), &packet.flow, &looked_at);
        uint32_t bits = equal ? bits_to_difference(field, seen, operand, i) : 0;

        equal = equal && !((seen->value[i] ^ operand->value[i]) & operand->mask[i]);
        good = good && flow && nwf_compared_get(field, &looked_at).mask[i] == bits;
        /* What says that there is a difference writes it down, and what says that there is none. */
        bool is_last = i + 1 == nwf_compared_n_words(field);
        if (flow && flow->priority == 1) {
            packet.flow.regs[NWF_REG_EQUAL] = is_last ? 1 : 2 * (i + 2) + dropped;
        } else if (flow && flow->form->ofpacts_len) {
            packet.flow.regs[NWF_REG_EQUAL] = 0;
        }
        good = good && (packet.flow.regs[NWF_REG_EQUAL] != 0) == equal;
    }
    return good && packet.flow.regs[NWF_REG_EQUAL] == equal;
}

static void
test_comparisons(void **state)
{
    struct nwf_flow_set set;
    size_t n_equal = 0;

    (void) state;
    nwf_flow_set_init(&set);
    nwf_compile_comparisons(UINT32_MAX, &set);
    const struct nwf_flow **flows = nwf_flow_set_sort(&set);
    for (size_t i = 0; i < N_PACKETS; i++) {
        enum nwf_compared field = (enum nwf_compared)(i % NWF_N_COMPARED);
        struct dice dice = dice_seed(i);
        struct nwf_operand seen, operand;

        make_operands(field, &dice, &seen, &operand);
        n_equal += !memcmp(seen.value, operand.value, sizeof seen.value);
        expect(nwf_compared_takes(field, &operand), "seed %zu", i);
        expect(compares(flows, nwf_flow_set_count(&set), field, &seen, &operand,
                        i / NWF_N_COMPARED % 2),
               "table %u, seed %zu", tables[field], i);
    }
    expect(n_equal > N_PACKETS / 20, "%zu packets that have the value", n_equal);
    free(flows);
    nwf_flow_set_finish(&set);
}

/* Fields that nobody compares have no flows. */
static void
test_fields(void **state)
{
    struct nwf_flow_set set;

    (void) state;
    nwf_flow_set_init(&set);
    nwf_compile_comparisons(0, &set);
    assert_int_equal(nwf_flow_set_count(&set), 0);
    nwf_compile_comparisons(1u << NWF_COMPARED_ARP_SPA, &set);
    assert_int_equal(nwf_flow_set_count(&set), 2 * 32 + 3);
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
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
