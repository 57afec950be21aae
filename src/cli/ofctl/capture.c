/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets: in captures, on standard input, and made from a flow.  Some captures hold OpenFlow. */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nwf/vec.h"
#include "ofctl.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-print.h"

#include "lib/dp-packet.h"
#include "lib/flow.h"
#include "lib/packets.h"
#include "lib/pcap-file.h"
#include "lib/timeval.h"
#include "lib/util.h"

#define PAYLOAD_SIZE 64

/* ---- Packets. ---- */

/* 'when' is NULL if nobody wants to know. */
static struct dp_packet *
read_packet(struct pcap_file *file, const char *name, long long int *when)
{
    struct dp_packet *packet;
    int error = ovs_pcap_read(file, &packet, when);

    if (error && error != EOF) {
        ovs_fatal(error, "%s: read failed", name);
    }
    return error ? NULL : packet;
}

/* The packet has come in nowhere. */
static void
extract(struct dp_packet *packet, struct flow *flow)
{
    pkt_metadata_init(&packet->md, u32_to_odp(ofp_to_u16(OFPP_ANY)));
    flow_extract(packet, flow);
}

static void
print_pcap(const char *name)
{
    struct pcap_file *file = ovs_pcap_open(name, "rb");
    struct dp_packet *packet;

    if (!file) {
        int error = errno;
        ovs_error(error, "%s: open failed", name);
        exit(error);
    }
    while ((packet = read_packet(file, name, NULL))) {
        struct flow flow;
        extract(packet, &flow);
        flow_print(stdout, &flow, NULL);
        putchar('\n');
        dp_packet_delete(packet);
    }
    ovs_pcap_close(file);
}

void
ofctl_parse_pcap(struct ovs_cmdl_context *ctx)
{
    for (int i = 1; i < ctx->argc; i++) {
        print_pcap(ctx->argv[i]);
    }
}

void
ofctl_parse_packet(struct ovs_cmdl_context *ctx)
{
    static uint8_t bytes[UINT16_MAX];
    size_t size = fread(bytes, 1, sizeof bytes, stdin);
    struct dp_packet packet;
    struct flow flow;

    (void) ctx;
    if (ferror(stdin)) {
        ovs_fatal(errno, "failed to read packet from stdin");
    }
    memset(&packet, 0, sizeof packet);
    dp_packet_use_const(&packet, bytes, size);
    flow_extract(&packet, &flow);
    flow_print(stdout, &flow, NULL);
    putchar('\n');
    dp_packet_uninit(&packet);
}

/* ---- compose-packet ---- */

static void
write_packet(const struct ofctl *ofctl, struct dp_packet *packet)
{
    if (!ofctl->pcap) {
        ovs_hex_dump(stdout, dp_packet_data(packet), dp_packet_size(packet), 0, false);
    } else if (isatty(STDOUT_FILENO)) {
        ovs_fatal(1, "not writing pcap data to stdout; redirect to a file or pipe to tcpdump "
                     "instead");
    } else {
        struct pcap_file *file = ovs_pcap_stdout();
        ovs_pcap_write_header(file);
        ovs_pcap_write(file, packet);
        ovs_pcap_close(file);
    }
}

static void
compose(struct dp_packet *packet, const struct flow *flow, const char *payload)
{
    struct dp_packet bytes;

    if (!payload) {
        flow_compose(packet, flow, NULL, PAYLOAD_SIZE);
        return;
    }
    dp_packet_init(&bytes, 0);
    if (*dp_packet_put_hex(&bytes, payload, NULL)) {
        ovs_fatal(0, "%s: trailing garbage in packet data", payload);
    }
    flow_compose(packet, flow, dp_packet_data(&bytes), dp_packet_size(&bytes));
    dp_packet_uninit(&bytes);
}

/* Not every flow is one that a packet can have. */
static bool
check_packet(struct dp_packet *packet, const struct flow *wanted)
{
    struct flow flow;

    extract(packet, &flow);
    if (flow_equal(wanted, &flow)) {
        return true;
    }
    fprintf(stderr, "specified and extracted flows differ:\nspecified: ");
    flow_print(stderr, wanted, NULL);
    fprintf(stderr, "\nextracted: ");
    flow_print(stderr, &flow, NULL);
    return false;
}

void
ofctl_compose_packet(struct ovs_cmdl_context *ctx)
{
    struct dp_packet packet;
    struct flow flow;

    ofctl_check(parse_ofp_exact_flow(&flow, NULL, NULL, ctx->argv[1], NULL));
    dp_packet_init(&packet, 0);
    compose(&packet, &flow, ctx->argc > 2 ? ctx->argv[2] : NULL);
    write_packet(ofctl_of(ctx), &packet);
    if (!check_packet(&packet, &flow)) {
        exit(EXIT_FAILURE);
    }
    dp_packet_uninit(&packet);
}
