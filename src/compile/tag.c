/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission of frames by VLAN, as the NORMAL action does it: an access port takes
 * untagged and priority-tagged frames, a trunk the VLANs in its list. */
#include <config.h>

#include "tag.h"

#include <arpa/inet.h>

#include "actions.h"
#include "nwf/pipeline.h"

#define VID_MASK 0x0fff
#define TCI_PRESENT 0x1000
#define TCI_MASK 0xffff

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
        while (end < NWF_N_VLANS && nwf_vlan_admits(vlan, (uint16_t) end)) {
            end++;
        }
        if (end > vid) {
            admit_tagged(list, vid, end - 1);
        }
        vid = end + 1;
    }
}

static void
admit_all(struct nwf_admissions *list, const struct nwf_vlan *vlan)
{
    bool is_trunk = vlan->mode == NWF_VLAN_TRUNK || vlan->mode == NWF_VLAN_TUNNEL;

    if (is_trunk && !vlan->limited) {
        admit(list, 0, 0, false, 0);
        return;
    }
    if (nwf_vlan_admits(vlan, 0)) {
        admit(list, 0, VID_MASK, !is_trunk, is_trunk ? 0 : vlan->tag);
    }
    admit_trunks(list, vlan);
}

/* In VLAN 0, NORMAL takes a priority tag off that names no priority. */
static void
admit_blank(struct nwf_admissions *list, const struct nwf_vlan *vlan)
{
    bool is_trunk = vlan->mode == NWF_VLAN_TRUNK;

    if (nwf_vlan_admits(vlan, 0) && (is_trunk || !vlan->tag)) {
        admit(list, TCI_PRESENT, TCI_MASK, !is_trunk, 0);
        list->data[list->n - 1].is_blank = true;
    }
}

void
nwf_vlan_admissions(const struct nwf_vlan *vlan, struct nwf_admissions *ret)
{
    memset(ret, 0, sizeof *ret);
    admit_all(ret, vlan);
    if (vlan->mode != NWF_VLAN_TUNNEL) {
        admit_blank(ret, vlan);
        return;
    }
    nwf_vec_foreach (admission, ret) {
        admission->fixed = true;
        admission->vid = vlan->tag;
        admission->push = vlan->tpid;
    }
}

/* In the port's own VLAN a frame with a priority tag would be as good as one without.  To a
 * filter it is a tagged frame, which no rule for IP or ARP sees: the way past them.  (It is
 * not taken off instead, since what Open vSwitch caches of that does not tell whether
 * another tag is inside.)  On a trunk it stays what the filter takes it for. */
void
nwf_vlan_guest_admissions(const struct nwf_vlan *vlan, struct nwf_admissions *ret)
{
    memset(ret, 0, sizeof *ret);
    admit_all(ret, vlan);
    nwf_vec_foreach (admission, ret) {
        if (admission->fixed) {
            match_set_dl_tci_masked(&admission->match, 0, htons(TCI_PRESENT));
        }
    }
}

void
nwf_put_admission(struct ofpbuf *actions, const struct nwf_admission *admission)
{
    if (admission->is_blank) {
        nwf_put_load(actions, MFF_REG0 + NWF_REG_VLAN, 0);
    } else if (admission->push) {
        nwf_put_load(actions, MFF_REG0 + NWF_REG_VLAN,
                     admission->vid ? TCI_PRESENT | admission->vid : 0u);
    } else if (admission->vid) {
        nwf_put_load(actions, MFF_REG0 + NWF_REG_VLAN, TCI_PRESENT | admission->vid);
        nwf_put_save_priority(actions);
    } else {
        nwf_put_save_tag(actions);
    }
}

void
nwf_put_outer_tag(struct ofpbuf *actions, const struct nwf_admission *admission)
{
    if (admission->push) {
        nwf_put_text(actions, "push_vlan:0x%x,set_field:0x%x->vlan_tci", admission->push,
                     TCI_PRESENT | admission->vid);
    }
}

uint32_t
nwf_untagged_receiver(const struct nwf_port *port, uint32_t receiver)
{
    return receiver | (port->vlan.mode == NWF_VLAN_ACCESS ? NWF_RECEIVER_ACCESS : 0);
}

void
nwf_match_vlan(struct match *match, uint16_t vid)
{
    match_set_reg_masked(match, NWF_REG_VLAN, vid, VID_MASK);
}

void
nwf_match_tagged(struct match *match)
{
    match_init_catchall(match);
    match_set_dl_tci_masked(match, htons(TCI_PRESENT), htons(TCI_PRESENT));
}
