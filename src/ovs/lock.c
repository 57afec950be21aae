/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's lock; see nwf/lock.h. */
#include <config.h>

#include "nwf/lock.h"

#include <errno.h>

#include "nwf/text.h"
#include "openvswitch/poll-loop.h"

#include "lib/dirs.h"
#include "lib/lockfile.h"
#include "lib/timeval.h"
#include "lib/util.h"

/* How often a lock that is taken is tried again, milliseconds. */
#define RETRY_MS 5

struct nwf_lock {
    struct lockfile *file;
};

int
nwf_lock_take(unsigned int timeout_ms, struct nwf_lock **ret, struct nwf_error *err)
{
    char *path CLEANUP_FREE = nwf_asprintf("%s/ovs-nwfilter", ovs_rundir());
    long long int deadline = time_msec() + timeout_ms;
    struct lockfile *file;
    int r;

    *ret = NULL;
    while ((r = lockfile_lock(path, &file)) == EAGAIN && time_msec() < deadline) {
        poll_timer_wait(RETRY_MS);
        poll_block();
    }
    if (r == ENOENT) {
        return 0;
    }
    if (r) {
        char *name CLEANUP_FREE = lockfile_name(path);
        return nwf_error_set(err, -r, "%s: %s", name,
                             r == EAGAIN ? "another ovs-nwfilter is at work" : ovs_strerror(r));
    }
    *ret = nwf_zalloc(sizeof **ret);
    (*ret)->file = file;
    return 0;
}

void
nwf_lock_release(struct nwf_lock *lock)
{
    lockfile_unlock(lock->file);
    free(lock);
}
