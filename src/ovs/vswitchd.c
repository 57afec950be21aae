/* SPDX-License-Identifier: Apache-2.0
 *
 * unixctl towards ovs-vswitchd; see nwf/vswitchd.h. */
#include <config.h>

#include "nwf/vswitchd.h"

#include <errno.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

#include "lib/daemon.h"
#include "lib/dirs.h"
#include "lib/jsonrpc.h"
#include "lib/unixctl.h"
#include "lib/util.h"

int
nwf_vswitchd_call(const char *command, const char *const *args, size_t n_args, char **ret_output,
                  struct nwf_error *err)
{
    char *pidfile CLEANUP_FREE = nwf_asprintf("%s/ovs-vswitchd.pid", ovs_rundir());
    struct jsonrpc *client;

    pid_t pid = read_pidfile(pidfile);
    if (pid < 0) {
        return nwf_error_set(err, (int) pid, "%s: %s", pidfile, strerror(-(int) pid));
    }
    char *path CLEANUP_FREE = nwf_asprintf("%s/ovs-vswitchd.%ld.ctl", ovs_rundir(), (long) pid);
    int r = unixctl_client_create(path, &client);
    if (r) {
        return nwf_error_set(err, -r, "%s: %s", path, strerror(r));
    }
    char *result CLEANUP_FREE = NULL, *cause CLEANUP_FREE = NULL;
    r = unixctl_client_transact(client, command, (int) n_args, (char **) args, &result, &cause);
    jsonrpc_close(client);
    if (r || cause) {
        return nwf_error_set(err, r > 0 ? -r : -EIO, "ovs-vswitchd: %s: %s", command,
                             cause ? (const char *) cause : ovs_retval_to_string(r));
    }
    *ret_output = TAKE_PTR(result);
    return 0;
}

int
nwf_vswitchd_command(const char *command, const char *arg, struct nwf_error *err)
{
    char *output CLEANUP_FREE = NULL;

    return nwf_vswitchd_call(command, &arg, arg ? 1 : 0, &output, err);
}

int
nwf_vswitchd_flush_cache(struct nwf_error *err)
{
    return nwf_vswitchd_command("revalidator/purge", NULL, err);
}
