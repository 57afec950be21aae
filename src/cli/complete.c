/* SPDX-License-Identifier: Apache-2.0
 *
 * complete: what may stand next on a command line, for the shell (ovs-nwfilter.bash).
 *
 * All that it knows it has from where the program has it: commands and options of the tables that
 * a line is parsed by, fields of the library, filters of the folders that they are looked for in,
 * bridges and ports of the database.  What an operand is, the command's usage says. */
#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "nwf/ovsdb.h"
#include "nwf/text.h"
#include "ofctl/ofctl.h"
#include "ofctl/options.h"
#include "openvswitch/meta-flow.h"
#include "options.h"

#include "lib/util.h"

/* Nobody waits longer for a key to do something. */
#define DATABASE_TIMEOUT_MS 1000

/* ---- Candidates. ---- */

struct completion {
    struct nwf_cli *cli;
    const char *word;   /* What there is of it so far. */
    const char *prefix; /* What it begins with and candidates do not, */
    size_t n_prefix;    /* and how much of that counts. */
};

static void
offer(const struct completion *c, const char *text, const char *suffix)
{
    char *candidate CLEANUP_FREE =
        nwf_asprintf("%.*s%s%s", (int) c->n_prefix, c->prefix, text, suffix);

    if (!strncmp(candidate, c->word, strlen(c->word))) {
        printf("%s\n", candidate);
    }
}

static void
offer_filters(const struct completion *c)
{
    struct nwf_words names = {.data = NULL};

    nwf_cli_list_filters(c->cli, &names);
    nwf_vec_foreach (name, &names) {
        offer(c, *name, "");
    }
    nwf_words_clear(&names);
}

/* Bridges, or the ports of all of them; nothing where no database answers. */
static void
offer_names(const struct completion *c, bool ports)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;

    if (nwf_ovsdb_open(c->cli->db, NULL, DATABASE_TIMEOUT_MS, &db, &err)) {
        nwf_error_clear(&err);
        return;
    }
    nwf_ovsdb_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (!ports) {
            offer(c, bridge->name, "");
            continue;
        }
        nwf_vec_foreach (port, &bridge->ports) {
            offer(c, port->name, "");
        }
    }
}

/* Of a flow, what stands behind the last comma. */
static void
offer_flow(const struct completion *c)
{
    static const char *const others[] = {"table",        "priority",     "cookie",
                                         "idle_timeout", "hard_timeout", "actions"};
    const char *comma = strrchr(c->word, ','), *part = comma ? comma + 1 : c->word;
    struct completion rest = *c;

    rest.prefix = c->word;
    rest.n_prefix = (size_t) (part - c->word);
    if (!strncmp(part, "in_port=", strlen("in_port="))) {
        rest.n_prefix += strlen("in_port=");
        offer_names(&rest, true);
        return;
    }
    for (int id = 0; id < MFF_N_IDS; id++) {
        const struct mf_field *field = mf_from_id((enum mf_field_id) id);
        offer(&rest, field->name, "=");
        if (field->extra_name) {
            offer(&rest, field->extra_name, "=");
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        offer(&rest, others[i], "=");
    }
}

/* ---- Operands. ---- */

enum kind { KIND_OTHER, KIND_BRIDGE, KIND_PORT, KIND_FILTER, KIND_FLOW };

/* What words of usages stand for. */
static const struct {
    const char *word;
    enum kind kind;
} kinds[] = {
    {"BRIDGE", KIND_BRIDGE},  {"IFACE", KIND_PORT},     {"FILTER", KIND_FILTER},
    {"NAME", KIND_FILTER},    {"switch", KIND_BRIDGE},  {"target", KIND_BRIDGE},
    {"source1", KIND_BRIDGE}, {"source2", KIND_BRIDGE}, {"port", KIND_PORT},
    {"iface", KIND_PORT},     {"flow", KIND_FLOW},
};

/* The usage's word of this number, without what is not part of its name; behind the end the last
 * one, if that may come again.  A new string, NULL if there is none. */
static char *
usage_word(const char *usage, size_t index)
{
    struct nwf_words words = {.data = NULL};
    char *found = NULL;

    (void) nwf_text_split(usage, " ", nwf_words_add, &words);
    if (words.n && index >= words.n && strstr(words.data[words.n - 1], "...")) {
        index = words.n - 1;
    }
    if (index < words.n) {
        const char *start = words.data[index] + strspn(words.data[index], "[");
        found = nwf_strndup(start, strcspn(start, "[]."));
    }
    nwf_words_clear(&words);
    return found;
}

/* A word in small letters that may be one of several stands for itself where the usage is one of
 * our own verbs'. */
static void
offer_literals(const struct completion *c, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "|");
        if (islower((unsigned char) *text)) {
            char *literal CLEANUP_FREE = nwf_strndup(text, n);
            offer(c, literal, "");
        }
        text += n + (text[n] == '|');
    }
}

static void
offer_operand(const struct completion *c, const char *usage, size_t index, bool is_own)
{
    char *word CLEANUP_FREE = usage_word(usage, index);
    enum kind kind = KIND_OTHER;

    for (size_t i = 0; word && i < ARRAY_SIZE(kinds); i++) {
        if (!strncmp(word, kinds[i].word, strlen(kinds[i].word))
            && !isalnum((unsigned char) word[strlen(kinds[i].word)])) {
            kind = kinds[i].kind;
        }
    }
    switch (kind) {
    case KIND_BRIDGE:
        offer_names(c, false);
        break;
    case KIND_PORT:
        offer_names(c, true);
        break;
    case KIND_FILTER:
        offer_filters(c);
        break;
    case KIND_FLOW:
        offer_flow(c);
        break;
    case KIND_OTHER:
        if (word && is_own) {
            offer_literals(c, word);
        }
        break;
    }
}

/* One of several ways to use a verb, "list | show NAME": the one whose first word is there
 * already. */
static void
offer_way(const struct completion *c, const char *operands, char **given, size_t n_given)
{
    char *copy CLEANUP_FREE = nwf_strdup(operands);

    for (char *way = copy, *next; way; way = next) {
        next = strstr(way, " | ");
        if (next) {
            *next = '\0';
            next += 3;
        }
        char *first CLEANUP_FREE = usage_word(way, 0);
        if (!n_given || !islower((unsigned char) *way) || (first && !strcmp(first, given[0]))) {
            offer_operand(c, way, n_given, true);
        }
    }
}

/* ---- Commands and options. ---- */

static void
offer_table(const struct completion *c, const struct nwf_option *options)
{
    for (const struct nwf_option *o = options; o && o->name; o++) {
        char *name CLEANUP_FREE = nwf_asprintf("--%s", o->name);
        offer(c, name, o->argument && *o->argument != '[' ? "=" : "");
    }
}

static void
offer_options(const struct completion *c, const struct nwf_verb *verb, bool is_ofctl)
{
    for (size_t i = 0; !is_ofctl && i < c->cli->n_common; i++) {
        const struct nwf_common_option *o = &c->cli->common[i];
        char *name CLEANUP_FREE = nwf_asprintf("--%s", o->name);
        offer(c, name, o->argument && *o->argument != '[' ? "=" : "");
    }
    offer_table(c, verb ? verb->options : NULL);
    offer_table(c, verb ? verb->more : NULL);
    for (const struct option *o = ofctl_long_options; !verb && o->name; o++) {
        char *name CLEANUP_FREE = nwf_asprintf("--%s", o->name);
        offer(c, name, o->has_arg == required_argument ? "=" : "");
    }
}

/* Commands, or what stands behind 'first' in those of two words. */
static void
offer_commands(const struct completion *c, const char *first)
{
    size_t n = first ? strlen(first) : 0;

    for (const struct nwf_verb *const *table = c->cli->tables; *table; table++) {
        for (const struct nwf_verb *verb = *table; verb->name; verb++) {
            if (!first) {
                char *word CLEANUP_FREE = nwf_strndup(verb->name, strcspn(verb->name, " "));
                offer(c, word, "");
            } else if (!strncmp(verb->name, first, n) && verb->name[n] == ' ') {
                offer(c, verb->name + n + 1, "");
            }
        }
    }
    for (size_t i = 0; !first && i < ofctl_n_commands; i++) {
        if (ofctl_commands[i].help) {
            offer(c, ofctl_commands[i].command.name, "");
        }
    }
}

/* The verb that the words begin with, and of how many of them its name is. */
static const struct nwf_verb *
find_verb(const struct nwf_cli *cli, char **words, size_t n, size_t *ret_n)
{
    for (const struct nwf_verb *const *table = cli->tables; *table; table++) {
        for (const struct nwf_verb *verb = *table; verb->name; verb++) {
            const char *space = strchr(verb->name, ' ');
            char *both CLEANUP_FREE =
                space && n > 1 ? nwf_asprintf("%s %s", words[0], words[1]) : NULL;
            if (both ? !strcmp(both, verb->name) : n && !strcmp(words[0], verb->name)) {
                *ret_n = both ? 2 : 1;
                return verb;
            }
        }
    }
    return NULL;
}

static const struct ofctl_command *
find_ofctl_command(const char *name)
{
    for (size_t i = 0; i < ofctl_n_commands; i++) {
        if (!strcmp(ofctl_commands[i].command.name, name)) {
            return &ofctl_commands[i];
        }
    }
    return NULL;
}

/* Whether the option's argument is the next word. */
static bool
takes_next(const struct nwf_cli *cli, const char *word)
{
    /* The short ones of either kind of command: -O, -F, -P, -t, -p, -c, -C. */
    if (*word == '-' && word[1] && strchr("OFPtpcC", word[1]) && !word[2]) {
        return true;
    }
    for (size_t i = 0; i < cli->n_common; i++) {
        const struct nwf_common_option *o = &cli->common[i];
        if (!strncmp(word, "--", 2) && !strcmp(word + 2, o->name)) {
            return o->argument && *o->argument != '[';
        }
    }
    return false;
}

/* The line's words without its options; returns their number. */
static size_t
list_operands(const struct nwf_cli *cli, char **words, size_t n, char **operands)
{
    size_t n_operands = 0;

    for (size_t i = 0; i < n; i++) {
        if (takes_next(cli, words[i])) {
            i++;
        } else if (*words[i] != '-' || !words[i][1]) {
            operands[n_operands++] = words[i];
        }
    }
    return n_operands;
}

static int
complete(struct nwf_cli *cli, struct nwf_error *err)
{
    size_t n_words = (size_t) cli->argc - 1, n_name = 0;
    char **operands CLEANUP_FREE = nwf_zalloc((n_words + 1) * sizeof *operands);
    size_t n = list_operands(cli, cli->argv, n_words, operands);
    const struct completion c = {.cli = cli, .word = cli->argv[n_words], .prefix = ""};
    const struct nwf_verb *verb = find_verb(cli, operands, n, &n_name);
    const struct ofctl_command *command = n && !verb ? find_ofctl_command(operands[0]) : NULL;

    (void) err;
    if (*c.word == '-') {
        offer_options(&c, verb, command != NULL);
    } else if (verb) {
        offer_way(&c, verb->operands, operands + n_name, n - n_name);
    } else if (command && n == 2 && !strncmp(command->command.name, "dump-", 5)
               && !strcmp(command->command.usage, "switch") && command->command.max_args > 1) {
        offer_flow(&c); /* Of which the usage does not speak. */
    } else if (command && command->command.usage) {
        offer_operand(&c, command->command.usage, n - 1, false);
    } else if (n < 2 && !command) {
        offer_commands(&c, n ? operands[0] : NULL);
    }
    return NWF_EXIT_OK;
}

/* ---- The table. ---- */

const struct nwf_verb nwf_complete_verbs[] = {
    {"complete", "-- [WORD...] WORD", "for the shell: what the last word may become", 1, 4096,
     .run = complete},
    {.name = NULL},
};
