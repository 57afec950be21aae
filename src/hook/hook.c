/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of hooks; see hook.h. */
#include <config.h>

#include "hook.h"

#include <limits.h>

const struct nwf_verb nwf_hook_verbs[] = {
    {"hook libvirt", "DOMAIN OPERATION PHASE [EXTRA...]",
     "what libvirt runs when a guest starts or stops, with its document on stdin", 3, INT_MAX,
     .run = nwf_hook_libvirt},
    {"hook install", "libvirt", "have libvirt run our hook when guests start and stop", 1, 1,
     nwf_hook_install_options, .run = nwf_hook_install},
    {"hook uninstall", "libvirt", "remove what \"hook install\" has put there", 1, 1,
     nwf_hook_install_options, .run = nwf_hook_uninstall},
    {"hook convert", "DOMAIN.xml", "move a domain's filters to where libvirt does not refuse them",
     1, 1, nwf_hook_convert_options, .run = nwf_hook_convert},
    {"hook qemu", "IFACE --bridge=BRIDGE [FILTER] [NAME=VALUE[,VALUE]...]",
     "put QEMU's tap onto a bridge, filtered before it is up; a script of -netdev tap runs it", 1,
     INT_MAX, nwf_hook_qemu_options, .exclusive = true, .needs_policies = true,
     .run = nwf_hook_qemu},
    {"hook proxmox", "sync | VMID PHASE",
     "make policy from Proxmox VE's configuration; check it when a guest starts", 1, 2,
     nwf_hook_proxmox_options, .run = nwf_hook_proxmox},
    {"hook exec", "IFACE... -- COMMAND [ARG...]", "run a command once these ports are enforced", 1,
     INT_MAX, .exclusive = true, .needs_policies = true, .run = nwf_hook_exec},
    {.name = NULL},
};
