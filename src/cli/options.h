/* SPDX-License-Identifier: Apache-2.0
 *
 * From a command line to a verb, its operands and the values of its options. */
#ifndef NWF_CLI_OPTIONS_H
#define NWF_CLI_OPTIONS_H

#include "verb.h"

/* An option of all verbs. */
struct nwf_common_option {
    char letter; /* Also the short form, if 'is_short'. */
    bool is_short;
    const char *name;
    const char *argument;
    const char *help;
};

struct nwf_command_line {
    const struct nwf_verb *const *tables; /* Ended by NULL. */
    const struct nwf_common_option *common;
    size_t n_common;
    /* Takes the value of a common option, by its letter. */
    int (*apply)(struct nwf_cli *cli, int letter, const char *argument, struct nwf_error *err);
};

/* Parses the words; operands are left in cli->argc and cli->argv.  *ret_verb is NULL if the
 * line names no verb.  Where a common option has set cli->help, the verb gets no options; with
 * cli->version no verb is looked for. */
int nwf_parse_command_line(const struct nwf_command_line *line, struct nwf_cli *cli, int argc,
                           char **argv, const struct nwf_verb **ret_verb, struct nwf_error *err);

#endif
