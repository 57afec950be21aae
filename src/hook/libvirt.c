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

#include <string.h>

#include "../cli/sync.h"
#include "nwf/policy_files.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "session.h"

/* What a stopped machine's ports have for a filter until they are gone.  No filter can be called
 * that: wherever else a policy for them may stand, nothing passes. */
#define STOPPED "(stopped)"

/* ---- Finding out whether the domain is any of our business. ---- */

static bool
has_port(const struct nwf_domain *domain)
{
    nwf_vec_foreach (nic, &domain->nics) {
        if (nic->dev) {
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
        bool managed = nwf_hook_is_managed(port);
        *ret_lost |= port->bridge && !managed && nwf_record_exists(port->bridge->name);
        concerned |= managed || port->entry;
    }
    return concerned || *ret_lost;
}

/* ---- start: the policy is in force, or the domain does not start. ---- */

static int
bind_port(struct nwf_hook_session *session, const struct nwf_hook_port *port,
          struct nwf_cli_changes *changes, struct nwf_error *err)
{
    if (nwf_hook_is_managed(port)) {
        return nwf_hook_add_policy(session->cli, session->file, &session->domain, port, changes,
                                   err);
    }
    return port->entry ? nwf_hook_refuse_unmanaged(session->file, port, err) : 0;
}

static int
bind_ports(struct nwf_hook_session *session, struct nwf_error *err)
{
    int r = nwf_hook_write_tags(session, bind_port, err);

    if (r) {
        return r;
    }
    return nwf_hook_enforce(session->cli, session->db, &session->targets, NWF_HOOK_STRICT, err);
}

static int
unbind_port(struct nwf_hook_session *session, const struct nwf_hook_port *port,
            struct nwf_cli_changes *changes, struct nwf_error *err)
{
    (void) err;
    if (nwf_hook_is_managed(port) && !nwf_hook_is_others(&session->domain, port)) {
        nwf_cli_remove_binding(changes, &port->row);
        if (nwf_tag_find(port->row.tags.data, port->row.tags.n, NWF_TAG_VM_NAME)) {
            nwf_cli_change_tag(changes, &port->row, NWF_TAG_VM_NAME, NULL);
        }
    }
    return 0;
}

/* Nothing is left behind of a start that fails; its error is what is to be told. */
static void
take_back(struct nwf_hook_session *session)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (session->written && !nwf_hook_write_tags(session, unbind_port, &err)
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
    if (!is_concerned(session, &lost)) {
        return 0;
    }
    if (lost) {
        (void) nwf_cli_restore_bridges(session->db);
    }
    nwf_policies_load(&session->cli->policies);
    if ((r = nwf_hook_run_step(session, bind_ports, err))) {
        take_back(session);
    }
    return r;
}

/* ---- reconnect, attach: a domain that runs. ---- */

/* What somebody has bound since the start stays. */
static int
bind_again(struct nwf_hook_session *session, const struct nwf_hook_port *port,
           struct nwf_cli_changes *changes, struct nwf_error *err)
{
    const struct nwf_ovs_port *row = &port->row;
    const char *name = nwf_tag_find(row->tags.data, row->tags.n, NWF_TAG_VM_NAME);

    if (!nwf_hook_is_managed(port) || nwf_hook_is_others(&session->domain, port)) {
        return 0;
    }
    if (port->entry && !nwf_tag_find(row->tags.data, row->tags.n, NWF_TAG_FILTER)) {
        nwf_cli_remove_binding(changes, row);
        int r = nwf_cli_add_binding(changes, row, &port->entry->binding, err);
        if (r) {
            return r;
        }
    }
    if (!name && session->domain.name && strlen(session->domain.name) <= NWF_TAG_MAX) {
        nwf_cli_change_tag(changes, row, NWF_TAG_VM_NAME, session->domain.name);
    }
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
    (void) unbind_port(session, port, changes, err);
    if (nwf_hook_is_managed(port) && !nwf_hook_is_others(&session->domain, port)) {
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
    if (nwf_hook_is_managed(port) && !nwf_hook_is_others(&session->domain, port) && filter
        && !strcmp(filter, STOPPED)) {
        nwf_cli_change_tag(changes, &port->row, NWF_TAG_FILTER, NULL);
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

/* The managed bridges that the domain's ports were on.  Where the document does not say, as of
 * networks that have been released and of VLANs' fake bridges, these are all. */
static void
find_bridges(struct nwf_hook_session *session)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    bool all = !session->domain.nics.n;

    nwf_ovsdb_bare_bridges(session->db, &bridges);
    nwf_vec_foreach (nic, &session->domain.nics) {
        const struct nwf_ovs_bridge *bridge = find_bridge(&bridges, nic->bridge);
        all |= !bridge;
        if (bridge && bridge->config.managed != NWF_UNMANAGED) {
            nwf_hook_targets_add(&session->targets, bridge->name, NULL);
        }
    }
    nwf_vec_foreach (bridge, &bridges) {
        if (all && bridge->config.managed != NWF_UNMANAGED) {
            nwf_hook_targets_add(&session->targets, bridge->name, NULL);
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
    nwf_hook_targets_clear(&session->targets);
    find_bridges(session);
    return nwf_hook_enforce(session->cli, session->db, &session->targets, NWF_HOOK_QUIET, err);
}

/* Whether the document leaves open which ports some interfaces had. */
static bool
has_unnamed(const struct nwf_domain *domain)
{
    nwf_vec_foreach (nic, &domain->nics) {
        if (!nic->dev) {
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

/* A host's domains may have nothing to do with the switch, which then need not be there. */
static int
clean_up(struct nwf_hook_session *session, nwf_hook_step_fn *step, struct nwf_error *err)
{
    bool unnamed;
    int r;

    (void) read_domain(session);
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
