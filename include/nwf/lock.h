/* SPDX-License-Identifier: Apache-2.0
 *
 * One process at a time brings policy to a host's switches.
 *
 * What a process puts onto a switch follows from what it has read before, from the database
 * and from the switch; of two at once, the slower could put back what the other's policy
 * has just taken away.  Conntrack zones, which bridges share, are given out by what is
 * free. */
#ifndef NWF_LOCK_H
#define NWF_LOCK_H

#include <stdbool.h>

#include "nwf/cleanup.h"
#include "nwf/error.h"

struct nwf_lock;

/* Waits up to 'timeout_ms' for the lock (-EAGAIN), a file of this process's user in Open
 * vSwitch's run directory; what cannot be that file is an error at once.  The lock ends with
 * the process, however that ends.  *ret is NULL if there is no such directory, and thus no
 * switch. */
int nwf_lock_take(unsigned int timeout_ms, struct nwf_lock **ret, struct nwf_error *err);
void nwf_lock_release(struct nwf_lock *lock);

/* Whether somebody has taken it since the run directory was made.  If not, nobody has put anything
 * onto this host's switches, which live no longer than that. */
bool nwf_lock_was_taken(void);
DEFINE_CLEANUP(struct nwf_lock, nwf_lock, nwf_lock_release)

#endif
