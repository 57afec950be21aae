/* SPDX-License-Identifier: Apache-2.0
 *
 * hook proxmox: policy from the configuration of Proxmox VE's guests, and the phases of its
 * hookscripts.
 *
 * Proxmox VE makes a guest's ports after "pre-start", and plugs others while it runs, so it is the
 * daemon that enforces: "pre-start" sees to it that there is something good to enforce, and keeps
 * the guest from starting otherwise.  In the other phases nothing can be kept from happening, and
 * nothing fails. */
#include <config.h>

#include "hook.h"

#include <errno.h>
#include <string.h>

#include "../cli/handover.h"
#include "nwf/policy_files.h"
#include "nwf/text.h"
#include "ports.h"
#include "pve_incoming.h"
#include "pve_lines.h"
#include "pve_sync.h"

static const char *directory = "/etc/pve";
static struct nwf_pve_rules rules = {.filter = "clean-traffic"};

const struct nwf_option nwf_hook_proxmox_options[] = {
    {"directory", "DIR", nwf_option_text, &directory,
     "where Proxmox VE's configuration is (/etc/pve)"},
    {"filter", "NAME", nwf_option_text, &rules.filter, "of all interfaces (clean-traffic)"},
    {"without-ip", "NAME", nwf_option_text, &rules.without_ip,
     "of interfaces whose IPv4 address Proxmox VE does not know"},
    {"choices", "NAME,...", nwf_option_words, &rules.choices,
     "filters that a guest's description may ask for"},
    {.name = NULL},
};

/* ---- Guests. ---- */

struct guest {
    unsigned int vmid;
    bool is_incoming; /* Its configuration is another node's. */
    struct nwf_pve_guest conf;
};

static void
guest_clear(struct guest *guest)
{
    nwf_pve_guest_clear(&guest->conf);
}

/* A name of a node is one of a host. */
static int
find_source(const char **ret, struct nwf_error *err)
{
    const char *node = getenv("PVE_MIGRATED_FROM");

    *ret = node && *node ? node : NULL;
    return !*ret || (nwf_text_is_name(node, "-", 63))
               ? 0
               : nwf_error_set(err, -EINVAL, "PVE_MIGRATED_FROM: \"%.80s\" is not a node", node);
}

/* A guest that is on its way to this node is still the other's. */
static int
read_guest(const char *word, struct guest *ret, struct nwf_error *err)
{
    struct nwf_pve_place place = {directory, NULL};
    const char *source;
    int vmid = nwf_pve_number(word, ""), r;

    if (vmid < 1 || vmid > NWF_PVE_VMID_MAX) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is not the number of a guest", word);
    }
    ret->vmid = (unsigned int) vmid;
    if ((r = find_source(&source, err))) {
        return r;
    }
    r = nwf_pve_read_guest(&place, ret->vmid, &ret->conf, err);
    if (r == -ENOENT && source) {
        nwf_error_clear(err);
        place.node = source;
        ret->is_incoming = true;
        r = nwf_pve_read_guest(&place, ret->vmid, &ret->conf, err);
    }
    return r;
}

static bool
has_bridges(const struct nwf_pve_guest *conf)
{
    for (size_t i = 0; i < NWF_PVE_NETS_MAX; i++) {
        if (conf->nets[i].bridge) {
            return true;
        }
    }
    return false;
}

/* ---- pre-start. ---- */

/* The port as it will be: without tags, under a policy file's entry or the bridge's default. */
static int
find_policy(const struct nwf_policies *policies, const struct nwf_bridge_config *config,
            struct nwf_binding *binding, struct nwf_error *err)
{
    const struct nwf_policy *policy;
    int r = nwf_policies_find(policies, binding->port, NULL, 0, &policy, err);

    if (r) {
        return r;
    }
    if (policy) {
        return nwf_policy_apply(policy, NULL, 0, binding, err);
    }
    if (!config || !config->default_filter) {
        return nwf_error_set(err, -ENOENT,
                             "no policy file has an entry for it, and the bridge has no default "
                             "filter");
    }
    binding->filter = nwf_strdup(config->default_filter);
    return 0;
}

static int
check_net(struct nwf_cli *cli, const struct nwf_policies *policies,
          const struct nwf_bridge_config *config, const char *port, struct nwf_error *err)
{
    struct nwf_binding binding CLEANUP(nwf_binding_clear) = {.port = nwf_strdup(port)};
    int r = find_policy(policies, config, &binding, err);

    if (!r) {
        r = nwf_plan_check_binding(&binding, cli->store, err);
    }
    return r ? nwf_error_wrap(err, "%s", port) : 0;
}

static const struct nwf_bridge_config *
config_of(const struct nwf_ovs_bridges *bridges, const char *name)
{
    nwf_vec_foreach (bridge, bridges) {
        if (!strcmp(bridge->name, name)) {
            return &bridge->config;
        }
    }
    return NULL;
}

static int
check_guest(struct nwf_cli *cli, const struct nwf_pve_host *host, const struct guest *guest,
            struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    struct nwf_policies policies CLEANUP(nwf_policies_finish);
    int r = 0;

    nwf_policies_init(&policies);
    nwf_policies_load(&policies);
    if (policies.broken.text) {
        return nwf_error_set(err, -EINVAL, "%s", policies.broken.text);
    }
    nwf_ovsdb_bare_bridges(host->db, &bridges);
    for (size_t i = 0; !r && i < NWF_PVE_NETS_MAX; i++) {
        const struct nwf_pve_net *net = &guest->conf.nets[i];
        char *port CLEANUP_FREE = nwf_pve_port(&guest->conf, guest->vmid, i);
        if (nwf_pve_host_has(host, net)) {
            r = check_net(cli, &policies, config_of(&bridges, net->bridge), port, err);
        }
    }
    return r;
}

/* Entries of a guest that is on its way stay meanwhile, if it is let in. */
static int
prepare(struct nwf_cli *cli, const struct nwf_pve_host *host, const struct guest *guest,
        struct nwf_error *err)
{
    int r = guest->is_incoming ? nwf_pve_incoming_note(guest->vmid, err) : 0;

    if (r) {
        return r;
    }
    if ((r = nwf_pve_sync_one(cli, &rules, host, guest->vmid, &guest->conf, err))
        || (r = check_guest(cli, host, guest, err))) {
        nwf_pve_incoming_forget(guest->vmid);
    }
    return r;
}

static int
pre_start(struct nwf_cli *cli, const char *vmid, struct nwf_error *err)
{
    struct nwf_pve_host host CLEANUP(nwf_pve_host_close) = {.db = NULL};
    struct guest guest CLEANUP(guest_clear) = {.vmid = 0};
    int r = read_guest(vmid, &guest, err);

    if (r || !has_bridges(&guest.conf)) {
        return r;
    }
    r = nwf_pve_host_open(cli, &host, err);
    if (r) {
        return r;
    }
    return prepare(cli, &host, &guest, err);
}

/* ---- The other phases. ---- */

/* What becomes of the ports of the guest's interfaces, or of their bridges. */
static int
each_net(struct nwf_cli *cli, const char *vmid,
         int (*each)(struct nwf_cli *, const char *port, const char *bridge, struct nwf_error *),
         struct nwf_error *err)
{
    struct nwf_pve_host host CLEANUP(nwf_pve_host_close) = {.db = NULL};
    struct guest guest CLEANUP(guest_clear) = {.vmid = 0};
    int r;

    if ((r = read_guest(vmid, &guest, err))) {
        return r;
    }
    nwf_pve_incoming_forget(guest.vmid); /* It has come. */
    if (!has_bridges(&guest.conf) || (r = nwf_pve_host_open(cli, &host, err))
        || (r = nwf_cli_lock(cli, err))) {
        return r;
    }
    for (size_t i = 0; i < NWF_PVE_NETS_MAX; i++) {
        const struct nwf_pve_net *net = &guest.conf.nets[i];
        char *port CLEANUP_FREE = nwf_pve_port(&guest.conf, guest.vmid, i);
        r = nwf_pve_host_has(&host, net) ? each(cli, port, net->bridge, err) : 0;
        if (r == NWF_NO_DAEMON) {
            return r; /* Once more, by ourselves. */
        }
        if (r) {
            nwf_cli_complain(err);
            nwf_error_clear(err);
        }
    }
    return 0;
}

static int
enforce(struct nwf_cli *cli, const char *port, const char *bridge, struct nwf_error *err)
{
    (void) bridge;
    return nwf_hook_enforce_port(cli, port, err);
}

static int
tidy(struct nwf_cli *cli, const char *port, const char *bridge, struct nwf_error *err)
{
    (void) port;
    return nwf_hook_tidy(cli, bridge, err);
}

static int
never_fail(int r, struct nwf_error *err)
{
    if (r == NWF_NO_DAEMON) {
        return r;
    }
    if (r) {
        nwf_cli_complain(err);
        nwf_error_clear(err);
    }
    return NWF_EXIT_OK;
}

static int
run_phase(struct nwf_cli *cli, const char *vmid, const char *phase, struct nwf_error *err)
{
    if (!strcmp(phase, "pre-start")) {
        return pre_start(cli, vmid, err);
    }
    if (!strcmp(phase, "post-start")) {
        return never_fail(each_net(cli, vmid, enforce, err), err);
    }
    if (!strcmp(phase, "post-stop")) {
        return never_fail(each_net(cli, vmid, tidy, err), err);
    }
    if (strcmp(phase, "pre-stop")) {
        nwf_cli_complain_of(phase, "a phase that is not known; nothing is done");
    }
    return NWF_EXIT_OK;
}

static int
sync_all(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_pve_host host CLEANUP(nwf_pve_host_close) = {.db = NULL};
    const struct nwf_pve_place place = {directory, NULL};
    int r = nwf_pve_host_open(cli, &host, err);

    if (r) {
        return r;
    }
    return nwf_pve_sync_all(cli, &place, &rules, &host, err);
}

int
nwf_hook_proxmox(struct nwf_cli *cli, struct nwf_error *err)
{
    /* What is broken there is said once, by who needs it. */
    nwf_policies_finish(&cli->policies);
    nwf_policies_load(&cli->policies);
    if (cli->argc == 1 && !strcmp(cli->argv[0], "sync")) {
        return sync_all(cli, err);
    }
    if (cli->argc != 2) {
        return nwf_error_set(err, -EINVAL, "usage: ovs-nwfilter hook proxmox sync | VMID PHASE");
    }
    return run_phase(cli, cli->argv[0], cli->argv[1], err);
}
