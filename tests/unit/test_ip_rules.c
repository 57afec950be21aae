/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules of the IP layers (tcp ... all-ipv6) as each direction has them: libvirt's
 * translation (iptablesCreateRuleInstance), by a table of what a rule can be, the order
 * of the two lists, and which long lists stay lists. */
#include "say.h"

#include <errno.h>

#include "nwf/text.h"

#define FILTER(NAME, ATTRS, BODY)                                                                  \
    {                                                                                              \
        NAME, "<filter name='" NAME "' " ATTRS ">\n" BODY "</filter>"                              \
    }
#define REF(NAME) "<filterref filter='" NAME "'/>\n"
#define N_FILTERS 6

/* ---- What becomes of a rule. ---- */

#define TCP "type=0800 proto=06"
#define UDP "type=0800 proto=11"
#define ICMP "type=0800 proto=01"
#define IP "type=0800"
#define NONE ""
#define BEGINS " {new,est original}"
#define ANSWERS " {est reply}"

static const struct {
    const char *rule;    /* Attributes of <rule>. */
    const char *element; /* Or several. */
    const char *out, *in;
} rules[] = {
    /* Accept, no state asked for: one who may begin, the other may answer. */
    {"action='accept' direction='out'", "<tcp dstportstart='22'/>", TCP " dport=0016" BEGINS,
     TCP " sport=0016" ANSWERS},
    {"action='accept' direction='in'", "<tcp dstportstart='22'/>", TCP " sport=0016" ANSWERS,
     TCP " dport=0016" BEGINS},
    {"action='accept' direction='inout'", "<tcp dstportstart='22'/>", TCP " sport=0016",
     TCP " dport=0016"},
    {"action='accept' direction='out'", "<all/>", IP BEGINS, IP ANSWERS},
    {"action='accept' direction='in'", "<all/>", IP ANSWERS, IP BEGINS},
    {"action='accept' direction='inout'", "<all/>", IP, IP},

    /* statematch='false': both directions, whatever the connection. */
    {"action='accept' direction='out' statematch='false'", "<udp dstportstart='53'/>",
     UDP " dport=0035", UDP " sport=0035"},
    {"action='accept' direction='in' statematch='0'", "<udp dstportstart='53'/>", UDP " sport=0035",
     UDP " dport=0035"},
    {"action='accept' direction='out' statematch='true'", "<all/>", IP BEGINS, IP ANSWERS},
    {"action='accept' direction='out' statematch='false'", "<all state='NEW'/>", IP, IP},

    /* Other actions: both directions, no state. */
    {"action='drop' direction='out'", "<tcp dstportstart='25'/>", TCP " dport=0019",
     TCP " sport=0019"},
    {"action='drop' direction='in'", "<tcp dstportstart='25'/>", TCP " sport=0019",
     TCP " dport=0019"},
    {"action='drop' direction='inout'", "<tcp dstportstart='25'/>", TCP " sport=0019",
     TCP " dport=0019"},
    {"action='reject' direction='out'", "<all/>", IP, IP},
    {"action='return' direction='in'", "<udp srcportstart='1'/>", UDP " dport=0001",
     UDP " sport=0001"},
    {"action='continue' direction='out'", "<all/>", IP, IP},

    /* An asked-for state: the rule's own direction, whatever the action. */
    {"action='accept' direction='out'", "<tcp state='NEW,ESTABLISHED'/>", TCP " {new,est}", NONE},
    {"action='accept' direction='in'", "<tcp srcportstart='1' state='related'/>", NONE,
     TCP " sport=0001 {rel}"},
    {"action='accept' direction='inout'", "<tcp srcportstart='1' state='ESTABLISHED'/>",
     TCP " dport=0001 {est}", TCP " sport=0001 {est}"},
    {"action='drop' direction='out'", "<all state='INVALID'/>", IP " {inv}", NONE},
    {"action='reject' direction='in'", "<all state='NEW,INVALID'/>", NONE, IP " {new,inv}"},
    {"action='accept' direction='out'", "<udp dstportstart='9' state='NONE'/>", UDP " dport=0009",
     NONE},
    {"action='drop' direction='inout'", "<udp dstportstart='9' state='NONE'/>", UDP " sport=0009",
     UDP " dport=0009"},

    /* ICMP with a type: its own direction, and no direction of the connection. */
    {"action='accept' direction='out'", "<icmp type='8'/>", ICMP " icmp=08 {new,est}", NONE},
    {"action='accept' direction='in'", "<icmp type='8' code='0'/>", NONE,
     ICMP " icmp=08 code=00 {new,est}"},
    {"action='accept' direction='inout'", "<icmp type='8'/>", NONE, NONE},
    {"action='drop' direction='in'", "<icmp type='5'/>", NONE, ICMP " icmp=05"},
    {"action='drop' direction='inout'", "<icmp type='5'/>", NONE, NONE},
    {"action='accept' direction='out' statematch='false'", "<icmp type='8'/>", ICMP " icmp=08",
     NONE},
    {"action='accept' direction='in'", "<icmp type='3' state='RELATED'/>", NONE,
     ICMP " icmp=03 {rel}"},
    {"action='accept' direction='out'", "<icmp/>", ICMP BEGINS, ICMP ANSWERS},
    {"action='accept' direction='inout'", "<icmp/>", ICMP, ICMP},
    {"action='accept' direction='out'", "<icmpv6 type='128'/>",
     "type=86dd proto=3a icmp=80 {new,est}", NONE},
    {"action='accept' direction='inout'", "<icmpv6 type='135'/>", NONE, NONE},

    /* The sender's MAC address is asked of what the rule reads literally. */
    {"action='accept' direction='out'", "<tcp srcmacaddr='0:0:0:0:0:1'/>",
     TCP " eth_src=000000000001" BEGINS, NONE},
    {"action='accept' direction='in'", "<all srcmacaddr='0:0:0:0:0:1'/>", NONE,
     IP " eth_src=000000000001" BEGINS},
    {"action='drop' direction='inout'", "<all srcmacaddr='0:0:0:0:0:1'/>", NONE,
     IP " eth_src=000000000001"},
    {"action='drop' direction='out'", "<tcp srcmacaddr='0:0:0:0:0:1' dstportstart='7'/>",
     TCP " eth_src=000000000001 dport=0007", TCP " sport=0007"},
    {"action='accept' direction='in'", "<tcp srcmacaddr='0:0:0:0:0:1' dstportstart='7'/>",
     TCP " sport=0007" ANSWERS, TCP " eth_src=000000000001 dport=0007" BEGINS},
    {"action='drop' direction='inout'", "<all srcmacaddr='0:0:0:0:0:1' dscp='3'/>", IP " dscp=03",
     IP " eth_src=000000000001 dscp=03"},

    /* Addresses, masks, ranges: they change places in what is mirrored. */
    {"action='drop' direction='out'", "<all srcipaddr='1.2.3.4' dstipaddr='5.6.7.8'/>",
     IP " src=01020304 dst=05060708", IP " dst=01020304 src=05060708"},
    {"action='drop' direction='in'", "<all srcipaddr='1.2.3.4' srcipmask='24'/>",
     IP " dst=01020300/ffffff00", IP " src=01020300/ffffff00"},
    {"action='drop' direction='out'", "<all srcipfrom='1.1.1.1' srcipto='1.1.1.9'/>",
     IP " src=01010101-01010109", IP " dst=01010101-01010109"},
    {"action='drop' direction='out'", "<all dstipfrom='1.1.1.1' dstipto='1.1.1.9'/>",
     IP " dst=01010101-01010109", IP " src=01010101-01010109"},
    {"action='drop' direction='in'",
     "<udp srcportstart='1' srcportend='5' dstportstart='7' dstportend='9'/>",
     UDP " dport=0001-0005 sport=0007-0009", UDP " sport=0001-0005 dport=0007-0009"},
    /* Here, address and range must both match. */
    {"action='drop' direction='out'",
     "<all srcipaddr='1.1.1.1' srcipfrom='1.1.1.0' "
     "srcipto='1.1.1.9'/>",
     IP " src=01010101 src=01010100-01010109", IP " dst=01010101 dst=01010100-01010109"},
    {"action='drop' direction='out'", "<all-ipv6 dstipfrom='::1' dstipto='::2'/>",
     "type=86dd dst6=00000000000000000000000000000001-00000000000000000000000000000002",
     "type=86dd src6=00000000000000000000000000000001-00000000000000000000000000000002"},

    /* TCP flags are not mirrored; DSCP has no other side either. */
    {"action='drop' direction='out'", "<tcp flags='SYN,ACK/SYN' dstportstart='1'/>",
     TCP " flags=0002/0012 dport=0001", TCP " flags=0002/0012 sport=0001"},
    {"action='drop' direction='in'", "<tcp flags='ALL/NONE'/>", TCP " flags=0000/003f",
     TCP " flags=0000/003f"},
    {"action='drop' direction='out'", "<tcp-ipv6 flags='SYN/SYN'/>",
     "type=86dd proto=06 flags=0002/0002", "type=86dd proto=06 flags=0002/0002"},

    /* Negation is an element's, and stays with what is mirrored. */
    {"action='drop' direction='out'", "<tcp match='no' dstportstart='22'/>", TCP " !dport=0016",
     TCP " !sport=0016"},
    {"action='drop' direction='in'",
     "<tcp srcipaddr='1.1.1.1'/><tcp match='no' dstportstart='22'/>",
     TCP " dst=01010101 !sport=0016", TCP " src=01010101 !dport=0016"},

    /* Every protocol. */
    {"action='drop' direction='out'", "<udplite/>", "type=0800 proto=88", "type=0800 proto=88"},
    {"action='drop' direction='out'", "<esp/>", "type=0800 proto=32", "type=0800 proto=32"},
    {"action='drop' direction='out'", "<ah/>", "type=0800 proto=33", "type=0800 proto=33"},
    {"action='drop' direction='out'", "<igmp/>", "type=0800 proto=02", "type=0800 proto=02"},
    {"action='accept' direction='out'", "<sctp dstportstart='9'/>",
     "type=0800 proto=84 dport=0009" BEGINS, "type=0800 proto=84 sport=0009" ANSWERS},
    {"action='drop' direction='out'", "<udp-ipv6/>", "type=86dd proto=11", "type=86dd proto=11"},
    {"action='drop' direction='out'", "<udplite-ipv6/>", "type=86dd proto=88",
     "type=86dd proto=88"},
    {"action='drop' direction='out'", "<esp-ipv6/>", "type=86dd proto=32", "type=86dd proto=32"},
    {"action='drop' direction='out'", "<ah-ipv6/>", "type=86dd proto=33", "type=86dd proto=33"},
    {"action='drop' direction='out'", "<sctp-ipv6/>", "type=86dd proto=84", "type=86dd proto=84"},
    {"action='drop' direction='out'", "<icmpv6/>", "type=86dd proto=3a", "type=86dd proto=3a"},

    /* <flow> has no other side that one could know. */
    {"action='accept' direction='out'", "<tcp/><flow match='tcp,tp_dst=22'/>",
     TCP " match=tcp,tp_dst=22 {new,est}", NONE},
    {"action='drop' direction='in'", "<all dscp='1'/><flow match='ip,nw_ttl=1'/>", NONE,
     IP " dscp=01 match=ip,nw_ttl=1"},
};

static void
expect_sides(const struct nwf_program *program, const char *out, const char *in, const char *what)
{
    struct text said_out = {.n = 0}, said_in = {.n = 0};

    say_conds(&said_out, &program->side[NWF_OUT]);
    say_conds(&said_in, &program->side[NWF_IN]);
    expect_text(&said_out, out, what);
    expect_text(&said_in, in, what);
}

static void
test_rules(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(rules); i++) {
        char *rule CLEANUP_FREE =
            nwf_asprintf("<rule %s>%s</rule>", rules[i].rule, rules[i].element);
        char *xml CLEANUP_FREE = nwf_asprintf("<filter name='a'>%s</filter>", rule);
        const struct text_filter filters[] = {{"a", xml}, {NULL, NULL}};
        struct nwf_store *store CLEANUP(nwf_store_cleanup) = NULL;
        struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;

        expect_ok(program_of(filters, "", &store, &program, &err), &err);
        expect_sides(program, rules[i].out, rules[i].in, rule);
        expect(!program->side[NWF_OUT].root.n && !program->side[NWF_IN].root.n,
               "%s: it is in the root list", rule);
    }
}

/* ---- Order. ---- */

#define DROP(DIRECTION, PRIORITY, ELEMENT)                                                         \
    "<rule action='drop' direction='" DIRECTION "' priority='" PRIORITY "'>" ELEMENT "</rule>\n"

static const struct {
    const char *what;
    struct text_filter filters[N_FILTERS];
    const char *root, *ipv4, *ipv6; /* Direction out. */
} orders[] = {
    {"by priority, then by the text's order, whatever the direction",
     {FILTER("a", "",
             DROP("out", "500", "<tcp/>") DROP("in", "100", "<udp/>")
                 DROP("inout", "500", "<all/>"))},
     "",
     "a3 a2 a4",
     ""},
    {"each family has a list of its own",
     {FILTER("a", "",
             DROP("out", "9", "<tcp/>") DROP("out", "8", "<tcp-ipv6/>") DROP("out", "7", "<all/>")
                 DROP("out", "6", "<icmpv6/>") DROP("out", "5", "<ip/>"))},
     "a6",
     "a4 a2",
     "a5 a3"},
    {"rules of root filters come first, priorities count among each",
     {FILTER("a", "", REF("b") DROP("out", "900", "<all/>") REF("c")),
      FILTER("b", "chain='ipv4'", DROP("out", "-1000", "<tcp/>")),
      FILTER("c", "chain='root'", DROP("out", "800", "<udp/>"))},
     "",
     "c2 a3 b2",
     ""},
    {"a chain's priority does not matter, nor what kind of chain it is",
     {FILTER("a", "", REF("b") REF("c") REF("d")),
      FILTER("b", "chain='ipv6' priority='900'", DROP("out", "100", "<tcp/>")),
      FILTER("c", "chain='arp' priority='-900'", DROP("out", "200", "<tcp/>")),
      FILTER("d", "chain='mac' priority='0'", DROP("out", "50", "<tcp/>"))},
     "",
     "d2 b2 c2",
     ""},
    {"a chain is made for its Ethernet rules only",
     {FILTER("a", "", REF("b") DROP("out", "0", "")),
      FILTER("b", "chain='ipv4' priority='5'",
             DROP("out", "1", "<tcp/>") DROP("out", "2", "<ip/>"))},
     "a3 ipv4( b3 )",
     "b2",
     ""},
    {"IP rules do not pull a chain forward",
     {FILTER("a", "", DROP("out", "900", "<all/>") REF("b") DROP("out", "-900", "")),
      FILTER("b", "chain='mac' priority='-800'", DROP("out", "1", ""))},
     "a4 mac( b2 )",
     "a2",
     ""},
};

static void
test_order(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(orders); i++) {
        struct nwf_store *store CLEANUP(nwf_store_cleanup) = NULL;
        struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        struct text root = {.n = 0}, ipv4 = {.n = 0}, ipv6 = {.n = 0};

        expect_ok(program_of(orders[i].filters, "", &store, &program, &err), &err);
        say_order(&root, &program->side[NWF_OUT]);
        say_ip_order(&ipv4, &program->side[NWF_OUT], NWF_FAMILY_IPV4);
        say_ip_order(&ipv6, &program->side[NWF_OUT], NWF_FAMILY_IPV6);
        expect_text(&root, orders[i].root, orders[i].what);
        expect_text(&ipv4, orders[i].ipv4, orders[i].what);
        expect_text(&ipv6, orders[i].ipv6, orders[i].what);
    }
}

/* ---- Lists. ---- */

/* Variables: A and B with so many addresses, P of ports, L of masks' lengths, M of MAC
 * addresses, and S with three addresses. */
static const struct {
    const char *what, *element;
    size_t n;
    size_t n_rules; /* Towards the outside. */
    bool is_list;
} lists[] = {
    {"fewer than 16: a rule a value", "<all srcipaddr='$A'/>", 15, 15, false},
    {"16: a list", "<all srcipaddr='$A'/>", 16, 1, true},
    {"many", "<all dstipaddr='$A'/>", 300, 1, true},
    {"of the Ethernet layer too", "<ip srcipaddr='$A'/>", 16, 1, true},
    {"of ARP", "<arp arpsrcipaddr='$A'/>", 16, 1, true},
    {"of MAC addresses", "<mac srcmacaddr='$M'/>", 16, 1, true},
    {"with a mask in digits", "<all srcipaddr='$A' srcipmask='24'/>", 16, 1, true},
    {"of ports: no list", "<tcp dstportstart='$P'/>", 16, 16, false},
    {"two iterators: two lists in one rule", "<all srcipaddr='$A[@1]' dstipaddr='$B[@2]'/>", 16, 1,
     true},
    {"a list beside what is walked", "<all srcipaddr='$A[@1]' dstipaddr='$S[@2]'/>", 16, 3, true},
    {"two that are walked together: no list", "<all srcipaddr='$A' dstipaddr='$B'/>", 16, 16,
     false},
    {"a mask that is a variable: no list", "<all srcipaddr='$A' srcipmask='$L[0]'/>", 16, 16,
     false},
    {"a mask that is a list: no list", "<all srcipaddr='$A' srcipmask='$L'/>", 16, 16, false},
    {"the start of a range: no list", "<all srcipfrom='$A' srcipto='10.9.9.9'/>", 16, 16, false},
    {"the end of a range: no list", "<all srcipfrom='10.0.0.0' srcipto='$A'/>", 16, 16, false},
    {"negated: no list", "<all match='no' srcipaddr='$A'/>", 16, 16, false},
    {"beside what is negated: no list", "<all srcipaddr='$A'/><all match='no' dscp='1'/>", 16, 16,
     false},
    {"gratuitous ARP: no list", "<arp arpsrcipaddr='$A' gratuitous='true'/>", 16, 16, false},
    {"one value of a list", "<all srcipaddr='$A[7]'/>", 16, 1, false},
};

static void
add_list(struct text *text, const char *name, size_t n, const char *format)
{
    say(text, " %s=", name);
    for (size_t i = 0; i < n; i++) {
        char *octets CLEANUP_FREE = nwf_asprintf("%zu.%zu", i / 256, i % 256);
        char *number CLEANUP_FREE = nwf_asprintf("%zu", i % 32 + 1);

        say(text, "%s%s%s", i ? "," : "", format, strchr(format, '.') ? octets : number);
    }
}

static void
say_variables(struct text *text, size_t n)
{
    add_list(text, "A", n, "10.0.");
    add_list(text, "B", n, "10.1.");
    add_list(text, "P", n, "");
    add_list(text, "L", n, "");
    add_list(text, "M", n, "2:0:0:0:0:");
    say(text, " S=10.2.0.1,10.2.0.2,10.2.0.3");
}

static void
test_lists(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(lists); i++) {
        char *xml CLEANUP_FREE =
            nwf_asprintf("<filter name='a'><rule action='drop' direction='out'>%s</rule></filter>",
                         lists[i].element);
        struct text variables = {.n = 0};
        const struct text_filter filters[] = {{"a", xml}, {NULL, NULL}};
        struct nwf_store *store CLEANUP(nwf_store_cleanup) = NULL;
        struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        bool is_list = false;

        say_variables(&variables, lists[i].n);
        expect_ok(program_of(filters, variables.data, &store, &program, &err), &err);
        const struct nwf_side *side = &program->side[NWF_OUT];
        expect(side->rules.n == lists[i].n_rules, "%s: %zu rules", lists[i].what, side->rules.n);
        nwf_vec_foreach (instance, &side->rules) {
            nwf_vec_foreach (cond, &instance->conds) {
                is_list |= cond->list.n > 0;
                expect(!cond->list.n || cond->list.n == lists[i].n, "%s: a list of %zu",
                       lists[i].what, cond->list.n);
            }
        }
        expect(is_list == lists[i].is_list, "%s: %s", lists[i].what, is_list ? "a list" : "none");
    }
}

/* ---- Errors. ---- */

static const struct {
    const char *element, *variables, *error;
} errors[] = {
    {"<icmp code='3'/>", "", "a.xml:2: code needs a type beside it"},
    {"<icmpv6 code='3'/>", "", "a.xml:2: code needs a type beside it"},
    {"<icmp type='3'/><icmp match='no' code='1'/>", "", "a.xml:2: code needs a type beside it"},
    {"<tcp match='no' state='NEW'/>", "", "a.xml:2: state: a state cannot be negated"},
    {"<all srcipmask='24'/>", "", "a.xml:2: srcipmask stands alone"},
    {"<all srcipto='1.1.1.1'/>", "", "a.xml:2: srcipto stands alone"},
    {"<all srcipaddr='1.1.1.1' srcipto='1.1.1.1'/>", "", "srcipto stands alone"},
    {"<all srcipfrom='1.1.1.1' srcipmask='24'/>", "", "srcipmask stands alone"},
    {"<tcp dstportend='5'/>", "", "dstportend stands alone"},
    {"<tcp srcportstart='6' srcportend='5'/>", "", "srcportend: the range ends before it starts"},
    {"<all dstipfrom='1.1.1.2' dstipto='1.1.1.1'/>", "", "the range ends before it starts"},
    {"<all srcipfrom='1.1.1.0' srcipto='1.1.2.0/24'/>", "",
     "a.xml:2: srcipto: a range goes from one address to another, not from or to a network"},
    {"<all dstipfrom='1.1.0.0/16' dstipto='1.2.0.0'/>", "",
     "dstipto: a range goes from one address"},
    {"<all-ipv6 srcipfrom='$A' srcipto='$B'/>",
     "A=2001:db8::/64 B=2001:db8:0:1::", "srcipto: a range goes from one address"},
    {"<all-ipv6 srcipfrom='$A' srcipto='$B'/>", "A=2001:db8:: B=2001:db8:0:1::/64",
     "srcipto: a range goes from one address"},
    {"<all srcipaddr='$A' srcipmask='24'/>", "A=1.0.0.0/8", "has a prefix length already"},
    {"<all srcipaddr='$A'/>", "", "a.xml:2: unknown variable $A"},
    {"<all srcipaddr='$A'/>", "A=x", "a.xml:2: srcipaddr: $A: "},
    {"<all srcipaddr='$A'/>", "A=1.1.1.1,::1", "a.xml:2: srcipaddr: $A: "},
    {"<tcp srcipaddr='$A' dstportstart='$B'/>", "A=1.1.1.1,1.1.1.2 B=1", "one length"},
    {"<tcp dstportstart='$A'/>", "A=65536", "dstportstart: $A: "},
    {"<tcp state='$A'/>", "A=WRONG", "state: $A: "},
    {"<tcp flags='$A'/>", "A=SYN", "flags: $A: "},
};

static void
test_errors(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(errors); i++) {
        char *xml CLEANUP_FREE = nwf_asprintf(
            "<filter name='a'><rule action='accept' direction='out'>\n%s</rule></filter>",
            errors[i].element);
        const struct text_filter filters[] = {{"a", xml}, {NULL, NULL}};
        struct nwf_store *store CLEANUP(nwf_store_cleanup) = NULL;
        struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
        struct nwf_error err = NWF_ERROR_INIT;
        int r = program_of(filters, errors[i].variables, &store, &program, &err);

        expect(r < 0, "%s: no error", errors[i].element);
        expect_error(r, &err, errors[i].error);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
