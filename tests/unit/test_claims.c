/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose an address is: nobody who is left has another's own, in a VLAN that both are in; who
 * had it keeps it; and what nobody has as its own is shared. */
#include "support.h"

#include "nwf/claims.h"

#define N_PORTS 6

struct outcome {
    bool refused[N_PORTS + 1];
};

static void
refuse(const struct nwf_claim *refused, const struct nwf_claim *owner, void *outcome_)
{
    struct outcome *outcome = outcome_;

    expect(!outcome->refused[refused->port], "port %zu is refused twice", refused->port);
    expect(!memcmp(&refused->mac, &owner->mac, sizeof owner->mac) && refused->port != owner->port,
           "refused for another address, or by itself");
    outcome->refused[refused->port] = true;
}

/* ---- One address of two ports. ---- */

static const struct nwf_vlan trunk = {.mode = NWF_VLAN_TRUNK};
static const struct nwf_vlan vlan_5 = {.mode = NWF_VLAN_ACCESS, .tag = 5};
static const struct nwf_vlan vlan_6 = {.mode = NWF_VLAN_ACCESS, .tag = 6};

struct row {
    const char *what;
    struct nwf_claim claims[2];
    int refused; /* Which of the two; -1: none. */
};

#define OWN .pinned = true
#define NEXT .port = 1, .ofport = 2

static const struct row rows[] = {
    {"two that have it as their own", {{OWN}, {OWN, NEXT}}, 1},
    {"the second has it now", {{OWN}, {OWN, NEXT, .holds = true}}, 0},
    {"the second is active", {{OWN}, {OWN, NEXT, .active = true}}, 0},
    {"one has it, the other was active", {{OWN, .holds = true}, {OWN, NEXT, .active = true}}, 1},
    {"one has it among others", {{.holds = true}, {OWN, NEXT}}, 0},
    {"one has it among others, and is active", {{.active = true}, {OWN, NEXT}}, 1},
    {"    in another VLAN", {{.active = true, .vlan = &vlan_5}, {OWN, NEXT, .vlan = &vlan_6}}, -1},
    {"    but it is the other's now", {{.active = true}, {OWN, NEXT, .holds = true}}, 0},
    {"    but the other is active too", {{.active = true}, {OWN, NEXT, .active = true}}, 0},
    {"both have it among others", {{.port = 0}, {NEXT}}, -1},
    {"the host's", {{OWN, .holds = true}, {.fixed = true, NEXT}}, 0},
    {"the host's, among others", {{.fixed = true}, {NEXT, .vlan = &vlan_5}}, 1},
    {"the same VLAN", {{OWN, .vlan = &vlan_5}, {OWN, NEXT, .vlan = &vlan_5}}, 1},
    {"other VLANs", {{OWN, .vlan = &vlan_5}, {OWN, NEXT, .vlan = &vlan_6}}, -1},
    {"a VLAN of a trunk", {{OWN, .vlan = &vlan_5}, {OWN, NEXT, .vlan = &trunk}}, 1},
    {"a port's own address, twice", {{OWN}, {.pinned = false}}, -1},
};

static void
test_rows(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        for (size_t turn = 0; turn < 2; turn++) { /* The order in which they come is no matter. */
            struct nwf_claims claims = {.data = NULL};
            struct outcome outcome = {.refused = {false}};

            nwf_vec_push(&claims, rows[i].claims[turn]);
            nwf_vec_push(&claims, rows[i].claims[!turn]);
            nwf_claims_judge(&claims, refuse, &outcome);
            for (int port = 0; port < 2; port++) {
                expect(outcome.refused[port] == (port == rows[i].refused), "%s: port %d",
                       rows[i].what, port);
            }
            nwf_vec_clear(&claims);
        }
    }
}

static void
test_none(void **state)
{
    struct nwf_claims claims = {.data = NULL};

    (void) state;
    nwf_claims_judge(&claims, refuse, NULL);
}

/* ---- Many at random. ---- */

static struct nwf_vlan vlans[] = {
    {.mode = NWF_VLAN_TRUNK},
    {.mode = NWF_VLAN_ACCESS, .tag = 5},
    {.mode = NWF_VLAN_NATIVE_TAGGED, .tag = 6, .limited = true},
    {.mode = NWF_VLAN_TRUNK, .limited = true},
};

static bool
share(const struct nwf_vlan *a, const struct nwf_vlan *b)
{
    for (uint16_t vid = 0; a && b && vid < NWF_N_VLANS; vid++) {
        if (nwf_vlan_has(a, vid) && nwf_vlan_has(b, vid)) {
            return true;
        }
    }
    return !a || !b;
}

static bool
conflict(const struct nwf_claim *a, const struct nwf_claim *b)
{
    return a->port != b->port && !memcmp(&a->mac, &b->mac, sizeof a->mac)
           && (a->pinned || b->pinned || a->fixed || b->fixed) && share(a->vlan, b->vlan);
}

static void
test_random(void **state)
{
    size_t n_refused = 0;

    (void) state;
    nwf_vlan_add_trunk(&vlans[2], 5);
    nwf_vlan_add_trunk(&vlans[3], 6);
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct dice dice = dice_seed(seed);
        struct nwf_claims claims = {.data = NULL};
        struct outcome outcome = {.refused = {false}};

        for (size_t i = 0; i < 1 + dice_roll(&dice, 12); i++) {
            uint32_t port = dice_roll(&dice, N_PORTS);
            nwf_vec_push(&claims, (struct nwf_claim){
                                      .mac = {{2, 0, 0, 0, 0, (uint8_t) dice_roll(&dice, 3)}},
                                      .vlan = &vlans[port % 4],
                                      .port = port,
                                      .ofport = (uint16_t) (port + 1),
                                      .pinned = dice_roll(&dice, 2),
                                      .holds = dice_roll(&dice, 2),
                                      .active = dice_roll(&dice, 2),
                                  });
        }
        if (dice_roll(&dice, 2)) {
            nwf_vec_push(&claims, (struct nwf_claim){
                                      .mac = {{2, 0, 0, 0, 0, 1}}, .port = N_PORTS, .fixed = true});
        }
        nwf_claims_judge(&claims, refuse, &outcome);
        expect(!outcome.refused[N_PORTS], "seed %lu: the host's own", (unsigned long) seed);
        nwf_vec_foreach (a, &claims) {
            n_refused += outcome.refused[a->port];
            nwf_vec_foreach (b, &claims) {
                expect(!conflict(a, b) || outcome.refused[a->port] || outcome.refused[b->port],
                       "seed %lu: ports %zu and %zu are left with one address",
                       (unsigned long) seed, a->port, b->port);
            }
        }
        nwf_vec_clear(&claims);
    }
    expect(n_refused > 100, "only %zu claims were refused", n_refused);
    nwf_vlan_clear(&vlans[2]);
    nwf_vlan_clear(&vlans[3]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
