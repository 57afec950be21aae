/* SPDX-License-Identifier: Apache-2.0
 *
 * From a command line to one of ovs-ofctl's commands. */
#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "ofctl.h"
#include "options.h"

#include "lib/daemon.h"
#include "lib/fatal-signal.h"
#include "lib/util.h"

#define OUTPUT_BUFFER (1 << 17)

bool
ofctl_has_command(const char *name)
{
    for (size_t i = 0; i < ofctl_n_commands; i++) {
        if (!strcmp(ofctl_commands[i].command.name, name)) {
            return true;
        }
    }
    return false;
}

/* Where the command stands is only known to who knows which options take an argument. */
const char *
ofctl_find_command(int argc, char *argv[])
{
    char *shorts CLEANUP_FREE = ovs_cmdl_long_options_to_short_options(ofctl_long_options);
    char *in_order CLEANUP_FREE = nwf_asprintf("-%s", shorts + (*shorts == '+'));
    const char *found = NULL;
    int option;

    opterr = 0;
    while (!found && (option = getopt_long(argc, argv, in_order, ofctl_long_options, NULL)) != -1) {
        found = option == 1 ? optarg : NULL;
    }
    if (!found && optind < argc) { /* Behind "--". */
        found = argv[optind];
    }
    optind = 0; /* Whoever comes next begins anew. */
    opterr = 1;
    return found && ofctl_has_command(found) ? found : NULL;
}

void
ofctl_change(struct ovs_cmdl_context *ctx, int command, const struct ofctl_changes *changes)
{
    const char *text = ofctl_text(ctx);

    if (strcmp(text, "-")) {
        changes->by_text(ctx, text, command);
    } else {
        changes->by_file(ctx, text, command == changes->add ? OFCTL_ANY_COMMAND : command);
    }
}

static void
finish(struct ofctl *ofctl)
{
    nwf_vec_foreach (names, &ofctl->switches) {
        ofputil_port_map_destroy(&(*names)->ports);
        ofputil_table_map_destroy(&(*names)->tables);
        free((*names)->target);
        free(*names);
    }
    nwf_vec_clear(&ofctl->switches);
    nwf_vec_clear(&ofctl->sort_keys);
}

int
ofctl_main(int argc, char *argv[])
{
    struct ovs_cmdl_command *commands CLEANUP_FREE =
        nwf_zalloc((ofctl_n_commands + 1) * sizeof *commands);
    struct ofctl ofctl;

    if (!isatty(STDOUT_FILENO)) { /* Dumps are long. */
        (void) setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER);
    }
    ovs_cmdl_proctitle_init(argc, argv);
    ofctl_parse_options(&ofctl, argc, argv);
    fatal_ignore_sigpipe();
    daemon_become_new_user(false);
    ofctl_fill_commands(commands);

    struct ovs_cmdl_context ctx = {.argc = argc - optind, .argv = argv + optind, .pvt = &ofctl};
    if (ofctl.read_only) {
        ovs_cmdl_run_command_read_only(&ctx, commands);
    } else {
        ovs_cmdl_run_command(&ctx, commands);
    }
    finish(&ofctl);
    return EXIT_SUCCESS;
}
