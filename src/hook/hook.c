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
    {.name = NULL},
};
