/* SPDX-License-Identifier: Apache-2.0
 *
 * A command of ovs-vswitchd's (what ovs-appctl runs) that nobody has to wait for. */
#ifndef NWF_VSWITCHD_CALL_H
#define NWF_VSWITCHD_CALL_H

#include <stddef.h>

#include "nwf/cleanup.h"
#include "nwf/error.h"

struct nwf_vswitchd_call;

/* Begins to run 'command' with 'args', which are copied.  'timeout_ms' bounds connecting, and
 * then the answer. */
struct nwf_vswitchd_call *nwf_vswitchd_call_new(const char *command, const char *const *args,
                                                size_t n_args, unsigned int timeout_ms);
void nwf_vswitchd_call_free(struct nwf_vswitchd_call *call);
DEFINE_CLEANUP(struct nwf_vswitchd_call, nwf_vswitchd_call, nwf_vswitchd_call_free)

/* Goes on with it; never blocks.  0: *ret_output (the caller's to free) is what the command
 * prints.  -EAGAIN: not yet; call it again after nwf_vswitchd_call_wait() and poll_block().
 * -EIO: *err has what ovs-vswitchd says against it.  Unless it is -EAGAIN the call has ended. */
int nwf_vswitchd_call_run(struct nwf_vswitchd_call *call, char **ret_output, struct nwf_error *err);

/* Makes the next poll_block() wake up when nwf_vswitchd_call_run() has something to do. */
void nwf_vswitchd_call_wait(struct nwf_vswitchd_call *call);

#endif
