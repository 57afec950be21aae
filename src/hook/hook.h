/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs that other programs run when they start and stop guests.  The table in hook.c has a
 * row for each, and each family a file. */
#ifndef NWF_HOOK_H
#define NWF_HOOK_H

#include "../cli/cli.h"

/* See libvirt.c. */
nwf_verb_fn nwf_hook_libvirt;

/* See install.c. */
extern const struct nwf_option nwf_hook_install_options[];
nwf_verb_fn nwf_hook_install, nwf_hook_uninstall;

/* See conversion.c. */
extern const struct nwf_option nwf_hook_convert_options[];
nwf_verb_fn nwf_hook_convert;
/* See qemu.c. */
extern const struct nwf_option nwf_hook_qemu_options[];
nwf_verb_fn nwf_hook_qemu;

/* See proxmox.c. */
extern const struct nwf_option nwf_hook_proxmox_options[];
nwf_verb_fn nwf_hook_proxmox;

/* See exec.c. */
nwf_verb_fn nwf_hook_exec;

#endif
