/* SPDX-License-Identifier: Apache-2.0
 *
 * hook qemu: what QEMU runs for "-netdev tap,script=FILE,downscript=FILE", with the name of the
 * interface that it has just made.
 *
 * QEMU waits for the script, and does not start the guest if it fails.  So the port is put onto the
 * bridge with its policy, in one transaction, and the interface is set up only once the switch
 * enforces that. */
#include <config.h>

#include "hook.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../cli/sync.h"
#include "../cli/tags.h"
#include "nwf/text.h"
#include "ports.h"

/* What tells ports that are made here from all others, which are not ours to remove.  It is no
 * policy: nothing else reads it. */
#define MARK "ovs-nwfilter-hook"
#define MARK_VALUE "qemu"

static const char *bridge_name;
static bool down;
static int vlan = -1;

static int
parse_vlan(const struct nwf_option *option, const char *argument, struct nwf_error *err)
{
    int64_t number;

    if (strspn(argument, "0123456789") != strlen(argument)
        || !nwf_parse_int(argument, 0, NWF_N_VLANS - 1, &number)) {
        return nwf_error_set(err, -EINVAL, "--%s: \"%.80s\" is not a VLAN", option->name, argument);
    }
    vlan = (int) number;
    return 0;
}

const struct nwf_option nwf_hook_qemu_options[] = {
    {"bridge", "BRIDGE", nwf_option_text, &bridge_name, "put the interface onto this bridge"},
    {"vlan", "VLAN", parse_vlan, NULL, "as an access port of this VLAN"},
    {"down", NULL, nwf_option_flag, &down, "take it off again: for downscript"},
    {.name = NULL},
};

/* ---- What the command line says. ---- */

struct wanted {
    const char *port;
    struct nwf_binding binding;  /* Without a filter: that of policy files, or of the bridge. */
    struct nwf_cli_changes tags; /* Of a row that is not there yet. */
};

static void
wanted_clear(struct wanted *wanted)
{
    nwf_binding_clear(&wanted->binding);
    nwf_cli_changes_clear(&wanted->tags);
}

static int
take_variable(struct wanted *wanted, const char *word, struct nwf_error *err)
{
    const char *equals = strchr(word, '=');

    if (!equals) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is not NAME=VALUE", word);
    }
    char *name CLEANUP_FREE = nwf_strndup(word, (size_t) (equals - word));
    if (nwf_params_find(&wanted->binding.params, name)) {
        return nwf_error_set(err, -EINVAL, "variable %s is given twice", name);
    }
    return nwf_params_add_list(&wanted->binding.params, name, equals + 1, err);
}

/* The first of MAC is the guest's own.  An identity makes the port a guest's, whatever its name
 * is and whether there is a filter or not. */
static int
add_tags(struct wanted *wanted, struct nwf_error *err)
{
    const struct nwf_param *mac = nwf_params_find(&wanted->binding.params, "MAC");
    const struct nwf_ovs_port port = {.name = wanted->port};

    if (mac) {
        nwf_cli_change_tag(&wanted->tags, &port, NWF_TAG_MAC, mac->values.data[0]);
    }
    nwf_cli_change_tag(&wanted->tags, &port, "iface-id", wanted->port);
    nwf_cli_change_tag(&wanted->tags, &port, MARK, MARK_VALUE);
    return nwf_cli_add_binding(&wanted->tags, &port, &wanted->binding, err);
}

static int
read_words(struct nwf_cli *cli, struct wanted *wanted, struct nwf_error *err)
{
    int first = cli->argc > 1 && !strchr(cli->argv[1], '=') ? 2 : 1, r;

    wanted->port = cli->argv[0];
    if (!*wanted->port || strlen(wanted->port) >= IFNAMSIZ) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is not an interface's name", wanted->port);
    }
    if (first == 2) {
        wanted->binding.filter = nwf_strdup(cli->argv[1]);
    }
    for (int i = first; i < cli->argc; i++) {
        if ((r = take_variable(wanted, cli->argv[i], err))) {
            return r;
        }
    }
    if ((r = add_tags(wanted, err)) || !wanted->binding.filter) {
        return r;
    }
    r = nwf_plan_check_binding(&wanted->binding, cli->store, err);
    return r ? nwf_error_wrap(err, "%s", wanted->port) : 0;
}

/* ---- The database. ---- */

/* The port of this name among those of the bridge, in ret->port; that is NULL if there is none. */
static void
find_on(const struct nwf_ovs_bridge *bridge, const char *name, struct nwf_ovs_ref *ret)
{
    struct nwf_ovs_refs refs;

    *ret = (struct nwf_ovs_ref){.port = NULL};
    nwf_ovs_list_ports(bridge, &refs);
    nwf_vec_foreach (ref, &refs) {
        if (!ref->is_member && !strcmp(nwf_ovs_ref_name(ref), name)) {
            *ret = *ref;
        }
    }
    nwf_vec_clear(&refs);
}

static bool
is_another_machine(const struct nwf_ovs_port *port)
{
    static const char *const keys[] = {"vm-id", "vm-uuid", "xs-vm-uuid", "xs-vif-uuid"};
    const char *id = nwf_tag_find(port->tags.data, port->tags.n, "iface-id");

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (nwf_tag_find(port->tags.data, port->tags.n, keys[i])) {
            return true;
        }
    }
    return !id || strcmp(id, port->name);
}

/* Why the port is not one that has been made here, and nobody has made something else of since;
 * NULL: it is. */
static const char *
find_owner(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_port *port)
{
    const char *mark = nwf_tag_find(port->tags.data, port->tags.n, MARK);

    if (!strcmp(port->name, bridge->name)) {
        return "it is the bridge's own port";
    }
    if (nwf_is_named_trusted(&bridge->config, port->name)) {
        return "it is a trusted port";
    }
    if (!mark || strcmp(mark, MARK_VALUE)) {
        return "\"hook qemu\" has not made it";
    }
    return is_another_machine(port) ? "its tags say that it is another machine's" : NULL;
}

static int
check_own(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_ref *ref, struct nwf_error *err)
{
    struct nwf_ovs_port port CLEANUP(nwf_ovs_port_clear) = {.name = NULL};

    nwf_ovs_read_port(bridge, ref, &port);
    const char *cause = find_owner(bridge, &port);
    return cause ? nwf_error_set(err, -EEXIST, "%.80s: a port of bridge %s that stays as it is: %s",
                                 port.name, bridge->name, cause)
                 : 0;
}

static int
remove_from(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, const char *port, bool wait,
            struct nwf_error *err)
{
    struct nwf_ovs_ref ref;
    int r;

    find_on(bridge, port, &ref);
    if (!ref.port) {
        return 0;
    }
    if ((r = check_own(bridge, &ref, err))) {
        return r;
    }
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = nwf_txn_new(db);
    nwf_txn_remove_port(txn, bridge, &ref);
    if (wait) {
        nwf_txn_wait_for_vswitchd(txn);
    }
    return nwf_ovsdb_commit(db, txn, err);
}

/* Takes the port off the bridge if it is there, and may wait until ovs-vswitchd has done that.  One
 * that is not ours is an error. */
static int
remove_port(struct nwf_ovsdb *db, const char *port, bool wait, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    int r = nwf_ovsdb_refresh(db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bare_bridges(db, &bridges);
    const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(&bridges, bridge_name, err);
    return bridge ? remove_from(db, bridge, port, wait, err) : -ENOENT;
}

/* It may be a port of another bridge, or a member of a bond. */
static bool
is_taken(struct nwf_ovsdb *db, const char *name)
{
    struct nwf_ovs_port row = {.name = NULL};
    int r = nwf_ovsdb_interface(db, name, &row, NULL);

    nwf_vec_clear(&row.tags);
    return !r;
}

static int
write_port(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, const struct wanted *wanted,
           struct nwf_error *err)
{
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = nwf_txn_new(db);
    NWF_VEC(struct nwf_tag) tags = {.data = NULL};

    nwf_vec_foreach (change, &wanted->tags) {
        if (change->value) {
            nwf_vec_push(&tags, (struct nwf_tag){change->key, change->value});
        }
    }
    nwf_txn_add_port(txn, bridge, wanted->port, tags.data, tags.n, vlan);
    nwf_vec_clear(&tags);
    nwf_txn_wait_for_vswitchd(txn);
    return nwf_ovsdb_commit(db, txn, err);
}

static int
add_port(struct nwf_ovsdb *db, const struct wanted *wanted, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    int r = nwf_ovsdb_refresh(db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bare_bridges(db, &bridges);
    const struct nwf_ovs_bridge *bridge = nwf_cli_find_bridge(&bridges, bridge_name, err);
    if (!bridge) {
        return -ENOENT;
    }
    if (bridge->config.managed == NWF_UNMANAGED) {
        return nwf_error_set(err, -EINVAL,
                             "%.80s: bridge %s is not managed; see ovs-nwfilter manage",
                             wanted->port, bridge->name);
    }
    if (is_taken(db, wanted->port)) {
        return nwf_error_set(err, -EEXIST, "%.80s: it is a port elsewhere already", wanted->port);
    }
    r = write_port(db, bridge, wanted, err);
    return r ? nwf_error_wrap(err, "%.80s", wanted->port) : 0;
}

/* ---- The interface. ---- */

static int
set_up(const char *name, struct nwf_error *err)
{
    struct ifreq request = {.ifr_flags = 0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return nwf_error_set(err, -errno, "%s: %s", name, strerror(errno));
    }
    strcpy(request.ifr_name, name);
    int r = ioctl(fd, SIOCGIFFLAGS, &request);
    if (!r) {
        request.ifr_flags |= IFF_UP;
        r = ioctl(fd, SIOCSIFFLAGS, &request);
    }
    r = r ? nwf_error_set(err, -errno, "%s: it cannot be set up: %s", name, strerror(errno)) : 0;
    close(fd);
    return r;
}

/* ---- Up and down. ---- */

/* Enforced, and only then up. */
static int
bring_up(struct nwf_cli *cli, const char *port, struct nwf_error *err)
{
    int r = nwf_hook_enforce_port(cli, port, err);

    if (r) {
        return r;
    }
    return set_up(port, err);
}

/* The first error is the one that is told, unless the port stays. */
static void
undo(struct nwf_cli *cli, struct nwf_ovsdb *db, const char *port)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (remove_port(db, port, false, &err)) {
        nwf_cli_complain(&err);
    } else {
        (void) nwf_hook_tidy(cli, bridge_name, &err);
    }
    nwf_error_clear(&err);
}

/* What a QEMU that was killed has left is another interface's port, and is not kept. */
static int
put_on(struct nwf_cli *cli, struct nwf_ovsdb *db, const struct wanted *wanted,
       struct nwf_error *err)
{
    int r = remove_port(db, wanted->port, true, err);

    if (r) {
        return r;
    }
    if ((r = add_port(db, wanted, err)) || (r = bring_up(cli, wanted->port, err))) {
        undo(cli, db, wanted->port);
    }
    return r;
}

static int
take_down(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    int r;

    if (cli->argc != 1) {
        return nwf_error_set(err, -EINVAL, "--down takes no filter and no variables");
    }
    if ((r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err))
        || (r = remove_port(db, cli->argv[0], true, err))) {
        return r;
    }
    return nwf_hook_tidy(cli, bridge_name, err);
}

int
nwf_hook_qemu(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct wanted wanted CLEANUP(wanted_clear) = {.port = NULL};
    int r;

    if (!bridge_name) {
        return nwf_error_set(err, -EINVAL, "--bridge is missing; see hook qemu --help");
    }
    if (down) {
        return take_down(cli, err);
    }
    if ((r = read_words(cli, &wanted, err))
        || (r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err))) {
        return r;
    }
    if (!cli->has_daemon) {
        (void) nwf_cli_restore_bridges(db);
    }
    return put_on(cli, db, &wanted, err);
}
