/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of ovs-ofctl(8). */
#include <config.h>

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "nwf/cleanup.h"
#include "ofctl.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vconn.h"
#include "openvswitch/vlog.h"
#include "options.h"

#include "lib/colors.h"
#include "lib/daemon.h"
#include "lib/dirs.h"
#include "lib/ofp-version-opt.h"
#include "lib/stream-ssl.h"
#include "lib/util.h"

enum {
    OPT_STRICT = UCHAR_MAX + 1,
    OPT_READD,
    OPT_TIMESTAMP,
    OPT_SORT,
    OPT_RSORT,
    OPT_NAMES,
    OPT_NO_NAMES,
    OPT_STATS,
    OPT_NO_STATS,
    OPT_UNIXCTL,
    OPT_BUNDLE,
    OPT_COLOR,
    OPT_MAY_CREATE,
    OPT_PCAP,
    OPT_RAW,
    OPT_READ_ONLY,
    OPT_FORCE,
    OPT_EXPLAIN,
    DAEMON_OPTION_ENUMS,
    VLOG_OPTION_ENUMS,
    SSL_OPTION_ENUMS,
};

const struct option ofctl_long_options[] = {
    {"timeout", required_argument, NULL, 't'},
    {"strict", no_argument, NULL, OPT_STRICT},
    {"readd", no_argument, NULL, OPT_READD},
    {"flow-format", required_argument, NULL, 'F'},
    {"packet-in-format", required_argument, NULL, 'P'},
    {"more", no_argument, NULL, 'm'},
    {"timestamp", no_argument, NULL, OPT_TIMESTAMP},
    {"sort", optional_argument, NULL, OPT_SORT},
    {"rsort", optional_argument, NULL, OPT_RSORT},
    {"names", no_argument, NULL, OPT_NAMES},
    {"no-names", no_argument, NULL, OPT_NO_NAMES},
    {"stats", no_argument, NULL, OPT_STATS},
    {"no-stats", no_argument, NULL, OPT_NO_STATS},
    {"unixctl", required_argument, NULL, OPT_UNIXCTL},
    {"help", no_argument, NULL, 'h'},
    {"option", no_argument, NULL, 'o'},
    {"bundle", no_argument, NULL, OPT_BUNDLE},
    {"color", optional_argument, NULL, OPT_COLOR},
    {"may-create", no_argument, NULL, OPT_MAY_CREATE},
    {"pcap", no_argument, NULL, OPT_PCAP},
    {"raw", no_argument, NULL, OPT_RAW},
    {"read-only", no_argument, NULL, OPT_READ_ONLY},
    {"force", no_argument, NULL, OPT_FORCE},
    {"explain", no_argument, NULL, OPT_EXPLAIN},
    DAEMON_LONG_OPTIONS,
    OFP_VERSION_LONG_OPTIONS,
    VLOG_LONG_OPTIONS,
    STREAM_SSL_LONG_OPTIONS,
    {NULL, 0, NULL, 0},
};

/* ---- Values. ---- */

static unsigned int
parse_timeout(const char *text)
{
    unsigned int seconds;

    if (!str_to_uint(text, 10, &seconds) || !seconds) {
        ovs_fatal(0, "value %s on -t or --timeout is invalid", text);
    }
    return seconds;
}

static enum ofputil_protocol
parse_flow_formats(const char *text)
{
    enum ofputil_protocol formats = ofputil_protocols_from_string(text);

    if (!formats) {
        ovs_fatal(0, "%s: invalid flow format(s)", text);
    }
    return formats;
}

static int
parse_packet_in_format(const char *text)
{
    enum ofputil_packet_in_format format = ofputil_packet_in_format_from_string(text);

    if ((int) format == -1) {
        ovs_fatal(0, "unknown packet-in format `%s'", text);
    }
    return (int) format;
}

static void
add_sort_key(struct ofctl *ofctl, const char *name, bool descending)
{
    const struct mf_field *field = NULL;

    if (name && strcasecmp(name, "priority")) {
        field = mf_from_name(name);
        if (!field) {
            ovs_fatal(0, "%s: unknown field name", name);
        }
    }
    nwf_vec_push(&ofctl->sort_keys, (struct ofctl_sort_key){field, descending});
}

static bool
is_one_of(const char *text, const char *a, const char *b, const char *c)
{
    return !strcasecmp(text, a) || !strcasecmp(text, b) || !strcasecmp(text, c);
}

static bool
parse_color(const char *when)
{
    if (!when || is_one_of(when, "auto", "tty", "if-tty")) {
        return isatty(STDOUT_FILENO);
    }
    if (is_one_of(when, "always", "yes", "force")) {
        return true;
    }
    if (!is_one_of(when, "never", "no", "none")) {
        ovs_fatal(0, "incorrect value `%s' for --color", when);
    }
    return false;
}

/* ---- Versions. ---- */

#define BUNDLE_VERSIONS ((1u << OFP13_VERSION) | (1u << OFP14_VERSION) | (1u << OFP15_VERSION))

void
ofctl_require_bundles(struct ofctl *ofctl)
{
    if (!(get_allowed_ofp_versions() & BUNDLE_VERSIONS)) {
        set_allowed_ofp_versions("OpenFlow14");
        ofctl->allowed |= OFPUTIL_P_OF14_OXM;
    }
}

/* Leaves those versions that one of the formats can be used with, and those formats that one of
 * the versions has. */
static void
settle_versions(struct ofctl *ofctl, bool is_version_given)
{
    if (!is_version_given) {
        set_allowed_ofp_versions("OpenFlow10");
    }
    if (ofctl->bundle && !(get_allowed_ofp_versions() & BUNDLE_VERSIONS)) {
        set_allowed_ofp_versions("OpenFlow14");
    }

    uint32_t versions = get_allowed_ofp_versions();
    enum ofputil_protocol of_versions = ofputil_protocols_from_version_bitmap(versions);
    if (!(ofctl->allowed & of_versions)) {
        struct ds names = DS_EMPTY_INITIALIZER;
        ofputil_format_version_bitmap_names(&names, versions);
        ovs_fatal(0,
                  "None of the enabled OpenFlow versions (%s) supports any of the enabled flow "
                  "formats (%s).  (Use -O to enable additional OpenFlow versions or -F to enable "
                  "additional flow formats.)",
                  ds_cstr(&names), ofputil_protocols_to_string(ofctl->allowed));
    }
    ofctl->allowed &= of_versions;
    mask_allowed_ofp_versions(ofputil_protocols_to_version_bitmap(ofctl->allowed));
}

/* ---- The line. ---- */

/* Whoever calls us ovs-ofctl gets the list that ovs-ofctl has; what we add works all the same. */
static void
print_options(void)
{
    struct option listed[ARRAY_SIZE(ofctl_long_options)];
    bool is_ofctl = !strcmp(program_name, "ovs-ofctl");
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(ofctl_long_options); i++) {
        int option = ofctl_long_options[i].val;
        if (!is_ofctl || (option != OPT_FORCE && option != OPT_EXPLAIN)) {
            listed[n++] = ofctl_long_options[i];
        }
    }
    ovs_cmdl_print_options(listed);
}

struct given {
    bool version; /* -O. */
    bool color;
    unsigned int timeout; /* 0: as the environment has it. */
};

static void
take_own_option(struct ofctl *ofctl, int option, struct given *given)
{
    switch (option) {
    case 't':
        given->timeout = parse_timeout(optarg);
        break;
    case 'F':
        ofctl->allowed = parse_flow_formats(optarg);
        break;
    case 'P':
        ofctl->packet_in_format = parse_packet_in_format(optarg);
        break;
    case 'm':
        ofctl->verbosity++;
        break;
    case 'h':
        ofctl_usage();
        exit(EXIT_SUCCESS);
    case 'o':
        print_options();
        exit(EXIT_SUCCESS);
    case OPT_STRICT:
        ofctl->strict = true;
        break;
    case OPT_READD:
        ofctl->readd = true;
        break;
    case OPT_TIMESTAMP:
        ofctl->timestamp = true;
        break;
    case OPT_SORT:
        add_sort_key(ofctl, optarg, false);
        break;
    case OPT_RSORT:
        add_sort_key(ofctl, optarg, true);
        break;
    case OPT_NAMES:
        ofctl->names = OFCTL_NAMES_ALWAYS;
        break;
    case OPT_NO_NAMES:
        ofctl->names = OFCTL_NAMES_NEVER;
        break;
    case OPT_STATS:
        ofctl->hide_stats = false;
        break;
    case OPT_NO_STATS:
        ofctl->hide_stats = true;
        break;
    case OPT_UNIXCTL:
        ofctl->unixctl = optarg;
        break;
    case OPT_BUNDLE:
        ofctl->bundle = true;
        break;
    case OPT_COLOR:
        given->color = parse_color(optarg);
        break;
    case OPT_MAY_CREATE:
        ofctl->may_create = true;
        break;
    case OPT_PCAP:
        ofctl->pcap = true;
        break;
    case OPT_RAW:
        break; /* Known, and without a meaning. */
    case OPT_READ_ONLY:
        ofctl->read_only = true;
        break;
    case OPT_FORCE:
        ofctl->force = true;
        break;
    case OPT_EXPLAIN:
        ofctl->explain = true;
        break;
    case '?':
        exit(EXIT_FAILURE);
    default:
        abort();
    }
}

static void
take_option(struct ofctl *ofctl, int option, struct given *given)
{
    given->version |= option == 'O';
    switch (option) {
        DAEMON_OPTION_HANDLERS
        OFP_VERSION_OPTION_HANDLERS
        VLOG_OPTION_HANDLERS
        STREAM_SSL_OPTION_HANDLERS
    default:
        take_own_option(ofctl, option, given);
    }
}

void
ofctl_parse_options(struct ofctl *ofctl, int argc, char *argv[])
{
    char *shorts CLEANUP_FREE = ovs_cmdl_long_options_to_short_options(ofctl_long_options);
    struct given given = {.version = false};
    int option;

    *ofctl = (struct ofctl){.allowed = OFPUTIL_P_ANY, .packet_in_format = -1};
    while ((option = getopt_long(argc, argv, shorts, ofctl_long_options, NULL)) != -1) {
        take_option(ofctl, option, &given);
    }
    ctl_timeout_setup(given.timeout);
    settle_versions(ofctl, given.version);
    colors_init(given.color);
}

/* ---- Help. ---- */

void
ofctl_usage(void)
{
    printf("%s: OpenFlow switch management utility\n"
           "usage: %s [OPTIONS] COMMAND [ARG...]\n\ncommands:\n",
           program_name, program_name);
    ofctl_print_commands_help();
    printf("SWITCH or TARGET is an active OpenFlow connection method.\n");
    vconn_usage(true, false, false);
    daemon_usage();
    ofp_version_usage();
    vlog_usage();
    printf(
        "\nOther options:\n"
        "  --strict                    flows are modified and deleted by exact match\n"
        "  --bundle                    make all changes at once, or none\n"
        "  --read-only                 refuse commands that change something\n"
        "  --force                     also change flows of network filters\n"
        "  --explain                   dump-flows: say where flows of network filters come from\n"
        "  --readd                     replace-flows: also add what has not changed\n"
        "  --may-create                mod-group: also create the group\n"
        "  -F, --flow-format=FORMAT    use only these flow formats\n"
        "  -P, --packet-in-format=FRMT ask for this packet-in format\n"
        "  -m, --more                  print more of each message\n"
        "  --timestamp                 print when a message came (monitor, snoop)\n"
        "  -t, --timeout=SECS          give up after SECS seconds\n"
        "  --sort[=field]              sort flows, lowest first\n"
        "  --rsort[=field]             sort flows, highest first\n"
        "  --names                     show names of ports and tables\n"
        "  --no-names                  show numbers, and take nothing else\n"
        "  --no-stats                  leave counters out of flows\n"
        "  --unixctl=SOCKET            set control socket name\n"
        "  --color[=always|never|auto] color flows\n"
        "  -h, --help                  this help\n"
        "  -V, --version               the version\n");
}
