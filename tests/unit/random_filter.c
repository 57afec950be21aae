/* SPDX-License-Identifier: Apache-2.0
 *
 * See random_filter.h. */
#include <config.h>

#include "random_filter.h"

/* All lists have one length, so that any of them can stand beside any other. */
const char random_filter_variables[] =
    "MACS=02:00:00:00:00:01,02:00:00:00:01:02,02:00:00:00:00:01 "
    "IPS=10.0.0.1,192.0.2.200,0.0.0.0 IP6S=fe80::1,2001:db8::1,:: "
    "PORTS=22,80,80 TYPES=0x800,0x86dd,0x835 OPS=1,2,9 VIDS=0,5,5 DSCPS=0,46,10 "
    /* Long ones, walked alone, and with prefixes inside of prefixes. */
    "LONG=10.0.0.1,10.0.0.0/24,10.0.0.2,10.0.0.8,10.0.0.0/28,192.0.2.0/25,192.0.2.200,10.0.1.1,"
    "10.0.1.0/31,10.1.0.0/16,10.2.0.1,10.2.0.2,10.2.0.3,10.2.0.4,10.2.0.5,10.2.0.6,224.0.0.0/4 "
    "LONG2=10.0.0.2,10.0.1.0/24,10.3.0.1,10.3.0.2,10.3.0.3,10.3.0.4,10.3.0.5,10.3.0.6,10.3.0.7,"
    "10.3.0.8,10.3.0.9,10.3.0.10,10.3.0.11,10.3.0.12,10.3.0.13,10.3.0.14,0.0.0.0";

static const char *const mac_masks[] = {
    "ff:ff:ff:ff:ff:ff", "ff:ff:ff:ff:00:00", "ff:00:00:00:00:00", "0:0:0:0:0:0", NULL,
};
static const char *const ip_masks[] = {"32", "24", "255.255.254.0", "8", "0", NULL};
static const char *const ip6_masks[] = {"128", "64", "33", "ffff:fff0::", "0", NULL};
static const char *const with_ports[] = {"tcp", "udp", "sctp", NULL};
static const char *const chains[] = {
    "root", "mac", "mac-b", "vlan", "stp", "arp", "arp-b", "rarp", "ipv4", "ipv4-b", "ipv6", NULL,
};
static const char *const directions[] = {"in", "out", "inout", NULL};
static const char *const actions[] = {
    "accept", "accept", "accept", "drop",     "drop", "drop",
    "return", "return", "reject", "continue", NULL,
};
static const char *const priorities[] = {
    "-1000", "-801", "-700", "-500", "0", "100", "500", "500", "501", "1000", NULL,
};

static bool
one_in(struct dice *dice, uint32_t n)
{
    return !dice_roll(dice, n);
}

/* ---- Attributes. ---- */

/* NAME='VALUE', out of the pool or of a variable (may be NULL). */
static void
put_attr(struct dice *dice, struct ds *s, const char *name, const char *const *pool,
         const char *variable)
{
    static const char *const accesses[] = {"", "", "[@0]", "[@1]", "[@2]", "[0]", "[2]", NULL};

    if (variable && one_in(dice, 5)) {
        ds_put_format(s, " %s='$%s%s'", name, variable, pool_pick(dice, accesses));
    } else {
        ds_put_format(s, " %s='%s'", name, pool_pick(dice, pool));
    }
}

struct address_kind {
    const char *name; /* "mac" as in "srcmacaddr" */
    const char *const *pool, *const *masks;
    const char *variable;
};

static const struct address_kind mac_kind = {"mac", pool_macs, mac_masks, "MACS"};
static const struct address_kind ip_kind = {"ip", pool_ips, ip_masks, "IPS"};
static const struct address_kind ip6_kind = {"ip", pool_ip6s, ip6_masks, "IP6S"};

/* At times an address of that side ("src", "arpdst"), at times with a mask. */
static void
put_address(struct dice *dice, struct ds *s, const char *side, const struct address_kind *kind,
            bool has_mask)
{
    char name[32];

    if (one_in(dice, 3)) {
        snprintf(name, sizeof name, "%s%saddr", side, kind->name);
        put_attr(dice, s, name, kind->pool, kind->variable);
        if (has_mask && one_in(dice, 3)) {
            snprintf(name, sizeof name, "%s%smask", side, kind->name);
            put_attr(dice, s, name, kind->masks, NULL);
        }
    }
}

static void
put_macs(struct dice *dice, struct ds *s)
{
    if (one_in(dice, 2)) {
        put_address(dice, s, "src", &mac_kind, true);
        put_address(dice, s, "dst", &mac_kind, true);
    }
}

/* START='A' and at times END='B'. */
static void
put_range(struct dice *dice, struct ds *s, const char *start, const char *end,
          const char *const *pool, const char *variable)
{
    const char *a = pool_pick(dice, pool), *b = pool_pick(dice, pool);

    if (one_in(dice, 2)) {
        put_attr(dice, s, start, pool, variable);
    } else if (one_in(dice, 2)) {
        bool ordered = strtol(a, NULL, 0) <= strtol(b, NULL, 0);
        ds_put_format(s, " %s='%s' %s='%s'", start, ordered ? a : b, end, ordered ? b : a);
    }
}

/* A protocol, and what goes with it unless that is negated. */
static void
put_protocol(struct dice *dice, struct ds *s, bool ipv6, bool negated)
{
    uint32_t choice = dice_roll(dice, negated ? 2 : 4);

    if (choice == 1) {
        put_attr(dice, s, "protocol", pool_protos, NULL);
    } else if (choice == 2 || (choice == 3 && !ipv6)) {
        put_attr(dice, s, "protocol", with_ports, NULL);
        put_range(dice, s, "srcportstart", "srcportend", pool_ports, "PORTS");
        put_range(dice, s, "dstportstart", "dstportend", pool_ports, "PORTS");
    } else if (choice == 3) {
        ds_put_cstr(s, " protocol='icmpv6'");
        put_range(dice, s, "type", "typeend", pool_icmp_types, NULL);
        put_range(dice, s, "code", "codeend", pool_icmp_codes, NULL);
    }
}

/* ---- Elements. ---- */

static void
put_mac(struct dice *dice, struct ds *s, bool negated)
{
    (void) negated;
    put_macs(dice, s);
    if (one_in(dice, 2)) {
        put_attr(dice, s, "protocolid", pool_types, "TYPES");
    }
}

static void
put_vlan(struct dice *dice, struct ds *s, bool negated)
{
    (void) negated;
    put_macs(dice, s);
    if (one_in(dice, 2)) {
        put_attr(dice, s, "vlanid", pool_vids, "VIDS");
    }
    if (one_in(dice, 3)) {
        put_attr(dice, s, "encap-protocol", pool_types, "TYPES");
    }
}

static void
put_arp(struct dice *dice, struct ds *s, bool negated)
{
    put_macs(dice, s);
    if (one_in(dice, 3)) {
        put_attr(dice, s, "opcode", pool_ops, "OPS");
    }
    put_address(dice, s, "arpsrc", &mac_kind, false);
    put_address(dice, s, "arpdst", &mac_kind, false);
    put_address(dice, s, "arpsrc", &ip_kind, true);
    put_address(dice, s, "arpdst", &ip_kind, true);
    if (!negated && one_in(dice, 8)) {
        ds_put_cstr(s, " hwtype='1'");
    }
    if (!negated && one_in(dice, 8)) {
        ds_put_cstr(s, " protocoltype='0x800'");
    }
    if (!negated && one_in(dice, 8)) {
        ds_put_cstr(s, " gratuitous='true'");
    }
}

static void
put_ip(struct dice *dice, struct ds *s, bool negated)
{
    put_macs(dice, s);
    put_address(dice, s, "src", &ip_kind, true);
    put_address(dice, s, "dst", &ip_kind, true);
    put_protocol(dice, s, false, negated);
    if (one_in(dice, 6)) {
        put_attr(dice, s, "dscp", pool_dscps, "DSCPS");
    }
}

static void
put_ipv6(struct dice *dice, struct ds *s, bool negated)
{
    put_macs(dice, s);
    put_address(dice, s, "src", &ip6_kind, true);
    put_address(dice, s, "dst", &ip6_kind, true);
    put_protocol(dice, s, true, negated);
}

static void
put_stp(struct dice *dice, struct ds *s, bool negated)
{
    (void) dice;
    (void) s;
    (void) negated;
}

static const struct element_kind {
    const char *name;
    void (*put)(struct dice *dice, struct ds *s, bool negated);
} element_kinds[] = {
    {"mac", put_mac}, {"vlan", put_vlan}, {"arp", put_arp},   {"rarp", put_arp},
    {"ip", put_ip},   {"ip", put_ip},     {"ipv6", put_ipv6}, {"stp", put_stp},
};

static void
put_elements(struct dice *dice, struct ds *s)
{
    const struct element_kind *kind = &element_kinds[dice_roll(dice, N_ROWS(element_kinds))];

    do {
        bool negated = one_in(dice, 4);
        ds_put_format(s, "<%s%s", kind->name, negated ? " match='no'" : "");
        kind->put(dice, s, negated);
        ds_put_cstr(s, "/>");
    } while (one_in(dice, 4));
}

/* ---- The IP layers. ---- */

/* A range that is one: first and last in order. */
static void
put_ip_range(struct dice *dice, struct ds *s, const char *side, bool ipv6)
{
    static const char *const v4[][2] = {
        {"10.0.0.1", "10.0.0.1"},         {"10.0.0.0", "10.0.1.0"},
        {"0.0.0.0", "255.255.255.255"},   {"10.0.0.2", "192.0.2.199"},
        {"224.0.0.0", "255.255.255.255"},
    };
    static const char *const v6[][2] = {
        {"fe80::", "fe80::1"},
        {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"2001:db8::1", "2001:db8:8000::"},
        {"::1", "fe80::2"},
    };
    const char *const *range =
        ipv6 ? v6[dice_roll(dice, N_ROWS(v6))] : v4[dice_roll(dice, N_ROWS(v4))];

    ds_put_format(s, " %sipfrom='%s' %sipto='%s'", side, range[0], side, range[1]);
}

static void
put_ip_addresses(struct dice *dice, struct ds *s, bool ipv6, bool negated)
{
    static const char *const sides[] = {"src", "dst"};

    for (size_t i = 0; i < N_ROWS(sides); i++) {
        if (one_in(dice, 6)) {
            put_ip_range(dice, s, sides[i], ipv6);
        } else if (!ipv6 && !negated && one_in(dice, 4)) {
            ds_put_format(s, " %sipaddr='$LONG%s[@%zu]'", sides[i], one_in(dice, 2) ? "2" : "",
                          7 + i);
        } else {
            put_address(dice, s, sides[i], ipv6 ? &ip6_kind : &ip_kind, true);
        }
    }
    if (one_in(dice, 8)) {
        put_address(dice, s, "src", &mac_kind, false);
    }
    if (one_in(dice, 8)) {
        put_attr(dice, s, "dscp", pool_dscps, "DSCPS");
    }
}

static void
put_ip_element(struct dice *dice, struct ds *s)
{
    static const char *const protocols[] = {
        "all", "all", "tcp", "tcp", "udp", "udp", "sctp", "icmp", "icmp", "igmp", "udplite", NULL,
    };
    static const char *const states[] = {
        "NEW",     "ESTABLISHED", "NEW,ESTABLISHED",     "RELATED",
        "INVALID", "NONE",        "ESTABLISHED,RELATED", "NEW,ESTABLISHED,RELATED,INVALID",
        NULL,
    };
    static const char *const flags[] = {"SYN/SYN", "ALL/SYN", "SYN,ACK/ACK", "FIN/NONE", NULL};
    const char *protocol = pool_pick(dice, protocols);
    bool ipv6 = strcmp(protocol, "igmp") && one_in(dice, 3), is_icmp = !strcmp(protocol, "icmp");
    bool negated = one_in(dice, 8);

    ds_put_format(s, "<%s%s%s", protocol, ipv6 ? is_icmp ? "v6" : "-ipv6" : "",
                  negated ? " match='no'" : "");
    put_ip_addresses(dice, s, ipv6, negated);
    if (!strcmp(protocol, "tcp") || !strcmp(protocol, "udp") || !strcmp(protocol, "sctp")) {
        put_range(dice, s, "srcportstart", "srcportend", pool_ports, NULL);
        put_range(dice, s, "dstportstart", "dstportend", pool_ports, "PORTS");
    }
    if (!strcmp(protocol, "tcp") && one_in(dice, 4)) {
        put_attr(dice, s, "flags", flags, NULL);
    }
    if (is_icmp && one_in(dice, 2)) {
        put_attr(dice, s, "type", pool_icmp_types, NULL);
        if (one_in(dice, 2)) {
            put_attr(dice, s, "code", pool_icmp_codes, NULL);
        }
    }
    if (!negated && one_in(dice, 3)) {
        put_attr(dice, s, "state", states, NULL);
    }
    ds_put_cstr(s, "/>");
}

static void
put_ip_rules(struct dice *dice, struct ds *s)
{
    for (uint32_t n = dice_roll(dice, 6); n > 0; n--) {
        ds_put_format(s, "<rule action='%s' direction='%s' priority='%s'%s>",
                      pool_pick(dice, actions), pool_pick(dice, directions),
                      pool_pick(dice, priorities), one_in(dice, 6) ? " statematch='0'" : "");
        put_ip_element(dice, s);
        ds_put_cstr(s, "</rule>\n");
    }
}

/* ---- Filters. ---- */

static void
put_rules(struct dice *dice, bool with_ip, struct ds *s)
{
    if (with_ip) {
        put_ip_rules(dice, s);
    }
    if (with_ip && dice_roll(dice, 4)) {
        return;
    }
    for (uint32_t n = dice_roll(dice, 5); n > 0; n--) {
        ds_put_format(s, "<rule action='%s' direction='%s' priority='%s'>",
                      pool_pick(dice, actions), pool_pick(dice, directions),
                      pool_pick(dice, priorities));
        if (!one_in(dice, 6)) {
            put_elements(dice, s);
        }
        ds_put_cstr(s, "</rule>\n");
    }
}

static void
put_filter(struct dice *dice, bool with_ip, size_t index, size_t n, struct ds *s)
{
    ds_put_format(s, "<filter name='f%zu' chain='%s'", index,
                  index ? pool_pick(dice, chains) : "root");
    if (one_in(dice, 3)) {
        ds_put_format(s, " priority='%s'", pool_pick(dice, priorities));
    }
    ds_put_cstr(s, ">\n");
    put_rules(dice, with_ip, s);
    for (size_t i = 1; index == 0 && i < n; i++) {
        ds_put_format(s, "<filterref filter='f%zu'/>\n", i);
    }
    if (index == 0) {
        put_rules(dice, with_ip, s);
    }
    ds_put_cstr(s, "</filter>\n");
}

void
random_filter_roll(struct dice *dice, bool with_ip, struct random_filter *ret)
{
    static const char *const names[RANDOM_FILTERS_MAX] = {"f0", "f1", "f2", "f3", "f4", "f5"};

    memset(ret, 0, sizeof *ret);
    ret->n = 1 + dice_roll(dice, RANDOM_FILTERS_MAX);
    for (size_t i = 0; i < ret->n; i++) {
        ds_init(&ret->documents[i]);
        put_filter(dice, with_ip, i, ret->n, &ret->documents[i]);
        ret->filters[i] = (struct text_filter){names[i], ds_cstr(&ret->documents[i])};
    }
}

void
random_filter_free(struct random_filter *filter)
{
    for (size_t i = 0; i < filter->n; i++) {
        ds_destroy(&filter->documents[i]);
    }
}

void
random_filter_print(const struct random_filter *filter)
{
    for (size_t i = 0; i < filter->n; i++) {
        /* By lines, since cmocka cuts what is long. */
        for (const char *line = filter->filters[i].xml, *end; *line; line = end) {
            end = line + strcspn(line, "\n");
            end += *end == '\n';
            print_error("%.*s", (int) (end - line), line);
        }
    }
}
