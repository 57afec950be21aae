/* SPDX-License-Identifier: Apache-2.0
 *
 * A keeper's second lock: an nftables chain at the egress of each NIC that is guarded (see
 * nwf/nic_lock.h), from before the bridge is enforced until it is unmanaged.
 *
 * It stands beside the states of the machine, for it is there for the moment in which another tool
 * has thrown the machine back to its beginning.  Where the kernel offers no such lock, all else
 * goes on, and the bridge's status says so. */
#include <config.h>

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "keeper.h"
#include "nwf/text.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"

#include "lib/timeval.h"
#include "lib/util.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_lock);

/* How often it is looked at by itself, and at most, however often others change rules. */
#define LOOK_MS 5000
#define LOOK_AT_MOST_MS 50

/* When it is tried again where it could not be made, milliseconds. */
#define RETRY_MS 4000

/* ---- What it is to be. ---- */

/* A NIC to be locked, and whose MACs it shares. */
struct nic {
    const char *name, *port;
};

struct nics {
    struct nic *data;
    size_t n, allocated;
    char *without; /* One that no chain of the kernel's holds, and why. */
};

static bool
has_nic(const struct nics *nics, const char *name)
{
    nwf_vec_foreach (nic, nics) {
        if (!strcmp(nic->name, name) || !strcmp(nic->port, name)) {
            return true;
        }
    }
    return false;
}

/* Who names a member of a bond means the bond. */
static void
list_guarded(const struct nwf_routed_config *config, const struct nwf_ovs_refs *refs,
             struct nics *ret)
{
    nwf_vec_foreach (ref, refs) {
        const char *name = nwf_ovs_ref_name(ref), *port = nwf_ovs_ref_port_name(ref), *reason;

        if (nwf_routed_guarding(config, port, name, &reason) != NWF_UNGUARDED) {
            nwf_vec_push(ret, (struct nic){name, port});
        }
    }
}

/* NICs that are on the bridge.  Userspace drivers send past the kernel. */
static void
list_ports(const struct nwf_routed_config *config, const struct nwf_ovs_refs *refs,
           struct nics *ret)
{
    struct nics guarded = {.data = NULL};

    list_guarded(config, refs, &guarded);
    nwf_vec_foreach (ref, refs) {
        const char *name = nwf_ovs_ref_name(ref), *port = nwf_ovs_ref_port_name(ref);
        const char *type = nwf_ovs_ref_type(ref);

        if (!has_nic(&guarded, port)) {
            continue;
        }
        if (*type && strcmp(type, "system")) {
            free(ret->without);
            ret->without =
                nwf_asprintf("%s is of type %s, which sends past the kernel", name, type);
        }
        nwf_vec_push(ret, (struct nic){name, port});
    }
    nwf_vec_clear(&guarded);
}

/* One that is named and is not there yet, or not any more, is locked all the same: it may come
 * back while nobody looks. */
static void
add_absent(const char *name, struct nics *ret)
{
    if (!has_nic(ret, name) && if_nametoindex(name)) {
        nwf_vec_push(ret, (struct nic){name, name});
    }
}

static void
list_nics(const struct nwf_routed_config *config, const struct nwf_ovs_refs *refs, struct nics *ret)
{
    list_ports(config, refs, ret);
    nwf_vec_foreach (name, &config->guards) {
        add_absent(*name, ret);
    }
    if (config->uplink && config->is_routed && config->via == NWF_VIA_FLOWS) {
        add_absent(config->uplink, ret);
    }
}

static int
compare_nics(const void *a_, const void *b_)
{
    const struct nic *a = a_, *b = b_;

    return strcmp(a->name, b->name);
}

/* The MACs of all members of a bond may leave by each. */
static void
put_macs(const struct nics *nics, const struct nic *nic, const struct nwf_routed_config *config,
         struct nwf_nic_lock_nic *ret)
{
    struct nwf_mac own;

    nwf_vec_foreach (other, nics) {
        if (!strcmp(other->port, nic->port) && !nwf_nic_own_mac(other->name, &own)) {
            nwf_vec_push(&ret->macs,
                         (struct nwf_nic_lock_mac){.mac = own, .vid = NWF_NIC_LOCK_ANY_VLAN});
        }
    }
    nwf_vec_foreach (mac, &config->guard_macs) {
        struct nwf_nic_lock_mac entry = {.mac = mac->mac, .vid = mac->vid};
        if (mac->has_address) {
            entry.address = mac->address;
        }
        nwf_vec_push(&ret->macs, entry);
    }
}

/* A port that is so new that the plan does not know it is taken for a guest's. */
static bool
is_guests(const struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge,
          const struct nwf_ovs_ref *ref)
{
    const char *name = nwf_ovs_ref_name(ref), *reason;
    const struct nwf_plan_port *port = nwf_plan_find_port(plan, name);

    if (nwf_routed_guarding(&plan->routed, nwf_ovs_ref_port_name(ref), name, &reason)
        != NWF_UNGUARDED) {
        return false;
    }
    return port ? port->config.role != NWF_TRUSTED : !nwf_is_named_trusted(&bridge->config, name);
}

/* Guests' devices that the userspace datapath reads beside the kernel, where that routes.  A device
 * of Open vSwitch's own is the other way round: what it hears is what a guest gets. */
static void
list_deaf(const struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge,
          const struct nwf_ovs_refs *refs, struct nwf_nic_locks *ret)
{
    nwf_vec_foreach (ref, refs) {
        const char *name = nwf_ovs_ref_name(ref), *type = nwf_ovs_ref_type(ref);
        struct nwf_nic_lock_device device = {.index = if_nametoindex(name)};

        if (device.index && (!*type || !strcmp(type, "system")) && is_guests(plan, bridge, ref)) {
            ovs_strlcpy(device.name, name, sizeof device.name);
            nwf_vec_push(&ret->deaf, device);
        }
    }
}

/* *ret_without is a new string if there is a NIC that cannot be locked, else NULL.  False: the
 * bridge's tags do not say what is wanted. */
static bool
read_wanted(const struct nwf_plan *plan, const struct nwf_ovs_bridge *bridge,
            struct nwf_nic_locks *ret, char **ret_without)
{
    struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
    struct nwf_ovs_refs refs = {.data = NULL};
    struct nics nics = {.data = NULL};

    if (nwf_routed_config_read(bridge->tags.data, bridge->tags.n, &config, NULL)) {
        return false;
    }
    ret->sources = config.is_routed && config.via == NWF_VIA_HOST;
    nwf_ovs_list_ports(bridge, &refs);
    if (config.is_routed && bridge->userspace) {
        list_deaf(plan, bridge, &refs, ret);
    }
    if (nwf_routed_has_guards(&config)) {
        list_nics(&config, &refs, &nics);
    }
    if (nics.n) {
        qsort(nics.data, nics.n, sizeof nics.data[0], compare_nics);
    }
    nwf_vec_foreach (nic, &nics) {
        put_macs(&nics, nic, &config, nwf_nic_locks_add(ret, nic->name));
    }
    *ret_without = nics.without;
    nwf_vec_clear(&refs);
    free(nics.data);
    return true;
}

/* ---- Making it so. ---- */

static bool
is_locked(const struct nwf_nic_locks *locks)
{
    return locks->nics.n || locks->sources || locks->deaf.n;
}

static void
say(struct nwf_keeper *k, char *without)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(6, 6);

    if (without ? k->no_lock && !strcmp(k->no_lock, without) : !k->no_lock) {
        free(without);
        return;
    }
    if (without) {
        VLOG_WARN_RL(&rl, "bridge %s: no second lock: %s", k->plan.name, without);
    }
    free(k->no_lock);
    k->no_lock = without;
    k->has_report = true;
}

static void
say_changed(const struct nwf_keeper *k, bool mended)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(6, 6);
    const size_t n = k->locks.nics.n;

    if (mended) {
        VLOG_WARN_RL(&rl, "bridge %s: somebody else has changed the second lock; it is made anew",
                     k->plan.name);
    } else if (n || k->locks.sources) {
        VLOG_INFO("bridge %s: the second lock is on %s%s", k->plan.name,
                  n ? k->locks.nics.data[0].name : "what the host forwards",
                  n > 1 ? " and others" : "");
    } else {
        VLOG_INFO("bridge %s: no second lock any more", k->plan.name);
    }
}

/* Takes both. */
static void
make_lock(struct nwf_keeper *k, struct nwf_nic_locks *wanted, char *without)
{
    const bool same = k->has_locks && nwf_nic_locks_equal(&k->locks, wanted);
    struct nwf_error err = NWF_ERROR_INIT;

    if (same && (!k->lock_in_doubt || time_msec() < k->lock_retry_at)) {
        nwf_nic_locks_clear(wanted);
        say(k, k->no_lock && !without ? nwf_strdup(k->no_lock) : without);
        return;
    }
    int r = nwf_nic_lock_apply(k->plan.name, wanted, &err);
    nwf_nic_locks_clear(&k->locks);
    k->locks = *wanted;
    k->lock_in_doubt = r < 0;
    k->lock_retry_at = r < 0 ? time_msec() + RETRY_MS : 0;
    if (r > 0) {
        say_changed(k, same);
    }
    if (r < 0 && !without && is_locked(&k->locks)) {
        without = nwf_strdup(nwf_error_text(&err));
    }
    k->has_locks = true;
    nwf_error_clear(&err);
    say(k, without);
}

/* A bridge without tags is one that some tool of the host has cleared: what was there holds, and so
 * it does while a tag is wrong. */
void
nwf_keeper_run_lock(struct nwf_keeper *k)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};

    if (k->options->dry_run || time_msec() < k->lock_at) {
        return;
    }
    k->lock_at = time_msec() + LOOK_MS;
    k->lock_looked_at = time_msec();
    nwf_ovsdb_bare_bridges(k->db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        struct nwf_nic_locks wanted = {.nics = {.data = NULL}};
        char *without;
        if (!strcmp(bridge->name, k->plan.name) && bridge->config.managed != NWF_UNMANAGED) {
            if (read_wanted(&k->plan, bridge, &wanted, &without)) {
                make_lock(k, &wanted, without);
            }
        }
    }
}

void
nwf_keeper_wait_for_lock(const struct nwf_keeper *k)
{
    if (is_locked(&k->locks) && !k->options->once) {
        poll_timer_wait_until(k->lock_at);
    }
}

void
nwf_keeper_check_lock(struct nwf_keeper *k, bool in_doubt)
{
    k->lock_in_doubt |= in_doubt;
    k->lock_at = MIN(k->lock_at, k->lock_looked_at + LOOK_AT_MOST_MS);
}
