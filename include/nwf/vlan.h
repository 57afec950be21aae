/* SPDX-License-Identifier: Apache-2.0
 *
 * VLAN membership of a port, as Open vSwitch's Port table gives it
 * (ovs-vswitchd.conf.db(5), columns tag, trunks, cvlans, vlan_mode). */
#ifndef NWF_VLAN_H
#define NWF_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#define NWF_N_VLANS 4096

enum nwf_vlan_mode {
    NWF_VLAN_TRUNK,
    NWF_VLAN_ACCESS,
    NWF_VLAN_NATIVE_TAGGED,
    NWF_VLAN_NATIVE_UNTAGGED,
    NWF_VLAN_TUNNEL, /* dot1q-tunnel: all frames are put into VLAN 'tag', tags and all. */
};

/* A set of VLANs: a bit each. */
struct nwf_vlan_set {
    uint64_t bits[NWF_N_VLANS / 64];
};

/* Few ports name VLANs, and so only those have a set of them. */
struct nwf_vlan {
    enum nwf_vlan_mode mode;
    uint16_t tag;                /* Not for a trunk. */
    bool limited;                /* Only 'trunks' are carried, else all VLANs. */
    uint16_t tpid;               /* A tunnel: type of the tag that its frames get. */
    struct nwf_vlan_set *trunks; /* Owned; NULL: empty.  Of a tunnel, its customers' (cvlans). */
};

void nwf_vlan_clear(struct nwf_vlan *vlan);
struct nwf_vlan nwf_vlan_copy(const struct nwf_vlan *vlan);
bool nwf_vlan_equals(const struct nwf_vlan *a, const struct nwf_vlan *b);

void nwf_vlan_set_add(struct nwf_vlan_set *set, uint16_t vid);
bool nwf_vlan_set_has(const struct nwf_vlan_set *set, uint16_t vid);

void nwf_vlan_add_trunk(struct nwf_vlan *vlan, uint16_t vid);

/* Whether the port admits frames with tag 'vid'; 0 stands for frames without a tag and those
 * with a priority tag. */
bool nwf_vlan_admits(const struct nwf_vlan *vlan, uint16_t vid);

/* Whether the port gets frames of VLAN 'vid'; 0 is that of trunks' untagged frames. */
bool nwf_vlan_has(const struct nwf_vlan *vlan, uint16_t vid);

/* Whether frames of VLAN 'vid' leave without that VLAN's tag. */
bool nwf_vlan_is_untagged(const struct nwf_vlan *vlan, uint16_t vid);

/* Whether the port carries every VLAN, known or not. */
bool nwf_vlan_has_all(const struct nwf_vlan *vlan);

#endif
