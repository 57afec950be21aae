/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiler's core: what a row of stages says of a frame, as Open vSwitch sees the
 * frame, is what libvirt's rules say of it (reference.c) - the verdict, and the rule
 * that gives it.  That must hold for written filters and for thousands of random ones,
 * whatever negation, "return", merging and pruning have made of them.
 *
 * Of a frame that Open vSwitch does not look into, the stages may accept no more than
 * the rules do: in doubt it is dropped. */
#include <config.h>

#include "compiled.h"
#include "random_filter.h"

#include <errno.h>

#include "builder.h"
#include "compare.h"
#include "flood.h"
#include "nwf/evaluate.h"
#include "nwf/pipeline.h"
#include "nwf/stages.h"
#include "nwf/text.h"
#include "openvswitch/match.h"

/* ---- Stages, evaluated. ---- */

static const struct nwf_row *
last_row(const struct nwf_stages *stages, const struct flow *flow)
{
    static const struct nwf_evaluation_ct untracked;
    struct nwf_evaluation evaluation;

    nwf_evaluate(stages, flow, &untracked, &evaluation);
    const struct nwf_row *row = evaluation.steps.data[evaluation.steps.n - 1].row;
    nwf_vec_foreach (step, &evaluation.steps) {
        expect(!nwf_row_has_target(step->row) || step->row->target > step->stage,
               "stage %zu goes to %zu", step->stage, step->row->target);
    }
    nwf_evaluation_clear(&evaluation);
    return row;
}

/* ---- Comparison. ---- */

static void
print_difference(const struct compiled *c, enum nwf_direction direction, const struct frame *frame,
                 const struct verdict *expected, const struct verdict *found)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    frame_format(frame, &s);
    print_error("direction %s, frame %s\n  the rules: %s by rule %#x; the stages: %s by rule %#x "
                "(%zu rules, %zu stages)\n",
                nwf_direction_to_string(direction), ds_cstr(&s),
                expected->accepted ? "accepted" : "dropped", expected->rule,
                found->accepted ? "accepted" : "dropped", found->rule,
                c->program->side[direction].rules.n, c->stages[direction].list.n);
    ds_destroy(&s);
}

/* What a flood takes for granted of all frames of a kind. */
static bool
agrees_with_flood(const struct nwf_flood_verdicts *flood, const struct frame *frame,
                  const struct verdict *found)
{
    static const uint16_t kinds[] = {0x0806, 0x0800, 0x86dd, 0x8035};
    int kind = 0;

    while (kind < NWF_N_FRAME_KINDS - 1 && kinds[kind] != frame->eth_type) {
        kind++;
    }
    uint8_t said = flood->of[frame->tagged][kind];
    return said == NWF_U_MIXED || (said == NWF_U_ACCEPT) == found->accepted;
}

static bool
check_l2_frame(const struct compiled *c, enum nwf_direction direction, const struct frame *frame)
{
    struct flow flow;

    frame_to_flow(frame, &flow);
    struct verdict expected = reference_verdict(&c->program->side[direction], frame);
    const struct nwf_row *row = last_row(&c->stages[direction], &flow);
    struct verdict found = {.accepted = row->verdict == NWF_V_ACCEPT, .rule = row->rule};
    bool good = frame->oddity == CLEAR
                    ? found.accepted == expected.accepted && found.rule == expected.rule
                    : expected.accepted || !found.accepted;

    if (direction == NWF_OUT) {
        good = good && guard_agrees(c, &flow, row, last_row(&c->guarded, &flow));
    }
    if (!good) {
        print_difference(c, direction, frame, &expected, &found);
    }
    if (!agrees_with_flood(&c->flood[direction], frame, &found)) {
        print_difference(c, direction, frame, &expected, &found);
        print_error("  and a flood takes the contrary for granted\n");
        good = false;
    }
    return good;
}

/* The number of frames whose verdict is wrong. */
static size_t
check_frames(const struct compiled *c, uint64_t seed, size_t n_frames)
{
    struct dice dice = dice_seed(seed);
    size_t n_wrong = 0;

    for (size_t i = 0; i < n_frames; i++) {
        struct frame frame;

        frame_roll(&dice, &frame);
        for (int d = 0; d < NWF_N_DIRECTIONS && n_wrong < 3; d++) {
            n_wrong += !check_l2_frame(c, (enum nwf_direction) d, &frame);
        }
    }
    return n_wrong;
}

/* ---- Written filters. ---- */

#define FILTER(NAME, ATTRS, BODY)                                                                  \
    {                                                                                              \
        NAME, "<filter name='" NAME "' " ATTRS ">" BODY "</filter>"                                \
    }
#define RULE(ACTION, BODY) "<rule action='" ACTION "' direction='inout'>" BODY "</rule>"
#define LATE_RULE(ACTION, BODY)                                                                    \
    "<rule action='" ACTION "' direction='inout' priority='1000'>" BODY "</rule>"
#define REF(NAME) "<filterref filter='" NAME "'/>"

#define N_FILTERS 4

struct written_row {
    const char *what;
    struct text_filter filters[N_FILTERS];
    const char *variables;
};

static const struct written_row written[] = {
    {"no rules", {FILTER("a", "", "")}, ""},
    {"drop all", {FILTER("a", "", RULE("drop", ""))}, ""},
    {"accept, then drop",
     {FILTER("a", "", RULE("accept", "<ip srcipaddr='10.0.0.0/24'/>") RULE("drop", ""))},
     ""},
    {"return in the root list accepts",
     {FILTER("a", "", RULE("return", "<arp/>") RULE("drop", ""))},
     ""},
    {"continue and reject",
     {FILTER("a", "", RULE("continue", "") RULE("reject", "<ip/>") RULE("accept", ""))},
     ""},
    {"a chain's end accepts",
     {FILTER("a", "", REF("b") RULE("drop", "")),
      FILTER("b", "chain='ipv4'", RULE("drop", "<ip protocol='udp'/>"))},
     ""},
    {"a chain that returns",
     {FILTER("a", "", REF("b") RULE("accept", "<mac protocolid='ipv4'/>") RULE("drop", "")),
      FILTER("b", "chain='ipv4'", RULE("return", "<ip srcipaddr='$IPS'/>") LATE_RULE("drop", ""))},
     "IPS=10.0.0.1,10.0.0.2"},
    {"chains that return, one after the other",
     {FILTER("a", "", REF("b") REF("c") REF("d") RULE("drop", "<ip protocol='17'/>")),
      FILTER("b", "chain='mac'", RULE("return", "<mac srcmacaddr='02:00:00:00:00:01'/>")),
      FILTER("c", "chain='ipv4'", RULE("return", "<ip protocol='17'/>") RULE("accept", "")),
      FILTER("d", "chain='arp'", RULE("return", "<arp opcode='1'/>") RULE("drop", ""))},
     ""},
    {"a return for every frame",
     {FILTER("a", "", REF("b") RULE("drop", "<arp/>")),
      FILTER("b", "chain='mac'", RULE("return", ""))},
     ""},
    {"rules of another protocol in a chain",
     {FILTER("a", "", REF("b")),
      FILTER("b", "chain='arp'", RULE("drop", "<ip/>") RULE("drop", "<arp opcode='1'/>"))},
     ""},
    {"a negated rule",
     {FILTER("a", "", RULE("drop", "<mac match='no' srcmacaddr='02:00:00:00:00:01'/>"))},
     ""},
    {"negated rules in a row",
     {FILTER("a", "",
             RULE("drop", "<ip match='no' srcipaddr='10.0.0.0/8'/>")
                 RULE("accept", "<mac match='no' protocolid='arp'/>")
                     RULE("drop", "<arp match='no' opcode='1'/>"))},
     ""},
    {"a negated list is all frames, if it has two values",
     {FILTER("a", "", RULE("drop", "<ip match='no' srcipaddr='$IPS'/>") RULE("accept", ""))},
     "IPS=10.0.0.1,10.0.0.2"},
    {"several negated attributes must all fail",
     {FILTER(
         "a", "",
         RULE("drop", "<ip match='no' srcipaddr='10.0.0.1' dstipaddr='10.0.0.2' protocol='6'/>"))},
     ""},
    {"an element and a negated one",
     {FILTER("a", "",
             RULE("drop", "<ip protocol='udp' dstportstart='67' dstportend='68'/>"
                          "<ip match='no' srcipaddr='0.0.0.0'/>"))},
     ""},
    {"a negated return",
     {FILTER("a", "", REF("b") RULE("drop", "<ip/>")),
      FILTER("b", "chain='ipv4'",
             RULE("return", "<ip match='no' protocol='6'/>") RULE("accept", "<ip dscp='10'/>"))},
     ""},
    {"negated and returned to, behind a chain with both",
     {FILTER("a", "", REF("b") REF("c") LATE_RULE("drop", "")),
      FILTER("b", "chain='mac'",
             RULE("return", "<mac match='no' srcmacaddr='02:00:00:00:00:01'/>")
                 RULE("drop", "<ip/>") RULE("return", "<mac match='no' protocolid='arp'/>")),
      FILTER("c", "chain='arp'",
             RULE("return", "<arp match='no' opcode='2'/>") RULE("accept", ""))},
     ""},
    {"a condition that is met by nothing is no rule",
     {FILTER("a", "", RULE("drop", "<mac protocolid='arp'/><mac protocolid='ipv4'/>"))},
     ""},
    {"a negation of everything",
     {FILTER("a", "",
             RULE("drop", "<mac match='no' srcmacaddr='0:0:0:0:0:0' srcmacmask='0:0:0:0:0:0'/>"))},
     ""},
    {"a range of everything",
     {FILTER("a", "", RULE("drop", "<ip protocol='17' srcportstart='0' srcportend='65535'/>"))},
     ""},
    {"two ranges",
     {FILTER("a", "",
             RULE("drop", "<ipv6 protocol='tcp' srcportstart='1' srcportend='1023' "
                          "dstportstart='1023' dstportend='65534'/>"))},
     ""},
    {"ICMPv6 types and codes",
     {FILTER("a", "",
             RULE("accept", "<ipv6 protocol='icmpv6' type='133' typeend='135' code='0'/>") RULE(
                 "drop", "<ipv6 protocol='icmpv6' type='134' typeend='137' code='1' codeend='9'/>")
                 RULE("accept", "<ipv6 protocol='icmpv6' type='0' typeend='255'/>"))},
     ""},
    {"later fragments have no ports",
     {FILTER("a", "", RULE("drop", "<ip protocol='tcp' srcportstart='0'/>"))},
     ""},
    {"VLANs, and what is in them",
     {FILTER("a", "",
             RULE("accept", "<vlan vlanid='5'/>") RULE("drop", "<vlan encap-protocol='arp'/>")
                 RULE("drop", "<ip/>"))},
     ""},
    {"<mac> sees the tag and nothing behind it",
     {FILTER("a", "",
             RULE("drop", "<mac protocolid='ipv4'/>") RULE("accept", "<mac protocolid='vlan'/>")
                 RULE("drop", ""))},
     ""},
    {"not a VLAN",
     {FILTER("a", "",
             RULE("drop", "<mac match='no' protocolid='vlan'/>")
                 RULE("drop", "<vlan match='no' vlanid='5'/>"))},
     ""},
    {"two tags", {FILTER("a", "", RULE("drop", "<vlan encap-protocol='vlan'/>"))}, ""},
    {"spanning tree",
     {FILTER("a", "", REF("b") RULE("drop", "")),
      FILTER("b", "chain='stp'", RULE("accept", "<stp/>"))},
     ""},
    {"gratuitous ARP of one address",
     {FILTER("a", "",
             RULE("accept", "<arp gratuitous='true' arpsrcipaddr='10.0.0.1'/>")
                 RULE("drop", "<arp/>"))},
     ""},
    {"gratuitous ARP of the address that a packet cut short seems to have",
     {FILTER("a", "",
             RULE("accept", "<arp gratuitous='true' arpdstipaddr='0.0.0.0'/>")
                 RULE("drop", "<arp/>"))},
     ""},
    {"reverse ARP",
     {FILTER("a", "",
             RULE("drop", "<rarp opcode='3' arpsrcmacaddr='02:00:00:00:00:01'/>")
                 RULE("drop", "<arp arpdstipaddr='10.0.0.0/16'/>"))},
     ""},
    {"no next header",
     {FILTER("a", "",
             RULE("drop", "<ipv6 match='no' protocol='6'/>")
                 RULE("accept", "<ipv6 protocol='59'/>"))},
     ""},
    {"an accept that zeros would satisfy",
     {FILTER("a", "",
             RULE("accept", "<arp match='no' arpsrcipaddr='10.0.0.1'/>")
                 RULE("accept", "<ip match='no' srcipaddr='10.0.0.1'/>")
                     RULE("accept", "<ipv6 match='no' protocol='6'/>") RULE("drop", ""))},
     ""},
    {"a drop by address",
     {FILTER("a", "",
             RULE("drop", "<arp arpsrcipaddr='10.0.0.1'/>") RULE("drop", "<rarp opcode='3'/>"))},
     ""},
    {"a drop by port",
     {FILTER("a", "",
             RULE("drop", "<ip protocol='tcp' dstportstart='22'/>")
                 RULE("drop", "<ipv6 protocol='sctp' srcportstart='80'/>"))},
     ""},
    {"a return from an IPv6 chain by an address, of whatever is inside",
     {FILTER("a", "", REF("b") RULE("drop", "")),
      FILTER("b", "chain='ipv6'", RULE("return", "<ipv6 match='no' srcipaddr='fe80::1'/>"))},
     ""},
    {"a return that leads to a drop",
     {FILTER("a", "", REF("b") RULE("drop", "<mac protocolid='arp'/>")),
      FILTER("b", "chain='arp'", RULE("return", "<arp opcode='1'/>"))},
     ""},
};

static void
test_written(void **state)
{
    size_t n_wrong = 0;

    (void) state;
    for (size_t i = 0; i < N_ROWS(written); i++) {
        struct nwf_error err = NWF_ERROR_INIT;
        struct compiled c;

        int r = compile(written[i].filters, written[i].variables, &c, &err);
        expect(!r, "%s: %s", written[i].what, nwf_error_text(&err));
        if (check_frames(&c, i, 6000)) {
            print_error("  ... with the filter \"%s\"\n", written[i].what);
            n_wrong++;
        }
        compiled_free(&c);
    }
    assert_int_equal(n_wrong, 0);
}

/* ---- Random filters. ---- */

/* Sanitizers, who look for other mistakes, make it slow. */
#ifdef __SANITIZE_ADDRESS__
#define N_PROGRAMS 1000
#else
#define N_PROGRAMS 10000
#endif
#define N_FRAMES 60

static bool
compares_ports(const struct nwf_stages *stages)
{
    nwf_vec_foreach (stage, &stages->list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (row->verdict == NWF_V_SET && row->set.compares
                && row->set.field >= NWF_COMPARED_FIRST_PORT) {
                return true;
            }
        }
    }
    return false;
}

static void
test_random(void **state)
{
    size_t n_compiled = 0, n_wrong = 0, n_in_tables = 0, n_ports = 0;

    (void) state;
    for (uint64_t seed = 0; seed < N_PROGRAMS && n_wrong < 3; seed++) {
        struct dice dice = dice_seed(seed);
        struct nwf_error err = NWF_ERROR_INIT;
        struct random_filter filter;
        struct compiled c;

        random_filter_roll(&dice, false, &filter);
        int r = compile(filter.filters, random_filter_variables, &c, &err);
        if (!r) {
            n_compiled++;
            n_in_tables += c.stages[NWF_OUT].list.n > 1;
            n_ports += compares_ports(&c.guarded);
            if (check_frames(&c, seed, N_FRAMES)) {
                print_error("  ... with the random filter %llu:\n", (unsigned long long) seed);
                random_filter_print(&filter);
                n_wrong++;
            }
        } else {
            expect(r == -EOPNOTSUPP || r == -E2BIG, "filter %llu: %s", (unsigned long long) seed,
                   nwf_error_text(&err));
        }
        nwf_error_clear(&err);
        compiled_free(&c);
        random_filter_free(&filter);
    }
    assert_int_equal(n_wrong, 0);
    /* Few are refused, some need more than one table, and some compare ports before all rows. */
    assert_true(n_compiled > N_PROGRAMS * 9 / 10);
    assert_true(n_in_tables > n_compiled / 20);
    assert_true(n_ports > n_compiled / 50);
}

/* ---- What cannot be. ---- */

#define REFUSED(BODY)                                                                              \
    {                                                                                              \
        FILTER("a", "", "\n<rule action='drop' direction='out'>\n" BODY "</rule>")                 \
    }

static const struct {
    struct text_filter filters[N_FILTERS];
    int code;
    const char *error;
} refused[] = {
    {REFUSED("<stp type='0'/>"), -EOPNOTSUPP, "a.xml:2: type: Open vSwitch does not look inside"},
    {REFUSED("<stp root-cost='7'/>"), -EOPNOTSUPP, "a.xml:2: root-cost: "},
    {REFUSED("<arp hwtype='6'/>"), -EOPNOTSUPP, "a.xml:2: hwtype: "},
    {REFUSED("<arp match='no' hwtype='1'/>"), -EOPNOTSUPP, "a.xml:2: hwtype: "},
    {REFUSED("<rarp protocoltype='0x86dd'/>"), -EOPNOTSUPP, "a.xml:2: protocoltype: "},
    {REFUSED("<arp match='no' protocoltype='0x800'/>"), -EOPNOTSUPP, "a.xml:2: protocoltype: "},
    {REFUSED("<arp opcode='0'/>"), -EOPNOTSUPP, "a.xml:2: opcode: "},
    {REFUSED("<arp opcode='256'/>"), -EOPNOTSUPP, "a.xml:2: opcode: "},
    {REFUSED("<mac protocolid='0x88a8'/>"), -EOPNOTSUPP, "a.xml:2: protocolid: "},
    {REFUSED("<vlan encap-protocol='0x100'/>"), -EOPNOTSUPP, "a.xml:2: encap-protocol: "},
    {REFUSED("<arp gratuitous='yes'/>"), -EOPNOTSUPP, "a.xml:2: gratuitous: "},
    {REFUSED("<arp gratuitous='yes' arpsrcipaddr='10.0.0.0/24'/>"), -EOPNOTSUPP, "gratuitous"},
    {REFUSED("<arp match='no' gratuitous='yes' arpsrcipaddr='10.0.0.1'/>"), -EOPNOTSUPP,
     "gratuitous"},
    /* 30 flows a range, 900 for two of them; more are more than a rule is worth. */
    {REFUSED("<ip protocol='tcp' srcportstart='1' srcportend='65534' dstportstart='1' "
             "dstportend='65534'/>"),
     0, ""},
    {REFUSED("<ip protocol='tcp' srcportstart='1' srcportend='65534' dstportstart='1' "
             "dstportend='65534'/><ip protocol='tcp' srcportstart='2' srcportend='65533'/>"),
     -E2BIG, "a.xml:2: the ranges of this rule need too many flows"},
};

static void
test_refused(void **state)
{
    size_t n_wrong = 0;

    (void) state;
    for (size_t i = 0; i < N_ROWS(refused); i++) {
        struct nwf_error err = NWF_ERROR_INIT;
        struct compiled c;
        int r = compile(refused[i].filters, "", &c, &err);

        if (r != refused[i].code || (r && !strstr(nwf_error_text(&err), refused[i].error))) {
            print_error("%s: %d, %s\n", refused[i].filters[0].xml, r, nwf_error_text(&err));
            n_wrong++;
        }
        nwf_error_clear(&err);
        compiled_free(&c);
    }
    assert_int_equal(n_wrong, 0);
}

/* Addresses 10.0.0.0 and on, as a variable. */
static char *
address_list(size_t n)
{
    char *text = nwf_zalloc(4 + n * 16);
    size_t len = (size_t) sprintf(text, "A=");

    for (size_t i = 0; i < n; i++) {
        len += (size_t) sprintf(text + len, "10.0.%zu.%zu,", i / 256, i % 256);
    }
    return text;
}

/* Each range is 30 prefixes. */
#define MANY_PORTS                                                                                 \
    "<ip protocol='tcp' srcportstart='1' srcportend='65534' dstportstart='1' dstportend='65534'"

static void
test_limits(void **state)
{
    static const struct {
        struct text_filter filters[N_FILTERS];
        size_t n_addresses;
        const char *error; /* NULL: fits. */
    } rows[] = {
        {REFUSED("<ip srcipaddr='$A'/>"), 4096, NULL},
        {REFUSED("<ip srcipaddr='$A[@1]' dstipaddr='$A[@2]'/>"), 4096, NULL},      /* Two sets. */
        {REFUSED(MANY_PORTS " srcipaddr='$A[@1]' dstipaddr='$A[@2]'/>"), 4, NULL}, /* 14,400 */
        {REFUSED(MANY_PORTS " srcipaddr='$A[@1]' dstipaddr='$A[@2]'/>"), 5,
         "more than 16384 flows"},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_error err = NWF_ERROR_INIT;
        char *variables CLEANUP_FREE = address_list(rows[i].n_addresses);
        struct compiled c;
        int r = compile(rows[i].filters, variables, &c, &err);

        if (rows[i].error) {
            expect_error(r, &err, rows[i].error);
        } else {
            expect_ok(r, &err);
        }
        compiled_free(&c);
    }
}

/* 'n' chains, each of which lets go of a wide range of ports.  Neighbours look at
 * different ports, so that merging two would multiply their flows. */
static int
compile_chains(size_t n, struct nwf_error *err)
{
    struct text_filter *filters CLEANUP_FREE = nwf_zalloc((n + 2) * sizeof *filters);
    struct ds root = DS_EMPTY_INITIALIZER;
    struct compiled c;

    ds_put_cstr(&root, "<filter name='f'>");
    for (size_t i = 1; i <= n; i++) {
        const char *side = i % 2 ? "src" : "dst";
        char *name = nwf_asprintf("g%zu", i);

        ds_put_format(&root, "<filterref filter='%s'/>", name);
        filters[i].name = name;
        filters[i].xml =
            nwf_asprintf("<filter name='%s' chain='ipv4-%zu'><rule action='return' direction='out'>"
                         "<ip protocol='tcp' %sportstart='%zu' %sportend='%zu'/></rule></filter>",
                         name, i, side, i, side, 65535 - i);
    }
    ds_put_cstr(&root, "<rule action='drop' direction='out' priority='1000'/></filter>");
    filters[0] = (struct text_filter){"f", ds_cstr(&root)};
    int r = compile(filters, "", &c, err);

    compiled_free(&c);
    for (size_t i = 1; i <= n; i++) {
        free((char *) filters[i].name);
        free((char *) filters[i].xml);
    }
    ds_destroy(&root);
    return r;
}

static void
test_tables(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(compile_chains(NWF_MAX_STAGES - 1, &err), &err);
    expect_error(compile_chains(2 * NWF_MAX_STAGES, &err), &err,
                 "tables, 89 are there: it has too many negated rules or returns");
}

/* Merging pays: the stock shapes stay in few tables. */
static void
test_few_stages(void **state)
{
    static const struct {
        struct text_filter filters[N_FILTERS];
        size_t n_out;
    } rows[] = {
        {{FILTER("a", "", RULE("accept", "<ip/>") RULE("drop", ""))}, 1},
        /* "Whoever it is not is dropped", a rule behind it: one list. */
        {{FILTER("a", "",
                 RULE("drop", "<mac match='no' srcmacaddr='02:00:00:00:00:01'/>")
                     RULE("drop", ""))},
         1},
        {{FILTER("a", "", REF("b") RULE("accept", "")),
          FILTER("b", "chain='mac'",
                 RULE("return", "<mac srcmacaddr='02:00:00:00:00:01'/>") RULE("drop", ""))},
         1},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_error err = NWF_ERROR_INIT;
        struct compiled c;

        expect_ok(compile(rows[i].filters, "", &c, &err), &err);
        expect(c.stages[NWF_OUT].list.n <= rows[i].n_out, "row %zu: %zu stages", i,
               c.stages[NWF_OUT].list.n);
        compiled_free(&c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written), cmocka_unit_test(test_random),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_tables),  cmocka_unit_test(test_few_stages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
