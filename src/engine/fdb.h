/* SPDX-License-Identifier: Apache-2.0
 *
 * What NORMAL holds on guests' ports. */
#ifndef NWF_FDB_H
#define NWF_FDB_H

#include "nwf/engine.h"

/* Removes static addresses (fdb/add) from ports that are not trusted: NORMAL would deliver
 * there past the ports' filters, and flushing does not remove them.  *ret_any: there were some. */
int nwf_fdb_remove_static(const struct nwf_plan *plan, unsigned int timeout_ms, bool *ret_any,
                          struct nwf_error *err);

#endif
