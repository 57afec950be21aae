/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a run of "routed apply" waits for its confirmation: a socket in the run directory.  Only
 * root may connect, as only root may write there. */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "nwf/text.h"
#include "apply.h"

#include "lib/dirs.h"
#include "lib/util.h"

/* What is sent, with the bridge's name behind it, or nothing. */
#define CONFIRM "confirm "

/* Longest name of a bridge, or answer, bytes. */
#define MESSAGE_MAX 512

/* How long one who has connected may take to say something, milliseconds. */
#define PATIENCE_MS 2000

static int
socket_address(struct sockaddr_un *ret, struct nwf_error *err)
{
    char *path CLEANUP_FREE = nwf_asprintf("%s/ovs-nwfilter-routed.sock", ovs_rundir());

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof ret->sun_path) {
        return nwf_error_set(err, -ENAMETOOLONG, "%s: too long for a socket", path);
    }
    ovs_strlcpy(ret->sun_path, path, sizeof ret->sun_path);
    return 0;
}

/* -ECONNREFUSED, -ENOENT: nobody listens. */
static int
connect_to(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *) address, sizeof *address) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int
nwf_routed_listen(int *ret_fd, struct nwf_error *err)
{
    struct sockaddr_un address;
    int r = socket_address(&address, err);

    if (r) {
        return r;
    }
    int fd = connect_to(&address);
    if (fd >= 0) {
        close(fd);
        return nwf_error_set(err, -EBUSY,
                             "another run of \"routed apply\" waits for its confirmation");
    }
    (void) unlink(address.sun_path); /* Of a run that was killed. */
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177);
    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof address) < 0 || listen(fd, 4) < 0) {
        r = nwf_error_set(err, -errno, "%s: %s", address.sun_path, ovs_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
    } else {
        *ret_fd = fd;
    }
    umask(old);
    return r;
}

void
nwf_routed_unlisten(int fd)
{
    struct sockaddr_un address;

    if (!socket_address(&address, NULL)) {
        (void) unlink(address.sun_path);
    }
    close(fd);
}

static ssize_t
receive(int fd, char message[MESSAGE_MAX], int timeout_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t n = poll(&ready, 1, timeout_ms) > 0 ? recv(fd, message, MESSAGE_MAX - 1, 0) : -1;

    message[n < 0 ? 0 : n] = '\0';
    return n;
}

bool
nwf_routed_take(int fd, const char *bridge)
{
    char message[MESSAGE_MAX];
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    if (peer < 0) {
        return false;
    }
    ssize_t n = receive(peer, message, PATIENCE_MS);
    bool good = n > 0 && !strncmp(message, CONFIRM, strlen(CONFIRM))
                && (!message[strlen(CONFIRM)] || !strcmp(message + strlen(CONFIRM), bridge));
    if (n > 0) {
        char *answer CLEANUP_FREE = good ? nwf_asprintf("%s: confirmed", bridge)
                                         : nwf_asprintf("!it is %s that waits", bridge);
        (void) !send(peer, answer, strlen(answer), MSG_NOSIGNAL);
    }
    close(peer);
    return good;
}

int
nwf_routed_send(const char *bridge, unsigned int timeout_ms, char **ret_answer,
                struct nwf_error *err)
{
    char *request CLEANUP_FREE = nwf_asprintf(CONFIRM "%.400s", bridge ? bridge : "");
    char answer[MESSAGE_MAX];
    struct sockaddr_un address;
    int r = socket_address(&address, err);

    if (r) {
        return r;
    }
    int fd = connect_to(&address);
    if (fd < 0) {
        return fd == -ENOENT || fd == -ECONNREFUSED
                   ? nwf_error_set(err, -ESRCH, "nothing waits for a confirmation")
                   : nwf_error_set(err, fd, "%s: %s", address.sun_path, ovs_strerror(-fd));
    }
    ssize_t n = send(fd, request, strlen(request), MSG_NOSIGNAL);
    n = n < 0 ? n : receive(fd, answer, (int) timeout_ms);
    close(fd);
    if (n <= 0) {
        return nwf_error_set(err, -ETIMEDOUT, "no answer: it may be undone just now");
    }
    if (*answer == '!') {
        return nwf_error_set(err, -EINVAL, "%s", answer + 1);
    }
    *ret_answer = nwf_strdup(answer);
    return 0;
}
