/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink guard: what leaves a NIC that is guarded, and how bonds are forwarded to where NORMAL
 * is out of the question. */
#ifndef NWF_COMPILE_UPLINK_H
#define NWF_COMPILE_UPLINK_H

#include "nwf/compile.h"
#include "nwf/pipeline.h"
#include "openvswitch/match.h"
#include "openvswitch/ofpbuf.h"

/* Tables that a frame goes through at most on its way out of a port with a leader. */
#define NWF_GUARD_TABLES 21

/* Appends the only way by which frames leave a trusted port without NORMAL; the frame has its tag
 * as it is to leave. */
void nwf_put_trusted_output(const struct nwf_port *port, struct ofpbuf *actions);

/* The same in ovs-ofctl's syntax: a new string. */
char *nwf_trusted_output_text(const struct nwf_port *port);

/* Whether the port gets a copy of frames for many: of a bond's members one does for all. */
bool nwf_is_flooded(const struct nwf_port *port);

/* The fields that the guard compares (compare.h), a bit each. */
uint32_t nwf_guard_compares(void);

/* Adds the flows of the guard. */
void nwf_compile_guards(const struct nwf_bridge *bridge, struct nwf_flow_set *flows);

/* ---- Between the files of the guard. ---- */

/* Bits of NWF_REG_COMPARED in NWF_TABLE_LEAVE: what has not been found wrong, a bit for each value
 * that would be right. */
#define NWF_LEAVE_SLL 0x00000003u /* The source link-layer option: it is the sender's, or none. */
#define NWF_LEAVE_TLL 0x0000000cu /* The target's. */
#define NWF_LEAVE_TARGET 0x00000010u /* Open vSwitch has read the options. */
#define NWF_LEAVE_SHA 0x0000ff00u
#define NWF_LEAVE_SPA 0x00ff0000u
#define NWF_LEAVE_MAY 0x40000000u /* Without it the frame is dropped, and nobody's offence. */
#define NWF_LEAVE_SOURCE 0x80000000u
#define NWF_LEAVE_ALL UINT32_MAX

/* Who may leave by a port: one Ethernet address in one VLAN, or in all of them. */
struct nwf_leaver {
    uint16_t leader;
    struct nwf_mac mac;
    int vid;                        /* Negative: all. */
    struct nwf_addresses addresses; /* Empty: any. */
};

/* The match of its frames. */
void nwf_leaver_match(const struct nwf_leaver *leaver, struct match *ret);

/* The IPv6 address that its Ethernet address makes. */
void nwf_leaver_link_local(const struct nwf_leaver *leaver, struct nwf_address *ret);

/* Adds a flow of the guard in 'table'. */
void nwf_add_guard_flow(uint8_t table, uint16_t priority, uint16_t leader,
                        const struct match *match, const struct ofpbuf *actions,
                        struct nwf_flow_set *flows);

/* Adds what looks at ARP and neighbour discovery (NWF_TABLE_GUARD_SENDER): for one leaver; and for
 * all. */
void nwf_add_sender_checks(const struct nwf_leaver *leaver, struct nwf_flow_set *flows);
void nwf_add_common_checks(const struct nwf_bridge *bridge, struct nwf_flow_set *flows);

#endif
