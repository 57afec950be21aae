/* SPDX-License-Identifier: Apache-2.0
 *
 * Attribute values: each type takes exactly its own forms, up to its limits, in
 * network byte order, and refuses everything else in words that quote it.  What one
 * type let through by mistake would be a rule that means something else. */
#include "support.h"

#include <errno.h>
#include <stdio.h>

#include "nwf/text.h"
#include "nwf/value.h"

static const struct nwf_name protocols[] = {{"tcp", 6}, {"udp", 17}, {NULL, 0}};

struct row {
    enum nwf_type type;
    struct nwf_numbers numbers;
    const char *text;
    const char *value; /* Hexadecimal; NULL: refused. */
    const char *mask;  /* The same; NULL: all ones. */
};

static const struct row integers[] = {
    {NWF_T_U8, {0, 255, NULL}, "0", "00", NULL},
    {NWF_T_U8, {0, 255, NULL}, "255", "ff", NULL},
    {NWF_T_U8, {0, 255, NULL}, "0xfF", "ff", NULL},
    {NWF_T_U8, {0, 255, NULL}, "256", NULL, NULL},
    {NWF_T_U8, {0, 63, NULL}, "63", "3f", NULL},
    {NWF_T_U8, {0, 63, NULL}, "64", NULL, NULL},
    {NWF_T_U8, {0, 255, NULL}, "-1", NULL, NULL},
    {NWF_T_U8, {0, 255, NULL}, "", NULL, NULL},
    {NWF_T_U8, {0, 255, NULL}, "tcp", NULL, NULL},
    {NWF_T_U8, {0, 255, protocols}, "tcp", "06", NULL},
    {NWF_T_U8, {0, 255, protocols}, "UDP", "11", NULL},
    {NWF_T_U8, {0, 255, protocols}, "17", "11", NULL},
    {NWF_T_U8, {0, 255, protocols}, "udp ", NULL, NULL},
    {NWF_T_U8, {0, 255, protocols}, "ud", NULL, NULL},
    {NWF_T_U8, {0, 255, protocols}, "udplite", NULL, NULL},
    {NWF_T_U16, {0x600, 0xffff, NULL}, "0x0800", "0800", NULL},
    {NWF_T_U16, {0x600, 0xffff, NULL}, "1536", "0600", NULL},
    {NWF_T_U16, {0x600, 0xffff, NULL}, "1535", NULL, NULL},
    {NWF_T_U16, {0, 0xffff, NULL}, "65535", "ffff", NULL},
    {NWF_T_U16, {0, 0xffff, NULL}, "65536", NULL, NULL},
    {NWF_T_U16, {0, 0xffff, NULL}, "0x10000", NULL, NULL},
    {NWF_T_U32, {0, UINT32_MAX, NULL}, "4294967295", "ffffffff", NULL},
    {NWF_T_U32, {0, UINT32_MAX, NULL}, "4294967296", NULL, NULL},
    {NWF_T_U32, {0, UINT32_MAX, NULL}, "16909060", "01020304", NULL},
};

static const struct row macs[] = {
    {NWF_T_MAC, {0, 0, NULL}, "52:54:00:aa:BB:0c", "525400aabb0c", NULL},
    {NWF_T_MAC, {0, 0, NULL}, "0:1:2:3:4:f", "00010203040f", NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52:54:00:aa:bb", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52:54:00:aa:bb:0c:0d", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52:54:00:aa:bb:0cd", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "2:4:0:a:b:cde", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52:54:00:aa:bb:", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52::00:aa:bb:cc", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52-54-00-aa-bb-cc", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "525400aabbcc", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52:54:00:aa:bb:0g", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, " 52:54:00:aa:bb:c", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52:54:00:aa:bb:c ", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52: 4:00:aa:bb:cc", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52:-4:00:aa:bb:cc", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "0x:54:00:aa:bb:cc", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "52:54:00:aa:bb:cc/24", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, "", NULL, NULL},
    {NWF_T_MAC, {0, 0, NULL}, ":::::", NULL, NULL},
    {NWF_T_MACMASK, {0, 0, NULL}, "ff:ff:ff:ff:ff:ff", "ffffffffffff", NULL},
    {NWF_T_MACMASK, {0, 0, NULL}, "ff:ff:80:00:00:00", "ffff80000000", NULL},
    {NWF_T_MACMASK, {0, 0, NULL}, "00:00:00:00:00:00", "000000000000", NULL},
    {NWF_T_MACMASK, {0, 0, NULL}, "01:00:00:00:00:00", NULL, NULL},
    {NWF_T_MACMASK, {0, 0, NULL}, "ff:00:ff:00:00:00", NULL, NULL},
    {NWF_T_MACMASK, {0, 0, NULL}, "ff:ff:a0:00:00:00", NULL, NULL},
    {NWF_T_MACMASK, {0, 0, NULL}, "24", NULL, NULL},
};

static const struct row ip4s[] = {
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5", "0a000005", NULL},
    {NWF_T_IP4, {0, 0, NULL}, "255.255.255.255", "ffffffff", NULL},
    {NWF_T_IP4, {0, 0, NULL}, "0.0.0.0", "00000000", NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5/32", "0a000005", "ffffffff"},
    {NWF_T_IP4, {0, 0, NULL}, "10.2.0.0/15", "0a020000", "fffe0000"},
    {NWF_T_IP4, {0, 0, NULL}, "0.0.0.0/0", "00000000", "00000000"},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5/33", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5/-1", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5/", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5/24/8", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5/255.255.0.0", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "/24", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.256", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.5", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5.6", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "010.0.0.5", NULL, NULL}, /* Octal to some, decimal to others. */
    {NWF_T_IP4, {0, 0, NULL}, "0x0a000005", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "167772165", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, " 10.0.0.5", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5 ", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "10.0.0.5-10.0.0.9", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "::1", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "localhost", NULL, NULL},
    {NWF_T_IP4, {0, 0, NULL}, "", NULL, NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "24", "ffffff00", NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "0", "00000000", NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "32", "ffffffff", NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "255.255.254.0", "fffffe00", NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "0.0.0.0", "00000000", NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "33", NULL, NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "-1", NULL, NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "/24", NULL, NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "255.0.255.0", NULL, NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "0.0.0.255", NULL, NULL},
    {NWF_T_IP4MASK, {0, 0, NULL}, "ffffff00", NULL, NULL},
};

static const struct row ip6s[] = {
    {NWF_T_IP6, {0, 0, NULL}, "::", "00000000000000000000000000000000", NULL},
    {NWF_T_IP6, {0, 0, NULL}, "fe80::1", "fe800000000000000000000000000001", NULL},
    {NWF_T_IP6, {0, 0, NULL}, "::ffff:10.0.0.5", "00000000000000000000ffff0a000005", NULL},
    {NWF_T_IP6,
     {0, 0, NULL},
     "2001:DB8:8000::/33",
     "20010db8800000000000000000000000",
     "ffffffff800000000000000000000000"},
    {NWF_T_IP6, {0, 0, NULL}, "fe80::1/128", "fe800000000000000000000000000001", NULL},
    {NWF_T_IP6,
     {0, 0, NULL},
     "::/0",
     "00000000000000000000000000000000",
     "00000000000000000000000000000000"},
    {NWF_T_IP6, {0, 0, NULL}, "fe80::1/129", NULL, NULL},
    {NWF_T_IP6, {0, 0, NULL}, "fe80::1%eth0", NULL, NULL},
    {NWF_T_IP6, {0, 0, NULL}, "[fe80::1]", NULL, NULL},
    {NWF_T_IP6, {0, 0, NULL}, "fe80::1::2", NULL, NULL},
    {NWF_T_IP6, {0, 0, NULL}, "fe80::12345", NULL, NULL},
    {NWF_T_IP6, {0, 0, NULL}, "1:2:3:4:5:6:7", NULL, NULL},
    {NWF_T_IP6, {0, 0, NULL}, "1:2:3:4:5:6:7:8:9", NULL, NULL},
    {NWF_T_IP6, {0, 0, NULL}, "10.0.0.5", NULL, NULL},
    {NWF_T_IP6, {0, 0, NULL}, "", NULL, NULL},
    {NWF_T_IP6MASK, {0, 0, NULL}, "10", "ffc00000000000000000000000000000", NULL},
    {NWF_T_IP6MASK, {0, 0, NULL}, "128", "ffffffffffffffffffffffffffffffff", NULL},
    {NWF_T_IP6MASK, {0, 0, NULL}, "ffff:8000::", "ffff8000000000000000000000000000", NULL},
    {NWF_T_IP6MASK, {0, 0, NULL}, "129", NULL, NULL},
    {NWF_T_IP6MASK, {0, 0, NULL}, "::ffff", NULL, NULL},
    {NWF_T_IP6MASK, {0, 0, NULL}, "ffff:0:ffff::", NULL, NULL},
};

static const struct row others[] = {
    {NWF_T_BOOL, {0, 0, NULL}, "true", "01", NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "yes", "01", NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "1", "01", NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "Yes", NULL, NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "no", "00", NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "FALSE", NULL, NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "0", "00", NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "", NULL, NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "2", NULL, NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "on", NULL, NULL},
    {NWF_T_BOOL, {0, 0, NULL}, "true ", NULL, NULL},
    {NWF_T_STATES, {0, 0, NULL}, "NEW, RELATED,", "05", NULL},
    {NWF_T_STATES, {0, 0, NULL}, "", "00", NULL},
    {NWF_T_STATES, {0, 0, NULL}, "NEW;", NULL, NULL},
    {NWF_T_TCP_FLAGS, {0, 0, NULL}, "SYN, ACK/SYN", "0002", "0012"},
    {NWF_T_TCP_FLAGS, {0, 0, NULL}, "PSH/", "0000", "0008"},
    {NWF_T_TCP_FLAGS, {0, 0, NULL}, "SYN", NULL, NULL},
    {NWF_T_TEXT, {0, 0, NULL}, "", "", NULL},
    {NWF_T_TEXT, {0, 0, NULL}, "whatever\n", "", NULL},
};

static void
format_value(const struct nwf_value *value, char hex[33])
{
    hex[0] = '\0';
    for (int i = 0; i < value->len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", value->bytes[i]);
    }
}

static void
check_good(const struct row *row, const struct nwf_masked *m)
{
    char value[33], mask[33], ones[33];
    struct nwf_value all = nwf_value_ones(m->value.len);

    format_value(&m->value, value);
    format_value(&m->mask, mask);
    format_value(&all, ones);
    expect(!strcmp(value, row->value), "\"%s\": value %s", row->text, value);
    expect(!strcmp(mask, row->mask ? row->mask : ones), "\"%s\": mask %s", row->text, mask);
}

static void
check_rows(const struct row *rows, size_t n)
{
    for (const struct row *row = rows; row < rows + n; row++) {
        struct nwf_error err = NWF_ERROR_INIT;
        struct nwf_masked untouched = {.value.len = 77}, m = untouched;
        int r = nwf_value_parse(row->type, &row->numbers, row->text, &m, &err);

        if (row->value) {
            expect(!r, "\"%s\" was refused: %s", row->text, nwf_error_text(&err));
            check_good(row, &m);
        } else {
            char *quoted CLEANUP_FREE = nwf_asprintf("\"%s\" is not a", row->text);
            expect(r == -EINVAL && m.value.len == 77, "\"%s\" was taken, or left half a value",
                   row->text);
            expect_error(r, &err, quoted);
        }
        nwf_error_clear(&err);
    }
}

static void
test_integers(void **state)
{
    (void) state;
    check_rows(integers, N_ROWS(integers));
}

static void
test_macs(void **state)
{
    (void) state;
    check_rows(macs, N_ROWS(macs));
}

static void
test_ip4(void **state)
{
    (void) state;
    check_rows(ip4s, N_ROWS(ip4s));
}

static void
test_ip6(void **state)
{
    (void) state;
    check_rows(ip6s, N_ROWS(ip6s));
}

static void
test_others(void **state)
{
    (void) state;
    check_rows(others, N_ROWS(others));
}

/* Every type refuses these, and quotes them in a line that is fit to print. */
static void
test_hostile(void **state)
{
    static const enum nwf_type types[] = {
        NWF_T_U8,  NWF_T_U16,     NWF_T_U32, NWF_T_MAC,     NWF_T_MACMASK,
        NWF_T_IP4, NWF_T_IP4MASK, NWF_T_IP6, NWF_T_IP6MASK, NWF_T_BOOL,
    };
    static const struct nwf_numbers numbers = {0, 200, protocols};
    char long_digits[5001] = "";
    const char *const texts[] = {
        "\x1b[31m1", "1\n2", "%s%n%n", "$IP", "\xff\xff", "1;2", "1'", "1\t", "\"", long_digits,
    };

    (void) state;
    memset(long_digits, '1', sizeof long_digits - 1);
    for (size_t i = 0; i < N_ROWS(types) * N_ROWS(texts); i++) {
        const char *text = texts[i / N_ROWS(types)];
        struct nwf_error err = NWF_ERROR_INIT;
        struct nwf_masked m;
        int r = nwf_value_parse(types[i % N_ROWS(types)], &numbers, text, &m, &err);
        expect(r == -EINVAL, "\"%s\" was taken", text);
        expect(strlen(err.text) < 500 && !strpbrk(err.text, "\n\t\x1b"), "%s", err.text);
        nwf_error_clear(&err);
    }
}

/* All prefix lengths, against the arithmetic that they stand for. */
static void
test_prefix_lengths(void **state)
{
    (void) state;
    for (unsigned int bits = 0; bits <= 32; bits++) {
        struct nwf_error err = NWF_ERROR_INIT;
        struct nwf_masked address, mask;
        uint32_t expected = (uint32_t) (UINT64_C(0xffffffff00000000) >> bits);
        char *a CLEANUP_FREE = nwf_asprintf("%u.%u.%u.%u/%u", expected >> 24, expected >> 16 & 0xff,
                                            expected >> 8 & 0xff, expected & 0xff, bits);
        char *b CLEANUP_FREE = nwf_asprintf("%u", bits);

        expect_ok(nwf_value_parse(NWF_T_IP4, NULL, a, &address, &err), &err);
        expect_ok(nwf_value_parse(NWF_T_IP4MASK, NULL, b, &mask, &err), &err);
        expect(nwf_value_to_int(&address.mask) == expected, "/%u", bits);
        expect(nwf_value_to_int(&address.value) == expected, "/%u", bits);
        expect(nwf_value_to_int(&mask.value) == expected, "%u", bits);
    }
}

/* An address of a host with the length of its network means neither of the two. */
static void
test_host_bits(void **state)
{
    static const struct {
        enum nwf_type type;
        const char *text, *choice;
    } host_bits[] = {
        {NWF_T_IP4, "10.0.0.1/24", "write 10.0.0.1 or 10.0.0.0/24"},
        {NWF_T_IP4, "10.1.2.5/15", "write 10.1.2.5 or 10.0.0.0/15"},
        {NWF_T_IP4, "10.1.2.5/0", "write 10.1.2.5 or 0.0.0.0/0"},
        {NWF_T_IP4, "10.0.0.1/31", "write 10.0.0.1 or 10.0.0.0/31"},
        {NWF_T_IP6, "2001:db8::5/64", "write 2001:db8::5 or 2001:db8::/64"},
        {NWF_T_IP6, "fe80::1/127", "write fe80::1 or fe80::/127"},
        {NWF_T_IP6, "FE80::1/0", "write fe80::1 or ::/0"},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(host_bits); i++) {
        struct nwf_error err = NWF_ERROR_INIT;
        struct nwf_masked m;
        int r = nwf_value_parse(host_bits[i].type, NULL, host_bits[i].text, &m, &err);

        expect(r == -EINVAL, "\"%s\" was taken", host_bits[i].text);
        expect_error(r, &err, host_bits[i].choice);
        nwf_error_clear(&err);
    }
}

static void
test_conversions(void **state)
{
    struct nwf_value a = nwf_value_from_int(0x01020304, 4), b = nwf_value_from_int(0x0304, 2);
    static const uint8_t bytes[] = {1, 2, 3, 4};

    (void) state;
    assert_memory_equal(a.bytes, bytes, 4);
    assert_memory_equal(b.bytes, bytes + 2, 2);
    assert_int_equal(nwf_value_to_int(&a), 0x01020304);
    assert_int_equal(nwf_value_to_int(&b), 0x0304);
    assert_false(nwf_value_equal(&a, &b));
    assert_true(nwf_value_equal(&a, &(struct nwf_value){.bytes = {1, 2, 3, 4, 99}, .len = 4}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_macs),
        cmocka_unit_test(test_ip4),
        cmocka_unit_test(test_ip6),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_prefix_lengths),
        cmocka_unit_test(test_host_bits),
        cmocka_unit_test(test_conversions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
