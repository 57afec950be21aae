/* SPDX-License-Identifier: Apache-2.0
 *
 * A port's VLANs as flows: which frames it may send in, in which VLAN they are. */
#ifndef NWF_COMPILE_TAG_H
#define NWF_COMPILE_TAG_H

#include <stdint.h>

#include "nwf/vec.h"
#include "nwf/vlan.h"
#include "openvswitch/match.h"

/* Frames that a port admits, all in one VLAN or each in the VLAN of its tag. */
struct nwf_admission {
    struct match match;
    bool fixed; /* In VLAN 'vid', whatever the (priority) tag. */
    uint16_t vid;
};

struct nwf_admissions {
    struct nwf_admission *data;
    size_t n, allocated;
};

/* Lists what 'vlan' admits; the caller frees it with nwf_vec_clear(). */
void nwf_vlan_admissions(const struct nwf_vlan *vlan, struct nwf_admissions *ret);

/* The same of a guest's port, whose filter is to see the frames as the VLAN will: without
 * priority tags. */
void nwf_vlan_guest_admissions(const struct nwf_vlan *vlan, struct nwf_admissions *ret);

/* Narrows *match to frames of VLAN 'vid' (by reg1). */
void nwf_match_vlan(struct match *match, uint16_t vid);

#endif
