/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking the switch for a packet's way; see nwf/trace.h. */
#include <config.h>

#include "nwf/trace.h"

#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"

/* Lines that are read: a packet can be translated so often, and no more. */
#define FLOWS_MAX 8192

/* How often the packet can be asked for: once as it is sent, and for each receiver. */
#define CT_STATES 16

/* "output:3" */
static void
parse_output(const char *text, struct nwf_trace *ret)
{
    const char *start = text + strspn(text, " ");
    int64_t port;

    if (!strncmp(start, "output:", 7) && nwf_parse_int(start + 7, 1, UINT16_MAX, &port)
        && ret->outputs.n < FLOWS_MAX) {
        nwf_vec_push(&ret->outputs, (uint16_t) port);
    }
}

/* "10. ip,in_port=1, priority 65000, cookie 0x6e77661100010000" */
static void
parse_line(const char *line, size_t n, struct nwf_trace *ret)
{
    char *text CLEANUP_FREE = nwf_strndup(line, n);
    const char *start = text + strspn(text, " \t|-");
    const char *cookie = strstr(text, ", cookie 0x");
    char *end;

    parse_output(text, ret);
    unsigned long table = strtoul(start, &end, 10);
    if (end == start || strncmp(end, ". ", 2) || table > UINT8_MAX || !cookie
        || ret->flows.n >= FLOWS_MAX) {
        return;
    }
    nwf_vec_push(&ret->flows,
                 (struct nwf_traced){.table = (uint8_t) table,
                                     .cookie = strtoull(cookie + strlen(", cookie "), NULL, 16)});
}

void
nwf_trace_parse(const char *text, struct nwf_trace *ret)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        parse_line(text, n, ret);
        text += n + (text[n] == '\n');
    }
}

void
nwf_trace_clear(struct nwf_trace *trace)
{
    nwf_vec_clear(&trace->flows);
    nwf_vec_clear(&trace->outputs);
}

int
nwf_trace_packet(const char *bridge, const char *flow, const char *ct_state,
                 unsigned int timeout_ms, struct nwf_trace *ret, struct nwf_error *err)
{
    const char *args[2 + 2 * CT_STATES] = {bridge, flow};
    char *output CLEANUP_FREE = NULL;

    for (int i = 0; i < CT_STATES; i++) {
        args[2 + 2 * i] = "--ct-next";
        args[3 + 2 * i] = ct_state;
    }
    int r = nwf_vswitchd_call("ofproto/trace", args, sizeof args / sizeof args[0], timeout_ms,
                              &output, err);
    if (!r) {
        nwf_trace_parse(output, ret);
    }
    return r;
}
