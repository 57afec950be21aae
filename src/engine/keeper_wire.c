/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host has on the bridge's device, where flows route: the addresses and routes by which it
 * is reached at all.
 *
 * The userspace datapath takes the device down to give it another Ethernet address, as it does when
 * somebody has cleared the bridge's settings and when they are back; and with the device go IPv6
 * addresses and all routes.  So what was there before is put back.  It is kept in a file as well,
 * which does not outlive the host: a daemon that was away meanwhile knows it too. */
#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper.h"
#include "nwf/file.h"
#include "nwf/text.h"
#include "openvswitch/vlog.h"

#include "lib/dirs.h"
#include "lib/packets.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_wire);

/* ---- The file. ---- */

static char *
file_name(const char *bridge)
{
    return nwf_asprintf("%s/ovs-nwfilter.%s.wire", ovs_rundir(), bridge);
}

/* A device of another number or address has been down since. */
static char *
format_device(const struct nwf_host_device *device)
{
    struct eth_addr mac;

    memcpy(&mac, device->mac.octets, sizeof mac);
    return nwf_asprintf("%d " ETH_ADDR_FMT "\n", device->index, ETH_ADDR_ARGS(mac));
}

static void
store(struct nwf_keeper *k, const struct nwf_host_device *device)
{
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = nwf_moved_format(&k->wire);
    char *head CLEANUP_FREE = format_device(device);
    char *both = nwf_asprintf("%s%s", head, text);
    char *name CLEANUP_FREE = file_name(k->plan.name);

    if (!k->wire_text || strcmp(k->wire_text, both)) {
        if (nwf_file_write(name, both, strlen(both), &err)) {
            VLOG_WARN("bridge %s: %s", k->plan.name, nwf_error_text(&err));
            nwf_error_clear(&err);
        }
        free(k->wire_text);
        k->wire_text = both;
    } else {
        free(both);
    }
}

/* A device that has been down has lost all its routes at once. */
static bool
has_routes(const char *bridge)
{
    struct nwf_moved now;
    bool has_any = nwf_moved_read(bridge, &now, NULL) || now.routes.n;

    nwf_moved_clear(&now);
    return has_any;
}

static bool
has_address(const struct nwf_moved *moved, const struct nwf_moved_address *address)
{
    nwf_vec_foreach (other, &moved->addresses) {
        if (other->family == address->family
            && !memcmp(other->local, address->local, sizeof address->local)) {
            return true;
        }
    }
    return false;
}

/* IPv4 addresses stay on a device that goes down.  If they are gone, it was somebody who has
 * taken them away, with all that relies on them. */
static bool
was_emptied(const struct nwf_keeper *k, const struct nwf_host_device *device)
{
    struct nwf_moved now;
    bool missing = false;

    if (k->wire_index != device->index || nwf_moved_read(k->plan.name, &now, NULL)) {
        return false;
    }
    nwf_vec_foreach (address, &k->wire.addresses) {
        missing |= address->family == AF_INET && !has_address(&now, address);
    }
    nwf_moved_clear(&now);
    return missing;
}

/* False: nothing is known, or the device has not been down since. */
static bool
load(struct nwf_keeper *k, const struct nwf_host_device *device)
{
    char *name CLEANUP_FREE = file_name(k->plan.name);
    char *head CLEANUP_FREE = format_device(device);
    char *text CLEANUP_FREE = NULL;
    size_t size;

    if (nwf_file_read(name, NWF_MOVED_TEXT_MAX, &text, &size, NULL) || !strchr(text, '\n')
        || nwf_moved_parse(strchr(text, '\n') + 1, &k->wire, NULL)) {
        return false;
    }
    k->wire_index = atoi(text);
    return strncmp(text, head, strlen(head)) || (k->wire.routes.n && !has_routes(k->plan.name));
}

void
nwf_wire_forget(const char *bridge)
{
    char *name CLEANUP_FREE = file_name(bridge);

    (void) unlink(name);
}

/* ---- The device. ---- */

static void
put_back(struct nwf_keeper *k)
{
    struct nwf_error err = NWF_ERROR_INIT;

    VLOG_INFO("bridge %s: its device was down: its addresses and routes are put back",
              k->plan.name);
    if (nwf_moved_put(k->plan.name, &k->wire, &err)) {
        VLOG_WARN("bridge %s: %s", k->plan.name, nwf_error_text(&err));
        nwf_error_clear(&err);
    }
}

static void
take_note(struct nwf_keeper *k, const struct nwf_host_device *device)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_moved now;

    if (nwf_moved_read(k->plan.name, &now, &err)) {
        VLOG_DBG("bridge %s: %s", k->plan.name, nwf_error_text(&err));
        nwf_error_clear(&err);
        return;
    }
    nwf_moved_clear(&k->wire);
    k->wire = now;
    k->wire_index = device->index;
    store(k, device);
}

/* To be called when something of it may have changed. */
void
nwf_keeper_look_at_wire(struct nwf_keeper *k)
{
    const struct nwf_host_device *device = nwf_host_device(k->host, k->plan.name);
    unsigned int n_falls = nwf_host_n_falls(k->host);

    if (!device || !device->up || !device->has_mac) {
        return;
    }
    if (!k->wire_is_known) {
        k->wire_is_known = true;
        k->wire_n_falls = load(k, device) ? n_falls - 1 : n_falls;
    }
    if (k->wire_n_falls != n_falls) {
        if (!was_emptied(k, device)) {
            put_back(k);
        }
        k->wire_n_falls = n_falls;
    }
    take_note(k, device);
}

/* The bridge is not there any more: what comes under its name has addresses of its own. */
void
nwf_keeper_forget_wire(struct nwf_keeper *k)
{
    nwf_moved_clear(&k->wire);
    free(TAKE_PTR(k->wire_text));
    k->wire_is_known = false;
}
