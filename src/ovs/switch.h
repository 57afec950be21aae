/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of nwf/switch.h share: a connection, its clock, its messages. */
#ifndef NWF_OVS_SWITCH_H
#define NWF_OVS_SWITCH_H

#include "nwf/switch.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vconn.h"

#include "lib/flow.h"

DEFINE_CLEANUP(struct ofpbuf, nwf_ofpbuf, ofpbuf_delete)

struct nwf_switch {
    struct vconn *vconn;
    char *bridge;
    unsigned int timeout_ms;
    long long int deadline;
    enum ofp_version version;
    enum ofputil_protocol protocol;
    const struct nwf_changes *in_flight; /* The bundle being sent; NULL: none. */
    struct nwf_refusals refusals;        /* What the switch has said of its changes. */
    ovs_be32 open_xid;                   /* That of the request to open it, and */
    struct ofpbuf *opened;               /* its answer, if it came while others were sent. */
};

/* Changes of a bundle have these, in their order. */
#define NWF_FIRST_XID UINT32_C(0x40000000)

/* The error of an operation that failed with 'code': positive, or EOF. */
int nwf_switch_fail(const struct nwf_switch *sw, struct nwf_error *err, int code, const char *what);

/* From now on the switch has the connection's timeout again. */
void nwf_switch_start_clock(struct nwf_switch *sw);
int nwf_switch_check_clock(struct nwf_switch *sw, struct nwf_error *err);

/* Sends 'msg', which is taken. */
int nwf_switch_send(struct nwf_switch *sw, struct ofpbuf *msg, struct nwf_error *err);

/* Waits for the answer to 'xid'; the caller frees it. */
int nwf_switch_receive(struct nwf_switch *sw, ovs_be32 xid, struct ofpbuf **ret,
                       struct nwf_error *err);

/* Sends a request, which is taken; and waits for its answer, which the caller frees. */
int nwf_switch_ask(struct nwf_switch *sw, struct ofpbuf *request, struct nwf_question *ret,
                   struct nwf_error *err);
int nwf_switch_transact(struct nwf_switch *sw, struct ofpbuf *request, struct ofpbuf **ret,
                        struct nwf_error *err);

/* nwf_switch_barrier() in two parts. */
int nwf_switch_ask_barrier(struct nwf_switch *sw, struct nwf_question *ret, struct nwf_error *err);
int nwf_switch_take_barrier(struct nwf_switch *sw, struct nwf_question question,
                            struct nwf_error *err);

#endif
