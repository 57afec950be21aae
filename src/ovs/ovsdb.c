/* SPDX-License-Identifier: Apache-2.0
 *
 * OVSDB through the IDL, or a single port of it through port_rows.h: connecting; see
 * nwf/ovsdb.h. */
#include <config.h>

#include "ovsdb.h"

#include <errno.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "openvswitch/poll-loop.h"

#include "lib/timeval.h"

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

int
nwf_ovsdb_lost(const struct nwf_ovsdb *db, struct nwf_error *err)
{
    int cause = ovsdb_idl_get_last_error(db->idl);

    return nwf_error_set(err, -ENOTCONN, "OVSDB %s: %s", db->remote,
                         cause ? ovs_retval_to_string(cause) : "connection lost");
}

int
nwf_ovsdb_timed_out(const struct nwf_ovsdb *db, const char *what, struct nwf_error *err)
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
            return nwf_ovsdb_lost(db, err);
        }
        if (ovsdb_idl_has_ever_connected(db->idl)) {
            return 0;
        }
        if (time_msec() >= deadline) {
            return nwf_ovsdb_timed_out(db, "no contents", err);
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
            return nwf_ovsdb_lost(db, err);
        }
        if (!db->outdated || ovsdb_idl_get_seqno(db->idl) != db->last_seqno) {
            db->outdated = false;
            return 0;
        }
        if (time_msec() >= deadline) {
            return nwf_ovsdb_timed_out(db, "what has changed was not told", err);
        }
        ovsdb_idl_wait(db->idl);
        poll_timer_wait_until(deadline);
        poll_block();
    }
}
