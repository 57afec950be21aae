/* SPDX-License-Identifier: Apache-2.0
 *
 * Variables: names and values hold nothing that could mean something to a later
 * reader, lists keep their order and end at their limit, and of two sets of variables
 * the outer one wins name by name. */
#include "support.h"

#include <errno.h>

#include "nwf/filter.h"
#include "nwf/params.h"
#include "nwf/text.h"

static void
expect_params(const struct nwf_params *params, const char *text)
{
    char *formatted CLEANUP_FREE = nwf_params_format(params);

    assert_string_equal(formatted, text);
}

static void
test_names_and_values(void **state)
{
    static const struct {
        const char *name, *value;
        bool good;
    } rows[] = {
        {"IP", "10.0.0.5", true}, {"_a_1", "fe80::1/64", true}, {"a", "tcp-ipv6", true},
        {"", "1", false},         {"A-B", "1", false},          {"A B", "1", false},
        {"$A", "1", false},       {"A\n", "1", false},          {"\xc3\x84", "1", false},
        {"A", "", false},         {"A", "1 2", false},          {"A", "1,2", false},
        {"A", "$B", false},       {"A", "1\n", false},          {"A", "\x1b[0m", false},
        {"A", "<x>", false},      {"A", "\"", false},           {"A", "=", false},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_params params CLEANUP(nwf_params_clear) = {.list.data = NULL};
        struct nwf_error err = NWF_ERROR_INIT;
        int r = nwf_params_add(&params, rows[i].name, rows[i].value, &err);

        expect(rows[i].good ? !r : r == -EINVAL, "row %zu: %d", i, r);
        expect((nwf_params_find(&params, rows[i].name) != NULL) == rows[i].good, "row %zu", i);
        nwf_error_clear(&err);
    }
}

static void
test_longest(void **state)
{
    struct nwf_params params CLEANUP(nwf_params_clear) = {.list.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    char name[NWF_NAME_MAX + 2] = "";

    (void) state;
    memset(name, 'A', NWF_NAME_MAX);
    expect_ok(nwf_params_add(&params, name, name, &err), &err);
    name[NWF_NAME_MAX] = 'A';
    expect_error(nwf_params_add(&params, name, "1", &err), &err, "is not a variable's name");
    expect_error(nwf_params_add(&params, "A", name, &err), &err, "is not a value");
}

static void
test_lists(void **state)
{
    static const struct {
        const char *text;
        const char *formatted; /* NULL: refused. */
    } rows[] = {
        {"1", "A=1"},          {"1,2,3", "A=1,2,3"}, {"3 1\t2", "A=3,1,2"},
        {" 1 , 2 ,", "A=1,2"}, {"1,1", "A=1,1"},     {"", ""},
        {" , ", ""},           {"1;2", NULL},        {"1\n2", NULL},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_params params CLEANUP(nwf_params_clear) = {.list.data = NULL};
        struct nwf_error err = NWF_ERROR_INIT;
        int r = nwf_params_add_list(&params, "A", rows[i].text, &err);

        expect(rows[i].formatted ? !r : r == -EINVAL, "\"%s\": %d", rows[i].text, r);
        if (rows[i].formatted) {
            expect_params(&params, rows[i].formatted);
        }
        nwf_error_clear(&err);
    }
}

static void
test_list_limit(void **state)
{
    struct nwf_params params CLEANUP(nwf_params_clear) = {.list.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    for (int i = 0; i < NWF_VALUES_MAX; i++) {
        expect_ok(nwf_params_add(&params, "A", "1", &err), &err);
    }
    expect_error(nwf_params_add(&params, "A", "1", &err), &err, "more than 4096 values");
    assert_int_equal(nwf_params_find(&params, "A")->values.n, NWF_VALUES_MAX);
}

static void
test_order(void **state)
{
    struct nwf_params params CLEANUP(nwf_params_clear) = {.list.data = NULL};

    (void) state;
    params_of("M=1 A=1 Z=1 B=1 MM=1 M=2", &params);
    expect_params(&params, "A=1 B=1 M=1,2 MM=1 Z=1");
    assert_null(nwf_params_find(&params, "MMM"));
    assert_null(nwf_params_find(&params, ""));
}

static void
test_override(void **state)
{
    static const struct {
        const char *inner, *outer, *both;
    } rows[] = {
        {"", "", ""},
        {"A=1", "", "A=1"},
        {"", "A=1", "A=1"},
        {"A=1 B=1", "B=2 C=2", "A=1 B=2 C=2"},
        {"A=1,2,3", "A=4", "A=4"}, /* A list is replaced, not added to. */
        {"A=4", "A=1,2,3", "A=1,2,3"},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_params inner CLEANUP(nwf_params_clear);
        struct nwf_params outer CLEANUP(nwf_params_clear);

        params_of(rows[i].inner, &inner);
        params_of(rows[i].outer, &outer);
        nwf_params_override(&inner, &outer);
        expect_params(&inner, rows[i].both);
        expect_params(&outer, rows[i].outer);
    }
}

/* What a union would give, without one: the outermost scope that has a variable wins. */
static void
test_scopes(void **state)
{
    struct nwf_params port CLEANUP(nwf_params_clear);
    struct nwf_params middle CLEANUP(nwf_params_clear);
    struct nwf_params inner CLEANUP(nwf_params_clear);
    const struct nwf_scope outermost = {&port, NULL}, around = {&middle, &outermost},
                           scope = {&inner, &around};

    (void) state;
    params_of("A=1", &port);
    params_of("A=2 B=2,3", &middle);
    params_of("A=4 B=4 C=4", &inner);
    assert_string_equal(nwf_scope_find(&scope, "A")->values.data[0], "1");
    assert_int_equal(nwf_scope_find(&scope, "B")->values.n, 2);
    assert_string_equal(nwf_scope_find(&scope, "C")->values.data[0], "4");
    assert_null(nwf_scope_find(&scope, "D"));
    assert_null(nwf_scope_find(&around, "C"));
}

/* Values are counted when they come and when a list takes another's place. */
static void
test_count(void **state)
{
    struct nwf_params params CLEANUP(nwf_params_clear);
    struct nwf_params outer CLEANUP(nwf_params_clear);

    (void) state;
    params_of("A=1,2,3 B=1", &params);
    params_of("A=4 C=5,6", &outer);
    assert_int_equal(params.n_values, 4);
    nwf_params_override(&params, &outer);
    assert_int_equal(params.n_values, 4); /* A=4 B=1 C=5,6 */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_values),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_list_limit),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_override),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
