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

#endif
