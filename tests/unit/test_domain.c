/* SPDX-License-Identifier: Apache-2.0
 *
 * <domain> documents: what is taken of libvirt's part, and that ours is read strictly, by the
 * parser as by the schema that we ship. */
#include "support.h"

#include <errno.h>

#include "nwf/domain.h"
#include "nwf/text.h"
#include "nwf/xml.h"
#include "schema.h"

#define OURS "<ports xmlns='" NWF_DOMAIN_NAMESPACE "'>"
#define ONE "<port mac='52:54:00:aa:bb:01'><filterref filter='f'/></port>"
#define NICS                                                                                       \
    "<devices>\n"                                                                                  \
    "<interface type='bridge'><mac address='52:54:00:aa:bb:01'/><source bridge='br0'/>"            \
    "<virtualport type='openvswitch'><parameters interfaceid='x' profileid='web'/></virtualport>"  \
    "<target dev='vnet0'/><alias name='net0'/></interface>\n"                                      \
    "<disk/><interface type='user'><mac address='52:54:00:aa:bb:02'/>"                             \
    "<alias name='ua-two'/></interface>\n"                                                         \
    "</devices>"

/* A domain with two interfaces and this metadata, which begins in line 2. */
static char *
domain_of(const char *metadata)
{
    return nwf_asprintf(
        "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        "<name>vm</name>\n<metadata>%s</metadata>\n<uuid>u</uuid>" NICS
        "<qemu:commandline><qemu:arg value='-x'/></qemu:commandline></domain>",
        metadata);
}

static int
parse(const char *text, struct nwf_domain *ret, struct nwf_error *err)
{
    return nwf_domain_parse("d.xml", text, strlen(text), ret, err);
}

static void
test_interfaces(void **state)
{
    char *text CLEANUP_FREE = domain_of("");
    struct nwf_domain domain CLEANUP(nwf_domain_clear);
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_mac second = {{0x52, 0x54, 0, 0xaa, 0xbb, 2}};

    (void) state;
    expect_ok(parse(text, &domain, &err), &err);
    assert_string_equal(domain.name, "vm");
    assert_string_equal(domain.uuid, "u");
    assert_int_equal(domain.nics.n, 2);
    assert_int_equal(domain.ports.n, 0);
    const struct nwf_domain_nic *nic = domain.nics.data;
    assert_int_equal(nic->line, 4);
    assert_string_equal(nic->dev, "vnet0");
    assert_string_equal(nic->bridge, "br0");
    assert_string_equal(nic->profile, "web");
    assert_string_equal(nic->alias, "net0");
    assert_true(nic->is_ovs && nic->has_mac);
    assert_null(nwf_domain_find_port(&domain, nic));
    nic++;
    assert_true(!nic->is_ovs && nic->has_mac && !nic->dev && !nic->bridge && !nic->profile);
    assert_memory_equal(&nic->mac, &second, sizeof second);
}

static void
test_little(void **state)
{
    static const char *const texts[] = {
        "<domain/>",
        "<domain><name/><devices/><metadata/></domain>",
        "<domain><devices><interface><mac address='?'/><virtualport/><target/></interface>"
        "</devices></domain>",
        "<domain><devices><x:interface xmlns:x='urn:x'><target dev='a'/></x:interface></devices>"
        "</domain>",
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(texts); i++) {
        struct nwf_domain domain CLEANUP(nwf_domain_clear);
        struct nwf_error err = NWF_ERROR_INIT;
        expect_ok(parse(texts[i], &domain, &err), &err);
        expect(domain.nics.n == (i == 2), "%s: %zu interfaces", texts[i], domain.nics.n);
        expect(i != 2 || (!domain.nics.data->has_mac && !domain.nics.data->dev), "%s", texts[i]);
    }
}

/* ---- Our metadata. ---- */

struct metadata_row {
    const char *text;
    const char *error; /* NULL: good. */
    const char *first; /* Filter and variables of each interface, if good. */
    const char *second;
    bool schema_differs; /* What a schema cannot say, or not so exactly. */
};

static const struct metadata_row metadata_rows[] = {
    {OURS ONE "</ports>", NULL, "f ", NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01' isolated='yes'><filterref filter='f'/></port></ports>",
     NULL, "f isolated ", NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01' isolated='no'><filterref filter='f'/></port></ports>",
     NULL, "f ", NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01' isolated='true'><filterref filter='f'/></port></ports>",
     "d.xml:2: isolated: \"true\" is neither yes nor no", NULL, NULL, false},
    {OURS "</ports>", NULL, NULL, NULL, false},
    {"<o:ports xmlns:o='" NWF_DOMAIN_NAMESPACE "'><o:port mac='52:54:0:AA:bb:1'>"
     "<o:filterref filter='f'><o:parameter name='IP' value='1.1.1.1'/>"
     "<o:parameter name='IP' value='10.0.0.0/28'/><!-- x --><o:parameter name='A' value='b'/>"
     "</o:filterref></o:port></o:ports>",
     NULL, "f A=b IP=1.1.1.1,10.0.0.0/28", NULL, false},
    {OURS "<port alias='ua-two'><filterref filter='g'/></port>\n" ONE "</ports>", NULL, "f ", "g ",
     false},
    /* Others' metadata is theirs, whatever it is called. */
    {"<x:ports xmlns:x='urn:x'><ports xmlns='" NWF_DOMAIN_NAMESPACE
     "'><y/></ports></x:ports>" OURS ONE "</ports>",
     NULL, "f ", NULL, true},
    {"<ports><port/></ports>", NULL, NULL, NULL, true},

    {"<ports xmlns='urn:ovs-nwfilter:domain:2'/>",
     "d.xml:2: <ports> is of the namespace urn:ovs-nwfilter:domain:2", NULL, NULL, false},
    {"<port xmlns='" NWF_DOMAIN_NAMESPACE "'/>", "d.xml:2: unknown element <port> in <metadata>",
     NULL, NULL, false},
    {OURS "</ports>\n" OURS "</ports>", "d.xml:3: a second element <ports> in <metadata>", NULL,
     NULL, true},
    {"<ports xmlns='" NWF_DOMAIN_NAMESPACE "' x='y'/>", "d.xml:2: <ports> has no attribute x", NULL,
     NULL, false},
    {OURS "\n<nic/></ports>", "d.xml:3: unknown element <nic> in <ports>", NULL, NULL, false},
    {OURS "\n<x:port xmlns:x='urn:x'/></ports>", "d.xml:3: unknown element <port> in <ports>", NULL,
     NULL, false},
    {OURS "text</ports>", "d.xml:2: there may be no text in <ports>", NULL, NULL, false},
    {OURS "<port><filterref filter='f'/></port></ports>",
     "d.xml:2: <port> needs one of the attributes mac and alias", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01' alias='net0'><filterref filter='f'/></port></ports>",
     "d.xml:2: <port> needs one of the attributes mac and alias", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb'><filterref filter='f'/></port></ports>",
     "d.xml:2: mac: ", NULL, NULL, false},
    {OURS "<port mac='$MAC'><filterref filter='f'/></port></ports>", "d.xml:2: mac: ", NULL, NULL,
     false},
    {OURS "<port alias=''><filterref filter='f'/></port></ports>", "d.xml:2: \"\" is not an alias",
     NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01' dev='vnet0'><filterref filter='f'/></port></ports>",
     "d.xml:2: <port> has no attribute dev", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'/></ports>", "d.xml:2: <port> has no <filterref>", NULL,
     NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref filter='f'/>\n<filterref filter='g'/></port>"
          "</ports>",
     "d.xml:3: a second <filterref>", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'>\n<filter name='f'/></port></ports>",
     "d.xml:3: unknown element <filter> in <port>", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref/></port></ports>",
     "d.xml:2: <filterref> needs the attribute filter", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref filter='../f'/></port></ports>",
     "d.xml:2: \"../f\" is not a filter's name", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref filter='f'>\n<param name='A' value='b'/>"
          "</filterref></port></ports>",
     "d.xml:3: unknown element <param> in <filterref>", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref filter='f'>\n<parameter name='A' value='b c'/>"
          "</filterref></port></ports>",
     "d.xml:3: variable A: \"b c\" is not a value", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref filter='f'>\n"
          "<parameter name='A' value='b'><x/></parameter></filterref></port></ports>",
     "d.xml:3: <x> in <parameter>", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref filter='f'>\n"
          "<x:parameter xmlns:x='urn:x' name='A' value='b'/></filterref></port></ports>",
     "d.xml:3: unknown element <parameter> in <filterref>", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref filter='f'>"
          "<parameter name='status' value='b'/></filterref></port></ports>",
     "d.xml:2: a variable cannot be called status", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref filter='f'>"
          "<parameter name='isolated' value='true'/></filterref></port></ports>",
     "d.xml:2: a variable cannot be called isolated", NULL, NULL, false},
    {OURS "<port mac='52:54:00:aa:bb:01'><filterref filter='f'><parameter name='A'/></filterref>"
          "</port></ports>",
     "d.xml:2: <parameter> needs the attribute value", NULL, NULL, false},

    {OURS ONE "\n" ONE "</ports>",
     "d.xml:3: this <port> and that of line 2 are for one interface, that of line 5", NULL, NULL,
     true},
    {OURS ONE "\n<port alias='net0'><filterref filter='f'/></port></ports>",
     "d.xml:3: this <port> and that of line 2 are for one interface, that of line 5", NULL, NULL,
     true},
    {OURS
     "\n<port mac='52:54:00:aa:bb:01'><filterref filter='f'/></port></ports></metadata><devices>"
     "<interface><mac address='52:54:00:aa:bb:01'/></interface></devices><metadata>",
     "d.xml:3: this <port> is for two interfaces, of lines 3 and 5; give each an alias", NULL, NULL,
     true},
    {OURS ONE "</ports></metadata><devices><interface><target dev='vnet0'/></interface></devices>"
              "<metadata>",
     "d.xml:4: a second interface has <target dev='vnet0'>, which is that of line 2", NULL, NULL,
     true},
    {OURS "\n<port mac='52:54:00:aa:bb:03'><filterref filter='f'/></port></ports>",
     "d.xml:3: this <port> is for none of the domain's interfaces", NULL, NULL, true},
    {OURS "\n<port alias='net7'><filterref filter='f'/></port></ports>",
     "d.xml:3: this <port> is for none of the domain's interfaces", NULL, NULL, true},
};

static void
expect_port(const struct nwf_domain *domain, size_t i, const char *expected, const char *what)
{
    const struct nwf_domain_port *port = nwf_domain_find_port(domain, &domain->nics.data[i]);
    char *params CLEANUP_FREE = port ? nwf_params_format(&port->binding.params) : NULL;
    char *text CLEANUP_FREE = port ? nwf_asprintf("%s %s%s", port->binding.filter,
                                                  port->binding.isolated ? "isolated " : "", params)
                                   : NULL;

    expect(!expected == !text && (!text || !strcmp(text, expected)), "%s: interface %zu: %s", what,
           i, text ? text : "no port");
}

static void
test_metadata(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(metadata_rows); i++) {
        const struct metadata_row *row = &metadata_rows[i];
        char *text CLEANUP_FREE = domain_of(row->text);
        struct nwf_domain domain CLEANUP(nwf_domain_clear);
        struct nwf_error err = NWF_ERROR_INIT;
        int r = parse(text, &domain, &err);

        if (row->error) {
            expect_error(r, &err, row->error);
            expect(!domain.nics.n && !domain.name, "%s: something is left", row->text);
        } else {
            expect(!r, "%s: %s", row->text, nwf_error_text(&err));
            expect_port(&domain, 0, row->first, row->text);
            expect_port(&domain, 1, row->second, row->text);
        }
    }
}

/* An interface may have been unplugged since: what is left is read all the same. */
static void
test_unplugged(void **state)
{
    char *text CLEANUP_FREE =
        domain_of(OURS ONE "<port mac='52:54:00:aa:bb:03'><filterref filter='f'/></port></ports>");
    struct nwf_domain domain CLEANUP(nwf_domain_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(nwf_domain_read("d.xml", text, strlen(text), &domain, &err), &err);
    expect_port(&domain, 0, "f ", "unplugged");
    expect_error(nwf_domain_check("d.xml", &domain, &err), &err, "is for none of");
}

/* What is for two, or one of two, is for nobody until that is mended. */
static void
test_ambiguous(void **state)
{
    static const char *const texts[] = {
        OURS ONE "<port alias='net0'><filterref filter='g'/></port></ports>",
        OURS ONE "</ports></metadata><devices><interface><mac address='52:54:00:aa:bb:01'/>"
                 "</interface></devices><metadata>",
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(texts); i++) {
        char *text CLEANUP_FREE = domain_of(texts[i]);
        struct nwf_domain domain CLEANUP(nwf_domain_clear);
        struct nwf_error err = NWF_ERROR_INIT;

        expect_ok(nwf_domain_read("d.xml", text, strlen(text), &domain, &err), &err);
        expect_port(&domain, 0, NULL, texts[i]);
        expect_port(&domain, 1, NULL, texts[i]);
    }
}

/* Ports are cleaned up behind a domain whose metadata nobody can read any more. */
static void
test_broken_metadata(void **state)
{
    char *text CLEANUP_FREE = domain_of(OURS "<nic/></ports>");
    struct nwf_domain domain CLEANUP(nwf_domain_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_error(nwf_domain_read("d.xml", text, strlen(text), &domain, &err), &err, "<nic>");
    assert_int_equal(domain.nics.n, 2);
    assert_string_equal(domain.nics.data->dev, "vnet0");
    assert_string_equal(domain.uuid, "u");
}

/* Entries that are broken are left out, and the others are there: nothing half-read is. */
static void
test_half_broken(void **state)
{
    static const char *const broken[] = {
        "<port mac='zz'><filterref filter='g'/></port>",
        "<port><filterref filter='g'/></port>",
        "<port MAC='52:54:00:aa:bb:01'><filterref filter='g'/></port>",
        "<port alias='a b'><filterref filter='g'/></port>",
        "<port mac='52:54:00:aa:bb:01'/>",
        "<port mac='52:54:00:aa:bb:01'><filterref filter='g'/><filterref filter='h'/></port>",
        ("<port mac='52:54:00:aa:bb:01'><filterref filter='g'><parameter name='status' value='x'/>"
         "</filterref></port>"),
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(broken); i++) {
        char *metadata CLEANUP_FREE = nwf_asprintf(
            OURS "%s<port alias='ua-two'><filterref filter='f'/></port></ports>", broken[i]);
        char *text CLEANUP_FREE = domain_of(metadata);
        struct nwf_domain domain CLEANUP(nwf_domain_clear);
        struct nwf_error err = NWF_ERROR_INIT;

        expect_error(nwf_domain_read("d.xml", text, strlen(text), &domain, &err), &err, "d.xml:2");
        expect(domain.nics.n == 2 && domain.ports.n == 1, "%s: %zu", broken[i], domain.ports.n);
        expect_port(&domain, 0, NULL, broken[i]);
        expect_port(&domain, 1, "f ", broken[i]);
    }
}

/* ---- The schema. ---- */

/* The schema refuses what the parser refuses, and nothing else. */
static void
test_schema(void **state)
{
    xmlRelaxNG *schema = schema_load();

    (void) state;
    for (size_t i = 0; i < N_ROWS(metadata_rows); i++) {
        const struct metadata_row *row = &metadata_rows[i];
        char *text CLEANUP_FREE = domain_of(row->text);

        expect(row->schema_differs || schema_takes(schema, text, strlen(text)) == !row->error, "%s",
               row->text);
    }
    xmlRelaxNGFree(schema);
}

/* ---- Hostile documents. ---- */

static void
test_broken(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"", "d.xml"},
        {"domain", "d.xml:1: "},
        {"<domain>", "d.xml:1: "},
        {"<network/>", "d.xml:1: <network> is not <domain>"},
        {"<d:domain xmlns:d='urn:x'/>", "d.xml:1: <domain> is not <domain>"},
        {"<!DOCTYPE domain [<!ENTITY a 'b'>]><domain>&a;</domain>",
         "d.xml: document type declarations are refused"},
        {"<domain>&a;</domain>", "d.xml:1: "},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_domain domain CLEANUP(nwf_domain_clear);
        struct nwf_error err = NWF_ERROR_INIT;
        expect_error(parse(rows[i].text, &domain, &err), &err, rows[i].error);
    }
}

static char *
repeat(const char *before, const char *text, size_t n, const char *behind)
{
    size_t len = strlen(text);
    char *s = nwf_zalloc(strlen(before) + n * len + strlen(behind) + 1), *end = stpcpy(s, before);

    while (n--) {
        end = stpcpy(end, text);
    }
    stpcpy(end, behind);
    return s;
}

static void
test_limits(void **state)
{
    char *many CLEANUP_FREE =
        repeat("<domain><devices>", "<interface/>", NWF_DOMAIN_NICS_MAX, "</devices></domain>");
    char *more CLEANUP_FREE = repeat("<domain><devices>\n", "<interface/>", NWF_DOMAIN_NICS_MAX + 1,
                                     "</devices></domain>");
    char *ports CLEANUP_FREE = repeat("<domain><metadata>\n" OURS, ONE, NWF_DOMAIN_NICS_MAX + 1,
                                      "</ports></metadata></domain>");
    char *large CLEANUP_FREE = repeat("<domain><metadata>", "<x xmlns='urn:x'/>", NWF_XML_MAX / 16,
                                      "</metadata></domain>");
    char *larger CLEANUP_FREE = repeat("<domain>", " ", NWF_DOMAIN_MAX, "</domain>");
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_domain domain;

    (void) state;
    expect_ok(parse(many, &domain, &err), &err);
    assert_int_equal(domain.nics.n, NWF_DOMAIN_NICS_MAX);
    nwf_domain_clear(&domain);
    expect_error(parse(more, &domain, &err), &err, "d.xml:2: more than 256 interfaces");
    expect_error(parse(ports, &domain, &err), &err, "d.xml:2: more than 256 ports");
    assert_true(strlen(large) > NWF_XML_MAX);
    expect_ok(parse(large, &domain, &err), &err);
    nwf_domain_clear(&domain);
    expect_error(parse(larger, &domain, &err), &err, "d.xml: larger than 8388608 bytes");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interfaces),      cmocka_unit_test(test_little),
        cmocka_unit_test(test_metadata),        cmocka_unit_test(test_unplugged),
        cmocka_unit_test(test_broken_metadata), cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_half_broken),     cmocka_unit_test(test_schema),
        cmocka_unit_test(test_broken),          cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
