/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of the second lock; see nic_lock_text.h.
 *
 * A chain at each NIC's egress sends untagged frames to one chain and those of a VLAN to
 * another, since the list of MACs differs.  There the sender that a frame names is compared with
 * the list, in its Ethernet header, in ARP and in the first link-layer option of neighbour
 * discovery.  All of it is by offsets from the Ethernet header: what nftables calls "arp saddr
 * ether" starts from the kernel's idea of where the network header is, which is the sender's to
 * choose.
 *
 * What is refused is counted by sender and forwarded to interface 0, which cannot exist: the
 * kernel then frees the frame without an error.  A "drop" would be an error to sendmmsg(), and
 * ovs-vswitchd would throw away the rest of the batch, good frames, with it. */
#include <config.h>

#include "nic_lock_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>

#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

#include "lib/sha1.h"
#include "lib/util.h"

/* Bits from the start of the frame. */
#define SRC_BITS 48
#define TYPE_BITS 96
#define TAG_BITS 32
#define ETHERNET_BITS 112
#define TAG_TYPES "{ 0x8100, 0x88a8 }"
#define IS_TAGGED "@ll,96,16 " TAG_TYPES

struct rule {
    size_t chain;
    char *text;
};

struct builder {
    struct nic_lock_text *text;
    NWF_VEC(struct rule) rules;
    const struct nwf_nic_lock_nic *nic; /* Of now, */
    size_t chain, refuse;               /* its chain and the one that refuses; */
    struct ds list;                     /* the MACs of the chain, as a set; */
    unsigned int tags;                  /* VLAN tags in front of what is looked at. */
};

bool
nic_lock_name_is_valid(const char *name)
{
    /* A quote ends the name, a star at its end stands for more than one interface. */
    return strcmp(name, "0") && nwf_text_is_name(name, "._-+@=,#~", IFNAMSIZ - 1);
}

void
nic_lock_identifier(const char *prefix, const char *name, char ret[NIC_LOCK_NAME_MAX])
{
    size_t n = (size_t) snprintf(ret, NIC_LOCK_NAME_MAX, "%s", prefix);

    for (; *name && n + 4 < NIC_LOCK_NAME_MAX; name++) {
        unsigned char c = (unsigned char) *name;
        bool plain = c < 128 && (isalnum(c) || strchr("._-", c));
        n += (size_t) snprintf(ret + n, NIC_LOCK_NAME_MAX - n, plain ? "%c" : "/%02x", c);
    }
}

char *
nic_lock_name_of(const char *prefix, const char *identifier)
{
    if (strncmp(identifier, prefix, strlen(prefix))) {
        return NULL;
    }
    char *name = nwf_strdup(identifier + strlen(prefix));
    char *out = name;
    for (const char *in = name; *in; in++, out++) {
        unsigned int byte;
        if (*in == '/' && sscanf(in, "/%2x", &byte) == 1 && in[1] && in[2]) {
            *out = (char) byte;
            in += 2;
        } else {
            *out = *in;
        }
    }
    *out = '\0';
    return name;
}

static size_t
add_chain(struct builder *b, const char *kind)
{
    char name[NIC_LOCK_NAME_MAX];

    nic_lock_identifier(kind, b->nic->name, name);
    nwf_vec_push(&b->text->names, nwf_strdup(name));
    return b->text->names.n - 1;
}

static void add_rule(struct builder *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a rule to the chain of now. */
static void
add_rule(struct builder *b, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    nwf_vec_push(&b->rules, (struct rule){b->chain, text});
}

static const char *
chain_name(const struct builder *b, size_t chain)
{
    return b->text->names.data[chain];
}

/* Refuses what matches 'match'. */
static void
refuse(struct builder *b, const char *match)
{
    add_rule(b, "%s goto %s", match, chain_name(b, b->refuse));
}

static uint64_t
mac_value(const struct nwf_mac *mac)
{
    uint64_t value = 0;

    for (size_t i = 0; i < sizeof mac->octets; i++) {
        value = value << 8 | mac->octets[i];
    }
    return value;
}

/* A chain's VLAN: one, none, one with number 0 (a priority tag alone), or any that no MAC is
 * bound to. */
struct scope {
    uint16_t vid; /* NWF_NIC_LOCK_ANY_VLAN: any other. */
    bool tagged;
};

static bool
is_in_scope(const struct nwf_nic_lock_mac *mac, const struct scope *scope)
{
    return mac->vid == NWF_NIC_LOCK_ANY_VLAN || mac->vid == scope->vid;
}

/* Whether an entry in front of 'mac' is of the same MAC: with another address, that is. */
static bool
is_listed_before(const struct builder *b, const struct scope *scope,
                 const struct nwf_nic_lock_mac *mac)
{
    for (const struct nwf_nic_lock_mac *other = b->nic->macs.data; other < mac; other++) {
        if (is_in_scope(other, scope) && !memcmp(&other->mac, &mac->mac, sizeof mac->mac)) {
            return true;
        }
    }
    return false;
}

/* Returns false if there is none. */
static bool
list_macs(struct builder *b, const struct scope *scope)
{
    ds_clear(&b->list);
    nwf_vec_foreach (mac, &b->nic->macs) {
        if (is_in_scope(mac, scope) && !is_listed_before(b, scope, mac)) {
            ds_put_format(&b->list, "%s0x%012" PRIx64, b->list.length ? ", " : "{ ",
                          mac_value(&mac->mac));
        }
    }
    if (!b->list.length) {
        return false;
    }
    ds_put_cstr(&b->list, " }");
    return true;
}

/* Where a link-layer option may be first in a message of neighbour discovery. */
static const struct {
    const char *types;
    unsigned int at; /* Bytes from the message's start. */
} nd_messages[] = {
    {"133", 8},           /* Router solicitation */
    {"134", 16},          /* Router advertisement */
    {"{ 135, 136 }", 24}, /* Neighbour solicitation, advertisement */
    {"137", 40},          /* Redirect */
};

/* Compares the sender that ARP and neighbour discovery name.  Frames too short to be compared: in
 * the case of ARP the NIC would pad them, so that they would name a sender after all. */
static void
check_senders(struct builder *b)
{
    const unsigned int type = TYPE_BITS + TAG_BITS * b->tags;
    const unsigned int network = ETHERNET_BITS + TAG_BITS * b->tags;
    const unsigned int icmp = network + 320;
    const char *inner = b->tags == 2 ? "@ll,128,16 " TAG_TYPES " " : "";

    add_rule(b, "%s@ll,%u,16 { 0x0806, 0x8035 } meta length < 42 goto %s", inner, type,
             chain_name(b, b->refuse));
    add_rule(b, "%s@ll,%u,16 { 0x0806, 0x8035 } @ll,%u,48 != %s goto %s", inner, type, network + 64,
             ds_cstr(&b->list), chain_name(b, b->refuse));
    for (size_t i = 0; i < ARRAY_SIZE(nd_messages); i++) {
        const unsigned int option = icmp + nd_messages[i].at * 8;
        add_rule(b,
                 "%s@ll,%u,16 0x86dd @ll,%u,8 58 @ll,%u,8 %s @ll,%u,8 { 1, 2 } @ll,%u,48 != %s "
                 "goto %s",
                 inner, type, network + 48, icmp, nd_messages[i].types, option, option + 16,
                 ds_cstr(&b->list), chain_name(b, b->refuse));
    }
}

/* "@ll,AT,BITS [& MASK ==] VALUE", of an address and its prefix. */
static char *
address_match(const struct nwf_address *address, unsigned int at)
{
    const size_t n = address->family == AF_INET ? 4 : 16;
    const unsigned int len = address->prefix_len;
    char value[33], mask[33];

    for (size_t i = 0; i < n; i++) {
        const unsigned int have = len > i * 8 ? len - (unsigned int) i * 8 : 0;
        const uint8_t bits = have >= 8 ? 0xff : (uint8_t) (0xff00 >> have);
        snprintf(value + 2 * i, 3, "%02x", address->bytes[i] & bits);
        snprintf(mask + 2 * i, 3, "%02x", bits);
    }
    return len == n * 8 ? nwf_asprintf("@ll,%u,%zu 0x%s", at, n * 8, value)
                        : nwf_asprintf("@ll,%u,%zu & 0x%s == 0x%s", at, n * 8, mask, value);
}

/* A field of frames that is compared with addresses. */
struct field {
    const char *ethertype;
    unsigned int at;
};

/* Passes on, to what follows the chain of now, frames whose field is the address. */
static void
let_pass(struct builder *b, const struct field *field, const struct nwf_address *address)
{
    char *match = address_match(address, field->at);

    add_rule(b, "@ll,%u,16 %s %s return", TYPE_BITS + TAG_BITS * b->tags, field->ethertype, match);
    free(match);
}

/* Lets pass frames whose field is an address that the MAC was given in this scope, or nobody's. */
static void
check_address(struct builder *b, const struct scope *scope, const struct nwf_nic_lock_mac *owner,
              const struct field *field)
{
    static const struct nwf_address nobodys[] = {
        {.family = AF_INET, .prefix_len = 32},
        {.family = AF_INET6, .prefix_len = 128},
        {.family = AF_INET6, .bytes = {0xfe, 0x80}, .prefix_len = 10},
    };

    nwf_vec_foreach (mac, &b->nic->macs) {
        if (is_in_scope(mac, scope) && mac->address.family == owner->address.family
            && !memcmp(&mac->mac, &owner->mac, sizeof mac->mac)) {
            let_pass(b, field, &mac->address);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(nobodys); i++) {
        if (nobodys[i].family == owner->address.family) {
            let_pass(b, field, &nobodys[i]);
        }
    }
    add_rule(b, "@ll,%u,16 %s goto %s", TYPE_BITS + TAG_BITS * b->tags, field->ethertype,
             chain_name(b, b->refuse));
}

/* Whether 'mac' is the first of its MAC and family in the scope, and no entry lets the MAC send
 * with any address. */
static bool
is_first_bound(const struct builder *b, const struct scope *scope,
               const struct nwf_nic_lock_mac *mac)
{
    if (!mac->address.family || !is_in_scope(mac, scope)) {
        return false;
    }
    nwf_vec_foreach (other, &b->nic->macs) {
        bool same = is_in_scope(other, scope) && !memcmp(&other->mac, &mac->mac, sizeof mac->mac);
        int family = other->address.family;
        if (same && (!family || (other < mac && family == mac->address.family))) {
            return false;
        }
    }
    return true;
}

/* A chain for each MAC and family that is bound to addresses. */
static void
check_addresses(struct builder *b, const struct scope *scope, const char *kind)
{
    const unsigned int network = ETHERNET_BITS + TAG_BITS * b->tags;
    const size_t from = b->chain;

    nwf_vec_foreach (mac, &b->nic->macs) {
        if (!is_first_bound(b, scope, mac)) {
            continue;
        }
        char *name = nwf_asprintf("%sfrom%zu-", kind, (size_t) (mac - b->nic->macs.data));
        b->chain = add_chain(b, name);
        free(name);
        if (mac->address.family == AF_INET) {
            check_address(b, scope, mac, &(struct field){"0x0800", network + 96});
            check_address(b, scope, mac, &(struct field){"0x0806", network + 112});
        } else {
            check_address(b, scope, mac, &(struct field){"0x86dd", network + 64});
        }
        size_t to = b->chain;
        b->chain = from;
        add_rule(b, "@ll,%d,48 0x%012" PRIx64 " jump %s", SRC_BITS, mac_value(&mac->mac),
                 chain_name(b, to));
    }
}

/* Makes the chain for frames of a scope and returns it. */
static size_t
add_scope(struct builder *b, const struct scope *scope)
{
    const size_t from = b->chain;
    char kind[16];

    if (!scope->tagged || scope->vid == NWF_NIC_LOCK_ANY_VLAN) {
        snprintf(kind, sizeof kind, "%s-", scope->tagged ? "others" : "none");
    } else {
        snprintf(kind, sizeof kind, "vlan%u-", scope->vid);
    }
    const size_t chain = b->chain = add_chain(b, kind);
    if (!list_macs(b, scope)) {
        refuse(b, "");
    } else {
        add_rule(b, "@ll,%d,48 != %s goto %s", SRC_BITS, ds_cstr(&b->list),
                 chain_name(b, b->refuse));
        b->tags = scope->tagged;
        check_senders(b);
        check_addresses(b, scope, kind);
        if (scope->tagged) {
            b->tags = 2;
            check_senders(b);
        }
        add_rule(b, "accept");
    }
    b->chain = from;
    return chain;
}

static void
add_vlan(struct builder *b, uint16_t vid)
{
    size_t chain = add_scope(b, &(struct scope){vid, true});

    add_rule(b, "@ll,116,12 %u goto %s", vid, chain_name(b, chain));
}

static void
add_vlans(struct builder *b)
{
    const size_t from = b->chain;

    b->chain = add_chain(b, "tagged-");
    const size_t chain = b->chain;
    add_vlan(b, 0);
    nwf_vec_foreach (mac, &b->nic->macs) {
        bool is_first = mac->vid != NWF_NIC_LOCK_ANY_VLAN && mac->vid != NWF_NIC_LOCK_UNTAGGED;
        for (size_t i = 0; &b->nic->macs.data[i] < mac; i++) {
            is_first = is_first && b->nic->macs.data[i].vid != mac->vid;
        }
        if (is_first) {
            add_vlan(b, mac->vid);
        }
    }
    size_t others = add_scope(b, &(struct scope){NWF_NIC_LOCK_ANY_VLAN, true});
    add_rule(b, "goto %s", chain_name(b, others));
    b->chain = from;
    add_rule(b, IS_TAGGED " goto %s", chain_name(b, chain));
}

static void
add_refusal(struct builder *b)
{
    char untagged[NIC_LOCK_NAME_MAX], tagged[NIC_LOCK_NAME_MAX], rest[NIC_LOCK_NAME_MAX];

    nic_lock_identifier(NIC_LOCK_UNTAGGED, b->nic->name, untagged);
    nic_lock_identifier(NIC_LOCK_TAGGED, b->nic->name, tagged);
    nic_lock_identifier(NIC_LOCK_REST, b->nic->name, rest);
    b->chain = b->refuse = add_chain(b, "refuse-");
    add_rule(b, "ether type 8021q update @%s { ether saddr . vlan id } fwd to 0", tagged);
    add_rule(b, "ether type 8021ad update @%s { ether saddr . vlan id } fwd to 0", tagged);
    add_rule(b, "@ll,96,16 != " TAG_TYPES " update @%s { ether saddr } fwd to 0", untagged);
    add_rule(b, "counter name %s fwd to 0", rest); /* A set is full. */
}

static void
put_objects(struct ds *out, const char *table, const char *nic)
{
    char untagged[NIC_LOCK_NAME_MAX], tagged[NIC_LOCK_NAME_MAX], rest[NIC_LOCK_NAME_MAX];

    nic_lock_identifier(NIC_LOCK_UNTAGGED, nic, untagged);
    nic_lock_identifier(NIC_LOCK_TAGGED, nic, tagged);
    nic_lock_identifier(NIC_LOCK_REST, nic, rest);
    ds_put_format(out,
                  "add set netdev %s %s { type ether_addr; size 256; flags dynamic,timeout; "
                  "timeout %us; counter; }\n",
                  table, untagged, NIC_LOCK_FORGET);
    ds_put_format(out,
                  "add set netdev %s %s { typeof ether saddr . vlan id; size 256; "
                  "flags dynamic,timeout; timeout %us; counter; }\n",
                  table, tagged, NIC_LOCK_FORGET);
    ds_put_format(out, "add counter netdev %s %s\n", table, rest);
}

static void
add_nic(struct builder *b, const struct nwf_nic_lock_nic *nic, struct ds *objects,
        struct ds *chains)
{
    b->nic = nic;
    put_objects(objects, b->text->table, nic->name);
    add_refusal(b);
    const size_t out = b->chain = add_chain(b, "out-");
    add_vlans(b);
    size_t untagged = add_scope(b, &(struct scope){NWF_NIC_LOCK_UNTAGGED, false});
    add_rule(b, "goto %s", chain_name(b, untagged));
    ds_put_format(chains,
                  "add chain netdev %s %s { type filter hook egress device \"%s\" priority 0; "
                  "policy accept; }\n",
                  b->text->table, chain_name(b, out), nic->name);
}

/* Chains first, then the rules that go to them. */
static void
put_chains(struct builder *b, struct ds *base_chains)
{
    struct ds out = DS_EMPTY_INITIALIZER;
    uint8_t digest[SHA1_DIGEST_SIZE];

    nwf_vec_foreach (name, &b->text->names) {
        if (strncmp(*name, "out-", 4)) {
            ds_put_format(&out, "add chain netdev %s %s\n", b->text->table, *name);
        }
    }
    ds_put_cstr(&out, ds_cstr(base_chains));
    const size_t rules_at = out.length;
    nwf_vec_foreach (rule, &b->rules) {
        ds_put_format(&out, "%s %s\n", chain_name(b, rule->chain), rule->text);
    }
    sha1_bytes(ds_cstr(&out), (uint32_t) out.length, digest);
    for (size_t i = 0; i < 8; i++) {
        snprintf(b->text->fingerprint + 2 * i, 3, "%02x", digest[i]);
    }
    ds_truncate(&out, rules_at);
    nwf_vec_foreach (rule, &b->rules) {
        ds_put_format(&out, "add rule netdev %s %s %s comment \"%s-%zu\"\n", b->text->table,
                      chain_name(b, rule->chain), rule->text, b->text->fingerprint,
                      b->text->chain_of.n);
        nwf_vec_push(&b->text->chain_of, rule->chain);
    }
    b->text->chains = ds_steal_cstr(&out);
}

/* The list's places, for they come from tags. */
static int
check_nic(const struct nwf_nic_lock_nic *nic, struct nwf_error *err)
{
    if (!nic_lock_name_is_valid(nic->name)) {
        return nwf_error_set(err, -EINVAL,
                             "\"%s\" is no name of an interface that nftables can lock", nic->name);
    }
    if (nic->macs.n > NWF_NIC_LOCK_MAX_MACS) {
        return nwf_error_set(err, -EINVAL, "%s: more than %d MACs", nic->name,
                             NWF_NIC_LOCK_MAX_MACS);
    }
    nwf_vec_foreach (mac, &nic->macs) {
        const int family = mac->address.family;
        unsigned int most = family == AF_INET ? 32 : family == AF_INET6 ? 128 : 0;
        if ((mac->vid >= 4095 && mac->vid != NWF_NIC_LOCK_ANY_VLAN)
            || mac->address.prefix_len > most || (family && !most)) {
            return nwf_error_set(err, -EINVAL, "%s: no VLAN or no address", nic->name);
        }
    }
    return 0;
}

static int
check(const char *bridge, const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    if (!*bridge || strlen(bridge) >= IFNAMSIZ) {
        return nwf_error_set(err, -EINVAL, "\"%s\" is no name of a bridge that nftables can lock",
                             bridge);
    }
    if (locks->nics.n > NWF_NIC_LOCK_MAX_NICS) {
        return nwf_error_set(err, -EINVAL, "more than %d NICs to lock", NWF_NIC_LOCK_MAX_NICS);
    }
    nwf_vec_foreach (nic, &locks->nics) {
        int r = check_nic(nic, err);
        if (r) {
            return r;
        }
        for (size_t i = 0; &locks->nics.data[i] < nic; i++) {
            if (!strcmp(locks->nics.data[i].name, nic->name)) {
                return nwf_error_set(err, -EINVAL, "%s is to be locked twice", nic->name);
            }
        }
    }
    return 0;
}

int
nic_lock_text_init(struct nic_lock_text *text, const char *bridge,
                   const struct nwf_nic_locks *locks, struct nwf_error *err)
{
    struct builder b = {.text = text, .list = DS_EMPTY_INITIALIZER};
    struct ds objects = DS_EMPTY_INITIALIZER, base_chains = DS_EMPTY_INITIALIZER;
    int r = check(bridge, locks, err);

    memset(text, 0, sizeof *text);
    if (r) {
        return r;
    }
    nic_lock_identifier("ovs-nwfilter-", bridge, text->table);
    nwf_vec_foreach (nic, &locks->nics) {
        add_nic(&b, nic, &objects, &base_chains);
    }
    put_chains(&b, &base_chains);
    text->objects = ds_steal_cstr(&objects);
    nwf_vec_foreach (rule, &b.rules) {
        free(rule->text);
    }
    nwf_vec_clear(&b.rules);
    ds_destroy(&b.list);
    ds_destroy(&base_chains);
    return 0;
}

void
nic_lock_text_finish(struct nic_lock_text *text)
{
    free(text->objects);
    free(text->chains);
    nwf_vec_foreach (name, &text->names) {
        free(*name);
    }
    nwf_vec_clear(&text->names);
    nwf_vec_clear(&text->chain_of);
}
