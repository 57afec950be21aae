/* SPDX-License-Identifier: Apache-2.0
 *
 * The second lock: an nftables chain at a NIC's egress that lets out only what the uplink guard
 * allows.
 *
 * The guard's flows are exact and name the guest that sent a frame, but they are gone in the
 * moment in which another tool clears the bridge.  The kernel's egress hook (Linux 5.16) sees
 * whatever Open vSwitch, or the host itself, hands to the NIC, and does not depend on the bridge.
 * A table of family netdev for each bridge, ours by name; nobody else's table is touched.
 *
 * Where the host routes for guests, its kernel takes whatever reaches the bridge's device in that
 * moment, and would send it on from any address: a table of family inet lets it forward from there
 * only what comes from addresses that are routed there.  On the userspace datapath it hears guests'
 * devices itself beside Open vSwitch: a table of family netdev lets it hear nothing.
 *
 * Frames that an interface of type afxdp or dpdk sends do not pass the kernel's hooks: there is no
 * second lock for those.
 *
 * Not to be confused with nwf/lock.h, by which processes of ours take turns. */
#ifndef NWF_NIC_LOCK_H
#define NWF_NIC_LOCK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "nwf/error.h"
#include "nwf/mac.h"
#include "nwf/routed.h"
#include "nwf/vec.h"

/* VLANs of an allowed MAC. */
#define NWF_NIC_LOCK_UNTAGGED 0
#define NWF_NIC_LOCK_ANY_VLAN 0xffff

/* Most NICs of a bridge, and most MACs that one may be allowed. */
#define NWF_NIC_LOCK_MAX_NICS 64
#define NWF_NIC_LOCK_MAX_MACS (NWF_GUARD_ENTRIES_MAX + NWF_NIC_LOCK_MAX_NICS)

struct nwf_nic_lock_mac {
    struct nwf_mac mac;
    uint16_t vid;               /* 1 to 4094, or one of the two above. */
    struct nwf_address address; /* It may send with this one only; .family 0: with any. */
};

struct nwf_nic_lock_nic {
    char *name;
    NWF_VEC(struct nwf_nic_lock_mac) macs; /* None: nothing leaves the NIC. */
};

/* A device, which is this one as long as it has the number. */
struct nwf_nic_lock_device {
    char name[IFNAMSIZ];
    unsigned int index;
};

/* What a bridge's lock shall be. */
struct nwf_nic_locks {
    NWF_VEC(struct nwf_nic_lock_nic) nics;
    bool sources; /* What the host forwards from the bridge's device is from an address that it
                   * routes there. */
    NWF_VEC(struct nwf_nic_lock_device) deaf; /* Guests' of which the kernel is to hear nothing. */
};

void nwf_nic_locks_clear(struct nwf_nic_locks *locks);
bool nwf_nic_locks_equal(const struct nwf_nic_locks *a, const struct nwf_nic_locks *b);

/* Adds a NIC without MACs; it is valid until the next one is added. */
struct nwf_nic_lock_nic *nwf_nic_locks_add(struct nwf_nic_locks *locks, const char *nic);

/* The MAC that the kernel's interface has now; -ENODEV: there is none. */
int nwf_nic_own_mac(const char *nic, struct nwf_mac *ret);

/* Makes the lock of 'bridge' what 'locks' says, in one transaction.  A lock that is so already is
 * left alone; of one that is changed the counters are kept where the kernel allows it.  Returns 1
 * if something was changed, 0 if not, else a negative errno: -EOPNOTSUPP if this kernel has no
 * lock to offer, -EINVAL for a list that cannot be expressed, -ENODEV if all was done but for a
 * NIC that is not there (Linux 6.16 and later lock a NIC before it is). */
int nwf_nic_lock_apply(const char *bridge, const struct nwf_nic_locks *locks,
                       struct nwf_error *err);

/* Takes the lock of 'bridge' away.  Returns 1 if there was one, 0 if not (also where the kernel
 * knows no locks), else a negative errno. */
int nwf_nic_lock_remove(const char *bridge, struct nwf_error *err);

/* A sender whose frames the lock kept from leaving. */
struct nwf_nic_lock_offender {
    char *nic;
    struct nwf_mac mac;
    uint16_t vid; /* 0: untagged. */
    uint64_t packets, bytes;
    unsigned int last_seen; /* Seconds ago. */
};

/* What a NIC's lock kept from leaving and knows no sender of: there were too many at a time, or
 * the frame was too odd. */
struct nwf_nic_lock_rest {
    char *nic;
    uint64_t packets, bytes;
};

struct nwf_nic_lock_counters {
    NWF_VEC(struct nwf_nic_lock_offender) offenders;
    NWF_VEC(struct nwf_nic_lock_rest) rests; /* One a NIC that is locked. */
};

void nwf_nic_lock_counters_clear(struct nwf_nic_lock_counters *counters);

/* Reads the counters of the lock of 'bridge'; none if there is no lock.  Offenders are forgotten
 * after a day in which they sent nothing. */
int nwf_nic_lock_counters(const char *bridge, struct nwf_nic_lock_counters *ret,
                          struct nwf_error *err);

/* Notices that somebody changed the host's nftables. */
struct nwf_nic_lock_watch;

int nwf_nic_lock_watch_new(struct nwf_nic_lock_watch **ret, struct nwf_error *err);
void nwf_nic_lock_watch_free(struct nwf_nic_lock_watch *watch);

/* Whether a table, chain, set or rule changed since the last call: ours or another's. */
bool nwf_nic_lock_watch_run(struct nwf_nic_lock_watch *watch);

/* Makes the next poll_block() wake up for a change. */
void nwf_nic_lock_watch_wait(struct nwf_nic_lock_watch *watch);

#endif
