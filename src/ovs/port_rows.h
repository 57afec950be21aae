/* SPDX-License-Identifier: Apache-2.0
 *
 * One port's rows of the database, fetched by plain transactions (RFC 7047, 4.1.3).
 *
 * The IDL downloads the schema and monitors whole tables first.  On a host with 1,000
 * ports that costs many times what a single port's rows do. */
#ifndef NWF_PORT_ROWS_H
#define NWF_PORT_ROWS_H

#include "nwf/cleanup.h"
#include "nwf/error.h"
#include "nwf/ovsdb.h"

#include "lib/vswitch-idl.h"

struct nwf_port_rows;

/* Reads the Interface 'name'.  -ENOENT if there is no such Interface.  Each call ends within
 * 'timeout_ms'. */
int nwf_port_rows_read(const char *remote, unsigned int timeout_ms, const char *name,
                       struct nwf_port_rows **ret, struct nwf_error *err);
void nwf_port_rows_free(struct nwf_port_rows *rows);
DEFINE_CLEANUP(struct nwf_port_rows, nwf_port_rows, nwf_port_rows_free)

const struct ovsrec_interface *nwf_port_rows_interface(const struct nwf_port_rows *rows);

/* Reads the row of the port's bridge too.  Of its ports it knows only this one, and of
 * its mirrors only those that output to it. */
int nwf_port_rows_read_bridge(struct nwf_port_rows *rows, struct nwf_error *err);

/* NULL before it was read, and for Interfaces that are members of a bond, or no bridge's. */
const struct ovsrec_bridge *nwf_port_rows_bridge(const struct nwf_port_rows *rows);

/* The row of Open_vSwitch, read with the bridge. */
const struct ovsrec_open_vswitch *nwf_port_rows_switch(const struct nwf_port_rows *rows);

/* Whether there is a mirror, of any bridge, with an output_vlan. */
bool nwf_port_rows_has_vlan_mirror(const struct nwf_port_rows *rows);

/* How many Interfaces of the host say that they use the conntrack zone that this one does. */
size_t nwf_port_rows_zone_users(const struct nwf_port_rows *rows);

/* Changes keys of the Interface's external_ids as they are read from now on; what was read
 * before is not valid any more.  The database has them after nwf_port_rows_write(). */
void nwf_port_rows_stage(struct nwf_port_rows *rows, const struct nwf_tag_change *changes,
                         size_t n);

/* Writes what is staged, and 'changes', in one transaction.  -ECANCELED, with nothing
 * written, if the port's policy in the database is not the one that was read. */
int nwf_port_rows_write(struct nwf_port_rows *rows, const struct nwf_tag_change *changes, size_t n,
                        struct nwf_error *err);

#endif
