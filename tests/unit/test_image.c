/* SPDX-License-Identifier: Apache-2.0
 *
 * The image of a switch's flows: who owns what, what an owner's new flows change, and keys that
 * go from one owner to another. */
#include <config.h>

#include "support.h"

#include "nwf/image.h"
#include "nwf/text.h"
#include "nwf/vec.h"
#include "openvswitch/dynamic-string.h"

#include "lib/flow.h"

/* Owners. */
#define A 1
#define B 2
#define C 0x10001

/* The key is 'number'; the cookie is the data that flows differ in. */
static struct nwf_flow *
flow_of(uint16_t number, uint64_t cookie)
{
    struct match match;

    match_init_catchall(&match);
    match_set_in_port(&match, u16_to_ofp(number));
    match_set_default_packet_type(&match);
    return nwf_flow_new(10, 100, cookie, &match, NULL, 0);
}

static void
put(struct nwf_image *image, nwf_owner owner, uint16_t number, uint64_t cookie)
{
    nwf_image_put(image, owner, flow_of(number, cookie));
}

static bool
take_out(struct nwf_image *image, uint16_t number, nwf_owner *ret_owner)
{
    struct nwf_flow *key = flow_of(number, 0);
    bool found = nwf_image_remove(image, key, ret_owner);

    nwf_flow_free(key);
    return found;
}

/* The cookie of the flow with this key; 0: there is none. */
static uint64_t
cookie_of(const struct nwf_flow_set *set, uint16_t number)
{
    struct nwf_flow *key = flow_of(number, 0);
    const struct nwf_flow *flow = nwf_flow_set_find(set, key);

    nwf_flow_free(key);
    return flow ? flow->cookie : 0;
}

/* Each owner has so many flows, in numbers and on its list, and nobody else has any. */
static void
expect_counts(const struct nwf_image *image, size_t n_a, size_t n_b, size_t n_c)
{
    const size_t expected[] = {n_a, n_b, n_c};
    const nwf_owner owners[] = {A, B, C};
    nwf_owner *listed CLEANUP_FREE = NULL;
    size_t n_listed;

    for (size_t i = 0; i < N_ROWS(owners); i++) {
        const struct ovs_list *flows = nwf_image_flows(image, owners[i]);
        const struct nwf_flow *flow;
        size_t n = 0;

        assert_int_equal(nwf_image_count(image, owners[i]), expected[i]);
        assert_int_equal(flows != NULL, expected[i] > 0);
        if (flows) {
            LIST_FOR_EACH (flow, owned, flows) {
                assert_int_equal(flow->owner, owners[i]);
                n++;
            }
        }
        assert_int_equal(n, expected[i]);
    }
    listed = nwf_image_owners(image, &n_listed);
    assert_int_equal(n_listed, (n_a > 0) + (n_b > 0) + (n_c > 0));
    assert_int_equal(nwf_flow_set_count(&image->flows), n_a + n_b + n_c);
}

static void
test_put_and_remove(void **state)
{
    struct nwf_image image;
    nwf_owner owner = 0;

    (void) state;
    nwf_image_init(&image);
    expect_counts(&image, 0, 0, 0);
    put(&image, A, 1, 11);
    put(&image, A, 2, 12);
    put(&image, C, 3, 13);
    expect_counts(&image, 2, 0, 1);
    put(&image, A, 2, 22); /* In the place of the first. */
    expect_counts(&image, 2, 0, 1);
    assert_int_equal(cookie_of(&image.flows, 2), 22);
    assert_false(take_out(&image, 4, &owner));
    assert_int_equal(owner, 0);
    assert_true(take_out(&image, 3, &owner));
    assert_int_equal(owner, C);
    assert_true(take_out(&image, 1, NULL));
    expect_counts(&image, 1, 0, 0);
    nwf_image_clear(&image);
    expect_counts(&image, 0, 0, 0);
    put(&image, B, 1, 1);
    expect_counts(&image, 0, 1, 0);
    nwf_image_finish(&image);
}

static void
test_key_moves(void **state)
{
    struct nwf_image image;
    nwf_owner owner;

    (void) state;
    nwf_image_init(&image);
    put(&image, A, 1, 11);
    put(&image, B, 2, 12);
    put(&image, B, 1, 21);
    expect_counts(&image, 0, 2, 0);
    assert_int_equal(cookie_of(&image.flows, 1), 21);
    put(&image, C, 1, 31);
    put(&image, A, 2, 32);
    expect_counts(&image, 1, 0, 1);
    assert_true(take_out(&image, 2, &owner));
    assert_int_equal(owner, A);
    expect_counts(&image, 0, 0, 1);
    nwf_image_finish(&image);
}

/* Flows of a set that is to come to the image share forms with those that are there; what is in
 * use outlives the image. */
static void
test_forms(void **state)
{
    struct nwf_flow_set coming, alone;
    struct nwf_image image;

    (void) state;
    nwf_image_init(&image);
    nwf_flow_set_init(&coming);
    nwf_flow_set_init(&alone);
    coming.forms = &image.forms;
    struct nwf_flow *first = flow_of(1, 11), *second = flow_of(2, 12), *third = flow_of(3, 13);
    nwf_image_put(&image, A, first);
    nwf_flow_set_insert(&coming, second);
    nwf_flow_set_insert(&alone, third);
    assert_ptr_equal(first->form, second->form);
    assert_ptr_not_equal(first->form, third->form);
    assert_int_equal(first->form->n_users, 2);
    assert_int_equal(hmap_count(&image.forms.forms), 1);
    assert_true(take_out(&image, 1, NULL));
    assert_int_equal(second->form->n_users, 1);
    nwf_flow_set_move(&coming, &alone);
    assert_ptr_equal(second->form, third->form);
    nwf_image_clear(&image);
    nwf_image_take(&image, B, &coming);
    expect_counts(&image, 0, 2, 0);
    assert_int_equal(cookie_of(&image.flows, 3), 13);
    assert_int_equal(hmap_count(&image.forms.forms), 1);
    nwf_image_finish(&image);
    nwf_flow_set_finish(&coming);
    nwf_flow_set_finish(&alone);
}

/* A flow of port 'number' as a guest has them: what it sets, and what it makes the switch learn,
 * name the port. */
static const struct nwf_flow *
parse_flow(struct nwf_flow_set *set, unsigned int number)
{
    char *text CLEANUP_FREE =
        nwf_asprintf("table=11,priority=9,in_port=7 actions=set_field:0x%x->reg12,"
                     "set_field:0x%x/0xffff->reg3,resubmit(,237),"
                     "learn(table=101,cookie=0x%x,NXM_NX_REG11[0..15]=NXM_OF_IN_PORT[]),"
                     "set_field:52:54:00:00:00:%02x->eth_dst,goto_table:12",
                     number, number, number, number);

    assert_int_equal(nwf_flow_set_parse(set, "flow", text, 5, NULL), 0);
    return CONTAINER_OF(hmap_first(&set->flows), struct nwf_flow, node);
}

static void
expect_alike(const struct nwf_flow *a, const struct nwf_flow *b, bool alike)
{
    struct ds x CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    struct ds y CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;

    nwf_flow_format(a, &x);
    nwf_flow_format(b, &y);
    assert_int_equal(!strcmp(ds_cstr(&x), ds_cstr(&y)), alike);
    assert_int_equal(nwf_flow_data_equal(a, b), alike);
    assert_int_equal(nwf_flow_data_equal(b, a), alike);
}

/* Flows that set other values to the same fields share a form all the same, and each keeps its
 * own. */
static void
test_values(void **state)
{
    struct nwf_flow_set own[2], shared[2];
    const struct nwf_flow *flows[4];
    struct nwf_image image;

    (void) state;
    nwf_image_init(&image);
    for (unsigned int i = 0; i < 2; i++) {
        nwf_flow_set_init(&own[i]);
        nwf_flow_set_init(&shared[i]);
        shared[i].forms = &image.forms;
        flows[i] = parse_flow(&own[i], 17 + i);
        flows[2 + i] = parse_flow(&shared[i], 17 + i);
    }
    assert_ptr_equal(flows[2]->form, flows[3]->form);
    assert_int_equal(hmap_count(&image.forms.forms), 1);
    for (unsigned int i = 0; i < 4; i++) {
        for (unsigned int j = 0; j < 4; j++) {
            expect_alike(flows[i], flows[j], i % 2 == j % 2);
        }
    }
    nwf_image_take(&image, A, &shared[0]);
    nwf_image_clear(&image); /* What is not in it keeps the form. */
    expect_alike(flows[3], flows[1], true);
    nwf_image_take(&image, A, &shared[1]);
    expect_alike(flows[3], flows[1], true);
    for (unsigned int i = 0; i < 2; i++) {
        nwf_flow_set_finish(&own[i]);
        nwf_flow_set_finish(&shared[i]);
    }
    nwf_image_finish(&image);
}

/* ---- An owner's new flows. ---- */

struct diff {
    struct nwf_changes deletions, rest;
};

static struct diff
diff_of(const struct nwf_image *image, nwf_owner owner, const struct nwf_flow_set *desired)
{
    struct diff d;

    memset(&d, 0, sizeof d);
    nwf_image_diff(image, owner, desired, &d.deletions, &d.rest);
    nwf_vec_foreach (change, &d.deletions) {
        assert_int_equal(change->kind, NWF_CHANGE_DELETE);
        assert_ptr_equal(nwf_flow_set_find(&image->flows, change->flow), change->flow);
        assert_int_equal(change->flow->owner, owner);
    }
    nwf_vec_foreach (change, &d.rest) {
        assert_int_equal(change->kind, nwf_flow_set_find(&image->flows, change->flow)
                                           ? NWF_CHANGE_REPLACE
                                           : NWF_CHANGE_ADD);
        assert_ptr_equal(nwf_flow_set_find(desired, change->flow), change->flow);
    }
    return d;
}

static void
diff_free(struct diff *d)
{
    nwf_vec_clear(&d->deletions);
    nwf_vec_clear(&d->rest);
}

static void
apply_deletions(struct nwf_image *image, const struct diff *d)
{
    nwf_vec_foreach (change, &d->deletions) {
        assert_true(nwf_image_remove(image, change->flow, NULL));
    }
}

static void
want(struct nwf_flow_set *set, uint16_t number, uint64_t cookie)
{
    nwf_flow_set_insert(set, flow_of(number, cookie));
}

/* Nothing of others is looked at, but for keys that both have. */
static void
test_diff_and_take(void **state)
{
    struct nwf_image image;
    struct nwf_flow_set desired;
    struct diff d;

    (void) state;
    nwf_image_init(&image);
    nwf_flow_set_init(&desired);
    for (uint16_t number = 1; number <= 6; number++) {
        put(&image, number <= 3 ? A : B, number, number);
    }
    want(&desired, 1, 1);  /* As it is; 2 goes. */
    want(&desired, 3, 33); /* Other data. */
    want(&desired, 4, 4);  /* From B, as it is there. */
    want(&desired, 5, 55); /* From B, with other data. */
    want(&desired, 7, 7);
    d = diff_of(&image, A, &desired);
    assert_int_equal(d.deletions.n, 1);
    assert_int_equal(d.deletions.data[0].flow->cookie, 2);
    assert_int_equal(d.rest.n, 3);
    apply_deletions(&image, &d);
    nwf_image_take(&image, A, &desired);
    assert_int_equal(nwf_flow_set_count(&desired), 0);
    expect_counts(&image, 5, 1, 0);
    assert_int_equal(cookie_of(&image.flows, 2), 0);
    assert_int_equal(cookie_of(&image.flows, 3), 33);
    assert_int_equal(cookie_of(&image.flows, 5), 55);
    diff_free(&d);
    nwf_flow_set_finish(&desired);
    nwf_image_finish(&image);
}

static void
test_nothing_wanted(void **state)
{
    struct nwf_image image;
    struct nwf_flow_set nothing;
    struct diff d;

    (void) state;
    nwf_image_init(&image);
    nwf_flow_set_init(&nothing);
    put(&image, A, 1, 1);
    put(&image, B, 2, 2);
    d = diff_of(&image, C, &nothing);
    assert_int_equal(d.deletions.n + d.rest.n, 0);
    diff_free(&d);
    d = diff_of(&image, B, &nothing);
    assert_int_equal(d.deletions.n, 1);
    assert_int_equal(d.rest.n, 0);
    apply_deletions(&image, &d);
    expect_counts(&image, 1, 0, 0);
    diff_free(&d);
    nwf_flow_set_finish(&nothing);
    nwf_image_finish(&image);
}

/* Two owners at once, and a key of one that is the other's from now on: deletions come first,
 * so that what is put afterwards stays. */
static void
test_key_moves_in_one_pass(void **state)
{
    struct nwf_image image;
    struct nwf_flow_set of_a, of_b;
    struct diff a, b;

    (void) state;
    nwf_image_init(&image);
    nwf_flow_set_init(&of_a);
    nwf_flow_set_init(&of_b);
    put(&image, A, 1, 11);
    put(&image, A, 2, 12);
    want(&of_a, 1, 11);
    want(&of_b, 2, 22);
    a = diff_of(&image, A, &of_a);
    b = diff_of(&image, B, &of_b);
    assert_int_equal(a.deletions.n, 1);
    assert_int_equal(b.rest.n, 1);
    apply_deletions(&image, &a);
    nwf_image_take(&image, A, &of_a);
    nwf_image_take(&image, B, &of_b);
    expect_counts(&image, 1, 1, 0);
    assert_int_equal(cookie_of(&image.flows, 2), 22);
    diff_free(&a);
    diff_free(&b);
    nwf_flow_set_finish(&of_a);
    nwf_flow_set_finish(&of_b);
    nwf_image_finish(&image);
}

/* ---- Many. ---- */

#define N_KEYS 40
#define N_OWNERS 5
#define N_ROUNDS 3000

struct model {
    nwf_owner owner[N_KEYS]; /* 0: there is no flow. */
    uint64_t cookie[N_KEYS];
};

static void
take_random(struct nwf_image *image, struct model *model, struct dice *dice)
{
    nwf_owner owner = 1 + dice_roll(dice, N_OWNERS);
    struct nwf_flow_set desired;
    struct diff d;

    nwf_flow_set_init(&desired);
    for (uint16_t key = 0; key < N_KEYS; key++) {
        model->owner[key] = model->owner[key] == owner ? 0 : model->owner[key];
        if (!dice_roll(dice, 8)) {
            model->owner[key] = owner;
            model->cookie[key] = 1 + dice_roll(dice, 3);
            want(&desired, key, model->cookie[key]);
        }
    }
    d = diff_of(image, owner, &desired);
    apply_deletions(image, &d);
    nwf_image_take(image, owner, &desired);
    diff_free(&d);
    nwf_flow_set_finish(&desired);
}

static void
expect_model(const struct nwf_image *image, const struct model *model)
{
    size_t counts[N_OWNERS + 1] = {0};

    for (uint16_t key = 0; key < N_KEYS; key++) {
        counts[model->owner[key]]++;
        assert_int_equal(cookie_of(&image->flows, key), model->owner[key] ? model->cookie[key] : 0);
    }
    for (nwf_owner owner = 1; owner <= N_OWNERS; owner++) {
        assert_int_equal(nwf_image_count(image, owner), counts[owner]);
    }
}

static void
test_random(void **state)
{
    struct dice dice = dice_seed(1);
    struct model model;
    struct nwf_image image;

    (void) state;
    memset(&model, 0, sizeof model);
    nwf_image_init(&image);
    for (int i = 0; i < N_ROUNDS; i++) {
        if (dice_roll(&dice, 2)) {
            take_random(&image, &model, &dice);
        } else {
            uint16_t key = (uint16_t) dice_roll(&dice, N_KEYS);
            nwf_owner owner = 0;
            assert_int_equal(take_out(&image, key, &owner), model.owner[key] != 0);
            assert_int_equal(owner, model.owner[key]);
            model.owner[key] = 0;
        }
        expect_model(&image, &model);
    }
    nwf_image_finish(&image);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_and_remove),
        cmocka_unit_test(test_key_moves),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_diff_and_take),
        cmocka_unit_test(test_nothing_wanted),
        cmocka_unit_test(test_key_moves_in_one_pass),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
