/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to a bridge's OpenFlow management socket.  Each answer has to come within
 * the connection's timeout; after an error the connection is of no more use. */
#ifndef NWF_SWITCH_H
#define NWF_SWITCH_H

#include "nwf/compile.h"
#include "nwf/flow.h"
#include "nwf/vec.h"

struct nwf_switch;

/* OpenFlow 1.3 to 1.5, a bit each as in libopenvswitch's version bitmaps. */
#define NWF_OPENFLOW_VERSIONS (UINT32_C(7) << 4)

/* Connects to 'bridge' with the highest OpenFlow version that it and 'versions' (a
 * bitmap) allow.  'timeout_ms' bounds each later call, and this one. */
int nwf_switch_open(const char *bridge, uint32_t versions, unsigned int timeout_ms,
                    struct nwf_switch **ret, struct nwf_error *err);
void nwf_switch_close(struct nwf_switch *sw);
DEFINE_CLEANUP(struct nwf_switch, nwf_switch, nwf_switch_close)

/* Something that the switch was asked.  Answers come in the order of the questions, and
 * are taken in that order. */
struct nwf_question {
    ovs_be32 xid;
};

/* Asks for the flows whose cookie is 'cookie' under 'mask', and adds them to *set once
 * they are there: what is done between the two takes no extra time. */
int nwf_switch_ask_flows(struct nwf_switch *sw, uint64_t cookie, uint64_t mask,
                         struct nwf_question *ret, struct nwf_error *err);
int nwf_switch_take_flows(struct nwf_switch *sw, struct nwf_question question,
                          struct nwf_flow_set *set, struct nwf_error *err);

/* Adds the flows whose cookie is 'cookie' under 'mask' to *set. */
int nwf_switch_dump(struct nwf_switch *sw, uint64_t cookie, uint64_t mask, struct nwf_flow_set *set,
                    struct nwf_error *err);

/* In place of a table's number. */
#define NWF_TABLES_ALL 0xff

/* Adds all flows of the table, of whatever cookie, to *set. */
int nwf_switch_dump_table(struct nwf_switch *sw, uint8_t table, struct nwf_flow_set *set,
                          struct nwf_error *err);

/* Says how many flows each table has, of whatever cookie. */
int nwf_switch_count_tables(struct nwf_switch *sw, uint32_t ret[NWF_TABLES_ALL],
                            struct nwf_error *err);

/* Counts the flows of the table whose cookie is 'cookie' under 'mask'. */
int nwf_switch_count(struct nwf_switch *sw, uint8_t table, uint64_t cookie, uint64_t mask,
                     uint64_t *ret_count, struct nwf_error *err);

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

/* Sends 'changes' as one ordered, atomic bundle: a packet sees the tables before
 * or after all of them.  It is committed once the switch has answered to all of them, and
 * refuses none; if it does, or if the bundle has paused for so long that the switch has
 * dropped a part of it, nothing has changed.  *ret_refusals (may be NULL) is what the switch
 * refuses, for the caller to clear; the error shows the first. */
int nwf_switch_apply(struct nwf_switch *sw, const struct nwf_changes *changes,
                     struct nwf_refusals *ret_refusals, struct nwf_error *err);

/* Deletes every flow whose cookie is 'cookie' under 'mask', in one bundle, as above. */
int nwf_switch_delete(struct nwf_switch *sw, uint64_t cookie, uint64_t mask, struct nwf_error *err);

/* Tells the switch to delete them, and does not wait.  ovs-vswitchd reads what is there on
 * its connections before it accepts others: nobody who connects later finds the flows. */
int nwf_switch_post_delete(struct nwf_switch *sw, uint64_t cookie, uint64_t mask,
                           struct nwf_error *err);

/* Forgets the connections of a conntrack zone: done after a barrier. */
int nwf_switch_flush_zone(struct nwf_switch *sw, uint16_t zone, struct nwf_error *err);

/* Asks how fragments are handled, and sets that to "nx-match", where a first fragment
 * keeps its ports, if it is something else.  The setting is the bridge's, and is lost
 * when ovs-vswitchd restarts. */
int nwf_switch_ask_frags(struct nwf_switch *sw, struct nwf_question *ret, struct nwf_error *err);
int nwf_switch_set_frags(struct nwf_switch *sw, struct nwf_question question,
                         struct nwf_error *err);

enum nwf_no_flood { NWF_NO_FLOOD_KEEP, NWF_NO_FLOOD_SET, NWF_NO_FLOOD_CLEAR };

/* Excludes ports from the floods of NORMAL, or lets them in again: wanted[ofport].
 * Only OpenFlow 1.0 has this setting, so it goes over a connection of its own.  It is
 * lost when ovs-vswitchd restarts. */
int nwf_switch_set_no_flood(const char *bridge, unsigned int timeout_ms,
                            const enum nwf_no_flood wanted[0x10000], struct nwf_error *err);

/* An error if that version is not allowed. */
int nwf_switch_can_set_no_flood(const char *bridge, unsigned int timeout_ms, struct nwf_error *err);

/* Waits until ovs-vswitchd has done all that was asked before. */
int nwf_switch_barrier(struct nwf_switch *sw, struct nwf_error *err);

#endif
