/* SPDX-License-Identifier: Apache-2.0
 *
 * hook convert on small documents: where the metadata goes, what cannot be moved, and what a
 * scanner of tags could mistake for a tag.  Whole domains are in tests/golden/domains. */
#include "support.h"

#include <dirent.h>
#include <stdio.h>

#include "nwf/cleanup.h"
#include "nwf/convert.h"
#include "nwf/domain.h"
#include "nwf/file.h"
#include "nwf/text.h"
#include "schema.h"

#define OVS "<virtualport type='openvswitch'/>"
#define MAC1 "<mac address='52:54:00:aa:bb:01'/>"
#define MAC2 "<mac address='52:54:00:aa:bb:02'/>"
#define REF "<filterref filter='web'/>"
#define NIC(MAC, REST) "<interface type='bridge'>" MAC OVS REST "</interface>"
#define DOMAIN(HEAD, NICS) "<domain>" HEAD "<devices>" NICS "</devices></domain>"
#define PORTS "<ports xmlns=\"urn:ovs-nwfilter:domain:1\">"

/* ---- Good ones. ---- */

#define PORT(INDENT, NAME) INDENT "<port " NAME ">\n" INDENT "  " REF "\n" INDENT "</port>\n"
#define PORT1(INDENT) PORT(INDENT, "mac=\"52:54:00:aa:bb:01\"")
#define ALL_OF(PORT) "\n  <metadata>\n    " PORTS "\n" PORT "    </ports>\n  </metadata>"
#define TEXT                                                                                       \
    "<filterref filter='web'><parameter name='IP' value='10.0.0.5'>x</parameter></filterref>"
#define AFTER1 ALL_OF(PORT1("      "))

static const struct {
    const char *what, *before, *after;
} rows[] = {
    {"first in the domain", DOMAIN("", NIC(MAC1, REF)), DOMAIN(AFTER1, NIC(MAC1, ""))},
    {"behind the last of what libvirt writes before it",
     DOMAIN("<description/><name>a</name><memory/>", NIC(MAC1, REF)),
     DOMAIN("<description/><name>a</name>" AFTER1 "<memory/>", NIC(MAC1, ""))},
    {"not behind a <name> further in", DOMAIN("<x><name>a</name></x>", NIC(MAC1, REF)),
     DOMAIN(AFTER1 "<x><name>a</name></x>", NIC(MAC1, ""))},
    {"nor behind somebody else's", DOMAIN("<a:name xmlns:a='b'/>", NIC(MAC1, REF)),
     DOMAIN(AFTER1 "<a:name xmlns:a='b'/>", NIC(MAC1, ""))},
    {"devices first", "<domain><devices>" NIC(MAC1, REF) "</devices><name>a</name></domain>",
     "<domain><devices>" NIC(MAC1, "") "</devices><name>a</name>" AFTER1 "</domain>"},
    {"behind the comment on a line", DOMAIN("<name>a</name> <!-- - -->", NIC(MAC1, REF)),
     DOMAIN("<name>a</name> <!-- - -->" AFTER1, NIC(MAC1, ""))},
    {"before a comment of several lines", DOMAIN("<name>a</name> <!--\n-->", NIC(MAC1, REF)),
     DOMAIN("<name>a</name>" AFTER1 " <!--\n-->", NIC(MAC1, ""))},
    {"into metadata on one line", DOMAIN("<metadata></metadata>", NIC(MAC1, REF)),
     DOMAIN("<metadata>\n  " PORTS "\n" PORT1("    ") "  </ports>\n</metadata>", NIC(MAC1, ""))},
    {"into an empty tag with blanks", DOMAIN("<metadata\n/>", NIC(MAC1, REF)),
     DOMAIN("<metadata\n>\n  " PORTS "\n" PORT1("    ") "  </ports>\n</metadata>", NIC(MAC1, ""))},
    {"into ports of ours on one line",
     DOMAIN("<metadata>" PORTS "</ports></metadata>", NIC(MAC1, REF)),
     DOMAIN("<metadata>" PORTS "\n" PORT1("  ") "</ports></metadata>", NIC(MAC1, ""))},
    {"into an empty tag with a prefix",
     DOMAIN("<metadata><p:ports xmlns:p='urn:ovs-nwfilter:domain:1'/></metadata>", NIC(MAC1, REF)),
     DOMAIN("<metadata><p:ports xmlns:p='urn:ovs-nwfilter:domain:1'>\n"
            "  <port xmlns=\"urn:ovs-nwfilter:domain:1\" mac=\"52:54:00:aa:bb:01\">\n"
            "    " REF "\n  </port>\n</p:ports></metadata>",
            NIC(MAC1, ""))},
    {"beside ports of another namespace",
     DOMAIN("<metadata>\n<ports xmlns='urn:x'/>\n</metadata>", NIC(MAC1, REF)),
     DOMAIN("<metadata>\n<ports xmlns='urn:x'/>\n  " PORTS
            "\n" PORT1("    ") "  </ports>\n</metadata>",
            NIC(MAC1, ""))},
    {"the metadata says so already",
     DOMAIN("<metadata>" PORTS "<port mac='52:54:0:AA:BB:1'>" REF "</port></ports></metadata>",
            NIC(MAC1, REF)),
     DOMAIN("<metadata>" PORTS "<port mac='52:54:0:AA:BB:1'>" REF "</port></ports></metadata>",
            NIC(MAC1, ""))},
    {"by an alias", DOMAIN("", NIC("<alias name='ua-1'/>", REF)),
     DOMAIN(ALL_OF(PORT("      ", "alias=\"ua-1\"")), NIC("<alias name='ua-1'/>", ""))},
    {"by the MAC before an alias", DOMAIN("", NIC(MAC1 "<alias name='ua-1'/>", REF)),
     DOMAIN(AFTER1, NIC(MAC1 "<alias name='ua-1'/>", ""))},
    {"one MAC, and one alias", DOMAIN("", NIC(MAC1 "<alias name='ua-1'/>", REF) NIC(MAC1, "")),
     DOMAIN(ALL_OF(PORT("      ", "alias=\"ua-1\"")),
            NIC(MAC1 "<alias name='ua-1'/>", "") NIC(MAC1, ""))},
    {"lines of its own go with it", DOMAIN("", NIC(MAC1, "\r\n  " REF " \r\n<x/>")),
     "<domain>\r\n  <metadata>\r\n    " PORTS "\r\n"
     "      <port mac=\"52:54:00:aa:bb:01\">\r\n        " REF "\r\n      </port>\r\n"
     "    </ports>\r\n  </metadata><devices>" NIC(MAC1, "\r\n<x/>") "</devices></domain>"},
    {"what else is on its line stays", DOMAIN("", NIC(MAC1, "\n  " REF "<!-- -->\n")),
     DOMAIN(AFTER1, NIC(MAC1, "\n  <!-- -->\n"))},
    {"a byte order mark", "\xef\xbb\xbf" DOMAIN("", NIC(MAC1, REF)),
     "\xef\xbb\xbf" DOMAIN(AFTER1, NIC(MAC1, ""))},
    {"a declaration", "<?xml version='1.0' encoding='utf-8'?>" DOMAIN("", NIC(MAC1, REF)),
     "<?xml version='1.0' encoding='utf-8'?>" DOMAIN(AFTER1, NIC(MAC1, ""))},
    {"tags in comments, sections, instructions and values",
     "<!--<a>--><?a <b> ' ?>" DOMAIN("<x a='>\"' b=\"/>'\"/><!-- ' <c ->--><![CDATA[<d/>]]]]><y/>",
                                     NIC(MAC1, REF)) "<?e <f>?><!--</g>-->",
     "<!--<a>--><?a <b> ' ?>" DOMAIN(AFTER1
                                     "<x a='>\"' b=\"/>'\"/><!-- ' <c ->--><![CDATA[<d/>]]]]><y/>",
                                     NIC(MAC1, "")) "<?e <f>?><!--</g>-->"},
    {"text that means nothing goes with it", DOMAIN("", NIC(MAC1, TEXT)),
     DOMAIN(ALL_OF("      <port mac=\"52:54:00:aa:bb:01\">\n        " TEXT "\n      </port>\n"),
            NIC(MAC1, ""))},
    {"no interface on Open vSwitch", DOMAIN("", "<interface>" MAC1 REF "</interface>"),
     DOMAIN("", "<interface>" MAC1 REF "</interface>")},
    {"not an interface of the domain", DOMAIN("<x>" NIC(MAC1, REF) "</x>", ""),
     DOMAIN("<x>" NIC(MAC1, REF) "</x>", "")},
    {"nothing to do in another encoding",
     "<?xml version='1.0' encoding='ISO-8859-1'?>" DOMAIN("<name>\xe4</name>", NIC(MAC1, "")),
     "<?xml version='1.0' encoding='ISO-8859-1'?>" DOMAIN("<name>\xe4</name>", NIC(MAC1, ""))},
};

static int
run(const char *text, char **ret, struct nwf_error *err)
{
    const struct nwf_domain_text in = {"d.xml", text, strlen(text)};
    const struct nwf_convert_options options = {.networks = NULL};
    size_t size = 0;
    int r = nwf_domain_convert(&in, &options, ret, &size, err);

    expect(r || strlen(*ret) == size, "size %zu", size);
    return r;
}

static void
test_good(void **state)
{
    xmlRelaxNG *schema = schema_load();

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_error err = NWF_ERROR_INIT;
        char *once CLEANUP_FREE = NULL, *twice CLEANUP_FREE = NULL;
        int r = run(rows[i].before, &once, &err);

        expect(!r, "%s: %s", rows[i].what, nwf_error_text(&err));
        expect(!strcmp(once, rows[i].after), "%s: %s", rows[i].what, once);
        expect(!strstr(once, NWF_DOMAIN_NAMESPACE) || schema_takes(schema, once, strlen(once)),
               "%s: the schema refuses it", rows[i].what);
        expect_ok(run(once, &twice, &err), &err);
        expect(!strcmp(once, twice), "%s, again: %s", rows[i].what, twice);
    }
    xmlRelaxNGFree(schema);
}

/* ---- Bad ones. ---- */

#define IN_METADATA(PORTS_TEXT) "<metadata>" PORTS PORTS_TEXT "</ports></metadata>"

static const struct {
    const char *what, *document, *error;
} bad[] = {
    {"no MAC", DOMAIN("", "\n" NIC("", REF)), "d.xml:2: this interface has no <mac>"},
    {"no address in it", DOMAIN("", "\n" NIC("<mac/>", REF)), "d.xml:2: this interface has no"},
    {"an alias of libvirt's", DOMAIN("", "\n" NIC("<alias name='net0'/>", REF)),
     "d.xml:2: this interface has no <mac>"},
    {"one MAC", DOMAIN("", "\n" NIC(MAC1, REF) "\n" NIC(MAC1, REF)),
     "d.xml:2: this interface and that of line 3 have one MAC"},
    {"two filters", DOMAIN("", NIC(MAC1, REF "\n" REF)), "d.xml:2: a second <filterref>"},
    {"no filter", DOMAIN("", NIC(MAC1, "\n<filterref/>")),
     "d.xml:2: <filterref> needs the attribute filter"},
    {"a name that is none", DOMAIN("", NIC(MAC1, "\n<filterref filter='a b'/>")),
     "d.xml:2: \"a b\" is not a filter's name"},
    {"an attribute", DOMAIN("", NIC(MAC1, "\n<filterref filter='a' b='c'/>")),
     "d.xml:2: <filterref> has no attribute b"},
    {"an element", DOMAIN("", NIC(MAC1, "<filterref filter='a'>\n<b/></filterref>")),
     "d.xml:2: unknown element <b>"},
    {"a value",
     DOMAIN("", NIC(MAC1, "<filterref filter='a'>\n<parameter name='A' value='?'/>"
                          "</filterref>")),
     "d.xml:2: variable A: \"?\" is not a value"},
    {"text", DOMAIN("", NIC(MAC1, "<filterref filter='a'>b</filterref>")),
     "d.xml, converted: d.xml:5: there may be no text in <filterref>"},
    {"an instruction", DOMAIN("", NIC(MAC1, "<filterref filter='a'><?b?></filterref>")),
     "d.xml, converted: d.xml:5: there may be no text in <filterref>"},
    {"a namespace",
     DOMAIN("", NIC(MAC1, "<filterref filter='a'>\n<a:parameter xmlns:a='b' name='A' value='1'/>"
                          "</filterref>")),
     "d.xml:2: <parameter> has a namespace"},
    {"a namespace that is not used", DOMAIN("", NIC(MAC1, "\n<filterref xmlns:a='b' filter='a'/>")),
     "d.xml:2: <filterref> has a namespace"},
    {"another filter in the metadata",
     DOMAIN(IN_METADATA("\n<port mac='52:54:00:aa:bb:01'><filterref filter='x'/></port>"),
            NIC(MAC1, "\n" REF)),
     "d.xml:3: <filterref> says \"web\", and the metadata says \"x\" of this interface in line 2"},
    {"other variables",
     DOMAIN(IN_METADATA("\n<port mac='52:54:00:aa:bb:01'><filterref filter='web'>"
                        "<parameter name='A' value='1'/></filterref></port>"),
            NIC(MAC1, "\n" REF)),
     "d.xml:3: <filterref> says \"web\", and the metadata says \"web A=1\" of this interface in "
     "line 2"},
    {"values in another order",
     DOMAIN(IN_METADATA("\n<port mac='52:54:00:aa:bb:01'><filterref filter='web'>"
                        "<parameter name='A' value='1'/><parameter name='A' value='2'/>"
                        "</filterref></port>"),
            NIC(MAC1, "\n<filterref filter='web'><parameter name='A' value='2'/>"
                      "<parameter name='A' value='1'/></filterref>")),
     "says \"web A=2,1\", and the metadata says \"web A=1,2\""},
    {"broken metadata", DOMAIN(IN_METADATA("\n<x/>"), NIC(MAC1, REF)), "d.xml:2: unknown element"},
    {"metadata for nobody",
     DOMAIN(IN_METADATA("\n<port mac='52:54:00:aa:bb:02'>" REF "</port>"), NIC(MAC1, REF)),
     "d.xml:2: this <port> is for none"},
    {"metadata twice", DOMAIN("<metadata/>\n<metadata/>", NIC(MAC1, REF)),
     "d.xml:2: a second <metadata>"},
    {"another encoding",
     "<?xml version='1.0' encoding='ISO-8859-1'?>" DOMAIN("<name>\xe4</name>", NIC(MAC1, REF)),
     "d.xml: its encoding is ISO-8859-1; only UTF-8 is converted"},
    {"not UTF-8", DOMAIN("<name>\xe4</name>", NIC(MAC1, REF)), "d.xml:1: "},
    {"a tag in a value", DOMAIN("<x a='<'/>", NIC(MAC1, REF)), "d.xml:1: "},
    {"a document type", "<!DOCTYPE domain>" DOMAIN("", NIC(MAC1, REF)), "d.xml: document type"},
    {"no domain", "<network/>", "d.xml:1: <network> is not <domain>"},
    {"a domain of another namespace", "<domain xmlns='a'/>", "d.xml:1: <domain> is not <domain>"},
    {"no XML", "domain", "d.xml:1: "},
    {"nothing", "", "d.xml:1: "},
};

static void
test_bad(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(bad); i++) {
        struct nwf_error err = NWF_ERROR_INIT;
        char *result CLEANUP_FREE = NULL;
        int r = run(bad[i].document, &result, &err);

        expect(r < 0 && !result, "%s: taken: %s", bad[i].what, result);
        expect(strstr(nwf_error_text(&err), bad[i].error), "%s: %s", bad[i].what,
               nwf_error_text(&err));
        nwf_error_clear(&err);
    }
}

/* ---- The rest. ---- */

struct notes {
    char *text;
    unsigned int n, n_moves;
};

static void
take_note(void *aux, const char *file, unsigned int line, const char *text)
{
    struct notes *notes = aux;

    free(notes->text);
    notes->text = nwf_asprintf("%s:%u: %s", file, line, text);
    notes->n++;
}

static void
take_move(void *aux, size_t nic, unsigned int line)
{
    struct notes *notes = aux;

    assert_int_equal(nic, 1);
    assert_int_equal(line, 2);
    notes->n_moves++;
}

#define OF_NETWORK(NAME)                                                                           \
    "\n<interface type='network'>" MAC1 "<source network='" NAME "'/>" REF "</interface>"

static void
test_networks(void **state)
{
    static const char document[] = DOMAIN("", "<interface/>" OF_NETWORK("a"));
    const struct nwf_domain_text in = {"d.xml", document, strlen(document)};
    char *networks[] = {"b", "a"};
    struct notes notes = {.text = NULL};
    struct nwf_convert_options options = {networks, 1, take_note, take_move, &notes};
    struct nwf_error err = NWF_ERROR_INIT;
    char *kept CLEANUP_FREE = NULL, *moved CLEANUP_FREE = NULL;
    size_t size;

    (void) state;
    expect_ok(nwf_domain_convert(&in, &options, &kept, &size, &err), &err);
    assert_string_equal(kept, document);
    assert_int_equal(notes.n, 1);
    assert_int_equal(notes.n_moves, 0);
    assert_non_null(strstr(notes.text, "d.xml:2: <filterref> stays: whether the network a"));
    options.n_networks = 2;
    expect_ok(nwf_domain_convert(&in, &options, &moved, &size, &err), &err);
    assert_int_equal(notes.n, 1);
    assert_int_equal(notes.n_moves, 1);
    assert_non_null(strstr(moved, PORT1("      ")));
    assert_null(strstr(strstr(moved, "<devices>"), "filterref"));
    free(notes.text);
}

/* UTF-16 has tags that no scanner for bytes would find. */
static void
test_utf16(void **state)
{
    static const char document[] = DOMAIN("", NIC(MAC1, REF));
    struct nwf_error err = NWF_ERROR_INIT;
    char wide[2 * sizeof document + 2] = "\xff\xfe", *result = NULL;
    const struct nwf_domain_text in = {"d.xml", wide, 2 * sizeof document};
    size_t size;

    (void) state;
    for (size_t i = 0; i < sizeof document; i++) {
        wide[2 + 2 * i] = document[i];
    }
    expect_error(nwf_domain_convert(&in, &(struct nwf_convert_options){.networks = NULL}, &result,
                                    &size, &err),
                 &err, "d.xml: its encoding is ");
    assert_null(result);
}

/* However far a hostile document indents its lines, the result is about as large. */
static void
test_size(void **state)
{
    const size_t n = 200, n_blanks = 10000;
    char *document CLEANUP_FREE = nwf_zalloc(n * (n_blanks + 200) + 100), *end = document;
    char *result CLEANUP_FREE = NULL;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    end = stpcpy(end, "<domain><devices>\n");
    for (size_t i = 0; i < n; i++) {
        memset(end, ' ', n_blanks);
        end += n_blanks;
        end += sprintf(end,
                       "<interface><mac address='52:54:00:00:00:%02x'/>" OVS
                       "<filterref filter='a'>\n</filterref></interface>\n",
                       (unsigned int) i);
    }
    stpcpy(end, "</devices></domain>");
    expect_ok(run(document, &result, &err), &err);
    assert_true(strlen(result) < strlen(document) + n * 400);
}

/* ---- The golden domains. ---- */

static int
is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void
test_schema(void **state)
{
    xmlRelaxNG *schema = schema_load();
    struct dirent **entries = NULL;
    int n = scandir(DOMAINS, &entries, is_visible, alphasort);
    size_t n_ours = 0;

    (void) state;
    for (int i = 0; i < n; i++) {
        char *path CLEANUP_FREE = nwf_asprintf("%s/%s", DOMAINS, entries[i]->d_name);
        char *data CLEANUP_FREE = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        size_t size;

        expect_ok(nwf_file_read(path, NWF_DOMAIN_MAX, &data, &size, &err), &err);
        bool has_ours = strstr(data, NWF_DOMAIN_NAMESPACE);
        expect(!has_ours || schema_takes(schema, data, size), "%s", path);
        n_ours += has_ours;
        free(entries[i]);
    }
    free(entries);
    assert_true(n_ours > 5);
    xmlRelaxNGFree(schema);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),  cmocka_unit_test(test_bad),  cmocka_unit_test(test_networks),
        cmocka_unit_test(test_utf16), cmocka_unit_test(test_size), cmocka_unit_test(test_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
