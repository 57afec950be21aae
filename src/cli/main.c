/* SPDX-License-Identifier: Apache-2.0
 *
 * ovs-nwfilter: the tables of verbs, the options of all of them, and what stands around
 * every verb.  Help and usage come from the tables. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "handover.h"
#include "nwf-config.h"
#include "nwf/policy_files.h"
#include "nwf/conn.h"
#include "nwf/text.h"
#include "ofctl/ofctl.h"
#include "options.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vlog.h"

#include "lib/dirs.h"
#include "lib/fatal-signal.h"
#include "lib/stream-ssl.h"
#include "lib/util.h"

#define TIMEOUT_DEFAULT_MS 10000

static const struct nwf_verb *const tables[] = {
    nwf_manage_verbs,
    nwf_bind_verbs,
    nwf_bindings_verbs,
    nwf_sync_verbs,
    nwf_diff_verbs,
    nwf_compile_verbs,
    nwf_filter_verbs,
    nwf_explain_verbs,
    nwf_guard_verbs,
    nwf_hook_verbs,
    nwf_routed_verbs,
    nwf_complete_verbs,
    NULL,
};

static const struct nwf_common_option common[] = {
    {'d', false, "db", "SERVER", "the database, e.g. tcp:HOST:PORT (unix:RUNDIR/db.sock)"},
    {'F', false, "filter-dir", "DIR", "look for filters there first"},
    {'m', false, "format", "text|json", "how results are printed (text)"},
    {'w', false, "timeout", "SECONDS", "longest wait for the database or a switch (10)"},
    {'O', true, "protocols", "VERSIONS", "OpenFlow versions to use (OpenFlow13 to OpenFlow15)"},
    {'v', true, "verbose", "[SPEC]", "log to stderr, as in the OVS tools, e.g. -v or -vvconn:dbg"},
    {'p', true, "private-key", "FILE", "our private key, for --db=ssl:..."},
    {'c', true, "certificate", "FILE", "the certificate of our private key"},
    {'C', true, "ca-cert", "FILE", "who certifies the database; \"none\" takes any"},
    {'B', false, "bootstrap-ca-cert", "FILE", "as --ca-cert; if it is not there, take and keep it"},
    {'P', false, "ssl-protocols", "PROTOCOLS", "versions of SSL and TLS, e.g. TLSv1.2"},
    {'S', false, "ssl-ciphers", "CIPHERS", "in the syntax of openssl-ciphers(1)"},
    {'h', true, "help", NULL, "this help"},
    {'V', true, "version", NULL, "the version"},
};

/* ---- Help. ---- */

static void
print_option(char letter, const char *name, const char *argument, const char *help)
{
    char *text CLEANUP_FREE =
        argument && *argument == '['
            ? nwf_asprintf("--%s[=%s", name, argument + 1)
            : nwf_asprintf("--%s%s%s", name, argument ? "=" : "", argument ? argument : "");

    if (letter) {
        printf("  -%c, %-28s %s\n", letter, text, help);
    } else {
        printf("  %-32s %s\n", text, help);
    }
}

static void
print_help(void)
{
    printf("ovs-nwfilter: libvirt network filters for Open vSwitch\n"
           "usage: ovs-nwfilter [OPTIONS] COMMAND [ARG...]\n\ncommands:\n");
    for (const struct nwf_verb *const *table = tables; *table; table++) {
        for (const struct nwf_verb *verb = *table; verb->name; verb++) {
            printf("  %s %s\n        %s\n", verb->name, verb->operands, verb->help);
        }
    }
    printf("\ncommands on switches and flow tables, as in ovs-ofctl(8); \"ovs-nwfilter help\" has "
           "more:\n");
    ofctl_print_command_names();
    printf("\noptions:\n");
    for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
        const struct nwf_common_option *o = &common[i];
        print_option(o->is_short ? o->letter : 0, o->name, o->argument, o->help);
    }
    printf("\n\"ovs-nwfilter COMMAND --help\" shows a command's own options.  "
           "Exit codes: 0 done, 1 error, 2 different, 3 not in time (--wait).\n");
}

static void
print_options(const struct nwf_option *options)
{
    for (const struct nwf_option *o = options; o && o->name; o++) {
        print_option(0, o->name, o->argument, o->help);
    }
}

static void
print_verb_help(const struct nwf_verb *verb)
{
    printf("usage: ovs-nwfilter [OPTIONS] %s%s%s\n  %s\n", verb->name, *verb->operands ? " " : "",
           verb->operands, verb->help);
    print_options(verb->options);
    print_options(verb->more);
}

/* ---- Options. ---- */

static int
parse_versions(const char *text, uint32_t *ret, struct nwf_error *err)
{
    uint32_t versions = ofputil_versions_from_string(text) & NWF_OPENFLOW_VERSIONS;

    if (!versions) {
        return nwf_error_set(err, -EINVAL, "-O %s: none of OpenFlow13, OpenFlow14, OpenFlow15",
                             text);
    }
    *ret = versions;
    return 0;
}

/* The library reads the files, and says only in its log what it does not like. */
static int
apply_ssl(struct nwf_cli *cli, int letter, const char *argument, struct nwf_error *err)
{
    bool is_file = letter == 'p' || letter == 'c' || (letter == 'C' && strcmp(argument, "none"));

    if (is_file && access(argument, R_OK)) {
        return nwf_error_set(err, -errno, "%s: %s", argument, strerror(errno));
    }
    switch (letter) {
    case 'p':
        stream_ssl_set_private_key_file(argument);
        cli->has_key = true;
        break;
    case 'c':
        stream_ssl_set_certificate_file(argument);
        cli->has_certificate = true;
        break;
    case 'C':
    case 'B':
        stream_ssl_set_ca_cert_file(argument, letter == 'B');
        cli->has_ca = true;
        break;
    case 'P':
        stream_ssl_set_protocols(argument);
        break;
    case 'S':
        stream_ssl_set_ciphers(argument);
        break;
    }
    return 0;
}

/* What the library would only say in its log, and try again. */
static int
check_ssl(const struct nwf_cli *cli, struct nwf_error *err)
{
    return strncmp(cli->db, "ssl:", 4) || (cli->has_key && cli->has_certificate && cli->has_ca)
               ? 0
               : nwf_error_set(err, -EINVAL,
                               "--db=%s: SSL needs --private-key, --certificate and --ca-cert",
                               cli->db);
}

static int
apply_common(struct nwf_cli *cli, int letter, const char *argument, struct nwf_error *err)
{
    int64_t n;

    switch (letter) {
    case 'd':
        free(cli->db);
        cli->db = nwf_strdup(argument);
        return 0;
    case 'F':
        cli->filter_dir = argument;
        return 0;
    case 'm':
        cli->json = !strcmp(argument, "json");
        return cli->json || !strcmp(argument, "text")
                   ? 0
                   : nwf_error_set(err, -EINVAL, "--format is text or json, not \"%.80s\"",
                                   argument);
    case 'w':
        if (!nwf_parse_int(argument, 1, 86400, &n)) {
            return nwf_error_set(err, -EINVAL, "--timeout: \"%.80s\" is not a number of seconds",
                                 argument);
        }
        cli->timeout_ms = (unsigned int) n * 1000;
        return 0;
    case 'O':
        return parse_versions(argument, &cli->versions, err);
    case 'v':
        vlog_set_verbosity(argument);
        return 0;
    case 'h':
        cli->help = true;
        return 0;
    case 'V':
        cli->version = true;
        return 0;
    }
    return apply_ssl(cli, letter, argument, err);
}

/* ---- Running. ---- */

/* Others need not wait until our output is read. */
static void
unlock(struct nwf_cli *cli)
{
    if (cli->lock) {
        nwf_lock_release(TAKE_PTR(cli->lock));
    }
}

/* One that is broken keeps no other from being in force. */
static void
load_policies(struct nwf_cli *cli, bool is_handed_over)
{
    nwf_policies_load(&cli->policies);
    if (cli->policies.broken.text && !is_handed_over) { /* Else the daemon says it. */
        nwf_cli_complain(&cli->policies.broken);
    }
}

/* How often a verb is run again because a daemon has come or gone meanwhile. */
#define TRIES_MAX 4

static int
try_verb(struct nwf_cli *cli, const struct nwf_verb *verb, bool changes, struct nwf_error *err)
{
    int r;

    cli->has_daemon = nwf_cli_find_daemon();
    if (changes && (r = nwf_cli_lock(cli, err))) {
        return r;
    }
    nwf_cli_start_alarm(cli, 1);
    r = verb->run(cli, err);
    nwf_cli_stop_alarm();
    unlock(cli);
    return r;
}

/* Whether somebody else is at work now than was when the verb began. */
static bool
is_overtaken(const struct nwf_cli *cli, int r)
{
    return r == NWF_NO_DAEMON || (r == -EAGAIN && !cli->has_daemon && nwf_cli_find_daemon());
}

static int
run_verb(struct nwf_cli *cli, const struct nwf_verb *verb, struct nwf_error *err)
{
    bool changes = verb->exclusive && !(verb->dry_run && *verb->dry_run);
    int r;

    if (cli->argc < verb->min_args || cli->argc > verb->max_args) {
        return nwf_error_set(err, -EINVAL, "usage: ovs-nwfilter %s%s%s", verb->name,
                             *verb->operands ? " " : "", verb->operands);
    }
    if ((r = check_ssl(cli, err))) {
        return r;
    }
    nwf_filter_path_init(&cli->path, cli->filter_dir);
    cli->store = nwf_store_new(nwf_filter_path_read, &cli->path);
    if (verb->needs_policies) {
        load_policies(cli, changes && nwf_cli_find_daemon());
    }
    cli->sources = (struct nwf_sources){cli->store, &cli->policies};
    for (int tries = 1;
         is_overtaken(cli, r = try_verb(cli, verb, changes, err)) && tries < TRIES_MAX; tries++) {
        nwf_error_clear(err);
    }
    return r;
}

static int
run(struct nwf_cli *cli, int argc, char **argv, struct nwf_error *err)
{
    static const struct nwf_command_line line = {
        .tables = tables,
        .common = common,
        .n_common = ARRAY_SIZE(common),
        .apply = apply_common,
    };
    const struct nwf_verb *verb;
    int r = nwf_parse_command_line(&line, cli, argc, argv, &verb, err);

    if (r) {
        return r;
    }
    if (cli->version) {
        printf("ovs-nwfilter %s\n", NWF_VERSION);
    } else if (verb && cli->help) {
        print_verb_help(verb);
    } else if (cli->help) {
        print_help();
    } else if (!verb) {
        return nwf_error_set(err, -EINVAL, "no command; see --help");
    } else {
        return run_verb(cli, verb, err);
    }
    return 0;
}

static void
cli_finish(struct nwf_cli *cli)
{
    if (cli->store) {
        nwf_store_free(cli->store);
    }
    nwf_filter_path_finish(&cli->path);
    nwf_policies_finish(&cli->policies);
    free(cli->db);
}

/* Keeps files and sockets that are opened later from becoming standard output or error,
 * and getting what is meant for those.  Writing to a closed one stays an error. */
static void
occupy_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
                _exit(NWF_EXIT_ERROR);
            }
        }
    }
}

/* Freed memory is not given back before the end: a page that is, and comes again, costs
 * as much as compiling a rule. */
static void
keep_heap(void)
{
    (void) mallopt(M_TOP_PAD, 1 << 20);
    (void) mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

static bool
is_own_verb(const char *word)
{
    size_t n = strlen(word);

    for (const struct nwf_verb *const *table = tables; *table; table++) {
        for (const struct nwf_verb *verb = *table; verb->name; verb++) {
            if (!strncmp(verb->name, word, n) && (!verb->name[n] || verb->name[n] == ' ')) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the line is ovs-ofctl's: by the name that the program is called by, or by the
 * command.  A name that both have is ours. */
static bool
is_ofctl(int argc, char **argv)
{
    const char *command;

    return !strcmp(program_name, "ovs-ofctl")
           || ((command = ofctl_find_command(argc, argv)) && !is_own_verb(command));
}

static int
run_ofctl(int argc, char **argv)
{
    int r = ofctl_main(argc, argv);

    if (fflush(stdout) || ferror(stdout)) { /* The library's words, which looks at it too early. */
        ovs_fatal(0, "write to stdout failed");
    }
    return r;
}

int
main(int argc, char **argv)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_cli cli = {
        .timeout_ms = TIMEOUT_DEFAULT_MS,
        .versions = NWF_OPENFLOW_VERSIONS,
        .tables = tables,
        .common = common,
        .n_common = ARRAY_SIZE(common),
    };

    occupy_standard_descriptors();
    set_program_name(argv[0]);
    if (is_ofctl(argc, argv)) {
        return run_ofctl(argc, argv);
    }
    keep_heap();
    /* Errors are ours to report, in one line; the library's log is for -v. */
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    fatal_ignore_sigpipe();
    cli.db = nwf_asprintf("unix:%s/db.sock", ovs_rundir());

    int r = run(&cli, argc, argv, &err);
    if (r < 0) {
        nwf_cli_complain(&err);
        r = NWF_EXIT_ERROR;
    }
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "ovs-nwfilter: standard output: %s\n", strerror(errno));
        r = NWF_EXIT_ERROR;
    }
    nwf_error_clear(&err);
    cli_finish(&cli);
    return cli.never_fails ? NWF_EXIT_OK : r;
}
