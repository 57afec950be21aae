/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink goes onto the bridge, and back; see adoption.h. */
#include <config.h>

#include "adoption.h"

#include <errno.h>
#include <string.h>

#include "cli.h"
#include "nwf/nic_lock.h"
#include "nwf/sysctl.h"
#include "nwf/text.h"
#include "openvswitch/poll-loop.h"

#include "lib/timeval.h"
#include "lib/util.h"

/* Longest wait for the bridge's device to have the NIC's MAC address, and how often it is looked
 * at, milliseconds.  Another address later would take routes away. */
#define MAC_MS 10000
#define LOOK_MS 20

static bool
has_port(const struct nwf_ovs_bridge *bridge, const char *name)
{
    nwf_vec_foreach (port, &bridge->ports) {
        if (!strcmp(port->name, name) || !strcmp(port->port_name, name)) {
            return true;
        }
    }
    return false;
}

int
nwf_adoption_plan(const struct nwf_ovs_bridge *bridge, const char *nic, struct nwf_adoption *ret,
                  struct nwf_error *err)
{
    int r;

    memset(ret, 0, sizeof *ret);
    if (!nwf_adoption_is_name(nic)) {
        return nwf_error_set(err, -EINVAL, "%s: it cannot be moved under this name", nic);
    }
    if ((r = nwf_moved_read(nic, &ret->moved, err))) {
        return r;
    }
    ret->nic = nwf_strdup(nic);
    ret->joins = !has_port(bridge, nic);
    ret->lifts = !nwf_device_is_up(bridge->name);
    for (size_t i = 0; i < NWF_N_NIC_SETTINGS; i++) {
        char *path CLEANUP_FREE = nwf_nic_setting_path(&nwf_nic_settings[i], nic);
        (void) nwf_sysctl_read(path, &ret->before[i], NULL);
    }
    return 0;
}

/* ---- There. ---- */

int
nwf_adoption_join(struct nwf_ovsdb *db, const char *name, const struct nwf_adoption *a,
                  struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge = nwf_cli_read_bridge(db, name, &bridges, err);

    if (!bridge) {
        return -ENOENT;
    }
    if (has_port(bridge, a->nic)) {
        return 0;
    }
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = nwf_txn_new(db);
    nwf_txn_add_port(txn, bridge, a->nic, NULL, 0, -1);
    nwf_txn_wait_for_vswitchd(txn);
    int r = nwf_ovsdb_commit(db, txn, err);
    if (r) {
        nwf_error_wrap(err, "putting %s onto %s", a->nic, name);
    }
    return r;
}

static int
await_mac(const char *bridge, const char *nic, struct nwf_error *err)
{
    const long long int end = time_msec() + MAC_MS;
    struct nwf_mac wanted, mac;

    for (;;) {
        if (!nwf_nic_own_mac(nic, &wanted) && !nwf_nic_own_mac(bridge, &mac)
            && !memcmp(&wanted, &mac, sizeof mac)) {
            return 0;
        }
        if (time_msec() >= end) {
            return nwf_error_set(err, -ETIMEDOUT, "%s does not take the MAC address of %s", bridge,
                                 nic);
        }
        poll_timer_wait(LOOK_MS);
        poll_block();
    }
}

/* Sets them as they shall be, or back; the first error counts. */
static int
set_all(const struct nwf_adoption *a, bool back, struct nwf_error *err)
{
    int first = 0;

    for (size_t i = 0; i < NWF_N_NIC_SETTINGS; i++) {
        char *path CLEANUP_FREE = nwf_nic_setting_path(&nwf_nic_settings[i], a->nic);
        const char *value = back ? a->before[i] : nwf_nic_settings[i].value;
        if (a->before[i] && !nwf_sysctl_equals(path, value)) {
            int r = nwf_sysctl_write(path, value, first ? NULL : err);
            first = first ? first : r;
        }
    }
    return first;
}

int
nwf_adoption_move(const char *bridge, const struct nwf_adoption *a, struct nwf_error *err)
{
    int r;

    if ((r = await_mac(bridge, a->nic, err)) || (r = nwf_device_set_up(bridge, true, err))
        || (r = nwf_moved_take(a->nic, &a->moved, err)) || (r = set_all(a, false, err))) {
        return r;
    }
    return nwf_moved_put(bridge, &a->moved, err);
}

/* ---- And back. ---- */

int
nwf_adoption_leave(struct nwf_ovsdb *db, const char *name, const struct nwf_adoption *a,
                   struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge = nwf_cli_read_bridge(db, name, &bridges, NULL);
    struct nwf_ovs_refs refs = {.data = NULL};
    int r = 0;

    if (!bridge || !a->joins) {
        return 0;
    }
    nwf_ovs_list_ports(bridge, &refs);
    nwf_vec_foreach (ref, &refs) {
        if (!strcmp(nwf_ovs_ref_name(ref), a->nic) && !ref->is_member) {
            struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = nwf_txn_new(db);
            nwf_txn_remove_port(txn, bridge, ref);
            nwf_txn_wait_for_vswitchd(txn);
            r = nwf_ovsdb_commit(db, txn, err);
            break;
        }
    }
    nwf_vec_clear(&refs);
    return r;
}

/* Keeps the first error. */
static void
note_error(int r, struct nwf_error *cause, int *first, struct nwf_error *err)
{
    if (r && !*first) {
        *first = nwf_error_set(err, r, "%s", nwf_error_text(cause));
    }
    nwf_error_clear(cause);
}

int
nwf_adoption_move_back(const char *bridge, const struct nwf_adoption *a, struct nwf_error *err)
{
    struct nwf_error cause = NWF_ERROR_INIT;
    int first = 0, r;

    r = nwf_moved_take(bridge, &a->moved, &cause);
    note_error(r == -ENODEV ? 0 : r, &cause, &first, err);
    note_error(set_all(a, true, &cause), &cause, &first, err);
    note_error(nwf_moved_put(a->nic, &a->moved, &cause), &cause, &first, err);
    if (a->lifts) {
        r = nwf_device_set_up(bridge, false, &cause);
        note_error(r == -ENODEV ? 0 : r, &cause, &first, err);
    }
    return first;
}
