/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs share: options, errors, and the objects that most of them open. */
#ifndef NWF_CLI_H
#define NWF_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "nwf/keeper.h"
#include "nwf/filter_path.h"
#include "nwf/lock.h"
#include "nwf/vec.h"
#include "verb.h"

enum { NWF_EXIT_OK = 0, NWF_EXIT_ERROR = 1, NWF_EXIT_DIFFERENT = 2, NWF_EXIT_LATE = 3 };

struct nwf_common_option;

struct nwf_cli {
    /* Common options. */
    char *db;
    const char *filter_dir;
    unsigned int timeout_ms;
    uint32_t versions;
    bool json;
    bool has_key, has_certificate, has_ca; /* For a database that is reached by SSL. */

    bool help, version;

    /* What command lines are parsed by: verbs, ended by NULL, and the options of all of them. */
    const struct nwf_verb *const *tables;
    const struct nwf_common_option *common;
    size_t n_common;

    /* Operands behind the verb. */
    int argc;
    char **argv;
    int n_behind_dashes; /* How many of them stand behind "--". */

    bool never_fails;      /* What goes wrong is said, and the exit code is 0. */
    bool has_daemon;       /* It runs, and what is to be put in force is handed over to it. */
    struct nwf_lock *lock; /* NULL: none taken. */
    struct nwf_filter_path path;
    struct nwf_store *store;
    struct nwf_policies policies; /* Of verbs that look at ports. */
    struct nwf_sources sources;   /* Both. */
};

/* Takes the host's lock until the verb returns. */
int nwf_cli_lock(struct nwf_cli *cli, struct nwf_error *err);

/* Ends the process, with a line on stderr, unless it is done in nwf_cli_patience_ms() or
 * 'times' that: the last resort, should a library call never come back or input take too
 * long to compile.  Verbs that go on with another port or bridge start it anew. */
void nwf_cli_start_alarm(const struct nwf_cli *cli, unsigned int times);
unsigned int nwf_cli_patience_ms(const struct nwf_cli *cli);
/* For printing results, at a person's speed. */
void nwf_cli_stop_alarm(void);

/* One line on stderr, for what goes wrong with one port or bridge while the rest
 * goes on. */
void nwf_cli_complain(const struct nwf_error *err);

/* One line on stderr about a port, or a bridge. */
void nwf_cli_complain_of(const char *name, const char *cause);

/* The bridge called 'name' in 'bridges', or NULL and an error. */
const struct nwf_ovs_bridge *nwf_cli_find_bridge(const struct nwf_ovs_bridges *bridges,
                                                 const char *name, struct nwf_error *err);

/* The same as the database shows it now; 'bridges' is replaced. */
const struct nwf_ovs_bridge *nwf_cli_read_bridge(struct nwf_ovsdb *db, const char *name,
                                                 struct nwf_ovs_bridges *bridges,
                                                 struct nwf_error *err);

/* Names of the filters in reach, sorted, which the list owns. */
void nwf_cli_list_filters(const struct nwf_cli *cli, struct nwf_words *ret);

/* ---- Output. ---- */

/* A table of text: cells are copied, columns aligned. */
struct nwf_rows {
    const char *const *headings;
    size_t n_columns;
    NWF_VEC(char *) cells;
};

void nwf_rows_init(struct nwf_rows *rows, const char *const *headings, size_t n_columns);
void nwf_rows_add(struct nwf_rows *rows, const char *cell);
/* Prints the table, as text or as a JSON array of objects, and frees it. */
void nwf_rows_print(struct nwf_rows *rows, bool json);

/* The text as a string of JSON, quotes included: a new string. */
char *nwf_json_quote(const char *text);

#endif
