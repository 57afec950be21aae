/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection that waits: to open one, to ask and be answered, to send with a barrier or as a
 * bundle. */
#ifndef NWF_CLI_OFCTL_LINK_H
#define NWF_CLI_OFCTL_LINK_H

#include "ofctl.h"
#include "openvswitch/list.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vconn.h"

/* The version that both sides have agreed on. */
static inline enum ofp_version
ofctl_version(const struct vconn *vconn)
{
    return (enum ofp_version) vconn_get_version(vconn);
}

/* Connects to the switch, or controller, that 'target' names, with the versions allowed. */
struct vconn *ofctl_connect(const char *target);

/* As ofctl_connect(), and begins the conversation with a switch's controller instead of the
 * switch: any version that it speaks is taken. */
struct vconn *ofctl_connect_snoop(const char *target);

/* Those of the usable flow formats that are allowed; ends the program if none is. */
enum ofputil_protocol ofctl_require_usable(const struct ofctl *ofctl, enum ofputil_protocol usable);

/* Connects, and has the switch understand the most widely known of the 'usable' flow formats
 * (for flow mods), or speak the best of them (for dumps). */
struct vconn *ofctl_connect_for_mods(const struct ofctl *ofctl, const char *target,
                                     enum ofputil_protocol usable, enum ofputil_protocol *ret);
struct vconn *ofctl_connect_for_dump(const struct ofctl *ofctl, const char *target,
                                     enum ofputil_protocol usable, enum ofputil_protocol *ret);

/* Numbers (xids) of messages are as if nothing had been sent between these two: what we ask beside
 * a command's own conversation is not seen in what is printed of that.  Only messages that are made
 * behind it are numbered so, each once, by ofctl_number(), which returns it. */
void ofctl_begin_unseen(void);
void ofctl_end_unseen(void);
struct ofpbuf *ofctl_number(struct ofpbuf *message);

/* Sends without waiting for more than room. */
void ofctl_send(struct vconn *vconn, struct ofpbuf *request);

/* The next message, whatever it is. */
struct ofpbuf *ofctl_receive(struct vconn *vconn);

/* Sends, and returns the message that answers it. */
struct ofpbuf *ofctl_transact(struct vconn *vconn, struct ofpbuf *request);

/* Sends a request, and prints what comes in answer: one message, or all parts of it. */
void ofctl_dump(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                struct ofpbuf *request);

/* A request that has no answer, on its way with a barrier. */
struct ofctl_pending {
    ovs_be32 xid, barrier_xid;
};

/* Sends one, which is taken; and waits for the barrier, ending the program with the switch's error
 * about the request, if any.  Between the two the next may be made: the switch is at work. */
struct ofctl_pending ofctl_begin_noreply(struct vconn *vconn, struct ofpbuf *request);
void ofctl_finish_noreply(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                          const struct ofctl_pending *pending);

/* Both; for all of a list. */
void ofctl_transact_noreply(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                            struct ofpbuf *request);
void ofctl_transact_list(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                         struct ovs_list *requests);

/* Prints the switch's error, if the reply is one, and ends the program. */
void ofctl_exit_on_error(struct ofctl *ofctl, const char *target, const struct ofpbuf *reply);

/* The next message to send, the caller's then; NULL: there is none. */
typedef struct ofpbuf *ofctl_next_message_fn(void *aux);

/* Sends n changes as one ordered atomic bundle and ends the program if the switch refuses one,
 * with its errors. */
void ofctl_transact_bundle(struct ofctl *ofctl, const char *target, struct vconn *vconn, size_t n,
                           ofctl_next_message_fn *next, void *aux);
void ofctl_transact_bundle_list(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                                struct ovs_list *requests);

#endif
