/* SPDX-License-Identifier: Apache-2.0
 *
 * VLAN membership of a port, as Open vSwitch's Port table gives it
 * (ovs-vswitchd.conf.db(5), columns tag, trunks, vlan_mode). */
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
};

struct nwf_vlan {
    enum nwf_vlan_mode mode;
    uint16_t tag;                      /* Not for a trunk. */
    bool limited;                      /* Only 'trunks' are carried, else all VLANs. */
    uint64_t trunks[NWF_N_VLANS / 64]; /* A bit a VLAN. */
};

/* A set of VLANs: a bit each. */
struct nwf_vlan_set {
    uint64_t bits[NWF_N_VLANS / 64];
};

void nwf_vlan_set_add(struct nwf_vlan_set *set, uint16_t vid);
bool nwf_vlan_set_has(const struct nwf_vlan_set *set, uint16_t vid);

void nwf_vlan_add_trunk(struct nwf_vlan *vlan, uint16_t vid);

/* Whether the port belongs to VLAN 'vid'; 0 stands for untagged frames of a trunk. */
bool nwf_vlan_has(const struct nwf_vlan *vlan, uint16_t vid);

/* Whether frames of VLAN 'vid' leave without a tag. */
bool nwf_vlan_is_untagged(const struct nwf_vlan *vlan, uint16_t vid);

/* Whether the port carries every VLAN, known or not. */
bool nwf_vlan_has_all(const struct nwf_vlan *vlan);

#endif
