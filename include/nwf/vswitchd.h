/* SPDX-License-Identifier: Apache-2.0
 *
 * ovs-vswitchd's control socket (what ovs-appctl talks to). */
#ifndef NWF_VSWITCHD_H
#define NWF_VSWITCHD_H

#include <stdbool.h>
#include <stddef.h>

#include "nwf/error.h"

/* Runs a command of ovs-vswitchd; *ret_output (malloc'ed) is what it prints. */
int nwf_vswitchd_call(const char *command, const char *const *args, size_t n_args,
                      unsigned int timeout_ms, char **ret_output, struct nwf_error *err);

/* The same for its effect, e.g. "revalidator/purge"; 'arg' may be NULL. */
int nwf_vswitchd_command(const char *command, const char *arg, unsigned int timeout_ms,
                         struct nwf_error *err);

/* Makes sure that no cached datapath flow of an earlier policy is left, after a barrier that
 * says the tables have changed.
 *
 * Revalidators follow a change of tables by themselves, soon, but not at once: waiting for
 * them is enough.  But on a userspace datapath ('userspace') of OVS before 3.0.5, and of 3.1
 * before 3.1.3, they could leave megaflows that overlap with their old actions (upstream
 * 21410ff80): there all bridges' caches are deleted, which leaves to the revalidators only
 * what a thread was about to install at that moment.  So it is where the version is not known. */
int nwf_vswitchd_flush_cache(bool userspace, unsigned int timeout_ms, struct nwf_error *err);

#endif
