/* SPDX-License-Identifier: Apache-2.0
 *
 * ovs-nwfilterd: keeps network filters in force.  One thread, one loop around the live engine. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "notify.h"
#include "nwf-config.h"
#include "nwf/cleanup.h"
#include "nwf/lock.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "options.h"
#include "signals.h"

#include "lib/command-line.h"
#include "lib/daemon.h"
#include "lib/dirs.h"
#include "lib/fatal-signal.h"
#include "lib/memory.h"
#include "lib/simap.h"
#include "lib/timeval.h"
#include "lib/unixctl.h"
#include "lib/util.h"

VLOG_DEFINE_THIS_MODULE(nwfilterd);

/* How soon the service manager is told again if it could not be told, milliseconds. */
#define NOTIFY_RETRY_MS 100

/* ---- Memory. ---- */

static int
add_usage(const char *word, void *usage)
{
    const char *colon = strrchr(word, ':');
    int64_t n;

    if (colon && nwf_parse_int(colon + 1, 0, UINT32_MAX, &n)) {
        char *name CLEANUP_FREE = nwf_strndup(word, (size_t) (colon - word));
        simap_put(usage, name, (unsigned int) n);
    }
    return 0;
}

static void
report_memory(const struct nwf_server *server)
{
    struct ds s CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    struct simap usage CLEANUP(simap_destroy) = SIMAP_INITIALIZER(&usage);

    nwf_live_format_memory(server->live, &s);
    nwf_text_split(ds_cstr(&s), " \t\n", add_usage, &usage);
    simap_put(&usage, "requests", (unsigned int) server->requests.waiting.n);
    memory_report(&usage);
}

/* ---- The service manager. ---- */

/* What waits for us, such as libvirtd, may start guests once we are ready: not before all that
 * the database and the files say is enforced. */
static void
announce(struct nwf_server *server)
{
    struct ds s CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    bool settled = nwf_live_is_settled(server->live);

    if (settled == server->settled) {
        return;
    }
    nwf_live_format_status(server->live, &s);
    ds_truncate(&s, strcspn(ds_cstr(&s), "\n"));
    char *lines CLEANUP_FREE =
        nwf_asprintf("%sSTATUS=%s", settled && !server->ready ? "READY=1\n" : "", ds_cstr(&s));
    int r = nwf_notify(lines);
    if (r == -EAGAIN || r == -ENOBUFS) {
        poll_timer_wait(NOTIFY_RETRY_MS);
        return;
    }
    if (r) {
        VLOG_WARN_ONCE("NOTIFY_SOCKET: %s", ovs_strerror(-r));
    }
    if (settled && !server->ready) {
        VLOG_INFO("ready: everything is enforced");
        server->ready = true;
    }
    server->settled = settled;
}

/* ---- The loop. ---- */

static void
run_signals(struct nwf_server *server)
{
    bool terminate, hang_up;

    nwf_signals_run(&terminate, &hang_up);
    if (terminate) {
        server->exiting = true;
    }
    if (hang_up) {
        vlog_reopen_log_file();
        VLOG_INFO("reading filters and policy files anew");
        nwf_live_reload(server->live);
    }
}

/* Requests come before the engine's turn and are answered after it, so that what takes no
 * waiting is answered in one round. */
static void
run(struct nwf_server *server, struct unixctl_server *unixctl)
{
    memory_run();
    if (memory_should_report()) {
        report_memory(server);
    }
    run_signals(server);
    nwf_files_run(server->files);
    nwf_requests_note_answer(&server->requests, NULL);
    unixctl_server_run(unixctl);
    nwf_live_run(server->live);
    nwf_requests_run(&server->requests);
    announce(server);
}

static void
serve(struct nwf_server *server, struct unixctl_server *unixctl)
{
    for (;;) {
        run(server, unixctl);
        if (server->exiting) {
            return;
        }
        memory_wait();
        nwf_signals_wait();
        nwf_files_wait(server->files);
        unixctl_server_wait(unixctl);
        nwf_live_wait(server->live);
        nwf_requests_wait(&server->requests);
        poll_block();
    }
}

/* ---- Start and end. ---- */

/* Somebody's "ovs-nwfilter sync" ends in time; another daemon does not. */
static struct nwf_lock *
take_lock(unsigned int patience_ms)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_lock *lock = NULL;
    int r = nwf_lock_take(0, &lock, &err);

    if (r == -EAGAIN) {
        VLOG_INFO("waiting: %s", nwf_error_text(&err));
        nwf_error_clear(&err);
        r = nwf_lock_take(patience_ms, &lock, &err);
    }
    if (r) {
        VLOG_FATAL("%s", nwf_error_text(&err));
    }
    if (!lock) {
        VLOG_FATAL("%s: %s", ovs_rundir(), ovs_strerror(ENOENT));
    }
    return lock;
}

static void
start(struct nwf_server *server, const struct nwf_daemon_options *options)
{
    const struct nwf_live_options live = {
        .remote = options->db,
        .filter_dir = options->filter_dir,
        .timeout_ms = options->timeout_ms,
        .versions = options->versions,
    };

    server->patience_ms = options->timeout_ms * NWF_PATIENCE;
    server->live = nwf_live_new(&live);
    server->files = nwf_files_new(server->live, options->filter_dir);
    nwf_commands_register(server);
    (void) nwf_notify("STATUS=Starting: not everything is enforced yet");
}

static void
stop(struct nwf_server *server)
{
    VLOG_INFO("stopping: what is in force stays in force");
    (void) nwf_notify("STOPPING=1");
    nwf_requests_finish(&server->requests, "ovs-nwfilterd is stopping");
    nwf_files_free(server->files);
    nwf_live_free(server->live);
}

/* With --detach the parent returns when we are the one daemon of the host and can be asked:
 * "settle" then tells when everything is enforced, which takes as long as the switch does. */
int
main(int argc, char **argv)
{
    struct nwf_daemon_options options;
    struct nwf_server server = {.exiting = false};
    struct unixctl_server *unixctl;

    ovs_set_program_name("ovs-nwfilterd", NWF_VERSION);
    ovs_cmdl_proctitle_init(argc, argv);
    nwf_daemon_options_parse(&options, argc, argv);
    fatal_ignore_sigpipe();

    daemonize_start(false);
    struct nwf_lock *lock = take_lock(options.timeout_ms * NWF_PATIENCE);
    if (unixctl_server_create(options.unixctl, &unixctl)) {
        exit(EXIT_FAILURE);
    }
    nwf_signals_init();
    start(&server, &options);
    daemonize_complete();
    serve(&server, unixctl);

    stop(&server);
    unixctl_server_destroy(unixctl);
    nwf_lock_release(lock);
    nwf_daemon_options_finish(&options);
    return EXIT_SUCCESS;
}
