/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes as one ordered atomic bundle.  The library has a function for it that wants all
 * messages at once and looks for answers after each; here they are made as they are sent, so
 * that a hundred thousand of them need no room. */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "link.h"
#include "nwf/openflow.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"

#include "lib/util.h"

/* How many messages are sent before answers are looked for: those of so many have room. */
#define UNANSWERED 64

#define BUNDLE_ID 0

struct bundle {
    struct vconn *vconn;
    uint32_t next_xid; /* Of the next message that is not one of the changes. */
    struct ovs_list errors;
};

static uint32_t
xid_of(const struct ofpbuf *message)
{
    return ntohl(((struct ofp_header *) message->data)->xid);
}

static void
set_xid(struct ofpbuf *message, uint32_t xid)
{
    ((struct ofp_header *) message->data)->xid = htonl(xid);
}

/* ---- Answers. ---- */

static void
take_error(struct bundle *bundle, struct ofpbuf *message)
{
    enum ofptype type;

    if (!ofptype_decode(&type, message->data) && type == OFPTYPE_ERROR) {
        ovs_list_push_back(&bundle->errors, &message->list_node);
    } else {
        ofpbuf_delete(message);
    }
}

static void
take_errors(struct bundle *bundle)
{
    struct ofpbuf *message;

    while (!vconn_recv(bundle->vconn, &message)) {
        take_error(bundle, message);
    }
}

/* Sends a request; what comes before its answer can only be about changes. */
static int
transact(struct bundle *bundle, struct ofpbuf *request, struct ofpbuf **ret_reply)
{
    uint32_t xid = bundle->next_xid++;

    set_xid(request, xid);
    int error = vconn_send_block(bundle->vconn, request);
    while (!error) {
        struct ofpbuf *message;
        error = vconn_recv_block(bundle->vconn, &message);
        if (!error && xid_of(message) == xid) {
            *ret_reply = message;
            return 0;
        }
        if (!error) {
            take_error(bundle, message);
        }
    }
    return error;
}

static int
control(struct bundle *bundle, uint16_t type)
{
    struct ofpbuf *reply;
    struct ofpbuf *request = nwf_bundle_control(ofctl_version(bundle->vconn), BUNDLE_ID, type);

    ofpmsg_update_length(request);
    int error = transact(bundle, request, &reply);
    if (error) {
        return error;
    }
    error = nwf_is_bundle_reply(reply, BUNDLE_ID, type + 1) ? 0 : EPROTO;
    take_error(bundle, reply);
    return error;
}

/* ---- Changes. ---- */

static int
add(struct bundle *bundle, struct ofpbuf *change)
{
    ofpmsg_update_length(change);
    return vconn_send_block(bundle->vconn,
                            nwf_bundle_add(ofctl_version(bundle->vconn), BUNDLE_ID, change));
}

/* The switch leaves out of the bundle what it does not like: its answers have to be seen before
 * the rest is committed. */
static int
end_changes(struct bundle *bundle)
{
    struct ofpbuf *reply;
    int error =
        transact(bundle, ofputil_encode_barrier_request(ofctl_version(bundle->vconn)), &reply);

    if (error) {
        return error;
    }
    ofpbuf_delete(reply);
    return ovs_list_is_empty(&bundle->errors) ? 0 : EPROTO;
}

/* 'first' is the first of the changes, or NULL. */
static int
run(struct bundle *bundle, struct ofpbuf *first, ofctl_next_message_fn *next, void *aux)
{
    uint32_t xid = first ? xid_of(first) : 0;
    struct ofpbuf *change = first;
    int error = control(bundle, OFPBCT_OPEN_REQUEST);

    if (error) {
        ofpbuf_delete(first);
        return error;
    }
    for (size_t i = 1; !error && change; i++) {
        set_xid(change, xid++);
        error = add(bundle, change);
        if (!error && i % UNANSWERED == 0) {
            take_errors(bundle);
        }
        change = error ? NULL : next(aux);
    }
    if (!error) {
        error = end_changes(bundle);
    }
    if (error) {
        control(bundle, OFPBCT_DISCARD_REQUEST);
        return error;
    }
    return control(bundle, OFPBCT_COMMIT_REQUEST);
}

/* ---- What was refused. ---- */

/* The message that the error is about: what was to be added to the bundle, if it was that. */
static void
print_refused(struct ofctl *ofctl, const char *target, const struct ofpbuf *payload)
{
    struct ofputil_bundle_add_msg message;
    enum ofptype type;

    if (!ofptype_decode(&type, payload->data) && type == OFPTYPE_BUNDLE_ADD_MESSAGE
        && !ofputil_decode_bundle_add(payload->data, &message, &type)) {
        struct ofpbuf inner = ofpbuf_const_initializer(message.msg, ntohs(message.msg->length));
        ofctl_print_message(ofctl, target, stderr, &inner, 1);
    } else {
        ofctl_print_message(ofctl, target, stderr, payload, 1);
    }
}

static void
print_error(struct ofctl *ofctl, const char *target, const struct ofpbuf *error)
{
    struct ofpbuf payload;
    enum ofperr code = ofperr_decode_msg(error->data, &payload);

    if (code == 0) {
        fprintf(stderr, "***decode error***");
        return;
    }
    fprintf(stderr, "Error %s for: ", ofperr_get_name(code));
    print_refused(ofctl, target, &payload);
    ofpbuf_uninit(&payload);
}

void
ofctl_transact_bundle(struct ofctl *ofctl, const char *target, struct vconn *vconn, size_t n,
                      ofctl_next_message_fn *next, void *aux)
{
    struct ofpbuf *first = next(aux), *message;
    struct bundle bundle = {
        .vconn = vconn,
        .errors = OVS_LIST_INITIALIZER(&bundle.errors),
    };

    /* The changes come first in the numbering, as if they were all made before the bundle. */
    struct ofpbuf *unused = ofctl_number(ofputil_encode_barrier_request(ofctl_version(vconn)));
    bundle.next_xid = first ? xid_of(first) + (uint32_t) n : xid_of(unused);
    ofpbuf_delete(unused);

    int error = run(&bundle, first, next, aux);
    LIST_FOR_EACH_POP (message, list_node, &bundle.errors) {
        print_error(ofctl, target, message);
        ofpbuf_delete(message);
    }
    fflush(stderr);
    if (error) {
        ovs_fatal(error, "talking to %s", vconn_get_name(vconn));
    }
}

static struct ofpbuf *
pop(void *list)
{
    return ovs_list_is_empty(list) ? NULL : ofpbuf_from_list(ovs_list_pop_front(list));
}

void
ofctl_transact_bundle_list(struct ofctl *ofctl, const char *target, struct vconn *vconn,
                           struct ovs_list *requests)
{
    ofctl_transact_bundle(ofctl, target, vconn, ovs_list_size(requests), pop, requests);
}
