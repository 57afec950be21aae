/* SPDX-License-Identifier: Apache-2.0
 *
 * Proxmox VE's configuration of a guest, as far as it says what the guest's network interfaces may
 * send: /etc/pve/qemu-server/VMID.conf and /etc/pve/lxc/CTID.conf (qm.conf(5), pct.conf(5)), and
 * the sets of addresses in /etc/pve/firewall/VMID.fw.
 *
 * The files are others' to write, tenants by the web interface among them.  Reading does no input
 * or output. */
#ifndef NWF_HOOK_PVE_CONF_H
#define NWF_HOOK_PVE_CONF_H

#include <stdbool.h>

#include "nwf/error.h"
#include "nwf/vec.h"

/* Largest file that Proxmox VE's own file system takes; interfaces of a guest; addresses of an
 * interface, and of all interfaces that get policy; aliases of a file. */
#define NWF_PVE_FILE_MAX (1024 * 1024)
#define NWF_PVE_NETS_MAX 32
#define NWF_PVE_ADDRESSES_MAX 1024
#define NWF_PVE_ALIASES_MAX 4096

struct nwf_pve_addresses {
    char **data; /* In the form that filters' variables take: a length only if it is a network's. */
    size_t n, allocated;
};

struct nwf_pve_net {
    unsigned int line;  /* 0: there is no such interface. */
    char *mac, *bridge; /* NULL: not given. */
    bool firewall;      /* It is behind a bridge of Proxmox VE's firewall. */
    struct nwf_pve_addresses ip, ip6;
    bool has_set; /* Proxmox VE's firewall has a set of its addresses, if an empty one. */
    char *filter; /* Asked for in the description, or NULL. */
    unsigned int filter_line;
};

struct nwf_pve_guest {
    bool is_container;
    struct nwf_pve_net nets[NWF_PVE_NETS_MAX];
    /* What the firewall's file says: addresses are checked also where there is no set of them;
     * MAC addresses are not. */
    bool ipfilter, no_macfilter;
};

/* Reads a guest's configuration: what is in force now, and not what is pending or what a snapshot
 * was like.  The error of a line that cannot be understood names 'file' and line. */
int nwf_pve_conf_parse(const char *file, const char *data, size_t size, bool is_container,
                       struct nwf_pve_guest *ret, struct nwf_error *err);
void nwf_pve_guest_clear(struct nwf_pve_guest *guest);

/* A name for an address or a network. */
struct nwf_pve_alias {
    char *name, *value;
};

struct nwf_pve_aliases {
    struct nwf_pve_alias *data;
    size_t n, allocated;
};

/* Adds the aliases of a firewall's file: the guest's own, or the cluster's. */
int nwf_pve_aliases_parse(const char *file, const char *data, size_t size,
                          struct nwf_pve_aliases *aliases, struct nwf_error *err);
void nwf_pve_aliases_clear(struct nwf_pve_aliases *aliases);

/* Takes the sets ipfilter-netN out of the guest's firewall file: their addresses are the
 * interface's in the place of those of the configuration, or of a container beside those, as
 * Proxmox VE has it.  'cluster' are the cluster's aliases. */
int nwf_pve_firewall_parse(const char *file, const char *data, size_t size,
                           const struct nwf_pve_aliases *cluster, struct nwf_pve_guest *guest,
                           struct nwf_error *err);

#endif
