/* SPDX-License-Identifier: Apache-2.0
 *
 * OVSDB through the IDL: connecting; see nwf/ovsdb.h. */
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
        &nwfrec_interface_col_name,
        &nwfrec_interface_col_external_ids,
        &nwfrec_interface_col_ofport,
        &nwfrec_interface_col_mac_in_use,
        &nwfrec_interface_col_type,
        &nwfrec_interface_col_lldp,
        &nwfrec_interface_col_bfd,
        &nwfrec_interface_col_cfm_mpid,
        &nwfrec_port_col_name,
        &nwfrec_port_col_interfaces,
        &nwfrec_port_col_bond_mode,
        &nwfrec_port_col_lacp,
        &nwfrec_port_col_bond_active_slave,
        &nwfrec_port_col_tag,
        &nwfrec_port_col_trunks,
        &nwfrec_port_col_vlan_mode,
        &nwfrec_port_col_cvlans,
        &nwfrec_port_col_protected_,
        &nwfrec_port_col_other_config,
        &nwfrec_port_col_external_ids,
        &nwfrec_bridge_col_name,
        &nwfrec_bridge_col_ports,
        &nwfrec_bridge_col_external_ids,
        &nwfrec_bridge_col_fail_mode,
        &nwfrec_bridge_col_other_config,
        &nwfrec_bridge_col_stp_enable,
        &nwfrec_bridge_col_rstp_enable,
        &nwfrec_bridge_col_mcast_snooping_enable,
        &nwfrec_bridge_col_flood_vlans,
        &nwfrec_bridge_col_mirrors,
        &nwfrec_bridge_col_datapath_type,
        &nwfrec_bridge_col_controller,
        &nwfrec_mirror_col_output_port,
        &nwfrec_mirror_col_output_vlan,
        &nwfrec_open_vswitch_col_bridges,
        &nwfrec_open_vswitch_col_next_cfg,
        &nwfrec_open_vswitch_col_cur_cfg,
        &nwfrec_open_vswitch_col_other_config,
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

/* Of the table no rows. */
static void
leave_out(struct ovsdb_idl *idl, const struct ovsdb_idl_table_class *table)
{
    struct ovsdb_idl_condition nothing = OVSDB_IDL_CONDITION_INIT(&nothing);

    ovsdb_idl_set_condition(idl, table, &nothing);
    ovsdb_idl_condition_destroy(&nothing);
}

/* Of Interfaces those of these names alone. */
static void
restrict_interfaces(struct ovsdb_idl *idl, const char *const *names, size_t n)
{
    struct ovsdb_idl_condition condition = OVSDB_IDL_CONDITION_INIT(&condition);

    for (size_t i = 0; i < n; i++) {
        nwfrec_interface_add_clause_name(&condition, OVSDB_F_EQ, names[i]);
    }
    ovsdb_idl_set_condition(idl, &nwfrec_table_interface, &condition);
    ovsdb_idl_condition_destroy(&condition);
}

/* And their Ports, as far as they have the same names. */
static void
restrict_ports(struct ovsdb_idl *idl, const char *const *names, size_t n)
{
    struct ovsdb_idl_condition condition = OVSDB_IDL_CONDITION_INIT(&condition);

    for (size_t i = 0; i < n; i++) {
        nwfrec_port_add_clause_name(&condition, OVSDB_F_EQ, names[i]);
    }
    ovsdb_idl_set_condition(idl, &nwfrec_table_port, &condition);
    ovsdb_idl_condition_destroy(&condition);
    restrict_interfaces(idl, names, n);
}

struct nwf_ovsdb *
nwf_ovsdb_new(const char *remote, const char *interface, bool retry)
{
    struct nwf_ovsdb *db = nwf_zalloc(sizeof *db);

    db->remote = nwf_strdup(remote);
    db->idl = ovsdb_idl_create(remote, &nwfrec_idl_class, false, retry);
    add_columns(db->idl);
    if (interface) {
        leave_out(db->idl, &nwfrec_table_bridge);
        leave_out(db->idl, &nwfrec_table_port);
        leave_out(db->idl, &nwfrec_table_mirror);
        restrict_interfaces(db->idl, &interface, 1);
    }
    return db;
}

void
nwf_ovsdb_close(struct nwf_ovsdb *db)
{
    ovsdb_idl_destroy(db->idl);
    free(db->remote);
    free(db);
}

int
nwf_ovsdb_run(struct nwf_ovsdb *db, struct nwf_error *err)
{
    ovsdb_idl_run(db->idl);
    if (!ovsdb_idl_is_alive(db->idl)) {
        return nwf_ovsdb_lost(db, err);
    }
    return ovsdb_idl_has_ever_connected(db->idl) ? 0 : -EAGAIN;
}

void
nwf_ovsdb_wait(struct nwf_ovsdb *db)
{
    ovsdb_idl_wait(db->idl);
}

unsigned int
nwf_ovsdb_seqno(const struct nwf_ovsdb *db)
{
    return ovsdb_idl_get_seqno(db->idl);
}

int
nwf_ovsdb_refresh(struct nwf_ovsdb *db, struct nwf_error *err)
{
    long long int deadline = time_msec() + db->timeout_ms;
    int r;

    while ((r = nwf_ovsdb_run(db, err)) == -EAGAIN
           || (!r && db->is_stale && nwf_ovsdb_seqno(db) == db->stale_seqno)) {
        if (time_msec() >= deadline) {
            return nwf_ovsdb_timed_out(db, r ? "no contents" : "what has changed was not told",
                                       err);
        }
        ovsdb_idl_wait(db->idl);
        poll_timer_wait_until(deadline);
        poll_block();
    }
    db->is_stale = false;
    return r;
}

/* Waits for the contents of 'new', which is taken. */
static int
finish_open(struct nwf_ovsdb *new, unsigned int timeout_ms, struct nwf_ovsdb **ret,
            struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = new;
    int r;

    db->timeout_ms = timeout_ms;
    if ((r = nwf_ovsdb_refresh(db, err))) {
        return r;
    }
    *ret = TAKE_PTR(db);
    return 0;
}

int
nwf_ovsdb_open(const char *remote, const char *interface, unsigned int timeout_ms,
               struct nwf_ovsdb **ret, struct nwf_error *err)
{
    return finish_open(nwf_ovsdb_new(remote, interface, false), timeout_ms, ret, err);
}

static bool
has_port(const struct nwf_ovsdb *db, const struct nwfrec_interface *interface)
{
    const struct nwfrec_port *port;

    NWFREC_PORT_FOR_EACH(port, db->idl)
    {
        for (size_t i = 0; i < port->n_interfaces; i++) {
            if (port->interfaces[i] == interface) {
                return true;
            }
        }
    }
    return false;
}

/* Members of bonds are in Ports of other names, and so may others be. */
static bool
has_all_ports(const struct nwf_ovsdb *db)
{
    const struct nwfrec_interface *interface;

    NWFREC_INTERFACE_FOR_EACH(interface, db->idl)
    {
        if (!has_port(db, interface)) {
            return false;
        }
    }
    return true;
}

int
nwf_ovsdb_open_ports(const char *remote, const struct nwf_ovsdb_names *ports,
                     unsigned int timeout_ms, struct nwf_ovsdb **ret, struct nwf_error *err)
{
    struct nwf_ovsdb *db = nwf_ovsdb_new(remote, NULL, false);

    leave_out(db->idl, &nwfrec_table_mirror);
    restrict_ports(db->idl, ports->data, ports->n);
    int r = finish_open(db, timeout_ms, ret, err);
    if (r || has_all_ports(*ret)) {
        return r;
    }
    nwf_ovsdb_close(TAKE_PTR(*ret));
    return nwf_ovsdb_open(remote, NULL, timeout_ms, ret, err);
}
