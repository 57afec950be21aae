/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands on a device; see nwf/keepsake.h.
 *
 * What the kernel makes itself comes back by itself, and what bears our number is made by others
 * of us (host.c): both are left out (moved.c). */
#include <config.h>

#include "nwf/keepsake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "item.h"
#include "nwf/file.h"
#include "nwf/host.h"
#include "nwf/moved.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"

#include "lib/dirs.h"
#include "lib/packets.h"
#include "lib/timeval.h"

VLOG_DEFINE_THIS_MODULE(nwf_keepsake);

/* How long nothing has changed before what is there is taken for what is meant to be there:
 * changes of the device itself come with others a moment before. */
#define CALM_MS 1000

/* The file: a line for the device, one for what stands on it, one for what of that stands
 * elsewhere, too. */
#define FILE_MAX (2 * NWF_MOVED_TEXT_MAX + 100)

struct nwf_keepsake {
    char *name;
    struct nwf_netlink monitor;
    struct nwf_host_device now, then; /* The device; and when its state was noted.  Index 0: it is
                                       * not there. */
    bool is_noted;
    bool is_disturbed; /* It was another, or had another address, since then. */
    bool is_stale;     /* Something on it has changed since then, */
    long long int changed_at;
    struct nwf_moved kept;
    struct nwf_moved shared; /* Addresses of those that the host had on another device, too. */
    char *stored;            /* The file's text, as far as it is known; may be NULL. */
};

/* Nothing is noted. */
static void
clear(struct nwf_keepsake *k)
{
    nwf_moved_clear(&k->kept);
    nwf_moved_clear(&k->shared);
    k->is_noted = k->is_disturbed = k->is_stale = false;
}

/* ---- The device. ---- */

/* One that is not there has no index. */
static int
read_device_message(const struct nlmsghdr *message, void *device)
{
    bool gone;

    (void) nwf_device_read(message, device, &gone);
    return 0;
}

static int
read_device(struct nwf_keepsake *k, struct nwf_error *err)
{
    struct nwf_netlink nl CLEANUP(nwf_netlink_close) = {.socket = NULL};
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETLINK, 0);
    struct nwf_host_device device = {.index = 0};
    int r;

    mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request, IFLA_IFNAME, k->name);
    if ((r = nwf_netlink_open(0, &nl, err))) {
        return r;
    }
    r = nwf_netlink_ask(&nl, request, read_device_message, &device, err);
    if (r == -ENODEV) {
        nwf_error_clear(err);
        r = 0;
    }
    if (!r) {
        k->now = device;
    }
    return r;
}

static bool
is_same_device(const struct nwf_host_device *a, const struct nwf_host_device *b)
{
    return a->index == b->index && !memcmp(&a->mac, &b->mac, sizeof a->mac);
}

/* ---- Addresses elsewhere. ---- */

static bool
is_on(const struct nwf_moved *list, int family, const uint8_t *bytes)
{
    nwf_vec_foreach (address, &list->addresses) {
        if (address->family == family
            && !memcmp(address->local, bytes, family == AF_INET ? 4 : 16)) {
            return true;
        }
    }
    return false;
}

/* Those of what is kept that other devices have. */
struct elsewhere {
    const struct nwf_keepsake *keepsake;
    struct nwf_moved found;
};

static int
take_elsewhere(const struct nlmsghdr *message, void *elsewhere_)
{
    struct elsewhere *elsewhere = elsewhere_;
    const struct nwf_keepsake *k = elsewhere->keepsake;
    struct nwf_host_address address;
    bool gone;

    if (nwf_address_read(message, &address, &gone) && address.index != k->now.index
        && is_on(&k->kept, address.address.family, address.address.bytes)
        && !is_on(&elsewhere->found, address.address.family, address.address.bytes)) {
        struct nwf_moved_address found = {.family = address.address.family,
                                          .prefix_len = address.address.prefix_len,
                                          .valid = UINT32_MAX,
                                          .preferred = UINT32_MAX};
        memcpy(found.local, address.address.bytes, sizeof found.local);
        nwf_vec_push(&elsewhere->found.addresses, found);
    }
    return 0;
}

static int
list_elsewhere(const struct nwf_keepsake *k, struct nwf_moved *ret, struct nwf_error *err)
{
    struct nwf_netlink nl CLEANUP(nwf_netlink_close) = {.socket = NULL};
    char buffer[NWF_NETLINK_REQUEST] = {0};
    struct nlmsghdr *request = nwf_netlink_begin(buffer, RTM_GETADDR, 0);
    struct elsewhere elsewhere = {.keepsake = k};
    int r;

    mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
    if (!(r = nwf_netlink_open(0, &nl, err))) {
        r = nwf_netlink_dump(&nl, request, take_elsewhere, &elsewhere, err);
    }
    *ret = elsewhere.found;
    return r;
}

/* ---- The file. ---- */

static char *
file_name(const char *device)
{
    return nwf_asprintf("%s/ovs-nwfilter.%s.device", ovs_rundir(), device);
}

static void
store(struct nwf_keepsake *k)
{
    struct nwf_error err = NWF_ERROR_INIT;
    char *name CLEANUP_FREE = file_name(k->name);
    char *kept CLEANUP_FREE = nwf_moved_format(&k->kept);
    char *shared CLEANUP_FREE = nwf_moved_format(&k->shared);
    struct eth_addr mac;

    memcpy(&mac, k->then.mac.octets, sizeof mac);
    char *text = nwf_asprintf("%d " ETH_ADDR_FMT "\n%s\n%s\n", k->then.index, ETH_ADDR_ARGS(mac),
                              kept, shared);
    if (k->stored && !strcmp(k->stored, text)) {
        free(text);
        return;
    }
    if (nwf_file_write(name, text, strlen(text), &err)) {
        VLOG_WARN("%s", nwf_error_text(&err));
        nwf_error_clear(&err);
    }
    free(k->stored);
    k->stored = text;
}

static bool
parse(struct nwf_keepsake *k, char *text)
{
    char *rest = NULL, *head = strsep(&text, "\n"), *kept = strsep(&text, "\n"),
         *shared = strsep(&text, "\n");
    char *index = strtok_r(head, " ", &rest);
    int64_t number;
    struct eth_addr mac;

    if (!shared || !index || !nwf_parse_int(index, 1, INT32_MAX, &number)
        || !eth_addr_from_string(rest, &mac) || nwf_moved_parse(kept, &k->kept, NULL)) {
        return false;
    }
    if (nwf_moved_parse(shared, &k->shared, NULL)) {
        nwf_moved_clear(&k->kept);
        return false;
    }
    k->then.index = (int) number;
    memcpy(k->then.mac.octets, &mac, sizeof mac);
    return true;
}

/* Whether it was another device or had another address when its state was noted, or has lost all
 * of its routes, which it does when it goes down.  A new device that has addresses was set up by
 * somebody. */
static bool
has_changed(const struct nwf_keepsake *k)
{
    struct nwf_moved now;

    if (nwf_moved_note(k->name, &now, NULL)) {
        return false;
    }
    bool is_other =
        k->now.index != k->then.index ? !now.addresses.n : !is_same_device(&k->now, &k->then);
    bool is_bare = k->now.index == k->then.index && k->kept.routes.n && !now.routes.n;
    nwf_moved_clear(&now);
    return is_other || is_bare;
}

/* What was noted by who ran before. */
static void
load(struct nwf_keepsake *k)
{
    char *name CLEANUP_FREE = file_name(k->name);
    char *text CLEANUP_FREE = NULL;
    size_t size;

    if (nwf_file_read(name, FILE_MAX, &text, &size, NULL) || strlen(text) != size) {
        return;
    }
    k->is_noted = parse(k, text);
    k->is_disturbed = k->is_noted && (!k->now.index || has_changed(k));
    if (!k->is_disturbed) {
        clear(k); /* It is looked at anew. */
    }
}

void
nwf_keepsake_forget(const char *device)
{
    char *name CLEANUP_FREE = file_name(device);

    (void) unlink(name);
}

/* ---- Noting. ---- */

static int
take(struct nwf_keepsake *k, struct nwf_error *err)
{
    int r = read_device(k, err);

    if (r || !k->now.index || !k->now.up) {
        return r;
    }
    clear(k);
    if ((r = nwf_moved_note(k->name, &k->kept, err)) || (r = list_elsewhere(k, &k->shared, err))) {
        clear(k);
        return r;
    }
    k->then = k->now;
    k->is_noted = true;
    store(k);
    return 0;
}

int
nwf_keepsake_take(struct nwf_keepsake *k, struct nwf_error *err)
{
    return k->is_noted ? 0 : take(k, err);
}

/* ---- Putting back. ---- */

/* IPv4 addresses stay on a device that goes down.  If they are gone, it was somebody who has taken
 * them away, with all that relies on them. */
static bool
was_emptied(const struct nwf_keepsake *k)
{
    struct nwf_moved now;
    bool is_missing = false;

    if (k->now.index != k->then.index || nwf_moved_note(k->name, &now, NULL)) {
        return false;
    }
    nwf_vec_foreach (address, &k->kept.addresses) {
        is_missing |= address->family == AF_INET && !is_on(&now, AF_INET, address->local);
    }
    nwf_moved_clear(&now);
    return is_missing;
}

/* Somebody may have put an address onto another device since it was noted: that one has it now. */
static int
drop_moved(struct nwf_keepsake *k, struct nwf_error *err)
{
    struct nwf_moved now = {.addresses = {.n = 0}};
    size_t n = 0;
    int r = list_elsewhere(k, &now, err);

    nwf_vec_foreach (address, &k->kept.addresses) {
        if (!is_on(&now, address->family, address->local)
            || is_on(&k->shared, address->family, address->local)) {
            k->kept.addresses.data[n++] = *address;
        }
    }
    k->kept.addresses.n = n;
    nwf_moved_clear(&now);
    return r;
}

static int
put_all(struct nwf_keepsake *k, struct nwf_error *err)
{
    int r;

    if (was_emptied(k)) {
        return 0;
    }
    if ((!k->now.up && (r = nwf_device_set_up(k->name, true, err))) || (r = drop_moved(k, err))) {
        return r;
    }
    return nwf_moved_put(k->name, &k->kept, err);
}

int
nwf_keepsake_put_back(struct nwf_keepsake *k, struct nwf_error *err)
{
    int r = read_device(k, err);

    if (r || !k->is_noted || !k->now.index) {
        return r;
    }
    r = put_all(k, err);
    if (r) {
        nwf_error_wrap(err, "putting back what stood on %s", k->name);
    }
    k->then = k->now;
    store(k);
    k->is_disturbed = false;
    k->is_stale = true;
    k->changed_at = time_msec();
    return r;
}

/* ---- Looking on. ---- */

static bool
is_about(const struct nwf_keepsake *k, const struct nlmsghdr *message)
{
    const struct nlattr *attributes[RTA_OIF + 1];
    struct nwf_host_address address;
    bool gone;

    if (nwf_address_read(message, &address, &gone)) {
        return address.index == k->now.index;
    }
    if ((message->nlmsg_type != RTM_NEWROUTE && message->nlmsg_type != RTM_DELROUTE)
        || !nwf_netlink_parse(message, sizeof(struct rtmsg), attributes, RTA_OIF)) {
        return false;
    }
    const int *index = nwf_netlink_data(attributes[RTA_OIF], sizeof *index);
    return index && *index == k->now.index;
}

static void
take_device(struct nwf_keepsake *k, const struct nwf_host_device *device, bool gone)
{
    bool is_here = !gone && !strcmp(device->name, k->name);

    if (is_here || device->index == k->now.index) {
        k->now = is_here ? *device : (struct nwf_host_device){.index = 0};
        k->is_disturbed |= k->is_noted && !is_same_device(&k->now, &k->then);
    }
}

static int
take_notification(const struct nlmsghdr *message, void *keepsake_)
{
    struct nwf_keepsake *k = keepsake_;
    struct nwf_host_device device;
    bool gone;

    if (nwf_device_read(message, &device, &gone)) {
        take_device(k, &device, gone);
    } else if (is_about(k, message)) {
        k->is_stale = true;
        k->changed_at = time_msec();
    }
    return 0;
}

static int
listen_on(struct nwf_keepsake *k, struct nwf_error *err)
{
    int r = nwf_netlink_listen(&k->monitor, take_notification, k);

    if (r == -ENOBUFS) {
        k->is_stale = true;
        k->changed_at = time_msec();
        r = read_device(k, err);
        k->is_disturbed |= k->is_noted && !is_same_device(&k->now, &k->then);
        return r;
    }
    return r ? nwf_error_set(err, r, "rtnetlink: notifications: %s", strerror(-r)) : 0;
}

int
nwf_keepsake_run(struct nwf_keepsake *k, const struct nwf_mac *mac, bool *ret_put_back,
                 struct nwf_error *err)
{
    int r = listen_on(k, err);

    *ret_put_back = false;
    if (r || !k->now.index || memcmp(&k->now.mac, mac, sizeof *mac)) {
        return r;
    }
    if (k->is_disturbed) {
        if (k->now.up || k->now.index != k->then.index) {
            *ret_put_back = true;
            return nwf_keepsake_put_back(k, err);
        }
    } else if ((k->is_stale || !k->is_noted) && time_msec() >= k->changed_at + CALM_MS) {
        return take(k, err);
    }
    return 0;
}

void
nwf_keepsake_wait(const struct nwf_keepsake *k)
{
    poll_fd_wait(nwf_netlink_fd(&k->monitor), POLLIN);
    if (k->is_stale && k->now.up) {
        poll_timer_wait_until(k->changed_at + CALM_MS);
    }
}

/* ---- Life. ---- */

int
nwf_keepsake_open(const char *device, struct nwf_keepsake **ret, struct nwf_error *err)
{
    const unsigned int groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE
                                | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;
    struct nwf_keepsake *k CLEANUP(nwf_keepsake_cleanup) = NULL;
    int r;

    if (strlen(device) >= IFNAMSIZ || strchr(device, '/')) {
        return nwf_error_set(err, -ENODEV, "%.80s: no device can have this name", device);
    }
    k = nwf_zalloc(sizeof *k);
    k->name = nwf_strdup(device);
    if ((r = nwf_netlink_open(groups, &k->monitor, err)) || (r = read_device(k, err))) {
        return r;
    }
    load(k);
    *ret = TAKE_PTR(k);
    return 0;
}

void
nwf_keepsake_close(struct nwf_keepsake *k)
{
    clear(k);
    nwf_netlink_close(&k->monitor);
    free(k->stored);
    free(k->name);
    free(k);
}
