/* SPDX-License-Identifier: Apache-2.0
 *
 * A keeper keeps one managed bridge as the database and the files say.  The daemon has one for
 * each managed bridge, for as long as it is managed; "sync" has one until it has settled.
 *
 * It never blocks: its owner calls nwf_keeper_run() and nwf_keeper_wait() around poll_block(), and
 * nwf_ovsdb_run() before. */
#ifndef NWF_KEEPER_H
#define NWF_KEEPER_H

#include "nwf/plan.h"
#include "nwf/stopwatch.h"

/* Called with each step that the switch is away from the plan. */
typedef void nwf_report_fn(const struct nwf_change *change);

struct nwf_keeper_options {
    unsigned int timeout_ms; /* In which the switch and the database have to answer. */
    uint32_t versions;       /* OpenFlow's, a bitmap. */
    bool once;               /* An error is final, and what others change is not looked for. */
    bool dry_run;            /* Nothing is changed; once. */
    nwf_report_fn *report;   /* Of a dry run. */
    /* Where there are other keepers: marks the conntrack zones that their ports have, and that the
     * database may not show yet; NULL: there are none. */
    void (*mark_zones)(void *aux, uint8_t zones[0x10000]);
    void *aux;
};

/* What has been changed, and how many flows there are. */
struct nwf_keeper_counts {
    size_t n_flows, n_added, n_replaced, n_deleted;
    size_t n_repairs; /* Changes of others that were undone. */
};

struct nwf_keeper;

/* 'db', 'sources' and 'options' are the caller's, and live longer. */
struct nwf_keeper *nwf_keeper_new(struct nwf_ovsdb *db, const struct nwf_sources *sources,
                                  const struct nwf_keeper_options *options, const char *bridge);
void nwf_keeper_free(struct nwf_keeper *keeper);
DEFINE_CLEANUP(struct nwf_keeper, nwf_keeper, nwf_keeper_free)

void nwf_keeper_run(struct nwf_keeper *keeper);
void nwf_keeper_wait(struct nwf_keeper *keeper);

/* The contents of the database have changed, or, if 'all', the sources. */
void nwf_keeper_update(struct nwf_keeper *keeper, bool all);

/* The host's interfaces have changed, or, if 'in_doubt', its nftables. */
void nwf_keeper_check_lock(struct nwf_keeper *keeper, bool in_doubt);

/* Filters are not what they were. */
void nwf_keeper_recompile(struct nwf_keeper *keeper);

/* Nothing is assumed of the switch any more. */
void nwf_keeper_resync(struct nwf_keeper *keeper);

/* Takes in what has changed in the host's kernel: the keeper is settled no more if that is of
 * concern. */
void nwf_keeper_look_at_host(struct nwf_keeper *keeper);

/* The bridge is there no more: what the host's kernel had for it goes. */
void nwf_keeper_lose_host(struct nwf_keeper *keeper);

/* Whether there is nothing to do, as far as is known. */
bool nwf_keeper_is_settled(const struct nwf_keeper *keeper);

/* Whether it has had an error for as long as that, in spite of all it tried. */
bool nwf_keeper_is_failing(const struct nwf_keeper *keeper, unsigned int ms);

/* Why the bridge is not as it should be; .text is NULL if it is, or nobody knows yet. */
const struct nwf_error *nwf_keeper_error(const struct nwf_keeper *keeper);

/* Marks the zones of its ports that are not marked. */
void nwf_keeper_mark_zones(const struct nwf_keeper *keeper, uint8_t zones[0x10000]);

const char *nwf_keeper_bridge(const struct nwf_keeper *keeper);
const char *nwf_keeper_state(const struct nwf_keeper *keeper);
const struct nwf_plan *nwf_keeper_plan(const struct nwf_keeper *keeper);
const struct nwf_image *nwf_keeper_image(const struct nwf_keeper *keeper);
const struct nwf_keeper_counts *nwf_keeper_counts(const struct nwf_keeper *keeper);
const struct nwf_stopwatch *nwf_keeper_stopwatch(const struct nwf_keeper *keeper);

/* Runs until the bridge is settled or has an error, which is returned.  -EIDRM: the bridge has
 * lost its tags. */
int nwf_keeper_settle(struct nwf_keeper *keeper, struct nwf_error *err);

/* Computes everything from scratch and compares it with the image: appends the differences to *s,
 * and returns their number, or a negative errno. */
int nwf_keeper_recompute(const struct nwf_keeper *keeper, struct ds *s, struct nwf_error *err);

/* What is said of a trusted port that has a filter. */
#define NWF_NOT_FILTERED "a trusted port, the bridge's own and a mirror's output are not filtered"

/* The status of a guest on a bridge that nobody manages; %s is the bridge. */
#define NWF_STATUS_UNMANAGED "error: bridge %s is not managed, so it is not filtered"

/* Whom nwf_sync_unmanaged() tells. */
struct nwf_unfiltered {
    void (*each)(const char *port, const char *bridge, void *aux); /* For each guest. */
    void *aux;
    bool dry_run; /* Nothing is written. */
};

/* Guests on bridges that are not managed get a status that says so.  Other ports there lose the
 * status that they have from a managed one.  The transaction is the caller's; NULL: there is
 * nothing to write. */
struct nwf_txn *nwf_sync_unmanaged(struct nwf_ovsdb *db, const struct nwf_sources *sources,
                                   const struct nwf_unfiltered *unfiltered);

/* Removes all that is ours from the bridge's switch.  If fail_mode stays "secure", a flow
 * with the NORMAL action takes the place of our table 0, unless something else is there. */
int nwf_sync_remove(const struct nwf_ovs_bridge *bridge, const struct nwf_keeper_options *options,
                    struct nwf_error *err);

/* Removes from the host's kernel what is there for the guests of a bridge, which may have gone, and
 * restores settings.  'uplink' is NULL if nobody knows it any more, and 'note' (the tag
 * NWF_BRIDGE_SETTINGS) if there is none. */
int nwf_sync_remove_host(const char *bridge, const char *uplink, const char *note,
                         struct nwf_error *err);

/* Removes limits of conntrack zones that 'zones' does not count (nwf_ovsdb_count_zones()) from the
 * datapath of this type. */
int nwf_zone_limits_free(const char *datapath_type, const uint8_t zones[0x10000],
                         unsigned int timeout_ms, struct nwf_error *err);

#endif
