/* SPDX-License-Identifier: Apache-2.0
 *
 * ovs-vswitchd's control socket (what ovs-appctl talks to). */
#ifndef NWF_VSWITCHD_H
#define NWF_VSWITCHD_H

#include <stddef.h>

#include "nwf/error.h"

/* Runs a command of ovs-vswitchd; *ret_output (malloc'ed) is what it prints. */
int nwf_vswitchd_call(const char *command, const char *const *args, size_t n_args,
                      unsigned int timeout_ms, char **ret_output, struct nwf_error *err);

/* The same for its effect, e.g. "revalidator/purge"; 'arg' may be NULL. */
int nwf_vswitchd_command(const char *command, const char *arg, unsigned int timeout_ms,
                         struct nwf_error *err);

/* Deletes the cached datapath flows, which may be of an earlier policy.
 *
 * Revalidators follow a change of tables by themselves, soon, but not at once: waiting for
 * them ("revalidator/wait") takes up to half a second where nothing else happens.  And
 * before OVS 3.1.3 they could leave a userspace datapath's overlapping megaflows
 * with their old actions (upstream 21410ff80).  So the cache is deleted, and twice: Open vSwitch
 * leaves out the flows that a revalidator has locked in that moment (revalidator_sweep__() in
 * ofproto-dpif-upcall.c).  With 3,000 cached flows on a busy machine something was left after
 * 6 of 40 purges, and after 1 of 100 pairs of them; that is left to the revalidators, and so is
 * what a thread was about to install. */
int nwf_vswitchd_flush_cache(unsigned int timeout_ms, struct nwf_error *err);

#endif
