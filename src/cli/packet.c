/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets out of words; see packet.h. */
#include <config.h>

#include "packet.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-flow.h"

#include "lib/dp-packet.h"
#include "lib/flow.h"
#include "lib/packets.h"
#include "lib/pcap-file.h"
#include "lib/util.h"

/* Bytes of the payload that a flow's packet gets. */
#define PAYLOAD 64
/* Packets of a capture that are looked at. */
#define CAPTURE_MAX 1000000

/* ---- Connections. ---- */

static int
parse_ct(const char *text, struct nwf_evaluation_ct *ret, struct nwf_error *err)
{
    char *words CLEANUP_FREE = nwf_strdup(text);
    struct ds cause = DS_EMPTY_INITIALIZER;
    uint32_t state;

    /* As ct_state is printed, too. */
    for (char *p = words; *p; p++) {
        *p = *p == '|' ? ',' : *p;
    }
    bool ok = parse_ct_state(words, CS_TRACKED, &state, &cause) && validate_ct_state(state, &cause);
    if (ok && state == CS_TRACKED) {
        ds_put_cstr(&cause, "no connection tracking state");
        ok = false;
    }
    int r = ok ? 0 : nwf_error_set(err, -EINVAL, "--ct=%.80s: %s", text, ds_cstr(&cause));
    ds_destroy(&cause);
    if (ok) {
        *ret = (struct nwf_evaluation_ct){.state = state, .answered = state & CS_ESTABLISHED};
    }
    return r;
}

/* ---- Flows. ---- */

static int
from_flow(const char *text, struct nwf_packet *ret, struct nwf_error *err)
{
    struct flow flow;
    char *cause CLEANUP_FREE = parse_ofp_exact_flow(&flow, NULL, NULL, text, NULL);

    if (cause) {
        return nwf_error_set(err, -EINVAL, "%s", cause);
    }
    if (flow.ct_state) {
        ret->ct = (struct nwf_evaluation_ct){.state = flow.ct_state | CS_TRACKED,
                                             .answered = flow.ct_state & CS_ESTABLISHED};
    }
    flow_clear_conntrack(&flow);
    /* What was said counts, also where no packet could say it. */
    ret->flow = flow;
    return 0;
}

/* Gives a flow's packet its bytes.  TCP flags that nobody asked for are those that a packet
 * of such a connection has. */
static void
compose(struct nwf_packet *packet)
{
    struct flow *flow = &packet->flow;
    bool is_ip = flow->dl_type == htons(ETH_TYPE_IP) || flow->dl_type == htons(ETH_TYPE_IPV6);

    if (is_ip && flow->nw_proto == IPPROTO_TCP && !flow->tcp_flags
        && !(flow->nw_frag & FLOW_NW_FRAG_LATER)) {
        flow->tcp_flags = htons(packet->ct.state & CS_NEW ? TCP_SYN : TCP_ACK);
    }
    packet->data = dp_packet_new(0);
    flow_compose(packet->data, flow, NULL, PAYLOAD);
}

/* ---- Bytes. ---- */

static void
see(struct nwf_packet *packet)
{
    flow_extract(packet->data, &packet->flow);
}

static bool
is_hex(const char *text)
{
    return strlen(text) >= 2 * ETH_HEADER_LEN
           && strspn(text, "0123456789abcdefABCDEF \t\n") == strlen(text);
}

static int
from_hex(const char *text, struct nwf_packet *ret, struct nwf_error *err)
{
    const char *cause = eth_from_hex(text, &ret->data);

    if (cause) {
        return nwf_error_set(err, -EINVAL, "packet: %s", cause);
    }
    see(ret);
    return 0;
}

static int
read_capture(const char *file, int64_t n, struct nwf_packet *ret, struct nwf_error *err)
{
    struct stat st;
    struct pcap_file *pcap = NULL;
    int r = stat(file, &st) < 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;

    if (!r && !(pcap = ovs_pcap_open(file, "rb"))) {
        r = EINVAL;
    }
    for (int64_t i = 0; !r && i < n; i++) {
        dp_packet_delete(ret->data);
        ret->data = NULL;
        r = ovs_pcap_read(pcap, &ret->data, NULL);
    }
    if (pcap) {
        ovs_pcap_close(pcap);
    }
    if (r) {
        dp_packet_delete(ret->data);
        ret->data = NULL;
        return nwf_error_set(err, -EINVAL, "%s: %s", file,
                             r == EOF      ? "has fewer packets"
                             : r == EINVAL ? "no capture"
                                           : strerror(r));
    }
    see(ret);
    return 0;
}

/* FILE.pcap or FILE.pcap:N */
static bool
is_capture(const char *text, char **ret_file, int64_t *ret_n)
{
    const char *colon = strrchr(text, ':');
    size_t len = strlen(text);

    *ret_n = 1;
    if (colon && nwf_parse_int(colon + 1, 1, CAPTURE_MAX, ret_n)) {
        len = (size_t) (colon - text);
    }
    if (len < 5 || memcmp(text + len - 5, ".pcap", 5) != 0) {
        return false;
    }
    *ret_file = nwf_strndup(text, len);
    return true;
}

/* ---- Any. ---- */

int
nwf_packet_parse(const char *text, const char *ct, struct nwf_packet *ret, struct nwf_error *err)
{
    char *file CLEANUP_FREE = NULL;
    int64_t n;

    memset(ret, 0, sizeof *ret);
    ret->ct.state = CS_TRACKED | CS_NEW;
    int r = is_capture(text, &file, &n) ? read_capture(file, n, ret, err)
            : is_hex(text)              ? from_hex(text, ret, err)
                                        : from_flow(text, ret, err);
    if (!r && ct) {
        r = parse_ct(ct, &ret->ct, err);
    }
    if (!r && !ret->data) {
        compose(ret);
    }
    if (r) {
        nwf_packet_clear(ret);
    }
    return r;
}

void
nwf_packet_clear(struct nwf_packet *packet)
{
    dp_packet_delete(packet->data);
    packet->data = NULL;
}

char *
nwf_flow_text(const struct flow *flow, uint16_t in_port)
{
    /* Each after what it needs. */
    static const enum mf_field_id ids[] = {
        MFF_ETH_SRC,     MFF_ETH_DST,     MFF_VLAN_TCI,  MFF_ETH_TYPE,    MFF_MPLS_LABEL,
        MFF_MPLS_TC,     MFF_MPLS_BOS,    MFF_IPV4_SRC,  MFF_IPV4_DST,    MFF_IPV6_SRC,
        MFF_IPV6_DST,    MFF_IPV6_LABEL,  MFF_IP_PROTO,  MFF_IP_DSCP,     MFF_IP_ECN,
        MFF_IP_TTL,      MFF_IP_FRAG,     MFF_ARP_OP,    MFF_ARP_SPA,     MFF_ARP_TPA,
        MFF_ARP_SHA,     MFF_ARP_THA,     MFF_TCP_SRC,   MFF_TCP_DST,     MFF_UDP_SRC,
        MFF_UDP_DST,     MFF_SCTP_SRC,    MFF_SCTP_DST,  MFF_ICMPV4_TYPE, MFF_ICMPV4_CODE,
        MFF_ICMPV6_TYPE, MFF_ICMPV6_CODE, MFF_ND_TARGET, MFF_ND_SLL,      MFF_ND_TLL,
    };
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "in_port=%u", in_port);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const struct mf_field *mf = mf_from_id(ids[i]);
        union mf_value value;

        if (mf_are_prereqs_ok(mf, flow, NULL)) {
            mf_get_value(mf, flow, &value);
            if (!is_all_zeros(&value, mf->n_bytes)) {
                ds_put_format(&s, ",%s=", mf->name);
                mf_format(mf, &value, NULL, NULL, &s);
            }
        }
    }
    if (flow->tcp_flags && mf_are_prereqs_ok(mf_from_id(MFF_TCP_FLAGS), flow, NULL)) {
        ds_put_format(&s, ",tcp_flags=%u", ntohs(flow->tcp_flags));
    }
    return ds_steal_cstr(&s);
}
