/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of Open vSwitch's database that policy is read from and status is
 * written to. */
#ifndef NWF_OVSDB_H
#define NWF_OVSDB_H

#include <stdbool.h>
#include <stdint.h>

#include "nwf/cleanup.h"
#include "nwf/port.h"
#include "nwf/routed.h"
#include "openvswitch/uuid.h"

struct nwf_ovsdb;

/* Of spanning tree protocols; see NWF_N_TREES. */
extern const char *const nwf_tree_keys[NWF_N_TREES];
extern const char *const nwf_tree_notes[NWF_N_TREES];

/* A row of Interface with what its Port says.  Strings are the database's. */
struct nwf_ovs_port {
    const char *name;
    const char *port_name; /* Its Port's, which is another if that is a bond. */
    struct uuid uuid, port_uuid;
    const char *own_mac; /* The host's, by this port; NULL: it is no interface of the host's. */
    const char *trees[NWF_N_TREES];      /* Values of nwf_tree_keys, NULL if absent; */
    const char *tree_notes[NWF_N_TREES]; /* and of nwf_tree_notes. */
    uint16_t ofport;                     /* 0: none assigned (yet). */
    struct nwf_vlan vlan;
    bool normal_only; /* Its Port is something that only NORMAL forwards to, */
    bool is_bond;     /* and be it for no other reason than that it has several NICs. */
    bool has_lacp;    /* Whose other end knows of it. */
    /* The members of its Port, if that is a bond without LACP: the active one first. */
    NWF_VEC(uint16_t) bond;
    struct nwf_nics nics;            /* Of its Port, the active one first; */
    NWF_VEC(const char *) nic_names; /* and what they are called. */
    bool is_mirror_output;           /* Reserved for mirrored frames. */
    bool is_patch;                   /* Leads to another bridge of the switch. */
    /* A setting by which ovs-vswitchd sends frames to the port past its flows, or NULL. */
    const char *bypass;
    NWF_VEC(struct nwf_tag) tags;
};

struct nwf_ovs_bridge {
    const char *name;
    NWF_VEC(struct nwf_tag) tags;    /* Those of its external_ids that are ours. */
    struct nwf_bridge_config config; /* What they say. */
    const char *status;              /* What we have said of it; NULL: nothing. */
    char *settings;                  /* All that it says of itself: equal texts, equal bridges. */
    bool secure;                     /* fail_mode. */
    bool out_of_band;                /* No hidden flows of in-band control. */
    bool secured;                    /* By us: what both were is noted. */
    bool stays_secure;               /* When we give it back. */
    const char *own_fail_mode;       /* Before us; "": none. */
    const char *own_in_band;         /* The same of other_config:disable-in-band. */
    const char *hwaddr; /* other_config:hwaddr, and what it was before us; NULL: none. */
    const char *own_hwaddr;
    bool spanning_tree;
    bool userspace; /* The datapath. */
    const char *datapath_type;
    size_t n_controllers;
    const char *owner; /* Who else programs all of its flows, and deletes others'; or NULL. */
    bool mcast_snooping;
    bool normal_only;       /* It uses spanning tree or the like: */
    const char *normal_why; /* what; NULL if it does not. */
    bool forward_bpdu;
    bool two_tags;               /* other_config:vlan-limit lets it see a tag inside of another. */
    struct nwf_vlan_set flooded; /* flood_vlans. */
    uint16_t mac_aging;          /* Seconds. */
    NWF_VEC(struct nwf_ovs_port) ports;
    const struct nwfrec_bridge *row;
};

struct nwf_ovs_bridges {
    struct nwf_ovs_bridge *data;
    size_t n, allocated;
};

/* ---- Connecting. ---- */

/* Begins to connect to 'remote'; never blocks.  With 'interface' only the row of the Interface
 * of that name is read, whatever the size of the database, else all that is of interest.  A
 * connection that is lost is made again if 'retry'. */
struct nwf_ovsdb *nwf_ovsdb_new(const char *remote, const char *interface, bool retry);
void nwf_ovsdb_close(struct nwf_ovsdb *db);
DEFINE_CLEANUP(struct nwf_ovsdb, nwf_ovsdb, nwf_ovsdb_close)

/* Takes in what has come.  0: the contents are there; -EAGAIN: not yet; -ENOTCONN if the
 * connection is lost, and not made again. */
int nwf_ovsdb_run(struct nwf_ovsdb *db, struct nwf_error *err);
void nwf_ovsdb_wait(struct nwf_ovsdb *db);

/* Changes with the contents. */
unsigned int nwf_ovsdb_seqno(const struct nwf_ovsdb *db);

/* Connects and waits for the contents; each call that waits ends within 'timeout_ms'. */
int nwf_ovsdb_open(const char *remote, const char *interface, unsigned int timeout_ms,
                   struct nwf_ovsdb **ret, struct nwf_error *err);

/* The same with all bridges, but of ports only those of the Interfaces of these names, whatever the
 * number of others, unless a Port is called otherwise: not for what looks at a bridge as a whole.
 */
struct nwf_ovsdb_names {
    const char **data;
    size_t n, allocated;
};
int nwf_ovsdb_open_ports(const char *remote, const struct nwf_ovsdb_names *ports,
                         unsigned int timeout_ms, struct nwf_ovsdb **ret, struct nwf_error *err);

/* Takes in what has changed; waits for the contents if there are none, and behind a transaction
 * that failed with -ESTALE until something has changed. */
int nwf_ovsdb_refresh(struct nwf_ovsdb *db, struct nwf_error *err);

/* ---- Reading. ---- */

/* The bridges as they are now, ports and all.  Valid until the next call that takes 'db'; freed
 * with nwf_ovs_bridges_clear(). */
void nwf_ovsdb_bridges(struct nwf_ovsdb *db, struct nwf_ovs_bridges *ret);
void nwf_ovs_bridges_clear(struct nwf_ovs_bridges *bridges);

/* The same without ports. */
void nwf_ovsdb_bare_bridges(struct nwf_ovsdb *db, struct nwf_ovs_bridges *ret);

/* Adds the ports of one of those. */
void nwf_ovs_read_ports(struct nwf_ovs_bridge *bridge);

/* A bridge's ports without their contents: what it takes to see whether those have changed. */
struct nwf_ovs_ref {
    struct uuid uuid;   /* Of the Interface. */
    unsigned int seqno; /* Changes with the rows of the Interface and its Port. */
    bool is_member;     /* Of a bond: what is read depends on other rows too. */
    const struct nwfrec_port *port;
    const struct nwfrec_interface *interface;
};

struct nwf_ovs_refs {
    struct nwf_ovs_ref *data;
    size_t n, allocated;
};

const char *nwf_ovs_ref_name(const struct nwf_ovs_ref *ref);
const char *nwf_ovs_ref_port_name(const struct nwf_ovs_ref *ref);
/* Of its Interface; "": a NIC, or whatever else of the kernel's. */
const char *nwf_ovs_ref_type(const struct nwf_ovs_ref *ref);
void nwf_ovs_list_ports(const struct nwf_ovs_bridge *bridge, struct nwf_ovs_refs *ret);

/* The 'seqno' of a port as it is now; 0 if there is no such port. */
unsigned int nwf_ovsdb_port_seqno(const struct nwf_ovsdb *db, const struct uuid *interface,
                                  const struct uuid *port);

/* Reads one, which is freed with nwf_ovs_port_clear(). */
void nwf_ovs_read_port(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_ref *ref,
                       struct nwf_ovs_port *ret);
void nwf_ovs_port_clear(struct nwf_ovs_port *port);

/* The Interface of this name, without what its Port and its bridge say; -ENOENT if there is none.
 * The caller frees ret->tags. */
int nwf_ovsdb_interface(struct nwf_ovsdb *db, const char *name, struct nwf_ovs_port *ret,
                        struct nwf_error *err);

/* Counts by number, up to 255, the Interfaces of all bridges that say they use a conntrack
 * zone. */
void nwf_ovsdb_count_zones(const struct nwf_ovsdb *db, uint8_t counts[0x10000]);

/* The number of managed bridges. */
size_t nwf_ovsdb_count_managed(const struct nwf_ovsdb *db);

/* Whether the bridge is shut without flows of ours, and nothing passes beside flows: in that
 * case, and where it has been noted what it was like before, there is nothing to secure. */
bool nwf_ovs_bridge_is_secured(const struct nwf_ovs_bridge *bridge);

/* ---- Writing. ---- */

/* A key of external_ids to set, or to remove if 'value' is NULL.  Of a row that has gone
 * nothing is changed. */
struct nwf_tag_change {
    const struct uuid *interface; /* Or: */
    const struct uuid *port;      /* or: */
    const struct nwfrec_bridge *bridge;
    bool config; /* Of a Port: in other_config instead. */
    bool verify; /* Of an Interface: only while its external_ids are those that are known. */
    const char *key;
    const char *value;
};

/* A transaction.  Several may be on their way. */
struct nwf_txn;

struct nwf_txn *nwf_txn_new(struct nwf_ovsdb *db);
void nwf_txn_free(struct nwf_txn *txn);
DEFINE_CLEANUP(struct nwf_txn, nwf_txn, nwf_txn_free)

/* What it is to do; before the first nwf_txn_run(), and without a call of nwf_ovsdb_run() between
 * nwf_txn_new() and that. */
void nwf_txn_change(struct nwf_txn *txn, const struct nwf_tag_change *changes, size_t n);
/* Sets fail_mode to "secure" and other_config:disable-in-band to "true", and notes what they
 * were before us. */
void nwf_txn_secure(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge);
/* Sets both to what they were before us. */
void nwf_txn_give_back(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge);
/* Sets them for a bridge of which it is noted what they were. */
void nwf_txn_shut(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge);
/* Gives the bridge this address. */
void nwf_txn_set_hwaddr(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge,
                        const char *hwaddr);
/* The same, and notes the one that it had; NULL: it gets that back. */
void nwf_txn_pin_address(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge,
                         const char *hwaddr);
/* Puts a port onto the bridge, with one Interface of that name and those tags; 'vlan' is its
 * Port's tag, or negative for a trunk. */
void nwf_txn_add_port(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge, const char *name,
                      const struct nwf_tag *tags, size_t n_tags, int vlan);
/* Takes one off it: no member of a bond. */
void nwf_txn_remove_port(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge,
                         const struct nwf_ovs_ref *port);
/* It is done only when ovs-vswitchd has acted on it. */
void nwf_txn_wait_for_vswitchd(struct nwf_txn *txn);

/* One that writes nothing: it ends when all has come that was written before. */
struct nwf_txn *nwf_txn_round_trip(struct nwf_ovsdb *db);

/* 0: done; -EAGAIN: not yet, call it again after nwf_ovsdb_wait(); -ESTALE: somebody else has
 * changed what it relies on, and nothing was written. */
int nwf_txn_run(struct nwf_txn *txn, struct nwf_error *err);
void nwf_txn_wait(struct nwf_txn *txn);

/* nwf_ovsdb_seqno() when it was made: behind -ESTALE the contents are old until that changes. */
unsigned int nwf_txn_seqno(const struct nwf_txn *txn);

/* Runs a transaction to its end. */
int nwf_ovsdb_commit(struct nwf_ovsdb *db, struct nwf_txn *txn, struct nwf_error *err);
int nwf_ovsdb_write_tags(struct nwf_ovsdb *db, const struct nwf_tag_change *changes, size_t n,
                         struct nwf_error *err);

#endif
