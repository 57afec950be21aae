/* SPDX-License-Identifier: Apache-2.0
 *
 * <flow match="...">: a match in ovs-ofctl(8)'s syntax, read by libopenvswitch.
 *
 * A rule may ask whatever a packet has.  It may not ask for what the pipeline keeps for
 * itself (registers, ports, metadata), which would tie it to how this program works.  For
 * whether a frame comes from a trusted port there is a word of our own. */
#include <config.h>

#include "flow_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-match.h"
#include "openvswitch/ofp-parse.h"
#include "rule_query.h"

#include "lib/packets.h"

struct parse {
    const struct nwf_rule_instance *instance;
    const struct nwf_cond *cond;
    struct nwf_error *err;
    struct match match;
    NWF_VEC(const struct mf_field *) fields;
};

static void
parse_clear(struct parse *p)
{
    nwf_vec_clear(&p->fields);
}

static int
fail(const struct parse *p, const char *cause)
{
    return nwf_rule_fail(p->instance, p->err, -EINVAL, cause, p->cond);
}

/* The same with a cause that is built here. */
#define FAIL(P, ...) fail_free(P, nwf_asprintf(__VA_ARGS__))

static int
fail_free(const struct parse *p, char *cause)
{
    int r = fail(p, cause);

    free(cause);
    return r;
}

static bool
is_about_connection(const struct mf_field *mf)
{
    return mf->id == MFF_CT_STATE || mf->id == MFF_CT_NW_PROTO || mf->id == MFF_CT_NW_SRC
           || mf->id == MFF_CT_NW_DST || mf->id == MFF_CT_IPV6_SRC || mf->id == MFF_CT_IPV6_DST
           || mf->id == MFF_CT_TP_SRC || mf->id == MFF_CT_TP_DST;
}

static int
check_field(const struct parse *p, const struct mf_field *mf)
{
    if (is_about_connection(mf)) {
        return nwf_rule_is_ip(p->instance->rule)
                   ? 0
                   : FAIL(p,
                          "%s: connections are tracked for rules of the IP layer: put <all/> "
                          "or the like beside <flow>",
                          mf->name);
    }
    /* In libopenvswitch's order, what is of the frame begins with its addresses. */
    return mf->id >= MFF_ETH_SRC ? 0 : FAIL(p, "%s is not of the frame", mf->name);
}

static int
check_quad(const char *word, void *aux)
{
    struct in_addr address;

    (void) aux;
    return strchr(word, '.') && strspn(word, "0123456789.") == strlen(word)
           && inet_pton(AF_INET, word, &address) != 1;
}

/* libopenvswitch takes an IPv4 address's numbers modulo 256. */
static bool
has_bad_quad(const char *value)
{
    return nwf_text_split(value, "/", check_quad, NULL) != 0;
}

/* Whether an address is given with bits that its mask does not have: libopenvswitch clears
 * them, and takes the address of a host for its whole network. */
static bool
has_host_bits(const struct mf_field *mf, const char *text)
{
    bool is_address =
        mf->string == MFS_IPV4 || mf->string == MFS_IPV6 || mf->string == MFS_ETHERNET;
    union mf_value value, mask;

    if (!is_address || !strchr(text, '/')) {
        return false;
    }
    char *cause CLEANUP_FREE = mf_parse(mf, text, NULL, &value, &mask);
    for (size_t i = 0; !cause && i < mf->n_bytes; i++) {
        if (value.b[i] & ~mask.b[i]) {
            return true;
        }
    }
    return false;
}

/* libopenvswitch keeps what there is room for of a value, or of a tag's bits where it says that
 * there is no tag.  ovs-ofctl(8) also takes VLAN 0xffff for "no tag". */
static bool
has_room(const struct mf_field *mf, const union mf_value *value)
{
    return mf_is_value_valid(mf, value)
           || (mf->id == MFF_DL_VLAN && value->be16 == htons(OFP10_VLAN_NONE));
}

/* As ofp_parse_field(). */
static int
set_field(struct parse *p, const struct mf_field *mf, const char *text)
{
    union mf_value value, mask;
    char *cause CLEANUP_FREE = mf_parse(mf, text, NULL, &value, &mask);

    if (cause) {
        return fail(p, cause);
    }
    if (!has_room(mf, &value)) {
        return FAIL(p, "%s: \"%.80s\" is out of range", mf->name, text);
    }
    mf_set(mf, &value, &mask, &p->match, &cause);
    /* mf_parse() masks bits that the field has not. */
    p->match.wc.masks.nw_frag &= FLOW_NW_FRAG_MASK;
    match_add_ethernet_prereq(&p->match, mf);
    return cause ? fail(p, cause) : 0;
}

/* Whether both say the same of the field. */
static bool
is_same(const struct mf_field *mf, const struct match *a, const struct match *b)
{
    union mf_value value[2], mask[2];

    mf_get(mf, a, &value[0], &mask[0]);
    mf_get(mf, b, &value[1], &mask[1]);
    return !memcmp(&value[0], &value[1], mf->n_bytes) && !memcmp(&mask[0], &mask[1], mf->n_bytes);
}

/* A field as a whole.  A second time, it must say the same. */
static int
parse_whole(struct parse *p, const struct mf_field *mf, const char *value)
{
    struct match before = p->match;
    bool is_first = mf_is_all_wild(mf, &before.wc);
    int r = set_field(p, mf, value);

    nwf_vec_push(&p->fields, mf);
    if (r) {
        return r;
    }
    return is_first || is_same(mf, &before, &p->match) ? 0 : FAIL(p, "%s is there twice", mf->name);
}

/* Some bits of a field: "tp_dst[0..7]=5". */
static int
parse_bits(struct parse *p, const struct mf_field *mf, const char *name, const char *value)
{
    char *text CLEANUP_FREE = nwf_asprintf("%s=%s", name, value);
    enum ofputil_protocol usable;
    struct ofputil_flow_mod fm;
    struct match match;
    char *cause CLEANUP_FREE = parse_ofp_str(&fm, -1, text, NULL, NULL, &usable);

    if (cause) {
        return fail(p, cause);
    }
    minimatch_expand(&fm.match, &match);
    minimatch_destroy(&fm.match);
    nwf_vec_push(&p->fields, mf);
    return nwf_match_and(&p->match, &match) ? 0 : FAIL(p, "%s is there twice", mf->name);
}

static int
parse_field(struct parse *p, const char *name, const char *value)
{
    char *field CLEANUP_FREE = nwf_strndup(name, strcspn(name, "["));
    const struct mf_field *mf = mf_from_name(field);

    if (!mf) {
        return FAIL(p, "Open vSwitch knows no field \"%.80s\"", name);
    }
    int r = check_field(p, mf);
    if (r) {
        return r;
    }
    if (has_bad_quad(value)) {
        return FAIL(p, "%s: \"%.80s\" is no IPv4 address", mf->name, value);
    }
    if (has_host_bits(mf, value)) {
        return FAIL(p, "%s: \"%.80s\" is neither an address nor a network: %s", mf->name, value,
                    "write the address alone, or clear the bits that its mask does not have");
    }
    /* ovs-ofctl(8) would take it for "whatever it is". */
    if (!*value) {
        return FAIL(p, "%s needs a value", name);
    }
    return strchr(name, '[') ? parse_bits(p, mf, name, value) : parse_whole(p, mf, value);
}

static int
add_protocol(struct parse *p, const struct ofp_protocol *protocol, const char *name)
{
    struct match match;

    match_init_catchall(&match);
    match_set_dl_type(&match, htons(protocol->dl_type));
    if (protocol->nw_proto) {
        match_set_nw_proto(&match, protocol->nw_proto);
    }
    return nwf_match_and(&p->match, &match)
               ? 0
               : FAIL(p, "%s: there is another protocol already", name);
}

/* Where a frame comes from is known of those that are about to be delivered: what a guest
 * sends comes from the guest. */
static int
add_from_trusted(struct parse *p)
{
    if (p->instance->rule->direction[NWF_OUT]) {
        return fail(p, "from_trusted: only frames towards a guest come from a trusted port");
    }
    match_set_reg(&p->match, NWF_REG_INBOUND, 1);
    return 0;
}

static int
parse_word(struct parse *p, const char *name, const char *value)
{
    const struct ofp_protocol *protocol;
    bool is_protocol = ofp_parse_protocol(name, &protocol);
    bool is_from_trusted = !strcmp(name, "from_trusted");

    if (!is_protocol && !is_from_trusted && strcmp(name, "eth")) {
        return parse_field(p, name, value);
    }
    if (*value) {
        return FAIL(p, "%s takes no value", name);
    }
    if (is_from_trusted) {
        return add_from_trusted(p);
    }
    return is_protocol ? add_protocol(p, protocol, name) : 0; /* All frames are Ethernet's. */
}

/* Whether the field is one of those that packets of several protocols have in one place, and
 * that ovs-ofctl takes for whichever is meant: tp_src is UDP's port too, nw_src ARP's sender. */
static bool
is_shared(const struct mf_field *mf)
{
    switch ((int) mf->id) {
    case MFF_IPV4_SRC:
    case MFF_IPV4_DST:
    case MFF_IP_PROTO:
    case MFF_TCP_SRC:
    case MFF_TCP_DST:
    case MFF_UDP_SRC:
    case MFF_UDP_DST:
    case MFF_SCTP_SRC:
    case MFF_SCTP_DST:
        return true;
    default:
        return false;
    }
}

/* Whether libopenvswitch keeps the field in a match such as 'all'.  What it cannot say, it
 * leaves out. */
static bool
is_kept(const struct mf_field *mf, const struct match *all)
{
    struct match normal = *all;
    bool is_icmp = all->flow.nw_proto == IPPROTO_ICMP || all->flow.nw_proto == IPPROTO_ICMPV6;
    /* Types and codes have eight bits, ports more. */
    bool fits = !is_icmp || !((all->flow.tp_src | all->flow.tp_dst) & htons(0xff00));

    ofputil_normalize_match_quiet(&normal);
    return fits && is_same(mf, all, &normal);
}

/* As to ovs-ofctl, "icmp_type" can be that of ICMPv6. */
static bool
has_prerequisites(const struct mf_field *mf, const struct match *all)
{
    enum mf_field_id other = mf->id;

    if (mf->id == MFF_ICMPV4_TYPE) {
        other = MFF_ICMPV6_TYPE;
    } else if (mf->id == MFF_ICMPV4_CODE) {
        other = MFF_ICMPV6_CODE;
    }
    return mf_are_match_prereqs_ok(mf, all) || mf_are_match_prereqs_ok(mf_from_id(other), all)
           || (is_shared(mf) && is_kept(mf, all));
}

/* The match as a whole does not tell: ofp_parse_field() adds that it is of an Ethernet
 * frame. */
static bool
asks_for_nothing(const struct parse *p)
{
    nwf_vec_foreach (mf, &p->fields) {
        if (!mf_is_all_wild(*mf, &p->match.wc)) {
            return false;
        }
    }
    return !p->match.wc.masks.dl_type && !p->match.wc.masks.regs[NWF_REG_INBOUND];
}

/* Where there is no tag, it has no bits: "no tag" is the same match however many of them stand
 * beside it, if they are zero. */
static int
check_tag(struct parse *p)
{
    ovs_be16 tci = p->match.flow.vlans[0].tci, mask = p->match.wc.masks.vlans[0].tci;

    if (!(mask & htons(VLAN_CFI)) || tci & htons(VLAN_CFI)) {
        return 0;
    }
    if (tci) {
        return fail(p, "it asks for a tag's bits where there is no tag: bit 0x1000 says that there "
                       "is one");
    }
    match_set_dl_tci_masked(&p->match, htons(0), htons(VLAN_CFI));
    return 0;
}

/* Open vSwitch reads the fields of neighbour discovery in messages whose hop limit is 255 and whose
 * code is 0, and in others leaves them out of its cached flows.  If a match tells neither, one such
 * frame caches a verdict for all targets and addresses (seen with 3.1). */
static bool
is_safe_in_caches(const struct mf_field *mf, const struct match *all)
{
    bool is_nd = mf->id == MFF_ND_TARGET || mf->id == MFF_ND_SLL || mf->id == MFF_ND_TLL
                 || mf->id == MFF_ND_RESERVED || mf->id == MFF_ND_OPTIONS_TYPE;

    return !is_nd
           || (all->wc.masks.nw_ttl == UINT8_MAX && all->flow.nw_ttl == UINT8_MAX
               && (all->wc.masks.tp_dst & htons(0xff)) == htons(0xff) && !all->flow.tp_dst);
}

/* A field says nothing in frames that do not have it. */
static int
check_prerequisites(struct parse *p, const struct nwf_matches *beside)
{
    struct match all = p->match;
    bool fits = !beside->n;

    /* One of a list or range is enough: they agree in all that is a prerequisite. */
    for (size_t i = 0; !fits && i < beside->n; i++) {
        all = p->match;
        fits = nwf_match_and(&all, &beside->data[i]);
    }
    if (!fits) {
        return fail(p, "it contradicts what stands beside it");
    }
    nwf_vec_foreach (mf, &p->fields) {
        if (!has_prerequisites(*mf, &all)) {
            return FAIL(p, "%s: its prerequisites are missing, such as \"ip\" or \"arp\"",
                        (*mf)->name);
        }
        if (!is_safe_in_caches(*mf, &all)) {
            return FAIL(p, "%s: it needs nw_ttl=255 and icmp_code=0 beside it: Open vSwitch %s",
                        (*mf)->name, "does not keep apart what it reads in no other message");
        }
    }
    return 0;
}

int
nwf_flow_text_to_match(const struct nwf_rule_instance *instance, const struct nwf_cond *cond,
                       const struct nwf_matches *beside, struct match *ret, struct nwf_error *err)
{
    struct parse p CLEANUP(parse_clear) = {.instance = instance, .cond = cond, .err = err};
    char *text CLEANUP_FREE = nwf_strdup(cond->text);
    char *rest = text, *name, *value;
    int r;

    match_init_catchall(&p.match);
    while (ofputil_parse_key_value(&rest, &name, &value)) {
        if ((r = parse_word(&p, name, value))) {
            return r;
        }
    }
    if (asks_for_nothing(&p)) {
        return fail(&p, "it asks for nothing");
    }
    if ((r = check_tag(&p)) || (r = check_prerequisites(&p, beside))) {
        return r;
    }
    /* As everywhere in a filter, a type is that of an untagged frame. */
    if (p.match.wc.masks.dl_type && !p.match.wc.masks.vlans[0].tci) {
        nwf_match_set_eth_type(&p.match, ntohs(p.match.flow.dl_type));
    }
    *ret = p.match;
    return 0;
}
