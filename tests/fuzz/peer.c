/* SPDX-License-Identifier: Apache-2.0
 *
 * See peer.h. */
#include <config.h>

#include "peer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "openvswitch/vlog.h"

#include "lib/dirs.h"

static char folder[] = "/tmp/nwf-fuzz-XXXXXX";

/* Names of the sockets, for the end. */
static char *names[4];
static size_t n_names;

static void
remove_folder(void)
{
    for (size_t i = 0; i < n_names; i++) {
        unlink(names[i]);
        free(names[i]);
    }
    rmdir(folder);
}

const char *
peer_rundir(void)
{
    static bool is_made;

    if (!is_made) {
        signal(SIGPIPE, SIG_IGN);
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
        FUZZ_CHECK(mkdtemp(folder));
        setenv("OVS_RUNDIR", folder, 1);
        FUZZ_CHECK(!strcmp(ovs_rundir(), folder));
        atexit(remove_folder);
        is_made = true;
    }
    return folder;
}

int
peer_listen(const char *file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *name = nwf_asprintf("%s/%s", peer_rundir(), file);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    FUZZ_CHECK(fd >= 0 && n_names < sizeof names / sizeof names[0]);
    names[n_names++] = name;
    FUZZ_CHECK(strlen(name) < sizeof address.sun_path);
    strcpy(address.sun_path, name);
    FUZZ_CHECK(!bind(fd, (struct sockaddr *) &address, sizeof address));
    FUZZ_CHECK(!listen(fd, 16));
    return fd;
}

int
peer_accept(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void
peer_send(int fd, const void *data, size_t size)
{
    if (fd >= 0 && size) {
        (void) !write(fd, data, size);
    }
}

void
peer_drain(int fd)
{
    char chunk[65536];

    while (fd >= 0 && read(fd, chunk, sizeof chunk) > 0) {
    }
}
