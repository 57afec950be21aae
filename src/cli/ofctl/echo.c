/* SPDX-License-Identifier: Apache-2.0
 *
 * Echo requests: whether the other side is up, and how fast it answers. */
#include <config.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "link.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-util.h"

#include "lib/random.h"
#include "lib/timeval.h"
#include "lib/util.h"

#define PING_DEFAULT_SIZE 64
#define PING_REQUESTS 10
#define MAX_PAYLOAD (UINT16_MAX - sizeof(struct ofp_header))

void
ofctl_probe(struct ovs_cmdl_context *ctx)
{
    struct vconn *vconn = ofctl_connect(ctx->argv[1]);
    struct ofpbuf *reply = ofctl_transact(vconn, ofputil_encode_echo_request(ofctl_version(vconn)));

    if (reply->size != sizeof(struct ofp_header)) {
        ovs_fatal(0, "reply does not match request");
    }
    ofpbuf_delete(reply);
    vconn_close(vconn);
}

static size_t
payload_size(const char *text)
{
    int size = atoi(text);

    if (size < 0 || (size_t) size > MAX_PAYLOAD) {
        ovs_fatal(0, "payload must be between 0 and %zu bytes", MAX_PAYLOAD);
    }
    return (size_t) size;
}

static double
now_ms(void)
{
    struct timeval now;

    xgettimeofday(&now);
    return (double) now.tv_sec * 1000.0 + (double) now.tv_usec / 1000.0;
}

/* ---- ping ---- */

static void
check_reply(const struct ofpbuf *request, const struct ofpbuf *reply)
{
    const struct ofp_header *header = reply->data;
    enum ofptype type;

    if (ofptype_decode(&type, header) || type != OFPTYPE_ECHO_REPLY || reply->size != request->size
        || memcmp((const uint8_t *) request->data + sizeof *header, header + 1,
                  request->size - sizeof *header)) {
        printf("Reply does not match request.  Request:\n");
        ofp_print(stdout, request->data, request->size, NULL, NULL, 2);
        printf("Reply:\n");
        ofp_print(stdout, reply->data, reply->size, NULL, NULL, 2);
    }
}

static void
ping_once(struct vconn *vconn, const char *target, size_t size)
{
    struct ofpbuf *request = ofpraw_alloc(OFPRAW_OFPT_ECHO_REQUEST, ofctl_version(vconn), size);
    struct ofpbuf *copy;
    double start;

    random_bytes(ofpbuf_put_uninit(request, size), size);
    ofpmsg_update_length(request);
    copy = ofpbuf_clone(request);

    start = now_ms();
    struct ofpbuf *reply = ofctl_transact(vconn, request);
    double duration = now_ms() - start;

    check_reply(copy, reply);
    const struct ofp_header *header = reply->data;
    printf("%zu bytes from %s: xid=%08" PRIx32 " time=%.1f ms\n", reply->size - sizeof *header,
           target, ntohl(header->xid), duration);
    ofpbuf_delete(copy);
    ofpbuf_delete(reply);
}

void
ofctl_ping(struct ovs_cmdl_context *ctx)
{
    size_t size = ctx->argc > 2 ? payload_size(ctx->argv[2]) : PING_DEFAULT_SIZE;
    struct vconn *vconn = ofctl_connect(ctx->argv[1]);

    for (int i = 0; i < PING_REQUESTS; i++) {
        ping_once(vconn, ctx->argv[1], size);
    }
    vconn_close(vconn);
}

/* ---- benchmark ---- */

void
ofctl_benchmark(struct ovs_cmdl_context *ctx)
{
    size_t size = payload_size(ctx->argv[2]);
    size_t message_size = sizeof(struct ofp_header) + size;
    int count = atoi(ctx->argv[3]);

    printf("Sending %d packets * %zu bytes (with header) = %zu bytes total\n", count, message_size,
           (size_t) count * message_size);

    struct vconn *vconn = ofctl_connect(ctx->argv[1]);
    double start = now_ms();
    for (int i = 0; i < count; i++) {
        struct ofpbuf *request = ofpraw_alloc(OFPRAW_OFPT_ECHO_REQUEST, ofctl_version(vconn), size);
        ofpbuf_put_zeros(request, size);
        ofpmsg_update_length(request);
        ofpbuf_delete(ofctl_transact(vconn, request));
    }
    double duration = now_ms() - start;
    double seconds = duration / 1000.0;

    printf("Finished in %.1f ms (%.0f packets/s) (%.0f bytes/s)\n", duration, count / seconds,
           (double) count * (double) message_size / seconds);
    vconn_close(vconn);
}
