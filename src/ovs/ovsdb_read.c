/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of the database as bridges and ports; see nwf/ovsdb.h. */
#include <config.h>

#include "ovsdb.h"

#include <errno.h>
#include <string.h>

#include "nwf/compile.h"
#include "nwf/record.h"
#include "nwf/text.h"

#include "lib/packets.h"
#include "lib/smap.h"

#define MAC_AGING_DEFAULT 300

const char *const nwf_tree_keys[NWF_N_TREES] = {"stp-enable", "rstp-enable"};
const char *const nwf_tree_notes[NWF_N_TREES] = {
    NWF_BRIDGE_SAVED "stp-enable",
    NWF_BRIDGE_SAVED "rstp-enable",
};

static enum nwf_vlan_mode
read_vlan_mode(const struct ovsrec_port *row)
{
    static const char *const names[] = {
        [NWF_VLAN_ACCESS] = "access",
        [NWF_VLAN_NATIVE_TAGGED] = "native-tagged",
        [NWF_VLAN_NATIVE_UNTAGGED] = "native-untagged",
        [NWF_VLAN_TUNNEL] = "dot1q-tunnel",
    };

    if (!row->vlan_mode) {
        return row->n_tag ? NWF_VLAN_ACCESS : NWF_VLAN_TRUNK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i] && !strcmp(row->vlan_mode, names[i])) {
            return (enum nwf_vlan_mode) i;
        }
    }
    return NWF_VLAN_TRUNK;
}

static void
read_trunks(const int64_t *vids, size_t n, struct nwf_vlan *vlan)
{
    for (size_t i = 0; i < n; i++) {
        if (vids[i] >= 0 && vids[i] < NWF_N_VLANS) {
            nwf_vlan_add_trunk(vlan, (uint16_t) vids[i]);
        }
    }
}

static void
read_vlan(const struct ovsrec_port *row, struct nwf_vlan *vlan)
{
    const char *type = smap_get_def(&row->other_config, "qinq-ethtype", "");

    memset(vlan, 0, sizeof *vlan);
    vlan->mode = read_vlan_mode(row);
    if (row->n_tag && vlan->mode != NWF_VLAN_TRUNK) {
        vlan->tag = (uint16_t) (*row->tag & 0xfff);
    }
    if (vlan->mode == NWF_VLAN_TUNNEL) {
        vlan->tpid = strcmp(type, "802.1q") ? ETH_TYPE_VLAN_8021AD : ETH_TYPE_VLAN_8021Q;
        read_trunks(row->cvlans, row->n_cvlans, vlan);
    } else if (vlan->mode != NWF_VLAN_ACCESS) {
        read_trunks(row->trunks, row->n_trunks, vlan);
    }
}

/* Whether frames may leave by the port with a priority tag. */
static bool
has_priority_tags(const struct ovsrec_port *row)
{
    const char *mode = smap_get_def(&row->other_config, "priority-tags", "");

    return !strcmp(mode, "if-nonzero") || !strcmp(mode, "true") || !strcmp(mode, "always");
}

/* Bonds, 802.1ad tunnels and the like: NORMAL knows how to forward to them. */
static bool
needs_normal(const struct ovsrec_port *row, const struct nwf_vlan *vlan)
{
    return row->n_interfaces > 1 || row->protected_ || vlan->mode == NWF_VLAN_TUNNEL
           || has_priority_tags(row);
}

static struct nwf_ovs_port
read_row(const struct ovsrec_interface *row)
{
    struct nwf_ovs_port port = {.name = row->name, .uuid = row->header_.uuid};
    const struct smap_node **nodes CLEANUP_FREE = smap_sort(&row->external_ids);

    for (size_t i = 0; i < smap_count(&row->external_ids); i++) {
        nwf_vec_push(&port.tags, (struct nwf_tag){nodes[i]->key, nodes[i]->value});
    }
    return port;
}

static bool
is_plain_bond(const struct ovsrec_port *port)
{
    return port->n_interfaces > 1 && (!port->lacp || !strcmp(port->lacp, "off"))
           && (!port->bond_mode || strcmp(port->bond_mode, "balance-tcp"));
}

static bool
is_mirror_output(const struct ovsrec_bridge *bridge, const struct ovsrec_port *port)
{
    for (size_t i = 0; i < bridge->n_mirrors; i++) {
        if (bridge->mirrors[i]->output_port == port) {
            return true;
        }
    }
    return false;
}

/* Whether a mirror puts its frames on a VLAN that the port is in. */
static bool
gets_mirrored(const struct ovsrec_bridge *bridge, const struct nwf_vlan *vlan)
{
    for (size_t i = 0; i < bridge->n_mirrors; i++) {
        const struct ovsrec_mirror *mirror = bridge->mirrors[i];
        if (mirror->n_output_vlan && nwf_vlan_has(vlan, (uint16_t) *mirror->output_vlan)) {
            return true;
        }
    }
    return false;
}

/* Protocols that ovs-vswitchd speaks on a port by itself (ovs-vswitchd.conf.db(5)): it takes
 * their frames before the port's flows see them, and sends its own past them. */
static const char *
find_protocol(const struct ovsrec_port *port, const struct ovsrec_interface *row)
{
    if (smap_get_bool(&row->lldp, "enable", false)) {
        return "lldp:enable";
    }
    if (smap_get_bool(&row->bfd, "enable", false)) {
        return "bfd:enable";
    }
    if (row->n_cfm_mpid) {
        return "cfm_mpid";
    }
    return port->lacp && strcmp(port->lacp, "off") ? "lacp" : NULL;
}

static const char *
find_bypass(const struct ovsrec_bridge *bridge, const struct ovsrec_port *port,
            const struct ovsrec_interface *row, const struct nwf_vlan *vlan)
{
    if (gets_mirrored(bridge, vlan)) {
        return "a mirror's output_vlan";
    }
    if (bridge->mcast_snooping_enable
        && (smap_get_bool(&port->other_config, "mcast-snooping-flood", false)
            || smap_get_bool(&port->other_config, "mcast-snooping-flood-reports", false))) {
        return "other_config:mcast-snooping-flood";
    }
    return find_protocol(port, row);
}

static void
read_trees(const struct ovsrec_port *row, struct nwf_ovs_port *port)
{
    for (size_t i = 0; i < NWF_N_TREES; i++) {
        port->trees[i] = smap_get(&row->other_config, nwf_tree_keys[i]);
        port->tree_notes[i] = smap_get(&row->external_ids, nwf_tree_notes[i]);
    }
}

/* The bridge's own port and other internal ones are the host's interfaces. */
static bool
is_own(const struct ovsrec_interface *row, uint16_t ofport)
{
    return ofport == NWF_OFPORT_LOCAL || (row->type && !strcmp(row->type, "internal"));
}

static void
read_interface(const struct ovsrec_port *port, const struct ovsrec_interface *row,
               struct nwf_ovs_bridge *bridge)
{
    struct nwf_ovs_port p = read_row(row);
    int64_t ofport = row->n_ofport ? *row->ofport : 0;

    if ((ofport > 0 && ofport <= NWF_OFPORT_MAX) || ofport == NWF_OFPORT_LOCAL) {
        p.ofport = (uint16_t) ofport;
    }
    p.port_uuid = port->header_.uuid;
    p.own_mac = is_own(row, p.ofport) ? row->mac_in_use : NULL;
    read_trees(port, &p);
    read_vlan(port, &p.vlan);
    p.normal_only = needs_normal(port, &p.vlan);
    p.bond = is_plain_bond(port) ? port : NULL;
    p.is_active_member = p.bond && port->bond_active_slave && row->mac_in_use
                         && !strcmp(port->bond_active_slave, row->mac_in_use);
    p.is_mirror_output = is_mirror_output(bridge->row, port);
    p.is_patch = row->type && !strcmp(row->type, "patch"); /* Not read for one port's sake. */
    p.bypass = find_bypass(bridge->row, port, row, &p.vlan);
    nwf_vec_push(&bridge->ports, p);
}

static int
compare_ports(const void *a_, const void *b_)
{
    const struct nwf_ovs_port *a = a_, *b = b_;

    return a->ofport != b->ofport ? (a->ofport < b->ofport ? -1 : 1) : strcmp(a->name, b->name);
}

/* What fail_mode was before we set it, or is if we have not; "" for none.  Of a note that
 * we cannot have written, "secure" is the safe reading. */
static const char *
own_fail_mode(const struct ovsrec_bridge *row)
{
    const char *note = smap_get(&row->external_ids, NWF_BRIDGE_FAIL_MODE);

    if (!note) {
        return row->fail_mode ? row->fail_mode : "";
    }
    return !*note || !strcmp(note, "standalone") ? note : "secure";
}

/* The same of in-band control. */
static const char *
own_in_band(const struct ovsrec_bridge *row)
{
    return smap_get_def(&row->external_ids, NWF_BRIDGE_IN_BAND,
                        smap_get_def(&row->other_config, NWF_IN_BAND_KEY, ""));
}

static bool
has_notes(const struct ovsrec_bridge *row)
{
    return smap_get(&row->external_ids, NWF_BRIDGE_FAIL_MODE)
           && smap_get(&row->external_ids, NWF_BRIDGE_IN_BAND);
}

bool
nwf_ovs_bridge_is_secured(const struct nwf_ovs_bridge *bridge)
{
    return bridge->secure && bridge->out_of_band && bridge->secured;
}

static void
read_bridge_tags(const struct ovsrec_bridge *row, struct nwf_ovs_bridge *b)
{
    const struct smap_node **nodes CLEANUP_FREE = smap_sort(&row->external_ids);

    for (size_t i = 0; i < smap_count(&row->external_ids); i++) {
        if (nwf_record_has_key(nodes[i]->key)) {
            nwf_vec_push(&b->tags, (struct nwf_tag){nodes[i]->key, nodes[i]->value});
        }
    }
    nwf_bridge_config_read(b->tags.data, b->tags.n, &b->config);
}

/* ovn-br-controller marks its bridges (OVN 26.03), and deletes what is not its own. */
static const char *
find_owner(const struct ovsrec_bridge *row)
{
    return smap_get(&row->external_ids, "ovnbr-managed") ? "ovn-br-controller" : NULL;
}

static void
read_bridge(const struct ovsrec_bridge *row, int vlan_limit, struct nwf_ovs_bridge *b)
{
    int aging = smap_get_int(&row->other_config, "mac-aging-time", MAC_AGING_DEFAULT);

    b->name = row->name;
    b->row = row;
    read_bridge_tags(row, b);
    b->secure = row->fail_mode && !strcmp(row->fail_mode, "secure");
    b->out_of_band = smap_get_bool(&row->other_config, NWF_IN_BAND_KEY, false);
    b->secured = has_notes(row);
    b->own_in_band = own_in_band(row);
    b->own_fail_mode = own_fail_mode(row);
    b->stays_secure = !strcmp(b->own_fail_mode, "secure");
    b->mcast_snooping = row->mcast_snooping_enable;
    for (size_t i = 0; i < row->n_mirrors; i++) {
        b->has_vlan_mirror |= row->mirrors[i]->n_output_vlan > 0;
    }
    b->datapath_type = row->datapath_type && *row->datapath_type ? row->datapath_type : "system";
    b->userspace = !strcmp(b->datapath_type, "netdev");
    b->n_controllers = row->n_controller;
    b->owner = find_owner(row);
    b->spanning_tree = row->stp_enable || row->rstp_enable;
    b->normal_only = b->spanning_tree || row->mcast_snooping_enable || row->n_flood_vlans;
    for (size_t i = 0; i < row->n_flood_vlans; i++) {
        if (row->flood_vlans[i] >= 0 && row->flood_vlans[i] < NWF_N_VLANS) {
            nwf_vlan_set_add(&b->flooded, (uint16_t) row->flood_vlans[i]);
        }
    }
    b->forward_bpdu = smap_get_bool(&row->other_config, "forward-bpdu", false);
    b->two_tags = vlan_limit != 1;
    b->mac_aging = (uint16_t) (aging < 15 ? 15 : aging > 3600 ? 3600 : aging);
    for (size_t i = 0; i < row->n_ports; i++) {
        for (size_t j = 0; j < row->ports[i]->n_interfaces; j++) {
            read_interface(row->ports[i], row->ports[i]->interfaces[j], b);
        }
    }
    if (b->ports.n) {
        qsort(b->ports.data, b->ports.n, sizeof b->ports.data[0], compare_ports);
    }
}

static int
compare_bridges(const void *a_, const void *b_)
{
    const struct nwf_ovs_bridge *a = a_, *b = b_;

    return strcmp(a->name, b->name);
}

/* How many tags of a frame Open vSwitch looks at: 1 by default, and no more than two. */
static int
read_vlan_limit(const struct ovsrec_open_vswitch *row)
{
    return row ? smap_get_int(&row->other_config, "vlan-limit", 1) : 1;
}

static void
push_bridge(const struct ovsrec_bridge *row, int vlan_limit, struct nwf_ovs_bridges *ret)
{
    struct nwf_ovs_bridge bridge = {.row = row};

    read_bridge(row, vlan_limit, &bridge);
    nwf_vec_push(ret, bridge);
}

int
nwf_ovsdb_port_bridge(struct nwf_ovsdb *db, struct nwf_ovs_bridges *ret, struct nwf_error *err)
{
    int r = nwf_port_rows_read_bridge(db->rows, err);
    const struct ovsrec_bridge *row = r ? NULL : nwf_port_rows_bridge(db->rows);

    memset(ret, 0, sizeof *ret);
    if (row) {
        push_bridge(row, read_vlan_limit(nwf_port_rows_switch(db->rows)), ret);
        ret->data[0].has_vlan_mirror = nwf_port_rows_has_vlan_mirror(db->rows);
    }
    return r;
}

void
nwf_ovsdb_bridges(struct nwf_ovsdb *db, struct nwf_ovs_bridges *ret)
{
    int vlan_limit = read_vlan_limit(ovsrec_open_vswitch_first(db->idl));
    const struct ovsrec_bridge *row;

    memset(ret, 0, sizeof *ret);
    OVSREC_BRIDGE_FOR_EACH (row, db->idl) {
        push_bridge(row, vlan_limit, ret);
    }
    if (ret->n) {
        qsort(ret->data, ret->n, sizeof ret->data[0], compare_bridges);
    }
}

void
nwf_ovs_bridges_clear(struct nwf_ovs_bridges *bridges)
{
    nwf_vec_foreach (bridge, bridges) {
        nwf_vec_foreach (port, &bridge->ports) {
            nwf_vec_clear(&port->tags);
        }
        nwf_vec_clear(&bridge->ports);
        nwf_vec_clear(&bridge->tags);
    }
    nwf_vec_clear(bridges);
}

void
nwf_ovsdb_port(const struct nwf_ovsdb *db, struct nwf_ovs_port *ret)
{
    *ret = read_row(nwf_port_rows_interface(db->rows));
}

static void
count_zone(const struct ovsrec_interface *row, size_t n, uint8_t counts[0x10000])
{
    const char *text = smap_get(&row->external_ids, NWF_TAG_ZONE);
    int64_t zone;

    if (text && nwf_parse_int(text, 1, UINT16_MAX, &zone)) {
        counts[zone] = (uint8_t) (counts[zone] + n < UINT8_MAX ? counts[zone] + n : UINT8_MAX);
    }
}

void
nwf_ovsdb_count_zones(struct nwf_ovsdb *db, uint8_t counts[0x10000])
{
    const struct ovsrec_interface *row;

    if (db->rows) {
        count_zone(nwf_port_rows_interface(db->rows), nwf_port_rows_zone_users(db->rows), counts);
        return;
    }
    OVSREC_INTERFACE_FOR_EACH (row, db->idl) {
        count_zone(row, 1, counts);
    }
}

size_t
nwf_ovsdb_count_managed(struct nwf_ovsdb *db)
{
    const struct ovsrec_bridge *row;
    size_t n = 0;

    OVSREC_BRIDGE_FOR_EACH (row, db->idl) {
        n += smap_get(&row->external_ids, NWF_BRIDGE_TAG) != NULL;
    }
    return n;
}
