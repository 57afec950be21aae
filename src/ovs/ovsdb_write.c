/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions on the database; see nwf/ovsdb.h. */
#include <config.h>

#include "ovsdb.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "openvswitch/poll-loop.h"

#include "lib/smap.h"
#include "lib/timeval.h"

struct nwf_txn {
    struct nwf_ovsdb *db;
    struct ovsdb_idl_txn *idl; /* NULL: committed. */
    unsigned int seqno;        /* Of the contents that it was made from. */
    bool waits;                /* For ovs-vswitchd. */
    int64_t next_cfg;
};

struct nwf_txn *
nwf_txn_new(struct nwf_ovsdb *db)
{
    struct nwf_txn *txn = nwf_zalloc(sizeof *txn);

    txn->db = db;
    txn->seqno = nwf_ovsdb_seqno(db);
    txn->idl = ovsdb_idl_txn_create(db->idl);
    ovsdb_idl_txn_add_comment(txn->idl, "ovs-nwfilter");
    return txn;
}

void
nwf_txn_free(struct nwf_txn *txn)
{
    if (txn->idl) {
        ovsdb_idl_txn_destroy(txn->idl);
    }
    free(txn);
}

/* ---- What it is to do. ---- */

static void
change_interface(const struct nwfrec_interface *row, const char *key, const char *value,
                 bool verify)
{
    if (row && verify) {
        nwfrec_interface_verify_external_ids(row);
    }
    if (row && value) {
        nwfrec_interface_update_external_ids_setkey(row, key, value);
    } else if (row) {
        nwfrec_interface_update_external_ids_delkey(row, key);
    }
}

static void
change_port(const struct nwfrec_port *row, bool config, const char *key, const char *value)
{
    if (!row) {
        return;
    }
    if (config && value) {
        nwfrec_port_update_other_config_setkey(row, key, value);
    } else if (config) {
        nwfrec_port_update_other_config_delkey(row, key);
    } else if (value) {
        nwfrec_port_update_external_ids_setkey(row, key, value);
    } else {
        nwfrec_port_update_external_ids_delkey(row, key);
    }
}

static void
apply_change(const struct nwf_ovsdb *db, const struct nwf_tag_change *c)
{
    if (c->interface) {
        change_interface(nwfrec_interface_get_for_uuid(db->idl, c->interface), c->key, c->value,
                         c->verify);
    } else if (c->port) {
        change_port(nwfrec_port_get_for_uuid(db->idl, c->port), c->config, c->key, c->value);
    } else if (c->value) {
        nwfrec_bridge_update_external_ids_setkey(c->bridge, c->key, c->value);
    } else {
        nwfrec_bridge_update_external_ids_delkey(c->bridge, c->key);
    }
}

void
nwf_txn_change(struct nwf_txn *txn, const struct nwf_tag_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        apply_change(txn->db, &changes[i]);
    }
}

void
nwf_txn_shut(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge)
{
    (void) txn;
    nwfrec_bridge_set_fail_mode(bridge->row, "secure");
    nwfrec_bridge_update_other_config_setkey(bridge->row, NWF_IN_BAND_KEY, "true");
}

void
nwf_txn_secure(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge)
{
    nwfrec_bridge_verify_fail_mode(bridge->row);
    nwfrec_bridge_verify_other_config(bridge->row);
    nwfrec_bridge_update_external_ids_setkey(bridge->row, NWF_BRIDGE_FAIL_MODE,
                                             bridge->own_fail_mode);
    nwfrec_bridge_update_external_ids_setkey(bridge->row, NWF_BRIDGE_IN_BAND, bridge->own_in_band);
    nwf_txn_shut(txn, bridge);
}

void
nwf_txn_set_hwaddr(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge, const char *hwaddr)
{
    (void) txn;
    nwfrec_bridge_update_other_config_setkey(bridge->row, NWF_HWADDR_KEY, hwaddr);
}

void
nwf_txn_pin_address(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge, const char *hwaddr)
{
    const char *value = hwaddr ? hwaddr : bridge->own_hwaddr;

    (void) txn;
    nwfrec_bridge_verify_other_config(bridge->row);
    if (value && *value) {
        nwfrec_bridge_update_other_config_setkey(bridge->row, NWF_HWADDR_KEY, value);
    } else {
        nwfrec_bridge_update_other_config_delkey(bridge->row, NWF_HWADDR_KEY);
    }
    if (!hwaddr) {
        nwfrec_bridge_update_external_ids_delkey(bridge->row, NWF_BRIDGE_HWADDR);
    } else if (!bridge->own_hwaddr) {
        nwfrec_bridge_update_external_ids_setkey(bridge->row, NWF_BRIDGE_HWADDR,
                                                 bridge->hwaddr ? bridge->hwaddr : "");
    }
}

void
nwf_txn_give_back(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge)
{
    (void) txn;
    nwfrec_bridge_set_fail_mode(bridge->row, *bridge->own_fail_mode ? bridge->own_fail_mode : NULL);
    nwfrec_bridge_update_external_ids_delkey(bridge->row, NWF_BRIDGE_FAIL_MODE);
    if (*bridge->own_in_band) {
        nwfrec_bridge_update_other_config_setkey(bridge->row, NWF_IN_BAND_KEY, bridge->own_in_band);
    } else {
        nwfrec_bridge_update_other_config_delkey(bridge->row, NWF_IN_BAND_KEY);
    }
    nwfrec_bridge_update_external_ids_delkey(bridge->row, NWF_BRIDGE_IN_BAND);
    if (bridge->own_hwaddr) {
        nwf_txn_pin_address(txn, bridge, NULL);
    }
}

void
nwf_txn_add_port(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge, const char *name,
                 const struct nwf_tag *tags, size_t n_tags, int vlan)
{
    struct nwfrec_interface *interface = nwfrec_interface_insert(txn->idl);
    struct nwfrec_port *port = nwfrec_port_insert(txn->idl);
    const int64_t tag = vlan;

    nwfrec_interface_set_name(interface, name);
    for (size_t i = 0; i < n_tags; i++) {
        nwfrec_interface_update_external_ids_setkey(interface, tags[i].key, tags[i].value);
    }
    nwfrec_port_set_name(port, name);
    nwfrec_port_set_interfaces(port, &interface, 1);
    if (vlan >= 0) {
        nwfrec_port_set_tag(port, &tag, 1);
    }
    nwfrec_bridge_update_ports_addvalue(bridge->row, port);
}

void
nwf_txn_remove_port(struct nwf_txn *txn, const struct nwf_ovs_bridge *bridge,
                    const struct nwf_ovs_ref *port)
{
    (void) txn;
    nwfrec_bridge_update_ports_delvalue(bridge->row, port->port);
}

void
nwf_txn_wait_for_vswitchd(struct nwf_txn *txn)
{
    const struct nwfrec_open_vswitch *root = nwfrec_open_vswitch_first(txn->db->idl);

    txn->waits = true;
    if (root) {
        ovsdb_idl_txn_increment(txn->idl, &root->header_, &nwfrec_open_vswitch_col_next_cfg, true);
    }
}

/* The server takes back what a transaction changes that ends with "abort" (RFC 7047, 5.2.8), and
 * answers behind what it has told of others'. */
struct nwf_txn *
nwf_txn_round_trip(struct nwf_ovsdb *db)
{
    struct nwf_txn *txn = nwf_txn_new(db);
    const struct nwfrec_open_vswitch *root = nwfrec_open_vswitch_first(db->idl);

    ovsdb_idl_txn_set_dry_run(txn->idl);
    if (root) {
        nwfrec_open_vswitch_set_next_cfg(root, root->next_cfg + 1);
    }
    return txn;
}

/* ---- Doing it. ---- */

static int
finish_commit(struct nwf_txn *txn, enum ovsdb_idl_txn_status status, struct nwf_error *err)
{
    int r = 0;

    if (status == TXN_SUCCESS || status == TXN_UNCHANGED) {
        txn->next_cfg = txn->waits && status == TXN_SUCCESS
                            ? ovsdb_idl_txn_get_increment_new_value(txn->idl)
                            : 0;
    } else {
        r = nwf_error_set(err, status == TXN_TRY_AGAIN ? -ESTALE : -EIO, "OVSDB %s: %s",
                          txn->db->remote,
                          status == TXN_ERROR ? ovsdb_idl_txn_get_error(txn->idl)
                                              : ovsdb_idl_txn_status_to_string(status));
    }
    ovsdb_idl_txn_destroy(txn->idl);
    txn->idl = NULL;
    return r;
}

static int
wait_for_vswitchd(const struct nwf_txn *txn, struct nwf_error *err)
{
    const struct nwfrec_open_vswitch *root = nwfrec_open_vswitch_first(txn->db->idl);

    if (!root) {
        return nwf_error_set(err, -EIO, "OVSDB %s: no row in table Open_vSwitch", txn->db->remote);
    }
    return root->cur_cfg >= txn->next_cfg ? 0 : -EAGAIN;
}

int
nwf_txn_run(struct nwf_txn *txn, struct nwf_error *err)
{
    if (!ovsdb_idl_is_alive(txn->db->idl)) {
        return nwf_ovsdb_lost(txn->db, err);
    }
    if (txn->idl) {
        enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(txn->idl);
        int r = status == TXN_INCOMPLETE ? -EAGAIN : finish_commit(txn, status, err);
        if (r) {
            return r;
        }
    }
    return txn->waits ? wait_for_vswitchd(txn, err) : 0;
}

unsigned int
nwf_txn_seqno(const struct nwf_txn *txn)
{
    return txn->seqno;
}

void
nwf_txn_wait(struct nwf_txn *txn)
{
    if (txn->idl) {
        ovsdb_idl_txn_wait(txn->idl);
    }
}

/* ---- Waiting for it. ---- */

int
nwf_ovsdb_commit(struct nwf_ovsdb *db, struct nwf_txn *txn, struct nwf_error *err)
{
    long long int deadline = time_msec() + db->timeout_ms;
    int r;

    while ((r = nwf_txn_run(txn, err)) == -EAGAIN) {
        if (time_msec() >= deadline) {
            return nwf_ovsdb_timed_out(
                db, txn->idl ? "a transaction did not end" : "ovs-vswitchd did not act on a change",
                err);
        }
        ovsdb_idl_wait(db->idl);
        nwf_txn_wait(txn);
        poll_timer_wait_until(deadline);
        poll_block();
        ovsdb_idl_run(db->idl);
    }
    db->is_stale = r == -ESTALE;
    db->stale_seqno = txn->seqno;
    return r;
}

int
nwf_ovsdb_write_tags(struct nwf_ovsdb *db, const struct nwf_tag_change *changes, size_t n,
                     struct nwf_error *err)
{
    struct nwf_txn *txn CLEANUP(nwf_txn_cleanup) = n ? nwf_txn_new(db) : NULL;

    if (!n) {
        return 0;
    }
    nwf_txn_change(txn, changes, n);
    return nwf_ovsdb_commit(db, txn, err);
}
