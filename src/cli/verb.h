/* SPDX-License-Identifier: Apache-2.0
 *
 * Verbs and their options as tables.  Each file of verbs has one table of them, which
 * main.c lists; help, usage and the checks of a command line come from the tables. */
#ifndef NWF_CLI_VERB_H
#define NWF_CLI_VERB_H

#include <stdbool.h>

#include "nwf/error.h"
#include "nwf/vec.h"

struct nwf_cli;

/* Strings that the list owns. */
struct nwf_words {
    char **data;
    size_t n, allocated;
    bool given; /* The option was there, if only with an empty list. */
};

void nwf_words_clear(struct nwf_words *words);
/* A nwf_text_split() callback. */
int nwf_words_add(const char *word, void *words);

/* An option, and where its value goes: a variable of the type that 'parse' is for.  It has
 * no short form.  Of one that is given twice the last counts, but for lists. */
struct nwf_option {
    const char *name;
    const char *argument; /* NULL for none; one that may be absent is in brackets. */
    int (*parse)(const struct nwf_option *option, const char *argument, struct nwf_error *err);
    void *value;
    const char *help;
};

int nwf_option_flag(const struct nwf_option *option, const char *argument, struct nwf_error *err);
int nwf_option_text(const struct nwf_option *option, const char *argument, struct nwf_error *err);
/* Adds the argument to a struct nwf_words, as one word or split at commas. */
int nwf_option_word(const struct nwf_option *option, const char *argument, struct nwf_error *err);
int nwf_option_words(const struct nwf_option *option, const char *argument, struct nwf_error *err);

/* A verb returns an exit code, or a negative errno with *err set. */
typedef int nwf_verb_fn(struct nwf_cli *cli, struct nwf_error *err);

struct nwf_verb {
    const char *name; /* One word, or two; NULL ends a table. */
    const char *operands;
    const char *help;
    int min_args, max_args;
    const struct nwf_option *options; /* Ended by a row without a name; NULL: none. */
    const struct nwf_option *more;    /* Others, where it shares those with another verb. */
    bool exclusive;                   /* Changes switches by what it reads from them. */
    const bool *dry_run;              /* If that is true, it does not; NULL: never. */
    bool needs_policies;              /* Looks at ports, whose policy may stand in files. */
    nwf_verb_fn *run;
};

extern const struct nwf_verb nwf_manage_verbs[], nwf_bind_verbs[], nwf_bindings_verbs[],
    nwf_sync_verbs[], nwf_diff_verbs[], nwf_compile_verbs[], nwf_filter_verbs[],
    nwf_explain_verbs[], nwf_guard_verbs[], nwf_hook_verbs[], nwf_routed_verbs[],
    nwf_complete_verbs[];

#endif
