/* SPDX-License-Identifier: Apache-2.0
 *
 * unixctl towards ovs-vswitchd; see nwf/unixctl_call.h.
 *
 * JSON-RPC over a stream.  The library's own client waits for an answer without end. */
#include <config.h>

#include "nwf/unixctl_call.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"

#include "lib/daemon.h"
#include "lib/dirs.h"
#include "lib/socket-util.h"
#include "lib/stream.h"
#include "lib/timeval.h"
#include "lib/util.h"

/* Longest answer, bytes: a packet's trace through a large bridge. */
#define ANSWER_MAX (16 << 20)

/* Chunks that one run reads: others want to go on too. */
#define CHUNKS_AT_ONCE 16

/* When to try again where the socket has no room for one more who connects, ms. */
#define RETRY_MS 50

struct nwf_unixctl_call {
    char *target, *command;
    char *path;             /* The socket's, as a stream's. */
    struct nwf_error early; /* It could not be begun, and this is why. */
    struct stream *stream;  /* NULL: not opened. */
    bool connected;
    unsigned int timeout_ms;
    long long int deadline;
    char *request;      /* NULL: there is no such text. */
    const char *unsent; /* What is left of it. */
    struct ds answer;
    bool busy; /* There may be more to read than one run does. */
};

static char *
request_text(const char *command, const char *const *args, size_t n_args)
{
    json_t *params = json_array();

    for (size_t i = 0; i < n_args; i++) {
        if (json_array_append_new(params, json_string(args[i]))) { /* It is no UTF-8. */
            json_decref(params);
            return NULL;
        }
    }
    json_t *request = json_pack("{sissso}", "id", 0, "method", command, "params", params);
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    return text;
}

struct nwf_unixctl_call *
nwf_unixctl_call_new(const struct nwf_unixctl_command *command, unsigned int timeout_ms)
{
    char *pidfile CLEANUP_FREE = nwf_asprintf("%s/%s.pid", ovs_rundir(), command->target);
    struct nwf_unixctl_call *call = nwf_zalloc(sizeof *call);
    const pid_t pid = read_pidfile(pidfile);

    call->target = nwf_strdup(command->target);
    call->command = nwf_strdup(command->command);
    call->timeout_ms = timeout_ms;
    call->deadline = time_msec() + timeout_ms;
    call->unsent = call->request = request_text(command->command, command->args, command->n_args);
    ds_init(&call->answer);
    if (pid < 0) {
        nwf_error_set(&call->early, (int) pid, "%s: %s", pidfile, strerror(-(int) pid));
    } else {
        call->path = nwf_asprintf("unix:%s/%s.%ld.ctl", ovs_rundir(), call->target, (long) pid);
    }
    return call;
}

void
nwf_unixctl_call_free(struct nwf_unixctl_call *call)
{
    stream_close(call->stream);
    ds_destroy(&call->answer);
    nwf_error_clear(&call->early);
    free(call->request);
    free(call->path);
    free(call->command);
    free(call->target);
    free(call);
}

static int
connect_on(struct nwf_unixctl_call *call, struct nwf_error *err)
{
    int code = 0;

    if (call->connected) {
        return 0;
    }
    if (!call->stream) { /* EAGAIN: its queue of those who connect is full. */
        code = stream_open(call->path, &call->stream, DSCP_DEFAULT);
    }
    if (!code) {
        stream_run(call->stream);
        code = stream_connect(call->stream);
    }
    if (code == EAGAIN && time_msec() >= call->deadline) {
        code = ETIMEDOUT;
    }
    if (code == EAGAIN) {
        return -EAGAIN;
    }
    if (code) {
        return nwf_error_set(err, -code, "%s: %s", call->path, ovs_strerror(code));
    }
    call->connected = true;
    call->deadline = time_msec() + call->timeout_ms;
    return 0;
}

/* The three below return 0, -EAGAIN or another negative errno. */

static int
send_request(struct nwf_unixctl_call *call)
{
    if (!call->request) {
        return -EINVAL; /* A name that is no UTF-8. */
    }
    while (*call->unsent) {
        int n = stream_send(call->stream, call->unsent, strlen(call->unsent));

        if (n <= 0) {
            return n ? n : -EAGAIN;
        }
        call->unsent += n;
    }
    return 0;
}

static int
receive_chunk(struct nwf_unixctl_call *call)
{
    char chunk[65536];
    int n = stream_recv(call->stream, chunk, sizeof chunk);

    if (n <= 0) {
        return n ? n : call->answer.length ? -EPROTO : -EPIPE; /* Closed. */
    }
    ds_put_buffer(&call->answer, chunk, (size_t) n);
    return call->answer.length > ANSWER_MAX ? -EPROTO : 0;
}

/* Reads until what has come is a whole JSON value; the caller frees it. */
static int
receive_answer(struct nwf_unixctl_call *call, json_t **ret)
{
    int r = 0;

    for (int i = 0; !r && i < CHUNKS_AT_ONCE; i++) {
        const struct ds *answer = &call->answer;

        if (!(r = receive_chunk(call)) && answer->string[answer->length - 1] == '}'
            && (*ret = json_loadb(answer->string, answer->length, JSON_DISABLE_EOF_CHECK, NULL))) {
            return 0;
        }
    }
    call->busy = !r;
    if (r) {
        return r;
    }
    return -EAGAIN;
}

static int
read_answer(const struct nwf_unixctl_call *call, const json_t *answer, char **ret_output,
            struct nwf_error *err)
{
    json_t *cause = json_object_get(answer, "error"), *result = json_object_get(answer, "result");

    if (!json_is_null(cause)) {
        const char *text = json_is_string(cause) ? json_string_value(cause) : "";
        char *line CLEANUP_FREE = nwf_strndup(text, strcspn(text, "\n"));

        *ret_output = nwf_strdup(text);
        return nwf_error_set(err, -EIO, "%s: %s: %s", call->target, call->command,
                             *line ? line : "no sensible answer");
    }
    *ret_output = nwf_strdup(json_is_string(result) ? json_string_value(result) : "");
    return 0;
}

int
nwf_unixctl_call_run(struct nwf_unixctl_call *call, char **ret_output, struct nwf_error *err)
{
    json_t *answer = NULL;
    int r;

    call->busy = false;
    if (call->early.code) {
        return nwf_error_set(err, call->early.code, "%s", nwf_error_text(&call->early));
    }
    if ((r = connect_on(call, err))) {
        return r;
    }
    stream_run(call->stream);
    if (!(r = send_request(call))) {
        r = receive_answer(call, &answer);
    }
    if (r == -EAGAIN && time_msec() < call->deadline) {
        return r;
    }
    if (r) {
        r = r == -EAGAIN ? -ETIMEDOUT : r;
        return nwf_error_set(err, r, "%s: %s: %s", call->target, call->command, ovs_strerror(-r));
    }
    r = read_answer(call, answer, ret_output, err);
    json_decref(answer);
    return r;
}

void
nwf_unixctl_call_wait(struct nwf_unixctl_call *call)
{
    if (call->busy || call->early.code) {
        poll_immediate_wake();
        return;
    }
    poll_timer_wait_until(call->deadline);
    if (!call->stream) {
        poll_timer_wait(RETRY_MS);
        return;
    }
    stream_run_wait(call->stream);
    if (!call->connected) {
        stream_connect_wait(call->stream);
    } else if (call->request && *call->unsent) {
        stream_send_wait(call->stream);
    } else {
        stream_recv_wait(call->stream);
    }
}
