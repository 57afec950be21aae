/* SPDX-License-Identifier: Apache-2.0
 *
 * ovs-nwfilter: the table of verbs, the table of options, and what stands around
 * every verb.  Help and usage come from the two tables. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "nwf-config.h"
#include "nwf/switch.h"
#include "nwf/text.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vlog.h"

#include "lib/dirs.h"
#include "lib/fatal-signal.h"
#include "lib/timeval.h"
#include "lib/util.h"

#define TIMEOUT_DEFAULT_MS 10000

struct verb {
    const char *name;
    const char *operands;
    const char *help;
    int min_args, max_args;
    const char *options; /* Of the verb's own: their letters. */
    bool exclusive;      /* Changes switches by what it reads from them. */
    nwf_verb_fn *run;
};

static const struct verb verbs[] = {
    {"manage", "BRIDGE", "claim a bridge: fail_mode=secure first, then the tag, then its flows", 1,
     1, "aTgRD", true, nwf_verb_manage},
    {"unmanage", "BRIDGE", "give it back: our flows gone, NORMAL restored", 1, 1, "", true,
     nwf_verb_unmanage},
    {"bind", "IFACE FILTER [NAME=VALUE[,VALUE]...]", "write a port's tags", 0, INT_MAX, "xs", false,
     nwf_verb_bind},
    {"unbind", "IFACE", "remove a port's tags", 1, 1, "", false, nwf_verb_unbind},
    {"bindings", "", "list ports with their filter, variables and status", 0, 0, "", false,
     nwf_verb_bindings},
    {"sync", "[BRIDGE...]", "compute, diff, apply in one atomic bundle", 0, INT_MAX, "nAp", true,
     nwf_verb_sync},
    {"diff", "[BRIDGE...]", "show what sync would change; exit 2 if anything", 0, INT_MAX, "",
     false, nwf_verb_diff},
    {"compile", "FILE...", "bindings (XML or JSON) to flows in ovs-ofctl's syntax, offline", 1,
     INT_MAX, "oTtkaf", false, nwf_verb_compile},
    {"filter", "list | show NAME | check NAME|FILE... | define FILE | undefine NAME",
     "the filters in reach", 1, INT_MAX, "", false, nwf_verb_filter},
    {"explain", "IFACE in|out PACKET", "which rules a packet meets, and what comes of it", 3, 3,
     "lbc", false, nwf_verb_explain},
};

struct option_row {
    char letter;
    const char *name;
    const char *argument; /* NULL for none. */
    bool common;
    const char *help;
};

static const struct option_row option_rows[] = {
    {'d', "db", "SERVER", true, "the database, e.g. tcp:HOST:PORT (unix:RUNDIR/db.sock)"},
    {'F', "filter-dir", "DIR", true, "look for filters there first"},
    {'m', "format", "text|json", true, "how results are printed (text)"},
    {'w', "timeout", "SECONDS", true, "longest wait for the database or a switch (10)"},
    {'O', "protocols", "VERSIONS", true, "OpenFlow versions to use (OpenFlow13 to OpenFlow15)"},
    {'v', "verbose", "SPEC", true, "log to stderr, as in the OVS tools, e.g. -v or -vvconn:dbg"},
    {'h', "help", NULL, true, "this help"},
    {'V', "version", NULL, true, "the version"},
    {'a', "audit", NULL, false, "count what would be dropped, and pass it"},
    {'T', "trusted", "PORT[,PORT...]", false, "ports that are never guests"},
    {'g', "guests", "PATTERN[,PATTERN...]", false,
     "names of guests' interfaces, as shell patterns (those of libvirt, Proxmox VE and Xen)"},
    {'R', "default", "quarantine|trusted", false, "what a port is that is nothing else (trusted)"},
    {'D', "default-filter", "FILTER", false, "the filter of guests that have none of their own"},
    {'x', "xml", "FILE", false, "a <filterbinding> document (- is standard input)"},
    {'s', "sync", NULL, false, "put them in force too, as sync --port=IFACE does"},
    {'n', "dry-run", NULL, false, "only say what would be done"},
    {'A', "full", NULL, false, "compare every flow, not only those of changed ports"},
    {'p', "port", "IFACE[,IFACE...]", false, "only these ports; takes the place of BRIDGE"},
    {'o', "ofport", "IFACE=N", false, "a port's OpenFlow number"},
    {'t', "tag", "IFACE=VLAN", false, "an access port's VLAN"},
    {'k', "trunks", "IFACE=VLAN[,VLAN...]", false, "the VLANs of a trunk that does not carry all"},
    {'l', "live", NULL, false, "ask the switch too (ofproto/trace); exit 2 if it disagrees"},
    {'b', "bindings", "FILE", false, "take the binding from there (XML or JSON), not from OVSDB"},
    {'c', "ct", "STATE[,STATE]", false, "what conntrack says of the packet, e.g. est,rpl (new)"},
    {'f', "forward-bpdu", NULL, false, "the bridge has other_config:forward-bpdu=true"},
};

#define N_OPTIONS ARRAY_SIZE(option_rows)

/* ---- Help. ---- */

static void
print_option(const struct option_row *o)
{
    char *text CLEANUP_FREE =
        nwf_asprintf("--%s%s%s", o->name, o->argument ? "=" : "", o->argument ? o->argument : "");

    printf("  %-32s %s\n", text, o->help);
}

static void
print_help(void)
{
    printf("ovs-nwfilter: libvirt network filters for Open vSwitch\n"
           "usage: ovs-nwfilter [OPTIONS] COMMAND [ARG...]\n\ncommands:\n");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        printf("  %s %s\n        %s\n", verbs[i].name, verbs[i].operands, verbs[i].help);
    }
    printf("\noptions:\n");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (option_rows[i].common) {
            print_option(&option_rows[i]);
        }
    }
    printf("\n\"ovs-nwfilter COMMAND --help\" shows a command's own options.  "
           "Exit codes: 0 done, 1 error, 2 different.\n");
}

static void
print_verb_help(const struct verb *verb)
{
    printf("usage: ovs-nwfilter [OPTIONS] %s%s%s\n  %s\n", verb->name, *verb->operands ? " " : "",
           verb->operands, verb->help);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (!option_rows[i].common && strchr(verb->options, option_rows[i].letter)) {
            print_option(&option_rows[i]);
        }
    }
}

/* ---- Options. ---- */

static int
add_word(const char *word, void *words)
{
    nwf_vec_push((struct nwf_words *) words, nwf_strdup(word));
    return 0;
}

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

static int
apply_common_option(struct nwf_cli *cli, int letter, const char *argument, struct nwf_error *err)
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
    default:
        return 1;
    }
}

static void
apply_verb_option(struct nwf_cli *cli, int letter, const char *argument)
{
    switch (letter) {
    case 'a':
        cli->audit = true;
        break;
    case 'n':
        cli->dry_run = true;
        break;
    case 'A':
        cli->full = true;
        break;
    case 'f':
        cli->forward_bpdu = true;
        break;
    case 's':
        cli->sync = true;
        break;
    case 'g':
        cli->guests = argument;
        break;
    case 'R':
        cli->rest = argument;
        break;
    case 'D':
        cli->default_filter = argument;
        break;
    case 'x':
        cli->xml = argument;
        break;
    case 'l':
        cli->live = true;
        break;
    case 'b':
        cli->bindings = argument;
        break;
    case 'c':
        cli->ct = argument;
        break;
    case 'T':
        nwf_text_split(argument, ",", add_word, &cli->trusted);
        break;
    case 'p':
        cli->only_ports = true; /* Even if it is "". */
        nwf_text_split(argument, ",", add_word, &cli->ports);
        break;
    case 'o':
        nwf_vec_push(&cli->ofports, nwf_strdup(argument));
        break;
    case 't':
        nwf_vec_push(&cli->tags, nwf_strdup(argument));
        break;
    case 'k':
        nwf_vec_push(&cli->trunks, nwf_strdup(argument));
        break;
    }
}

/* What getopt_long() returns for a row's name is this and the row's number, so that
 * letters which only stand for rows are no options of the command line. */
#define LONG_OPTION 0x100

static void
make_long_options(struct option longs[N_OPTIONS + 1])
{
    memset(longs, 0, (N_OPTIONS + 1) * sizeof *longs);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option_row *o = &option_rows[i];
        longs[i].name = o->name;
        longs[i].has_arg = !o->argument       ? no_argument
                           : o->letter == 'v' ? optional_argument
                                              : required_argument;
        longs[i].val = LONG_OPTION + (int) i;
    }
}

static const char *
option_name(int letter)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (option_rows[i].letter == letter) {
            return option_rows[i].name;
        }
    }
    return "?";
}

/* Says what getopt_long() did not like; 'word' is the last one that it is done with. */
static int
refuse_option(int result, const char *word, struct nwf_error *err)
{
    if (result == ':') {
        return nwf_error_set(err, -EINVAL, "%s: an argument is missing; see --help", word);
    }
    if (optopt >= LONG_OPTION) {
        return nwf_error_set(err, -EINVAL, "%s: this option takes no argument; see --help", word);
    }
    if (optopt) { /* It may be one of several letters in a word, and not the last. */
        return nwf_error_set(err, -EINVAL, "-%c: no such option; see --help", optopt);
    }
    return nwf_error_set(err, -EINVAL, "%s: no such option, or one of several; see --help", word);
}

struct parsed {
    bool help, version;
    char given[N_OPTIONS + 1]; /* Letters of verbs' own options. */
};

static int
parse_options(struct nwf_cli *cli, int argc, char **argv, struct parsed *parsed,
              struct nwf_error *err)
{
    struct option longs[N_OPTIONS + 1];
    int letter;

    make_long_options(longs);
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":O:v::hV", longs, NULL)) != -1) {
        if (letter == '?' || letter == ':') {
            return refuse_option(letter, argv[optind - 1], err);
        }
        if (letter >= LONG_OPTION) {
            letter = option_rows[letter - LONG_OPTION].letter;
        }
        if (letter == 'h') {
            parsed->help = true;
        } else if (letter == 'V') {
            parsed->version = true;
        } else {
            int r = apply_common_option(cli, letter, optarg, err);
            if (r < 0) {
                return r;
            }
            if (r > 0) {
                apply_verb_option(cli, letter, optarg);
                if (!strchr(parsed->given, letter)) {
                    parsed->given[strlen(parsed->given)] = (char) letter;
                }
            }
        }
    }
    cli->argc = argc - optind;
    cli->argv = argv + optind;
    return 0;
}

static const struct verb *
find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (!strcmp(verbs[i].name, name)) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int
check_usage(const struct nwf_cli *cli, const struct verb *verb, const struct parsed *parsed,
            struct nwf_error *err)
{
    for (const char *letter = parsed->given; *letter; letter++) {
        if (!strchr(verb->options, *letter)) {
            return nwf_error_set(err, -EINVAL, "%s does not take --%s; see %s --help", verb->name,
                                 option_name(*letter), verb->name);
        }
    }
    if (cli->argc < verb->min_args || cli->argc > verb->max_args) {
        return nwf_error_set(err, -EINVAL, "usage: ovs-nwfilter %s%s%s", verb->name,
                             *verb->operands ? " " : "", verb->operands);
    }
    return 0;
}

/* ---- Running. ---- */

/* More than a run's steps take together, in timeouts. */
#define PATIENCE 6

void
nwf_cli_start_alarm(const struct nwf_cli *cli)
{
    time_alarm(cli->timeout_ms / 1000 * PATIENCE);
}

int
nwf_cli_lock(struct nwf_cli *cli, struct nwf_error *err)
{
    time_alarm(cli->timeout_ms / 1000 * PATIENCE * 2);
    int r = nwf_lock_take(cli->timeout_ms * PATIENCE, &cli->lock, err);
    nwf_cli_start_alarm(cli);
    return r;
}

/* Others need not wait until our output is read. */
static void
unlock(struct nwf_cli *cli)
{
    if (cli->lock) {
        nwf_lock_release(TAKE_PTR(cli->lock));
    }
}

static int
run(struct nwf_cli *cli, int argc, char **argv, struct nwf_error *err)
{
    struct parsed parsed = {.help = false};
    int r = parse_options(cli, argc, argv, &parsed, err);

    if (r) {
        return r;
    }
    const struct verb *verb = cli->argc ? find_verb(cli->argv[0]) : NULL;
    if (parsed.version) {
        printf("ovs-nwfilter %s\n", NWF_VERSION);
        return 0;
    }
    if (parsed.help && (verb || !cli->argc)) {
        if (verb) {
            print_verb_help(verb);
        } else {
            print_help();
        }
        return 0;
    }
    if (!verb) {
        return cli->argc ? nwf_error_set(err, -EINVAL, "unknown command \"%.80s\"; see --help",
                                         cli->argv[0])
                         : nwf_error_set(err, -EINVAL, "no command; see --help");
    }
    cli->argc--;
    cli->argv++;
    if ((r = check_usage(cli, verb, &parsed, err))) {
        return r;
    }
    if (verb->exclusive && !cli->dry_run && (r = nwf_cli_lock(cli, err))) {
        return r;
    }
    nwf_filter_path_init(&cli->path, cli->filter_dir);
    cli->store = nwf_store_new(nwf_filter_path_read, &cli->path);
    nwf_cli_start_alarm(cli);
    r = verb->run(cli, err);
    unlock(cli);
    return r;
}

static void
words_clear(struct nwf_words *words)
{
    nwf_vec_foreach (word, words) {
        free((char *) *word);
    }
    nwf_vec_clear(words);
}

static void
cli_finish(struct nwf_cli *cli)
{
    if (cli->store) {
        nwf_store_free(cli->store);
    }
    nwf_filter_path_finish(&cli->path);
    words_clear(&cli->trusted);
    words_clear(&cli->ports);
    words_clear(&cli->ofports);
    words_clear(&cli->tags);
    words_clear(&cli->trunks);
    free(cli->db);
}

void
nwf_cli_complain(const struct nwf_error *err)
{
    fprintf(stderr, "ovs-nwfilter: %s\n", nwf_error_text(err));
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

int
main(int argc, char **argv)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_cli cli = {
        .timeout_ms = TIMEOUT_DEFAULT_MS,
        .versions = NWF_OPENFLOW_VERSIONS,
    };

    keep_heap();
    occupy_standard_descriptors();
    set_program_name(argv[0]);
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
    return r;
}
