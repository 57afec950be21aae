/* SPDX-License-Identifier: Apache-2.0
 *
 * From a tree of filters to rules in the order that libvirt evaluates them in: chains
 * between root rules by priority, variables by precedence, lists as combinations, both
 * sides of "inout".  And no tree, list or loop of references costs more than its
 * limit. */
#include "say.h"

#include <errno.h>
#include <stdio.h>

#include "nwf/program.h"
#include "nwf/text.h"

/* ---- Filters in few words. ---- */

#define FILTER(NAME, ATTRS, BODY)                                                                  \
    {                                                                                              \
        NAME, "<filter name='" NAME "' " ATTRS ">\n" BODY "</filter>"                              \
    }
#define RULE(ACTION, DIRECTION, PRIORITY)                                                          \
    "<rule action='" ACTION "' direction='" DIRECTION "' priority='" PRIORITY "'/>\n"
#define REF(NAME) "<filterref filter='" NAME "'/>\n"
#define REF_WITH(NAME, VARIABLE, VALUE)                                                            \
    "<filterref filter='" NAME "'><parameter name='" VARIABLE "' value='" VALUE "'/></"            \
    "filterref>\n"

#define N_FILTERS 6

/* ---- Order. ---- */

struct order_row {
    const char *what;
    struct text_filter filters[N_FILTERS];
    const char *out, *in;
};

static const struct order_row orders[] = {
    {"root rules go by priority, then by the text's order",
     {FILTER("a", "",
             RULE("accept", "out", "500") RULE("drop", "out", "100") RULE("drop", "out", "500")
                 RULE("drop", "out", "-5") RULE("drop", "in", "0"))},
     "a5 a3 a2 a4",
     "a6"},
    {"references are walked where they stand, depth first",
     {FILTER("a", "", RULE("drop", "out", "500") REF("b") RULE("drop", "out", "500")),
      FILTER("b", "", RULE("drop", "out", "500") REF("c") RULE("drop", "out", "500")),
      FILTER("c", "", RULE("drop", "out", "500") RULE("drop", "out", "-1"))},
     "c3 a2 b2 c2 b4 a4",
     ""},
    {"a filter that is referred to twice is there twice",
     {FILTER("a", "", REF("b") REF("b")), FILTER("b", "", RULE("drop", "out", "500"))},
     "b2 b2",
     ""},
    {"a chain stands before root rules of its priority and later ones",
     {FILTER("a", "",
             RULE("drop", "out", "-501") RULE("drop", "out", "-500") RULE("drop", "out", "500")
                 REF("b")),
      FILTER("b", "chain='arp'", RULE("accept", "out", "-1000") RULE("drop", "out", "7"))},
     "a2 arp( b2 b3 ) a3 a4",
     ""},
    {"a chain of the highest priority comes last",
     {FILTER("a", "", RULE("drop", "out", "999") RULE("drop", "out", "1000") REF("b")),
      FILTER("b", "chain='arp' priority='1000'", RULE("accept", "out", "0"))},
     "a2 arp( b2 ) a3",
     ""},
    {"a chain that no root rule follows is at the end",
     {FILTER("a", "", RULE("drop", "out", "-900") REF("b")),
      FILTER("b", "chain='arp'", RULE("accept", "out", "0"))},
     "a2 arp( b2 )",
     ""},
    {"chains go by their priority, those of one priority by name",
     {FILTER("a", "", REF("b") REF("c") REF("d") REF("e")),
      FILTER("b", "chain='ipv4'", RULE("drop", "out", "1")),
      FILTER("c", "chain='mac'", RULE("drop", "out", "2")),
      FILTER("d", "chain='rarp' priority='-700'", RULE("drop", "out", "3")),
      FILTER("e", "chain='ipv4-x'", RULE("drop", "out", "-4"))},
     "mac( c2 ) ipv4( b2 ) ipv4-x( e2 ) rarp( d2 )",
     ""},
    {"chains and root rules interleave",
     {FILTER("a", "",
             REF("b") RULE("accept", "out", "-650") REF("c") REF("d")
                 RULE("accept", "inout", "-500") RULE("drop", "inout", "1000")),
      FILTER("b", "chain='mac'", RULE("return", "out", "500")),
      FILTER("c", "chain='ipv4' priority='-700'", RULE("accept", "in", "500")),
      FILTER("d", "chain='arp-ip' priority='-510'", RULE("drop", "out", "1000"))},
     "mac( b2 ) a3 arp-ip( d2 ) a6 a7",
     "ipv4( c2 ) a6 a7"},
    {"a chain is there in a direction only if it has a rule for it",
     {FILTER("a", "", REF("b")),
      FILTER("b", "chain='arp'", RULE("drop", "in", "1") RULE("drop", "inout", "2"))},
     "arp( b3 )",
     "arp( b2 b3 )"},
    {"filters of one chain share it, their rules go by priority",
     {FILTER("a", "", REF("b") REF("c")),
      FILTER("b", "chain='arp'", RULE("drop", "out", "500") RULE("drop", "out", "100")),
      FILTER("c", "chain='arp'", RULE("accept", "out", "300") RULE("accept", "out", "500"))},
     "arp( b3 c2 b2 c3 )",
     ""},
    {"of two priorities of a chain, that of the last rule in order counts (late)",
     {FILTER("a", "", REF("b") REF("c") RULE("drop", "out", "0")),
      FILTER("b", "chain='arp' priority='-500'", RULE("drop", "out", "100")),
      FILTER("c", "chain='arp' priority='700'", RULE("drop", "out", "900"))},
     "a4 arp( b2 c2 )",
     ""},
    {"of two priorities of a chain, that of the last rule in order counts (early)",
     {FILTER("a", "", REF("b") REF("c") RULE("drop", "out", "0")),
      FILTER("b", "chain='arp' priority='-500'", RULE("drop", "out", "900")),
      FILTER("c", "chain='arp' priority='700'", RULE("drop", "out", "100"))},
     "arp( c2 b2 ) a4",
     ""},
    {"a direction's chain has the priority of the last rule of that direction",
     {FILTER("a", "", REF("b") REF("c") RULE("drop", "inout", "0")),
      FILTER("b", "chain='arp' priority='-500'", RULE("drop", "inout", "100")),
      FILTER("c", "chain='arp' priority='700'", RULE("drop", "in", "900"))},
     "arp( b2 ) a4",
     "a4 arp( b2 c2 )"},
    {"what refers to a filter does not put it into its own chain",
     {FILTER("a", "chain='ipv4'", REF("b") RULE("drop", "out", "1")),
      FILTER("b", "", RULE("drop", "out", "2"))},
     "ipv4( a3 ) b2",
     ""},
    {"nothing is nothing", {FILTER("a", "", REF("b")), FILTER("b", "chain='arp'", "")}, "", ""},
};

static void
test_order(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(orders); i++) {
        const struct order_row *row = &orders[i];
        struct nwf_store *store CLEANUP(nwf_store_cleanup) = NULL;
        struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        struct text out = {.n = 0}, in = {.n = 0};

        expect_ok(program_of(row->filters, "", &store, &program, &err), &err);
        say_order(&out, &program->side[NWF_OUT]);
        say_order(&in, &program->side[NWF_IN]);
        expect_text(&out, row->out, row->what);
        expect_text(&in, row->in, row->what);
    }
}

/* ---- Values. ---- */

/* Rules without their implied Ethernet type. */
#define MAC_RULE(DIRECTION, BODY)                                                                  \
    {                                                                                              \
        FILTER("a", "", "<rule action='drop' direction='" DIRECTION "'>" BODY "</rule>\n")         \
    }

#define DEFAULT(NAME, VALUE) "<parameter name='" NAME "' " VALUE "/>\n"
#define IN_RULE(NAME) "<rule action='drop' direction='in'><ip srcipaddr='$" NAME "'/></rule>\n"

static const struct {
    const char *what;
    struct text_filter filters[N_FILTERS];
    const char *variables;
    const char *out, *in;
} values[] = {
    {"an element stands for its Ethernet type", MAC_RULE("out", "<ip/>"), "", "type=0800", ""},
    {"<stp> stands for its group address", MAC_RULE("in", "<stp/>"), "", "",
     "eth_dst=0180c2000000"},
    {"a rule without an element has no condition", MAC_RULE("out", ""), "", "", ""},
    {"a list gives a rule for each value", MAC_RULE("out", "<ip srcipaddr='$A'/>"),
     "A=1.1.1.1,2.2.2.2", "type=0800 src=01010101; type=0800 src=02020202", ""},
    {"variables without an iterator advance together",
     MAC_RULE("out", "<mac srcmacaddr='$A' dstmacaddr='$B'/>"),
     "A=0:0:0:0:0:1,0:0:0:0:0:2 B=0:0:0:0:0:3,0:0:0:0:0:4",
     "eth_src=000000000001 eth_dst=000000000003; eth_src=000000000002 eth_dst=000000000004", ""},
    {"different iterators give every combination",
     MAC_RULE("out", "<mac srcmacaddr='$A[@0]' protocolid='$B[@1]'/>"),
     "A=0:0:0:0:0:1,0:0:0:0:0:2 B=0x800,0x806",
     "eth_src=000000000001 type=0800; eth_src=000000000002 type=0800; "
     "eth_src=000000000001 type=0806; eth_src=000000000002 type=0806",
     ""},
    {"$A is $A[@0]", MAC_RULE("out", "<mac srcmacaddr='$A' protocolid='$B[@0]'/>"),
     "A=0:0:0:0:0:1,0:0:0:0:0:2 B=0x800,0x806",
     "eth_src=000000000001 type=0800; eth_src=000000000002 type=0806", ""},
    {"one variable under two iterators meets itself",
     MAC_RULE("out", "<mac srcmacaddr='$A[@1]' dstmacaddr='$A[@2]'/>"), "A=0:0:0:0:0:1,0:0:0:0:0:2",
     "eth_src=000000000001 eth_dst=000000000001; eth_src=000000000002 eth_dst=000000000001; "
     "eth_src=000000000001 eth_dst=000000000002; eth_src=000000000002 eth_dst=000000000002",
     ""},
    {"an element of a list is one value, beside lists of any length",
     MAC_RULE("out", "<mac srcmacaddr='$A[1]' protocolid='$B'/>"),
     "A=0:0:0:0:0:1,0:0:0:0:0:2 B=0x800,0x806,0x86dd",
     "eth_src=000000000002 type=0800; eth_src=000000000002 type=0806; "
     "eth_src=000000000002 type=86dd",
     ""},
    {"an iterator spans the elements of a rule",
     MAC_RULE("out", "<mac srcmacaddr='$A'/><mac match='no' protocolid='$B'/>"),
     "A=0:0:0:0:0:1,0:0:0:0:0:2 B=0x800,0x806",
     "eth_src=000000000001 !type=0800; eth_src=000000000002 !type=0806", ""},
    {"a negated rule is there once for each different value",
     MAC_RULE("out", "<mac match='no' protocolid='$A'/>"), "A=0x800,0x806,0x800,0x800",
     "!type=0800; !type=0806", ""},
    {"masks narrow what stands in front of them",
     MAC_RULE("out", "<ip srcipmask='24' srcipaddr='10.1.2.3' dstipaddr='$A'/>"), "A=10.0.0.0/8",
     "type=0800 src=0a010200/ffffff00 dst=0a000000/ff000000", ""},
    {"a mask can be a variable", MAC_RULE("out", "<mac srcmacaddr='$A' srcmacmask='$B'/>"),
     "A=1:2:3:4:5:6 B=ff:ff:ff:0:0:0", "eth_src=010203000000/ffffff000000", ""},
    {"ranges have both ends",
     MAC_RULE("out", "<ip protocol='6' srcportstart='10' srcportend='20' dstportend='9' "
                     "dstportstart='9'/>"),
     "", "type=0800 proto=06 sport=000a-0014 dport=0009-0009", ""},
    {"gratuitous='false' asks nothing",
     MAC_RULE("out", "<arp gratuitous='no' opcode='2'/><arp gratuitous='yes'/>"), "",
     "type=0806 op=0002 gratuitous=01", ""},
    {"inout is literal towards the guest, mirrored from it",
     MAC_RULE("inout", "<ip srcmacaddr='0:0:0:0:0:1' srcipaddr='1.1.1.1' dstipaddr='2.2.2.2' "
                       "protocol='17' srcportstart='67' dstportstart='68'/>"),
     "", "type=0800 eth_dst=000000000001 dst=01010101 src=02020202 proto=11 dport=0043 sport=0044",
     "type=0800 eth_src=000000000001 src=01010101 dst=02020202 proto=11 sport=0043 dport=0044"},
    {"inout mirrors ARP's addresses",
     MAC_RULE("inout", "<arp arpsrcmacaddr='0:0:0:0:0:1' arpdstipaddr='1.1.1.1'/>"), "",
     "type=0806 tha=000000000001 spa=01010101", "type=0806 sha=000000000001 tpa=01010101"},
    {"inout mirrors negated elements and IPv6",
     MAC_RULE("inout", "<ipv6 match='no' srcipaddr='::1'/>"), "",
     "type=86dd !dst6=00000000000000000000000000000001",
     "type=86dd !src6=00000000000000000000000000000001"},
    {"what an element stands for has no other side", MAC_RULE("inout", "<stp/>"), "",
     "eth_dst=0180c2000000", "eth_dst=0180c2000000"},
    {"a reference's parameters are defaults",
     {FILTER("a", "", REF_WITH("b", "A", "1.1.1.1")),
      FILTER("b", "", "<rule action='drop' direction='in'><ip srcipaddr='$A'/></rule>\n")},
     "",
     "",
     "type=0800 src=01010101"},
    {"the binding overrides a reference's parameters",
     {FILTER("a", "", REF_WITH("b", "A", "1.1.1.1")),
      FILTER("b", "", "<rule action='drop' direction='in'><ip srcipaddr='$A'/></rule>\n")},
     "A=2.2.2.2,3.3.3.3",
     "",
     "type=0800 src=02020202; type=0800 src=03030303"},
    {"an outer reference overrides an inner one",
     {FILTER("a", "", REF_WITH("b", "A", "1.1.1.1")),
      FILTER("b", "", REF_WITH("c", "A", "9.9.9.9")),
      FILTER("c", "", "<rule action='drop' direction='in'><ip srcipaddr='$A'/></rule>\n")},
     "",
     "",
     "type=0800 src=01010101"},
    {"parameters of one reference do not reach the next",
     {FILTER("a", "", REF_WITH("b", "A", "1.1.1.1") REF_WITH("b", "A", "2.2.2.2")),
      FILTER("b", "", "<rule action='drop' direction='in'><ip srcipaddr='$A'/></rule>\n")},
     "",
     "",
     "type=0800 src=01010101; type=0800 src=02020202"},
    {"a filter's own parameters are defaults",
     {FILTER("a", "",
             DEFAULT("A", "value='1.1.1.1'") DEFAULT("A", "value='2.2.2.2'") IN_RULE("A"))},
     "",
     "",
     "type=0800 src=01010101; type=0800 src=02020202"},
    {"the binding overrides a filter's own parameters",
     {FILTER("a", "", DEFAULT("A", "value='1.1.1.1'") IN_RULE("A"))},
     "A=3.3.3.3",
     "",
     "type=0800 src=03030303"},
    {"so does a reference to it",
     {FILTER("a", "", REF_WITH("b", "A", "4.4.4.4")),
      FILTER("b", "", DEFAULT("A", "value='1.1.1.1'") IN_RULE("A"))},
     "",
     "",
     "type=0800 src=04040404"},
    {"they hold below it",
     {FILTER("a", "", DEFAULT("A", "value='1.1.1.1'") REF("b")), FILTER("b", "", IN_RULE("A"))},
     "",
     "",
     "type=0800 src=01010101"},
    {"an empty list leaves its rules out, and no others",
     {FILTER("a", "", DEFAULT("A", "") REF("b") IN_RULE("B")), FILTER("b", "", IN_RULE("A"))},
     "B=1.1.1.1",
     "",
     "type=0800 src=01010101"},
    {"so does one of several iterators",
     {FILTER("a", "",
             DEFAULT("A", "value=''") "<rule action='drop' direction='in'><ip srcipaddr='$A[@1]' "
                                      "dstipaddr='$B[@2]'/></rule>\n")},
     "B=1.1.1.1",
     "",
     ""},
    {"a list that may be empty and is not",
     {FILTER("a", "", DEFAULT("A", "") IN_RULE("A"))},
     "A=1.1.1.1",
     "",
     "type=0800 src=01010101"},
    {"link-local addresses follow from MAC, in its order",
     MAC_RULE("out", "<ipv6 srcmacaddr='$MAC' srcipaddr='$IPV6_LL'/>"),
     "MAC=52:54:00:aa:bb:01,2:0:0:0:0:2",
     "type=86dd eth_src=525400aabb01 src6=fe80000000000000505400fffeaabb01; "
     "type=86dd eth_src=020000000002 src6=fe80000000000000000000fffe000002",
     ""},
    {"unless they are given", MAC_RULE("out", "<ipv6 srcipaddr='$IPV6_LL'/>"),
     "MAC=52:54:00:aa:bb:01 IPV6_LL=fe80::/64",
     "type=86dd src6=fe800000000000000000000000000000/ffffffffffffffff0000000000000000", ""},
    {"a reference's MAC has its own",
     {FILTER("a", "", REF_WITH("b", "MAC", "2:0:0:0:0:1") REF_WITH("b", "MAC", "2:0:0:0:0:2")),
      FILTER("b", "", "<rule action='drop' direction='in'><ipv6 srcipaddr='$IPV6_LL'/></rule>\n")},
     "",
     "",
     "type=86dd src6=fe80000000000000000000fffe000001; "
     "type=86dd src6=fe80000000000000000000fffe000002"},
};

static void
test_values(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(values); i++) {
        struct nwf_store *store CLEANUP(nwf_store_cleanup) = NULL;
        struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        struct text out = {.n = 0}, in = {.n = 0};

        expect_ok(program_of(values[i].filters, values[i].variables, &store, &program, &err), &err);
        say_conds(&out, &program->side[NWF_OUT]);
        say_conds(&in, &program->side[NWF_IN]);
        expect_text(&out, values[i].out, values[i].what);
        expect_text(&in, values[i].in, values[i].what);
    }
}

/* ---- Errors. ---- */

#define OUT_RULE(BODY)                                                                             \
    {                                                                                              \
        FILTER("a", "", "<rule action='drop' direction='out'>\n" BODY "\n</rule>\n")               \
    }

static const struct {
    struct text_filter filters[N_FILTERS];
    const char *variables, *error;
} errors[] = {
    /* Variables. */
    {OUT_RULE("<ip srcipaddr='$IP'/>"), "", "a.xml:3: unknown variable $IP"},
    {OUT_RULE("<ip srcipaddr='$IP'/>"), "ip=1.1.1.1", "a.xml:3: unknown variable $IP"},
    {OUT_RULE("<ip srcipaddr='$A[1]'/>"), "A=1.1.1.1", "a.xml:3: $A[1]: the list has 1 values"},
    {OUT_RULE("<ipv6 srcipaddr='$IPV6_LL'/>"), "",
     "a.xml:3: unknown variable $IPV6_LL: it follows from $MAC, which has no value"},
    {OUT_RULE("<ipv6 srcipaddr='$IPV6_LL'/>"), "MAC=2:0:0:0:0:1,2:0:0:0:0",
     "a.xml:3: $IPV6_LL: $MAC: \"2:0:0:0:0\" is not a valid MAC address"},
    {{FILTER("a", "", DEFAULT("A", "") REF("b")),
      FILTER("b", "",
             "<rule action='drop' direction='in'><ip match='no' srcipaddr='$A'/></rule>\n")},
     "",
     "b.xml:2: $A has no values, and match='no' is a rule for each of them"},
    {{FILTER("a", "",
             DEFAULT("A", "") "<rule action='drop' direction='in'><ip srcipaddr='$A[0]'/>"
                              "</rule>\n")},
     "",
     "a.xml:3: $A[0]: the list has 0 values"},
    {{FILTER("a", "",
             DEFAULT("A", "") "<rule action='drop' direction='in'><ip srcipaddr='$A' "
                              "dstipaddr='$B'/></rule>\n")},
     "B=1.1.1.1",
     "a.xml:3: $A has 0 values and $B has 1"},
    {OUT_RULE("<ip srcipaddr='$A'/>"), "A=::1", "a.xml:3: srcipaddr: $A: \"::1\" is not a valid"},
    {OUT_RULE("<ip srcipaddr='$A'/>"), "A=1.1.1.1,x", "a.xml:3: srcipaddr: $A: \"x\" is not"},
    {OUT_RULE("<ip dscp='$A'/>"), "A=64", "a.xml:3: dscp: $A: \"64\" is not a number from 0 to 63"},
    {OUT_RULE("<ip srcipaddr='$A' dstipaddr='$B'/>"), "A=1.1.1.1 B=1.1.1.1,2.2.2.2",
     "a.xml:3: $A has 1 values and $B has 2: lists walked in parallel must have one length"},
    {OUT_RULE("<ip srcipaddr='$A[@3]'/>\n<ip dstipaddr='$B[@3]'/>"), "A=1.1.1.1,2.2.2.2 B=1.1.1.1",
     "a.xml:4: $A has 2 values and $B has 1"},
    /* Attributes that do not go together. */
    {OUT_RULE("<ip srcipmask='24'/>"), "", "a.xml:3: srcipmask stands alone"},
    {OUT_RULE("<ip srcipaddr='1.1.1.1'/><ip srcipmask='24'/>"), "", "srcipmask stands alone"},
    {OUT_RULE("<ip protocol='6' dstportend='9'/>"), "", "a.xml:3: dstportend stands alone"},
    {OUT_RULE("<ip srcipaddr='1.1.1.0/24' srcipmask='24'/>"), "", "has a prefix length already"},
    {OUT_RULE("<ip protocol='6' srcportstart='10' srcportend='9'/>"), "",
     "a.xml:3: srcportend: the range ends before it starts"},
    {OUT_RULE("<ip dstportstart='80'/>"), "", "a.xml:3: ports need a protocol"},
    {OUT_RULE("<ip protocol='6'/>\n<ip dstportstart='80'/>"), "", "a.xml:4: ports need a protocol"},
    {OUT_RULE("<ip match='no' protocol='6' dstportstart='80'/>"), "",
     "a.xml:3: ports need a protocol that is not negated"},
    {OUT_RULE("<ip protocol='icmp' dstportstart='80'/>"), "", "a.xml:3: protocol 1 has no ports"},
    {OUT_RULE("<ip protocol='udplite' srcportstart='80'/>"), "", "protocol 136 has no ports"},
    {OUT_RULE("<ip protocol='$A' srcportstart='80'/>"), "A=tcp,esp", "protocol 50 has no ports"},
    {OUT_RULE("<ipv6 type='1'/>"), "", "a.xml:3: ICMPv6 types and codes need a protocol"},
    {OUT_RULE("<ipv6 protocol='tcp' type='1'/>"), "", "protocol 6 has no ICMPv6 types"},
    {OUT_RULE("<tcp state='NEW'/>\n<tcp state='ESTABLISHED'/>"), "",
     "a.xml:4: state: the rule asks for a state already"},
    {{FILTER("a", "",
             "<rule action='drop' direction='inout'>\n<stp srcmacaddr='0:0:0:0:0:1'/>"
             "</rule>\n")},
     "",
     "a.xml:2: <stp> with srcmacaddr cannot be inout"},
    /* References. */
    {{FILTER("a", "", "\n" REF("b"))}, "", "a.xml:3: filter b: no such filter"},
    {{FILTER("a", "", REF("b")), FILTER("b", "", REF("c"))},
     "",
     "b.xml:2: filter c: no such filter"},
    {{FILTER("a", "", REF("../b"))}, "", "a.xml:2: filter ../b: \"../b\" is not a filter's name"},
    {{FILTER("a", "", REF("b")), FILTER("b", "", "<rule/>\n")},
     "",
     "a.xml:2: filter b: b.xml:2: <rule> needs"},
    {{FILTER("a", "", REF("b")), {"b", "<filter name='c'/>"}},
     "",
     "a.xml:2: filter b: b.xml: holds the filter \"c\" instead of \"b\""},
    {{FILTER("a", "", REF("a"))}, "", "a.xml:2: filter a refers to itself"},
    {{FILTER("a", "", "\n" REF("b")), FILTER("b", "", "\n\n" REF("a"))},
     "",
     "b.xml:4: filter a refers to itself"},
    {{FILTER("a", "", REF("b")), FILTER("b", "", REF("c")), FILTER("c", "", REF("b"))},
     "",
     "c.xml:2: filter b refers to itself"},
};

static void
test_errors(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(errors); i++) {
        struct nwf_store *store CLEANUP(nwf_store_cleanup) = NULL;
        struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        int r = program_of(errors[i].filters, errors[i].variables, &store, &program, &err);

        expect_error(r, &err, errors[i].error);
        assert_null(program);
    }
}

/* ---- Limits. ---- */

/* Filters f0, f1, ...: each of the first 'depth' refers 'times' times to the next; the
 * last has 'body'. */
struct ladder {
    int depth, times;
    const char *body;
};

static int
read_rung(void *aux, const char *name, char **ret_path, char **ret_data, size_t *ret_size,
          struct nwf_error *err)
{
    const struct ladder *ladder = aux;
    int i = atoi(name + 1);
    char *data = nwf_asprintf("<filter name='f%d'>", i);

    (void) err;
    for (int j = 0; i < ladder->depth && j < ladder->times; j++) {
        char *old CLEANUP_FREE = data;
        data = nwf_asprintf("%s<filterref filter='f%d'/>", old, i + 1);
    }
    char *old CLEANUP_FREE = data;
    *ret_data = nwf_asprintf("%s%s</filter>", old, i < ladder->depth ? "" : ladder->body);
    *ret_size = strlen(*ret_data);
    *ret_path = nwf_asprintf("%s.xml", name);
    return 0;
}

static int
climb(const struct ladder *ladder, const char *variables, struct nwf_error *err)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(read_rung, (void *) ladder);
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    struct nwf_params params CLEANUP(nwf_params_clear), needed CLEANUP(nwf_params_clear);
    const struct nwf_filter *filter;

    params_of("", &needed);
    params_of(variables, &params);
    expect_ok(nwf_store_get(store, "f0", &filter, err), err);
    expect_ok(nwf_filter_stand_ins(store, filter, &needed, err), err); /* Ends, too. */
    return nwf_program_new(store, filter, &params, &program, err);
}

/* Beside "gratuitous", each address of a list needs a rule of its own. */
#define LIST_RULE                                                                                  \
    "<rule action='drop' direction='out'><arp gratuitous='true' arpsrcipaddr='$A[@1]' "            \
    "arpdstipaddr='$A[@2]'/></rule>"

static void
test_limits(void **state)
{
    static const struct {
        struct ladder ladder;
        size_t n_values;
        const char *error; /* NULL: fits. */
    } rows[] = {
        {{NWF_PROGRAM_DEPTH_MAX - 1, 1, ""}, 1, NULL},
        {{NWF_PROGRAM_DEPTH_MAX, 1, ""}, 1, "nest deeper than 32"},
        {{9, 2, ""}, 1, NULL}, /* 2 + 4 + ... + 512 = 1022 */
        {{10, 2, ""}, 1, "more than 1024 references"},
        {{31, 2, ""}, 1, "more than 1024 references"}, /* 2^32, if nobody counted */
        {{1, NWF_PROGRAM_REFS_MAX, ""}, 1, NULL},
        {{1, NWF_PROGRAM_REFS_MAX + 1, ""}, 1, "more than 1024 references"},
        {{0, 0, LIST_RULE}, 256, NULL}, /* 65,536 rules */
        {{0, 0, LIST_RULE}, 257, "more than 65536 rules"},
        {{0, 0, LIST_RULE}, 4096, "more than 65536 rules"}, /* 16 million */
        {{1, 2, LIST_RULE}, 200, "more than 65536 rules"},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_error err = NWF_ERROR_INIT;
        char *variables CLEANUP_FREE = nwf_zalloc(3 + rows[i].n_values * 16);

        strcpy(variables, "A=");
        for (size_t j = 0, n = 2; j < rows[i].n_values; j++) {
            n += (size_t) sprintf(variables + n, "10.0.%zu.%zu,", j / 256, j % 256);
        }
        int r = climb(&rows[i].ladder, variables, &err);
        if (rows[i].error) {
            expect_error(r, &err, rows[i].error);
        } else {
            expect(!r, "row %zu: %s", i, nwf_error_text(&err));
        }
    }
}

/* ---- Stand-ins. ---- */

/* With the values that stand in, a filter without faults has no error. */
static void
test_stand_ins(void **state)
{
    static const struct {
        struct text_filter filters[N_FILTERS];
        const char *needed;
    } rows[] = {
        {OUT_RULE("<mac srcmacaddr='$MAC' protocolid='$TYPE'/>"), "MAC TYPE"},
        {OUT_RULE("<ip srcipaddr='$IP' srcipmask='$MASK' dscp='$D'/>"), "D IP MASK"},
        {OUT_RULE("<ip protocol='$P' srcportstart='$FROM' srcportend='$TO'/>"), "FROM P TO"},
        {OUT_RULE("<ip protocol='tcp' srcportstart='1000' srcportend='$TO'/>"), "TO"},
        {OUT_RULE("<ipv6 srcipaddr='$IPV6' dstipaddr='$A[3]'/>"), "A IPV6"},
        {OUT_RULE("<ipv6 protocol='$P' type='$T'/>"), "P T"},
        {OUT_RULE("<arp opcode='$OP' gratuitous='$G' arpsrcipaddr='$IP'/>"), "G IP OP"},
        {OUT_RULE("<ipv6 srcipaddr='$IPV6_LL' dstipaddr='$IPV6'/>"), "IPV6 MAC"},
        {OUT_RULE("<flow match='icmp6,icmp_type=135,nd_sll=$M,ipv6_src=$IPV6_LL'/>"), "M MAC"},
        {OUT_RULE("<vlan vlanid='$VLAN' encap-protocol='$TYPE'/>"), "TYPE VLAN"},
        {{FILTER(
             "a", "",
             "<rule action='drop' direction='in'><ip srcipaddr='$A[1]'/></rule>\n"
             "<rule action='drop' direction='in'><ip srcipaddr='$A' dstipaddr='$B'/></rule>\n")},
         "A B"},
        {{FILTER("a", "", REF("b") REF("none")),
          FILTER("b", "", "<rule action='drop' direction='in'><ip srcipaddr='$A'/></rule>\n"),
          FILTER("none", "", "")},
         "A"},
    };
    size_t n_wrong = 0;

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_store *store CLEANUP(nwf_store_cleanup) = store_of(rows[i].filters);
        struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
        struct nwf_params needed CLEANUP(nwf_params_clear) = {.list.data = NULL};
        struct nwf_error err = NWF_ERROR_INIT;
        const struct nwf_filter *filter;
        struct text names = {.n = 0};

        expect_ok(nwf_store_get(store, "a", &filter, &err), &err);
        expect_ok(nwf_filter_stand_ins(store, filter, &needed, &err), &err);
        nwf_vec_foreach (param, &needed.list) {
            say(&names, " %s", param->name);
        }
        expect_text(&names, rows[i].needed, "variables");
        if (nwf_program_new(store, filter, &needed, &program, &err)) {
            print_error("row %zu: %s\n", i, nwf_error_text(&err));
            n_wrong++;
        }
        nwf_error_clear(&err);
    }
    assert_int_equal(n_wrong, 0);
}

/* A text that is put into a store stands for the name in it, and only once. */
static void
test_store_put(void **state)
{
    static const struct text_filter filters[] = {FILTER("b", "", REF("a")), {NULL, NULL}};
    static const char xml[] = "<filter name='a'/>";
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = store_of(filters);
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_filter *put, *got;

    (void) state;
    expect_ok(nwf_store_put(store, "new.xml", xml, strlen(xml), &put, &err), &err);
    expect_ok(nwf_store_get(store, "a", &got, &err), &err);
    assert_ptr_equal(put, got);
    assert_string_equal(got->file, "new.xml");
    expect_error(nwf_store_put(store, "new.xml", xml, strlen(xml), &put, &err), &err,
                 "the filter a is there already");
    expect_error(nwf_store_get(store, "c", &got, &err), &err, "no such filter");
    expect_error(nwf_store_get(store, "c", &got, &err), &err, "no such filter");
    expect_error(nwf_store_get(store, "a/../b", &got, &err), &err, "is not a filter's name");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),     cmocka_unit_test(test_values),
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_stand_ins), cmocka_unit_test(test_store_put),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
