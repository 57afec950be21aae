/* SPDX-License-Identifier: Apache-2.0
 *
 * Handing over to the daemon, which holds the host's lock: it is told to settle, and its answer is
 * shown as that of this program's own work would be. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "handover.h"
#include "nwf/text.h"
#include "nwf/unixctl_call.h"
#include "openvswitch/poll-loop.h"

#include "lib/daemon.h"
#include "lib/dirs.h"

#define DAEMON "ovs-nwfilterd"

/* What the daemon has over our own patience, so that it is the one that says what was late. */
#define MORE_MS 2000

bool
nwf_cli_find_daemon(void)
{
    char *pidfile CLEANUP_FREE = nwf_asprintf("%s/" DAEMON ".pid", ovs_rundir());

    return read_pidfile(pidfile) > 0;
}

/* "br0: 5 flows: 1 added, 0 changed, 2 removed; 3 guests, 0 quarantined, 1 trusted", or of a port
 * "br0: vnet0: 5 flows: 1 added, 0 changed, 2 removed". */
static void
print_json(const char *line)
{
    static const char *const keys[] = {"flows",  "added",       "changed", "removed",
                                       "guests", "quarantined", "trusted"};
    size_t n[7];
    const char *end = strstr(line, " flows: "), *start = end;

    while (start && start > line && strncmp(start, ": ", 2)) {
        start--;
    }
    int found = start ? sscanf(start,
                               ": %zu flows: %zu added, %zu changed, %zu removed; %zu guests, "
                               "%zu quarantined, %zu trusted",
                               &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6])
                      : 0;
    if (found < 4) {
        return;
    }
    char *name CLEANUP_FREE = nwf_strndup(line, (size_t) (start - line));
    char *port = found == 4 ? strstr(name, ": ") : NULL;
    char *quoted_port CLEANUP_FREE = port ? nwf_json_quote(port + 2) : NULL;
    if (port) {
        *port = '\0';
    }
    char *quoted CLEANUP_FREE = nwf_json_quote(name);
    printf("{\"bridge\": %s", quoted);
    if (port) {
        printf(", \"port\": %s", quoted_port);
    }
    for (int i = 0; i < found; i++) {
        printf(", \"%s\": %zu", keys[i], n[i]);
    }
    printf("}\n");
}

/* Lines that begin with "!" are errors, those with "!!" of a whole bridge, those with "?"
 * warnings. */
static int
show(const struct nwf_cli *cli, char *answer, struct nwf_error *err)
{
    int worst = NWF_EXIT_OK;
    char *rest = NULL;

    for (char *line = strtok_r(answer, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (!strncmp(line, "!!", 2)) {
            nwf_error_clear(err);
            worst = nwf_error_set(err, -EIO, "%s", line + 2);
        } else if (*line == '!' || *line == '?') {
            fprintf(stderr, "ovs-nwfilter: %s\n", line + 1);
            worst = *line == '!' && !worst ? NWF_EXIT_ERROR : worst;
        } else if (cli->json) {
            print_json(line);
        } else {
            puts(line);
        }
    }
    return worst;
}

static int
ask(const char *const *args, size_t n_args, unsigned int timeout_ms, char **ret_answer,
    struct nwf_error *err)
{
    const struct nwf_unixctl_command command = {DAEMON, "settle", args, n_args};
    struct nwf_unixctl_call *call CLEANUP(nwf_unixctl_call_cleanup) =
        nwf_unixctl_call_new(&command, timeout_ms);
    int r;

    while ((r = nwf_unixctl_call_run(call, ret_answer, err)) == -EAGAIN) {
        nwf_unixctl_call_wait(call);
        poll_block();
    }
    return r;
}

/* Whether the daemon has ended meanwhile. */
static bool
is_lost(int r, const char *answer)
{
    return r == -ECONNRESET || r == -EPIPE || r == -ECONNREFUSED || r == -ENOENT || r == -ESRCH
           || r == -EPROTO || (r == -EIO && answer && strstr(answer, DAEMON " is stopping"));
}

int
nwf_cli_ask_to_settle(const char *bridge, const char *port, unsigned int patience_s,
                      char **ret_answer, struct nwf_error *err)
{
    char *answer CLEANUP_FREE = NULL;
    char *timeout CLEANUP_FREE = nwf_asprintf("--timeout=%u", patience_s);
    char *scope CLEANUP_FREE = bridge ? nwf_asprintf("--bridge=%s", bridge)
                               : port ? nwf_asprintf("--port=%s", port)
                                      : NULL;
    const char *const args[] = {timeout, scope};

    nwf_cli_stop_alarm(); /* The call ends in time by itself. */
    int r = ask(args, scope ? 2 : 1, patience_s * 1000 + MORE_MS, &answer, err);
    if (r == -EIO && answer && (*answer == '!' || strstr(answer, "\n!"))) {
        nwf_error_clear(err);
        r = 0;
    }
    if (r == -ETIMEDOUT || (r == -EIO && answer && !strncmp(answer, NWF_LATE, strlen(NWF_LATE)))) {
        const char *what = port ? port : bridge ? bridge : DAEMON;
        return nwf_error_set(err, -ETIMEDOUT, "%s: not enforced in time", what);
    }
    if (is_lost(r, answer)) {
        return nwf_error_set(err, NWF_NO_DAEMON, DAEMON " has gone");
    }
    *ret_answer = TAKE_PTR(answer);
    return r;
}

int
nwf_cli_hand_over(const struct nwf_cli *cli, const char *bridge, const char *port,
                  unsigned int patience_s, struct nwf_error *err)
{
    char *answer CLEANUP_FREE = NULL;
    int r = nwf_cli_ask_to_settle(bridge, port, patience_s, &answer, err);

    if (r == -ETIMEDOUT) {
        nwf_cli_complain(err);
        nwf_error_clear(err);
        return NWF_EXIT_LATE;
    }
    if (r) {
        return r;
    }
    return show(cli, answer, err);
}

int
nwf_cli_await_daemon(const struct nwf_cli *cli, const char *bridge, struct nwf_error *err)
{
    char *answer CLEANUP_FREE = NULL;
    char *scope CLEANUP_FREE = nwf_asprintf("--bridge=%s", bridge);
    const char *const args[] = {scope};
    int r = ask(args, 1, cli->timeout_ms, &answer, err);

    if (r && r != -ETIMEDOUT) { /* It says that the bridge is none of its own, or has ended. */
        nwf_error_clear(err);
        return 0;
    }
    if (r) {
        nwf_error_wrap(err, "%s: its tags are gone, its flows are not; run this again", bridge);
    }
    return r;
}

unsigned int
nwf_cli_patience_s(const struct nwf_cli *cli)
{
    return nwf_cli_patience_ms(cli) / 1000 + 1;
}
