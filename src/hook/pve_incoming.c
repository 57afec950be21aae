/* SPDX-License-Identifier: Apache-2.0
 *
 * Notes on incoming guests; see pve_incoming.h.  Each is a small file where Open vSwitch has its
 * sockets, with the seconds since the host's boot: the time of day may be set meanwhile. */
#include <config.h>

#include "pve_incoming.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nwf/cleanup.h"
#include "nwf/file.h"
#include "nwf/text.h"

#include "lib/dirs.h"

static char *
path_of(unsigned int vmid)
{
    return nwf_asprintf("%s/.ovs-nwfilter.incoming.%u", ovs_rundir(), vmid);
}

static int64_t
seconds_since_boot(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}

int
nwf_pve_incoming_note(unsigned int vmid, struct nwf_error *err)
{
    char *path CLEANUP_FREE = path_of(vmid);
    char *text CLEANUP_FREE = nwf_asprintf("%lld\n", (long long) seconds_since_boot());

    return nwf_file_write(path, text, strlen(text), err);
}

void
nwf_pve_incoming_forget(unsigned int vmid)
{
    char *path CLEANUP_FREE = path_of(vmid);

    (void) unlink(path); /* Mostly there is none. */
}

bool
nwf_pve_is_incoming(unsigned int vmid)
{
    char *path CLEANUP_FREE = path_of(vmid);
    char *text CLEANUP_FREE = NULL;
    int64_t then, now = seconds_since_boot();
    size_t size;

    if (nwf_file_read(path, 64, &text, &size, NULL)) {
        return false;
    }
    text[strcspn(text, "\n")] = '\0';
    return nwf_parse_int(text, 0, now, &then) && now - then < NWF_PVE_INCOMING_S;
}
