/* SPDX-License-Identifier: Apache-2.0
 *
 * Bindings mean the same from OVSDB tags, <filterbinding> documents and JSON policies;
 * the contract's keys are read as the contract says; and a port whose binding is
 * broken still counts as bound, so that it will be quarantined and not trusted. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nwf/binding.h"
#include "nwf/file.h"
#include "nwf/text.h"

static void
expect_params(const struct nwf_params *params, const char *expected, const char *what)
{
    char *text CLEANUP_FREE = nwf_params_format(params);

    expect(!strcmp(text, expected), "%s: \"%s\"", what, text);
}

/* ---- Tags. ---- */

static bool
is_known(void *aux, const char *name)
{
    (void) aux;
    return !strcmp(name, "known");
}

#define N_TAGS 5

struct tag_row {
    const char *what;
    struct nwf_tag tags[N_TAGS];
    const char *filter; /* NULL: none. */
    bool has_identity;
    const char *params;
    const char *error; /* NULL: good. */
};

static const struct tag_row tag_rows[] = {
    {"no tags", {{NULL, NULL}}, NULL, false, "", NULL},
    {"others' tags", {{"a", "b"}, {"nwfilterx", "c"}}, NULL, false, "", NULL},
    {"a filter", {{"nwfilter", "web"}}, "web", false, "", NULL},
    {"variables",
     {{"nwfilter", "web"}, {"nwfilter-IP", "10.0.0.5,10.0.0.6 10.0.0.7"}, {"nwfilter-a_1", "x"}},
     "web",
     false,
     "IP=10.0.0.5,10.0.0.6,10.0.0.7 a_1=x",
     NULL},
    {"attached-mac is MAC",
     {{"attached-mac", "52:54:00:aa:bb:01"}, {"nwfilter", "web"}},
     "web",
     true,
     "MAC=52:54:00:aa:bb:01",
     NULL},
    {"nwfilter-MAC comes before attached-mac",
     {{"attached-mac", "52:54:00:aa:bb:01"}, {"nwfilter", "web"}, {"nwfilter-MAC", "2:0:0:0:0:1"}},
     "web",
     true,
     "MAC=2:0:0:0:0:1",
     NULL},
    {"nwfilter-status is no variable",
     {{"nwfilter", "web"}, {"nwfilter-status", "error: what, ever;"}},
     "web",
     false,
     "",
     NULL},
    {"an identity by MAC", {{"attached-mac", "2:0:0:0:0:1"}}, NULL, true, "MAC=2:0:0:0:0:1", NULL},
    {"an identity by interface", {{"iface-id", "x"}}, NULL, true, "", NULL},
    {"an identity by machine", {{"vm-id", "x"}}, NULL, true, "", NULL},
    {"an identity of OpenStack", {{"vm-uuid", "x"}}, NULL, true, "", NULL},
    {"an identity of XenServer", {{"xs-vif-uuid", "x"}}, NULL, true, "", NULL},
    {"and its machine", {{"xs-vm-uuid", "x"}}, NULL, true, "", NULL},
    {"variables alone", {{"nwfilter-IP", "10.0.0.5"}}, NULL, false, "IP=10.0.0.5", NULL},
    {"bad variables alone", {{"nwfilter-IP", "?"}}, NULL, false, "", "IP: \"?\" is not"},
    {"a profile that is a filter", {{"port-profile", "known"}}, "known", true, "", NULL},
    {"a profile that is none", {{"port-profile", "unknown"}}, NULL, true, "", NULL},
    {"nwfilter comes before port-profile",
     {{"port-profile", "known"}, {"nwfilter", "web"}},
     "web",
     true,
     "",
     NULL},
    {"a profile takes variables",
     {{"port-profile", "known"}, {"nwfilter-IP", "10.0.0.5"}, {"attached-mac", "2:0:0:0:0:1"}},
     "known",
     true,
     "IP=10.0.0.5 MAC=2:0:0:0:0:1",
     NULL},
    /* Whatever is broken, the port counts as bound. */
    {"an empty filter's name", {{"nwfilter", ""}}, "", false, "", NULL},
    {"an impossible filter's name", {{"nwfilter", "../x\n"}}, "../x\n", false, "", NULL},
    {"no value", {{"nwfilter", "web"}, {"nwfilter-IP", ""}}, "web", false, "", NULL},
    {"only separators", {{"nwfilter", "web"}, {"nwfilter-IP", " , "}}, "web", false, "", NULL},
    {"a value with a semicolon",
     {{"nwfilter", "web"}, {"nwfilter-IP", "10.0.0.5;x"}, {"vm-id", "y"}},
     "web",
     true,
     "",
     "variable IP: \"10.0.0.5;x\" is not a value"},
    {"a value with a line feed",
     {{"nwfilter", "web"}, {"nwfilter-IP", "10.0.0.5\n10.0.0.6"}},
     "web",
     false,
     "",
     "variable IP: \"10.0.0.5\\x0a10.0.0.6\" is not a value"},
    {"a value that is a variable",
     {{"nwfilter", "web"}, {"nwfilter-IP", "$MAC"}},
     "web",
     false,
     "",
     "is not a value"},
    {"a variable without a name",
     {{"nwfilter", "web"}, {"nwfilter-", "1"}},
     "web",
     false,
     "",
     "\"\" is not a variable's name"},
    {"an impossible variable's name",
     {{"nwfilter", "web"}, {"nwfilter-A-B", "1"}},
     "web",
     false,
     "",
     "\"A-B\" is not a variable's name"},
    {"tags for the port's machine",
     {{"nwfilter", "web"}, {"nwfilter-vm", "AB-1"}, {"vm-id", "ab-1"}},
     "web",
     true,
     "",
     NULL},
    {"tags for a machine, and nobody says whose the port is",
     {{"nwfilter", "web"}, {"nwfilter-vm", "AB-1"}},
     "web",
     false,
     "",
     NULL},
    {"tags for another machine of OpenStack's",
     {{"nwfilter", "web"}, {"nwfilter-vm", "AB-1"}, {"vm-uuid", "ab-2"}},
     "web",
     true,
     "",
     "its tags are those of another virtual machine, AB-1"},
    {"tags for another machine",
     {{"nwfilter", "web"}, {"nwfilter-vm", "AB-1"}, {"vm-id", "ab-2"}},
     "web",
     true,
     "",
     "its tags are those of another virtual machine, AB-1"},
    {"an impossible attached-mac",
     {{"nwfilter", "web"}, {"attached-mac", "{}"}},
     "web",
     true,
     "",
     "variable MAC: \"{}\" is not a value"},
};

static void
test_tags(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(tag_rows); i++) {
        const struct tag_row *row = &tag_rows[i];
        struct nwf_binding binding CLEANUP(nwf_binding_clear);
        struct nwf_error err = NWF_ERROR_INIT;
        size_t n = 0;

        while (n < N_TAGS && row->tags[n].key) {
            n++;
        }
        int r = nwf_binding_from_tags("vnet0", row->tags, n,
                                      &(struct nwf_known_filters){is_known, NULL}, &binding, &err);
        assert_string_equal(binding.port, "vnet0");
        expect(!row->filter == !binding.filter, "%s", row->what);
        expect(!row->filter || !strcmp(row->filter, binding.filter), "%s: filter %s", row->what,
               binding.filter);
        expect(binding.has_identity == row->has_identity, "%s: identity", row->what);
        if (row->error) {
            expect_error(r, &err, row->error);
        } else {
            expect(!r, "%s: %s", row->what, nwf_error_text(&err));
            expect_params(&binding.params, row->params, row->what);
        }
    }
}

/* A value that means nothing isolates rather than not, and says so. */
static void
test_isolated(void **state)
{
    static const struct {
        const char *value, *error;
        bool isolated;
    } rows[] = {
        {"true", NULL, true},
        {"false", NULL, false},
        {"yes", "nwfilter-isolated: \"yes\" is neither true nor false", true},
        {"", "nwfilter-isolated: \"\" is neither true nor false", true},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        const struct nwf_tag tags[] = {{NWF_TAG_FILTER, "web"}, {NWF_TAG_ISOLATED, rows[i].value}};
        struct nwf_binding binding CLEANUP(nwf_binding_clear);
        struct nwf_error err = NWF_ERROR_INIT;
        int r = nwf_binding_from_tags("vnet0", tags, 2, &(struct nwf_known_filters){is_known, NULL},
                                      &binding, &err);

        expect(binding.isolated == rows[i].isolated, "\"%s\"", rows[i].value);
        assert_string_equal(binding.filter, "web");
        assert_int_equal(binding.params.list.n, 0);
        if (rows[i].error) {
            expect_error(r, &err, rows[i].error);
        } else {
            expect_ok(r, &err);
        }
    }
}

static void
test_limits(void **state)
{
    static const struct {
        struct nwf_tag tag;
        const char *error; /* NULL: good. */
        uint16_t broadcast, arp;
    } rows[] = {
        {{"nwfilter-limit-broadcast", "1"}, NULL, 1, 0},
        {{"nwfilter-limit-arp", "60000"}, NULL, 0, 60000},
        {{"nwfilter-limit-arp", "60001"}, "nwfilter-limit-arp: \"60001\" is not a number", 0, 0},
        {{"nwfilter-limit-arp", "0"}, "nwfilter-limit-arp: \"0\" is not a number from 1", 0, 0},
        {{"nwfilter-limit-arp", "-5"}, "nwfilter-limit-arp: \"-5\" is not a number", 0, 0},
        {{"nwfilter-limit-arp", "5 "}, "nwfilter-limit-arp: \"5 \" is not a number", 0, 0},
        {{"nwfilter-limit-new", "0"}, "nwfilter-limit-new: \"0\" is not a number from 1", 0, 0},
        {{"nwfilter-limit-old", "5"}, "nwfilter-limit-old: there is no such limit", 0, 0},
        {{"nwfilter-limit-", "5"}, "nwfilter-limit-: there is no such limit", 0, 0},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_binding binding CLEANUP(nwf_binding_clear);
        struct nwf_error err = NWF_ERROR_INIT;
        int r = nwf_binding_from_tags("vnet0", &rows[i].tag, 1,
                                      &(struct nwf_known_filters){is_known, NULL}, &binding, &err);

        expect(binding.limits[NWF_LIMIT_BROADCAST] == rows[i].broadcast
                   && binding.limits[NWF_LIMIT_ARP] == rows[i].arp,
               "%s=%s", rows[i].tag.key, rows[i].tag.value);
        assert_int_equal(binding.params.list.n, 0);
        if (rows[i].error) {
            expect_error(r, &err, rows[i].error);
        } else {
            expect_ok(r, &err);
        }
    }
}

static void
test_long_tags(void **state)
{
    char *text CLEANUP_FREE = nwf_zalloc(NWF_TAG_MAX + 2);
    const struct nwf_tag tags[] = {{"nwfilter", "web"}, {"nwfilter-A", text}};
    const struct nwf_tag profile[] = {{"port-profile", text}};
    const struct nwf_tag name[] = {{"nwfilter", text}};
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_binding binding;

    (void) state;
    memset(text, ',', NWF_TAG_MAX);
    text[0] = '1';
    expect_ok(nwf_binding_from_tags("p", tags, 2, &(struct nwf_known_filters){is_known, NULL},
                                    &binding, &err),
              &err);
    nwf_binding_clear(&binding);
    text[NWF_TAG_MAX] = ',';
    expect_error(nwf_binding_from_tags("p", tags, 2, &(struct nwf_known_filters){is_known, NULL},
                                       &binding, &err),
                 &err, "variable A: longer than 65536 characters");
    nwf_binding_clear(&binding);
    expect_ok(nwf_binding_from_tags("p", profile, 1, &(struct nwf_known_filters){is_known, NULL},
                                    &binding, &err),
              &err);
    assert_null(binding.filter);
    nwf_binding_clear(&binding);
    expect_ok(nwf_binding_from_tags("p", name, 1, &(struct nwf_known_filters){is_known, NULL},
                                    &binding, &err),
              &err);
    assert_non_null(binding.filter); /* Cut, and so no filter's name; bound all the same. */
    nwf_binding_clear(&binding);
}

static void
test_many_values(void **state)
{
    char text[2 * (NWF_VALUES_MAX + 1) + 1] = "";
    const struct nwf_tag tags[] = {{"nwfilter", "web"}, {"nwfilter-A", text}};
    struct nwf_binding binding CLEANUP(nwf_binding_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    for (size_t i = 0; i <= NWF_VALUES_MAX; i++) {
        memcpy(text + 2 * i, "1,", 2);
    }
    expect_error(nwf_binding_from_tags("p", tags, 2, &(struct nwf_known_filters){is_known, NULL},
                                       &binding, &err),
                 &err, "variable A has more than 4096 values");
    assert_string_equal(binding.filter, "web");
}

/* ---- Documents: what is good, and what it means. ---- */

struct document_row {
    const char *text;
    const char *port, *filter, *params;
};

static const struct document_row xml_rows[] = {
    {"<filterbinding>\n"
     "  <owner><name>vm</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>\n"
     "  <portdev name='vnet0'/>\n  <linkdev name='eth0'/>\n  <mac address='52:54:00:7b:35:93'/>\n"
     "  <filterref filter='clean-traffic'>\n    <parameter name='IP' value='10.0.0.5'/>\n"
     "    <parameter name='B' value='b'/>\n    <parameter name='IP' value='10.0.0.6'/>\n"
     "  </filterref>\n</filterbinding>\n",
     "vnet0", "clean-traffic", "B=b IP=10.0.0.5,10.0.0.6 MAC=52:54:00:7b:35:93"},
    /* As "virsh nwfilter-binding-dumpxml" prints it; later versions with a backend. */
    {"<filterbinding>\n  <owner>\n    <name>vm</name>\n"
     "    <uuid>c605bcf9-3648-57e3-8d84-5060ded851e8</uuid>\n  </owner>\n"
     "  <backend name='nftables'/>\n  <portdev name='vnet0'/>\n"
     "  <mac address='52:54:00:00:00:01'/>\n  <filterref filter='clean-traffic'>\n"
     "    <parameter name='IP' value='10.0.0.5'/>\n    <parameter name='IP' value='10.0.0.6'/>\n"
     "    <parameter name='MAC' value='52:54:00:00:00:01'/>\n  </filterref>\n"
     "</filterbinding>\n",
     "vnet0", "clean-traffic", "IP=10.0.0.5,10.0.0.6 MAC=52:54:00:00:00:01"},
    {"<filterbinding><filterref filter='f'/><portdev name='p'/></filterbinding>", "p", "f", ""},
    {"<filterbinding><filterref filter='f'><parameter name='MAC' value='2:0:0:0:0:1'/></filterref>"
     "<portdev name='p'/><mac address='2:0:0:0:0:2'/></filterbinding>",
     "p", "f", "MAC=2:0:0:0:0:1"},
};

static const struct document_row json_rows[] = {
    {"[{\"port\": \"p\", \"filter\": \"f\"}]", "p", "f", ""},
    {"[{\"filter\": \"f\", \"port\": \"p\", \"mac\": \"2:0:0:0:0:1\"}]", "p", "f",
     "MAC=2:0:0:0:0:1"},
    {"[{\"port\": \"p\", \"filter\": \"f\", \"parameters\": {}}]", "p", "f", ""},
    {"[{\"port\": \"p\", \"filter\": \"f\", \"parameters\": {\"A\": \"1\", \"B\": [\"3\", \"2\"], "
     "\"C\": \"4,5 6\"}}]",
     "p", "f", "A=1 B=3,2 C=4,5,6"},
    {"[{\"port\": \"p\", \"filter\": \"f\", \"mac\": \"2:0:0:0:0:2\", \"parameters\": "
     "{\"MAC\": \"2:0:0:0:0:1\"}}]",
     "p", "f", "MAC=2:0:0:0:0:1"},
};

static int
read_document(bool json, const char *text, size_t size, struct nwf_bindings *ret,
              struct nwf_error *err)
{
    struct nwf_binding binding;

    if (json) {
        return nwf_bindings_from_json("b.json", text, size, ret, err);
    }
    int r = nwf_binding_from_xml("b.xml", text, size, &binding, err);
    if (!r) {
        nwf_vec_push(ret, binding);
    }
    return r;
}

static void
check_documents(bool json, const struct document_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
        struct nwf_error err = NWF_ERROR_INIT;

        expect_ok(read_document(json, rows[i].text, strlen(rows[i].text), &bindings, &err), &err);
        assert_int_equal(bindings.n, 1);
        assert_string_equal(bindings.data[0].port, rows[i].port);
        assert_string_equal(bindings.data[0].filter, rows[i].filter);
        assert_true(bindings.data[0].has_identity);
        expect_params(&bindings.data[0].params, rows[i].params, rows[i].text);
    }
}

static void
test_xml(void **state)
{
    (void) state;
    check_documents(false, xml_rows, N_ROWS(xml_rows));
}

static void
test_json(void **state)
{
    (void) state;
    check_documents(true, json_rows, N_ROWS(json_rows));
}

static void
test_json_many(void **state)
{
    static const char text[] = "[{\"port\": \"a\", \"filter\": \"f\"},\n"
                               " {\"port\": \"b\", \"filter\": \"g\"}]";
    struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(nwf_bindings_from_json("b.json", "[]", 2, &bindings, &err), &err);
    assert_int_equal(bindings.n, 0);
    expect_ok(nwf_bindings_from_json("b.json", text, strlen(text), &bindings, &err), &err);
    assert_int_equal(bindings.n, 2);
    assert_string_equal(bindings.data[1].port, "b");
}

/* However long the port's name, the line gets to the cause. */
static void
test_json_long_port(void **state)
{
    struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = nwf_asprintf("[{\"port\": \"%0*d\", \"filter\": 5}]", 3000, 0);

    (void) state;
    expect_error(nwf_bindings_from_json("b.json", text, strlen(text), &bindings, &err), &err,
                 "000: filter: not a string");
}

static void
test_json_too_many(void **state)
{
    size_t n = NWF_BINDINGS_MAX + 1;
    char *text CLEANUP_FREE = nwf_zalloc(2 * n + 2);
    struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    for (size_t i = 0; i < n; i++) {
        memcpy(text + 2 * i, i ? ",0" : "[0", 2);
    }
    text[2 * n] = ']';
    expect_error(nwf_bindings_from_json("b.json", text, strlen(text), &bindings, &err), &err,
                 "not an array of at most 16384 bindings");
}

/* ---- Documents: what is refused, with which words. ---- */

struct refused_row {
    const char *text, *error;
};

#define XML(BODY) "<filterbinding>\n" BODY "\n</filterbinding>"
#define JSON(BODY) "[{\"port\": \"p\", \"filter\": \"f\", " BODY "}]"

static const struct refused_row refused_xml[] = {
    {"", "b.xml:"},
    {"<filterbinding", "b.xml:1: "},
    {"<filter name='f'/>", "b.xml:1: <filter> is not <filterbinding>"},
    {"<!DOCTYPE filterbinding><filterbinding/>", "b.xml: document type"},
    {"<filterbinding/>", "b.xml:1: <filterbinding> has no <portdev>"},
    {XML("<portdev name='p'/>"), "b.xml:1: <filterbinding> has no <filterref>"},
    {XML("<portdev/>"), "b.xml:2: <portdev> needs the attribute name"},
    {XML("<mac/>"), "b.xml:2: <mac> needs the attribute address"},
    {XML("<filterref/>"), "b.xml:2: <filterref> needs the attribute filter"},
    {XML("<portdev name='p'/>\n<portdev name='q'/>"), "b.xml:3: unexpected element <portdev>"},
    {XML("<mac address='x'/>\n<mac address='x'/>"), "b.xml:3: unexpected element <mac>"},
    {XML("<filterref filter='f'/>\n<filterref filter='g'/>"),
     "b.xml:3: unexpected element <filterref>"},
    {XML("<interface/>"), "b.xml:2: unexpected element <interface>"},
    {XML("<filterref filter='f'>\n<parameter name='A'/></filterref>"),
     "b.xml:3: <parameter> needs"},
    {XML("<filterref filter='f'>\n<parameter name='A' value='1;2'/></filterref>"),
     "b.xml:3: variable A: \"1;2\" is not a value"},
    {XML("<filterref filter='f'>\n<rule/></filterref>"), "b.xml:3: unknown element <rule>"},
    {XML("<portdev name='p'/><filterref filter='f'/><mac address='no mac'/>"),
     "variable MAC: \"no mac\" is not a value"},
};

static const struct refused_row refused_json[] = {
    {"", "b.json:"},
    {"\n\n[", "b.json:3: "},
    {"[{]", "b.json:1: "},
    {"{}", "b.json: not an array"},
    {"null", "b.json:"},
    {"[] []", "b.json:1: "},
    {"[1]", "b.json: binding 0: not an object"},
    {"[{\"port\": \"p\", \"filter\": \"f\"}, {}]", "b.json: binding 1: \"port\" is missing"},
    {"[{\"port\": \"p\"}]", "b.json: binding 0, port p: \"filter\" is missing"},
    {"[{\"filter\": \"f\"}]", "b.json: binding 0: \"port\" is missing"},
    {"[{\"port\": 1}]", "b.json: binding 0: port: not a string"},
    {"[{\"filter\": null}]", "b.json: binding 0: filter: not a string"},
    {JSON("\"port\": \"q\""), "b.json:1: duplicate"},
    {JSON("\"colour\": \"blue\""), "binding 0, port p: colour: unknown key"},
    {JSON("\"limits\": []"), "binding 0, port p: limits: not an object of broadcast, arp and new"},
    {JSON("\"limits\": {\"old\": 1}"), "port p: limits: not an object of broadcast, arp and new"},
    {JSON("\"limits\": {\"arp\": 0}"), "port p: limits: arp: not a number from 1 to 60000"},
    {JSON("\"limits\": {\"arp\": 4294967297}"), "port p: limits: arp: not a number from 1 to"},
    {JSON("\"limits\": {\"arp\": 1.0}"), "port p: limits: arp: not a number from 1 to 60000"},
    {JSON("\"isolated\": \"true\""), "binding 0, port p: isolated: neither true nor false"},
    {JSON("\"isolated\": 1"), "binding 0, port p: isolated: neither true nor false"},
    {JSON("\"mac\": [\"2:0:0:0:0:1\"]"), "mac: not a string"},
    {JSON("\"mac\": \"2:0:0:0:0:1,2:0:0:0:0:2\""), "variable MAC: "},
    {JSON("\"parameters\": []"), "parameters: not an object"},
    {JSON("\"parameters\": {\"A\": 1}"), "parameters: A: neither a string nor a list of strings"},
    {JSON("\"parameters\": {\"A\": {}}"), "parameters: A: neither a string nor a list"},
    {JSON("\"parameters\": {\"A\": [\"1\", 2]}"), "parameters: A: value 1 is not a string"},
    {JSON("\"parameters\": {\"A\": [[\"1\"]]}"), "parameters: A: value 0 is not a string"},
    {JSON("\"parameters\": {\"A\": \"1;2\"}"), "parameters: variable A: \"1;2\" is not a value"},
    {JSON("\"parameters\": {\"A B\": \"1\"}"), "parameters: \"A B\" is not a variable's name"},
    {JSON("\"parameters\": {\"A\": \"1\", \"A\": \"2\"}"), "b.json:1: duplicate"},
    {JSON("\"parameters\": {\"A\": \"1\\u0000\"}"), "b.json:1: "},
    {JSON("\"mac\": \"\xff\""), "b.json:1: "},
    {"[{\"port\": \"\\u001b[2J\"}]", "binding 0, port \\x1b[2J: \"filter\" is missing"},
};

static void
check_refused(bool json, const struct refused_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
        struct nwf_error err = NWF_ERROR_INIT;
        int r = read_document(json, rows[i].text, strlen(rows[i].text), &bindings, &err);

        expect(r < 0, "taken: %s", rows[i].text);
        expect(!bindings.n, "half taken: %s", rows[i].text);
        expect_error(r, &err, rows[i].error);
    }
}

static void
test_refused_xml(void **state)
{
    (void) state;
    check_refused(false, refused_xml, N_ROWS(refused_xml));
}

static void
test_refused_json(void **state)
{
    (void) state;
    check_refused(true, refused_json, N_ROWS(refused_json));
}

/* A stack of brackets must not become a stack of calls. */
static void
test_deep_json(void **state)
{
    enum { DEPTH = 50000 };
    char *text CLEANUP_FREE = nwf_zalloc(DEPTH + 1);
    struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    memset(text, '[', DEPTH);
    expect_error(nwf_bindings_from_json("b.json", text, DEPTH, &bindings, &err), &err,
                 "b.json:1: ");
}

/* ---- Files. ---- */

static char directory[] = "/tmp/test_binding.XXXXXX";

static int
make_directory(void **state)
{
    (void) state;
    return mkdtemp(directory) ? 0 : -1;
}

static int
remove_directory(void **state)
{
    (void) state;
    return rmdir(directory);
}

static char *
write_file(const char *name, const char *text)
{
    char *path = nwf_asprintf("%s/%s", directory, name);
    struct nwf_error err = NWF_ERROR_INIT;

    expect_ok(nwf_file_write(path, text, strlen(text), &err), &err);
    return path;
}

static void
test_files(void **state)
{
    char *json CLEANUP_FREE = write_file("a", " \n[{\"port\": \"a\", \"filter\": \"f\"}]");
    char *xml CLEANUP_FREE =
        write_file("b", "\n" XML("<portdev name='b'/><filterref filter='f'/>"));
    struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(nwf_bindings_read(json, &bindings, &err), &err);
    expect_ok(nwf_bindings_read(xml, &bindings, &err), &err);
    assert_int_equal(bindings.n, 2);
    assert_string_equal(bindings.data[1].port, "b");
    expect_error(nwf_bindings_read(json, &bindings, &err), &err, "port a is bound twice");
    unlink(json);
    unlink(xml);
}

/* None of these may be waited for. */
static void
test_no_files(void **state)
{
    char *fifo CLEANUP_FREE = nwf_asprintf("%s/fifo", directory);
    char *missing CLEANUP_FREE = nwf_asprintf("%s/missing", directory);
    const struct {
        const char *path, *error;
    } rows[] = {
        {fifo, "not a regular file"},
        {directory, "not a regular file"},
        {"/dev/zero", "/dev/zero: not a regular file"},
        {"/dev/tty", "/dev/tty: "},
        {missing, "No such file"},
        {"", "No such file"},
    };

    (void) state;
    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
        struct nwf_error err = NWF_ERROR_INIT;
        expect_error(nwf_bindings_read(rows[i].path, &bindings, &err), &err, rows[i].error);
    }
    unlink(fifo);
}

static void
test_file_size(void **state)
{
    char *path CLEANUP_FREE = write_file("sized", "12345");
    struct nwf_error err = NWF_ERROR_INIT;
    char *data CLEANUP_FREE = NULL;
    size_t size = 0;

    (void) state;
    expect_ok(nwf_file_read(path, 5, &data, &size, &err), &err);
    assert_int_equal(size, 5);
    assert_string_equal(data, "12345");
    free(TAKE_PTR(data));
    expect_error(nwf_file_read(path, 4, &data, &size, &err), &err, "larger than 4 bytes");
    assert_null(data);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags),           cmocka_unit_test(test_isolated),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_long_tags),
        cmocka_unit_test(test_many_values),    cmocka_unit_test(test_xml),
        cmocka_unit_test(test_json),           cmocka_unit_test(test_json_many),
        cmocka_unit_test(test_json_long_port), cmocka_unit_test(test_json_too_many),
        cmocka_unit_test(test_refused_xml),    cmocka_unit_test(test_refused_json),
        cmocka_unit_test(test_deep_json),      cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_files),       cmocka_unit_test(test_file_size),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
