/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenFlow messages as bytes: printing them, from an argument or a file, and making some. */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "nwf/cleanup.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-util.h"

#include "lib/util.h"

/* ---- From text. ---- */

void
ofctl_ofp_print(struct ovs_cmdl_context *ctx)
{
    struct ds line = DS_EMPTY_INITIALIZER;
    const char *hex = ctx->argv[1];
    int verbosity = ctx->argc > 2 ? atoi(ctx->argv[2]) : 2;
    struct ofpbuf bytes;

    ofpbuf_init(&bytes, 0);
    if (!strcmp(hex, "-")) {
        if (ds_get_line(&line, stdin)) {
            ovs_fatal(0, "Failed to read stdin");
        }
        hex = ds_cstr(&line);
    }
    if (*ofpbuf_put_hex(&bytes, hex, NULL)) {
        ovs_fatal(0, "trailing garbage following hex bytes");
    }
    ofp_print(stdout, bytes.data, bytes.size, NULL, NULL, verbosity);
    ofpbuf_uninit(&bytes);
    ds_destroy(&line);
}

/* ---- From files. ---- */

/* Adds bytes to *buffer until it has 'size'; false: the file ends before. */
static bool
read_up_to(FILE *file, struct ofpbuf *buffer, size_t size)
{
    if (buffer->size < size) {
        size_t missing = size - buffer->size;
        size_t n = fread(ofpbuf_put_uninit(buffer, missing), 1, missing, file);
        buffer->size -= (uint32_t) (missing - n);
    }
    return buffer->size >= size;
}

/* The next message of the file; false: there is none. */
static bool
read_message(FILE *file, const char *name, struct ofpbuf *message)
{
    ofpbuf_clear(message);
    if (!read_up_to(file, message, sizeof(struct ofp_header))) {
        if (message->size) {
            ovs_fatal(0, "%s: unexpected end of file mid-message", name);
        }
        return false;
    }

    size_t size = ntohs(((struct ofp_header *) message->data)->length);
    if (size < sizeof(struct ofp_header)) {
        ovs_fatal(0, "%s: %zu-byte message is too short for OpenFlow", name, size);
    }
    if (!read_up_to(file, message, size)) {
        ovs_fatal(0, "%s: unexpected end of file mid-message", name);
    }
    return true;
}

void
ofctl_ofp_parse(struct ovs_cmdl_context *ctx)
{
    const char *name = ctx->argv[1];
    FILE *file = strcmp(name, "-") ? fopen(name, "r") : stdin;
    struct ofpbuf message;

    if (!file) {
        ovs_fatal(errno, "%s: open", name);
    }
    ofpbuf_init(&message, 65536);
    while (read_message(file, name, &message)) {
        ofp_print(stdout, message.data, message.size, NULL, NULL, ofctl_of(ctx)->verbosity + 2);
    }
    ofpbuf_uninit(&message);
    if (file != stdin) {
        fclose(file);
    }
}

/* ---- Making messages. ---- */

void
ofctl_encode_hello(struct ovs_cmdl_context *ctx)
{
    uint32_t versions = (uint32_t) strtol(ctx->argv[1], NULL, 0);
    struct ofpbuf *hello = ofputil_encode_hello(versions);

    ovs_hex_dump(stdout, hello->data, hello->size, 0, false);
    ofp_print(stdout, hello->data, hello->size, NULL, NULL, ofctl_of(ctx)->verbosity);
    ofpbuf_delete(hello);
}

static enum ofperr
find_error(const char *name)
{
    enum ofperr error = ofperr_from_name(name);

    if (!error) {
        ovs_fatal(0, "unknown error \"%s\"", name);
    }
    return error;
}

void
ofctl_print_error(struct ovs_cmdl_context *ctx)
{
    enum ofperr error = find_error(ctx->argv[1]);

    for (int version = 0; version <= UINT8_MAX; version++) {
        const char *name = ofperr_domain_get_name((enum ofp_version) version);
        int vendor = ofperr_get_vendor(error, (enum ofp_version) version);
        int type = ofperr_get_type(error, (enum ofp_version) version);
        int code = ofperr_get_code(error, (enum ofp_version) version);
        if (name && code >= 0) {
            printf("%s: vendor %#x, type %d, code %d\n", name, (unsigned int) vendor, type, code);
        }
    }
}

void
ofctl_encode_error_reply(struct ovs_cmdl_context *ctx)
{
    enum ofperr error = find_error(ctx->argv[1]);
    struct ofpbuf request;

    ofpbuf_init(&request, 0);
    if (*ofpbuf_put_hex(&request, ctx->argv[2], NULL)) {
        ovs_fatal(0, "Trailing garbage in hex data");
    }
    if (request.size < sizeof(struct ofp_header)) {
        ovs_fatal(0, "Request too short");
    }
    const struct ofp_header *header = request.data;
    if (request.size != ntohs(header->length)) {
        ovs_fatal(0, "Request size inconsistent");
    }

    struct ofpbuf *reply = ofperr_encode_reply(error, header);
    ovs_hex_dump(stdout, reply->data, reply->size, 0, false);
    ofpbuf_delete(reply);
    ofpbuf_uninit(&request);
}
