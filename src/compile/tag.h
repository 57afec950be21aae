/* SPDX-License-Identifier: Apache-2.0
 *
 * A port's VLANs as flows: which frames it may send in, in which VLAN they are. */
#ifndef NWF_COMPILE_TAG_H
#define NWF_COMPILE_TAG_H

#include <stdint.h>

#include "nwf/compile.h"
#include "nwf/vec.h"
#include "openvswitch/match.h"
#include "openvswitch/ofpbuf.h"

/* Frames that a port admits, all in one VLAN or each in the VLAN of its tag. */
struct nwf_admission {
    struct match match;
    bool fixed; /* In VLAN 'vid', whatever the (priority) tag. */
    uint16_t vid;
    /* Of these, frames with a priority tag that is as good as none.  Comes before the others. */
    bool is_blank;
    uint16_t push; /* Type of a tag to put around the frame's own; 0: none. */
};

struct nwf_admissions {
    struct nwf_admission *data;
    size_t n, allocated;
};

/* Lists what the trusted port of 'vlan' admits; the caller frees it with nwf_vec_clear(). */
void nwf_vlan_admissions(const struct nwf_vlan *vlan, struct nwf_admissions *ret);

/* The same of a guest's port, whose filter is to see the frames as the VLAN will: in the
 * port's own VLAN without priority tags, and else as they are. */
void nwf_vlan_guest_admissions(const struct nwf_vlan *vlan, struct nwf_admissions *ret);

/* Appends what notes the VLAN of an admitted frame in reg1. */
void nwf_put_admission(struct ofpbuf *actions, const struct nwf_admission *admission);

/* Appends what puts the tunnel's tag around the frame, if it comes from a tunnel. */
void nwf_put_outer_tag(struct ofpbuf *actions, const struct nwf_admission *admission);

/* What stands in reg3 for a receiver who gets a VLAN without its tag: 'receiver' is one of
 * NWF_RECEIVER_... or a list. */
uint32_t nwf_untagged_receiver(const struct nwf_port *port, uint32_t receiver);

/* Narrows *match to frames of VLAN 'vid' (by reg1). */
void nwf_match_vlan(struct match *match, uint16_t vid);

/* All frames with a tag, and no others. */
void nwf_match_tagged(struct match *match);

#endif
