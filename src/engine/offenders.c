/* SPDX-License-Identifier: Apache-2.0
 *
 * From flows that the switch has learned to offenders; see nwf/offenders.h and
 * src/compile/uplink.c.
 *
 * The first frames of an offender are counted by the flow that learns, until Open vSwitch has
 * looked at its cached flows again; so is what comes of addresses that find no room.  One of these
 * frames is each offender's, by which he was learned of; where a port has but one, all are his. */
#include <config.h>

#include "nwf/offenders.h"

#include <stdlib.h>
#include <string.h>

#include "nwf/text.h"

#include "lib/flow.h"
#include "lib/packets.h"

const char *
nwf_offence_to_string(enum nwf_offence offence)
{
    static const char *const names[NWF_N_OFFENCES] = {
        [NWF_OFFENCE_NONE] = "none", [NWF_OFFENCE_SOURCE] = "source", [NWF_OFFENCE_IP] = "ip",
        [NWF_OFFENCE_ARP] = "arp",   [NWF_OFFENCE_ND] = "nd",
    };
    return names[offence];
}

const char *
nwf_offence_describe(enum nwf_offence offence)
{
    static const char *const texts[NWF_N_OFFENCES] = {
        [NWF_OFFENCE_NONE] = "nothing",
        [NWF_OFFENCE_SOURCE] = "its Ethernet source may not leave there",
        [NWF_OFFENCE_IP] = "its IP address is none of those listed",
        [NWF_OFFENCE_ARP] = "ARP's sender is another station",
        [NWF_OFFENCE_ND] = "neighbour discovery is about another station",
    };
    return texts[offence];
}

void
nwf_offender_clear(struct nwf_offender *offender)
{
    free(offender->port);
    free(offender->uplink);
    memset(offender, 0, sizeof *offender);
}

void
nwf_offenders_clear(struct nwf_offenders *offenders)
{
    nwf_vec_foreach (offender, offenders) {
        nwf_offender_clear(offender);
    }
    nwf_vec_clear(offenders);
}

void
nwf_offenders_ask(struct nwf_conn *conn, struct nwf_flow_counts *ret)
{
    nwf_conn_count(conn, NWF_TABLE_OFFENDERS, NWF_COOKIE_MAGIC, NWF_COOKIE_ALL_MASK, ret);
}

/* A bond's is that of its Port. */
static char *
port_name(const struct nwf_plan *plan, uint16_t ofport)
{
    nwf_vec_foreach (item, &plan->ports) {
        const struct nwf_port_config *config = &(*item)->config;
        if (config->ofport == ofport) {
            return nwf_strdup(config->port_name ? config->port_name : config->name);
        }
    }
    return nwf_asprintf("OpenFlow port %u", ofport);
}

bool
nwf_offender_from_flow(const struct nwf_plan *plan, const struct nwf_flow *flow,
                       struct nwf_offender *ret)
{
    struct match match;

    if (flow->table != NWF_TABLE_OFFENDERS
        || (flow->cookie & NWF_COOKIE_ALL_MASK) != NWF_COOKIE_MAGIC
        || nwf_cookie_kind(flow->cookie) != NWF_COOKIE_OFFENDER) {
        return false;
    }
    nwf_flow_expand_match(flow, &match);
    uint32_t offence = match.flow.regs[NWF_REG_OFFENCE];
    *ret = (struct nwf_offender){
        .port = port_name(plan, ofp_to_u16(match.flow.in_port.ofp_port)),
        .uplink = port_name(plan, (uint16_t) match.flow.regs[NWF_REG_KNOWN]),
        .is_learned = true,
        .vid = vlan_tci_to_vid(match.flow.vlans[0].tci),
        .offence = offence < NWF_N_OFFENCES ? (enum nwf_offence) offence : NWF_OFFENCE_NONE,
        .idle = -1,
    };
    memcpy(ret->mac.octets, &match.flow.dl_src, sizeof ret->mac.octets);
    return true;
}

/* What the flow of a port that learns has met. */
static void
add_rest(const struct nwf_plan *plan, const struct nwf_flow_count *count,
         struct nwf_offenders *offenders)
{
    uint16_t ofport = nwf_cookie_port(count->flow->cookie);
    char *name CLEANUP_FREE = port_name(plan, ofport);
    struct nwf_offender *only = NULL;
    uint64_t n = 0;

    if (nwf_cookie_kind(count->flow->cookie) != NWF_COOKIE_GUARD || !count->n_packets
        || !count->flow->form->ofpacts_len) {
        return;
    }
    nwf_vec_foreach (offender, offenders) {
        if (offender->is_learned && !strcmp(offender->port, name)) {
            only = offender;
            n++;
        }
    }
    if (count->n_packets <= n) {
        return;
    }
    if (n == 1) {
        only->n_packets += count->n_packets - 1;
        only->idle = count->idle >= 0 && count->idle < only->idle ? count->idle : only->idle;
    } else {
        nwf_vec_push(offenders, (struct nwf_offender){.port = TAKE_PTR(name),
                                                      .n_packets = count->n_packets - n,
                                                      .idle = count->idle});
    }
}

static int
compare(const void *a_, const void *b_)
{
    const struct nwf_offender *a = a_, *b = b_;
    int order = strcmp(a->port, b->port);

    if (!order && a->is_learned != b->is_learned) {
        order = a->is_learned ? -1 : 1;
    }
    if (!order && a->n_packets != b->n_packets) {
        order = a->n_packets > b->n_packets ? -1 : 1;
    }
    if (!order) {
        order = memcmp(&a->mac, &b->mac, sizeof a->mac);
    }
    return order ? order : (int) a->vid - (int) b->vid;
}

void
nwf_offenders_list(const struct nwf_plan *plan, const struct nwf_flow_counts *counts,
                   struct nwf_offenders *ret)
{
    nwf_vec_foreach (count, counts) {
        struct nwf_offender offender;
        if (nwf_offender_from_flow(plan, count->flow, &offender)) {
            offender.n_packets = count->n_packets + 1;
            offender.idle = count->idle;
            nwf_vec_push(ret, offender);
        }
    }
    nwf_vec_foreach (count, counts) {
        add_rest(plan, count, ret);
    }
    if (ret->n) {
        qsort(ret->data, ret->n, sizeof ret->data[0], compare);
    }
}
