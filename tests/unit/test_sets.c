/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of addresses: long lists that are looked up once in a stage of their own say of
 * every frame what the lists say (reference.c), and need few flows. */
#include <config.h>

#include "compiled.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "match.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/util.h"

#include "lib/util.h"

#define IPS_MAX 4096

/* What frames are made of: the addresses of the case, and those around them. */
struct world {
    struct ds filter, variables;
    uint32_t ips[IPS_MAX];
    size_t n_ips;
};

static void
world_init(struct world *w)
{
    ds_init(&w->filter);
    ds_init(&w->variables);
    w->n_ips = 0;
    ds_put_cstr(&w->filter, "<filter name='f'>\n");
}

static void
world_finish(struct world *w)
{
    ds_destroy(&w->filter);
    ds_destroy(&w->variables);
}

static void
begin_list(struct world *w, const char *name)
{
    ds_put_format(&w->variables, "%s=", name);
}

/* A value of the list that was begun last, of IPv4 and, as NAME6, of IPv6. */
static void
add_ip(struct world *w, uint32_t ip, unsigned int length)
{
    ip = length ? ip & UINT32_MAX << (32 - length) : 0;
    ds_put_format(&w->variables, "%u.%u.%u.%u/%u,", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                  ip & 255, length);
    if (w->n_ips < IPS_MAX) {
        w->ips[w->n_ips++] = ip;
    }
}

static void
end_list(struct world *w)
{
    ds_chomp(&w->variables, ',');
    ds_put_char(&w->variables, ' ');
}

static void
add_ips(struct world *w, const char *name, uint32_t first, size_t n, uint32_t step)
{
    begin_list(w, name);
    for (size_t i = 0; i < n; i++) {
        add_ip(w, first + (uint32_t) i * step, 32);
    }
    end_list(w);
}

static void add_rule(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "ACTION DIRECTION ELEMENT" */
static void
add_rule(struct world *w, const char *format, ...)
{
    va_list args;
    char action[16], direction[16];
    int at = 0;

    va_start(args, format);
    char *text CLEANUP_FREE = xvasprintf(format, args);
    va_end(args);
    assert_int_equal(sscanf(text, "%15s %15s %n", action, direction, &at), 2);
    ds_put_format(&w->filter, "<rule action='%s' direction='%s'>%s</rule>\n", action, direction,
                  text + at);
}

/* ---- Frames. ---- */

/* One of the case's addresses, or one beside it, or any. */
static uint32_t
roll_ip(const struct world *w, struct dice *dice)
{
    uint32_t ip = w->ips[dice_roll(dice, (uint32_t) w->n_ips)];

    switch (dice_roll(dice, 8)) {
    case 0:
        return ip + 1;
    case 1:
        return ip - 1;
    case 2: /* Another one of a prefix around it. */
        return ip ^ UINT32_C(1) << dice_roll(dice, 32);
    case 3:
        return dice_roll(dice, UINT32_MAX);
    default:
        return ip;
    }
}

static void
put_ip(uint8_t *bytes, uint32_t ip)
{
    ip = htonl(ip);
    memcpy(bytes, &ip, sizeof ip);
}

/* MAC and IPv6 addresses end in an IPv4 one. */
static void
roll_frame(const struct world *w, struct dice *dice, struct frame *f)
{
    static const uint16_t types[] = {0x0800, 0x0800, 0x0800, 0x86dd, 0x0806};
    uint32_t src = roll_ip(w, dice), dst = roll_ip(w, dice);

    memset(f, 0, sizeof *f);
    f->eth_type = types[dice_roll(dice, N_ROWS(types))];
    f->src[0] = f->dst[0] = 2;
    put_ip(&f->src[2], roll_ip(w, dice));
    put_ip(&f->dst[2], roll_ip(w, dice));
    f->proto = dice_roll(dice, 2) ? IPPROTO_TCP : IPPROTO_UDP;
    f->src_port = 1 + (uint16_t) dice_roll(dice, 210);
    f->dst_port = 1 + (uint16_t) dice_roll(dice, 210);
    f->htype = 1;
    f->ptype = 0x0800;
    f->op = 1;
    put_ip(f->spa, src);
    put_ip(f->tpa, dst);
    if (f->eth_type == 0x86dd) {
        f->ip_src[0] = f->ip_dst[0] = 0xfd;
        put_ip(&f->ip_src[12], src);
        put_ip(&f->ip_dst[12], dst);
    } else {
        put_ip(f->ip_src, src);
        put_ip(f->ip_dst, dst);
    }
    f->connection = (enum connection) dice_roll(dice, N_CONNECTIONS);
    f->tagged = !dice_roll(dice, 10);
    f->tci = 5;
}

/* ---- Cases. ---- */

static void
nested(struct world *w)
{
    static const unsigned int lengths[] = {32, 31, 30, 28, 24, 24, 23, 20, 16, 12, 9, 8};

    for (const char *name = "AB"; *name; name++) {
        begin_list(w, (const char[]){*name, '\0'});
        for (size_t i = 0; i < N_ROWS(lengths); i++) {
            add_ip(w, 0x0a010203 + (*name == 'B' ? 0x10000u * (i % 3) : 0), lengths[i]);
            add_ip(w, 0x0a800000 + 0x100u * (uint32_t) i, lengths[N_ROWS(lengths) - 1 - i]);
        }
        end_list(w);
    }
    for (int port = 1; port <= 60; port += 20) {
        add_rule(w,
                 "accept inout <ip srcipaddr='$A' protocol='udp' dstportstart='%d' "
                 "dstportend='%d'/>",
                 port, port + 15);
        add_rule(w, "drop inout <ip srcipaddr='$B' protocol='udp' dstportstart='%d'/>", port + 3);
        add_rule(w,
                 "accept inout <ip dstipaddr='$B' protocol='tcp' srcportstart='%d' "
                 "srcportend='%d'/>",
                 port, port + 15);
        add_rule(w, "drop inout <ip dstipaddr='$A' protocol='tcp' srcportstart='%d'/>", port + 3);
    }
    add_rule(w, "drop inout <ip srcipaddr='$A' dstipaddr='$B[@1]'/>");
}

/* The whole of IPv4 is a prefix too. */
static void
with_everything(struct world *w)
{
    begin_list(w, "A");
    add_ip(w, 0, 0);
    for (uint32_t i = 0; i < 20; i++) {
        add_ip(w, 0x0a000000 + i, 32);
    }
    end_list(w);
    add_ips(w, "B", 0x0a000005, 20, 1);
    for (int port = 1; port < 6; port++) {
        add_rule(w, "drop out <ip srcipaddr='$B' protocol='udp' dstportstart='%d'/>", port);
        add_rule(w, "accept out <ip srcipaddr='$A' protocol='udp' dstportstart='%d'/>", port);
    }
    add_rule(w, "drop inout <all/>");
}

/* Lists that have some addresses in common. */
static void
sharing(struct world *w)
{
    for (int list = 0; list < 6; list++) {
        char *name CLEANUP_FREE = nwf_asprintf("A%d", list);

        add_ips(w, name, 0x0a000000 + 7 * (uint32_t) list, 20, 1 + (uint32_t) list % 2);
    }
    for (int i = 0; i < 30; i++) {
        add_rule(w,
                 "%s inout <ip srcipaddr='$A%d' protocol='udp' dstportstart='%d' "
                 "dstportend='%d'/>",
                 i % 3 ? "accept" : "drop", i % 6, i, i + 20);
        add_rule(w, "%s inout <tcp dstipaddr='$A%d' srcportstart='%d' srcportend='%d'/>",
                 i % 4 ? "accept" : "drop", i % 6, i, i + 9);
    }
    add_rule(w, "drop inout <all/>");
}

static void
product(struct world *w)
{
    add_ips(w, "A", 0x0a000000, 40, 1);
    add_ips(w, "B", 0x0a000010, 40, 2);
    add_rule(w, "accept inout <all srcipaddr='$A[@1]' dstipaddr='$B[@2]'/>");
    add_rule(w, "accept out <arp arpsrcipaddr='$A[@1]' arpdstipaddr='$B[@2]'/>");
    add_rule(w, "drop inout <all/>");
    add_rule(w, "drop inout <arp/>");
}

static void
large_product(struct world *w)
{
    add_ips(w, "A", 0x0a000000, 1000, 1);
    add_ips(w, "B", 0x0a000200, 1000, 1);
    add_rule(w, "accept inout <all srcipaddr='$A[@1]' dstipaddr='$B[@2]'/>");
    add_rule(w, "drop inout <all/>");
}

/* Ranges, of which each is dozens of prefixes, beside a list and beside each other. */
static void
ranges(struct world *w)
{
    add_ips(w, "A", 0x0a000000, 30, 3);
    add_rule(w, "accept inout <all srcipaddr='$A' dstipfrom='10.0.0.1' dstipto='10.0.255.254'/>");
    add_rule(w, "accept out <udp srcipfrom='10.0.0.1' srcipto='10.0.127.254' "
                "dstipfrom='10.0.0.3' dstipto='10.255.0.6'/>");
    add_rule(w, "drop inout <all/>");
}

static void
many_rules(struct world *w)
{
    add_ips(w, "A", 0x0a000000, 100, 1);
    for (int i = 1; i <= 200; i++) {
        add_rule(w, "accept in <ip protocol='tcp' srcipaddr='$A' dstportstart='%d'/>", i);
    }
    add_rule(w, "drop in <ip/>");
}

/* Answers and later fragments have rows of their own. */
static void
many_tracked_rules(struct world *w)
{
    add_ips(w, "A", 0x0a000000, 100, 1);
    for (int i = 1; i <= 200; i++) {
        add_rule(w, "accept in <tcp srcipaddr='$A' dstportstart='%d'/>", i);
    }
    add_rule(w, "drop in <all/>");
}

/* More sets than a register has bits: the last ones have rows. */
static void
too_many(struct world *w)
{
    for (int list = 0; list < 40; list++) {
        char *name CLEANUP_FREE = nwf_asprintf("A%d", list);

        add_ips(w, name, 0x0a000000 + 5 * (uint32_t) list, 16, 1);
    }
    for (int i = 0; i < 80; i++) {
        add_rule(w,
                 "%s out <ip srcipaddr='$A%d' protocol='tcp' dstportstart='%d' "
                 "dstportend='%d'/>",
                 i % 3 ? "accept" : "drop", i % 40, 1 + 2 * i, 20 + 2 * i);
    }
    add_rule(w, "drop inout <all/>");
}

/* The registers hold sets of several kinds of address. */
static void
kinds(struct world *w)
{
    add_ips(w, "A", 0x0a000000, 20, 1);
    add_ips(w, "B", 0x0a00000a, 20, 1);
    ds_put_cstr(&w->variables, "A6=");
    for (int i = 0; i < 20; i++) {
        ds_put_format(&w->variables, "fd00::a00:%x/%d,", i % 3 ? i + 3 : (i + 3) & ~15,
                      i % 3 ? 128 : 124);
    }
    end_list(w);
    ds_put_cstr(&w->variables, "M=");
    for (int i = 0; i < 20; i++) {
        ds_put_format(&w->variables, "02:00:0a:00:00:%02x,", i + 6);
    }
    end_list(w);
    for (int i = 0; i < 5; i++) {
        add_rule(w,
                 "accept inout <ip srcipaddr='$A' protocol='udp' dstportstart='%d' "
                 "dstportend='200'/>",
                 30 * i + 2);
        add_rule(w,
                 "drop inout <ip srcipaddr='$B' protocol='udp' dstportstart='%d' "
                 "dstportend='200'/>",
                 30 * i + 1);
        add_rule(w,
                 "drop inout <ipv6 srcipaddr='$A6' dstipaddr='$A6[@1]' protocol='udp' "
                 "dstportstart='%d'/>",
                 i + 1);
        add_rule(w, "accept out <tcp-ipv6 dstipaddr='$A6' dstportstart='%d'/>", i + 1);
        add_rule(w, "drop inout <mac srcmacaddr='$M' protocolid='%d'/>", 0x806 + i % 2);
        add_rule(w, "drop out <tcp srcmacaddr='$M' dstportstart='%d'/>", i + 1);
        add_rule(w, "drop inout <arp arpsrcipaddr='$B' opcode='%d'/>", i + 1);
        add_rule(w, "drop out <mac dstmacaddr='$M' srcmacaddr='$M[@1]' srcmacmask='ff:ff:ff:0:0:0' "
                    "protocolid='0x86dd'/>");
    }
    add_rule(w, "drop out <tcp-ipv6/>");
    add_rule(w, "drop in <arp arpdstipaddr='$A'/>");
}

static const struct {
    const char *what;
    void (*fill)(struct world *w);
    size_t n_flows_max;  /* Of both directions. */
    unsigned int n_bits; /* Of reg6, sources: the sets that are there. */
} cases[] = {
    {"nested prefixes", nested, 400, 2},
    {"a prefix of no length", with_everything, 200, 2},
    {"lists that have addresses in common", sharing, 1200, 6},
    {"a product in one rule", product, 500, 2},
    {"a thousand times a thousand addresses in one rule", large_product, 5000, 1},
    {"ranges", ranges, 500, 2},
    {"200 rules over 100 addresses", many_rules, 400, 1},
    {"200 tracked rules over 100 addresses", many_tracked_rules, 1100, 1},
    {"more lists than bits", too_many, 12000, 32},
    {"addresses of all kinds", kinds, 1500, 4},
};

static size_t
count_rows(const struct compiled *c)
{
    size_t n = 0;

    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        nwf_vec_foreach (stage, &c->stages[d].list) {
            n += stage->rows.n;
        }
    }
    return n;
}

/* How many sets reg6 holds, in the direction that has more. */
static unsigned int
count_bits(const struct compiled *c)
{
    uint32_t bits[NWF_N_DIRECTIONS] = {0};

    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        nwf_vec_foreach (stage, &c->stages[d].list) {
            nwf_vec_foreach (row, &stage->rows) {
                bits[d] |= row->verdict == NWF_V_SET && row->set.reg == 6 ? row->set.value : 0;
            }
        }
    }
    int out = __builtin_popcount(bits[NWF_OUT]), in = __builtin_popcount(bits[NWF_IN]);
    return (unsigned int) (out > in ? out : in);
}

/* Rows of one level get one priority: no frame may meet two that say different things. */
static void
check_levels(const struct compiled *c, const char *what)
{
    nwf_vec_foreach (stage, &c->stages[NWF_OUT].list) {
        for (size_t i = 0; i < stage->rows.n && i < 300; i++) {
            const struct nwf_row *a = &stage->rows.data[i];
            for (size_t j = i + 1; j < stage->rows.n && a->verdict == NWF_V_SET; j++) {
                const struct nwf_row *b = &stage->rows.data[j];
                struct match both = a->match;
                expect(b->verdict != NWF_V_SET || b->set.level != a->set.level
                           || b->set.value == a->set.value || !nwf_match_and(&both, &b->match),
                       "%s: rows %zu and %zu of a lookup", what, i, j);
            }
        }
    }
}

#define N_FRAMES 3000

static void
test_cases(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(cases); i++) {
        struct dice dice = dice_seed(i);
        struct nwf_error err = NWF_ERROR_INIT;
        size_t n_wrong = 0;
        struct compiled c;
        struct world w;

        world_init(&w);
        cases[i].fill(&w);
        ds_put_cstr(&w.filter, "</filter>");
        const struct text_filter filters[] = {{"f", ds_cstr(&w.filter)}, {NULL, NULL}};
        expect_ok(compile(filters, ds_cstr(&w.variables), &c, &err), &err);
        expect(count_rows(&c) <= cases[i].n_flows_max, "%s: %zu flows", cases[i].what,
               count_rows(&c));
        expect(count_bits(&c) == cases[i].n_bits, "%s: %u sets", cases[i].what, count_bits(&c));
        check_levels(&c, cases[i].what);
        for (size_t j = 0; j < N_FRAMES && n_wrong < 3; j++) {
            struct frame frame;

            roll_frame(&w, &dice, &frame);
            for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
                n_wrong += !check_frame(&c, (enum nwf_direction) d, &frame);
            }
        }
        expect(!n_wrong, "%s: %zu wrong verdicts", cases[i].what, n_wrong);
        compiled_free(&c);
        world_finish(&w);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
