/* SPDX-License-Identifier: Apache-2.0
 *
 * <filter> documents: every attribute of the protocol table takes each of its own
 * values and no other; everything that is not in the language is refused with file,
 * line and cause, never passed over; and what was read is what the document says. */
#include "support.h"

#include <errno.h>
#include <stdio.h>

#include "nwf/filter.h"
#include "nwf/text.h"

static int
parse(const char *xml, struct nwf_filter **ret, struct nwf_error *err)
{
    *ret = NULL;
    return nwf_filter_parse("f.xml", xml, strlen(xml), ret, err);
}

static void
expect_good(const char *xml)
{
    struct nwf_filter *filter CLEANUP(nwf_filter_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;
    int r = parse(xml, &filter, &err);

    expect(!r, "%s\n%s", xml, nwf_error_text(&err));
}

/* Prints what is wrong, so that one look at a table's result shows all of it. */
static bool
is_refused(const char *xml, const char *error)
{
    struct nwf_filter *filter CLEANUP(nwf_filter_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;
    int r = parse(xml, &filter, &err);
    bool right = r < 0 && !filter && strstr(nwf_error_text(&err), error);

    if (!right) {
        print_error("\"%s\", where \"%s\" was expected:\n%s\n", nwf_error_text(&err), error, xml);
    }
    nwf_error_clear(&err);
    return right;
}

static void
expect_refused(const char *xml, const char *error)
{
    assert_true(is_refused(xml, error));
}

/* ---- The protocol table. ---- */

/* One rule with one element of one attribute, which stands in line 3. */
static char *
document(const struct nwf_protocol *protocol, const char *attr, const char *value)
{
    return nwf_asprintf("<filter name='f'>\n<rule action='accept' direction='in'>\n"
                        "<%s %s='%s'/>\n</rule></filter>",
                        protocol->name, attr, value);
}

static void
expect_attr(const struct nwf_protocol *protocol, const struct nwf_attr_def *def, const char *value,
            bool good)
{
    char *xml CLEANUP_FREE = document(protocol, def->name, value);
    char *error CLEANUP_FREE = nwf_asprintf("f.xml:3: %s: \"%s\" is not a", def->name, value);

    if (good) {
        expect_good(xml);
    } else {
        expect_refused(xml, error);
    }
}

struct values {
    const char *good[12], *bad[10];
};

/* Integers are tried at the limits that the table gives. */
static const struct values values_of[] = {
    [NWF_T_U8] = {.bad = {"", "x", "1 ", "1-2", "1,2", "$", "$A[", "$A-B"}},
    [NWF_T_U16] = {.bad = {"", "x", "0x", "1.5", "+1", "$ A", "$A[@]", "$A[1001]"}},
    [NWF_T_U32] = {.bad = {"", "x", "0x100000000", "1e3", "one", "$A[0", "$A[0]]", "$A[x]"}},
    [NWF_T_MAC] = {{"52:54:00:aa:bb:cc", "ff:ff:ff:ff:ff:ff", "0:0:0:0:0:0", "$MAC", "$MAC[0]"},
                   {"", "52:54:00:aa:bb", "52-54-00-aa-bb-cc", "10.0.0.1", "24", "$MAC:1"}},
    [NWF_T_MACMASK] = {{"ff:ff:ff:00:00:00", "ff:ff:ff:ff:ff:ff", "0:0:0:0:0:0", "$M[@1]"},
                       {"", "01:00:00:00:00:00", "ff:00:ff:00:00:00", "24", "ff:ff:ff"}},
    [NWF_T_IP4] = {{"10.0.0.1", "0.0.0.0", "255.255.255.255", "10.0.0.0/8", "$IP[ 3 ] "},
                   {"", "10.0.0", "10.0.0.256", "::1", "10.0.0.1/33", "10.0.0.1-10.0.0.2"}},
    [NWF_T_IP4MASK] = {{"0", "32", "255.255.255.0", "$M"},
                       {"", "33", "-1", "255.0.255.0", "ffff::", "/24"}},
    [NWF_T_IP6] = {{"::", "fe80::1", "::ffff:10.0.0.1", "fe80::/10", "$IPV6"},
                   {"", "10.0.0.1", "fe80", "fe80::1%eth0", "::/129", ":::"}},
    [NWF_T_IP6MASK] = {{"0", "128", "ffff:ffff::", "$M"},
                       {"", "129", "-1", "ffff:0:ffff::", "255.0.0.0"}},
    [NWF_T_BOOL] = {{"true", "yes", "1", "false", "no", "0"},
                    {"", "2", "maybe", "true,false", "True", "YES"}},
    [NWF_T_TCP_FLAGS] = {{"SYN/SYN", "ALL/NONE", "syn,ack,fin/syn,ack", "$F", "SYN/",
                          "SYN, ACK/SYN", ",SYN,,ACK /, SYN", "/"},
                         {"", "SYN", "/SYN", "SYN/SYN/SYN", "2/2", "SYN/ACK", "NONE/FIN",
                          "SYN;ACK/SYN"}},
    [NWF_T_STATES] = {{"NEW", "new,Established", "RELATED,INVALID", "NONE", "$S", "NEW,", ",NEW",
                       "ESTABLISHED, RELATED", "NEW ESTABLISHED", "", " ,"},
                      {"OLD", "1", "NEW;OLD"}},
    [NWF_T_TEXT] = {.good = {"", "any text", "\xc3\xa9"}},
};

static void
check_integer(const struct nwf_protocol *protocol, const struct nwf_attr_def *def)
{
    struct {
        const char *format;
        long long n;
        bool good;
    } numbers[] = {
        {"%lld", def->numbers.min, true},      {"0x%llx", def->numbers.min, true},
        {"%lld", def->numbers.max, true},      {"0x%llX", def->numbers.max, true},
        {"%lld", def->numbers.min - 1, false}, {"%lld", def->numbers.max + 1, false},
    };

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    for (size_t i = 0; i < N_ROWS(numbers); i++) {
        char *text CLEANUP_FREE = nwf_asprintf(numbers[i].format, numbers[i].n);
        expect_attr(protocol, def, text, numbers[i].good);
    }
#pragma GCC diagnostic pop
    for (const struct nwf_name *name = def->numbers.names; name && name->name; name++) {
        expect_attr(protocol, def, name->name, true);
    }
    expect_attr(protocol, def, "$A", true);
    expect_attr(protocol, def, "$A[@1000]", true);
}

static void
check_attr(const struct nwf_protocol *protocol, const struct nwf_attr_def *def)
{
    const struct values *values = &values_of[def->type];

    if (def->type == NWF_T_U8 || def->type == NWF_T_U16 || def->type == NWF_T_U32) {
        check_integer(protocol, def);
    }
    for (size_t i = 0; i < N_ROWS(values->good) && values->good[i]; i++) {
        expect_attr(protocol, def, values->good[i], true);
    }
    if (def->role == NWF_ROLE_NOTE) {
        expect_attr(protocol, def, "$", true); /* No variable, whatever it looks like. */
    }
    for (size_t i = 0; i < N_ROWS(values->bad) && values->bad[i]; i++) {
        expect_attr(protocol, def, values->bad[i], false);
    }
}

static void
test_every_attribute(void **state)
{
    const struct nwf_protocol *protocol;
    size_t n_attrs = 0;

    (void) state;
    for (size_t i = 0; (protocol = nwf_protocol_get(i)); i++) {
        /* What <flow> takes only the compiler can read. */
        for (const struct nwf_attr_def *def = protocol->attrs;
             !nwf_protocol_is_flow(protocol) && def->name; def++) {
            check_attr(protocol, def);
            n_attrs++;
        }
    }
    assert_true(n_attrs >= 7); /* Something was tried. */
}

static void
test_every_protocol(void **state)
{
    const struct nwf_protocol *protocol;

    (void) state;
    for (size_t i = 0; (protocol = nwf_protocol_get(i)); i++) {
        bool is_flow = nwf_protocol_is_flow(protocol);
        char *plain CLEANUP_FREE = document(protocol, "match", is_flow ? "ip" : "yes");
        char *unknown CLEANUP_FREE = document(protocol, "colour", "blue");
        char *capital CLEANUP_FREE = document(protocol, "Comment", "x");
        char *error CLEANUP_FREE = nwf_asprintf("f.xml:3: <%s> has no", protocol->name);

        assert_ptr_equal(nwf_protocol_find(protocol->name), protocol);
        expect_good(plain);
        expect_refused(unknown, error);
        expect_refused(capital, error);
    }
    assert_null(nwf_protocol_find("IP"));
    assert_null(nwf_protocol_find(""));
}

/* Mirroring is its own inverse, and changes nothing but sides. */
static void
test_mirror(void **state)
{
    (void) state;
    for (int field = 0; field < NWF_N_FIELDS; field++) {
        enum nwf_field other = nwf_field_mirror((enum nwf_field) field);
        assert_int_equal(nwf_field_mirror(other), field);
    }
    assert_int_equal(nwf_field_mirror(NWF_F_ETH_SRC), NWF_F_ETH_DST);
    assert_int_equal(nwf_field_mirror(NWF_F_ARP_SPA), NWF_F_ARP_TPA);
    assert_int_equal(nwf_field_mirror(NWF_F_IP_PROTO), NWF_F_IP_PROTO);
}

/* ---- Documents. ---- */

#define RULE(ATTRS, BODY) "<filter name='f'>\n<rule " ATTRS ">\n" BODY "\n</rule>\n</filter>"
#define IN_RULE(BODY) RULE("action='accept' direction='in'", BODY)
#define REF(BODY) "<filter name='f'>\n<filterref filter='g'>\n" BODY "\n</filterref>\n</filter>"

static void
test_refused(void **state)
{
    static const struct {
        const char *xml, *error;
    } rows[] = {
        /* The document. */
        {"<filters name='f'/>", "f.xml:1: <filters> is not <filter>"},
        {"<Filter name='f'/>", "f.xml:1: <Filter> is not <filter>"},
        {"<filter/>", "f.xml:1: <filter> needs the attribute name"},
        {"<filter name=''/>", "f.xml:1: \"\" is not a filter's name"},
        {"<filter name='a/b'/>", "f.xml:1: \"a/b\" is not a filter's name"},
        {"<filter name='a b'/>", "is not a filter's name"},
        {"<filter name='f' colour='blue'/>", "f.xml:1: <filter> has no attribute colour"},
        {"<filter name='f'>\n<rules/>\n</filter>", "f.xml:2: unknown element <rules>"},
        {"<filter name='f'>\n<ip/>\n</filter>", "f.xml:2: unknown element <ip>"},
        {"<filter name='f'>\n<parameter name='A' value='1 2'/></filter>", "f.xml:2: variable A: "},
        {"<filter name='f'>\n<parameter name='A B'/></filter>", "f.xml:2: \"A B\" is not a variab"},
        {"<filter name='f'>\n<parameter value='1'/></filter>", "needs the attribute name"},
        {"<filter name='f'>\n<parameter name='A' x='1'/></filter>", "f.xml:2: "},
        {"<!DOCTYPE filter><filter name='f'/>", "f.xml"},
        /* Chains and their priority. */
        {"<filter name='f' chain=''/>", "f.xml:1: no chain can be called \"\""},
        {"<filter name='f' chain='tcp'/>", "f.xml:1: no chain can be called \"tcp\""},
        {"<filter name='f' chain='ip'/>", "no chain can be called"},
        {"<filter name='f' chain='ARP'/>", "no chain can be called"},
        {"<filter name='f' chain='root-x'/>", "no chain can be called"},
        {"<filter name='f' chain='xarp'/>", "no chain can be called"},
        {"<filter name='f' chain='arp x'/>", "no chain can be called"},
        {"<filter name='f' chain='arp;x'/>", "no chain can be called"},
        {"<filter name='f' chain='arp-123456789'/>", "no chain can be called"},
        {"<filter name='f' chain='arp' priority='1001'/>", "f.xml:1: priority \"1001\" is not"},
        {"<filter name='f' chain='arp' priority='-1001'/>", "f.xml:1: priority \"-1001\" is not"},
        {"<filter name='f' chain='arp' priority=''/>", "f.xml:1: priority \"\" is not"},
        {"<filter name='f' chain='arp' priority='high'/>", "f.xml:1: priority \"high\" is not"},
        {"<filter name='f' priority='x'/>", "f.xml:1: priority \"x\" is not"},
        /* Rules. */
        {RULE("direction='in'", ""), "f.xml:2: <rule> needs the attribute action"},
        {RULE("action='accept'", ""), "f.xml:2: <rule> needs the attribute direction"},
        {RULE("action='allow' direction='in'", ""), "f.xml:2: unknown action \"allow\""},
        {RULE("action='ACCEPT' direction='in'", ""), "f.xml:2: unknown action \"ACCEPT\""},
        {RULE("action='' direction='in'", ""), "f.xml:2: unknown action \"\""},
        {RULE("action='drop' direction='both'", ""), "f.xml:2: unknown direction \"both\""},
        {RULE("action='drop' direction='IN'", ""), "f.xml:2: unknown direction \"IN\""},
        {RULE("action='drop' direction='in' priority='1001'", ""), "f.xml:2: priority \"1001\""},
        {RULE("action='drop' direction='in' priority='-1001'", ""), "f.xml:2: priority \"-1001\""},
        {RULE("action='drop' direction='in' priority='5000'", ""), "f.xml:2: priority \"5000\""},
        {RULE("action='drop' direction='in' priority='1 '", ""), "f.xml:2: priority \"1 \""},
        {RULE("action='drop' direction='in' chain='arp'", ""), "f.xml:2: <rule> has no attribute"},
        {RULE("action='drop' direction='in' x:action='accept' xmlns:x='urn:x'", ""), "f.xml:2: "},
        /* Elements. */
        {IN_RULE("<ip4/>"), "f.xml:3: unknown element <ip4>"},
        {IN_RULE("<rule action='drop' direction='in'/>"), "f.xml:3: unknown element <rule>"},
        {IN_RULE("<ip/>\n<arp/>"), "f.xml:4: <ip> and <arp> in one rule"},
        {IN_RULE("<mac/>\n<ip/>"), "f.xml:4: <mac> and <ip> in one rule"},
        {IN_RULE("<arp/>\n<rarp/>"), "f.xml:4: <arp> and <rarp> in one rule"},
        {IN_RULE("<ip match='No'/>"), "f.xml:3: match: \"No\" is neither yes nor no"},
        {IN_RULE("<ip match=''/>"), "f.xml:3: match: \"\" is neither yes nor no"},
        {IN_RULE("<ip x:srcipaddr='10.0.0.1' xmlns:x='urn:x'/>"),
         "f.xml:3: attribute srcipaddr has a namespace"},
        {IN_RULE("<ip\nsrcipaddr='x'/>"), "f.xml:4: srcipaddr: "},
        {IN_RULE("<ip><ip srcipaddr='10.0.0.1'/></ip>"), "f.xml:3: "},
        {IN_RULE("<mac>\n<tcp dstportstart='22'/>\n</mac>"), "f.xml:4: "},
        /* References. */
        {"<filter name='f'>\n<filterref/>\n</filter>", "f.xml:2: <filterref> needs"},
        {"<filter name='f'>\n<filterref filter='g' chain='arp'/></filter>", "f.xml:2: "},
        {REF("<param name='A' value='1'/>"), "f.xml:3: unknown element <param>"},
        {REF("<parameter value='1'/>"), "f.xml:3: <parameter> needs the attribute name"},
        {REF("<parameter name='A'/>"), "f.xml:3: <parameter> needs the attribute value"},
        {REF("<parameter name='A B' value='1'/>"), "f.xml:3: \"A B\" is not a variable's name"},
        {REF("<parameter name='A' value='1 2'/>"), "f.xml:3: variable A: \"1 2\" is not a value"},
        {REF("<parameter name='A' value='1' unit='x'/>"), "f.xml:3: "},
    };

    size_t n_wrong = 0;

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        n_wrong += !is_refused(rows[i].xml, rows[i].error);
    }
    assert_int_equal(n_wrong, 0);
}

static void
test_taken(void **state)
{
    static const char *const rows[] = {
        "<filter name='f'/>",
        "<filter name='f'><uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55335</uuid></filter>",
        "<filter name='a.b_c-9'/>",
        "<filter name='f'><!-- note --><?pi?>\n</filter>",
        RULE("action='drop' direction='inout' statematch='false'", ""),
        RULE("action='drop' direction='inout' priority='-1000'", ""),
        RULE("action='drop' direction='inout' priority='1000'", "<!-- note -->"),
        IN_RULE("<ip/><ip match='no' srcipaddr='10.0.0.1'/><ip match='yes'/>"),
        REF(""),
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        expect_good(rows[i]);
    }
}

static void
test_chain_priorities(void **state)
{
    static const struct {
        const char *attrs, *chain;
        int priority;
    } rows[] = {
        {"", "root", 0},
        {"priority='-7'", "root", 0}, /* Means nothing without a chain. */
        {"chain='root'", "root", 0},
        {"chain='root' priority='-7'", "root", -7},
        {"chain='mac'", "mac", -800},
        {"chain='vlan'", "vlan", -750},
        {"chain='stp'", "stp", 0},
        {"chain='arp'", "arp", -500},
        {"chain='rarp'", "rarp", -400},
        {"chain='ipv4'", "ipv4", -700},
        {"chain='ipv6'", "ipv6", -600},
        {"chain='arp-xyz'", "arp-xyz", -500},
        {"chain='ipv4.A:1_2-3'", "ipv4.A:1_2-3", -700},
        {"chain='rarp' priority='-1000'", "rarp", -1000},
        {"chain='macro' priority='1000'", "macro", 1000},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_filter *filter CLEANUP(nwf_filter_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        char *xml CLEANUP_FREE = nwf_asprintf("<filter name='f' %s/>", rows[i].attrs);

        expect_ok(parse(xml, &filter, &err), &err);
        assert_string_equal(filter->chain, rows[i].chain);
        expect(filter->priority == rows[i].priority, "%s: %d", rows[i].attrs, filter->priority);
    }
}

/* ---- Variables. ---- */

static void
test_variables(void **state)
{
    static const struct {
        const char *text, *name; /* NULL: refused. */
        bool fixed;
        unsigned int n;
    } rows[] = {
        {"$IP", "IP", false, 0},           {"$IP[@0]", "IP", false, 0},
        {"$IP[@1000]", "IP", false, 1000}, {"$IP[0]", "IP", true, 0},
        {"$IP[1000]", "IP", true, 1000},   {"$_a9[ 1 ] ", "_a9", true, 1},
        {"$A[ @2 ]", "A", false, 2},       {"$", NULL, false, 0},
        {"$$A", NULL, false, 0},           {"$A B", NULL, false, 0},
        {"$A-B", NULL, false, 0},          {"$A,$B", NULL, false, 0},
        {"${A}", NULL, false, 0},          {"$[0]", NULL, false, 0},
        {"$A[", NULL, false, 0},           {"$A[]", NULL, false, 0},
        {"$A[@]", NULL, false, 0},         {"$A[1", NULL, false, 0},
        {"$A[1]x", NULL, false, 0},        {"$A[1][2]", NULL, false, 0},
        {"$A[-1]", NULL, false, 0},        {"$A[+1]", NULL, false, 0},
        {"$A[0x1]", NULL, false, 0},       {"$A[1 2]", NULL, false, 0},
        {"$A[@@1]", NULL, false, 0},       {"$A[1001]", NULL, false, 0},
        {"$A[@1001]", NULL, false, 0},     {"$A[99999999999999999999]", NULL, false, 0},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_var var = {.name = NULL};
        struct nwf_error err = NWF_ERROR_INIT;
        int r = nwf_var_parse(rows[i].text, &var, &err);

        expect((rows[i].name != NULL) == !r, "\"%s\": %d", rows[i].text, r);
        if (!r) {
            assert_string_equal(var.name, rows[i].name);
            expect(var.fixed == rows[i].fixed && var.n == rows[i].n, "\"%s\"", rows[i].text);
        }
        free(var.name);
        nwf_error_clear(&err);
    }
}

/* ---- What a document becomes. ---- */

static void
test_contents(void **state)
{
    static const char xml[] = "<filter name='web' chain='ipv4'>\n"
                              "  <rule action='return' direction='inout' priority='-5'>\n"
                              "    <ip srcipaddr='10.0.0.0/24' protocol='TCP'/>\n"
                              "    <ip match='no' dstipaddr='$IP[@2]' comment='x'/>\n"
                              "  </rule>\n"
                              "  <filterref filter='other'>\n"
                              "    <parameter name='B' value='2'/>\n"
                              "    <parameter name='A' value='2'/>\n"
                              "    <parameter name='B' value='1'/>\n"
                              "  </filterref>\n"
                              "  <rule action='drop' direction='out'/>\n"
                              "</filter>\n";
    struct nwf_filter *filter CLEANUP(nwf_filter_cleanup) = NULL;
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(parse(xml, &filter, &err), &err);
    assert_string_equal(filter->name, "web");
    assert_string_equal(filter->file, "f.xml");
    assert_int_equal(filter->entries.n, 3);

    const struct nwf_rule *rule = filter->entries.data[0].rule;
    assert_int_equal(rule->line, 2);
    assert_int_equal(rule->action, NWF_RETURN);
    assert_true(rule->direction[NWF_IN] && rule->direction[NWF_OUT]);
    assert_int_equal(rule->priority, -5);
    assert_string_equal(rule->protocol->name, "ip");
    assert_int_equal(rule->elements.n, 2);

    const struct nwf_element *first = &rule->elements.data[0], *second = first + 1;
    assert_false(first->negated);
    assert_int_equal(first->attrs.n, 2);
    assert_int_equal(nwf_value_to_int(&first->attrs.data[0].literal.value), 0x0a000000);
    assert_int_equal(nwf_value_to_int(&first->attrs.data[0].literal.mask), 0xffffff00);
    assert_int_equal(nwf_value_to_int(&first->attrs.data[1].literal.value), 6);
    assert_true(second->negated);
    assert_int_equal(second->line, 4);
    assert_int_equal(second->attrs.n, 1);
    assert_int_equal(second->attrs.data[0].vars.n, 1);
    assert_string_equal(second->attrs.data[0].vars.data[0].name, "IP");
    assert_int_equal(second->attrs.data[0].vars.data[0].n, 2);

    const struct nwf_ref *ref = filter->entries.data[1].ref;
    char *params CLEANUP_FREE = nwf_params_format(&ref->params);
    assert_string_equal(ref->filter, "other");
    assert_int_equal(ref->line, 6);
    assert_string_equal(params, "A=2 B=2,1");

    rule = filter->entries.data[2].rule;
    assert_int_equal(rule->priority, NWF_PRIORITY_DEFAULT);
    assert_true(rule->direction[NWF_OUT] && !rule->direction[NWF_IN]);
    assert_null(rule->protocol);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_attribute), cmocka_unit_test(test_every_protocol),
        cmocka_unit_test(test_mirror),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken),           cmocka_unit_test(test_chain_priorities),
        cmocka_unit_test(test_variables),       cmocka_unit_test(test_contents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
