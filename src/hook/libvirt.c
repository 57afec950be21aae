/* SPDX-License-Identifier: Apache-2.0
 *
 * hook libvirt: what libvirt runs when a domain starts and stops (libvirt's "Hooks for specific
 * system management"), with the domain's document on standard input.
 *
 * At "start begin" the domain's ports are in the switch, and QEMU does not exist.  An error there
 * keeps the domain from starting, and libvirt shows what is on stderr.  An error at "reconnect"
 * would end a domain that runs: so nothing fails but the start.  libvirt waits for us, and would
 * wait for ever for an answer to a question of ours: it is asked nothing. */
#include <config.h>

#include "hook.h"

#include <errno.h>
#include <string.h>

#include "../cli/sync.h"
#include "nwf/policy_files.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "owner.h"
#include "session.h"

/* What a stopped machine's ports have for a filter until they are gone.  No filter can be called
 * that: wherever else a policy for them may stand, nothing passes. */
#define STOPPED "(stopped)"

/* ---- Finding out whether the domain is any of our business. ---- */

static bool
has_port(const struct nwf_domain *domain)
{
    nwf_vec_foreach (nic, &domain->nics) {
        if (nic->dev && nwf_hook_may_have_port(nic)) {
            return true;
        }
    }
    return false;
}

/* Whether the domain relies on the switch: a host may run others without any. */
static bool
needs_switch(const struct nwf_domain *domain)
{
    bool needs = domain->ports.n > 0;

    nwf_vec_foreach (nic, &domain->nics) {
        needs |= nic->is_ovs;
    }
    return needs;
}

/* A bridge that is not managed, and was not given back: some tool has cleared it. */
static bool
is_lost(const struct nwf_hook_port *port)
{
    return port->bridge && !nwf_hook_is_managed(port) && nwf_record_exists(port->bridge->name);
}

/* Ports on managed bridges, or on bridges that have lost their tags, and those with an entry. */
static bool
is_concerned(struct nwf_hook_session *session, bool *ret_lost)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_hook_ports ports CLEANUP(nwf_hook_ports_clear) = {.data = NULL};
    bool concerned = false;

    *ret_lost = false;
    nwf_ovsdb_bare_bridges(session->db, &bridges);
    nwf_hook_find_ports(&session->domain, &bridges, &ports);
    nwf_vec_foreach (port, &ports) {
        bool lost = is_lost(port);
        *ret_lost |= lost;
        concerned |= lost || nwf_hook_is_managed(port) || port->entry;
        session->n_expected += nwf_hook_acts_on(session, port);
    }
    return concerned;
}

/* ---- start: the policy is in force, or the domain does not start. ---- */

/* On bridges that nobody manages there may be no policy. */
static int
check_unmanaged(struct nwf_hook_session *session, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_hook_ports ports CLEANUP(nwf_hook_ports_clear) = {.data = NULL};
    int r = 0;

    nwf_ovsdb_bare_bridges(session->db, &bridges);
    nwf_hook_find_ports(&session->domain, &bridges, &ports);
    nwf_vec_foreach (port, &ports) {
        if ((r = nwf_hook_check_unmanaged(session->cli, session->file, &session->domain, port,
                                          err))) {
            break;
        }
    }
    return r;
}

static int
bind_port(struct nwf_hook_session *session, const struct nwf_hook_port *port,
          struct nwf_cli_changes *changes, struct nwf_error *err)
{
    if (nwf_hook_is_managed(port)) {
        return nwf_hook_add_policy(session->cli, session->file, &session->domain, port, changes,
                                   err);
    }
    if (is_lost(port)) {
        return nwf_error_set(err, -EIDRM,
                             "%s: bridge %s has lost its tags, and they cannot be restored; see "
                             "its record, or run \"ovs-nwfilter manage %s\"",
                             port->nic->dev, port->bridge->name, port->bridge->name);
    }
    return nwf_hook_check_unmanaged(session->cli, session->file, &session->domain, port, err);
}

static int
try_to_bind(struct nwf_hook_session *session, struct nwf_error *err)
{
    int r = nwf_hook_write_tags(session, bind_port, err);

    if (r) {
        return r;
    }
    return session->targets.n < session->n_expected
               ? nwf_error_set(err, -EIDRM,
                               "%s: a port has gone meanwhile, or its bridge is not "
                               "managed any more",
                               session->file)
               : 0;
}

/* Tools of the host clear bridges at any moment; more than once they rarely do. */
#define RESTORATIONS_MAX 3

static int
bind_ports(struct nwf_hook_session *session, struct nwf_error *err)
{
    int r = try_to_bind(session, err);

    for (int i = 0; r == -EIDRM && i < RESTORATIONS_MAX; i++) {
        if (nwf_cli_restore_bridges(session->db)) {
            return r;
        }
        nwf_error_clear(err);
        r = try_to_bind(session, err);
    }
    if (r) {
        return r;
    }
    return nwf_hook_enforce(session->cli, session->db, &session->targets, NWF_HOOK_STRICT, err);
}

static int
undo_port(struct nwf_hook_session *session, const struct nwf_hook_port *port,
          struct nwf_cli_changes *changes, struct nwf_error *err)
{
    (void) err;
    if (port->bridge) {
        nwf_hook_undo_changes(&session->undo, &port->row, changes);
    }
    return 0;
}

/* A start that fails leaves the tags as they were; its error is what is to be told. */
static void
take_back(struct nwf_hook_session *session)
{
    struct nwf_error err = NWF_ERROR_INIT;

    session->claims = false;
    if (session->undo.n && !nwf_hook_write_tags(session, undo_port, &err)
        && !session->cli->has_daemon) {
        (void) nwf_hook_enforce(session->cli, session->db, &session->targets, NWF_HOOK_QUIET, &err);
    }
    nwf_error_clear(&err);
}

static int
start(struct nwf_hook_session *session, struct nwf_error *err)
{
    bool lost;
    int r = nwf_domain_parse(session->file, session->data, session->size, &session->domain, err);

    if (r || (!has_port(&session->domain) && !session->domain.ports.n)) {
        return r;
    }
    if ((r = nwf_hook_open_database(session, !session->cli->has_daemon, err))) {
        if (!needs_switch(&session->domain)) {
            nwf_error_clear(err);
            return 0;
        }
        return r;
    }
    session->claims = true;
    nwf_policies_load(&session->cli->policies);
    if (!is_concerned(session, &lost)) {
        return check_unmanaged(session, err);
    }
    if (lost) {
        (void) nwf_cli_restore_bridges(session->db); /* Whether they are is seen to below. */
    }
    if ((r = nwf_hook_run_step(session, bind_ports, err))) {
        take_back(session);
    }
    return r;
}

/* ---- reconnect, attach: a domain that runs. ---- */

/* What became of it if it is not as it should be, for the log. */
static int
say(const struct nwf_hook_port *port, struct nwf_error *err)
{
    nwf_cli_complain_of(port->nic->dev, nwf_error_text(err));
    nwf_error_clear(err);
    return 0;
}

/* What was lost comes back; what somebody has bound since the start stays. */
static int
bind_again(struct nwf_hook_session *session, const struct nwf_hook_port *port,
           struct nwf_cli_changes *changes, struct nwf_error *err)
{
    const struct nwf_ovs_port *row = &port->row;
    char *entry_place CLEANUP_FREE =
        port->entry ? nwf_asprintf("%s:%u", session->file, port->entry->line) : NULL;
    struct nwf_hook_places at = {.entry_place = entry_place};
    bool has_filter = nwf_tag_find(row->tags.data, row->tags.n, NWF_TAG_FILTER);
    int r;

    if (port->entry && nwf_hook_is_managed(port)
        && nwf_hook_find_owner(&session->domain, port, err) == NWF_HOOK_OTHERS) {
        return say(port, err);
    }
    if (!nwf_hook_acts_on(session, port) || nwf_tags_are_stale(row->tags.data, row->tags.n)
        || (has_filter && nwf_tag_find(row->tags.data, row->tags.n, NWF_TAG_VM_NAME))) {
        return 0;
    }
    if (!has_filter && nwf_hook_look_up(session->cli, &session->domain, port, &at, err)) {
        return say(port, err);
    }
    if (!has_filter && port->entry) {
        nwf_cli_remove_binding(changes, row);
        if ((r = nwf_cli_add_binding(changes, row, &port->entry->binding, err))) {
            return r;
        }
    }
    nwf_hook_name_machine(&session->domain, port, changes);
    return 0;
}

static int
bind_ports_again(struct nwf_hook_session *session, struct nwf_error *err)
{
    int r = nwf_hook_write_tags(session, bind_again, err);

    if (r) {
        return r;
    }
    return nwf_hook_enforce(session->cli, session->db, &session->targets, NWF_HOOK_SAY, err);
}

/* Reads what there is to be read of the document; whether that is enough to go on. */
static bool
read_domain(struct nwf_hook_session *session)
{
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_domain_read(session->file, session->data, session->size, &session->domain, &err);

    if (!r) {
        r = nwf_domain_check(session->file, &session->domain, &err);
    }
    if (r) {
        nwf_cli_complain(&err);
    }
    nwf_error_clear(&err);
    return session->domain.nics.n > 0;
}

static int
reconnect(struct nwf_hook_session *session, struct nwf_error *err)
{
    bool lost;
    int r;

    if (!read_domain(session) || !has_port(&session->domain)) {
        return 0;
    }
    if ((r = nwf_hook_open_database(session, !session->cli->has_daemon, err))
        || !is_concerned(session, &lost)) {
        return r;
    }
    if (lost) {
        (void) nwf_cli_restore_bridges(session->db);
    }
    nwf_policies_load(&session->cli->policies);
    return nwf_hook_run_step(session, bind_ports_again, err);
}

/* ---- stopped, release: nothing of its rights is left. ---- */

static int
stop_port(struct nwf_hook_session *session, const struct nwf_hook_port *port,
          struct nwf_cli_changes *changes, struct nwf_error *err)
{
    (void) err;
    if (nwf_hook_acts_on(session, port)) {
        nwf_cli_remove_binding(changes, &port->row);
        if (nwf_tag_find(port->row.tags.data, port->row.tags.n, NWF_TAG_VM_NAME)) {
            nwf_cli_change_tag(changes, &port->row, NWF_TAG_VM_NAME, NULL);
        }
        nwf_cli_change_tag(changes, &port->row, NWF_TAG_FILTER, STOPPED);
    }
    return 0;
}

static int
stop_ports(struct nwf_hook_session *session, struct nwf_error *err)
{
    int r = nwf_hook_write_tags(session, stop_port, err);

    if (r) {
        return r;
    }
    return nwf_hook_enforce(session->cli, session->db, &session->targets, NWF_HOOK_QUIET, err);
}

/* A port that is there when its machine is released was not made by libvirt. */
static int
release_port(struct nwf_hook_session *session, const struct nwf_hook_port *port,
             struct nwf_cli_changes *changes, struct nwf_error *err)
{
    const char *filter = nwf_tag_find(port->row.tags.data, port->row.tags.n, NWF_TAG_FILTER);

    (void) err;
    if (nwf_hook_acts_on(session, port) && filter && !strcmp(filter, STOPPED)) {
        nwf_cli_change_tag(changes, &port->row, NWF_TAG_FILTER, NULL);
        nwf_hook_remove_identity(port, changes);
    }
    return 0;
}

static const struct nwf_ovs_bridge *
find_bridge(const struct nwf_ovs_bridges *bridges, const char *name)
{
    nwf_vec_foreach (bridge, bridges) {
        if (name && !strcmp(bridge->name, name)) {
            return bridge;
        }
    }
    return NULL;
}

static void
add_managed(struct nwf_hook_session *session, const struct nwf_ovs_bridge *bridge)
{
    if (bridge->config.managed != NWF_UNMANAGED) {
        nwf_hook_targets_add(&session->targets, bridge->name, NULL);
    }
}

/* The managed bridges that the domain's ports were on.  Where the document does not say, as of
 * networks that have been released and of VLANs' fake bridges, any may be: a daemon knows that
 * better, and does it without being asked. */
static void
find_bridges(struct nwf_hook_session *session)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    bool all = !session->domain.nics.n;

    nwf_ovsdb_bare_bridges(session->db, &bridges);
    nwf_vec_foreach (nic, &session->domain.nics) {
        const struct nwf_ovs_bridge *bridge = find_bridge(&bridges, nic->bridge);
        all |= !bridge && (nic->is_ovs || nic->is_network);
        if (bridge) {
            add_managed(session, bridge);
        }
    }
    nwf_vec_foreach (bridge, &bridges) {
        if (all && !session->cli->has_daemon) {
            add_managed(session, bridge);
        }
    }
}

static int
release_ports(struct nwf_hook_session *session, struct nwf_error *err)
{
    int r = nwf_hook_write_tags(session, release_port, err);

    if (r) {
        return r;
    }
    find_bridges(session);
    return nwf_hook_enforce(session->cli, session->db, &session->targets, NWF_HOOK_QUIET, err);
}

/* Whether the document leaves open which ports some interfaces had. */
static bool
has_unnamed(const struct nwf_domain *domain)
{
    nwf_vec_foreach (nic, &domain->nics) {
        if (!nic->dev && nwf_hook_may_have_port(nic)) {
            return true;
        }
    }
    return false;
}

static void
name_interfaces(struct nwf_hook_session *session)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};

    nwf_ovsdb_bare_bridges(session->db, &bridges);
    nwf_hook_name_interfaces(&session->domain, &bridges);
}

/* Whether the document is there, and has no interface that the switch may have. */
static bool
is_elsewhere(const struct nwf_domain *domain)
{
    nwf_vec_foreach (nic, &domain->nics) {
        if (nwf_hook_may_have_port(nic)) {
            return false;
        }
    }
    return domain->nics.n || domain->name;
}

/* A host's domains may have nothing to do with the switch, which then need not be there. */
static int
clean_up(struct nwf_hook_session *session, nwf_hook_step_fn *step, struct nwf_error *err)
{
    bool unnamed;
    int r;

    (void) read_domain(session);
    if (is_elsewhere(&session->domain)) {
        return 0;
    }
    unnamed = has_unnamed(&session->domain);
    if ((r = nwf_hook_open_database(session, unnamed || !session->cli->has_daemon, err))) {
        if (!needs_switch(&session->domain)) {
            nwf_error_clear(err);
            return 0;
        }
        return r;
    }
    if (!nwf_ovsdb_count_managed(session->db)) {
        return 0;
    }
    if (unnamed) {
        name_interfaces(session);
    }
    nwf_policies_load(&session->cli->policies);
    return nwf_hook_run_step(session, step, err);
}

static int
stopped(struct nwf_hook_session *session, struct nwf_error *err)
{
    return clean_up(session, stop_ports, err);
}

static int
release(struct nwf_hook_session *session, struct nwf_error *err)
{
    return clean_up(session, release_ports, err);
}

/* ---- The verb. ---- */

static const struct operation {
    const char *name, *phase;
    nwf_hook_step_fn *run;
    bool may_fail;
} operations[] = {
    {"start", "begin", start, true},       {"reconnect", "begin", reconnect, false},
    {"attach", "begin", reconnect, false}, {"stopped", "end", stopped, false},
    {"release", "end", release, false},
};

static const struct operation *
find_operation(const char *name, const char *phase)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (!strcmp(operations[i].name, name) && !strcmp(operations[i].phase, phase)) {
            return &operations[i];
        }
    }
    return NULL;
}

int
nwf_hook_libvirt(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_hook_session session CLEANUP(nwf_hook_session_finish) = {.cli = cli};
    const struct operation *operation = find_operation(cli->argv[1], cli->argv[2]);

    cli->never_fails = !operation || !operation->may_fail;
    nwf_cli_start_alarm(cli, 1);
    if (!operation) { /* In "migrate" and "restore" silence leaves the document as it is. */
        nwf_hook_drain();
        return NWF_EXIT_OK;
    }
    session.file = nwf_asprintf("domain %.80s", cli->argv[0]);
    int r = nwf_hook_read_document(&session, err);
    if (r) {
        return r;
    }
    return operation->run(&session, err);
}
