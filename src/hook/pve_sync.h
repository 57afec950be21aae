/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy file that is made from Proxmox VE's configuration, policy.d/proxmox.json. */
#ifndef NWF_HOOK_PVE_SYNC_H
#define NWF_HOOK_PVE_SYNC_H

#include "../cli/cli.h"
#include "pve_entries.h"
#include "pve_read.h"

/* How policy is made of what Proxmox VE says. */
struct nwf_pve_rules {
    const char *filter;
    const char *without_ip;   /* For interfaces without a known IPv4 address; NULL: the same. */
    struct nwf_words choices; /* What descriptions may ask for. */
};

/* What is known of the host. */
struct nwf_pve_host {
    struct nwf_ovsdb *db;
    struct nwf_words managed; /* Names of bridges. */
};

int nwf_pve_host_open(const struct nwf_cli *cli, struct nwf_pve_host *ret, struct nwf_error *err);
void nwf_pve_host_close(struct nwf_pve_host *host);

/* Whether the interface is there, on a managed bridge. */
bool nwf_pve_host_has(const struct nwf_pve_host *host, const struct nwf_pve_net *net);

/* Brings the entries of all guests to what 'place' says.  Guests that cannot be read keep theirs,
 * and are complained of.  Returns an exit code, or a negative errno: then nothing has changed. */
int nwf_pve_sync_all(const struct nwf_cli *cli, const struct nwf_pve_place *place,
                     const struct nwf_pve_rules *rules, const struct nwf_pve_host *host,
                     struct nwf_error *err);

/* Those of one guest. */
int nwf_pve_sync_one(const struct nwf_cli *cli, const struct nwf_pve_rules *rules,
                     const struct nwf_pve_host *host, unsigned int vmid,
                     const struct nwf_pve_guest *guest, struct nwf_error *err);

#endif
