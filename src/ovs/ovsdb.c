/* SPDX-License-Identifier: Apache-2.0
 *
 * OVSDB through the IDL, or a single port of it through port_rows.h; see nwf/ovsdb.h. */
#include <config.h>

#include "nwf/ovsdb.h"

#include <errno.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/compile.h"
#include "nwf/record.h"
#include "nwf/text.h"
#include "openvswitch/poll-loop.h"
#include "port_rows.h"

#include "lib/ovsdb-idl.h"
#include "lib/packets.h"
#include "lib/smap.h"
#include "lib/timeval.h"
#include "lib/vswitch-idl.h"

#define MAC_AGING_DEFAULT 300
#define IN_BAND_KEY "disable-in-band"

const char *const nwf_tree_keys[NWF_N_TREES] = {"stp-enable", "rstp-enable"};
const char *const nwf_tree_notes[NWF_N_TREES] = {
    NWF_BRIDGE_SAVED "stp-enable",
    NWF_BRIDGE_SAVED "rstp-enable",
};

struct nwf_ovsdb {
    struct ovsdb_idl *idl;      /* Or: */
    struct nwf_port_rows *rows; /* only one port's. */
    char *remote;
    unsigned int timeout_ms;
    bool outdated;           /* A transaction failed: somebody has changed what */
    unsigned int last_seqno; /* the database was then. */
};

/* ---- Connecting. ---- */

static void
add_columns(struct ovsdb_idl *idl)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &ovsrec_interface_col_name,
        &ovsrec_interface_col_external_ids,
        &ovsrec_interface_col_ofport,
        &ovsrec_interface_col_mac_in_use,
        &ovsrec_interface_col_type,
        &ovsrec_interface_col_lldp,
        &ovsrec_interface_col_bfd,
        &ovsrec_interface_col_cfm_mpid,
        &ovsrec_port_col_interfaces,
        &ovsrec_port_col_bond_mode,
        &ovsrec_port_col_lacp,
        &ovsrec_port_col_bond_active_slave,
        &ovsrec_port_col_tag,
        &ovsrec_port_col_trunks,
        &ovsrec_port_col_vlan_mode,
        &ovsrec_port_col_cvlans,
        &ovsrec_port_col_protected_,
        &ovsrec_port_col_other_config,
        &ovsrec_port_col_external_ids,
        &ovsrec_bridge_col_name,
        &ovsrec_bridge_col_ports,
        &ovsrec_bridge_col_external_ids,
        &ovsrec_bridge_col_fail_mode,
        &ovsrec_bridge_col_other_config,
        &ovsrec_bridge_col_stp_enable,
        &ovsrec_bridge_col_rstp_enable,
        &ovsrec_bridge_col_mcast_snooping_enable,
        &ovsrec_bridge_col_flood_vlans,
        &ovsrec_bridge_col_mirrors,
        &ovsrec_bridge_col_datapath_type,
        &ovsrec_bridge_col_controller,
        &ovsrec_mirror_col_output_port,
        &ovsrec_mirror_col_output_vlan,
        &ovsrec_open_vswitch_col_bridges,
        &ovsrec_open_vswitch_col_next_cfg,
        &ovsrec_open_vswitch_col_cur_cfg,
        &ovsrec_open_vswitch_col_other_config,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
}

static int
lost(const struct nwf_ovsdb *db, struct nwf_error *err)
{
    int cause = ovsdb_idl_get_last_error(db->idl);

    return nwf_error_set(err, -ENOTCONN, "OVSDB %s: %s", db->remote,
                         cause ? ovs_retval_to_string(cause) : "connection lost");
}

static int
timed_out(const struct nwf_ovsdb *db, const char *what, struct nwf_error *err)
{
    return nwf_error_set(err, -ETIMEDOUT, "OVSDB %s: %s within %u ms", db->remote, what,
                         db->timeout_ms);
}

static int
wait_for_contents(struct nwf_ovsdb *db, struct nwf_error *err)
{
    long long int deadline = time_msec() + db->timeout_ms;

    for (;;) {
        ovsdb_idl_run(db->idl);
        if (!ovsdb_idl_is_alive(db->idl)) {
            return lost(db, err);
        }
        if (ovsdb_idl_has_ever_connected(db->idl)) {
            return 0;
        }
        if (time_msec() >= deadline) {
            return timed_out(db, "no contents", err);
        }
        ovsdb_idl_wait(db->idl);
        poll_timer_wait_until(deadline);
        poll_block();
    }
}

static struct nwf_ovsdb *
new_db(const char *remote, unsigned int timeout_ms)
{
    struct nwf_ovsdb *db = nwf_zalloc(sizeof *db);

    db->remote = nwf_strdup(remote);
    db->timeout_ms = timeout_ms;
    return db;
}

int
nwf_ovsdb_open(const char *remote, unsigned int timeout_ms, struct nwf_ovsdb **ret,
               struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = new_db(remote, timeout_ms);

    db->idl = ovsdb_idl_create(remote, &ovsrec_idl_class, false, false);
    add_columns(db->idl);
    int r = wait_for_contents(db, err);
    if (!r) {
        *ret = TAKE_PTR(db);
    }
    return r;
}

int
nwf_ovsdb_open_port(const char *remote, unsigned int timeout_ms, const char *interface,
                    struct nwf_ovsdb **ret, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = new_db(remote, timeout_ms);
    int r = nwf_port_rows_read(remote, timeout_ms, interface, &db->rows, err);

    if (!r) {
        *ret = TAKE_PTR(db);
    }
    return r;
}

void
nwf_ovsdb_close(struct nwf_ovsdb *db)
{
    if (db->idl) {
        ovsdb_idl_destroy(db->idl);
    }
    if (db->rows) {
        nwf_port_rows_free(db->rows);
    }
    free(db->remote);
    free(db);
}

/* ---- Reading. ---- */

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
                        smap_get_def(&row->other_config, IN_BAND_KEY, ""));
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
    b->out_of_band = smap_get_bool(&row->other_config, IN_BAND_KEY, false);
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

/* ---- Writing. ---- */

/* Commits 'txn'. */
static int
commit(struct nwf_ovsdb *db, struct ovsdb_idl_txn *txn, struct nwf_error *err)
{
    long long int deadline = time_msec() + db->timeout_ms;
    enum ovsdb_idl_txn_status status;
    int r = 0;

    while ((status = ovsdb_idl_txn_commit(txn)) == TXN_INCOMPLETE) {
        ovsdb_idl_run(db->idl);
        if (!ovsdb_idl_is_alive(db->idl)) {
            r = lost(db, err);
            break;
        }
        if (time_msec() >= deadline) {
            r = timed_out(db, "a transaction did not end", err);
            break;
        }
        ovsdb_idl_wait(db->idl);
        ovsdb_idl_txn_wait(txn);
        poll_timer_wait_until(deadline);
        poll_block();
    }
    db->outdated = !r && status == TXN_TRY_AGAIN;
    db->last_seqno = ovsdb_idl_get_seqno(db->idl);
    if (!r && status != TXN_SUCCESS && status != TXN_UNCHANGED) {
        r = nwf_error_set(err, status == TXN_TRY_AGAIN ? -EAGAIN : -EIO, "OVSDB %s: %s", db->remote,
                          status == TXN_ERROR ? ovsdb_idl_txn_get_error(txn)
                                              : ovsdb_idl_txn_status_to_string(status));
    }
    return r;
}

static void
change_interface(const struct ovsrec_interface *row, const char *key, const char *value,
                 bool verify)
{
    if (row && verify) {
        ovsrec_interface_verify_external_ids(row);
    }
    if (row && value) {
        ovsrec_interface_update_external_ids_setkey(row, key, value);
    } else if (row) {
        ovsrec_interface_update_external_ids_delkey(row, key);
    }
}

static void
change_port(const struct ovsrec_port *row, bool config, const char *key, const char *value)
{
    if (!row) {
        return;
    }
    if (config && value) {
        ovsrec_port_update_other_config_setkey(row, key, value);
    } else if (config) {
        ovsrec_port_update_other_config_delkey(row, key);
    } else if (value) {
        ovsrec_port_update_external_ids_setkey(row, key, value);
    } else {
        ovsrec_port_update_external_ids_delkey(row, key);
    }
}

static void
apply_change(const struct nwf_ovsdb *db, const struct nwf_tag_change *c)
{
    if (c->interface) {
        change_interface(ovsrec_interface_get_for_uuid(db->idl, c->interface), c->key, c->value,
                         c->verify);
    } else if (c->port) {
        change_port(ovsrec_port_get_for_uuid(db->idl, c->port), c->config, c->key, c->value);
    } else if (c->value) {
        ovsrec_bridge_update_external_ids_setkey(c->bridge, c->key, c->value);
    } else {
        ovsrec_bridge_update_external_ids_delkey(c->bridge, c->key);
    }
}

void
nwf_ovsdb_stage_tags(struct nwf_ovsdb *db, const struct nwf_tag_change *changes, size_t n)
{
    nwf_port_rows_stage(db->rows, changes, n);
}

int
nwf_ovsdb_write_tags(struct nwf_ovsdb *db, const struct nwf_tag_change *changes, size_t n,
                     struct nwf_error *err)
{
    if (db->rows || !n) {
        return db->rows ? nwf_port_rows_write(db->rows, changes, n, err) : 0;
    }
    struct ovsdb_idl_txn *txn = ovsdb_idl_txn_create(db->idl);

    ovsdb_idl_txn_add_comment(txn, "ovs-nwfilter");
    for (size_t i = 0; i < n; i++) {
        apply_change(db, &changes[i]);
    }
    int r = commit(db, txn, err);
    ovsdb_idl_txn_destroy(txn);
    return r;
}

bool
nwf_ovsdb_is_port(const struct nwf_ovsdb *db)
{
    return db->rows != NULL;
}

int
nwf_ovsdb_refresh(struct nwf_ovsdb *db, struct nwf_error *err)
{
    long long int deadline = time_msec() + db->timeout_ms;

    for (;;) {
        ovsdb_idl_run(db->idl);
        if (!ovsdb_idl_is_alive(db->idl)) {
            return lost(db, err);
        }
        if (!db->outdated || ovsdb_idl_get_seqno(db->idl) != db->last_seqno) {
            db->outdated = false;
            return 0;
        }
        if (time_msec() >= deadline) {
            return timed_out(db, "what has changed was not told", err);
        }
        ovsdb_idl_wait(db->idl);
        poll_timer_wait_until(deadline);
        poll_block();
    }
}

static int
wait_for_vswitchd(struct nwf_ovsdb *db, int64_t next_cfg, struct nwf_error *err)
{
    long long int deadline = time_msec() + db->timeout_ms;

    for (;;) {
        ovsdb_idl_run(db->idl);
        const struct ovsrec_open_vswitch *root = ovsrec_open_vswitch_first(db->idl);
        if (root && root->cur_cfg >= next_cfg) {
            return 0;
        }
        if (!ovsdb_idl_is_alive(db->idl)) {
            return lost(db, err);
        }
        if (time_msec() >= deadline) {
            return timed_out(db, "ovs-vswitchd did not act on a change", err);
        }
        ovsdb_idl_wait(db->idl);
        poll_timer_wait_until(deadline);
        poll_block();
    }
}

/* Commits and destroys 'txn', and waits until ovs-vswitchd has acted on it. */
static int
commit_and_wait(struct nwf_ovsdb *db, struct ovsdb_idl_txn *txn, struct nwf_error *err)
{
    const struct ovsrec_open_vswitch *root = ovsrec_open_vswitch_first(db->idl);

    if (!root) {
        ovsdb_idl_txn_destroy(txn);
        return nwf_error_set(err, -EIO, "OVSDB %s: no row in table Open_vSwitch", db->remote);
    }
    ovsdb_idl_txn_add_comment(txn, "ovs-nwfilter");
    ovsdb_idl_txn_increment(txn, &root->header_, &ovsrec_open_vswitch_col_next_cfg, true);
    int r = commit(db, txn, err);
    int64_t next_cfg = r ? 0 : ovsdb_idl_txn_get_increment_new_value(txn);
    ovsdb_idl_txn_destroy(txn);
    return r ? r : wait_for_vswitchd(db, next_cfg, err);
}

int
nwf_ovsdb_write_tags_and_wait(struct nwf_ovsdb *db, const struct nwf_tag_change *changes, size_t n,
                              struct nwf_error *err)
{
    struct ovsdb_idl_txn *txn = ovsdb_idl_txn_create(db->idl);

    for (size_t i = 0; i < n; i++) {
        apply_change(db, &changes[i]);
    }
    return commit_and_wait(db, txn, err);
}

int
nwf_ovsdb_secure(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge, struct nwf_error *err)
{
    struct ovsdb_idl_txn *txn = ovsdb_idl_txn_create(db->idl);

    ovsrec_bridge_verify_fail_mode(bridge->row);
    ovsrec_bridge_verify_other_config(bridge->row);
    ovsrec_bridge_update_external_ids_setkey(bridge->row, NWF_BRIDGE_FAIL_MODE,
                                             bridge->own_fail_mode);
    ovsrec_bridge_update_external_ids_setkey(bridge->row, NWF_BRIDGE_IN_BAND, bridge->own_in_band);
    ovsrec_bridge_set_fail_mode(bridge->row, "secure");
    ovsrec_bridge_update_other_config_setkey(bridge->row, IN_BAND_KEY, "true");
    int r = commit_and_wait(db, txn, err);
    if (r) {
        nwf_error_wrap(err, "setting fail_mode");
    }
    return r;
}

int
nwf_ovsdb_give_back(struct nwf_ovsdb *db, const struct nwf_ovs_bridge *bridge,
                    const struct nwf_tag_change *changes, size_t n, struct nwf_error *err)
{
    struct ovsdb_idl_txn *txn = ovsdb_idl_txn_create(db->idl);

    ovsrec_bridge_set_fail_mode(bridge->row, *bridge->own_fail_mode ? bridge->own_fail_mode : NULL);
    ovsrec_bridge_update_external_ids_delkey(bridge->row, NWF_BRIDGE_FAIL_MODE);
    if (*bridge->own_in_band) {
        ovsrec_bridge_update_other_config_setkey(bridge->row, IN_BAND_KEY, bridge->own_in_band);
    } else {
        ovsrec_bridge_update_other_config_delkey(bridge->row, IN_BAND_KEY);
    }
    ovsrec_bridge_update_external_ids_delkey(bridge->row, NWF_BRIDGE_IN_BAND);
    for (size_t i = 0; i < n; i++) {
        apply_change(db, &changes[i]);
    }
    return commit_and_wait(db, txn, err);
}
