/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose a port is.  Names say nothing: a document may name any interface of the host, and libvirt
 * runs us for it before and after it finds out that it is somebody else's. */
#ifndef NWF_HOOK_OWNER_H
#define NWF_HOOK_OWNER_H

#include "domain_ports.h"

enum nwf_hook_owner {
    NWF_HOOK_OTHERS, /* Not the domain's. */
    NWF_HOOK_BARE,   /* Its row does not say whose; at its start a domain may take it. */
    NWF_HOOK_OWN,    /* Its row says that it is the domain's. */
};

/* *err, which may be NULL, says why it is another's. */
enum nwf_hook_owner nwf_hook_find_owner(const struct nwf_domain *domain,
                                        const struct nwf_hook_port *port, struct nwf_error *err);

/* Whether the port can be no machine's: the bridge's own, or one that the operator trusts. */
bool nwf_hook_is_hosts(const struct nwf_hook_port *port);

/* Whether the interface may have a port of the switch at all: libvirt puts those on Linux bridges
 * and of other kinds elsewhere. */
bool nwf_hook_may_have_port(const struct nwf_domain_nic *nic);

/* Whether the text is the interface's address. */
bool nwf_hook_has_mac(const struct nwf_domain_nic *nic, const char *text);

#endif
