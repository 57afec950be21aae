/* SPDX-License-Identifier: Apache-2.0
 *
 * bind and unbind: a port's tags. */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "handover.h"
#include "nwf/file.h"
#include "nwf/text.h"
#include "nwf/xml.h"
#include "sync.h"
#include "tags.h"

static const char *xml;
static bool in_force, isolated;
static uint16_t limits[NWF_N_LIMITS];
static unsigned int patience_s; /* 0: as the other verbs. */

static int
parse_wait(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    int64_t seconds;

    in_force = true;
    if (argument && !nwf_parse_int(argument, 1, 86400, &seconds)) {
        return nwf_error_set(err, -EINVAL, "--%s: \"%.80s\" is not a number of seconds",
                             option->name, argument);
    }
    patience_s = argument ? (unsigned int) seconds : 0;
    return 0;
}

static int
parse_limit(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    char *what CLEANUP_FREE = nwf_asprintf("--%s", option->name);

    return nwf_limit_parse(what, argument, option->value, err);
}

static const struct nwf_option bind_options[] = {
    {"xml", "FILE", nwf_option_text, &xml, "a <filterbinding> document (- is standard input)"},
    {"isolated", NULL, nwf_option_flag, &isolated,
     "the guest exchanges no frames with other isolated guests of its bridge"},
    {"limit-broadcast", "NUMBER", parse_limit, &limits[NWF_LIMIT_BROADCAST],
     "frames for many that the guest may send a second"},
    {"limit-arp", "NUMBER", parse_limit, &limits[NWF_LIMIT_ARP],
     "ARP and neighbour discovery that the guest may send, frames a second"},
    {"limit-new", "NUMBER", parse_limit, &limits[NWF_LIMIT_NEW],
     "connections that the guest may begin a second, if its filter looks at connections"},
    {"wait", "[SECONDS]", parse_wait, NULL,
     "put them in force too, and return when they are; exit 3 if the daemon is not done in time"},
    {"sync", NULL, nwf_option_flag, &in_force, "the same as --wait"},
    {.name = NULL},
};

static int
binding_from_args(struct nwf_cli *cli, struct nwf_binding *binding, struct nwf_error *err)
{
    if (cli->argc < 2) {
        return nwf_error_set(err, -EINVAL,
                             "usage: ovs-nwfilter bind IFACE FILTER "
                             "[NAME=VALUE[,VALUE]...] | bind --xml=FILE");
    }
    *binding =
        (struct nwf_binding){.port = nwf_strdup(cli->argv[0]), .filter = nwf_strdup(cli->argv[1])};
    for (int i = 2; i < cli->argc; i++) {
        const char *equals = strchr(cli->argv[i], '=');
        if (!equals) {
            return nwf_error_set(err, -EINVAL, "\"%.80s\" is not NAME=VALUE", cli->argv[i]);
        }
        char *name CLEANUP_FREE = nwf_strndup(cli->argv[i], (size_t) (equals - cli->argv[i]));
        if (nwf_params_find(&binding->params, name)) {
            return nwf_error_set(err, -EINVAL, "variable %s is given twice", name);
        }
        int r = nwf_params_add_list(&binding->params, name, equals + 1, err);
        if (r) {
            return r;
        }
    }
    return 0;
}

static int
binding_from_file(struct nwf_cli *cli, struct nwf_binding *binding, struct nwf_error *err)
{
    char *data CLEANUP_FREE = NULL;
    size_t size;

    if (cli->argc) {
        return nwf_error_set(err, -EINVAL, "--xml takes the place of IFACE, FILTER and variables");
    }
    int r = nwf_file_read(xml, NWF_XML_MAX, &data, &size, err);
    if (r) {
        return r;
    }
    return nwf_binding_from_xml(xml, data, size, binding, err);
}

/* The old binding and its status. */
static void
remove_old_tags(struct nwf_cli_changes *changes, const struct nwf_ovs_port *port)
{
    nwf_vec_foreach (tag, &port->tags) {
        if (!strcmp(tag->key, NWF_TAG_STATUS) || !strcmp(tag->key, NWF_TAG_INSTALLED)) {
            nwf_cli_change_tag(changes, port, tag->key, NULL);
        }
    }
    nwf_cli_remove_binding(changes, port);
}

/* Checks the binding as sync will see it: with the port's own MAC, which may be NULL. */
static int
check(struct nwf_cli *cli, const struct nwf_binding *binding, const char *mac,
      struct nwf_error *err)
{
    struct nwf_binding whole = {.filter = nwf_strdup(binding->filter)};
    int r = 0;

    nwf_params_override(&whole.params, &binding->params);
    if (mac && !nwf_params_find(&whole.params, "MAC")) {
        r = nwf_params_add_list(&whole.params, "MAC", mac, err);
    }
    if (!r) {
        r = nwf_plan_check_binding(&whole, cli->store, err);
    }
    if (r) {
        nwf_error_wrap(err, "%s", binding->port);
    }
    nwf_binding_clear(&whole);
    return r;
}

/* Attempts to write while others write. */
#define TRIES_MAX 8

/* Writes the port's tags; without 'binding' it only removes those of the old one. */
static int
try_to_write(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
             const struct nwf_binding *binding, struct nwf_error *err)
{
    struct nwf_cli_changes changes CLEANUP(nwf_cli_changes_clear) = {.data = NULL};
    struct nwf_ovs_port port = {.tags.data = NULL};
    int r;

    if ((r = nwf_ovsdb_refresh(db, err)) || (r = nwf_ovsdb_interface(db, name, &port, err))) {
        return r;
    }
    remove_old_tags(&changes, &port);
    if (binding
        && ((r = nwf_cli_add_binding(&changes, &port, binding, err))
            || (r = check(cli, binding, nwf_tag_find(port.tags.data, port.tags.n, NWF_TAG_MAC),
                          err)))) {
        nwf_vec_clear(&port.tags);
        return r;
    }
    r = nwf_ovsdb_write_tags(db, changes.data, changes.n, err);
    nwf_vec_clear(&port.tags);
    return r;
}

static int
write_tags(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *name,
           const struct nwf_binding *binding, struct nwf_error *err)
{
    int r = -ESTALE;

    for (int tries = 0; r == -ESTALE && tries < TRIES_MAX; tries++) {
        nwf_error_clear(err);
        r = try_to_write(cli, db, name, binding, err);
    }
    return r;
}

/* Whether the port has the policy that was written, and no other. */
static bool
has_binding(const struct nwf_ovs_port *port, const struct nwf_binding *binding)
{
    struct nwf_cli_changes wanted CLEANUP(nwf_cli_changes_clear) = {.data = NULL};
    size_t n = 0;

    (void) nwf_cli_add_binding(&wanted, port, binding, NULL);
    nwf_vec_foreach (tag, &port->tags) {
        n += nwf_cli_is_of_binding(tag->key);
    }
    nwf_vec_foreach (change, &wanted) {
        const char *value = nwf_tag_find(port->tags.data, port->tags.n, change->key);
        if (!value || strcmp(value, change->value)) {
            return false;
        }
    }
    return n == wanted.n;
}

/* What is in force is what the database says, which somebody else may have changed since. */
static int
check_result(struct nwf_ovsdb *db, const struct nwf_binding *binding, struct nwf_error *err)
{
    struct nwf_ovs_port port = {.tags.data = NULL};
    int r;

    if ((r = nwf_ovsdb_refresh(db, err))
        || (r = nwf_ovsdb_interface(db, binding->port, &port, err))) {
        return r;
    }
    r = has_binding(&port, binding)
            ? 0
            : nwf_error_set(err, -ECANCELED, "%s: somebody else has changed its tags meanwhile",
                            binding->port);
    nwf_vec_clear(&port.tags);
    return r;
}

/* Without a daemon: a port on a bridge that is not managed gets no tags. */
static int
bind_and_sync(struct nwf_cli *cli, const struct nwf_binding *binding, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    const struct nwf_cli_sync sync = {.only = binding->port};
    char *bridge CLEANUP_FREE = NULL;
    int r;

    if ((r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err))) {
        return r;
    }
    (void) nwf_cli_restore_bridges(db);
    if ((r = nwf_cli_find_port(db, binding->port, &bridge, err))
        || (r = write_tags(cli, db, binding->port, binding, err))) {
        return r;
    }
    r = nwf_cli_sync_name(cli, db, &sync, bridge, err);
    if (r) {
        return r;
    }
    return check_result(db, binding, err);
}

static int
bind_and_hand_over(struct nwf_cli *cli, const struct nwf_binding *binding, struct nwf_error *err)
{
    unsigned int patience = patience_s ? patience_s : nwf_cli_patience_s(cli);
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    int r;

    if ((r = nwf_ovsdb_open(cli->db, binding->port, cli->timeout_ms, &db, err))
        || (r = write_tags(cli, db, binding->port, binding, err)) || !in_force) {
        return r;
    }
    r = nwf_cli_hand_over(cli, NULL, binding->port, patience, err);
    if (r) {
        return r;
    }
    return check_result(db, binding, err);
}

static int
bind_verb(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_binding binding CLEANUP(nwf_binding_clear) = {.port = NULL};
    int r;

    if ((r = xml ? binding_from_file(cli, &binding, err) : binding_from_args(cli, &binding, err))) {
        return r;
    }
    binding.isolated = isolated;
    memcpy(binding.limits, limits, sizeof limits);
    /* The lock is taken only now: others must not wait for our standard input. */
    if (in_force && (r = nwf_cli_lock(cli, err))) {
        return r;
    }
    return in_force && !cli->has_daemon ? bind_and_sync(cli, &binding, err)
                                        : bind_and_hand_over(cli, &binding, err);
}

static int
unbind_verb(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    int r = nwf_ovsdb_open(cli->db, cli->argv[0], cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    return write_tags(cli, db, cli->argv[0], NULL, err);
}

const struct nwf_verb nwf_bind_verbs[] = {
    {"bind", "IFACE FILTER [NAME=VALUE[,VALUE]...] | --xml=FILE", "write a port's tags", 0, INT_MAX,
     bind_options, .needs_policies = true, .run = bind_verb},
    {"unbind", "IFACE", "remove a port's tags", 1, 1, .run = unbind_verb},
    {.name = NULL},
};
