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
#include "openvswitch/poll-loop.h"

#include "lib/daemon.h"
#include "lib/dirs.h"
#include "lib/socket-util.h"
#include "lib/stream.h"
#include "lib/timeval.h"
#include "lib/util.h"

/* Longest answer, bytes: none of the commands in use says much. */
#define ANSWER_MAX 65536

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
    char *answer CLEANUP_FREE = nwf_zalloc(ANSWER_MAX);
    size_t size = 0;

    for (;;) {
        int n = stream_recv(stream, answer + size, ANSWER_MAX - size);
        if (n > 0) {
            size += (size_t) n;
            if ((*ret = json_loadb(answer, size, JSON_DISABLE_EOF_CHECK, NULL))) {
                return 0;
            }
        } else if (n != -EAGAIN) {
            /* Closed, or longer than an answer is. */
            return n ? n : size ? -EPROTO : -EPIPE;
        } else if ((n = wait_for(stream, STREAM_RECV, deadline))) {
            return n;
        }
    }
}

static int
transact(struct stream *stream, const char *command, const char *arg, unsigned int timeout_ms,
         struct nwf_error *err)
{
    long long int deadline = time_msec() + timeout_ms;
    json_t *request = arg ? json_pack("{sisss[s]}", "id", 0, "method", command, "params", arg)
                          : json_pack("{sisss[]}", "id", 0, "method", command, "params");
    char *text CLEANUP_FREE = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_t *answer = NULL;

    json_decref(request);
    int r = text ? send_text(stream, text, deadline) : -EINVAL; /* A name that is no UTF-8. */
    r = r ? r : receive_json(stream, deadline, &answer);
    if (r) {
        return nwf_error_set(err, r, "ovs-vswitchd: %s: %s", command, ovs_strerror(-r));
    }
    json_t *cause = json_object_get(answer, "error");
    if (!json_is_null(cause)) {
        r = nwf_error_set(err, -EIO, "ovs-vswitchd: %s: %s", command,
                          json_is_string(cause) ? json_string_value(cause) : "no sensible answer");
    }
    json_decref(answer);
    return r;
}

int
nwf_vswitchd_command(const char *command, const char *arg, unsigned int timeout_ms,
                     struct nwf_error *err)
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
    r = transact(stream, command, arg, timeout_ms, err);
    stream_close(stream);
    return r;
}

int
nwf_vswitchd_flush_cache(unsigned int timeout_ms, struct nwf_error *err)
{
    return nwf_vswitchd_command("revalidator/purge", NULL, timeout_ms, err);
}
