/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's lock; see nwf/lock.h.
 *
 * The library's lockfile follows symbolic links, and takes a file that may not be opened
 * for one that somebody else has locked. */
#include <config.h>

#include "nwf/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nwf/text.h"
#include "openvswitch/poll-loop.h"

#include "lib/dirs.h"
#include "lib/timeval.h"
#include "lib/util.h"

/* How often a lock that is taken is tried again, milliseconds. */
#define RETRY_MS 5

struct nwf_lock {
    int fd;
};

/* Nobody else may have put there what is opened: who owns the lock can keep it for ever. */
static int
check_file(int fd, const char *path, struct nwf_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return nwf_error_set(err, -errno, "%s: %s", path, ovs_strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || st.st_nlink > 1) {
        return nwf_error_set(err, -EINVAL, "%s: not a regular file with one name", path);
    }
    return st.st_uid == geteuid() ? 0
                                  : nwf_error_set(err, -EPERM, "%s: belongs to another user", path);
}

/* Opens the file at 'path', or makes it.  Returns a file descriptor or a negative errno;
 * -ENOENT if there is no such directory. */
static int
open_file(const char *path, struct nwf_error *err)
{
    /* O_NONBLOCK: a FIFO must not keep us waiting. */
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

    if (fd < 0) {
        return nwf_error_set(err, -errno, "%s: %s", path,
                             errno == ELOOP ? "a symbolic link" : ovs_strerror(errno));
    }
    int r = check_file(fd, path, err);
    if (r) {
        close(fd);
        return r;
    }
    return fd;
}

/* Whether 'fd' is locked now; a negative errno if it never can be.  The lock is of the open
 * file, so that no other close() in this process ends it. */
static int
try_lock(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (!fcntl(fd, F_OFD_SETLK, &whole)) {
        return 1;
    }
    return errno == EAGAIN || errno == EACCES ? 0 : -errno;
}

static char *
lock_path(void)
{
    return nwf_asprintf("%s/.ovs-nwfilter.~lock~", ovs_rundir());
}

bool
nwf_lock_was_taken(void)
{
    char *path CLEANUP_FREE = lock_path();
    struct stat st;

    return !lstat(path, &st) || errno != ENOENT;
}

int
nwf_lock_take(unsigned int timeout_ms, struct nwf_lock **ret, struct nwf_error *err)
{
    char *path CLEANUP_FREE = lock_path();
    long long int deadline = time_msec() + timeout_ms;
    int fd = open_file(path, err), r;

    *ret = NULL;
    if (fd < 0) {
        return fd == -ENOENT ? 0 : fd;
    }
    while (!(r = try_lock(fd)) && time_msec() < deadline) {
        poll_timer_wait(RETRY_MS);
        poll_block();
    }
    if (r <= 0) {
        close(fd);
        return nwf_error_set(err, r ? r : -EAGAIN, "%s: %s", path,
                             r ? ovs_strerror(-r) : "another ovs-nwfilter is at work");
    }
    *ret = nwf_zalloc(sizeof **ret);
    (*ret)->fd = fd;
    return 0;
}

void
nwf_lock_release(struct nwf_lock *lock)
{
    close(lock->fd);
    free(lock);
}
