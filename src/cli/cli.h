/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs share: options, errors, and the objects that most of them open. */
#ifndef NWF_CLI_H
#define NWF_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "nwf/engine.h"
#include "nwf/filter_path.h"
#include "nwf/lock.h"
#include "nwf/vec.h"

enum { NWF_EXIT_OK = 0, NWF_EXIT_ERROR = 1, NWF_EXIT_DIFFERENT = 2 };

struct nwf_words {
    const char **data;
    size_t n, allocated;
};

struct nwf_cli {
    /* Common options. */
    char *db;
    const char *filter_dir;
    unsigned int timeout_ms;
    uint32_t versions;
    bool json;

    /* Options of single verbs. */
    bool audit, dry_run, full, forward_bpdu, live, sync, only_ports;
    const char *xml, *bindings, *ct;
    const char *guests, *rest, *default_filter; /* NULL: not given. */
    const char *only; /* Of a bridge's ports, the one whose state is the result's. */
    struct nwf_words trusted, ports, ofports, tags, trunks;

    /* Operands behind the verb. */
    int argc;
    char **argv;

    struct nwf_lock *lock; /* NULL: none taken. */
    struct nwf_filter_path path;
    struct nwf_store *store;
};

/* A verb returns an exit code, or a negative errno with *err set. */
typedef int nwf_verb_fn(struct nwf_cli *cli, struct nwf_error *err);

nwf_verb_fn nwf_verb_manage, nwf_verb_unmanage;
nwf_verb_fn nwf_verb_bind, nwf_verb_unbind, nwf_verb_bindings;
nwf_verb_fn nwf_verb_sync, nwf_verb_diff;
nwf_verb_fn nwf_verb_compile;
nwf_verb_fn nwf_verb_filter;
nwf_verb_fn nwf_verb_explain;

/* Takes the host's lock until the verb returns. */
int nwf_cli_lock(struct nwf_cli *cli, struct nwf_error *err);

/* The last resort, should a library call never come back.  Verbs that go on with another
 * port or bridge start it anew. */
void nwf_cli_start_alarm(const struct nwf_cli *cli);

/* One line on stderr, for what goes wrong with one port or bridge while the rest
 * goes on. */
void nwf_cli_complain(const struct nwf_error *err);

/* One line on stderr about a port, or a bridge. */
void nwf_cli_complain_of(const char *name, const char *cause);

/* Synchronises one bridge and prints what that did; see sync.c.  -EAGAIN: somebody has changed
 * its rows meanwhile, and 'last' was not set. */
int nwf_cli_sync_bridge(struct nwf_cli *cli, struct nwf_ovsdb *db,
                        const struct nwf_ovs_bridge *bridge, bool last, struct nwf_error *err);

/* The same for the bridge called 'name', read as often as it changes meanwhile. */
int nwf_cli_sync_name(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
                      struct nwf_error *err);

/* Synchronises a port alone, or its bridge if that is needed, and prints what that did;
 * see sync_port.c. */
int nwf_cli_sync_port(struct nwf_cli *cli, const char *name, struct nwf_error *err);

/* Of a port that was to be bound. */
#define NWF_NOT_FILTERED "a trusted port, the bridge's own and a mirror's output are not filtered"

/* The two halves of it.  The first changes nothing if the port's own flows are not all there
 * is to do: then *ret_bridge, the caller's to free, becomes its bridge's name.  So it does
 * with -ECANCELED, if its tags have changed after its flows. */
int nwf_cli_sync_alone(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
                       char **ret_bridge, struct nwf_error *err);
int nwf_cli_sync_whole(const struct nwf_cli *cli, char *bridge, const char *port,
                       struct nwf_error *err);

/* "sync" of the bridges that the operands name, or all managed ones. */
nwf_verb_fn nwf_cli_sync_bridges;

/* Shows a change in a dry run: '-' what only the switch has, '+' what it should have, as
 * ovs-ofctl diff-flows. */
nwf_sync_report_fn nwf_cli_print_change;

/* The bridge called 'name' in 'bridges', or NULL and an error. */
const struct nwf_ovs_bridge *nwf_cli_find_bridge(const struct nwf_ovs_bridges *bridges,
                                                 const char *name, struct nwf_error *err);

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
