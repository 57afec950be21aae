/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands of ovs-vswitchd, whose part the library's own server plays in this process. */
#include <config.h>

#include "support.h"

#include "fake_switch.h"

#include <errno.h>
#include <unistd.h>

#include "nwf/text.h"
#include "nwf/vswitchd.h"
#include "nwf/unixctl_call.h"
#include "openvswitch/poll-loop.h"

#include "lib/daemon.h"
#include "lib/dirs.h"
#include "lib/unixctl.h"

/* Enough for what does come, ms; and for what does not. */
#define LONG 10000
#define SHORT 100

/* A long answer. */
#define MANY 3000000

static struct unixctl_server *server;

static void
do_echo(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    (void) aux;
    for (int i = 1; i < argc; i++) {
        ds_put_format(&s, "[%s]", argv[i]);
    }
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
do_fail(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    (void) argc, (void) argv, (void) aux;
    unixctl_command_reply_error(conn, "no such bridge");
}

static void
do_long(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    (void) argc, (void) argv, (void) aux;
    ds_put_char_multiple(&s, '}', MANY);
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static struct unixctl_conn *unanswered;

static void
do_hang(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    (void) argc, (void) argv, (void) aux;
    unanswered = conn;
}

static int
start(void **state)
{
    int r = fake_switch_rundir(state);

    assert_int_equal(r, 0);
    set_pidfile("ovs-vswitchd.pid");
    daemonize();
    char *path CLEANUP_FREE =
        nwf_asprintf("%s/ovs-vswitchd.%ld.ctl", ovs_rundir(), (long) getpid());
    unixctl_command_register("echo", "", 0, 5, do_echo, NULL);
    unixctl_command_register("fail", "", 0, 0, do_fail, NULL);
    unixctl_command_register("long", "", 0, 0, do_long, NULL);
    unixctl_command_register("hang", "", 0, 0, do_hang, NULL);
    return unixctl_server_create(path, &server);
}

static int
stop(void **state)
{
    char *pidfile CLEANUP_FREE = nwf_asprintf("%s/ovs-vswitchd.pid", ovs_rundir());

    unixctl_server_destroy(server);
    unlink(pidfile);
    return fake_switch_rundir_remove(state);
}

static int
call(const char *command, const char *const *args, size_t n_args, unsigned int timeout_ms,
     char **ret, struct nwf_error *err)
{
    struct nwf_unixctl_call *c CLEANUP(nwf_unixctl_call_cleanup) = nwf_unixctl_call_new(
        &(struct nwf_unixctl_command){"ovs-vswitchd", command, args, n_args}, timeout_ms);
    int r;

    while ((r = nwf_unixctl_call_run(c, ret, err)) == -EAGAIN) {
        unixctl_server_run(server);
        nwf_unixctl_call_wait(c);
        unixctl_server_wait(server);
        poll_block();
    }
    return r;
}

static void
test_answers(void **state)
{
    static const char *const args[] = {"a b", "\"{}"};
    struct nwf_error err = NWF_ERROR_INIT;
    char *output = NULL, *long_output = NULL;

    (void) state;
    expect_ok(call("echo", args, N_ROWS(args), LONG, &output, &err), &err);
    assert_string_equal(output, "[a b][\"{}]\n");
    free(output);
    expect_ok(call("long", NULL, 0, LONG, &long_output, &err), &err);
    assert_int_equal(strlen(long_output), MANY + 1);
    free(long_output);
}

static void
test_errors(void **state)
{
    static const char *const not_utf8[] = {"\xff"};
    struct nwf_error err = NWF_ERROR_INIT;
    char *output = NULL;

    (void) state;
    int r = call("fail", NULL, 0, LONG, &output, &err);
    assert_int_equal(r, -EIO);
    expect_error(r, &err, "ovs-vswitchd: fail: no such bridge");
    assert_string_equal(output, "no such bridge\n");
    free(output);
    output = NULL;
    r = call("echo", not_utf8, 1, LONG, &output, &err);
    assert_int_equal(r, -EINVAL);
    expect_error(r, &err, "ovs-vswitchd: echo: Invalid argument");
    r = call("hang", NULL, 0, SHORT, &output, &err);
    assert_int_equal(r, -ETIMEDOUT);
    expect_error(r, &err, "ovs-vswitchd: hang: Connection timed out");
    unixctl_command_reply(unanswered, NULL);
    unixctl_server_run(server);
    assert_null(output);
}

/* Nobody serves the socket: there is only its name. */
static void
test_gone(void **state)
{
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    unixctl_server_destroy(server);
    server = NULL;
    expect_error(nwf_vswitchd_command("echo", "x", SHORT, &err), &err, ".ctl: No such file");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_gone),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
