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
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"

#include "lib/timeval.h"
#include "lib/util.h"

/* Longest wait for the bridge's device to have the NIC's MAC address, and how often it is looked
 * at, milliseconds.  Another address later would take routes away. */
#define MAC_MS 10000
#define LOOK_MS 20

void
nwf_adoption_clear(struct nwf_adoption *adoption)
{
    free(adoption->nic);
    for (size_t i = 0; i < NWF_N_NIC_SETTINGS; i++) {
        free(adoption->before[i]);
    }
    nwf_moved_clear(&adoption->moved);
    memset(adoption, 0, sizeof *adoption);
}

/* The kernel goes on to hear what arrives at the NIC where Open vSwitch's userspace datapath reads
 * it.  With these it takes nothing of that for its own: no IPv6, and of IPv4 only what comes from
 * where it would send by the NIC, which is nowhere. */
const struct nwf_nic_setting nwf_nic_settings[NWF_N_NIC_SETTINGS] = {
    {"disable_ipv6", "ipv6", "1"},
    {"rp_filter", "ipv4", "1"},
};

char *
nwf_nic_setting_path(const struct nwf_nic_setting *setting, const char *nic)
{
    return nwf_asprintf("net/%s/conf/%s/%s", setting->family, nic, setting->name);
}

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

/* The note separates words by spaces and items by semicolons. */
static bool
is_name(const char *nic)
{
    return nwf_text_is_name(nic, "._-+@=,#~", 15);
}

int
nwf_adoption_plan(const struct nwf_ovs_bridge *bridge, const char *nic, struct nwf_adoption *ret,
                  struct nwf_error *err)
{
    int r;

    memset(ret, 0, sizeof *ret);
    if (!is_name(nic)) {
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

/* ---- The note. ---- */

char *
nwf_adoption_format(const struct nwf_adoption *a)
{
    char *moved CLEANUP_FREE = nwf_moved_format(&a->moved);
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "nic %s%s%s", a->nic, a->joins ? " joins" : "", a->lifts ? " lifts" : "");
    for (size_t i = 0; i < NWF_N_NIC_SETTINGS; i++) {
        if (a->before[i]) {
            ds_put_format(&s, " %s %s", nwf_nic_settings[i].name, a->before[i]);
        }
    }
    ds_put_format(&s, "; %s", moved);
    return ds_steal_cstr(&s);
}

/* A setting's name has its value behind it. */
static bool
parse_setting(const char *name, const char *value, struct nwf_adoption *ret)
{
    int64_t n;

    for (size_t i = 0; i < NWF_N_NIC_SETTINGS; i++) {
        if (!strcmp(name, nwf_nic_settings[i].name) && !ret->before[i]) {
            if (!value || !nwf_parse_int(value, 0, 9, &n)) {
                return false;
            }
            ret->before[i] = nwf_strdup(value);
            return true;
        }
    }
    return false;
}

static bool
parse_head(char *text, struct nwf_adoption *ret)
{
    char *rest, *word = strtok_r(text, " ", &rest);

    if (!word || strcmp(word, "nic") || !(word = strtok_r(NULL, " ", &rest)) || !is_name(word)) {
        return false;
    }
    ret->nic = nwf_strdup(word);
    while ((word = strtok_r(NULL, " ", &rest))) {
        if (!strcmp(word, "joins")) {
            ret->joins = true;
        } else if (!strcmp(word, "lifts")) {
            ret->lifts = true;
        } else if (!parse_setting(word, strtok_r(NULL, " ", &rest), ret)) {
            return false;
        }
    }
    return true;
}

int
nwf_adoption_parse(const char *text, struct nwf_adoption *ret, struct nwf_error *err)
{
    size_t n = strcspn(text, ";");
    char *head CLEANUP_FREE = nwf_strndup(text, n);
    int r;

    memset(ret, 0, sizeof *ret);
    r = parse_head(head, ret)
            ? nwf_moved_parse(text[n] ? text + n + 1 : "", &ret->moved, err)
            : nwf_error_set(err, -EINVAL, "\"%.80s\" is no note of what was moved", text);
    if (r) {
        nwf_adoption_clear(ret);
        nwf_error_wrap(err, NWF_BRIDGE_MOVED);
    }
    return r;
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

static int
leave(struct nwf_ovsdb *db, const char *name, const struct nwf_adoption *a, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge = db ? nwf_cli_read_bridge(db, name, &bridges, NULL) : NULL;
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
nwf_adoption_undo(struct nwf_ovsdb *db, const char *bridge, const struct nwf_adoption *a,
                  struct nwf_error *err)
{
    struct nwf_error cause = NWF_ERROR_INIT;
    int first = 0, r;

    r = nwf_moved_take(bridge, &a->moved, &cause);
    note_error(r == -ENODEV ? 0 : r, &cause, &first, err);
    note_error(set_all(a, true, &cause), &cause, &first, err);
    note_error(nwf_moved_put(a->nic, &a->moved, &cause), &cause, &first, err);
    note_error(leave(db, bridge, a, &cause), &cause, &first, err);
    if (a->lifts) {
        r = nwf_device_set_up(bridge, false, &cause);
        note_error(r == -ENODEV ? 0 : r, &cause, &first, err);
    }
    return first;
}
