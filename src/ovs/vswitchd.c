/* SPDX-License-Identifier: Apache-2.0
 *
 * ovs-vswitchd's commands, waiting for their ends; see nwf/vswitchd.h. */
#include <config.h>

#include "nwf/vswitchd.h"

#include <errno.h>

#include "nwf/cleanup.h"
#include "nwf/unixctl_call.h"
#include "openvswitch/poll-loop.h"

int
nwf_vswitchd_call(const char *command, const char *const *args, size_t n_args,
                  unsigned int timeout_ms, char **ret_output, struct nwf_error *err)
{
    struct nwf_unixctl_call *call CLEANUP(nwf_unixctl_call_cleanup) = nwf_unixctl_call_new(
        &(struct nwf_unixctl_command){"ovs-vswitchd", command, args, n_args}, timeout_ms);
    int r;

    *ret_output = NULL;
    while ((r = nwf_unixctl_call_run(call, ret_output, err)) == -EAGAIN) {
        nwf_unixctl_call_wait(call);
        poll_block();
    }
    return r;
}

int
nwf_vswitchd_command(const char *command, const char *arg, unsigned int timeout_ms,
                     struct nwf_error *err)
{
    char *output CLEANUP_FREE = NULL;

    return nwf_vswitchd_call(command, &arg, arg ? 1 : 0, timeout_ms, &output, err);
}

int
nwf_vswitchd_flush_cache(unsigned int timeout_ms, struct nwf_error *err)
{
    int r;

    if ((r = nwf_vswitchd_command("revalidator/purge", NULL, timeout_ms, err))) {
        return r;
    }
    return nwf_vswitchd_command("revalidator/purge", NULL, timeout_ms, err);
}
