/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to a bridge's OpenFlow management socket that never blocks: what it is to do is
 * begun, and nwf_conn_run() goes on with it whenever something has come.  It does one
 * operation at a time; a flow monitor's events come beside that. */
#ifndef NWF_CONN_H
#define NWF_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nwf/cleanup.h"
#include "nwf/error.h"
#include "nwf/flow.h"
#include "nwf/vec.h"

/* OpenFlow 1.3 to 1.5, a bit each as in libopenvswitch's version bitmaps. */
#define NWF_OPENFLOW_VERSIONS (UINT32_C(7) << 4)

/* A change that the switch refuses: its index, and the switch's error (enum ofperr). */
struct nwf_refusal {
    size_t index;
    int code;
};

struct nwf_refusals {
    struct nwf_refusal *data;
    size_t n, allocated;
};

/* The error's name and the flow; the caller frees it. */
char *nwf_refusal_text(const struct nwf_refusal *refusal, const struct nwf_changes *changes);

enum nwf_no_flood { NWF_NO_FLOOD_KEEP, NWF_NO_FLOOD_SET, NWF_NO_FLOOD_CLEAR };

struct nwf_conn;

/* Begins to connect to 'bridge' with the highest OpenFlow version that it and 'versions' (a
 * bitmap) allow.  'timeout_ms' bounds the time in which something useful has to come in answer,
 * to this and to each operation.  Errors come from nwf_conn_run(). */
struct nwf_conn *nwf_conn_new(const char *bridge, uint32_t versions, unsigned int timeout_ms);
void nwf_conn_free(struct nwf_conn *conn);
DEFINE_CLEANUP(struct nwf_conn, nwf_conn, nwf_conn_free)

/* Goes on with connecting and with the operation.  0: connected, and the operation is done or
 * none was begun.  -EAGAIN: not yet; call it again after nwf_conn_wait() and poll_block().
 * Otherwise *err says why the operation has failed.  After -EREMOTEIO of nwf_conn_apply() or
 * nwf_conn_delete(), and after -EOPNOTSUPP, the connection can be used; after all other errors,
 * which it then repeats, it can only be freed.  Where there is nothing to do it takes in
 * events, and notices that the switch has gone. */
int nwf_conn_run(struct nwf_conn *conn, struct nwf_error *err);

/* Makes the next poll_block() wake up when nwf_conn_run() has something to do. */
void nwf_conn_wait(struct nwf_conn *conn);

/* nwf_conn_run() until it is done, or has failed. */
int nwf_conn_block(struct nwf_conn *conn, struct nwf_error *err);

/* ---- Operations. ----
 *
 * None may be begun before the one before it has ended; it may be before the connection is
 * there.  What they point to stays the caller's, and has to live until they have ended. */

/* Adds the flows of all tables whose cookie is 'cookie' under 'mask' to *set. */
void nwf_conn_dump(struct nwf_conn *conn, uint64_t cookie, uint64_t mask, struct nwf_flow_set *set);

/* A flow, and what has met it. */
struct nwf_flow_count {
    struct nwf_flow *flow;
    uint64_t n_packets;
    int idle; /* Seconds since the last; negative: the switch does not say (before OpenFlow 1.5). */
};

struct nwf_flow_counts {
    struct nwf_flow_count *data;
    size_t n, allocated;
};

void nwf_flow_counts_clear(struct nwf_flow_counts *counts);

/* Adds the flows of a table whose cookie is 'cookie' under 'mask' to *ret. */
void nwf_conn_count(struct nwf_conn *conn, uint8_t table, uint64_t cookie, uint64_t mask,
                    struct nwf_flow_counts *ret);

/* Sends 'changes' as one ordered, atomic bundle: a packet sees the tables before or after all
 * of them.  It is committed once the switch has answered to all of them, and refuses none; if it
 * does, or if the bundle has paused for so long that the switch has dropped a part of it,
 * nothing has changed, and the error is -EREMOTEIO, which shows the first refusal. */
void nwf_conn_apply(struct nwf_conn *conn, const struct nwf_changes *changes);

/* What the switch has refused of the last nwf_conn_apply(), which ended with -EREMOTEIO; none
 * if the error is not about its changes.  Valid until the next operation. */
const struct nwf_refusals *nwf_conn_refusals(const struct nwf_conn *conn);

/* Deletes every flow whose cookie is 'cookie' under 'mask', in one bundle, as above. */
void nwf_conn_delete(struct nwf_conn *conn, uint64_t cookie, uint64_t mask);

/* Sets how fragments are handled to "nx-match", where a first fragment keeps its ports, if it
 * is something else.  The setting is the bridge's, and is lost when ovs-vswitchd restarts. */
void nwf_conn_set_frags(struct nwf_conn *conn);

/* Sends that setting, whatever the switch has, and waits for nothing.  Open vSwitch tells nobody
 * that somebody else has changed it. */
void nwf_conn_send_frags(struct nwf_conn *conn);

/* Forgets the connections of these conntrack zones. */
void nwf_conn_flush_zones(struct nwf_conn *conn, const uint16_t *zones, size_t n);

/* Excludes ports from the floods of NORMAL, or lets them in again: wanted[ofport].  Only
 * OpenFlow 1.0 has this setting: the connection has to be made for that version alone.  It is
 * lost when ovs-vswitchd restarts. */
void nwf_conn_set_no_flood(struct nwf_conn *conn, const enum nwf_no_flood wanted[0x10000]);

struct nwf_meter {
    uint32_t id;
    uint32_t rate; /* Packets a second. */
    bool is_there; /* Used meanwhile. */
};

struct nwf_meters {
    struct nwf_meter *data;
    size_t n, allocated;
};

/* Makes those of the switch's meters that are ours (nwf_is_meter()) what is wanted, which is
 * sorted: one that drops what is over.  Those that are not wanted go if 'prune' is set, and the
 * flows that lead to them.  -EOPNOTSUPP: the switch refuses. */
void nwf_conn_set_meters(struct nwf_conn *conn, struct nwf_meters *wanted, bool prune);

/* How many of ours are there that are not wanted, after that without 'prune'. */
size_t nwf_conn_excess_meters(const struct nwf_conn *conn);

/* Ends when ovs-vswitchd has done all that was asked before. */
void nwf_conn_barrier(struct nwf_conn *conn);

/* Asks for word of the changes of these tables' flows, of whatever cookie, from now on: see
 * nwf_conn_next_event().  -EOPNOTSUPP if the switch refuses. */
void nwf_conn_monitor(struct nwf_conn *conn, const uint8_t *tables, size_t n_tables);

/* ---- Beside the operations. ---- */

/* Tells the switch to delete the flows whose cookie is 'cookie' under 'mask', and does not wait:
 * at once, or in the next nwf_conn_run() that can.  ovs-vswitchd reads what is there on its
 * connections before it accepts others: nobody who connects later finds the flows. */
void nwf_conn_post_delete(struct nwf_conn *conn, uint64_t cookie, uint64_t mask);

/* A change of a flow that was not made over this connection: another client's, an expiry. */
struct nwf_flow_event {
    bool deleted;          /* Otherwise it is there now in place of one with its key, if any. */
    struct nwf_flow *flow; /* The taker's, for nwf_flow_free().  No actions if deleted. */
};

/* Takes the oldest event; false: there is none.  Those that are there when a dump is begun may
 * be of changes that it shows too. */
bool nwf_conn_next_event(struct nwf_conn *conn, struct nwf_flow_event *ret);

/* Whether events are missing, so that the flows have to be dumped again: more have come than
 * are kept (100,000), one could not be read, or the switch had to pause.  The events from
 * before that are gone too.  Asking clears it. */
bool nwf_conn_lost_events(struct nwf_conn *conn);

#endif
