/* SPDX-License-Identifier: Apache-2.0
 *
 * A domain's interfaces as ports of the switch, and what their policy is. */
#ifndef NWF_HOOK_DOMAIN_PORTS_H
#define NWF_HOOK_DOMAIN_PORTS_H

#include "../cli/tags.h"
#include "hook.h"
#include "nwf/domain.h"
#include "places.h"

/* An interface and its port.  Strings are the domain's and the database's. */
struct nwf_hook_port {
    const struct nwf_domain_nic *nic;
    const struct nwf_domain_port *entry; /* Of the metadata; NULL: none. */
    const struct nwf_ovs_bridge *bridge; /* NULL: no bridge of the switch has such a port. */
    struct nwf_ovs_port row;
};

struct nwf_hook_ports {
    struct nwf_hook_port *data;
    size_t n, allocated;
};

/* The ports of all interfaces that have one or an entry, as the database says now; valid as long as
 * 'domain' and 'bridges' (nwf_ovsdb_bare_bridges()). */
void nwf_hook_find_ports(const struct nwf_domain *domain, const struct nwf_ovs_bridges *bridges,
                         struct nwf_hook_ports *ret);
void nwf_hook_ports_clear(struct nwf_hook_ports *ports);

/* Gives interfaces without <target dev> the names of their ports.  Once a domain has stopped,
 * libvirt leaves out of its document the names that it has made up itself ("vnet0"): a port is
 * known by the tags "vm-id" and "attached-mac" then. */
void nwf_hook_name_interfaces(struct nwf_domain *domain, const struct nwf_ovs_bridges *bridges);

/* Whether the port is on a managed bridge. */
bool nwf_hook_is_managed(const struct nwf_hook_port *port);

/* Where the policy of a port stands; places that do not agree are an error. */
int nwf_hook_look_up(const struct nwf_cli *cli, const struct nwf_domain *domain,
                     const struct nwf_hook_port *port, struct nwf_hook_places *places,
                     struct nwf_error *err);

/* Looks where the policy of a port on a managed bridge stands, and adds the changes of its tags
 * that put it in force.  None at all is an error, and so are two that do not agree, and a port that
 * is another's.  'file' stands for the domain's document. */
int nwf_hook_add_policy(const struct nwf_cli *cli, const char *file,
                        const struct nwf_domain *domain, const struct nwf_hook_port *port,
                        struct nwf_cli_changes *changes, struct nwf_error *err);

/* Adds the changes that tell which machine the tags are for. */
void nwf_hook_name_machine(const struct nwf_domain *domain, const struct nwf_hook_port *port,
                           struct nwf_cli_changes *changes);

/* Adds those that take away what nwf_hook_add_policy() has added to tell whose the port is. */
void nwf_hook_remove_identity(const struct nwf_hook_port *port, struct nwf_cli_changes *changes);

/* A policy, wherever it stands, whose port is on no managed bridge: an error that says what to
 * do. */
int nwf_hook_check_unmanaged(const struct nwf_cli *cli, const char *file,
                             const struct nwf_domain *domain, const struct nwf_hook_port *port,
                             struct nwf_error *err);

#endif
