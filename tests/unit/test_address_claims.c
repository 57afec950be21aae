/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose an IP address is: ranges that overlap are found, however they are nested, as a comparison
 * with each of them finds them. */
#include "support.h"

#include "address_claims.h"
#include "nwf/cleanup.h"
#include "nwf/host.h"
#include "nwf/text.h"

static struct nwf_address
address(const char *text)
{
    struct nwf_address ret;
    struct nwf_error err = NWF_ERROR_INIT;

    expect_ok(nwf_address_parse(text, true, &ret, &err), &err);
    return ret;
}

static void
test_rows(void **state)
{
    static const struct {
        const char *first, *second;
        bool overlap;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.0/24", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.0/24", true},
        {"192.0.2.0/24", "192.0.2.128/25", true},
        {"192.0.2.128/25", "192.0.2.0/25", false},
        {"2001:db8::/64", "2001:db8::1", true},
        {"2001:db8::1", "2001:db8::/127", true},
        {"2001:db8::2", "2001:db8::/127", false},
        {"2001:db8:0:1::/64", "2001:db8::/64", false},
        {"128.0.0.0/1", "192.0.2.1", true},
        {"192.0.2.1", "c000:201::", false}, /* The same bytes. */
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_address first = address(rows[i].first), second = address(rows[i].second);
        struct nwf_address_claims claims;

        nwf_address_claims_init(&claims);
        nwf_address_claims_expect(&claims, &first);
        nwf_address_claims_expect(&claims, &second);
        nwf_address_claims_add(&claims, &first, 1);
        size_t owner = nwf_address_claims_find(&claims, &second, 2);
        expect(owner == (rows[i].overlap ? 1 : NWF_NO_OWNER), "%s, %s: %zu", rows[i].first,
               rows[i].second, owner);
        expect(nwf_address_claims_find(&claims, &second, 1) == NWF_NO_OWNER,
               "%s: it is its own owner's", rows[i].second);
        expect(nwf_address_overlaps(&first, &second) == rows[i].overlap, "%s, %s: overlap",
               rows[i].first, rows[i].second);
        nwf_address_claims_finish(&claims);
    }
}

/* Of few addresses and all lengths, so that many overlap. */
static struct nwf_address
roll(struct dice *dice)
{
    char *text CLEANUP_FREE = dice_roll(dice, 2)
                                  ? nwf_asprintf("10.0.0.%u", dice_roll(dice, 64))
                                  : nwf_asprintf("2001:db8::%x", dice_roll(dice, 64));
    struct nwf_address ret = address(text);
    unsigned int bits = ret.family == AF_INET ? 32 : 128, less = dice_roll(dice, 8);

    for (unsigned int i = 0; i < less; i++) {
        unsigned int bit = bits - 1 - i;
        ret.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    }
    ret.prefix_len = (uint8_t) (bits - less);
    return ret;
}

struct given {
    struct nwf_address address;
    size_t owner;
};

static void
test_random(void **state)
{
    struct dice dice = dice_seed(7);

    (void) state;
    for (int round = 0; round < 200; round++) {
        NWF_VEC(struct given) given = {.data = NULL};
        struct nwf_address_claims claims;
        struct nwf_address addresses[40];

        nwf_address_claims_init(&claims);
        for (size_t i = 0; i < N_ROWS(addresses); i++) {
            addresses[i] = roll(&dice);
            nwf_address_claims_expect(&claims, &addresses[i]);
        }
        for (size_t i = 0; i < N_ROWS(addresses); i++) {
            size_t owner = dice_roll(&dice, 6);
            bool taken = false;
            nwf_vec_foreach (one, &given) {
                taken |= one->owner != owner && nwf_address_overlaps(&one->address, &addresses[i]);
            }
            bool found = nwf_address_claims_find(&claims, &addresses[i], owner) != NWF_NO_OWNER;
            expect(found == taken, "round %d, %zu: found %d, is %d", round, i, found, taken);
            if (!taken) {
                nwf_address_claims_add(&claims, &addresses[i], owner);
                nwf_vec_push(&given, (struct given){addresses[i], owner});
            }
        }
        nwf_address_claims_finish(&claims);
        nwf_vec_clear(&given);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
