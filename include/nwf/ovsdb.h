/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of Open vSwitch's database that policy is read from and status is
 * written to. */
#ifndef NWF_OVSDB_H
#define NWF_OVSDB_H

#include <stdbool.h>
#include <stdint.h>

#include "nwf/binding.h"
#include "nwf/cleanup.h"
#include "nwf/role.h"
#include "nwf/vlan.h"
#include "openvswitch/uuid.h"

struct nwf_ovsdb;

/* Spanning tree protocols take their frames from a port before its flows see them, and send
 * theirs past them.  Each has a key in the Port's other_config that excludes it, and one in its
 * external_ids where we note what was there before. */
#define NWF_N_TREES 2
extern const char *const nwf_tree_keys[NWF_N_TREES];
extern const char *const nwf_tree_notes[NWF_N_TREES];

/* A row of Interface with what its Port says.  Strings are the database's. */
struct nwf_ovs_port {
    const char *name;
    struct uuid uuid, port_uuid;
    const char *own_mac; /* The host's, by this port; NULL: it is no interface of the host's. */
    const char *trees[NWF_N_TREES];      /* Values of nwf_tree_keys, NULL if absent; */
    const char *tree_notes[NWF_N_TREES]; /* and of nwf_tree_notes. */
    uint16_t ofport;                     /* 0: none assigned (yet). */
    struct nwf_vlan vlan;
    bool normal_only; /* Its Port is something that only NORMAL forwards to. */
    /* Its Port, if a bond without LACP; the same for each of its members. */
    const struct ovsrec_port *bond;
    bool is_active_member; /* The one that the bond uses now. */
    bool is_mirror_output; /* Reserved for mirrored frames. */
    bool is_patch;         /* Leads to another bridge of the switch. */
    /* A setting by which ovs-vswitchd sends frames to the port past its flows, or NULL. */
    const char *bypass;
    NWF_VEC(struct nwf_tag) tags;
};

struct nwf_ovs_bridge {
    const char *name;
    NWF_VEC(struct nwf_tag) tags;    /* Those of its external_ids that are ours. */
    struct nwf_bridge_config config; /* What they say. */
    bool secure;                     /* fail_mode. */
    bool out_of_band;                /* No hidden flows of in-band control. */
    bool secured;                    /* By us: what both were is noted. */
    bool stays_secure;               /* When we give it back. */
    const char *own_fail_mode;       /* Before us; "": none. */
    const char *own_in_band;         /* The same of other_config:disable-in-band. */
    bool spanning_tree;
    bool userspace; /* The datapath. */
    const char *datapath_type;
    size_t n_controllers;
    const char *owner; /* Who else programs all of its flows, and deletes others'; or NULL. */
    bool mcast_snooping;
    bool has_vlan_mirror; /* A mirror has an output_vlan; of a port's bridge: any has. */
    bool normal_only;     /* It uses spanning tree or the like. */
    bool forward_bpdu;
    bool two_tags;               /* other_config:vlan-limit lets it see a tag inside of another. */
    struct nwf_vlan_set flooded; /* flood_vlans. */
    uint16_t mac_aging;          /* Seconds. */
    NWF_VEC(struct nwf_ovs_port) ports;
    const struct ovsrec_bridge *row;
};

struct nwf_ovs_bridges {
    struct nwf_ovs_bridge *data;
    size_t n, allocated;
};

/* Connects to 'remote' and waits for its contents; each call ends within
 * 'timeout_ms'. */
int nwf_ovsdb_open(const char *remote, unsigned int timeout_ms, struct nwf_ovsdb **ret,
                   struct nwf_error *err);

/* The same for one Interface's sake: whatever the size of the database, only its rows
 * are read.  -ENOENT if there is none.  Of the calls below, those that speak of a port
 * are for such a database, nwf_ovsdb_write_tags() and nwf_ovsdb_count_zones() for both; the
 * others are not. */
int nwf_ovsdb_open_port(const char *remote, unsigned int timeout_ms, const char *interface,
                        struct nwf_ovsdb **ret, struct nwf_error *err);
void nwf_ovsdb_close(struct nwf_ovsdb *db);
DEFINE_CLEANUP(struct nwf_ovsdb, nwf_ovsdb, nwf_ovsdb_close)

/* The bridges as they are now.  Valid until the next call that takes 'db'; freed
 * with nwf_ovs_bridges_clear(). */
void nwf_ovsdb_bridges(struct nwf_ovsdb *db, struct nwf_ovs_bridges *ret);
void nwf_ovs_bridges_clear(struct nwf_ovs_bridges *bridges);

/* The port's Interface, without what its Port and its bridge say.  The caller frees
 * ret->tags. */
void nwf_ovsdb_port(const struct nwf_ovsdb *db, struct nwf_ovs_port *ret);

/* The port's bridge, as if the port were its only one.  Of a member of a bond, and of an
 * Interface that is on no bridge, there is none. */
int nwf_ovsdb_port_bridge(struct nwf_ovsdb *db, struct nwf_ovs_bridges *ret, struct nwf_error *err);

/* Counts by number, up to 255, the Interfaces of all bridges that say they use a conntrack
 * zone; a port's database knows of its own zone. */
void nwf_ovsdb_count_zones(struct nwf_ovsdb *db, uint8_t counts[0x10000]);

/* The number of managed bridges. */
size_t nwf_ovsdb_count_managed(struct nwf_ovsdb *db);

/* A key of external_ids to set, or to remove if 'value' is NULL.  Of a row that has gone
 * nothing is changed. */
struct nwf_tag_change {
    const struct uuid *interface; /* Or: */
    const struct uuid *port;      /* (not in a port's database) or: */
    const struct ovsrec_bridge *bridge;
    bool config; /* Of a Port: in other_config instead. */
    bool verify; /* Of an Interface: only while its external_ids are those that are known. */
    const char *key;
    const char *value;
};

/* Changes tags of a port's database as they are read from now on, and in the database
 * itself with the next nwf_ovsdb_write_tags().  What was read before is not valid any more. */
void nwf_ovsdb_stage_tags(struct nwf_ovsdb *db, const struct nwf_tag_change *changes, size_t n);

/* Takes in what has changed in the database; behind a transaction that failed with -EAGAIN it
 * waits until something has. */
int nwf_ovsdb_refresh(struct nwf_ovsdb *db, struct nwf_error *err);

/* Whether 'db' was opened for one port. */
bool nwf_ovsdb_is_port(const struct nwf_ovsdb *db);

/* Writes what is staged, and all of 'changes', in one transaction; -EAGAIN if somebody else has
 * changed what is to be verified.  In a port's database the policy has to be as it was read
 * (-ECANCELED). */
int nwf_ovsdb_write_tags(struct nwf_ovsdb *db, const struct nwf_tag_change *changes, size_t n,
                         struct nwf_error *err);

/* The same, and waits until ovs-vswitchd acts on it. */
int nwf_ovsdb_write_tags_and_wait(struct nwf_ovsdb *db, const struct nwf_tag_change *changes,
                                  size_t n, struct nwf_error *err);

/* Whether the bridge is shut without flows of ours, and nothing passes beside flows: in that
 * case, and where it has been noted what it was like before, there is nothing to do for
 * nwf_ovsdb_secure(). */
bool nwf_ovs_bridge_is_secured(const struct nwf_ovs_bridge *bridge);

/* Sets fail_mode to "secure" and other_config:disable-in-band to "true", notes what they were
 * before us, and waits until ovs-vswitchd acts on it.  -EAGAIN if somebody else sets them
 * meanwhile. */
int nwf_ovsdb_secure(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                     struct nwf_error *err);

/* Sets both to what they were before us, and writes all of 'changes' in the same transaction. */
int nwf_ovsdb_give_back(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                        const struct nwf_tag_change *changes, size_t n, struct nwf_error *err);

#endif
