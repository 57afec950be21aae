/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounded reading and atomic writing of files; see nwf/file.h. */
#include "nwf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

static void
close_cleanup(int *fd)
{
    if (*fd > STDERR_FILENO) {
        close(*fd);
    }
}

static int
open_regular(const char *path, struct nwf_error *err)
{
    struct stat st;

    if (!strcmp(path, "-")) {
        return STDIN_FILENO;
    }
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return nwf_error_set(err, -errno, "%s: %s", path, strerror(errno));
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return nwf_error_set(err, -EINVAL, "%s: not a regular file", path);
    }
    return fd;
}

int
nwf_file_read(const char *path, size_t max, char **ret_data, size_t *ret_size,
              struct nwf_error *err)
{
    size_t used = 0, room = 16384;
    int fd CLEANUP(close_cleanup) = open_regular(path, err);

    if (fd < 0) {
        return fd;
    }
    char *data CLEANUP_FREE = nwf_zalloc(room + 1);
    for (;;) {
        ssize_t n = read(fd, data + used, room - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return nwf_error_set(err, -errno, "%s: %s", path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        used += (size_t) n;
        if (used > max) {
            return nwf_error_set(err, -EFBIG, "%s: larger than %zu bytes", path, max);
        }
        if (used == room) {
            room *= 2;
            data = realloc(data, room + 1);
            if (!data) {
                abort();
            }
        }
    }
    data[used] = '\0';
    *ret_size = used;
    *ret_data = TAKE_PTR(data);
    return 0;
}

static int
write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        data += n;
        size -= (size_t) n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int
replace(const char *path, const char *data, size_t size, mode_t mode, struct nwf_error *err)
{
    char *temporary CLEANUP_FREE = nwf_asprintf("%s.XXXXXX", path);
    int fd CLEANUP(close_cleanup) = mkostemp(temporary, O_CLOEXEC);

    if (fd < 0) {
        return nwf_error_set(err, -errno, "%s: %s", path, strerror(errno));
    }
    int r = write_all(fd, data, size);
    if (!r && fchmod(fd, mode) < 0) {
        r = -errno;
    }
    if (!r && rename(temporary, path) < 0) {
        r = -errno;
    }
    if (r) {
        unlink(temporary);
        return nwf_error_set(err, r, "%s: %s", path, strerror(-r));
    }
    return 0;
}

int
nwf_file_write(const char *path, const char *data, size_t size, struct nwf_error *err)
{
    return replace(path, data, size, 0644, err);
}

int
nwf_file_write_program(const char *path, const char *data, size_t size, struct nwf_error *err)
{
    return replace(path, data, size, 0755, err);
}
