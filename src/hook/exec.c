/* SPDX-License-Identifier: Apache-2.0
 *
 * hook exec: a command that is run once ports are enforced, and not at all otherwise; for whatever
 * starts guests and can run a command. */
#include <config.h>

#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "nwf/lock.h"
#include "ports.h"

/* File descriptors that are looked at. */
#define FDS_MAX 1024

/* Notes which descriptors the caller has opened: the command inherits them. */
static void
note_open(bool is_open[FDS_MAX])
{
    for (int fd = 0; fd < FDS_MAX; fd++) {
        is_open[fd] = fcntl(fd, F_GETFD) >= 0;
    }
}

/* Closes at exec those that we have opened since. */
static void
keep_from_command(const bool is_open[FDS_MAX])
{
    for (int fd = 0; fd < FDS_MAX; fd++) {
        int flags = is_open[fd] ? -1 : fcntl(fd, F_GETFD);
        if (flags >= 0) {
            (void) fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
        }
    }
}

static int
run_command(struct nwf_cli *cli, char **argv, struct nwf_error *err)
{
    nwf_cli_stop_alarm();
    if (cli->lock) { /* The command may run for long, and may itself need the lock. */
        nwf_lock_release(TAKE_PTR(cli->lock));
    }
    signal(SIGPIPE, SIG_DFL);
    execvp(argv[0], argv);
    return nwf_error_set(err, -errno, "%.80s: %s", argv[0], strerror(errno));
}

int
nwf_hook_exec(struct nwf_cli *cli, struct nwf_error *err)
{
    int n_ports = cli->argc - cli->n_behind_dashes;
    bool is_open[FDS_MAX];

    if (n_ports < 1 || !cli->n_behind_dashes) {
        return nwf_error_set(err, -EINVAL,
                             "usage: ovs-nwfilter hook exec IFACE... -- COMMAND [ARG...]");
    }
    note_open(is_open);
    for (int i = 0; i < n_ports; i++) {
        int r = nwf_hook_enforce_port(cli, cli->argv[i], err);
        if (r) {
            return r;
        }
    }
    keep_from_command(is_open);
    return run_command(cli, cli->argv + n_ports, err);
}
