/* SPDX-License-Identifier: Apache-2.0
 *
 * Where Proxmox VE's configuration files are. */
#ifndef NWF_HOOK_PVE_READ_H
#define NWF_HOOK_PVE_READ_H

#include "pve_conf.h"

struct nwf_pve_place {
    const char *directory; /* /etc/pve. */
    const char *node;      /* Another node's part of it; NULL: this one's. */
};

/* The guest's configuration, a machine's or a container's, with its firewall's sets; -ENOENT if
 * there is none. */
int nwf_pve_read_guest(const struct nwf_pve_place *place, unsigned int vmid,
                       struct nwf_pve_guest *ret, struct nwf_error *err);

struct nwf_pve_vmids {
    unsigned int *data;
    size_t n, allocated;
};

void nwf_pve_vmids_clear(struct nwf_pve_vmids *vmids);

/* The numbers of all guests. */
int nwf_pve_list_guests(const struct nwf_pve_place *place, struct nwf_pve_vmids *ret,
                        struct nwf_error *err);

#endif
