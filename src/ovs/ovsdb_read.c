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
#include "nwf/value.h"
#include "openvswitch/dynamic-string.h"

#include "lib/packets.h"
#include "lib/smap.h"

#define MAC_AGING_DEFAULT 300

const char *const nwf_tree_keys[NWF_N_TREES] = {"stp-enable", "rstp-enable"};
const char *const nwf_tree_notes[NWF_N_TREES] = {
    NWF_BRIDGE_SAVED "stp-enable",
    NWF_BRIDGE_SAVED "rstp-enable",
};

static enum nwf_vlan_mode
read_vlan_mode(const struct nwfrec_port *row)
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
read_vlan(const struct nwfrec_port *row, struct nwf_vlan *vlan)
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
has_priority_tags(const struct nwfrec_port *row)
{
    const char *mode = smap_get_def(&row->other_config, "priority-tags", "");

    return !strcmp(mode, "if-nonzero") || !strcmp(mode, "true") || !strcmp(mode, "always");
}

/* 802.1ad tunnels and the like: NORMAL knows how to forward to them. */
static bool
needs_normal(const struct nwfrec_port *row, const struct nwf_vlan *vlan)
{
    return row->protected_ || vlan->mode == NWF_VLAN_TUNNEL || has_priority_tags(row);
}

static void
read_row(const struct nwfrec_interface *row, struct nwf_ovs_port *ret)
{
    const struct smap_node **nodes CLEANUP_FREE = smap_sort(&row->external_ids);

    *ret = (struct nwf_ovs_port){.name = row->name, .uuid = row->header_.uuid};
    for (size_t i = 0; i < smap_count(&row->external_ids); i++) {
        nwf_vec_push(&ret->tags, (struct nwf_tag){nodes[i]->key, nodes[i]->value});
    }
}

static bool
is_plain_bond(const struct nwfrec_port *port)
{
    return port->n_interfaces > 1 && (!port->lacp || !strcmp(port->lacp, "off"))
           && (!port->bond_mode || strcmp(port->bond_mode, "balance-tcp"));
}

static bool
is_mirror_output(const struct nwfrec_bridge *bridge, const struct nwfrec_port *port)
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
gets_mirrored(const struct nwfrec_bridge *bridge, const struct nwf_vlan *vlan)
{
    for (size_t i = 0; i < bridge->n_mirrors; i++) {
        const struct nwfrec_mirror *mirror = bridge->mirrors[i];
        if (mirror->n_output_vlan && nwf_vlan_has(vlan, (uint16_t) *mirror->output_vlan)) {
            return true;
        }
    }
    return false;
}

/* Protocols that ovs-vswitchd speaks on a port by itself (ovs-vswitchd.conf.db(5)): it takes
 * their frames before the port's flows see them, and sends its own past them. */
static const char *
find_protocol(const struct nwfrec_port *port, const struct nwfrec_interface *row)
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
find_bypass(const struct nwfrec_bridge *bridge, const struct nwfrec_port *port,
            const struct nwfrec_interface *row, const struct nwf_vlan *vlan)
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
read_trees(const struct nwfrec_port *row, struct nwf_ovs_port *port)
{
    for (size_t i = 0; i < NWF_N_TREES; i++) {
        port->trees[i] = smap_get(&row->other_config, nwf_tree_keys[i]);
        port->tree_notes[i] = smap_get(&row->external_ids, nwf_tree_notes[i]);
    }
}

/* The bridge's own port and other internal ones are the host's interfaces. */
static bool
is_own(const struct nwfrec_interface *row, uint16_t ofport)
{
    return ofport == NWF_OFPORT_LOCAL || (row->type && !strcmp(row->type, "internal"));
}

static bool
is_active(const struct nwfrec_port *port, const struct nwfrec_interface *row)
{
    return port->bond_active_slave && row->mac_in_use
           && !strcmp(port->bond_active_slave, row->mac_in_use);
}

/* 0 for none. */
static uint16_t
read_ofport(const struct nwfrec_interface *row)
{
    int64_t ofport = row->n_ofport ? *row->ofport : 0;

    return (ofport > 0 && ofport <= NWF_OFPORT_MAX) || ofport == NWF_OFPORT_LOCAL
               ? (uint16_t) ofport
               : 0;
}

static int
compare_numbers(const void *a, const void *b)
{
    return (int) *(const uint16_t *) a - (int) *(const uint16_t *) b;
}

/* The active one first: as long as it is alive, guests and NORMAL take frames for many from the
 * same member. */
static void
list_bond(const struct nwfrec_port *port, struct nwf_ovs_port *ret)
{
    for (int active = 1; is_plain_bond(port) && active >= 0; active--) {
        size_t first = ret->bond.n;
        for (size_t i = 0; i < port->n_interfaces; i++) {
            uint16_t ofport = read_ofport(port->interfaces[i]);
            if (ofport && is_active(port, port->interfaces[i]) == active) {
                nwf_vec_push(&ret->bond, ofport);
            }
        }
        if (ret->bond.n > first) {
            qsort(ret->bond.data + first, ret->bond.n - first, sizeof ret->bond.data[0],
                  compare_numbers);
        }
    }
}

static void
list_nics(const struct nwfrec_port *port, struct nwf_ovs_port *ret)
{
    for (int active = 1; active >= 0; active--) {
        for (size_t i = 0; i < port->n_interfaces; i++) {
            const struct nwfrec_interface *row = port->interfaces[i];
            struct nwf_nic nic = {.ofport = read_ofport(row)};

            nic.has_mac = row->mac_in_use && !nwf_mac_parse(row->mac_in_use, &nic.mac, NULL);
            if (!nic.has_mac) {
                memset(&nic.mac, 0, sizeof nic.mac);
            }
            if (is_active(port, row) == active) {
                nwf_vec_push(&ret->nics, nic);
                nwf_vec_push(&ret->nic_names, row->name);
            }
        }
    }
}

void
nwf_ovs_read_port(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_ref *ref,
                  struct nwf_ovs_port *ret)
{
    const struct nwfrec_port *port = ref->port;
    const struct nwfrec_interface *row = ref->interface;

    read_row(row, ret);
    ret->port_name = port->name;
    ret->ofport = read_ofport(row);
    ret->port_uuid = port->header_.uuid;
    ret->own_mac = is_own(row, ret->ofport) ? row->mac_in_use : NULL;
    read_trees(port, ret);
    read_vlan(port, &ret->vlan);
    ret->is_bond = port->n_interfaces > 1 && !needs_normal(port, &ret->vlan);
    ret->normal_only = ret->is_bond || needs_normal(port, &ret->vlan);
    ret->has_lacp = port->n_interfaces > 1 && !is_plain_bond(port);
    list_bond(port, ret);
    list_nics(port, ret);
    ret->is_mirror_output = is_mirror_output(bridge->row, port);
    ret->is_patch = row->type && !strcmp(row->type, "patch");
    ret->bypass = find_bypass(bridge->row, port, row, &ret->vlan);
}

void
nwf_ovs_port_clear(struct nwf_ovs_port *port)
{
    nwf_vec_clear(&port->tags);
    nwf_vec_clear(&port->bond);
    nwf_vec_clear(&port->nics);
    nwf_vec_clear(&port->nic_names);
    nwf_vlan_clear(&port->vlan);
}

/* Of two rows the one that has changed later. */
static unsigned int
later(unsigned int a, unsigned int b)
{
    return a > b ? a : b;
}

static unsigned int
port_seqno(const struct nwfrec_port *port)
{
    return later(nwfrec_port_row_get_seqno(port, OVSDB_IDL_CHANGE_INSERT),
                 nwfrec_port_row_get_seqno(port, OVSDB_IDL_CHANGE_MODIFY));
}

static unsigned int
interface_seqno(const struct nwfrec_interface *row)
{
    return later(nwfrec_interface_row_get_seqno(row, OVSDB_IDL_CHANGE_INSERT),
                 nwfrec_interface_row_get_seqno(row, OVSDB_IDL_CHANGE_MODIFY));
}

const char *
nwf_ovs_ref_name(const struct nwf_ovs_ref *ref)
{
    return ref->interface->name;
}

const char *
nwf_ovs_ref_port_name(const struct nwf_ovs_ref *ref)
{
    return ref->port->name;
}

const char *
nwf_ovs_ref_type(const struct nwf_ovs_ref *ref)
{
    return ref->interface->type ? ref->interface->type : "";
}

void
nwf_ovs_list_ports(const struct nwf_ovs_bridge *bridge, struct nwf_ovs_refs *ret)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < bridge->row->n_ports; i++) {
        const struct nwfrec_port *port = bridge->row->ports[i];
        unsigned int seqno = port_seqno(port);

        for (size_t j = 0; j < port->n_interfaces; j++) {
            const struct nwfrec_interface *row = port->interfaces[j];
            nwf_vec_push(ret, (struct nwf_ovs_ref){
                                  .uuid = row->header_.uuid,
                                  .seqno = later(seqno, interface_seqno(row)),
                                  .is_member = port->n_interfaces > 1,
                                  .port = port,
                                  .interface = row,
                              });
        }
    }
}

unsigned int
nwf_ovsdb_port_seqno(const struct nwf_ovsdb *db, const struct uuid *interface,
                     const struct uuid *port)
{
    const struct nwfrec_interface *row = nwfrec_interface_get_for_uuid(db->idl, interface);
    const struct nwfrec_port *port_row = nwfrec_port_get_for_uuid(db->idl, port);

    return row && port_row ? later(port_seqno(port_row), interface_seqno(row)) : 0;
}

static int
compare_ports(const void *a_, const void *b_)
{
    const struct nwf_ovs_port *a = a_, *b = b_;

    return a->ofport != b->ofport ? (a->ofport < b->ofport ? -1 : 1) : strcmp(a->name, b->name);
}

void
nwf_ovs_read_ports(struct nwf_ovs_bridge *bridge)
{
    struct nwf_ovs_refs refs;

    nwf_ovs_list_ports(bridge, &refs);
    nwf_vec_foreach (ref, &refs) {
        struct nwf_ovs_port port;
        nwf_ovs_read_port(bridge, ref, &port);
        nwf_vec_push(&bridge->ports, port);
    }
    nwf_vec_clear(&refs);
    if (bridge->ports.n) {
        qsort(bridge->ports.data, bridge->ports.n, sizeof bridge->ports.data[0], compare_ports);
    }
}

/* What fail_mode was before we set it, or is if we have not; "" for none.  Of a note that
 * we cannot have written, "secure" is the safe reading. */
static const char *
own_fail_mode(const struct nwfrec_bridge *row)
{
    const char *note = smap_get(&row->external_ids, NWF_BRIDGE_FAIL_MODE);

    if (!note) {
        return row->fail_mode ? row->fail_mode : "";
    }
    return !*note || !strcmp(note, "standalone") ? note : "secure";
}

/* The same of in-band control. */
static const char *
own_in_band(const struct nwfrec_bridge *row)
{
    return smap_get_def(&row->external_ids, NWF_BRIDGE_IN_BAND,
                        smap_get_def(&row->other_config, NWF_IN_BAND_KEY, ""));
}

static bool
has_notes(const struct nwfrec_bridge *row)
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
read_bridge_tags(const struct nwfrec_bridge *row, struct nwf_ovs_bridge *b)
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
find_owner(const struct nwfrec_bridge *row)
{
    return smap_get(&row->external_ids, "ovnbr-managed") ? "ovn-br-controller" : NULL;
}

/* How many tags of a frame Open vSwitch looks at: 1 by default, and no more than two. */
static int
read_vlan_limit(const struct nwfrec_open_vswitch *row)
{
    return row ? smap_get_int(&row->other_config, "vlan-limit", 1) : 1;
}

/* All that a bridge's flows, and what is read of its ports, depend on but for the ports. */
static char *
format_settings(const struct nwf_ovs_bridge *b, int vlan_limit)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    nwf_vec_foreach (tag, &b->tags) {
        ds_put_format(&s, "%s=%s\n", tag->key, tag->value);
    }
    ds_put_format(&s, "%s %s %d %d %d %d %u\n", b->datapath_type, b->owner ? b->owner : "-",
                  vlan_limit, b->row->mcast_snooping_enable, b->spanning_tree, b->forward_bpdu,
                  b->mac_aging);
    for (size_t i = 0; i < b->row->n_flood_vlans; i++) {
        ds_put_format(&s, "flood %" PRId64 "\n", b->row->flood_vlans[i]);
    }
    for (size_t i = 0; i < b->row->n_mirrors; i++) {
        const struct nwfrec_mirror *mirror = b->row->mirrors[i];
        ds_put_format(&s, "mirror %s %" PRId64 "\n",
                      mirror->output_port ? mirror->output_port->name : "-",
                      mirror->n_output_vlan ? *mirror->output_vlan : -1);
    }
    return ds_steal_cstr(&s);
}

static void
read_bridge(const struct nwfrec_bridge *row, const struct nwfrec_open_vswitch *root,
            struct nwf_ovs_bridge *b)
{
    int vlan_limit = read_vlan_limit(root);
    int aging = smap_get_int(&row->other_config, "mac-aging-time", MAC_AGING_DEFAULT);

    b->name = row->name;
    b->row = row;
    read_bridge_tags(row, b);
    b->status = smap_get(&row->external_ids, NWF_BRIDGE_STATUS);
    b->secure = row->fail_mode && !strcmp(row->fail_mode, "secure");
    b->out_of_band = smap_get_bool(&row->other_config, NWF_IN_BAND_KEY, false);
    b->secured = has_notes(row);
    b->own_in_band = own_in_band(row);
    b->hwaddr = smap_get(&row->other_config, NWF_HWADDR_KEY);
    b->own_hwaddr = smap_get(&row->external_ids, NWF_BRIDGE_HWADDR);
    b->own_fail_mode = own_fail_mode(row);
    b->stays_secure = !strcmp(b->own_fail_mode, "secure");
    b->mcast_snooping = row->mcast_snooping_enable;
    b->datapath_type = row->datapath_type && *row->datapath_type ? row->datapath_type : "system";
    b->userspace = !strcmp(b->datapath_type, "netdev");
    b->n_controllers = row->n_controller;
    b->owner = find_owner(row);
    b->spanning_tree = row->stp_enable || row->rstp_enable;
    b->normal_why = b->spanning_tree             ? "spanning tree"
                    : row->mcast_snooping_enable ? "multicast snooping"
                    : row->n_flood_vlans         ? "flood_vlans"
                                                 : NULL;
    b->normal_only = b->normal_why != NULL;
    for (size_t i = 0; i < row->n_flood_vlans; i++) {
        if (row->flood_vlans[i] >= 0 && row->flood_vlans[i] < NWF_N_VLANS) {
            nwf_vlan_set_add(&b->flooded, (uint16_t) row->flood_vlans[i]);
        }
    }
    b->forward_bpdu = smap_get_bool(&row->other_config, "forward-bpdu", false);
    b->two_tags = vlan_limit != 1;
    b->mac_aging = (uint16_t) (aging < 15 ? 15 : aging > 3600 ? 3600 : aging);
    b->settings = format_settings(b, vlan_limit);
}

static int
compare_bridges(const void *a_, const void *b_)
{
    const struct nwf_ovs_bridge *a = a_, *b = b_;

    return strcmp(a->name, b->name);
}

void
nwf_ovsdb_bare_bridges(struct nwf_ovsdb *db, struct nwf_ovs_bridges *ret)
{
    const struct nwfrec_open_vswitch *root = nwfrec_open_vswitch_first(db->idl);
    const struct nwfrec_bridge *row;

    memset(ret, 0, sizeof *ret);
    NWFREC_BRIDGE_FOR_EACH(row, db->idl)
    {
        struct nwf_ovs_bridge bridge = {.row = row};

        read_bridge(row, root, &bridge);
        nwf_vec_push(ret, bridge);
    }
    if (ret->n) {
        qsort(ret->data, ret->n, sizeof ret->data[0], compare_bridges);
    }
}

void
nwf_ovsdb_bridges(struct nwf_ovsdb *db, struct nwf_ovs_bridges *ret)
{
    nwf_ovsdb_bare_bridges(db, ret);
    nwf_vec_foreach (bridge, ret) {
        nwf_ovs_read_ports(bridge);
    }
}

void
nwf_ovs_bridges_clear(struct nwf_ovs_bridges *bridges)
{
    nwf_vec_foreach (bridge, bridges) {
        nwf_vec_foreach (port, &bridge->ports) {
            nwf_ovs_port_clear(port);
        }
        nwf_vec_clear(&bridge->ports);
        nwf_vec_clear(&bridge->tags);
        free(bridge->settings);
    }
    nwf_vec_clear(bridges);
}

int
nwf_ovsdb_interface(struct nwf_ovsdb *db, const char *name, struct nwf_ovs_port *ret,
                    struct nwf_error *err)
{
    const struct nwfrec_interface *row;

    NWFREC_INTERFACE_FOR_EACH(row, db->idl)
    {
        if (!strcmp(row->name, name)) {
            read_row(row, ret);
            return 0;
        }
    }
    return nwf_error_set(err, -ENOENT, "%.80s: no such interface", name);
}

static void
count_zone(const struct nwfrec_interface *row, uint8_t counts[0x10000])
{
    const char *text = smap_get(&row->external_ids, NWF_TAG_ZONE);
    int64_t zone;

    if (text && nwf_parse_int(text, 1, UINT16_MAX, &zone)) {
        counts[zone] += counts[zone] < UINT8_MAX;
    }
}

void
nwf_ovsdb_count_zones(const struct nwf_ovsdb *db, uint8_t counts[0x10000])
{
    const struct nwfrec_interface *row;

    NWFREC_INTERFACE_FOR_EACH(row, db->idl)
    {
        count_zone(row, counts);
    }
}

size_t
nwf_ovsdb_count_managed(const struct nwf_ovsdb *db)
{
    const struct nwfrec_bridge *row;
    size_t n = 0;

    NWFREC_BRIDGE_FOR_EACH(row, db->idl)
    {
        n += smap_get(&row->external_ids, NWF_BRIDGE_TAG) != NULL;
    }
    return n;
}
