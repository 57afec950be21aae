/* SPDX-License-Identifier: Apache-2.0
 *
 * The process that applies a routed set-up and waits for its confirmation.
 *
 * The session that began it may be one that the change cuts off.  So the work is done by a process
 * of a session of its own, which the end of the other one does not concern; what it says goes
 * through a pipe to the one that the operator sees, for as long as there is one, and to the
 * system's log.  If nobody confirms, or it is told to end, it undoes everything. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "nwf/text.h"
#include "apply.h"

#include "lib/timeval.h"
#include "lib/util.h"

/* Longest line from the worker, bytes. */
#define LINE_MAX_BYTES 4096

/* Lines that are no progress: all is well, and an error. */
#define DONE '+'
#define FAILED '!'

/* ---- The worker. ---- */

static int told = -1; /* The pipe; -1: nobody listens any more. */
static volatile sig_atomic_t is_to_end;

static void
take_signal(int number)
{
    (void) number;
    is_to_end = true;
}

/* The other process may have gone: then only the log hears it. */
static void
tell(char kind, const char *text)
{
    char *line CLEANUP_FREE = nwf_asprintf("%c%s\n", kind, text);

    syslog(kind == FAILED ? LOG_ERR : LOG_NOTICE, "%s", text);
    if (told >= 0) {
        (void) !write(told, line, strlen(line));
    }
}

static const char *bridge_name;

static void
say(const char *text)
{
    char *line CLEANUP_FREE = nwf_asprintf("%s: %s", bridge_name, text);

    tell(' ', line);
}

static void
close_pipe(void)
{
    if (told >= 0) {
        close(told);
    }
    told = -1;
}

/* Signals that end processes are taken only while it waits: steps are done as a whole. */
static void
leave_session(sigset_t *ret_waiting)
{
    struct sigaction ends = {.sa_handler = take_signal}, ignored = {.sa_handler = SIG_IGN};
    const int ending[] = {SIGTERM, SIGINT};
    int null = open("/dev/null", O_RDWR);
    sigset_t blocked;

    (void) setsid();
    (void) !chdir("/");
    (void) sigaction(SIGHUP, &ignored, NULL);
    (void) sigaction(SIGPIPE, &ignored, NULL);
    sigemptyset(&blocked);
    for (size_t i = 0; i < ARRAY_SIZE(ending); i++) {
        (void) sigaction(ending[i], &ends, NULL);
        sigaddset(&blocked, ending[i]);
    }
    (void) sigprocmask(SIG_BLOCK, &blocked, ret_waiting);
    for (size_t i = 0; i < ARRAY_SIZE(ending); i++) {
        sigdelset(ret_waiting, ending[i]);
    }
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++) {
        (void) dup2(null, fd);
    }
    openlog("ovs-nwfilter", LOG_PID, LOG_DAEMON);
}

/* Whether it is confirmed in time. */
static bool
await(int fd, const char *bridge, long long int end, const sigset_t *waiting)
{
    while (!is_to_end) {
        long long int left = end - time_msec();
        struct timespec timeout = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
        struct pollfd ready = {.fd = fd, .events = POLLIN};

        if (left <= 0) {
            return false;
        }
        if (ppoll(&ready, 1, &timeout, waiting) > 0 && nwf_routed_take(fd, bridge)) {
            return true;
        }
    }
    return false;
}

static void
undo(const struct nwf_cli *cli, const struct nwf_routed_job *job)
{
    struct nwf_error err = NWF_ERROR_INIT;

    say(is_to_end ? "told to end: undoing it" : "not confirmed: undoing it");
    if (nwf_routed_undo(cli, job, &err)) {
        nwf_error_wrap(&err, "%s: not all could be undone", job->bridge);
        tell(FAILED, nwf_error_text(&err));
    } else {
        say("undone");
    }
    nwf_error_clear(&err);
}

static void
work(const struct nwf_cli *cli, const struct nwf_routed_job *job, unsigned int confirm_s, int fd)
{
    struct nwf_error err = NWF_ERROR_INIT;
    sigset_t waiting;

    leave_session(&waiting);
    bridge_name = job->bridge;
    if (nwf_routed_do(cli, job, say, &err)) {
        nwf_error_wrap(&err, "%s", job->bridge);
        tell(FAILED, nwf_error_text(&err));
    } else if (!confirm_s) {
        char *line CLEANUP_FREE = nwf_asprintf("%s: applied", job->bridge);
        tell(DONE, line);
    } else {
        char *line CLEANUP_FREE =
            nwf_asprintf("%s: applied; undone in %u s, unless: ovs-nwfilter routed confirm %s",
                         job->bridge, confirm_s, job->bridge);
        tell(DONE, line);
        close_pipe();
        if (await(fd, job->bridge, time_msec() + 1000LL * confirm_s, &waiting)) {
            say("confirmed");
        } else {
            undo(cli, job);
        }
    }
    nwf_error_clear(&err);
    nwf_routed_unlisten(fd);
}

/* ---- The one that the operator sees. ---- */

static int
show(const char *line, struct nwf_error *err)
{
    if (*line == FAILED) {
        return nwf_error_set(err, -EIO, "%s", line + 1);
    }
    puts(line + 1);
    fflush(stdout);
    return *line == DONE ? 1 : 0;
}

/* The library's handlers would have this process go on. */
static void
end_by_signals(void)
{
    const int ending[] = {SIGHUP, SIGINT, SIGTERM};

    for (size_t i = 0; i < ARRAY_SIZE(ending); i++) {
        (void) signal(ending[i], SIG_DFL);
    }
}

/* Until it is done, well or not. */
static int
follow(int pipe, struct nwf_error *err)
{
    FILE *lines = fdopen(pipe, "r");
    char line[LINE_MAX_BYTES];
    int r = 0;

    while (!r && lines && fgets(line, sizeof line, lines)) {
        line[strcspn(line, "\n")] = '\0';
        r = show(line, err);
    }
    if (lines) {
        fclose(lines);
    } else {
        close(pipe);
    }
    return r > 0 ? NWF_EXIT_OK
           : r   ? r
                 : nwf_error_set(err, -EIO,
                                 "the process that applies it has ended; see "
                                   "ovs-nwfilter unmanage");
}

int
nwf_routed_apply(struct nwf_cli *cli, const struct nwf_routed_job *job, unsigned int confirm_s,
                 struct nwf_error *err)
{
    int ends[2], fd;
    int r = nwf_routed_listen(&fd, err);

    if (r) {
        return r;
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        r = nwf_error_set(err, -errno, "%s", ovs_strerror(errno));
        nwf_routed_unlisten(fd);
        return r;
    }
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        close(ends[0]);
        told = ends[1];
        work(cli, job, confirm_s, fd);
        _exit(NWF_EXIT_OK);
    }
    close(ends[1]);
    if (child < 0) {
        r = nwf_error_set(err, -errno, "%s", ovs_strerror(errno));
        close(ends[0]);
        nwf_routed_unlisten(fd);
        return r;
    }
    close(fd);
    end_by_signals();
    return follow(ends[0], err);
}
