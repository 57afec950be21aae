/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of a policy file for the ports of Proxmox VE's guests.  Proxmox VE sets no tags, but its
 * ports have names that say whose they are. */
#ifndef NWF_HOOK_PVE_ENTRIES_H
#define NWF_HOOK_PVE_ENTRIES_H

#include "nwf/cleanup.h"
#include "pve_conf.h"

/* Largest number that a guest has. */
#define NWF_PVE_VMID_MAX 999999999

struct nwf_pve_entry {
    unsigned int vmid; /* 0: no guest's. */
    char *port;        /* "": it is for no port. */
    char *text;        /* The entry in JSON. */
};

struct nwf_pve_entries {
    struct nwf_pve_entry *data;
    size_t n, allocated;
};

/* Reads those of a file that was written by nwf_pve_entries_format(), and what others have put into
 * it since: all that a policy file may have. */
int nwf_pve_entries_parse(const char *file, const char *data, size_t size,
                          struct nwf_pve_entries *ret, struct nwf_error *err);
void nwf_pve_entries_clear(struct nwf_pve_entries *entries);

/* Adds one for an interface, whose addresses become the variables IP and IPV6. */
void nwf_pve_entries_add(struct nwf_pve_entries *entries, unsigned int vmid, const char *port,
                         const struct nwf_pve_net *net, const char *filter);

/* Removes those of a guest. */
void nwf_pve_entries_remove(struct nwf_pve_entries *entries, unsigned int vmid);

/* All of them as a policy file, ordered by guest and port: a new string. */
char *nwf_pve_entries_format(struct nwf_pve_entries *entries);

/* The port on Open vSwitch of a guest's interface 'number': a new string. */
char *nwf_pve_port(const struct nwf_pve_guest *guest, unsigned int vmid, size_t number);

#endif
