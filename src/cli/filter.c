/* SPDX-License-Identifier: Apache-2.0
 *
 * filter list|show|check|define|undefine. */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "nwf/file.h"
#include "nwf/masks.h"
#include "nwf/policy_files.h"
#include "nwf/reach.h"
#include "nwf/text.h"
#include "nwf/xml.h"

/* ---- list, show. ---- */

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool
has_name(const struct nwf_words *names, const char *name)
{
    nwf_vec_foreach (other, names) {
        if (!strcmp(*other, name)) {
            return true;
        }
    }
    return false;
}

static void
add_names(const char *dir, struct nwf_words *names)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;

    while (d && (entry = readdir(d))) {
        size_t n = strlen(entry->d_name);
        if (n > 4 && !strcmp(entry->d_name + n - 4, ".xml")) {
            char *name = nwf_strndup(entry->d_name, n - 4);
            if (nwf_text_is_name(name, "_.-", NWF_NAME_MAX) && !has_name(names, name)) {
                nwf_vec_push(names, name);
            } else {
                free(name);
            }
        }
    }
    if (d) {
        closedir(d);
    }
}

static void
add_row(struct nwf_cli *cli, struct nwf_rows *rows, const char *name)
{
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_filter *filter = NULL;
    int r = nwf_store_get(cli->store, name, &filter, &err);

    nwf_rows_add(rows, name);
    nwf_rows_add(rows, r ? "" : filter->chain);
    nwf_rows_add(rows, r ? nwf_error_text(&err) : filter->file);
    nwf_error_clear(&err);
}

void
nwf_cli_list_filters(const struct nwf_cli *cli, struct nwf_words *ret)
{
    nwf_vec_foreach (dir, &cli->path) {
        add_names(*dir, ret);
    }
    if (ret->n) {
        qsort(ret->data, ret->n, sizeof ret->data[0], compare_names);
    }
}

static int
list(struct nwf_cli *cli, struct nwf_error *err)
{
    static const char *const headings[] = {"name", "chain", "file"};
    struct nwf_words names = {.data = NULL};
    struct nwf_rows rows;

    (void) err;
    nwf_cli_list_filters(cli, &names);
    nwf_rows_init(&rows, headings, 3);
    nwf_vec_foreach (name, &names) {
        add_row(cli, &rows, *name);
    }
    nwf_words_clear(&names);
    nwf_rows_print(&rows, cli->json);
    return NWF_EXIT_OK;
}

static int
show(struct nwf_cli *cli, struct nwf_error *err)
{
    char *path CLEANUP_FREE = NULL, *data CLEANUP_FREE = NULL;
    const struct nwf_filter *filter;
    size_t size;
    int r = nwf_store_get(cli->store, cli->argv[1], &filter, err);

    if (!r) {
        r = nwf_filter_path_read(&cli->path, cli->argv[1], &path, &data, &size, err);
    }
    if (r) {
        nwf_error_wrap(err, "filter %.80s", cli->argv[1]);
        return r;
    }
    nwf_cli_stop_alarm();
    fwrite(data, 1, size, stdout);
    return NWF_EXIT_OK;
}

/* ---- check. ---- */

/* Compiles the filter with stand-ins for its variables. */
static int
check_filter(struct nwf_cli *cli, const struct nwf_filter *filter, struct nwf_params *needed,
             struct nwf_error *err)
{
    struct nwf_binding binding = {.filter = nwf_strdup(filter->name)};
    int r = nwf_filter_stand_ins(cli->store, filter, needed, err);

    if (!r) {
        nwf_params_override(&binding.params, needed);
        r = nwf_plan_check_binding(&binding, cli->store, err);
    }
    nwf_binding_clear(&binding);
    return r;
}

/* A store that knows what is read into it by another name than the search path's. */
static void
start_store(struct nwf_cli *cli)
{
    nwf_store_free(cli->store);
    cli->store = nwf_store_new(nwf_filter_path_read, &cli->path);
}

/* Reads a filter out of a file.  It stands for its name from here on, whatever the search
 * path has. */
static int
load(struct nwf_cli *cli, const char *word, const struct nwf_filter **ret, char **ret_data,
     size_t *ret_size, struct nwf_error *err)
{
    int r = nwf_file_read(word, NWF_XML_MAX, ret_data, ret_size, err);

    if (r) {
        return r;
    }
    return nwf_store_put(cli->store, word, *ret_data, *ret_size, ret, err);
}

static void
print_note(void *aux, const char *file, unsigned int line, const char *text)
{
    char *clean CLEANUP_FREE = nwf_text_clean(file, NWF_ERROR_MAX);

    (void) aux;
    printf("  %s:%u: note: %s\n", clean, line, text);
}

/* A word that could be a path is one. */
static bool
is_file(const char *word)
{
    return strchr(word, '/') || !strcmp(word, "-") || strstr(word, ".xml");
}

/* Whoever looks for the filter looks for a file of its name. */
static void
note_misnamed(const char *file, const struct nwf_filter *filter)
{
    char *name CLEANUP_FREE = nwf_asprintf("%s.xml", filter->name);
    const char *slash = strrchr(file, '/');

    if (strcmp(file, "-") && strcmp(slash ? slash + 1 : file, name)) {
        printf("  %s: note: only a file called %s is found as the filter %s\n", file, name,
               filter->name);
    }
}

static void
note_masks(uint64_t n, const struct nwf_filter *filter)
{
    char *file CLEANUP_FREE = nwf_text_clean(filter->file, NWF_ERROR_MAX);

    if (n > NWF_MASKS_GOOD) {
        printf(
            "  %s: note: a guest that makes up addresses and ports can leave about %llu masks in "
            "the datapath's cache, which slows down everybody's packets\n",
            file, (unsigned long long) n);
    }
}

static int
check_one(struct nwf_cli *cli, const struct nwf_filter *filter, const char *file,
          struct nwf_error *err)
{
    struct nwf_params needed CLEANUP(nwf_params_clear) = {.list.data = NULL};
    int r = check_filter(cli, filter, &needed, err);

    if (r) {
        return r;
    }
    printf("%s: good", filter->name);
    nwf_vec_foreach (param, &needed.list) {
        printf("%s%s", param == needed.list.data ? "; needs " : ", ", param->name);
    }
    putchar('\n');
    if (file) {
        note_misnamed(file, filter);
    }
    nwf_filter_notes(cli->store, filter, print_note, NULL);
    nwf_filter_unreached(cli->store, filter, &needed, print_note, NULL);
    note_masks(nwf_filter_masks(cli->store, filter, &needed), filter);
    return NWF_EXIT_OK;
}

/* Gets the filter that 'word' names, or that is in the file of that name. */
static int
find_word(struct nwf_cli *cli, const char *word, const struct nwf_filter **ret,
          struct nwf_error *err)
{
    char *data CLEANUP_FREE = NULL;
    size_t size;

    if (is_file(word)) {
        return load(cli, word, ret, &data, &size, err);
    }
    int r = nwf_store_get(cli->store, word, ret, err);
    if (r) {
        nwf_error_wrap(err, "filter %.80s", word);
    }
    return r;
}

/* Files that are named together are there before any filter that may refer to them. */
static int
check(struct nwf_cli *cli, struct nwf_error *err)
{
    size_t n = (size_t) cli->argc;
    const struct nwf_filter **filters CLEANUP_FREE = nwf_zalloc(n * sizeof(struct nwf_filter *));
    struct nwf_error *errors CLEANUP_FREE = nwf_zalloc(n * sizeof *errors);
    int worst = NWF_EXIT_OK;

    (void) err;
    start_store(cli);
    for (int files = 1; files >= 0; files--) {
        for (size_t i = 1; i < n; i++) {
            if (is_file(cli->argv[i]) == files) {
                find_word(cli, cli->argv[i], &filters[i], &errors[i]);
            }
        }
    }
    for (size_t i = 1; i < n; i++) {
        const char *word = cli->argv[i];
        if (!filters[i] || check_one(cli, filters[i], is_file(word) ? word : NULL, &errors[i])) {
            nwf_cli_complain(&errors[i]);
            worst = NWF_EXIT_ERROR;
        }
        nwf_error_clear(&errors[i]);
    }
    return worst;
}

/* ---- define, undefine. ---- */

/* Makes 'dir' and what is above it. */
static int
make_dirs(const char *dir, struct nwf_error *err)
{
    char *path CLEANUP_FREE = nwf_strdup(dir);

    for (char *p = path + 1;; p++) {
        if (*p == '/' || !*p) {
            char end = *p;
            *p = '\0';
            if (mkdir(path, 0755) < 0 && errno != EEXIST) {
                return nwf_error_set(err, -errno, "%s: %s", path, strerror(errno));
            }
            *p = end;
            if (!end) {
                return 0;
            }
        }
    }
}

static int
define(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_params needed CLEANUP(nwf_params_clear) = {.list.data = NULL};
    char *data CLEANUP_FREE = NULL;
    char *dir CLEANUP_FREE = nwf_filter_path_own();
    const struct nwf_filter *filter;
    size_t size;

    start_store(cli);
    int r = load(cli, cli->argv[1], &filter, &data, &size, err);
    if (!r) {
        r = check_filter(cli, filter, &needed, err);
    }
    if (!r) {
        r = make_dirs(dir, err);
    }
    if (r) {
        return r;
    }
    char *path CLEANUP_FREE = nwf_asprintf("%s/%s.xml", dir, filter->name);
    r = nwf_file_write(path, data, size, err);
    if (!r) {
        char *clean CLEANUP_FREE = nwf_text_clean(path, NWF_ERROR_MAX);
        printf("%s: defined in %s; sync puts it in force\n", filter->name, clean);
    }
    return r;
}

/* Without the database's socket there is no Open vSwitch, and nobody can be using a filter. */
static bool
has_database(const struct nwf_cli *cli)
{
    const char *socket = !strncmp(cli->db, "unix:", 5) ? cli->db + 5 : NULL;

    return !socket || strchr(socket, ',') || access(socket, F_OK) == 0 || errno != ENOENT;
}

/* Whether 'filter', which 'user' is bound to, is 'name' or refers to it. */
static int
check_user(struct nwf_cli *cli, const char *user, const char *filter, const char *name,
           struct nwf_error *err)
{
    char *way CLEANUP_FREE = nwf_store_find_reference(cli->store, filter, name);

    if (!way) {
        return 0;
    }
    return strcmp(filter, name)
               ? nwf_error_set(err, -EBUSY, "filter %s: %s is bound to it by way of %s", name, user,
                               way)
               : nwf_error_set(err, -EBUSY, "filter %s: %s is bound to it", name, user);
}

static int
check_port(struct nwf_cli *cli, const struct nwf_ovs_port *port, const char *name,
           struct nwf_error *err)
{
    char *user CLEANUP_FREE = nwf_asprintf("port %s", port->name);

    nwf_vec_foreach (tag, &port->tags) {
        bool is_filter = !strcmp(tag->key, NWF_TAG_FILTER) || !strcmp(tag->key, NWF_TAG_PROFILE);
        int r = is_filter ? check_user(cli, user, tag->value, name, err) : 0;
        if (r) {
            return r;
        }
    }
    return 0;
}

static int
check_bridge(struct nwf_cli *cli, const struct nwf_ovs_bridge *bridge, const char *name,
             struct nwf_error *err)
{
    const char *filter = bridge->config.default_filter;

    if (filter && *filter) {
        char *user CLEANUP_FREE =
            nwf_asprintf("guests of bridge %s without a filter", bridge->name);
        int r = check_user(cli, user, filter, name, err);
        if (r) {
            return r;
        }
    }
    nwf_vec_foreach (port, &bridge->ports) {
        int r = check_port(cli, port, name, err);
        if (r) {
            return r;
        }
    }
    return 0;
}

static int
check_policies(struct nwf_cli *cli, const char *name, struct nwf_error *err)
{
    nwf_policies_load(&cli->policies);
    if (cli->policies.broken.text) {
        return nwf_error_set(err, -EINVAL, "filter %s: cannot tell whether it is in use: %s", name,
                             nwf_error_text(&cli->policies.broken));
    }
    nwf_vec_foreach (policy, &cli->policies.list) {
        int r = check_user(cli, policy->place, policy->binding.filter, name, err);
        if (r) {
            return r;
        }
    }
    return 0;
}

static int
check_unused(struct nwf_cli *cli, const char *name, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};

    int r = check_policies(cli, name, err);
    if (r || !has_database(cli)) {
        return r;
    }
    r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);
    if (r) {
        nwf_error_wrap(err, "filter %s: cannot tell whether a port is bound to it", name);
        return r;
    }
    nwf_ovsdb_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if ((r = check_bridge(cli, bridge, name, err))) {
            return r;
        }
    }
    return 0;
}

static int
undefine(struct nwf_cli *cli, struct nwf_error *err)
{
    const char *name = cli->argv[1];
    char *dir CLEANUP_FREE = nwf_filter_path_own();
    char *path CLEANUP_FREE = nwf_asprintf("%s/%s.xml", dir, name);

    int r = nwf_filter_check_name(name, err);
    if (r) {
        return r;
    }
    if (access(path, F_OK) < 0) {
        return nwf_error_set(err, -ENOENT, "filter %s: not defined in %s", name, dir);
    }
    r = check_unused(cli, name, err);
    if (!r && unlink(path) < 0) {
        r = nwf_error_set(err, -errno, "%s: %s", path, strerror(errno));
    }
    return r;
}

static int
filter_verb(struct nwf_cli *cli, struct nwf_error *err)
{
    static const struct {
        const char *name;
        int min_args, max_args;
        nwf_verb_fn *run;
    } verbs[] = {
        {"list", 0, 0, list},     {"show", 1, 1, show},         {"check", 1, INT_MAX, check},
        {"define", 1, 1, define}, {"undefine", 1, 1, undefine},
    };

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (!strcmp(verbs[i].name, cli->argv[0]) && cli->argc - 1 >= verbs[i].min_args
            && cli->argc - 1 <= verbs[i].max_args) {
            return verbs[i].run(cli, err);
        }
    }
    return nwf_error_set(err, -EINVAL,
                         "usage: ovs-nwfilter filter list | show NAME | check NAME|FILE... | "
                         "define FILE | undefine NAME");
}

const struct nwf_verb nwf_filter_verbs[] = {
    {"filter", "list | show NAME | check NAME|FILE... | define FILE | undefine NAME",
     "the filters in reach", 1, INT_MAX, .run = filter_verb},
    {.name = NULL},
};
