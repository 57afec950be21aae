/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the live engine share. */
#ifndef NWF_ENGINE_LIVE_H
#define NWF_ENGINE_LIVE_H

#include "nwf/filter_path.h"
#include "nwf/keeper.h"
#include "nwf/live.h"

struct nwf_live {
    struct nwf_keeper_options options;
    struct nwf_ovsdb *db;
    struct nwf_filter_path path;
    struct nwf_policies policies;
    struct nwf_sources sources;
    NWF_VEC(struct nwf_keeper *) keepers; /* In the order of their bridges' names. */
    NWF_VEC(struct nwf_ticket *) tickets;

    struct nwf_nic_lock_watch *rules; /* Of the host's nftables; NULL: it does not tell. */
    struct if_notifier *interfaces;   /* Of the host's interfaces; NULL: they are looked at. */

    bool is_read;                          /* The database has been looked at. */
    unsigned int seqno;                    /* Of its contents then. */
    bool is_overdue;                       /* It is to be looked at again. */
    struct nwf_txn *restoring, *unmanaged; /* NULL: none is on its way. */
};

struct nwf_keeper *nwf_live_find(const struct nwf_live *live, const char *bridge);

/* The keeper of the port's bridge, and the port; NULL if no managed bridge has it. */
struct nwf_keeper *nwf_live_find_port(const struct nwf_live *live, const char *name,
                                      const struct nwf_plan_port **ret_port);

/* Goes on with a request. */
void nwf_ticket_run(struct nwf_ticket *ticket);
void nwf_ticket_wait(const struct nwf_ticket *ticket);

#endif
