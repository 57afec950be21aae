/* SPDX-License-Identifier: Apache-2.0
 *
 * A command of a daemon's (what ovs-appctl runs) that nobody has to wait for. */
#ifndef NWF_UNIXCTL_CALL_H
#define NWF_UNIXCTL_CALL_H

#include <stddef.h>

#include "nwf/cleanup.h"
#include "nwf/error.h"

struct nwf_unixctl_call;

/* Begins to run 'command' of the daemon called 'target', e.g. "ovs-vswitchd", with 'args', which
 * are copied.  'timeout_ms' bounds connecting, and then the answer. */
struct nwf_unixctl_command {
    const char *target;
    const char *command;
    const char *const *args;
    size_t n_args;
};
struct nwf_unixctl_call *nwf_unixctl_call_new(const struct nwf_unixctl_command *command,
                                              unsigned int timeout_ms);
void nwf_unixctl_call_free(struct nwf_unixctl_call *call);
DEFINE_CLEANUP(struct nwf_unixctl_call, nwf_unixctl_call, nwf_unixctl_call_free)

/* Goes on with it; never blocks.  0: *ret_output (the caller's to free) is what the command
 * prints.  -EAGAIN: not yet; call it again after nwf_unixctl_call_wait() and poll_block().
 * -EIO: *err has what the daemon says against it, and *ret_output all of it.  Unless it is -EAGAIN
 * the call has ended. */
int nwf_unixctl_call_run(struct nwf_unixctl_call *call, char **ret_output, struct nwf_error *err);

/* Makes the next poll_block() wake up when nwf_unixctl_call_run() has something to do. */
void nwf_unixctl_call_wait(struct nwf_unixctl_call *call);

#endif
