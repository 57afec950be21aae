/* SPDX-License-Identifier: Apache-2.0
 *
 * ofp-parse-pcap: the OpenFlow messages in the TCP connections of a capture. */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "nwf/vec.h"
#include "ofctl.h"
#include "openvswitch/ofp-print.h"

#include "lib/dp-packet.h"
#include "lib/flow.h"
#include "lib/odp-util.h"
#include "lib/packets.h"
#include "lib/pcap-file.h"
#include "lib/timeval.h"
#include "lib/util.h"

struct capture {
    const struct ofctl *ofctl;
    NWF_VEC(ovs_be16) ports; /* Those where OpenFlow is spoken. */
    bool has_printed;
};

static bool
has_port(const struct capture *capture, ovs_be16 port)
{
    nwf_vec_foreach (p, &capture->ports) {
        if (*p == port) {
            return true;
        }
    }
    return false;
}

static bool
is_openflow(const struct flow *flow, const struct capture *capture)
{
    return flow->dl_type == htons(ETH_TYPE_IP) && flow->nw_proto == IPPROTO_TCP
           && (has_port(capture, flow->tp_src) || has_port(capture, flow->tp_dst));
}

static void
print_message(struct capture *capture, long long int when, const struct flow *flow,
              const struct ofp_header *header, size_t size)
{
    if (capture->has_printed) {
        putchar('\n');
    }
    capture->has_printed = true;
    if (capture->ofctl->timestamp) {
        char *text = xastrftime_msec("%H:%M:%S.### ", when, false);
        fputs(text, stdout);
        free(text);
    }
    printf(IP_FMT ".%" PRIu16 " > " IP_FMT ".%" PRIu16 ":\n", IP_ARGS(flow->nw_src),
           ntohs(flow->tp_src), IP_ARGS(flow->nw_dst), ntohs(flow->tp_dst));
    ofp_print(stdout, header, size, NULL, NULL, capture->ofctl->verbosity + 1);
}

/* Takes whole messages off the stream. */
static void
print_messages(struct capture *capture, long long int when, const struct flow *flow,
               struct dp_packet *stream)
{
    const struct ofp_header *header;

    while ((header = dp_packet_at(stream, 0, sizeof *header))) {
        size_t size = ntohs(header->length);
        if (size < sizeof *header || size > dp_packet_size(stream)) {
            return;
        }
        print_message(capture, when, flow, header, size);
        dp_packet_pull(stream, size);
    }
}

static void
print_capture(struct capture *capture, const char *name)
{
    struct pcap_file *file = ovs_pcap_open(name, "rb");
    struct tcp_reader *reader = tcp_reader_open();
    struct dp_packet *packet;
    long long int when;
    int error;

    if (!file) {
        ovs_fatal(errno, "%s: open failed", name);
    }
    while (!(error = ovs_pcap_read(file, &packet, &when))) {
        struct flow flow;
        pkt_metadata_init(&packet->md, ODPP_NONE);
        flow_extract(packet, &flow);
        struct dp_packet *stream =
            is_openflow(&flow, capture) ? tcp_reader_run(reader, &flow, packet) : NULL;
        if (stream) {
            print_messages(capture, when, &flow, stream);
        }
        dp_packet_delete(packet);
    }
    if (error != EOF) {
        ovs_fatal(error, "%s: read failed", name);
    }
    tcp_reader_close(reader);
    ovs_pcap_close(file);
}

void
ofctl_ofp_parse_pcap(struct ovs_cmdl_context *ctx)
{
    struct capture capture = {.ofctl = ofctl_of(ctx)};

    for (int i = 2; i < ctx->argc; i++) {
        nwf_vec_push(&capture.ports, htons((uint16_t) atoi(ctx->argv[i])));
    }
    if (!capture.ports.n) {
        nwf_vec_push(&capture.ports, htons(OFP_PORT));
        nwf_vec_push(&capture.ports, htons(OFP_OLD_PORT));
    }
    print_capture(&capture, ctx->argv[1]);
    nwf_vec_clear(&capture.ports);
}
