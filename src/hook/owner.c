/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose a port is; see owner.h. */
#include <config.h>

#include "owner.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "nwf/compile.h"
#include "nwf/value.h"

static const char *
find_tag(const struct nwf_hook_port *port, const char *key)
{
    return nwf_tag_find(port->row.tags.data, port->row.tags.n, key);
}

bool
nwf_hook_is_hosts(const struct nwf_hook_port *port)
{
    return port->row.ofport == NWF_OFPORT_LOCAL || !strcmp(port->row.name, port->bridge->name)
           || nwf_is_named_trusted(&port->bridge->config, port->row.name);
}

bool
nwf_hook_may_have_port(const struct nwf_domain_nic *nic)
{
    return nic->is_ovs || nic->is_tap || nic->is_network;
}

bool
nwf_hook_has_mac(const struct nwf_domain_nic *nic, const char *text)
{
    struct nwf_mac mac;

    return nic->has_mac && !nwf_mac_parse(text, &mac, NULL) && !memcmp(&nic->mac, &mac, sizeof mac);
}

/* What names the port's machine: libvirt, os-vif (OpenStack) and XenServer's scripts write it. */
static enum nwf_hook_owner
find_machine(const struct nwf_domain *domain, const struct nwf_hook_port *port,
             struct nwf_error *err)
{
    static const char *const keys[] = {NWF_TAG_VM_ID, "vm-uuid", "xs-vm-uuid"};
    enum nwf_hook_owner owner = NWF_HOOK_BARE;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *uuid = find_tag(port, keys[i]);
        if (uuid && (!domain->uuid || strcasecmp(uuid, domain->uuid))) {
            nwf_error_set(err, -EEXIST, "its %s is that of another virtual machine, %.80s", keys[i],
                          uuid);
            return NWF_HOOK_OTHERS;
        }
        owner = uuid ? NWF_HOOK_OWN : owner;
    }
    return owner;
}

/* A row without a machine's UUID may be that of a tap that somebody else has made for the domain.
 */
static int
check_bare(const struct nwf_domain *domain, const struct nwf_hook_port *port, struct nwf_error *err)
{
    const struct nwf_domain_nic *nic = port->nic;
    const char *mac = find_tag(port, NWF_TAG_MAC), *id = find_tag(port, "iface-id");
    const char *filter = find_tag(port, NWF_TAG_FILTER);

    if (!domain->uuid || !nic->is_tap) {
        return nwf_error_set(err, -EEXIST,
                             "it is not this virtual machine's: libvirt has set no "
                             "vm-id for it");
    }
    if (mac && !nwf_hook_has_mac(nic, mac)) {
        return nwf_error_set(err, -EEXIST, "its attached-mac, %.80s, is not this interface's", mac);
    }
    if (find_tag(port, "xs-vif-uuid")
        || (id && !mac && (!nic->interface_id || strcasecmp(id, nic->interface_id)))) {
        return nwf_error_set(err, -EEXIST,
                             "it is not this virtual machine's by its %s; set "
                             "external_ids:vm-id if it is",
                             id ? "iface-id" : "xs-vif-uuid");
    }
    return filter ? nwf_error_set(err, -EEXIST,
                                  "somebody else has bound filter %.80s to it; run \"ovs-nwfilter "
                                  "unbind %s\" if this virtual machine is to have it",
                                  filter, nic->dev)
                  : 0;
}

enum nwf_hook_owner
nwf_hook_find_owner(const struct nwf_domain *domain, const struct nwf_hook_port *port,
                    struct nwf_error *err)
{
    enum nwf_hook_owner owner = find_machine(domain, port, err);

    return owner == NWF_HOOK_BARE && check_bare(domain, port, err) ? NWF_HOOK_OTHERS : owner;
}
