/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of flows: keys, what differs, and that a flow printed and read again is the same
 * flow, so that what "compile" prints is what "sync" sends. */
#include <config.h>

#include "support.h"

#include <errno.h>

#include "nwf/flow.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

static void
set_of(const char *text, struct nwf_flow_set *ret)
{
    struct nwf_error err = NWF_ERROR_INIT;

    nwf_flow_set_init(ret);
    expect_ok(nwf_flow_set_parse(ret, "text", text, 7, &err), &err);
}

/* "+N ~N -N": added, replaced, deleted. */
static char *
diff_of(const char *installed, const char *desired)
{
    struct nwf_flow_set a CLEANUP(nwf_flow_set_finish), b CLEANUP(nwf_flow_set_finish);
    struct nwf_changes changes;
    unsigned int n[3] = {0};

    set_of(installed, &a);
    set_of(desired, &b);
    nwf_flow_diff(&a, &b, &changes);
    nwf_vec_foreach (change, &changes) {
        n[change->kind]++;
        /* Deletions make room first. */
        assert_true(change->kind != NWF_CHANGE_DELETE
                    || n[NWF_CHANGE_ADD] + n[NWF_CHANGE_REPLACE] == 0);
    }
    nwf_vec_clear(&changes);
    return nwf_asprintf("+%u ~%u -%u", n[NWF_CHANGE_ADD], n[NWF_CHANGE_REPLACE],
                        n[NWF_CHANGE_DELETE]);
}

static void
test_diff(void **state)
{
    static const struct {
        const char *installed, *desired, *diff;
    } rows[] = {
        {"", "", "+0 ~0 -0"},
        {"", "ip actions=drop", "+1 ~0 -0"},
        {"ip actions=drop", "", "+0 ~0 -1"},
        {"ip actions=drop", "ip actions=drop", "+0 ~0 -0"},
        {"ip actions=drop", "ip actions=output:1", "+0 ~1 -0"},
        /* The key is table, priority and match. */
        {"table=1,ip actions=drop", "table=2,ip actions=drop", "+1 ~0 -1"},
        {"priority=1,ip actions=drop", "priority=2,ip actions=drop", "+1 ~0 -1"},
        {"ip actions=drop", "ipv6 actions=drop", "+1 ~0 -1"},
        {"ip,nw_src=10.0.0.0/8 actions=drop", "ip,nw_src=10.0.0.0/9 actions=drop", "+1 ~0 -1"},
        {"dl_src=02:00:00:00:00:01 actions=drop", "dl_src=02:00:00:00:00:01 actions=drop",
         "+0 ~0 -0"},
        /* One thing said in two ways. */
        {"dl_type=0x800 actions=drop", "ip actions=drop", "+0 ~0 -0"},
        {"ip,nw_proto=6,tp_dst=22 actions=drop", "tcp,tcp_dst=22 actions=drop", "+0 ~0 -0"},
        {"reg1=5 actions=load:1->NXM_NX_REG0[]", "reg1=5 actions=set_field:1->reg0", "+0 ~0 -0"},
        {"actions=load:0->NXM_OF_VLAN_TCI[]", "actions=set_field:0->vlan_tci", "+0 ~0 -0"},
        {"actions=set_field:5->reg0", "actions=set_field:5/7->reg0", "+0 ~1 -0"},
        {"actions=set_field:5->reg0", "actions=set_field:5->reg1", "+0 ~1 -0"},
        {"actions=set_field:5->reg0", "actions=set_field:6->reg0", "+0 ~1 -0"},
        /* Of two flows with one key the first stays. */
        {"ip actions=drop\nip actions=output:1", "ip actions=drop", "+0 ~0 -0"},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        char *diff CLEANUP_FREE = diff_of(rows[i].installed, rows[i].desired);
        expect(!strcmp(diff, rows[i].diff), "row %zu: %s", i, diff);
    }
}

static void
test_cookie_is_data(void **state)
{
    struct nwf_flow_set a CLEANUP(nwf_flow_set_finish), b CLEANUP(nwf_flow_set_finish);
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_changes changes;

    (void) state;
    set_of("ip actions=drop", &a);
    nwf_flow_set_init(&b);
    expect_ok(nwf_flow_set_parse(&b, "text", "ip actions=drop", 8, &err), &err);
    nwf_flow_diff(&a, &b, &changes);
    assert_int_equal(changes.n, 1);
    assert_int_equal(changes.data[0].kind, NWF_CHANGE_REPLACE);
    assert_int_equal(changes.data[0].flow->cookie, 8);
    nwf_vec_clear(&changes);
}

static const char every_kind[] =
    "table=0,priority=100,in_port=1 actions=move:NXM_OF_VLAN_TCI[]->NXM_NX_REG1[0..15],"
    "goto_table:10\n"
    "table=10,priority=65000,udp,in_port=1,vlan_tci=0/0x1fff,nw_src=0.0.0.0 actions=goto_table:19\n"
    "table=10,priority=32768,tcp6,in_port=LOCAL,tp_src=0x40/0xffc0 actions=drop\n"
    "table=11,priority=1,arp,arp_spa=10.0.0.0/28,arp_op=3,reg0=0xfffe actions=output:5,LOCAL\n"
    "table=12,priority=0,dl_vlan=5,dl_vlan_pcp=3 actions=clone(resubmit(,105)),NORMAL\n"
    "table=13,priority=7,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=note:01.02.03\n"
    "table=103,priority=8,reg3=0x10000 actions=set_field:0x1->reg0,resubmit(,110)\n";

static void
test_print_and_read(void **state)
{
    struct nwf_flow_set a CLEANUP(nwf_flow_set_finish), b CLEANUP(nwf_flow_set_finish);
    struct ds text = DS_EMPTY_INITIALIZER;
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_changes changes;

    (void) state;
    set_of(every_kind, &a);
    const struct nwf_flow **sorted CLEANUP_FREE = nwf_flow_set_sort(&a);
    for (size_t i = 0; i < nwf_flow_set_count(&a); i++) {
        nwf_flow_format(sorted[i], &text);
        ds_put_char(&text, '\n');
        assert_true(i == 0 || sorted[i]->table > sorted[i - 1]->table
                    || sorted[i]->priority < sorted[i - 1]->priority);
    }
    nwf_flow_set_init(&b);
    expect_ok(nwf_flow_set_parse(&b, "printed", ds_cstr(&text), 7, &err), &err);
    nwf_flow_diff(&a, &b, &changes);
    assert_int_equal(nwf_flow_set_count(&a), 7);
    assert_int_equal(changes.n, 0);
    nwf_vec_clear(&changes);
    ds_destroy(&text);
}

/* The fragments' field of a flow that was read is that of one that was computed, and of
 * one that a switch returned: two bits. */
static void
test_fragments(void **state)
{
    static const struct {
        const char *text;
        uint8_t value, mask;
    } rows[] = {
        {"table=0,ip,nw_frag=no actions=drop", 0, FLOW_NW_FRAG_MASK},
        {"table=0,ip,nw_frag=yes actions=drop", FLOW_NW_FRAG_ANY, FLOW_NW_FRAG_ANY},
        {"table=0,ip,nw_frag=first actions=drop", FLOW_NW_FRAG_ANY, FLOW_NW_FRAG_MASK},
        {"table=0,ip,nw_frag=later actions=drop", FLOW_NW_FRAG_MASK, FLOW_NW_FRAG_MASK},
        {"table=0,ip,nw_frag=not_later actions=drop", 0, FLOW_NW_FRAG_LATER},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_flow_set read CLEANUP(nwf_flow_set_finish);
        struct nwf_flow_set computed CLEANUP(nwf_flow_set_finish);
        struct match match;

        set_of(rows[i].text, &read);
        nwf_flow_set_init(&computed);
        match_init_catchall(&match);
        match_set_dl_type(&match, htons(0x0800));
        match_set_nw_frag_masked(&match, rows[i].value, rows[i].mask);
        const struct nwf_flow *flow =
            nwf_flow_set_add(&computed, 0, OFP_DEFAULT_PRIORITY, 7, &match, NULL);
        expect(nwf_flow_set_find(&read, flow), "row %zu", i);
    }
}

static void
test_find_and_remove(void **state)
{
    struct nwf_flow_set a CLEANUP(nwf_flow_set_finish), key CLEANUP(nwf_flow_set_finish);

    (void) state;
    set_of(every_kind, &a);
    set_of("table=12,priority=0,dl_vlan=5,dl_vlan_pcp=3 actions=drop", &key);
    const struct nwf_flow **only CLEANUP_FREE = nwf_flow_set_sort(&key);
    const struct nwf_flow *found = nwf_flow_set_find(&a, only[0]);
    assert_non_null(found);
    assert_int_equal(found->table, 12);
    nwf_flow_set_remove(&a, (struct nwf_flow *) found);
    assert_null(nwf_flow_set_find(&a, only[0]));
    assert_int_equal(nwf_flow_set_count(&a), 6);
}

static void
test_errors(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"# comment\n\nip actions=fly\n", "text:3: "},
        {"colour=blue actions=drop", "text:1: "},
        {"nw_src=10.0.0.1 actions=output:70000", "text:1: "},
        {"tp_dst=22 actions", "text:1: "},
        {"ip", "text:1: "},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct nwf_flow_set set CLEANUP(nwf_flow_set_finish);
        struct nwf_error err = NWF_ERROR_INIT;

        nwf_flow_set_init(&set);
        expect_error(nwf_flow_set_parse(&set, "text", rows[i].text, 0, &err), &err, rows[i].error);
    }
}

/* A mask tells rules, which are most flows, from what ports share. */
static void
test_cookies(void **state)
{
    (void) state;
    uint64_t rule = nwf_cookie(NWF_COOKIE_TO_VM, 0x1234, 77);
    assert_int_equal(rule, 0x6e7766121234004d);
    assert_int_equal(nwf_cookie_kind(rule), NWF_COOKIE_TO_VM);
    assert_int_equal(nwf_cookie_port(rule), 0x1234);
    assert_int_equal(nwf_cookie_rule(rule), 77);
    assert_int_equal(nwf_cookie_rule(nwf_cookie(NWF_COOKIE_TO_VM, 1, 70000)), NWF_COOKIE_NO_RULE);
    assert_true(rule & NWF_COOKIE_RULE_BIT);
    assert_false(nwf_cookie(NWF_COOKIE_PENDING, 0, 0) & NWF_COOKIE_RULE_BIT);
    assert_int_equal(rule & NWF_COOKIE_MASK, NWF_COOKIE_MAGIC);
    /* What the switch learns by itself is never compared. */
    uint64_t learned = nwf_cookie(NWF_COOKIE_LEARNED, 1, 0);
    assert_int_not_equal(learned & NWF_COOKIE_MASK, NWF_COOKIE_MAGIC);
    assert_int_equal(learned & NWF_COOKIE_ALL_MASK, NWF_COOKIE_MAGIC);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diff),           cmocka_unit_test(test_cookie_is_data),
        cmocka_unit_test(test_print_and_read), cmocka_unit_test(test_find_and_remove),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_fragments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
