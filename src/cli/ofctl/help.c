/* SPDX-License-Identifier: Apache-2.0
 *
 * Help and lists, of the table of commands. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "ofctl.h"
#include "openvswitch/vconn.h"
#include "openvswitch/vlog.h"

#include "lib/daemon.h"
#include "lib/ofp-version-opt.h"
#include "lib/util.h"

#define LINE_WIDTH 90

/* ---- The table. ---- */

void
ofctl_fill_commands(struct ovs_cmdl_command *commands)
{
    for (size_t i = 0; i < ofctl_n_commands; i++) {
        commands[i] = ofctl_commands[i].command;
    }
}

void
ofctl_list_commands(struct ovs_cmdl_context *ctx)
{
    struct ovs_cmdl_command *commands CLEANUP_FREE =
        nwf_zalloc((ofctl_n_commands + 1) * sizeof *commands);

    (void) ctx;
    ofctl_fill_commands(commands);
    ovs_cmdl_print_commands(commands);
}

void
ofctl_print_commands_help(void)
{
    for (size_t i = 0; i < ofctl_n_commands; i++) {
        const struct ofctl_command *row = &ofctl_commands[i];
        if (row->help) {
            char *line CLEANUP_FREE = nwf_asprintf("%s %s", row->command.name, row->command.usage);
            printf("  %-38s %s\n", line, row->help);
        }
    }
}

void
ofctl_print_command_names(void)
{
    size_t column = 0;

    for (size_t i = 0; i < ofctl_n_commands; i++) {
        const char *name = ofctl_commands[i].command.name;
        if (!ofctl_commands[i].help) {
            continue;
        }
        if (column + strlen(name) + 2 > LINE_WIDTH) {
            putchar('\n');
            column = 0;
        }
        column += (size_t) printf("%s%s", column ? " " : "  ", name);
    }
    putchar('\n');
}

/* ---- All of it. ---- */

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
    printf("\nOther options:\n"
           "  --strict                    flows are modified and deleted by exact match\n"
           "  --bundle                    make all changes at once, or none\n"
           "  --read-only                 refuse commands that change something\n"
           "  --force                     also change flows of network filters\n"
           "  --explain                   dump-flows: say where flows come from\n"
           "  --db=SERVER                 the database, for --explain\n"
           "  --filter-dir=DIR            look for filters there first, for --explain\n"
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

void
ofctl_help(struct ovs_cmdl_context *ctx)
{
    (void) ctx;
    ofctl_usage();
}
