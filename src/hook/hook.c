/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of hooks; see hook.h. */
#include <config.h>

#include "hook.h"

const struct nwf_verb nwf_hook_verbs[] = {
    {"hook install", "libvirt", "have libvirt run our hook when guests start and stop", 1, 1,
     nwf_hook_install_options, .run = nwf_hook_install},
    {"hook uninstall", "libvirt", "remove what \"hook install\" has put there", 1, 1,
     nwf_hook_install_options, .run = nwf_hook_uninstall},
    {.name = NULL},
};
