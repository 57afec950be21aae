/* SPDX-License-Identifier: Apache-2.0
 *
 * Who has sent what the uplink guard has kept from leaving. */
#ifndef NWF_OFFENDERS_H
#define NWF_OFFENDERS_H

#include "nwf/conn.h"
#include "nwf/mac.h"
#include "nwf/pipeline.h"
#include "nwf/plan.h"

/* Why frames were kept back: a word, and for a sentence. */
const char *nwf_offence_to_string(enum nwf_offence offence);
const char *nwf_offence_describe(enum nwf_offence offence);

/* Frames of one kind from one port. */
struct nwf_offender {
    char *port;   /* Where they came in; */
    char *uplink; /* where they would have left, or NULL if that is not known. */
    /* Otherwise they are those that were seen before the switch had learned of them, and those of
     * addresses beyond what it learns. */
    bool is_learned;
    struct nwf_mac mac;
    uint16_t vid; /* Where they would have left; 0: without a tag. */
    enum nwf_offence offence;
    uint64_t n_packets;
    uint64_t n_locked; /* Of these, by the second lock (nwf/nic_lock.h), after the flows. */
    int idle;          /* Seconds since the last; negative: not known. */
};

struct nwf_offenders {
    struct nwf_offender *data;
    size_t n, allocated;
};

void nwf_offenders_clear(struct nwf_offenders *offenders);

/* Begins to ask the switch; what it answers is for the next. */
void nwf_offenders_ask(struct nwf_conn *conn, struct nwf_flow_counts *ret);

/* Adds those in 'counts', by the names of the plan's ports, sorted. */
void nwf_offenders_list(const struct nwf_plan *plan, const struct nwf_flow_counts *counts,
                        struct nwf_offenders *ret);

/* The offender that a flow stands for, if the switch has learned it of one; else false.  Freed with
 * nwf_offender_clear(). */
bool nwf_offender_from_flow(const struct nwf_plan *plan, const struct nwf_flow *flow,
                            struct nwf_offender *ret);
void nwf_offender_clear(struct nwf_offender *offender);

#endif
