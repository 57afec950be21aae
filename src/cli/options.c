/* SPDX-License-Identifier: Apache-2.0
 *
 * Options; see options.h and verb.h.
 *
 * They may stand before the verb that they belong to, so getopt_long() knows those of all
 * verbs, each name once; what was given is sorted out when the verb is known. */
#include <config.h>

#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "cli.h"
#include "nwf/text.h"

/* ---- Values. ---- */

void
nwf_words_clear(struct nwf_words *words)
{
    nwf_vec_foreach (word, words) {
        free(*word);
    }
    nwf_vec_clear(words);
}

int
nwf_words_add(const char *word, void *words)
{
    nwf_vec_push((struct nwf_words *) words, nwf_strdup(word));
    return 0;
}

int
nwf_option_flag(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    (void) argument;
    (void) err;
    *(bool *) option->value = true;
    return 0;
}

int
nwf_option_text(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    (void) err;
    *(const char **) option->value = argument;
    return 0;
}

int
nwf_option_word(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    (void) err;
    ((struct nwf_words *) option->value)->given = true;
    return nwf_words_add(argument, option->value);
}

int
nwf_option_words(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    (void) err;
    ((struct nwf_words *) option->value)->given = true;
    return nwf_text_split(argument, ",", nwf_words_add, option->value);
}

/* ---- The line. ---- */

/* A name that getopt_long() knows. */
struct name {
    const char *name;
    char letter; /* Of a common option, else 0. */
};

/* An option as it stands in the line. */
struct given {
    const char *name;
    const char *argument;
};

struct parser {
    const struct nwf_command_line *line;
    struct nwf_cli *cli;
    NWF_VEC(struct option) longs;
    NWF_VEC(struct name) names; /* In the order of 'longs'. */
    NWF_VEC(struct given) given;
};

/* What getopt_long() returns for a name is this and its number, so that letters which only
 * stand for rows are no options of the command line. */
#define LONG_OPTION 0x100

static void
add_name(struct parser *p, const char *name, int has_arg, char letter)
{
    nwf_vec_foreach (other, &p->names) {
        if (!strcmp(other->name, name)) {
            return;
        }
    }
    nwf_vec_push(
        &p->longs,
        (struct option){.name = name, .has_arg = has_arg, .val = LONG_OPTION + (int) p->names.n});
    nwf_vec_push(&p->names, (struct name){name, letter});
}

static void
collect_options(struct parser *p, const struct nwf_option *options)
{
    for (const struct nwf_option *o = options; o && o->name; o++) {
        add_name(p, o->name,
                 !o->argument          ? no_argument
                 : *o->argument == '[' ? optional_argument
                                       : required_argument,
                 0);
    }
}

static void
collect_names(struct parser *p)
{
    for (size_t i = 0; i < p->line->n_common; i++) {
        const struct nwf_common_option *o = &p->line->common[i];
        int optional = o->letter == 'v' ? optional_argument : required_argument;
        add_name(p, o->name, o->argument ? optional : no_argument, o->letter);
    }
    for (const struct nwf_verb *const *table = p->line->tables; *table; table++) {
        for (const struct nwf_verb *verb = *table; verb->name; verb++) {
            collect_options(p, verb->options);
            collect_options(p, verb->more);
        }
    }
    nwf_vec_push(&p->longs, (struct option){.name = NULL});
}

/* Says what getopt_long() did not like; 'word' is the last one that it is done with. */
static int
refuse(int result, const char *word, struct nwf_error *err)
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

static int
take_option(struct parser *p, int result, struct nwf_error *err)
{
    if (result < LONG_OPTION) {
        return p->line->apply(p->cli, result, optarg, err);
    }
    const struct name *name = &p->names.data[result - LONG_OPTION];
    if (name->letter) {
        return p->line->apply(p->cli, name->letter, optarg, err);
    }
    nwf_vec_push(&p->given, (struct given){name->name, optarg});
    return 0;
}

/* How many words stand behind "--", before getopt_long() puts them into another order. */
static int
count_behind_dashes(int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--")) {
            return argc - i - 1;
        }
    }
    return 0;
}

static int
read_line(struct parser *p, int argc, char **argv, struct nwf_error *err)
{
    char shorts[32] = ":";
    int result;

    for (size_t i = 0; i < p->line->n_common; i++) {
        const struct nwf_common_option *o = &p->line->common[i];
        const char one[] = {o->letter, '\0'};
        if (o->is_short) {
            strcat(strcat(shorts, one), !o->argument ? "" : o->letter == 'v' ? "::" : ":");
        }
    }
    p->cli->n_behind_dashes = count_behind_dashes(argc, argv);
    opterr = 0;
    while ((result = getopt_long(argc, argv, shorts, p->longs.data, NULL)) != -1) {
        int r = result == '?' || result == ':' ? refuse(result, argv[optind - 1], err)
                                               : take_option(p, result, err);
        if (r) {
            return r;
        }
    }
    p->cli->argc = argc - optind;
    p->cli->argv = argv + optind;
    return 0;
}

/* How many of the words are the verb's name, which has one or two; 0: it is not this verb. */
static int
match_verb(const struct nwf_verb *verb, int argc, char *const *argv)
{
    const char *space = strchr(verb->name, ' ');
    size_t n = space ? (size_t) (space - verb->name) : strlen(verb->name);

    if (argc < 1 || strlen(argv[0]) != n || memcmp(verb->name, argv[0], n)) {
        return 0;
    }
    return !space ? 1 : argc > 1 && !strcmp(space + 1, argv[1]) ? 2 : 0;
}

/* The verb that the line begins with, and the words of its name. */
static const struct nwf_verb *
find_verb(const struct nwf_command_line *line, const struct nwf_cli *cli, int *ret_words)
{
    for (const struct nwf_verb *const *table = line->tables; *table; table++) {
        for (const struct nwf_verb *verb = *table; verb->name; verb++) {
            if ((*ret_words = match_verb(verb, cli->argc, cli->argv))) {
                return verb;
            }
        }
    }
    return NULL;
}

/* 'word' may be the first of the two that some names have. */
static int
refuse_verb(const struct nwf_command_line *line, const char *word, struct nwf_error *err)
{
    char *names CLEANUP_FREE = nwf_strdup("");
    size_t n = strlen(word);

    for (const struct nwf_verb *const *table = line->tables; *table; table++) {
        for (const struct nwf_verb *verb = *table; verb->name; verb++) {
            if (!strncmp(verb->name, word, n) && verb->name[n] == ' ') {
                char *old CLEANUP_FREE = names;
                names = nwf_asprintf("%s%s%s", old, *old ? " | " : "", verb->name + n + 1);
            }
        }
    }
    return *names ? nwf_error_set(err, -EINVAL, "usage: ovs-nwfilter %s %s ...", word, names)
                  : nwf_error_set(err, -EINVAL, "unknown command \"%.80s\"; see --help", word);
}

static const struct nwf_option *
find_option(const struct nwf_option *options, const char *name)
{
    for (const struct nwf_option *o = options; o && o->name; o++) {
        if (!strcmp(o->name, name)) {
            return o;
        }
    }
    return NULL;
}

static int
give_to_verb(const struct nwf_verb *verb, const struct given *given, struct nwf_error *err)
{
    const struct nwf_option *option = find_option(verb->options, given->name);

    if (option || (option = find_option(verb->more, given->name))) {
        return option->parse(option, given->argument, err);
    }
    return nwf_error_set(err, -EINVAL, "%s does not take --%s; see %s --help", verb->name,
                         given->name, verb->name);
}

static int
sort_out(struct parser *p, const struct nwf_verb **ret_verb, struct nwf_error *err)
{
    int n_words = 0;
    const struct nwf_verb *verb = find_verb(p->line, p->cli, &n_words);

    if (p->cli->argc && !verb) {
        return refuse_verb(p->line, p->cli->argv[0], err);
    }
    nwf_vec_foreach (given, &p->given) {
        int r = verb && !p->cli->help ? give_to_verb(verb, given, err) : 0;
        if (r) {
            return r;
        }
    }
    p->cli->argc -= n_words;
    p->cli->argv += n_words;
    *ret_verb = verb;
    return 0;
}

int
nwf_parse_command_line(const struct nwf_command_line *line, struct nwf_cli *cli, int argc,
                       char **argv, const struct nwf_verb **ret_verb, struct nwf_error *err)
{
    struct parser p = {.line = line, .cli = cli};

    *ret_verb = NULL;
    collect_names(&p);
    int r = read_line(&p, argc, argv, err);
    if (!r && !cli->version) {
        r = sort_out(&p, ret_verb, err);
    }
    nwf_vec_clear(&p.longs);
    nwf_vec_clear(&p.names);
    nwf_vec_clear(&p.given);
    return r;
}
