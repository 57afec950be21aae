/* SPDX-License-Identifier: Apache-2.0
 *
 * <flow match="...">: what a text matches, said by libopenvswitch; which texts are
 * refused, and with what words; and variables inside of it. */
#include <config.h>

#include "compiled.h"

#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"

/* The filter's line 2 is the rule, its elements follow on line 3. */
static int
compile_rule(const char *elements, const char *variables, struct compiled *c, struct nwf_error *err)
{
    char *xml CLEANUP_FREE =
        nwf_asprintf("<filter name='f'>\n<rule action='drop' direction='out'>\n%s</rule>\n"
                     "</filter>",
                     elements);
    const struct text_filter filters[] = {{"f", xml}, {NULL, NULL}};

    return compile(filters, variables, c, err);
}

/* The matches of rows that drop, "; " between them. */
static char *
dropped(const struct compiled *c)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    nwf_vec_foreach (stage, &c->stages[NWF_OUT].list) {
        nwf_vec_foreach (row, &stage->rows) {
            if (row->verdict == NWF_V_DROP) {
                ds_put_cstr(&s, s.length ? "; " : "");
                match_format(&row->match, NULL, &s, OFP_DEFAULT_PRIORITY);
            }
        }
    }
    return ds_steal_cstr(&s);
}

/* ---- What is matched. ---- */

static const struct {
    const char *elements, *variables, *matches;
} accepted[] = {
    /* As everywhere in a filter, a type is that of an untagged frame, unless asked. */
    {"<flow match='ip'/>", "", "ip,vlan_tci=0x0000/0x1000"},
    {"<flow match='arp'/>", "", "arp,vlan_tci=0x0000/0x1000"},
    {"<flow match='dl_type=0x88cc'/>", "", "vlan_tci=0x0000/0x1000,dl_type=0x88cc"},
    {"<flow match='ip,dl_vlan=5'/>", "", "ip,dl_vlan=5"},
    {"<flow match='dl_vlan=5,tcp,tp_dst=22'/>", "", "tcp,dl_vlan=5,tp_dst=22"},
    {"<flow match='vlan_tci=0x1000/0x1000,ipv6'/>", "", "ipv6,vlan_tci=0x1000/0x1000"},
    {"<flow match='dl_vlan_pcp=3'/>", "", "dl_vlan_pcp=3"},
    {"<flow match='dl_vlan_pcp=0'/>", "", "dl_vlan_pcp=0"},
    /* "No tag", as people write it. */
    {"<flow match='vlan_tci=0'/>", "", "vlan_tci=0x0000/0x1000"},
    {"<flow match='vlan_tci=0/0x1000,arp'/>", "", "arp,vlan_tci=0x0000/0x1000"},
    {"<flow match='dl_vlan=0xffff'/>", "", "vlan_tci=0x0000/0x1000"},
    {"<flow match='vlan_vid=0'/>", "", "vlan_tci=0x0000/0x1000"},
    {"<flow match='dl_src=02:00:00:00:00:01'/>", "", "dl_src=02:00:00:00:00:01"},
    {"<flow match='dl_dst=01:00:00:00:00:00/01:00:00:00:00:00'/>", "",
     "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"},

    /* Masks, as ovs-ofctl takes them. */
    {"<flow match='ip,nw_src=10.1.0.0/16'/>", "", "ip,vlan_tci=0x0000/0x1000,nw_src=10.1.0.0/16"},
    {"<flow match='tcp,tp_dst=0x400/0xfc00'/>", "",
     "tcp,vlan_tci=0x0000/0x1000,tp_dst=0x400/0xfc00"},
    {"<flow match='tcp,tcp_flags=+syn-ack'/>", "", "tcp,vlan_tci=0x0000/0x1000,tcp_flags=+syn-ack"},
    {"<flow match='ip,nw_frag=later'/>", "", "ip,vlan_tci=0x0000/0x1000,nw_frag=later"},
    {"<flow match='ip,nw_frag=yes'/>", "", "ip,vlan_tci=0x0000/0x1000,nw_frag=yes"},
    {"<flow match='ipv6,nw_frag=not_later'/>", "", "ipv6,vlan_tci=0x0000/0x1000,nw_frag=not_later"},
    {"<flow match='ip,nw_ttl=1'/>", "", "ip,vlan_tci=0x0000/0x1000,nw_ttl=1"},
    {"<flow match='ip,nw_tos=0'/>", "", "ip,vlan_tci=0x0000/0x1000,nw_tos=0"},
    {"<flow match='ip,nw_ecn=3'/>", "", "ip,vlan_tci=0x0000/0x1000,nw_ecn=3"},
    {"<flow match='icmp6,nw_ttl=255,icmp_type=135,icmp_code=0,nd_target=fe80::1'/>", "",
     "icmp6,vlan_tci=0x0000/0x1000,nw_ttl=255,icmp_type=135,icmp_code=0,nd_target=fe80::1"},
    {"<flow match='icmp6,nw_ttl=255,icmpv6_type=136,icmpv6_code=0,nd_tll=02:00:00:00:00:01'/>", "",
     "icmp6,vlan_tci=0x0000/0x1000,nw_ttl=255,icmp_type=136,icmp_code=0,nd_tll=02:00:00:00:00:01"},
    {"<flow match='arp,arp_spa=10.0.0.1,arp_op=1'/>", "",
     "arp,vlan_tci=0x0000/0x1000,arp_spa=10.0.0.1,arp_op=1"},
    {"<flow match='ipv6,ipv6_label=7'/>", "", "ipv6,vlan_tci=0x0000/0x1000,ipv6_label=0x00007"},
    {"<flow match='mpls,mpls_label=5'/>", "", "mpls,vlan_tci=0x0000/0x1000,mpls_label=5"},

    /* One word for a field of several protocols, and protocols in numbers. */
    {"<flow match='udp,tp_src=68,tp_dst=67'/>", "",
     "udp,vlan_tci=0x0000/0x1000,tp_src=68,tp_dst=67"},
    {"<flow match='sctp6,tp_dst=5'/>", "", "sctp6,vlan_tci=0x0000/0x1000,tp_dst=5"},
    {"<flow match='tcp,udp_src=5'/>", "", "tcp,vlan_tci=0x0000/0x1000,tp_src=5"},
    {"<flow match='dl_type=0x0800,nw_proto=0x11,tp_dst=67'/>", "",
     "udp,vlan_tci=0x0000/0x1000,tp_dst=67"},
    {"<flow match='nw_proto=17,ipv6,tp_src=5'/>", "", "udp6,vlan_tci=0x0000/0x1000,tp_src=5"},
    {"<flow match='arp,nw_src=10.0.0.1,nw_proto=2'/>", "",
     "arp,vlan_tci=0x0000/0x1000,arp_spa=10.0.0.1,arp_op=2"},
    {"<flow match='rarp,nw_dst=10.0.0.0/8'/>", "",
     "rarp,vlan_tci=0x0000/0x1000,arp_tpa=10.0.0.0/8"},
    {"<flow match='icmp,tp_src=3,tp_dst=4'/>", "",
     "icmp,vlan_tci=0x0000/0x1000,icmp_type=3,icmp_code=4"},
    {"<flow match='icmp6,nw_ttl=255,tp_src=135,tp_dst=0,nd_target=fe80::1'/>", "",
     "icmp6,vlan_tci=0x0000/0x1000,nw_ttl=255,icmp_type=135,icmp_code=0,nd_target=fe80::1"},
    {"<udp/><flow match='tp_dst=67'/>", "",
     "udp,vlan_tci=0x0000/0x1000,tp_dst=67; "
     "ip,vlan_tci=0x0000/0x1000,nw_src=0.0.0.0/8,nw_proto=0"},
    {"<flow match='tcp,tp_dst[0..7]=5'/>", "", "tcp,vlan_tci=0x0000/0x1000,tp_dst=0x5/0xff"},
    {"<flow match='tcp,tp_dst[0..7]=5,tp_dst[8..15]=1'/>", "",
     "tcp,vlan_tci=0x0000/0x1000,tp_dst=261"},
    {"<flow match='eth,dl_src=02:00:00:00:00:01'/>", "", "dl_src=02:00:00:00:00:01"},
    /* What says the same twice. */
    {"<flow match='tcp,tcp,nw_proto=6,dl_type=0x800,tp_dst=5,tp_dst=0x5'/>", "",
     "tcp,vlan_tci=0x0000/0x1000,tp_dst=5"},

    /* Prerequisites can stand beside it, in whatever order. */
    {"<flow match='nw_ttl=1,ip'/>", "", "ip,vlan_tci=0x0000/0x1000,nw_ttl=1"},
    {"<ip/><flow match='nw_ttl=1'/>", "", "ip,vlan_tci=0x0000/0x1000,nw_ttl=1"},
    {"<ip protocol='tcp' dstportstart='22'/><flow match='tcp_flags=+syn'/>", "",
     /* And headers that are not all there, in doubt. */
     "tcp,vlan_tci=0x0000/0x1000,nw_frag=not_later,tp_dst=22,tcp_flags=+syn; "
     "ip,vlan_tci=0x0000/0x1000,nw_src=0.0.0.0/8,nw_proto=0; "
     "tcp,vlan_tci=0x0000/0x1000,nw_frag=not_later,tp_src=0,tp_dst=0,tcp_flags=0"},
    {"<ip srcipaddr='10.0.0.0' srcipmask='8'/><flow match='nw_src=10.1.0.0/16'/>", "",
     "ip,vlan_tci=0x0000/0x1000,nw_src=10.1.0.0/16; "
     "ip,vlan_tci=0x0000/0x1000,nw_src=0.0.0.0/8,nw_proto=0"},

    /* Variables, anywhere. */
    {"<flow match='ip,nw_src=$A'/>", "A=10.0.0.1,10.0.0.2",
     "ip,vlan_tci=0x0000/0x1000,nw_src=10.0.0.1; ip,vlan_tci=0x0000/0x1000,nw_src=10.0.0.2"},
    {"<flow match='ip,nw_src=$A/$B[@1]'/>", "A=10.0.0.0 B=24,8",
     "ip,vlan_tci=0x0000/0x1000,nw_src=10.0.0.0/24; ip,vlan_tci=0x0000/0x1000,nw_src=10.0.0.0/8"},
    {"<flow match='ip,nw_src=$A,nw_ttl=$B'/>", "A=10.0.0.1,10.0.0.2 B=7,8",
     "ip,vlan_tci=0x0000/0x1000,nw_src=10.0.0.1,nw_ttl=7; "
     "ip,vlan_tci=0x0000/0x1000,nw_src=10.0.0.2,nw_ttl=8"},
    {"<flow match='$P,tp_dst=$A[1]'/>", "P=tcp A=8,9", "tcp,vlan_tci=0x0000/0x1000,tp_dst=9"},
    {"<ip srcipaddr='$A'/><flow match='nw_ttl=$B'/>", "A=10.0.0.1,10.0.0.2 B=7,8",
     "ip,vlan_tci=0x0000/0x1000,nw_src=10.0.0.1,nw_ttl=7; "
     "ip,vlan_tci=0x0000/0x1000,nw_src=0.0.0.0/8,nw_proto=0; "
     "ip,vlan_tci=0x0000/0x1000,nw_src=10.0.0.2,nw_ttl=8"},
};

static void
test_accepted(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(accepted); i++) {
        struct nwf_error err = NWF_ERROR_INIT;
        struct compiled c;
        int r = compile_rule(accepted[i].elements, accepted[i].variables, &c, &err);

        expect(!r, "%s: %s", accepted[i].elements, nwf_error_text(&err));
        char *matches CLEANUP_FREE = dropped(&c);
        expect(!strcmp(matches, accepted[i].matches), "%s:\n  \"%s\", where\n  \"%s\" was expected",
               accepted[i].elements, matches, accepted[i].matches);
        nwf_error_clear(&err);
        compiled_free(&c);
    }
}

/* ---- What is refused. ---- */

static const struct {
    const char *elements, *variables, *error;
} refused[] = {
    {"<flow match=''/>", "", "f.xml:2: match: it asks for nothing"},
    {"<flow match=' , '/>", "", "f.xml:2: match: it asks for nothing"},
    {"<flow/>", "", "f.xml:3: "},
    {"<flow match='nosuch=1'/>", "", "f.xml:2: match: Open vSwitch knows no field \"nosuch\""},
    {"<flow match='ip,nw_src=10.0.0.x'/>", "", "f.xml:2: match: "},
    {"<flow match='ip,nw_ttl = 1'/>", "", "nw_ttl needs a value"},
    {"<flow match='ip,nw_ttl=256'/>", "", "f.xml:2: match: "},
    /* To ovs-ofctl, a field without a value says that the field is there. */
    {"<flow match='ip,nw_src='/>", "", "f.xml:2: match: nw_src needs a value"},
    {"<flow match='tcp,tp_dst'/>", "", "f.xml:2: match: tp_dst needs a value"},
    {"<flow match='dl_src'/>", "", "f.xml:2: match: dl_src needs a value"},
    {"<flow match='ip=1'/>", "", "f.xml:2: match: ip takes no value"},
    {"<flow match='dl_src=*'/>", "", "f.xml:2: match: it asks for nothing"},
    {"<flow match='dl_src=00:00:00:00:00:00/00:00:00:00:00:00'/>", "", "it asks for nothing"},

    /* What libopenvswitch would cut. */
    {"<flow match='arp,arp_op=256'/>", "", "arp_op: \"256\" is out of range"},
    {"<flow match='dl_vlan=5000'/>", "", "dl_vlan: \"5000\" is out of range"},
    {"<flow match='dl_vlan_pcp=9'/>", "", "\"9\" is out of range"},
    {"<flow match='ip,nw_tos=3'/>", "", "nw_tos: \"3\" is out of range"},
    {"<flow match='ip,ip_dscp=64'/>", "", "ip_dscp: \"64\" is out of range"},
    {"<flow match='ip,nw_ecn=5'/>", "", "nw_ecn: \"5\" is out of range"},
    {"<flow match='ipv6,ipv6_label=0x100000'/>", "", "ipv6_label: \"0x100000\" is out of range"},
    {"<flow match='mpls,mpls_label=0x200000'/>", "", "mpls_label: \"0x200000\" is out of range"},

    /* What a switch would get otherwise, or not at all. */
    {"<flow match='vlan_tci=0x2000/0xe000'/>", "",
     "f.xml:2: match: OpenFlow has no room for it: a switch would get \"\" in the place of "
     "\"vlan_tci=0x2000/0xe000\""},
    {"<flow match='vlan_tci=0x3000/0x3000'/>", "", "a switch would get \"dl_vlan_pcp=1\""},
    {"<flow match='vlan_tci=0x6/0xe547'/>", "", "a switch would say OFPBMC_BAD_PREREQ"},
    {"<all/><flow match='ct_state=+trk-inv,ct_nw_proto=0'/>", "", "OpenFlow has no room for it"},
    {"<flow match='vlan_tci=1'/>", "", "it asks for a tag's bits where there is no tag"},
    {"<flow match='vlan_vid=5'/>", "", "it asks for a tag's bits where there is no tag"},
    {"<flow match='dl_vlan=0xffff,dl_vlan_pcp=3'/>", "", "is there twice"},

    /* What the pipeline keeps for itself. */
    {"<flow match='in_port=1'/>", "", "in_port is not of the frame"},
    {"<flow match='reg0=1'/>", "", "reg0 is not of the frame"},
    {"<flow match='xreg1=1'/>", "", "xreg1 is not of the frame"},
    {"<flow match='xxreg0=1'/>", "", "xxreg0 is not of the frame"},
    {"<flow match='metadata=1'/>", "", "metadata is not of the frame"},
    {"<flow match='tun_id=1'/>", "", "tun_id is not of the frame"},
    {"<flow match='pkt_mark=1'/>", "", "pkt_mark is not of the frame"},
    {"<flow match='actset_output=1'/>", "", "actset_output is not of the frame"},
    {"<flow match='conj_id=1'/>", "", "conj_id is not of the frame"},
    {"<flow match='recirc_id=1'/>", "", "recirc_id"},
    {"<all/><flow match='ct_zone=1'/>", "", "ct_zone is not of the frame"},
    {"<all/><flow match='ct_mark=1'/>", "", "ct_mark is not of the frame"},
    {"<all/><flow match='ct_label=1'/>", "", "ct_label is not of the frame"},
    {"<flow match='packet_type=(1,0x800)'/>", "", "packet_type is not of the frame"},
    /* Words of a flow that are no match. */
    {"<flow match='ip,priority=5'/>", "", "knows no field \"priority\""},
    {"<flow match='table=3,ip'/>", "", "knows no field \"table\""},
    {"<flow match='ip,actions=drop'/>", "", "knows no field \"actions\""},
    {"<flow match='cookie=1'/>", "", "knows no field \"cookie\""},

    /* Tracking is the IP layer's. */
    {"<flow match='ip,ct_state=+trk'/>", "", "put <all/> or the like beside <flow>"},
    {"<ip/><flow match='ct_state=+trk'/>", "", "put <all/> or the like beside <flow>"},

    /* Prerequisites, repetitions, contradictions. */
    {"<flow match='nw_ttl=1'/>", "", "nw_ttl: its prerequisites are missing"},
    {"<flow match='ip,tp_dst=22'/>", "", "prerequisites are missing"},
    {"<flow match='tcp,icmp_type=3'/>", "", "prerequisites are missing"},
    {"<flow match='icmp6,nd_target=fe80::1'/>", "", "prerequisites are missing"},
    {"<flow match='icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1'/>", "",
     "nd_target: it needs nw_ttl=255 and icmp_code=0 beside it"},
    {"<flow match='icmp6,nw_ttl=255,icmp_type=135,nd_sll=02:00:00:00:00:01'/>", "",
     "nd_sll: it needs nw_ttl=255 and icmp_code=0"},
    {"<flow match='icmp6,nw_ttl=255,icmp_type=136,icmp_code=1,nd_tll=02:00:00:00:00:01'/>", "",
     "nd_tll: its prerequisites are missing"},
    {"<flow match='icmp6,nw_ttl=64,icmp_type=136,icmp_code=0,nd_target=fe80::1'/>", "",
     "nd_target: it needs nw_ttl=255 and icmp_code=0"},
    {"<flow match='from_trusted=1'/>", "", "from_trusted takes no value"},
    {"<flow match='from_trusted'/>", "", "only frames towards a guest come from a trusted port"},
    {"<flow match='arp,nw_ttl=1'/>", "", "prerequisites are missing"},
    {"<flow match='ip,arp'/>", "", "arp: there is another protocol already"},
    {"<flow match='tcp,udp'/>", "", "udp: there is another protocol already"},
    {"<flow match='dl_type=0x806,ip'/>", "", "ip: there is another protocol already"},
    {"<flow match='nw_proto=17,tcp'/>", "", "tcp: there is another protocol already"},
    {"<flow match='eth'/>", "", "it asks for nothing"},
    {"<flow match='eth=1'/>", "", "eth takes no value"},
    /* ovs-ofctl leaves them out. */
    {"<flow match='ip,nw_proto=136,tp_dst=5'/>", "", "prerequisites are missing"},
    {"<flow match='ipv6,nw_src=10.0.0.1'/>", "", "prerequisites are missing"},
    {"<flow match='udp,tcp_flags=2'/>", "", "prerequisites are missing"},
    /* It takes 44, and the last of two. */
    {"<flow match='icmp,tp_src=3,tp_dst=300'/>", "", "prerequisites are missing"},
    {"<flow match='ip,nw_src=10.1.0.0/16,nw_src=10.0.0.0/8'/>", "", "is there twice"},
    {"<flow match='tcp,tp_dst[0..7]=5,tp_dst[0..3]=4'/>", "", "is there twice"},
    {"<flow match='tcp,tp_dst[0..77]=5'/>", "", "f.xml:2: match: "},
    {"<flow match='reg0[0..7]=1'/>", "", "reg0 is not of the frame"},
    {"<flow match='in_port[]=1'/>", "", "in_port is not of the frame"},
    {"<flow match='nosuch[0..7]=1'/>", "", "knows no field"},
    {"<flow match='ip,dl_type=0x806'/>", "", "eth_type is there twice"},
    {"<flow match='tcp,tp_dst=1,tp_dst=2'/>", "", "is there twice"},
    {"<flow match='tcp,nw_proto=17'/>", "", "nw_proto is there twice"},
    {"<flow match='dl_vlan=5,vlan_vid=0x1006'/>", "", "is there twice"},
    {"<flow match='ip,nw_src=10.0.0.300'/>", "", "\"10.0.0.300\" is no IPv4 address"},
    {"<flow match='ip,nw_src=10.0.0.0/255.0.0.999'/>", "", "is no IPv4 address"},
    {"<flow match='ip,nw_src=10.1.2.3/16'/>", "",
     "ip_src: \"10.1.2.3/16\" is neither an address nor a network"},
    {"<flow match='ip,nw_dst=10.1.2.3/255.255.255.0'/>", "", "neither an address nor a network"},
    {"<flow match='arp,arp_spa=$A'/>", "A=10.0.0.1/24", "neither an address nor a network"},
    {"<flow match='ipv6,ipv6_src=$A'/>", "A=2001:db8::5/64", "neither an address nor a network"},
    {"<flow match='dl_src=02:00:00:00:00:01/ff:00:00:00:00:00'/>", "",
     "neither an address nor a network"},
    {"<all/><flow match='ct_state=+trk+new,ct_nw_src=10.0.0.1/24'/>", "",
     "neither an address nor a network"},
    {"<ip/><flow match='arp'/>", "", "it contradicts what stands beside it"},
    {"<ip/><flow match='ip,dl_vlan=5'/>", "", "it contradicts what stands beside it"},
    {"<ip srcipaddr='10.0.0.1'/><flow match='nw_src=10.0.0.2'/>", "",
     "it contradicts what stands beside it"},
    {"<tcp/><flow match='udp'/>", "", "f.xml:2: match: "},

    /* Variables. */
    {"<flow match='ip,nw_src=$A'/>", "", "f.xml:3: unknown variable $A"},
    {"<flow match='ip,nw_src=$A'/>", "A=x", "f.xml:2: match: "},
    {"<flow match='ip,nw_src=$A,nw_ttl=$B'/>", "A=10.0.0.1,10.0.0.2 B=7", "one length"},
    /* A value cannot bring words of its own. */
    {"<flow match='$A'/>", "A=in_port:1", "in_port is not of the frame"},
};

static void
test_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(refused); i++) {
        char *xml CLEANUP_FREE =
            nwf_asprintf("<filter name='f'>\n<rule action='drop' direction='out'>\n%s</rule>\n"
                         "</filter>",
                         refused[i].elements);
        const struct text_filter filters[] = {{"f", xml}, {NULL, NULL}};
        struct nwf_store *store CLEANUP(nwf_store_cleanup) = store_of(filters);
        struct nwf_error err = NWF_ERROR_INIT;
        const struct nwf_filter *filter;
        struct compiled c;
        int r = nwf_store_get(store, "f", &filter, &err);

        if (!r) {
            r = compile(filters, refused[i].variables, &c, &err);
            compiled_free(&c);
        }
        expect(r < 0, "%s: no error", refused[i].elements);
        expect_error(r, &err, refused[i].error);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
