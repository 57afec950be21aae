/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of a keeper share. */
#ifndef NWF_ENGINE_KEEPER_H
#define NWF_ENGINE_KEEPER_H

#include "nwf/conn.h"
#include "nwf/keeper.h"
#include "nwf/keepsake.h"
#include "nwf/nic_lock.h"
#include "nwf/surroundings.h"
#include "nwf/unixctl_call.h"
#include "plan.h"

/* Of the flow that is there from a bundle on until cached flows of the tables before it
 * are gone.  Who finds it has to make them go. */
#define NWF_PENDING nwf_cookie(NWF_COOKIE_PENDING, 0, NWF_COOKIE_NO_RULE)

/* What it takes to read or to change so many flows is given back to the system afterwards. */
#define NWF_TRIM_MIN 8192

enum nwf_keeper_state {
    NWF_K_SECURE,   /* fail_mode=secure, before there is anything to fail. */
    NWF_K_CONNECT,  /* To the switch. */
    NWF_K_READ,     /* Its flows into the image. */
    NWF_K_IDLE,     /* Waiting for something to do; computing it. */
    NWF_K_PREPARE,  /* What flows rely on, on the switch, */
    NWF_K_ANNOUNCE, /* and in the database, */
    NWF_K_RESTRAIN, /* and of NORMAL; before those flows. */
    NWF_K_WITHDRAW, /* What the host has for guests, and shall not have. */
    NWF_K_COMMIT,   /* The flows, one atomic bundle. */
    NWF_K_EXPIRE,   /* Until no cached flow of the old tables is left. */
    NWF_K_HOST,     /* What the host is to have for guests. */
    NWF_K_REPORT,   /* The last: "active" means that all of it is true. */
    NWF_K_BACKOFF,  /* After an error. */
    NWF_N_K_STATES,
};

/* Flows that the switch shall make no more. */
struct nwf_silenced {
    uint64_t cookie, mask;
};

struct nwf_keeper {
    struct nwf_ovsdb *db;
    const struct nwf_sources *sources;
    const struct nwf_keeper_options *options;
    struct nwf_plan plan;
    struct nwf_image image;
    struct nwf_keeper_counts counts;
    struct nwf_stopwatch stopwatch;

    enum nwf_keeper_state state;
    unsigned int phase; /* Of the state: how much of it is done. */
    long long int deadline;
    struct nwf_conn *conn, *flood_conn;
    struct nwf_unixctl_call *call;
    struct nwf_txn *txn;
    struct nwf_txn *report; /* Statuses that are being written, whatever else is done. */
    long long int report_deadline;
    struct nwf_flow_set dump;
    struct nwf_changes changes;   /* Of this pass. */
    struct nwf_changes rest;      /* Those of the last bundle, with the mark. */
    struct nwf_keeper_load *load; /* NULL: they go over one connection. */
    struct nwf_flow_set pending;
    NWF_VEC(uint16_t) zones; /* To be flushed. */
    NWF_VEC(struct nwf_silenced) silenced;

    enum nwf_no_flood *flood_wanted; /* By OpenFlow number, while it is being set. */
    bool *limits;                    /* By zone, while they are being set: it has its limit. */
    char *fdb, *fdb_rest;            /* NORMAL's table, and what is left to read of it. */
    struct nwf_meters meters;        /* Of guests with limits. */
    bool has_meters, has_excess, is_pruning;
    bool any_static; /* An address of it has been removed. */

    struct nwf_keepsake *keepsake; /* NULL: there is no uplink whose address it has. */
    bool has_pinned;               /* It is about to get that: */
    bool has_pin;
    struct nwf_mac pin;

    struct nwf_host *host;   /* NULL: its kernel has no part in it. */
    unsigned int host_seqno; /* Of what the bridge's items were made from. */
    bool host_is_stale;      /* They are to be made anew. */
    bool bridge_has_ipv6;    /* They were made for a device that has it. */
    bool host_is_told;       /* All owners have said what they want. */
    bool needs_note;         /* Settings of the kernel are to be noted, or not any more. */
    bool host_news;          /* Something is to be said of the bridge. */
    struct nwf_mac bridge_mac, uplink_mac;   /* That were announced; zero: none. */
    long long int advise_at;                 /* When the host's firewall is looked at. */
    long long int host_look_at, announce_at; /* 0: never. */

    struct nwf_surroundings surroundings; /* Where flows route: what the host is like, */
    unsigned int around_seqno;            /* by this state of its kernel. */
    bool is_around_known;

    /* The second lock. */
    struct nwf_nic_locks locks; /* As it was last made, or tried; with 'has_locks'. */
    bool has_locks;
    bool lock_in_doubt;           /* It failed, or somebody has changed the host's rules. */
    long long int lock_at;        /* When it is to be looked at again, */
    long long int lock_looked_at; /* and when that was done. */
    long long int lock_retry_at;  /* After it has failed. */
    char *no_lock;                /* Why a NIC has none; NULL: all that should have. */

    char *recorded; /* The settings of the bridge that are on record. */

    struct nwf_error error; /* The last; cleared when all is well. */
    struct nwf_error doubt; /* Why guests are not known to be protected, though flows are there. */
    long long int retry_at;
    long long int failing_since; /* 0: it is not. */
    unsigned int backoff_ms;
    unsigned int n_tries; /* Reports that somebody overtook. */
    unsigned int n_passes;
    long long int refused_at;  /* When guests that the switch refuses are tried again; 0: none. */
    long long int patience_ms; /* That it takes until then. */
    uint8_t host_zones[0x10000];

    bool needs_update, needs_update_all; /* To read the database. */
    bool needs_resync;
    long long int frags_at;    /* When the handling of fragments is to be set again. */
    long long int reread_at;   /* When the switch is to be read again by itself; 0: never. */
    bool is_fresh;             /* The image has been read, and nothing compared with it. */
    bool is_secured;           /* By the database. */
    bool was_enforced;         /* By this keeper: its flows shut the bridge. */
    bool has_mark;             /* A run before did not come to its end. */
    bool foreign_changed;      /* Flows of others. */
    bool has_report;           /* Something is to be said in the database. */
    bool is_to_trim;           /* Much memory was used that is not needed again soon. */
    bool is_last;              /* Of a run that gives up overtaking changes. */
    bool is_done;              /* A dry run, or one that happens once. */
    uint8_t tables[UINT8_MAX]; /* That are asked to be monitored. */
    bool is_monitored;         /* The switch tells of others' changes. */
    unsigned int seqno;        /* Of the database, at the last update. */
    bool awaits_db;            /* What a transaction has failed for is not known yet: the */
    unsigned int stale_seqno;  /* database is what it was then. */
    long long int since_us;    /* When the first change of this pass came. */
};

/* ---- States: 0 when it is done, -EAGAIN while it waits for something, or an error. ---- */

typedef int nwf_step(struct nwf_keeper *keeper, struct nwf_error *err);

nwf_step nwf_keeper_secure, nwf_keeper_connect, nwf_keeper_read, nwf_keeper_idle,
    nwf_keeper_prepare, nwf_keeper_announce, nwf_keeper_restrain, nwf_keeper_withdraw,
    nwf_keeper_commit, nwf_keeper_expire, nwf_keeper_host, nwf_keeper_report;

/* What steps do one thing after the other with, a phase each.  0: it was done, and the phase is
 * over. */
int nwf_keeper_call(struct nwf_keeper *keeper, const char *command, const char *const *args,
                    size_t n_args, char **ret_output, struct nwf_error *err);
int nwf_keeper_run_conn(struct nwf_keeper *keeper, struct nwf_error *err);
int nwf_keeper_run_txn(struct nwf_keeper *keeper, struct nwf_error *err);

/* Goes on with the statuses that are being written.  0 also while they are. */
nwf_step nwf_keeper_run_report;
void nwf_keeper_succeed(struct nwf_keeper *keeper);

/* The second lock; see keeper_lock.c. */
void nwf_keeper_run_lock(struct nwf_keeper *keeper);
void nwf_keeper_wait_for_lock(const struct nwf_keeper *keeper);

/* Brings the plan to what the database says now. */
nwf_step nwf_keeper_read_rows;

/* Counts the conntrack zones that the host's ports have, into 'host_zones'. */
void nwf_keeper_count_zones(struct nwf_keeper *keeper);

/* What the switch has refused may be possible now: it is tried again. */
void nwf_keeper_forgive(struct nwf_keeper *keeper);

/* Begins the clock of a wait, and says whether it has run out. */
void nwf_keeper_start_clock(struct nwf_keeper *keeper);

/* Flows that somebody else has changed into the image; what they concern becomes dirty. */
void nwf_keeper_take_events(struct nwf_keeper *keeper);

/* Whether NORMAL must not flood to the port; whether it may again, and we have forbidden it. */
bool nwf_is_no_flood(const struct nwf_plan *plan, const struct nwf_plan_port *port);
bool nwf_may_flood_again(const struct nwf_plan *plan, const struct nwf_plan_port *port);

/* Quarantines the guests in the plan that are why the switch refuses changes; see refused.c.
 * False if it refuses nothing, or anything that is no guest's: the plan is to be given up. */
bool nwf_quarantine_refused(struct nwf_plan *plan, const struct nwf_changes *changes,
                            const struct nwf_refusals *refusals);

/* Large first loads over several connections; see keeper_load.c.  The first chooses what comes that
 * way, if the changes are many: then k->load is set until nwf_keeper_end_load(). */
void nwf_keeper_plan_load(struct nwf_keeper *keeper);
void nwf_keeper_begin_load(struct nwf_keeper *keeper);
nwf_step nwf_keeper_run_load;
void nwf_keeper_wait_for_load(const struct nwf_keeper *keeper);
void nwf_keeper_end_load(struct nwf_keeper *keeper);

/* The changes that do not come that way. */
void nwf_keeper_list_rest(const struct nwf_keeper *keeper, struct nwf_changes *ret);

/* Whether the bridge has the address of its uplink, as far as that is known, or its own if it has
 * none; and what makes it so, in k->txn. */
bool nwf_keeper_is_pinned(struct nwf_keeper *keeper, const struct nwf_ovs_bridge *bridge);
void nwf_keeper_pin(struct nwf_keeper *keeper, const struct nwf_ovs_bridge *bridge);
/* Behind that; and what stands on the bridge's device is put back whenever it has to be. */
void nwf_keeper_end_pin(struct nwf_keeper *keeper);
void nwf_keeper_look_at_device(struct nwf_keeper *keeper);
void nwf_keeper_wait_for_device(const struct nwf_keeper *keeper);
void nwf_keeper_forget_device(struct nwf_keeper *keeper);

/* Says whose frame the uplink guard has kept back, if the flow is one that says so. */
void nwf_keeper_tell_offender(const struct nwf_keeper *keeper, const struct nwf_flow *flow);

/* Limits of the zones that the plan's ports use; see zone_limits.c. */
nwf_step nwf_keeper_limit_zones;

/* Meters; see keeper_meters.c.  The first is true if there is something to do. */
bool nwf_keeper_begin_meters(struct nwf_keeper *keeper);
nwf_step nwf_keeper_run_meters, nwf_keeper_prune_meters;
void nwf_keeper_forget_meters(struct nwf_keeper *keeper);

/* The host's kernel; see keeper_host.c.  Whether there is something to do, as the second does. */
bool nwf_keeper_has_host_work(const struct nwf_keeper *keeper);
void nwf_keeper_do_host_work(struct nwf_keeper *keeper);
void nwf_keeper_wait_for_host(const struct nwf_keeper *keeper);
void nwf_keeper_close_host(struct nwf_keeper *keeper);

/* What flows that route know, into the plan; see keeper_routing.c. */
void nwf_keeper_look_around(struct nwf_keeper *keeper);
void nwf_keeper_ask_routers(struct nwf_keeper *keeper);
void nwf_keeper_forget_around(struct nwf_keeper *keeper);

/* What is wrong is logged, at times, and cleared. */
void nwf_keeper_warn_of(const struct nwf_keeper *keeper, struct nwf_error *err);

/* Says where addresses are that are elsewhere now; and what the operator is to look at. */
void nwf_keeper_announce_addresses(struct nwf_keeper *keeper);
void nwf_keeper_look_for_obstacles(struct nwf_keeper *keeper);

/* The note of settings in the database, else the one on record; NULL: there is none.  False: the
 * bridge has lost its tags, and gets them again soon. */
bool nwf_keeper_find_note(const struct nwf_keeper *keeper, char **ret_note);

/* Makes settings what they are to be, as far as they are noted. */
void nwf_keeper_apply_settings(struct nwf_keeper *keeper, struct nwf_error *err);

/* The note of settings that are about to be changed; false: it is not to be written.  *ret_note is
 * new, or NULL if there is to be none any more. */
bool nwf_keeper_make_note(struct nwf_keeper *keeper, char **ret_note);

/* Static addresses of NORMAL's table that guests' ports have go; see fdb.c. */
nwf_step nwf_keeper_remove_static;

#endif
