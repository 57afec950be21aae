/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission of frames by VLAN, as the NORMAL action does it: an access port takes
 * untagged and priority-tagged frames, a trunk the VLANs in its list. */
#include <config.h>

#include "tag.h"

#include <arpa/inet.h>

#define VID_MASK 0x0fff
#define TCI_PRESENT 0x1000

static void
admit(struct nwf_admissions *list, uint16_t tci, uint16_t mask, bool fixed, uint16_t vid)
{
    struct nwf_admission a = {.fixed = fixed, .vid = vid};

    match_init_catchall(&a.match);
    if (mask) {
        match_set_dl_tci_masked(&a.match, htons(tci), htons(mask));
    }
    nwf_vec_push(list, a);
}

/* Tagged frames of VLANs first..last. */
static void
admit_tagged(struct nwf_admissions *list, uint32_t first, uint32_t last)
{
    while (first <= last) {
        uint32_t size = 1;
        while (!(first & size) && first + 2 * size - 1 <= last && size < NWF_N_VLANS) {
            size *= 2;
        }
        admit(list, (uint16_t) (TCI_PRESENT | first),
              (uint16_t) (TCI_PRESENT | (VID_MASK & ~(size - 1))), false, 0);
        first += size;
    }
}

static void
admit_trunks(struct nwf_admissions *list, const struct nwf_vlan *vlan)
{
    uint32_t vid = 1;

    while (vid < NWF_N_VLANS) {
        uint32_t end = vid;
        while (end < NWF_N_VLANS && nwf_vlan_has(vlan, (uint16_t) end)) {
            end++;
        }
        if (end > vid) {
            admit_tagged(list, vid, end - 1);
        }
        vid = end + 1;
    }
}

void
nwf_vlan_admissions(const struct nwf_vlan *vlan, struct nwf_admissions *ret)
{
    memset(ret, 0, sizeof *ret);
    if (vlan->mode == NWF_VLAN_TRUNK && !vlan->limited) {
        admit(ret, 0, 0, false, 0);
        return;
    }
    if (vlan->mode != NWF_VLAN_TRUNK) {
        admit(ret, 0, VID_MASK, true, vlan->tag);
    } else if (nwf_vlan_has(vlan, 0)) {
        admit(ret, 0, VID_MASK, false, 0);
    }
    if (vlan->mode != NWF_VLAN_ACCESS) {
        admit_trunks(ret, vlan);
    }
}

/* In the port's own VLAN a frame with a priority tag would be as good as one without.  To a
 * filter it is a tagged frame, which no rule for IP or ARP sees: the way past them.  (It is
 * not taken off instead, since what Open vSwitch caches of that does not tell whether
 * another tag is inside.) */
void
nwf_vlan_guest_admissions(const struct nwf_vlan *vlan, struct nwf_admissions *ret)
{
    nwf_vlan_admissions(vlan, ret);
    nwf_vec_foreach (admission, ret) {
        if (admission->fixed) {
            match_set_dl_tci_masked(&admission->match, 0, htons(TCI_PRESENT | VID_MASK));
        }
    }
}

void
nwf_match_vlan(struct match *match, uint16_t vid)
{
    match_set_reg_masked(match, 1, vid, VID_MASK);
}
