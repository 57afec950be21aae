/* SPDX-License-Identifier: Apache-2.0
 *
 * The time that a run may take.  The library's own alarm is only looked at where it waits,
 * which a run that computes does not; this one is a signal. */
#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli.h"

#include "lib/util.h"

/* A run's time limit in units of --timeout, each of which is for one answer. */
#define PATIENCE 6

/* Prepared for the signal handler, which must not format text. */
static char complaint[128];
static size_t complaint_size;
static int exit_code;

/* Nothing is half done: a switch takes a bundle as a whole, the database a transaction. */
static void
give_up(int signal)
{
    (void) signal;
    if (write(STDERR_FILENO, complaint, complaint_size) < 0) {
        /* There is nobody left to tell. */
    }
    _exit(exit_code);
}

static void
set_timer(unsigned int seconds)
{
    struct itimerval timer = {.it_value.tv_sec = seconds};

    (void) setitimer(ITIMER_REAL, &timer, NULL);
}

unsigned int
nwf_cli_patience_ms(const struct nwf_cli *cli)
{
    return cli->timeout_ms * PATIENCE;
}

void
nwf_cli_start_alarm(const struct nwf_cli *cli, unsigned int times)
{
    unsigned int seconds = nwf_cli_patience_ms(cli) / 1000 * times;
    struct sigaction action = {.sa_handler = give_up};
    sigset_t signals;

    nwf_cli_stop_alarm();
    exit_code = cli->never_fails ? NWF_EXIT_OK : NWF_EXIT_ERROR;
    complaint_size = (size_t) snprintf(complaint, sizeof complaint,
                                       "ovs-nwfilter: not done after %u seconds\n", seconds);
    (void) sigaction(SIGALRM, &action, NULL);
    sigemptyset(&signals);
    sigaddset(&signals, SIGALRM);
    (void) sigprocmask(SIG_UNBLOCK, &signals, NULL);
    set_timer(seconds);
}

void
nwf_cli_stop_alarm(void)
{
    set_timer(0);
}
