/* SPDX-License-Identifier: Apache-2.0
 *
 * VLAN membership; see nwf/vlan.h. */
#include "nwf/vlan.h"

#include <stdlib.h>
#include <string.h>

#include "nwf/text.h"

void
nwf_vlan_clear(struct nwf_vlan *vlan)
{
    free(vlan->trunks);
    memset(vlan, 0, sizeof *vlan);
}

struct nwf_vlan
nwf_vlan_copy(const struct nwf_vlan *vlan)
{
    struct nwf_vlan copy = *vlan;

    if (vlan->trunks) {
        copy.trunks = nwf_memdup(vlan->trunks, sizeof *vlan->trunks);
    }
    return copy;
}

bool
nwf_vlan_equals(const struct nwf_vlan *a, const struct nwf_vlan *b)
{
    return a->mode == b->mode && a->tag == b->tag && a->limited == b->limited && a->tpid == b->tpid
           && (a->trunks && b->trunks ? !memcmp(a->trunks, b->trunks, sizeof *a->trunks)
                                      : a->trunks == b->trunks);
}

void
nwf_vlan_set_add(struct nwf_vlan_set *set, uint16_t vid)
{
    set->bits[vid / 64] |= UINT64_C(1) << (vid % 64);
}

bool
nwf_vlan_set_has(const struct nwf_vlan_set *set, uint16_t vid)
{
    return set->bits[vid / 64] >> (vid % 64) & 1;
}

void
nwf_vlan_add_trunk(struct nwf_vlan *vlan, uint16_t vid)
{
    if (!vlan->trunks) {
        vlan->trunks = nwf_zalloc(sizeof *vlan->trunks);
    }
    vlan->limited = true;
    nwf_vlan_set_add(vlan->trunks, vid);
}

static bool
is_listed(const struct nwf_vlan *vlan, uint16_t vid)
{
    return !vlan->limited || (vlan->trunks && nwf_vlan_set_has(vlan->trunks, vid));
}

bool
nwf_vlan_admits(const struct nwf_vlan *vlan, uint16_t vid)
{
    switch (vlan->mode) {
    case NWF_VLAN_ACCESS:
        return !vid;
    case NWF_VLAN_NATIVE_TAGGED:
    case NWF_VLAN_NATIVE_UNTAGGED:
        return !vid || vid == vlan->tag || is_listed(vlan, vid);
    case NWF_VLAN_TRUNK:
    case NWF_VLAN_TUNNEL:
        break;
    }
    return is_listed(vlan, vid);
}

bool
nwf_vlan_has(const struct nwf_vlan *vlan, uint16_t vid)
{
    switch (vlan->mode) {
    case NWF_VLAN_ACCESS:
    case NWF_VLAN_TUNNEL:
        return vid == vlan->tag;
    case NWF_VLAN_NATIVE_TAGGED:
    case NWF_VLAN_NATIVE_UNTAGGED:
        /* Untagged frames are in the native VLAN, and VLAN 0 is no other one. */
        if (vlan->tag && (!vid || vid == vlan->tag)) {
            return vid == vlan->tag;
        }
        break;
    case NWF_VLAN_TRUNK:
        break;
    }
    return is_listed(vlan, vid);
}

bool
nwf_vlan_is_untagged(const struct nwf_vlan *vlan, uint16_t vid)
{
    return (vlan->mode == NWF_VLAN_ACCESS || vlan->mode == NWF_VLAN_TUNNEL
            || vlan->mode == NWF_VLAN_NATIVE_UNTAGGED)
           && vid == vlan->tag;
}

bool
nwf_vlan_has_all(const struct nwf_vlan *vlan)
{
    return vlan->mode != NWF_VLAN_ACCESS && vlan->mode != NWF_VLAN_TUNNEL && !vlan->limited;
}
