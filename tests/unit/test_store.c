/* SPDX-License-Identifier: Apache-2.0
 *
 * A store that is renewed: filters are what their source has now, but for those that are broken
 * there, which stay what they were. */
#include "support.h"

#include <errno.h>

#include "nwf/filter.h"
#include "nwf/text.h"

#define NAMED(RULES) "<filter name='f'>" RULES "</filter>"
#define ONE NAMED("<rule action='drop' direction='in'><arp/></rule>")
#define TWO                                                                                        \
    NAMED("<rule action='drop' direction='in'><arp/></rule>"                                       \
          "<rule action='drop' direction='in'><ip/></rule>")
#define BROKEN NAMED("<rule/>")
#define WORSE NAMED("<rule action='drop'/>")

/* What the source has of filters "f" and "g"; NULL: nothing. */
static struct text_filter source[] = {{"f", NULL}, {"g", NULL}};
static unsigned int n_reads;
static int read_error;

static int
read_source(void *aux, const char *name, char **ret_path, char **ret_data, size_t *ret_size,
            struct nwf_error *err)
{
    (void) aux;
    n_reads++;
    for (size_t i = 0; i < N_ROWS(source); i++) {
        if (!strcmp(source[i].name, name) && source[i].xml) {
            if (read_error) {
                return nwf_error_set(err, read_error, "the disk is broken");
            }
            *ret_path = nwf_asprintf("%s.xml", name);
            *ret_data = nwf_strdup(source[i].xml);
            *ret_size = strlen(source[i].xml);
            return 0;
        }
    }
    return nwf_error_set(err, -ENOENT, "no such filter");
}

static void
set_source(const char *f, const char *g)
{
    source[0].xml = f;
    source[1].xml = g;
    read_error = 0;
}

/* Renews the store in its place. */
static bool
renew(struct nwf_store **store)
{
    bool differs;
    struct nwf_store *fresh = nwf_store_renew(*store, &differs);

    nwf_store_free(*store);
    *store = fresh;
    return differs;
}

static void
expect_entries(struct nwf_store *store, const char *name, size_t n)
{
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_filter *filter;

    expect_ok(nwf_store_get(store, name, &filter, &err), &err);
    assert_string_equal(filter->name, name);
    assert_int_equal(filter->entries.n, n);
}

static int
get(struct nwf_store *store, const char *name, struct nwf_error *err)
{
    const struct nwf_filter *filter;

    return nwf_store_get(store, name, &filter, err);
}

static int
check_current(struct nwf_store *store, const char *name, struct nwf_error *err)
{
    const struct nwf_filter *filter;

    expect_ok(nwf_store_get(store, name, &filter, err), err);
    return nwf_store_check_current(store, filter, err);
}

static void
add_name(const char *name, const struct nwf_error *error, void *list_)
{
    char *list = list_;

    assert_non_null(error->text);
    strcat(strcat(list, name), " ");
}

static void
expect_outdated(const struct nwf_store *store, const char *expected)
{
    char list[64] = "";

    nwf_store_each_outdated(store, add_name, list);
    assert_string_equal(list, expected);
}

static void
test_good_one_replaces(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_store *store = nwf_store_new(read_source, NULL);

    (void) state;
    set_source(ONE, NULL);
    expect_entries(store, "f", 1);
    assert_false(renew(&store));
    set_source(TWO, NULL);
    expect_entries(store, "f", 1);
    assert_true(renew(&store));
    expect_entries(store, "f", 2);
    expect_outdated(store, "");
    expect_ok(check_current(store, "f", &err), &err);
    assert_false(renew(&store));
    nwf_store_free(store);
}

static void
test_broken_one_keeps_the_old(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_store *store = nwf_store_new(read_source, NULL);

    (void) state;
    set_source(ONE, NULL);
    expect_entries(store, "f", 1);
    set_source(BROKEN, NULL);
    assert_true(renew(&store));
    expect_entries(store, "f", 1);
    expect_outdated(store, "f ");
    expect_error(check_current(store, "f", &err), &err, "filter f stays as it was: f.xml:1");
    set_source(WORSE, NULL); /* The same flows, and another status. */
    assert_true(renew(&store));
    expect_entries(store, "f", 1);
    expect_error(check_current(store, "f", &err), &err,
                 "filter f stays as it was: f.xml:1: <rule> needs the attribute direction");
    assert_false(renew(&store));
    set_source(TWO, NULL);
    assert_true(renew(&store));
    expect_entries(store, "f", 2);
    expect_outdated(store, "");
    nwf_store_free(store);
}

/* Repaired, as it was: its ports have another status. */
static void
test_repaired(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_store *store = nwf_store_new(read_source, NULL);

    (void) state;
    set_source(ONE, NULL);
    expect_entries(store, "f", 1);
    set_source(BROKEN, NULL);
    assert_true(renew(&store));
    set_source(ONE, NULL);
    assert_true(renew(&store));
    expect_entries(store, "f", 1);
    expect_ok(check_current(store, "f", &err), &err);
    expect_outdated(store, "");
    nwf_store_free(store);
}

static void
test_unreadable_one_keeps_the_old(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_store *store = nwf_store_new(read_source, NULL);

    (void) state;
    set_source(ONE, NULL);
    expect_entries(store, "f", 1);
    read_error = -EIO;
    assert_true(renew(&store));
    expect_entries(store, "f", 1);
    expect_error(check_current(store, "f", &err), &err, "the disk is broken");
    nwf_store_free(store);
}

static void
test_deleted(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_store *store = nwf_store_new(read_source, NULL);

    (void) state;
    set_source(ONE, NULL);
    expect_entries(store, "f", 1);
    set_source(NULL, NULL);
    assert_true(renew(&store));
    assert_int_equal(get(store, "f", &err), -ENOENT);
    nwf_error_clear(&err);
    expect_outdated(store, "");
    assert_false(renew(&store));
    /* What is broken when it comes back has no definition from before. */
    set_source(BROKEN, NULL);
    assert_true(renew(&store));
    expect_error(get(store, "f", &err), &err, "f.xml:1");
    expect_outdated(store, "");
    nwf_store_free(store);
}

/* One that was kept, and then deleted. */
static void
test_deleted_while_broken(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_store *store = nwf_store_new(read_source, NULL);

    (void) state;
    set_source(ONE, NULL);
    expect_entries(store, "f", 1);
    set_source(BROKEN, NULL);
    assert_true(renew(&store));
    set_source(NULL, NULL);
    assert_true(renew(&store));
    assert_int_equal(get(store, "f", &err), -ENOENT);
    nwf_error_clear(&err);
    expect_outdated(store, "");
    nwf_store_free(store);
}

static void
test_never_there(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_store *store = nwf_store_new(read_source, NULL);

    (void) state;
    set_source(NULL, NULL);
    assert_int_equal(get(store, "f", &err), -ENOENT);
    nwf_error_clear(&err);
    assert_false(renew(&store));
    set_source(ONE, NULL);
    assert_int_equal(get(store, "f", &err), -ENOENT); /* Read once. */
    nwf_error_clear(&err);
    assert_true(renew(&store));
    n_reads = 0;
    expect_entries(store, "f", 1);
    assert_int_equal(n_reads, 0);
    nwf_store_free(store);
}

/* A filter that refers to one from before is not current either. */
static void
test_references(void **state)
{
    static const char refers[] = "<filter name='g'><filterref filter='f'/></filter>";
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_store *store = nwf_store_new(read_source, NULL);

    (void) state;
    set_source(ONE, refers);
    expect_entries(store, "f", 1);
    expect_entries(store, "g", 1);
    expect_ok(check_current(store, "g", &err), &err);
    set_source(BROKEN, refers);
    assert_true(renew(&store));
    expect_outdated(store, "f ");
    expect_error(check_current(store, "g", &err), &err, "filter f stays as it was");
    set_source(ONE, BROKEN);
    assert_true(renew(&store));
    expect_outdated(store, "g ");
    expect_ok(check_current(store, "f", &err), &err);
    expect_error(check_current(store, "g", &err), &err, "filter g stays as it was");
    nwf_store_free(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_one_replaces),
        cmocka_unit_test(test_broken_one_keeps_the_old),
        cmocka_unit_test(test_repaired),
        cmocka_unit_test(test_unreadable_one_keeps_the_old),
        cmocka_unit_test(test_deleted),
        cmocka_unit_test(test_deleted_while_broken),
        cmocka_unit_test(test_never_there),
        cmocka_unit_test(test_references),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
