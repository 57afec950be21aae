/* SPDX-License-Identifier: Apache-2.0
 *
 * bind and unbind: a port's tags. */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "nwf/file.h"
#include "nwf/text.h"
#include "nwf/xml.h"
#include "sync.h"

static const char *xml;
static bool in_force;

static const struct nwf_option bind_options[] = {
    {"xml", "FILE", nwf_option_text, &xml, "a <filterbinding> document (- is standard input)"},
    {"sync", NULL, nwf_option_flag, &in_force, "put them in force too, as sync --port=IFACE does"},
    {.name = NULL},
};

/* What --sync stands for. */
static const struct nwf_cli_sync sync_bound = {.must_be_guest = true};

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
    return r ? r : nwf_binding_from_xml(xml, data, size, binding, err);
}

/* The tags that 'binding' stands for; values are the caller's to free. */
struct tag_changes {
    struct nwf_tag_change *data;
    size_t n, allocated;
};

static void
set_tag(struct tag_changes *changes, const struct nwf_ovs_port *port, char *key, char *value)
{
    nwf_vec_push(changes,
                 (struct nwf_tag_change){.interface = &port->uuid, .key = key, .value = value});
}

/* The old binding and its status.  What sync has noted about the switch stays until sync has
 * changed that; the rest is not ours. */
static bool
is_outdated(const char *key)
{
    return !strcmp(key, NWF_TAG_STATUS) || !strcmp(key, NWF_TAG_INSTALLED)
           || (nwf_tag_is_policy(key) && strcmp(key, NWF_TAG_MAC) && strcmp(key, NWF_TAG_PROFILE));
}

static void
remove_old_tags(struct tag_changes *changes, const struct nwf_ovs_port *port)
{
    nwf_vec_foreach (tag, &port->tags) {
        if (is_outdated(tag->key)) {
            set_tag(changes, port, nwf_strdup(tag->key), NULL);
        }
    }
}

/* The variable's tag; what sync would refuse to read is not written. */
static int
format_value(const struct nwf_param *param, char **ret, struct nwf_error *err)
{
    size_t len = 0;

    nwf_vec_foreach (value, &param->values) {
        len += strlen(*value) + 1;
    }
    if (len - 1 > NWF_TAG_MAX) {
        return nwf_error_set(err, -E2BIG, "variable %s: longer than %d characters", param->name,
                             NWF_TAG_MAX);
    }
    char *text = nwf_zalloc(len), *end = text;
    nwf_vec_foreach (value, &param->values) {
        end = stpcpy(end, *value);
        *end++ = ',';
    }
    end[-1] = '\0';
    *ret = text;
    return 0;
}

static int
add_new_tags(struct tag_changes *changes, const struct nwf_ovs_port *port,
             const struct nwf_binding *binding, struct nwf_error *err)
{
    set_tag(changes, port, nwf_strdup(NWF_TAG_FILTER), nwf_strdup(binding->filter));
    nwf_vec_foreach (param, &binding->params.list) {
        char *key CLEANUP_FREE = nwf_asprintf("%s%s", NWF_TAG_VARIABLE, param->name);
        char *value = NULL;
        int r = !strcmp(key, NWF_TAG_STATUS)
                    ? nwf_error_set(err, -EINVAL,
                                    "a variable cannot have this name: the tag %s is "
                                    "for something else",
                                    key)
                    : format_value(param, &value, err);
        if (r) {
            nwf_error_wrap(err, "%s", binding->port);
            return r;
        }
        set_tag(changes, port, TAKE_PTR(key), value);
    }
    return 0;
}

static void
changes_clear(struct tag_changes *changes)
{
    nwf_vec_foreach (change, changes) {
        free((char *) change->key);
        free((char *) change->value);
    }
    nwf_vec_clear(changes);
}

static int
open_port(struct nwf_cli *cli, const char *name, struct nwf_ovsdb **ret_db,
          struct nwf_ovs_port *ret_port, struct nwf_error *err)
{
    int r = nwf_ovsdb_open_port(cli->db, cli->timeout_ms, name, ret_db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_port(*ret_db, ret_port);
    return 0;
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

/* A guest's flows come first, its tags with the status: until the new policy is in force,
 * the database has the old one, and ovs-vswitchd, which looks at all ports whenever one's
 * tags have changed, is not busy.  *ret_bridge becomes the bridge that has to be
 * synchronised as a whole, which is for after the tags. */
static int
bind_in_force(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct tag_changes *changes,
              const char *port, char **ret_bridge, struct nwf_error *err)
{
    nwf_ovsdb_stage_tags(db, changes->data, changes->n);
    return nwf_cli_sync_alone(cli, db, &sync_bound, port, ret_bridge, err);
}

/* Somebody else has written tags after the flows of ours: theirs are put in force. */
static int
give_way(const struct nwf_cli *cli, char *bridge, const char *port, struct nwf_error *err)
{
    nwf_cli_complain(err);
    nwf_error_clear(err);
    int r = nwf_cli_sync_whole(cli, &sync_bound, bridge, port, err);
    return r < 0 ? r : NWF_EXIT_ERROR;
}

static int
bind_port(struct nwf_cli *cli, const struct nwf_binding *binding, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct tag_changes changes CLEANUP(changes_clear) = {.data = NULL};
    char *bridge CLEANUP_FREE = NULL, *mac CLEANUP_FREE = NULL;
    struct nwf_ovs_port port;
    int r = open_port(cli, binding->port, &db, &port, err);

    if (r) {
        return r;
    }
    const char *attached = nwf_tag_find(port.tags.data, port.tags.n, NWF_TAG_MAC);
    mac = attached ? nwf_strdup(attached) : NULL;
    remove_old_tags(&changes, &port);
    nwf_vec_clear(&port.tags);
    r = add_new_tags(&changes, &port, binding, err);
    if (!r && in_force) {
        r = bind_in_force(cli, db, &changes, binding->port, &bridge, err);
    }
    if (r == -ECANCELED && bridge) {
        return give_way(cli, bridge, binding->port, err);
    }
    if (r || (in_force && !bridge)) {
        return r; /* A filter that is in force needs no check. */
    }
    r = check(cli, binding, mac, err);
    r = r ? r : nwf_ovsdb_write_tags(db, changes.data, changes.n, err);
    return r || !bridge ? r : nwf_cli_sync_whole(cli, &sync_bound, bridge, binding->port, err);
}

static int
bind_verb(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_binding binding CLEANUP(nwf_binding_clear) = {.port = NULL};
    int r = xml ? binding_from_file(cli, &binding, err) : binding_from_args(cli, &binding, err);

    /* Nobody waits for what comes from standard input. */
    if (!r && in_force) {
        r = nwf_cli_lock(cli, err);
    }
    return r ? r : bind_port(cli, &binding, err);
}

static int
unbind_verb(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct tag_changes changes CLEANUP(changes_clear) = {.data = NULL};
    struct nwf_ovs_port port;
    int r = open_port(cli, cli->argv[0], &db, &port, err);

    if (r) {
        return r;
    }
    remove_old_tags(&changes, &port);
    r = nwf_ovsdb_write_tags(db, changes.data, changes.n, err);
    nwf_vec_clear(&port.tags);
    return r;
}

const struct nwf_verb nwf_bind_verbs[] = {
    {"bind", "IFACE FILTER [NAME=VALUE[,VALUE]...] | --xml=FILE", "write a port's tags", 0, INT_MAX,
     bind_options, .needs_policies = true, .run = bind_verb},
    {"unbind", "IFACE", "remove a port's tags", 1, 1, .run = unbind_verb},
    {.name = NULL},
};
