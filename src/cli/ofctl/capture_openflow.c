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

struct ports {
    ovs_be16 *data;
    size_t n, allocated;
};

static bool
has_port(const struct ports *ports, ovs_be16 port)
{
    nwf_vec_foreach (p, ports) {
        if (*p == port) {
            return true;
        }
    }
    return false;
}

static bool
is_openflow(const struct flow *flow, const struct ports *ports)
{
    return flow->dl_type == htons(ETH_TYPE_IP) && flow->nw_proto == IPPROTO_TCP
           && (has_port(ports, flow->tp_src) || has_port(ports, flow->tp_dst));
}

static void
print_message(const struct ofctl *ofctl, long long int when, const struct flow *flow,
              const struct ofp_header *header, size_t size)
{
    static bool is_first = true;

    if (!is_first) {
        putchar('\n');
    }
    is_first = false;
    if (ofctl->timestamp) {
        char *text = xastrftime_msec("%H:%M:%S.### ", when, false);
        fputs(text, stdout);
        free(text);
    }
    printf(IP_FMT ".%" PRIu16 " > " IP_FMT ".%" PRIu16 ":\n", IP_ARGS(flow->nw_src),
           ntohs(flow->tp_src), IP_ARGS(flow->nw_dst), ntohs(flow->tp_dst));
    ofp_print(stdout, header, size, NULL, NULL, ofctl->verbosity + 1);
}

/* Takes whole messages off the stream. */
static void
print_messages(const struct ofctl *ofctl, long long int when, const struct flow *flow,
               struct dp_packet *stream)
{
    const struct ofp_header *header;

    while ((header = dp_packet_at(stream, 0, sizeof *header))) {
        size_t size = ntohs(header->length);
        if (size < sizeof *header || size > dp_packet_size(stream)) {
            return;
        }
        print_message(ofctl, when, flow, header, size);
        dp_packet_pull(stream, size);
    }
}

static void
print_capture(const struct ofctl *ofctl, const char *name, const struct ports *ports)
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
            is_openflow(&flow, ports) ? tcp_reader_run(reader, &flow, packet) : NULL;
        if (stream) {
            print_messages(ofctl, when, &flow, stream);
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
    struct ports ports = {.n = 0};

    for (int i = 2; i < ctx->argc; i++) {
        nwf_vec_push(&ports, htons((uint16_t) atoi(ctx->argv[i])));
    }
    if (!ports.n) {
        nwf_vec_push(&ports, htons(OFP_PORT));
        nwf_vec_push(&ports, htons(OFP_OLD_PORT));
    }
    print_capture(ofctl_of(ctx), ctx->argv[1], &ports);
    nwf_vec_clear(&ports);
}
