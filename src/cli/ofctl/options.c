/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of ovs-ofctl(8). */
#include <config.h>

#include <getopt.h>
#include <limits.h>
#include <stddef.h>
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
    OPT_DB,
    OPT_FILTER_DIR,
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
    {"db", required_argument, NULL, OPT_DB},
    {"filter-dir", required_argument, NULL, OPT_FILTER_DIR},
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

static bool
is_ofctl(void)
{
    return !strcmp(program_name, "ovs-ofctl");
}

/* Options that all commands of ovs-nwfilter have.  Whoever calls us ovs-ofctl has never heard of
 * them, and may shorten others to what they begin with. */
static bool
is_of_nwfilter(int option)
{
    return option == OPT_DB || option == OPT_FILTER_DIR;
}

static bool
is_ours(int option)
{
    return is_of_nwfilter(option) || option == OPT_FORCE || option == OPT_EXPLAIN;
}

/* The options that are not 'hidden'. */
static void
select_options(bool (*hidden)(int option), struct option ret[ARRAY_SIZE(ofctl_long_options)])
{
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(ofctl_long_options); i++) {
        if (!is_ofctl() || !hidden(ofctl_long_options[i].val)) {
            ret[n++] = ofctl_long_options[i];
        }
    }
}

/* Whoever calls us ovs-ofctl gets the list that ovs-ofctl has; what we add works all the same. */
static void
print_options(void)
{
    struct option listed[ARRAY_SIZE(ofctl_long_options)];

    select_options(is_ours, listed);
    ovs_cmdl_print_options(listed);
}

struct given {
    bool version; /* -O. */
    bool color;
    unsigned int timeout; /* 0: as the environment has it. */
};

/* Options that only switch something on or off. */
static const struct {
    int option;
    size_t offset; /* Of a bool in struct ofctl, */
    bool value;    /* which becomes this. */
} switches[] = {
    {OPT_STRICT, offsetof(struct ofctl, strict), true},
    {OPT_READD, offsetof(struct ofctl, readd), true},
    {OPT_TIMESTAMP, offsetof(struct ofctl, timestamp), true},
    {OPT_STATS, offsetof(struct ofctl, hide_stats), false},
    {OPT_NO_STATS, offsetof(struct ofctl, hide_stats), true},
    {OPT_BUNDLE, offsetof(struct ofctl, bundle), true},
    {OPT_MAY_CREATE, offsetof(struct ofctl, may_create), true},
    {OPT_PCAP, offsetof(struct ofctl, pcap), true},
    {OPT_READ_ONLY, offsetof(struct ofctl, read_only), true},
    {OPT_FORCE, offsetof(struct ofctl, force), true},
    {OPT_EXPLAIN, offsetof(struct ofctl, explain), true},
};

static bool
take_switch(struct ofctl *ofctl, int option)
{
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        if (switches[i].option == option) {
            *(bool *) ((char *) ofctl + switches[i].offset) = switches[i].value;
            return true;
        }
    }
    return false;
}

/* Options that have an argument; some need none. */
static bool
take_argument(struct ofctl *ofctl, int option, struct given *given)
{
    switch (option) {
    case 't':
        given->timeout = parse_timeout(optarg);
        return true;
    case 'F':
        ofctl->allowed = parse_flow_formats(optarg);
        return true;
    case 'P':
        ofctl->packet_in_format = parse_packet_in_format(optarg);
        return true;
    case OPT_SORT:
    case OPT_RSORT:
        add_sort_key(ofctl, optarg, option == OPT_RSORT);
        return true;
    case OPT_UNIXCTL:
        ofctl->unixctl = optarg;
        return true;
    case OPT_COLOR:
        given->color = parse_color(optarg);
        return true;
    case OPT_DB:
        ofctl->db = optarg;
        return true;
    case OPT_FILTER_DIR:
        ofctl->filter_dir = optarg;
        return true;
    }
    return false;
}

static void
take_own_option(struct ofctl *ofctl, int option, struct given *given)
{
    if (take_switch(ofctl, option) || take_argument(ofctl, option, given)) {
        return;
    }
    switch (option) {
    case 'm':
        ofctl->verbosity++;
        break;
    case 'h':
        ofctl_usage();
        exit(EXIT_SUCCESS);
    case 'o':
        print_options();
        exit(EXIT_SUCCESS);
    case OPT_NAMES:
        ofctl->names = OFCTL_NAMES_ALWAYS;
        break;
    case OPT_NO_NAMES:
        ofctl->names = OFCTL_NAMES_NEVER;
        break;
    case OPT_RAW:
        break; /* Known, and without a meaning. */
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
    struct option longs[ARRAY_SIZE(ofctl_long_options)];
    struct given given = {.version = false};
    int option;

    *ofctl = (struct ofctl){.allowed = OFPUTIL_P_ANY, .packet_in_format = -1};
    select_options(is_of_nwfilter, longs);
    while ((option = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        take_option(ofctl, option, &given);
    }
    ctl_timeout_setup(given.timeout);
    settle_versions(ofctl, given.version);
    colors_init(given.color);
}
