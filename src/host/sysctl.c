/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of the kernel; see nwf/sysctl.h. */
#include <config.h>

#include "nwf/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

/* Opens the setting's file: a name that leads out of /proc/sys is none. */
static int
open_setting(const char *path, int flags, struct nwf_error *err)
{
    char *file CLEANUP_FREE = nwf_asprintf("/proc/sys/%s", path);

    if (*path == '/' || strstr(path, "..")) {
        return nwf_error_set(err, -EINVAL, "%.200s: not a setting of the kernel", path);
    }
    int fd = open(file, flags | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        int r = -errno;
        return nwf_error_set(err, r, "%s: %s", file, strerror(-r));
    }
    return fd;
}

int
nwf_sysctl_read(const char *path, char **ret_value, struct nwf_error *err)
{
    int fd = open_setting(path, O_RDONLY, err);
    char value[NWF_SYSCTL_MAX + 1];

    if (fd < 0) {
        return fd;
    }
    ssize_t n = read(fd, value, sizeof value - 1);
    int r = n < 0 ? -errno : 0;
    close(fd);
    if (r) {
        return nwf_error_set(err, r, "/proc/sys/%s: %s", path, strerror(-r));
    }
    value[n] = '\0';
    value[strcspn(value, "\n")] = '\0';
    *ret_value = nwf_strdup(value);
    return 0;
}

int
nwf_sysctl_write(const char *path, const char *value, struct nwf_error *err)
{
    int fd = open_setting(path, O_WRONLY, err);

    if (fd < 0) {
        return fd;
    }
    ssize_t n = write(fd, value, strlen(value));
    int r = n < 0 ? -errno : 0;
    close(fd);
    return r ? nwf_error_set(err, r, "/proc/sys/%s: %s", path, strerror(-r)) : 0;
}

bool
nwf_sysctl_equals(const char *path, const char *value)
{
    char *now CLEANUP_FREE = NULL;

    return !nwf_sysctl_read(path, &now, NULL) && !strcmp(now, value);
}
