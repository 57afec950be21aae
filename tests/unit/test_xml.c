/* SPDX-License-Identifier: Apache-2.0
 *
 * XML from strangers: no document type, so no entities and no external parts; no file
 * and no network is ever touched; size and nesting are bounded; what is wrong is
 * named with the document and the line. */
#include "support.h"

#include <errno.h>
#include <libxml/xmlIO.h>
#include <stdio.h>
#include <time.h>

#include "nwf/text.h"
#include "nwf/xml.h"

/* ---- A trap for whatever libxml2 might want to open. ---- */

static int n_opened;

static int
trap_match(const char *name)
{
    (void) name;
    return 1;
}

static void *
trap_open(const char *name)
{
    print_error("opened: %s\n", name);
    n_opened++;
    return NULL;
}

static int
trap_read(void *context, char *buffer, int len)
{
    (void) context;
    (void) buffer;
    (void) len;
    return -1;
}

static int
set_trap(void **state)
{
    (void) state;
    /* The last callbacks that are registered are asked first. */
    return xmlRegisterInputCallbacks(trap_match, trap_open, trap_read, NULL) < 0;
}

static int
parse(const char *text, size_t size, xmlDoc **doc, struct nwf_error *err)
{
    int r = nwf_xml_parse("web.xml", text, size, doc, err);

    assert_int_equal(n_opened, 0);
    return r;
}

/* ---- Tests. ---- */

static void
test_good(void **state)
{
    static const char *const texts[] = {
        "<a/>",
        "<?xml version='1.0' encoding='UTF-8'?>\n<!-- note -->\n<a b='&lt;&amp;&#x41;'/>\n",
        "\xef\xbb\xbf<a/>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><a b='\xe4'/>",
        "<a><![CDATA[<!DOCTYPE a>]]></a>",
        "<a><?pi <!ENTITY x 'y'> ?></a>",
        "<a xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='/etc/passwd'/></a>",
        "<?xml-stylesheet href='/etc/passwd'?><a/>",
        "<a xmlns='http://127.0.0.1/'/>",
        "<a\nxsi:schemaLocation='x http://127.0.0.1/' xmlns:xsi='http://127.0.0.1/schema'/>",
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(texts); i++) {
        xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        expect_ok(parse(texts[i], strlen(texts[i]), &doc, &err), &err);
    }
}

static void
test_doctype(void **state)
{
    static const char *const texts[] = {
        "<!DOCTYPE a><a/>",
        "<?xml version='1.0'?>\n<!DOCTYPE a []>\n<a/>",
        "<!DOCTYPE a SYSTEM '/etc/passwd'><a/>",
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        "<!DOCTYPE a SYSTEM 'http://127.0.0.1/a.dtd'><a/>",
        "<!DOCTYPE a PUBLIC 'x' 'ftp://127.0.0.1/a.dtd'><a/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM '/etc/passwd'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1/'> %x;]><a/>",
        "<!DOCTYPE a [<!ATTLIST a b CDATA 'default'>]><a/>",
        "<!DOCTYPE a [<!ENTITY l0 'ha'>"
        "<!ENTITY l1 '&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;'>"
        "<!ENTITY l2 '&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;'>"
        "<!ENTITY l3 '&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;'>"
        "<!ENTITY l4 '&l3;&l3;&l3;&l3;&l3;&l3;&l3;&l3;&l3;&l3;&l3;&l3;&l3;&l3;&l3;&l3;'>"
        "<!ENTITY l5 '&l4;&l4;&l4;&l4;&l4;&l4;&l4;&l4;&l4;&l4;&l4;&l4;&l4;&l4;&l4;&l4;'>"
        "<!ENTITY l6 '&l5;&l5;&l5;&l5;&l5;&l5;&l5;&l5;&l5;&l5;&l5;&l5;&l5;&l5;&l5;&l5;'>"
        "]><a b='&l6;'>&l6;</a>",
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(texts); i++) {
        xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        expect_error(parse(texts[i], strlen(texts[i]), &doc, &err), &err,
                     "web.xml: document type declarations are refused");
        assert_null(doc);
    }
}

static void
test_malformed(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"", "web.xml:"},
        {" ", "web.xml:"},
        {"text", "web.xml:1: "},
        {"<a>\n<b>\n</a>", "web.xml:3: "},
        {"<a/>\n<a/>", "web.xml:2: "},
        {"<a b='1'\nb='2'/>", "web.xml:2: "},
        {"<a>\n&undefined;\n</a>", "web.xml:2: "},
        {"<a\nb='&undefined;'/>", "web.xml:2: "},
        {"<a>\n&#0;</a>", "web.xml:2: "},
        {"<a>\n\x01</a>", "web.xml:2: "},
        {"<a>\n\xff</a>", "web.xml:2: "},
        {"<a b=1/>", "web.xml:1: "},
        {"<a", "web.xml:1: "},
        {"<?xml version='1.0' encoding='no-such'?><a/>", "web.xml:1: "},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        expect_error(parse(rows[i].text, strlen(rows[i].text), &doc, &err), &err, rows[i].error);
    }
}

/* A NUL byte does not end a document early. */
static void
test_nul(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } rows[] = {{"<a>\0<b/></a>", 12}, {"<a b='\0'/>", 10}, {"<a\0/>", 5}, {"\0<a/>", 5}};

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        expect_error(parse(rows[i].text, rows[i].size, &doc, &err), &err, "web.xml:");
    }
}

/* "<a><a>...": deep enough to exhaust a stack if it recursed. */
static int
parse_nested(size_t depth, struct nwf_error *err)
{
    xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
    char *text CLEANUP_FREE = nwf_zalloc(depth * 7 + 1);

    for (size_t i = 0; i < depth; i++) {
        memcpy(text + 3 * i, "<a>", 3);
        memcpy(text + 3 * depth + 4 * i, "</a>", 4);
    }
    return parse(text, depth * 7, &doc, err);
}

static void
test_nesting(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(parse_nested(100, &err), &err);
    expect_error(parse_nested(1000, &err), &err, "web.xml:1: ");
    expect_error(parse_nested(140000, &err), &err, "web.xml:1: ");
}

static void
test_size(void **state)
{
    char *text CLEANUP_FREE = nwf_zalloc(NWF_XML_MAX + 2);
    xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    memset(text, ' ', NWF_XML_MAX + 1);
    memcpy(text, "<a/>", 4);
    expect_ok(parse(text, NWF_XML_MAX, &doc, &err), &err);
    xmlFreeDoc(TAKE_PTR(doc));
    expect_error(parse(text, NWF_XML_MAX + 1, &doc, &err), &err, "web.xml: larger than 1048576");
    expect_error(parse(text, SIZE_MAX, &doc, &err), &err, "web.xml: larger than 1048576");
}

/* 'unit' so many times, its "%zu" the number, between 'head' and 'tail'. */
static char *
repeat(const char *head, const char *unit, size_t n, const char *tail)
{
    const char *number = strstr(unit, "%zu");
    size_t size = strlen(head) + n * (strlen(unit) + 8) + strlen(tail) + 1;
    char *text = nwf_zalloc(size), *end = stpcpy(text, head);

    for (size_t i = 0; i < n; i++) {
        end += number ? sprintf(end, "%.*s%zu%s", (int) (number - unit), unit, i, number + 3)
                      : sprintf(end, "%s", unit);
    }
    stpcpy(end, tail);
    return text;
}

static void
expect_bound(const char *head, const char *unit, size_t max, const char *tail, const char *error)
{
    char *good CLEANUP_FREE = repeat(head, unit, max, tail);
    char *bad CLEANUP_FREE = repeat(head, unit, max + 1, tail);
    xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;

    expect_ok(parse(good, strlen(good), &doc, &err), &err);
    xmlFreeDoc(TAKE_PTR(doc));
    expect_error(parse(bad, strlen(bad), &doc, &err), &err, error);
}

/* What libxml2 takes too long for, or too much memory. */
static void
test_numbers(void **state)
{
    (void) state;
    expect_bound("<a>\n<b ", "a%zu='1' ", 256, "/></a>",
                 "web.xml:2: more than 256 attributes of one element");
    expect_bound("<a>\n<b ", "a%zu =\t\"=='>\" ", 256, "></b></a>",
                 "web.xml:2: more than 256 attributes of one element");
    expect_bound("<a>", "<b xmlns:x='urn:%zu'/>", 1024, "</a>",
                 "web.xml:1: more than 1024 prefixes of namespaces");
    expect_bound("<a>\n", "<b/>", 199998, "</a>",
                 "web.xml:2: more than 200000 tags, attributes and comments");
    expect_bound("<a>", "<b c=''/>", 99999, "</a>", "web.xml:1: more than 200000 tags");
}

/* Nothing is a tag for libxml2 that has not been one for the bounds. */
static void
test_hidden_attributes(void **state)
{
    static const struct {
        const char *head, *tail;
    } rows[] = {
        {"<?x '?><a '><b ", "/></a>"}, {"<a>'<? <b ", "/>?></a>"},
        {"<a/><![CDATA[<b ", "/>]]>"}, {"<a><!DOCTYPE a><b ", "/></a>"},
        {"<a><b c='<d ", "/>'/></a>"}, {"<a><!-- -- <b ", "/>--></a>"},
        {"<a><b c=d'><b ", "/></a>"},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        char *text CLEANUP_FREE = repeat(rows[i].head, "a%zu='' ", 60000, rows[i].tail);
        xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        clock_t start = clock();
        expect_error(parse(text, strlen(text), &doc, &err), &err, "web.xml:1: ");
        expect(clock() - start < CLOCKS_PER_SEC, "%zu takes too long", i);
    }
}

static void
test_encodings(void **state)
{
    static const char *const rows[] = {"UTF-7", "IBM037", "ISO-2022-JP", "GB18030", "UTF-7//x"};

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        char *text CLEANUP_FREE =
            nwf_asprintf("<?xml version='1.0' encoding='%s'?><a b='1'/>", rows[i]);
        xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        expect_error(parse(text, strlen(text), &doc, &err), &err, "web.xml:");
        assert_null(doc);
    }
}

/* Lines past 65535, where libxml2's own counter ends. */
static void
test_lines(void **state)
{
    enum { LINES = 100000 };
    char *text CLEANUP_FREE = nwf_zalloc(LINES + 64);
    xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    memcpy(text, "<a>", 3);
    memset(text + 3, '\n', LINES);
    strcat(text, "<b/></a>");
    expect_ok(parse(text, strlen(text), &doc, &err), &err);
    const xmlNode *b = xmlDocGetRootElement(doc)->last;
    assert_true(nwf_xml_is(b, "b"));
    assert_int_equal(nwf_xml_line(b), LINES + 1);
}

static void
test_attributes(void **state)
{
    static const char text[] = "<a plain='1' empty='' x:other='2' xmlns:x='urn:x'>\n<b/>text</a>";
    xmlDoc *doc CLEANUP(nwf_xml_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(parse(text, strlen(text), &doc, &err), &err);
    const xmlNode *a = xmlDocGetRootElement(doc);
    char *plain CLEANUP_FREE = nwf_xml_attr(a, "plain");
    char *empty CLEANUP_FREE = nwf_xml_attr(a, "empty");
    char *needed CLEANUP_FREE = NULL;

    assert_string_equal(plain, "1");
    assert_string_equal(empty, "");
    assert_null(nwf_xml_attr(a, "other")); /* In another namespace: not ours. */
    assert_null(nwf_xml_attr(a, "Plain"));
    expect_ok(nwf_xml_need_attr("web.xml", a, "plain", &needed, &err), &err);
    assert_string_equal(needed, "1");
    assert_false(nwf_xml_is(a->last, "text"));
    expect_error(nwf_xml_need_attr("web.xml", a->last->prev, "plain", &needed, &err), &err,
                 "web.xml:2: <b> needs the attribute plain");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_doctype),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_nul),
        cmocka_unit_test(test_nesting),   cmocka_unit_test(test_size),
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_hidden_attributes),
        cmocka_unit_test(test_encodings),
    };

    return cmocka_run_group_tests(tests, set_trap, NULL);
}
