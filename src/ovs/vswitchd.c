/* SPDX-License-Identifier: Apache-2.0
 *
 * unixctl towards ovs-vswitchd; see nwf/vswitchd.h.
 *
 * JSON-RPC over a stream.  The library's own client waits for an answer without end. */
#include <config.h>

#include "nwf/vswitchd.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "nwf/cleanup.h"
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

static int
wait_for(struct stream *stream, enum stream_wait_type wait, long long int deadline)
{
    if (time_msec() >= deadline) {
        return -ETIMEDOUT;
    }
    stream_run_wait(stream);
    stream_wait(stream, wait);
    poll_timer_wait_until(deadline);
    poll_block();
    stream_run(stream);
    return 0;
}

static int
send_text(struct stream *stream, const char *text, long long int deadline)
{
    size_t left = strlen(text);

    while (left) {
        int n = stream_send(stream, text, left);
        if (n > 0) {
            text += n;
            left -= (size_t) n;
        } else if (n != -EAGAIN) {
            return n;
        } else if ((n = wait_for(stream, STREAM_SEND, deadline))) {
            return n;
        }
    }
    return 0;
}

/* Reads until what has come is a whole JSON value; the caller frees it. */
static int
receive_json(struct stream *stream, long long int deadline, json_t **ret)
{
    struct ds answer CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    char chunk[65536];

    for (;;) {
        int n = stream_recv(stream, chunk, sizeof chunk);
        if (n > 0) {
            ds_put_buffer(&answer, chunk, (size_t) n);
            if (chunk[n - 1] == '}'
                && (*ret =
                        json_loadb(answer.string, answer.length, JSON_DISABLE_EOF_CHECK, NULL))) {
                return 0;
            }
            if (answer.length > ANSWER_MAX) {
                return -EPROTO;
            }
        } else if (n != -EAGAIN) {
            return n ? n : answer.length ? -EPROTO : -EPIPE; /* Closed. */
        } else if ((n = wait_for(stream, STREAM_RECV, deadline))) {
            return n;
        }
    }
}

static char *
request_text(const char *command, const char *const *args, size_t n_args)
{
    json_t *params = json_array();

    for (size_t i = 0; i < n_args; i++) {
        json_array_append_new(params, json_string(args[i]));
    }
    json_t *request = json_pack("{sissso}", "id", 0, "method", command, "params", params);
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    return text;
}

static int
read_answer(const char *command, json_t *answer, char **ret_output, struct nwf_error *err)
{
    json_t *cause = json_object_get(answer, "error"), *result = json_object_get(answer, "result");

    if (!json_is_null(cause)) {
        return nwf_error_set(err, -EIO, "ovs-vswitchd: %s: %s", command,
                             json_is_string(cause) ? json_string_value(cause)
                                                   : "no sensible answer");
    }
    *ret_output = nwf_strdup(json_is_string(result) ? json_string_value(result) : "");
    return 0;
}

static int
transact(struct stream *stream, const char *command, const char *const *args, size_t n_args,
         unsigned int timeout_ms, char **ret_output, struct nwf_error *err)
{
    long long int deadline = time_msec() + timeout_ms;
    char *text CLEANUP_FREE = request_text(command, args, n_args);
    json_t *answer = NULL;

    int r = text ? send_text(stream, text, deadline) : -EINVAL; /* A name that is no UTF-8. */
    r = r ? r : receive_json(stream, deadline, &answer);
    if (r) {
        return nwf_error_set(err, r, "ovs-vswitchd: %s: %s", command, ovs_strerror(-r));
    }
    r = read_answer(command, answer, ret_output, err);
    json_decref(answer);
    return r;
}

int
nwf_vswitchd_call(const char *command, const char *const *args, size_t n_args,
                  unsigned int timeout_ms, char **ret_output, struct nwf_error *err)
{
    char *pidfile CLEANUP_FREE = nwf_asprintf("%s/ovs-vswitchd.pid", ovs_rundir());
    struct stream *stream;

    pid_t pid = read_pidfile(pidfile);
    if (pid < 0) {
        return nwf_error_set(err, (int) pid, "%s: %s", pidfile, strerror(-(int) pid));
    }
    char *path CLEANUP_FREE =
        nwf_asprintf("unix:%s/ovs-vswitchd.%ld.ctl", ovs_rundir(), (long) pid);
    int r = stream_open_block(stream_open(path, &stream, DSCP_DEFAULT), timeout_ms, &stream);
    if (r) {
        return nwf_error_set(err, -r, "%s: %s", path, ovs_strerror(r));
    }
    r = transact(stream, command, args, n_args, timeout_ms, ret_output, err);
    stream_close(stream);
    return r;
}

int
nwf_vswitchd_command(const char *command, const char *arg, unsigned int timeout_ms,
                     struct nwf_error *err)
{
    char *output CLEANUP_FREE = NULL;

    return nwf_vswitchd_call(command, &arg, arg ? 1 : 0, timeout_ms, &output, err);
}

int
nwf_vswitchd_flush_cache(unsigned int timeout_ms, struct nwf_error *err)
{
    return nwf_vswitchd_command("revalidator/purge", NULL, timeout_ms, err);
}
