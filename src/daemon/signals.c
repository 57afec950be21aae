/* SPDX-License-Identifier: Apache-2.0
 *
 * Signals by signalfd(2); see signals.h. */
#include <config.h>

#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"

#include "lib/util.h"

VLOG_DEFINE_THIS_MODULE(nwf_signals);

static int signal_fd = -1;

void
nwf_signals_init(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd < 0 || sigprocmask(SIG_BLOCK, &signals, NULL) < 0) {
        VLOG_FATAL("signals: %s", ovs_strerror(errno));
    }
}

void
nwf_signals_run(bool *ret_terminate, bool *ret_hang_up)
{
    struct signalfd_siginfo info;

    *ret_terminate = *ret_hang_up = false;
    while (read(signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            *ret_hang_up = true;
        } else {
            *ret_terminate = true;
        }
    }
}

void
nwf_signals_wait(void)
{
    poll_fd_wait(signal_fd, POLLIN);
}
