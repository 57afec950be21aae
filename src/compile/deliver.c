/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery by address, in three steps: whose own the address is (NWF_TABLE_FORWARD); where it is
 * (NWF_TABLE_LEARNED), which for a guest's own is its port as soon as the guest was heard there;
 * and how that port gets the frame (NWF_TABLE_KNOWN). */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "deliver.h"

#include "actions.h"
#include "tag.h"
#include "uplink.h"

/* ---- How a port gets a frame. ---- */

static void
put_guest(const struct nwf_port *port, bool untagged, struct ofpbuf *actions)
{
    if (!untagged) {
        nwf_put_restore_tag(actions);
    }
    nwf_put_load(actions, MFF_REG0 + NWF_REG_GUEST, port->ofport);
    if (untagged) {
        nwf_put_load(actions, MFF_REG0 + NWF_REG_RECEIVER,
                     nwf_untagged_receiver(port, NWF_RECEIVER_GUEST));
    }
    nwf_put_goto(actions, untagged ? NWF_TABLE_UNTAG : NWF_TABLE_TO_VM);
}

static void
put_trusted(const struct nwf_port *port, bool untagged, struct ofpbuf *actions)
{
    if (port->leader) {
        nwf_put_load(actions, MFF_REG0 + NWF_REG_KNOWN, port->leader);
    }
    if (untagged) {
        nwf_put_load(actions, MFF_REG0 + NWF_REG_RECEIVER,
                     nwf_untagged_receiver(port, port->leader ? NWF_RECEIVER_GUARDED
                                                              : NWF_RECEIVER_TRUSTED));
        nwf_put_goto(actions, NWF_TABLE_UNTAG);
    } else {
        nwf_put_restore_tag(actions);
        nwf_put_trusted_output(port, actions);
    }
}

/* In VLAN 'vid', or in all others if it is negative. */
static void
add_known(const struct nwf_port *port, enum nwf_cookie_kind kind, int vid, bool output,
          struct nwf_flow_set *flows)
{
    bool untagged = vid >= 0 && nwf_vlan_is_untagged(&port->vlan, (uint16_t) vid);
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    match_set_reg_masked(&match, NWF_REG_KNOWN, port->ofport, 0xffff);
    if (vid >= 0) {
        nwf_match_vlan(&match, (uint16_t) vid);
    }
    if (output && kind == NWF_COOKIE_TRUSTED) {
        put_trusted(port, untagged, &actions);
    } else if (output) {
        put_guest(port, untagged, &actions);
    } else { /* As if nobody knew it. */
        nwf_put_goto(&actions, NWF_TABLE_FLOOD);
    }
    nwf_flow_set_add(flows, NWF_TABLE_KNOWN,
                     vid >= 0 ? NWF_PRIORITY_KNOWN_VLAN : NWF_PRIORITY_KNOWN,
                     nwf_cookie(kind, port->ofport, NWF_COOKIE_NO_RULE), &match, &actions);
}

/* An address's VLAN was one of the port's; if the port has changed since, nobody is known to have
 * it there. */
void
nwf_add_known(const struct nwf_port *port, enum nwf_cookie_kind kind, struct nwf_flow_set *flows)
{
    const struct nwf_vlan *vlan = &port->vlan;

    if (vlan->mode != NWF_VLAN_TRUNK) {
        add_known(port, kind, vlan->tag, true, flows);
    }
    for (int vid = 0; vlan->limited && vid < NWF_N_VLANS; vid++) {
        if (nwf_vlan_has(vlan, (uint16_t) vid)) {
            add_known(port, kind, vid, true, flows);
        }
    }
    if (vlan->mode != NWF_VLAN_TRUNK && nwf_vlan_has_all(vlan) && vlan->tag) {
        add_known(port, kind, 0, false, flows); /* Untagged is the native VLAN. */
    }
    if (nwf_vlan_has_all(vlan)) {
        add_known(port, kind, -1, true, flows);
    }
}

/* ---- Whose own an address is. ---- */

/* A port's own address in one VLAN; in all of them if vid is negative. */
struct address {
    struct nwf_mac mac;
    int vid;
    const struct nwf_port *port;
};

struct addresses {
    struct address *data;
    size_t n, allocated;
};

/* Guests come before quarantined ports, which audit mode delivers to as well: a delivery's cookie
 * names the first, who has the address. */
static int
compare_addresses(const void *a_, const void *b_)
{
    const struct address *a = a_, *b = b_;
    int order = memcmp(&a->mac, &b->mac, sizeof a->mac);

    if (!order && a->vid != b->vid) {
        order = a->vid < b->vid ? -1 : 1;
    }
    if (!order) {
        order = (a->port->role == NWF_QUARANTINED) - (b->port->role == NWF_QUARANTINED);
    }
    return order ? order : (int) a->port->ofport - (int) b->port->ofport;
}

/* An own address that is none is not there. */
static void
note_address(const struct nwf_port *port, struct addresses *list)
{
    if (port->own_mac >= port->macs.n) {
        return;
    }
    const struct nwf_mac *mac = &port->macs.data[port->own_mac];
    if (nwf_vlan_has_all(&port->vlan)) {
        nwf_vec_push(list, (struct address){*mac, -1, port});
    }
    /* A native VLAN is told apart from the rest by how it leaves. */
    if (port->vlan.mode != NWF_VLAN_TRUNK) {
        nwf_vec_push(list, (struct address){*mac, port->vlan.tag, port});
    }
    /* Untagged frames that are in no VLAN are not for such a port. */
    if (port->vlan.mode != NWF_VLAN_TRUNK && nwf_vlan_has_all(&port->vlan) && port->vlan.tag) {
        nwf_vec_push(list, (struct address){*mac, 0, port});
    }
    for (int vid = 0; port->vlan.limited && vid < NWF_N_VLANS; vid++) {
        bool own = port->vlan.mode != NWF_VLAN_TRUNK && vid == port->vlan.tag;
        if (!own && nwf_vlan_has(&port->vlan, (uint16_t) vid)) {
            nwf_vec_push(list, (struct address){*mac, vid, port});
        }
    }
}

/* Whether this entry stands for its port's membership of 'vid': that of all VLANs does
 * not for those that note_address() has told apart. */
static bool
is_owner(const struct address *address, int vid)
{
    const struct nwf_vlan *vlan = &address->port->vlan;

    if (address->vid == vid) {
        /* What it sends is in its own VLAN, even if no flood of that one reaches it. */
        return vid < 0 || nwf_vlan_has(vlan, (uint16_t) vid)
               || (vlan->mode != NWF_VLAN_TRUNK && vid == vlan->tag);
    }
    return address->vid < 0 && (vlan->mode == NWF_VLAN_TRUNK || (vid != vlan->tag && vid != 0));
}

/* A guest gets the frame if it has been heard; before that its address is where it was last
 * seen.  A quarantined port, in audit mode, has no filter that could have let it be heard. */
static void
put_owner(const struct nwf_port *port, struct ofpbuf *actions)
{
    if (port->role == NWF_GUEST) {
        if (actions->size) { /* The owner before is known. */
            nwf_put_load(actions, MFF_REG0 + NWF_REG_KNOWN, 0);
        }
        nwf_put_load(actions, MFF_REG0 + NWF_REG_OWNER, NWF_OWNED | port->ofport);
        nwf_put_resubmit(actions, NWF_TABLE_LEARNED);
    } else {
        nwf_put_load(actions, MFF_REG0 + NWF_REG_KNOWN, port->ofport);
    }
}

/* Delivers to the owners of list[first..end): one address in one VLAN.  There may be several in
 * audit mode, where ports that claim what is another's are not shut. */
static void
add_delivery(const struct addresses *list, size_t first, size_t end, struct nwf_flow_set *flows)
{
    const struct address *key = &list->data[first], *last = NULL;
    NWF_ACTIONS(actions);
    struct eth_addr mac;
    struct match match;

    /* Owners of the address in all VLANs come first among its entries. */
    while (first > 0 && !memcmp(&list->data[first - 1].mac, &key->mac, sizeof key->mac)) {
        first--;
    }
    for (size_t i = first; i < end; i++) {
        if (is_owner(&list->data[i], key->vid)) {
            if (last) {
                put_owner(last->port, &actions);
                nwf_put_text(&actions, "clone(resubmit(,%d))", NWF_TABLE_KNOWN);
            }
            last = &list->data[i];
        }
    }
    if (last) {
        put_owner(last->port, &actions);
    } else { /* As flows/pipeline.flows does with addresses that no guest has. */
        nwf_put_resubmit(&actions, NWF_TABLE_LEARNED);
    }
    nwf_put_goto(&actions, NWF_TABLE_KNOWN);
    memcpy(&mac, key->mac.octets, sizeof mac);
    match_init_catchall(&match);
    match_set_dl_dst(&match, mac);
    if (key->vid >= 0) {
        nwf_match_vlan(&match, (uint16_t) key->vid);
    }
    nwf_flow_set_add(
        flows, NWF_TABLE_FORWARD, key->vid >= 0 ? NWF_PRIORITY_OWN_VLAN : NWF_PRIORITY_OWN,
        nwf_cookie(NWF_COOKIE_DELIVER, key->port->ofport, NWF_COOKIE_NO_RULE), &match, &actions);
}

void
nwf_compile_deliveries(const struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    struct addresses list = {.data = NULL};

    nwf_vec_foreach (port, &bridge->ports) {
        if (port->role == NWF_GUEST || (port->role == NWF_QUARANTINED && bridge->audit)) {
            note_address(port, &list);
        }
    }
    if (list.n) {
        qsort(list.data, list.n, sizeof list.data[0], compare_addresses);
    }
    for (size_t first = 0, end; first < list.n; first = end) {
        for (end = first + 1;
             end < list.n
             && !memcmp(&list.data[end].mac, &list.data[first].mac, sizeof list.data[end].mac)
             && list.data[end].vid == list.data[first].vid;
             end++) {
        }
        add_delivery(&list, first, end, flows);
    }
    nwf_vec_clear(&list);
}
