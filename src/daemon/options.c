/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's command line; see options.h. */
#include <config.h>

#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "nwf/conn.h"
#include "nwf/text.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vlog.h"

#include "lib/command-line.h"
#include "lib/daemon.h"
#include "lib/dirs.h"
#include "lib/stream-ssl.h"
#include "lib/stream.h"
#include "lib/util.h"

#define TIMEOUT_DEFAULT_MS 10000

enum {
    OPT_DB = UCHAR_MAX + 1,
    OPT_FILTER_DIR,
    OPT_TIMEOUT,
    OPT_UNIXCTL,
    OPT_BOOTSTRAP_CA_CERT,
    DAEMON_OPTION_ENUMS,
    VLOG_OPTION_ENUMS,
    SSL_OPTION_ENUMS,
};

static const struct option long_options[] = {
    {"db", required_argument, NULL, OPT_DB},
    {"filter-dir", required_argument, NULL, OPT_FILTER_DIR},
    {"protocols", required_argument, NULL, 'O'},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"unixctl", required_argument, NULL, OPT_UNIXCTL},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    DAEMON_LONG_OPTIONS,
    VLOG_LONG_OPTIONS,
    STREAM_SSL_LONG_OPTIONS,
    {"bootstrap-ca-cert", required_argument, NULL, OPT_BOOTSTRAP_CA_CERT},
    {NULL, 0, NULL, 0},
};

static void
print_help(void)
{
    printf("%s: keeps libvirt network filters in force on Open vSwitch\n"
           "usage: %s [OPTIONS]\n"
           "  --db=SERVER             the database (default: unix:%s/db.sock)\n"
           "  --filter-dir=DIR        look for filters there first\n"
           "  --timeout=SECONDS       longest wait for an answer of database or switch (10)\n"
           "  -O, --protocols=VERSIONS  OpenFlow versions to use (OpenFlow13 to OpenFlow15)\n",
           program_name, program_name, ovs_rundir());
    stream_usage("database", true, false, true);
    daemon_usage();
    printf("The pidfile is always there; ovs-nwfilter finds the daemon by the default one.\n");
    vlog_usage();
    printf("\nOther options:\n"
           "  --unixctl=SOCKET        override default control socket name\n"
           "  -h, --help              this help\n"
           "  -V, --version           the version\n");
    exit(EXIT_SUCCESS);
}

static uint32_t
parse_versions(const char *text)
{
    uint32_t versions = ofputil_versions_from_string(text) & NWF_OPENFLOW_VERSIONS;

    if (!versions) {
        ovs_fatal(0, "-O %s: none of OpenFlow13, OpenFlow14, OpenFlow15", text);
    }
    return versions;
}

static unsigned int
parse_timeout(const char *text)
{
    int64_t seconds;

    if (!nwf_parse_int(text, 1, 86400, &seconds)) {
        ovs_fatal(0, "--timeout: \"%.80s\" is not a number of seconds", text);
    }
    return (unsigned int) seconds * 1000;
}

static void
replace(char **old, char *new)
{
    free(*old);
    *old = new;
}

/* A detached daemon has another working directory, so a path has to be whole. */
static void
apply(struct nwf_daemon_options *options, int letter)
{
    switch (letter) {
    case OPT_DB:
        replace(&options->db, nwf_strdup(optarg));
        break;
    case OPT_FILTER_DIR:
        replace(&options->filter_dir, abs_file_name(NULL, optarg));
        break;
    case OPT_TIMEOUT:
        options->timeout_ms = parse_timeout(optarg);
        break;
    case OPT_UNIXCTL:
        replace(&options->unixctl, nwf_strdup(optarg));
        break;
    case 'O':
        options->versions = parse_versions(optarg);
        break;
    case 'h':
        print_help();
        break;
    case 'V':
        ovs_print_version(OFP13_VERSION, OFP15_VERSION);
        exit(EXIT_SUCCESS);
    case OPT_BOOTSTRAP_CA_CERT:
        stream_ssl_set_ca_cert_file(optarg, true);
        break;
        DAEMON_OPTION_HANDLERS
        VLOG_OPTION_HANDLERS
        STREAM_SSL_OPTION_HANDLERS
    default: /* getopt has said what is wrong. */
        exit(EXIT_FAILURE);
    }
}

void
nwf_daemon_options_parse(struct nwf_daemon_options *options, int argc, char **argv)
{
    char *short_options = ovs_cmdl_long_options_to_short_options(long_options);
    int letter;

    *options = (struct nwf_daemon_options){
        .db = nwf_asprintf("unix:%s/db.sock", ovs_rundir()),
        .timeout_ms = TIMEOUT_DEFAULT_MS,
        .versions = NWF_OPENFLOW_VERSIONS,
    };
    set_pidfile(NULL);
    while ((letter = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        apply(options, letter);
    }
    free(short_options);
    if (optind < argc) {
        ovs_fatal(0, "\"%.80s\": only options are taken; see --help", argv[optind]);
    }
}

void
nwf_daemon_options_finish(struct nwf_daemon_options *options)
{
    free(options->db);
    free(options->filter_dir);
    free(options->unixctl);
}
