/* SPDX-License-Identifier: Apache-2.0
 *
 * Text helpers and error lines: numbers are read whole or not at all, names hold no
 * character that was not asked for, and whatever is quoted in an error comes out as
 * one printable line of UTF-8 and of bounded length. */
#include "support.h"

#include <errno.h>
#include <jansson.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "nwf/vec.h"

static void
test_parse_int(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max;
        bool good;
        int64_t value;
    } rows[] = {
        {"0", 0, 10, true, 0},
        {"10", 0, 10, true, 10},
        {"-1000", -1000, 1000, true, -1000},
        {"0x10", 0, 255, true, 16},
        {"0Xff", 0, 255, true, 255},
        {"007", 0, 10, true, 7}, /* Decimal, as in libvirt: a leading 0 is no octal. */
        {"010", 0, 10, true, 10},
        {"9223372036854775807", 0, INT64_MAX, true, INT64_MAX},
        {"-9223372036854775808", INT64_MIN, 0, true, INT64_MIN},
        {"11", 0, 10, false, 0},
        {"-1", 0, 10, false, 0},
        {"", 0, 10, false, 0},
        {"-", -10, 10, false, 0},
        {"+1", 0, 10, false, 0},
        {" 1", 0, 10, false, 0},
        {"1 ", 0, 10, false, 0},
        {"1\n", 0, 10, false, 0},
        {"- 1", -10, 10, false, 0},
        {"--1", -10, 10, false, 0},
        {"-0x1", -10, 10, false, 0},
        {"0x", 0, 10, false, 0},
        {"0x-1", -10, 10, false, 0},
        {"0x 1", 0, 10, false, 0},
        {"x1", 0, 10, false, 0},
        {"1x", 0, 10, false, 0},
        {"1e1", 0, 10, false, 0},
        {"1.0", 0, 10, false, 0},
        {"0b1", 0, 10, false, 0},
        {"\xd9\xa1", 0, 10, false, 0}, /* ARABIC-INDIC DIGIT ONE */
        {"9223372036854775808", 0, INT64_MAX, false, 0},
        {"18446744073709551616", 0, INT64_MAX, false, 0},
        {"99999999999999999999999999999999", 0, INT64_MAX, false, 0},
        {"-9223372036854775809", INT64_MIN, 0, false, 0},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        int64_t value = 4711;
        bool good = nwf_parse_int(rows[i].text, rows[i].min, rows[i].max, &value);
        expect(good == rows[i].good && value == (good ? rows[i].value : 4711), "\"%s\": %d, %lld",
               rows[i].text, good, (long long) value);
    }
}

static void
test_is_name(void **state)
{
    static const struct {
        const char *text, *extra;
        size_t max;
        bool good;
    } rows[] = {
        {"a", "", 1, true},         {"IP", "_", 128, true},       {"a-b_c.9", "-_.", 7, true},
        {"", "_", 128, false},      {"a-b_c.9", "-_.", 6, false}, {"a b", "_", 128, false},
        {"a/b", "_.-", 128, false}, {"a\nb", "_", 128, false},    {"\xc3\xa9", "_", 128, false},
        {"a\x80", "_", 128, false}, {"a$", "_", 128, false},      {"a;b", "_", 128, false},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        expect(nwf_text_is_name(rows[i].text, rows[i].extra, rows[i].max) == rows[i].good, "\"%s\"",
               rows[i].text);
    }
}

/* jansson reads strict UTF-8 (no overlong forms, no surrogates, nothing past U+10FFFF),
 * which makes it the judge here: what it refuses would vanish from --format=json. */
static bool
is_utf8(const char *s)
{
    json_t *string = json_string(s);

    json_decref(string);
    return string != NULL;
}

static void
test_clean(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *clean;
    } rows[] = {
        {"", 10, ""},
        {"plain", 10, "plain"},
        {"plain", 5, "plain"},
        {"too long", 5, "to..."},
        {"a\nb", 10, "a\\x0ab"},
        {"\x1b[2J", 10, "\\x1b[2J"},
        {"\x7f", 10, "\\x7f"},
        {"gr\xc3\xbc\xc3\x9f", 10, "gr\xc3\xbc\xc3\x9f"},
        {"\xf0\x9f\x90\xa7", 10, "\xf0\x9f\x90\xa7"},
        {"\xc2\x9b", 10, "\\xc2\\x9b"},          /* CSI, a control character */
        {"\xff\xfe", 10, "\\xff\\xfe"},          /* never in UTF-8 */
        {"\xc3", 10, "\\xc3"},                   /* cut short */
        {"\xc3(", 10, "\\xc3("},                 /* not continued */
        {"\xc0\xaf", 10, "\\xc0\\xaf"},          /* '/', overlong */
        {"\xe0\x80\xaf", 12, "\\xe0\\x80\\xaf"}, /* '/', overlong */
        {"\xf0\x80\x80\xaf", 16, "\\xf0\\x80\\x80\\xaf"},
        {"\xed\xa0\x80", 12, "\\xed\\xa0\\x80"},          /* half of a surrogate pair */
        {"\xf4\x90\x80\x80", 16, "\\xf4\\x90\\x80\\x80"}, /* past U+10FFFF */
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        char *clean CLEANUP_FREE = nwf_text_clean(rows[i].text, rows[i].max);
        expect(!strcmp(clean, rows[i].clean), "row %zu: \"%s\"", i, clean);
    }
}

static void
test_clean_cuts_between_characters(void **state)
{
    char text[41];

    (void) state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        text[i] = "\xc3\xa9"[i % 2];
    }
    text[sizeof text - 1] = '\0';
    for (size_t max = 0; max < sizeof text; max++) {
        char *clean CLEANUP_FREE = nwf_text_clean(text, max);
        expect(strlen(clean) <= max, "limit %zu, length %zu", max, strlen(clean));
        expect(is_utf8(clean), "limit %zu: cut inside of a character", max);
    }
}

static void
test_clean_random(void **state)
{
    struct dice dice = dice_seed(1);

    (void) state;
    for (int i = 0; i < 20000; i++) {
        char text[24];
        size_t n = dice_roll(&dice, sizeof text);
        for (size_t j = 0; j < n; j++) {
            /* Mostly bytes of multi-byte sequences. */
            text[j] = (char) (dice_roll(&dice, 4) ? 0x80 + dice_roll(&dice, 0x80)
                                                  : 1 + dice_roll(&dice, 0x7f));
        }
        text[n] = '\0';
        char *clean CLEANUP_FREE = nwf_text_clean(text, 1000);
        expect(is_utf8(clean), "attempt %d: not UTF-8", i);
        for (const char *p = clean; *p; p++) {
            expect((unsigned char) *p >= 0x20 && *p != 0x7f, "attempt %d: control character", i);
        }
    }
}

struct words {
    const char *expected[4];
    size_t n;
    int stop_at;
};

static int
next_word(const char *word, void *aux)
{
    struct words *words = aux;

    assert_true(words->n < 4);
    assert_string_equal(word, words->expected[words->n]);
    return (int) ++words->n == words->stop_at ? 7 : 0;
}

static void
test_split(void **state)
{
    struct words three = {.expected = {"a", "b", "c"}};
    struct words none = {.n = 0};
    struct words stopped = {.expected = {"a", "b"}, .stop_at = 2};

    (void) state;
    assert_int_equal(nwf_text_split(",a, b ,,c, ", ", ", next_word, &three), 0);
    assert_int_equal(three.n, 3);
    assert_int_equal(nwf_text_split(" , ", ", ", next_word, &none), 0);
    assert_int_equal(nwf_text_split("", ", ", next_word, &none), 0);
    assert_int_equal(none.n, 0);
    assert_int_equal(nwf_text_split("a,b,c", ",", next_word, &stopped), 7);
    assert_int_equal(stopped.n, 2);
}

static void
test_error(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    assert_string_equal(nwf_error_text(&err), "no error");
    assert_int_equal(nwf_error_set(&err, -ENOENT, "cause %d\n", 1), -ENOENT);
    assert_string_equal(nwf_error_text(&err), "cause 1\\x0a");
    assert_int_equal(nwf_error_wrap(&err, "%s:%u", "web.xml", 12), -ENOENT);
    assert_string_equal(nwf_error_text(&err), "web.xml:12: cause 1\\x0a");
    assert_int_equal(nwf_error_set(&err, -EINVAL, "%s", nwf_error_text(&err)), -EINVAL);
    assert_string_equal(nwf_error_text(&err), "web.xml:12: cause 1\\x0a");
    nwf_error_clear(&err);
    assert_null(err.text);
    assert_int_equal(err.code, 0);
    /* Whoever does not care passes NULL. */
    assert_int_equal(nwf_error_set(NULL, -E2BIG, "cause"), -E2BIG);
    assert_int_equal(nwf_error_wrap(NULL, "context"), 0);
    nwf_error_clear(NULL);
}

static void
test_error_is_bounded(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;
    char *long_text CLEANUP_FREE = nwf_zalloc(4 * NWF_ERROR_MAX + 1);

    (void) state;
    for (size_t i = 0; i < 2 * NWF_ERROR_MAX; i++) {
        memcpy(long_text + 2 * i, "\xc3\xa9", 2);
    }
    nwf_error_set(&err, -EINVAL, "x%s", long_text);
    assert_true(strlen(nwf_error_text(&err)) <= NWF_ERROR_MAX);
    assert_true(is_utf8(nwf_error_text(&err)));
    for (int i = 0; i < 3; i++) {
        nwf_error_wrap(&err, "%s", i ? "context" : long_text);
        assert_true(strlen(nwf_error_text(&err)) <= NWF_ERROR_MAX);
        assert_true(is_utf8(nwf_error_text(&err)));
    }
    nwf_error_clear(&err);
}

static void
test_vec(void **state)
{
    NWF_VEC(int) vec = {.data = NULL};
    int sum = 0;

    (void) state;
    nwf_vec_foreach (item, &vec) {
        sum += *item;
    }
    assert_int_equal(sum, 0);
    for (int i = 0; i < 1000; i++) {
        nwf_vec_push(&vec, i);
    }
    nwf_vec_foreach (item, &vec) {
        sum += *item;
    }
    assert_int_equal(sum, 499500);
    assert_true(vec.allocated >= vec.n);
    nwf_vec_clear(&vec);
    assert_null(vec.data);
    assert_int_equal(vec.n, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_int),    cmocka_unit_test(test_is_name),
        cmocka_unit_test(test_clean),        cmocka_unit_test(test_clean_cuts_between_characters),
        cmocka_unit_test(test_clean_random), cmocka_unit_test(test_split),
        cmocka_unit_test(test_error),        cmocka_unit_test(test_error_is_bounded),
        cmocka_unit_test(test_vec),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
