/* SPDX-License-Identifier: Apache-2.0
 *
 * sd_notify(3) without libsystemd; see notify.h.  One datagram to a local socket. */
#include <config.h>

#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or with '@' in front a name that is in no file system. */
static int
parse_address(const char *text, struct sockaddr_un *address, socklen_t *size)
{
    size_t n = strlen(text);

    if ((*text != '/' && *text != '@') || n < 2) {
        return -EAFNOSUPPORT;
    }
    if (n >= sizeof address->sun_path) {
        return -ENAMETOOLONG;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, text, n);
    if (*text == '@') {
        address->sun_path[0] = '\0';
    } else {
        n++; /* A path ends with a null byte, a name with its last one. */
    }
    *size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n);
    return 0;
}

int
nwf_notify(const char *lines)
{
    const char *text = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t size;

    if (!text || !*text) {
        return 0;
    }
    int r = parse_address(text, &address, &size);
    if (r) {
        return r;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (sendto(fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT,
               (const struct sockaddr *) &address, size)
        < 0) {
        r = -errno;
    }
    close(fd);
    return r;
}
