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
            r = nwf_ovsdb_lost(db, err);
            break;
        }
        if (time_msec() >= deadline) {
            r = nwf_ovsdb_timed_out(db, "a transaction did not end", err);
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
            return nwf_ovsdb_lost(db, err);
        }
        if (time_msec() >= deadline) {
            return nwf_ovsdb_timed_out(db, "ovs-vswitchd did not act on a change", err);
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
    ovsrec_bridge_update_other_config_setkey(bridge->row, NWF_IN_BAND_KEY, "true");
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
        ovsrec_bridge_update_other_config_setkey(bridge->row, NWF_IN_BAND_KEY, bridge->own_in_band);
    } else {
        ovsrec_bridge_update_other_config_delkey(bridge->row, NWF_IN_BAND_KEY);
    }
    ovsrec_bridge_update_external_ids_delkey(bridge->row, NWF_BRIDGE_IN_BAND);
    for (size_t i = 0; i < n; i++) {
        apply_change(db, &changes[i]);
    }
    return commit_and_wait(db, txn, err);
}
