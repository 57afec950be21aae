/* SPDX-License-Identifier: Apache-2.0
 *
 * A switch in this process, behind a real socket: it answers as Open vSwitch does, unless the
 * test's script wants something else of it, and notes what it is told. */
#ifndef TEST_FAKE_SWITCH_H
#define TEST_FAKE_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vconn.h"

struct fake_switch {
    struct pvconn *listener;
    struct vconn *vconn; /* The client; NULL: none yet. */
    struct ovs_list tx;
    struct ds said;  /* What the client has said, a word for each message. */
    size_t n_adds;   /* Changes in bundles, which are in 'said' only if there are few. */
    ovs_be32 opened; /* The xid that opened the bundle. */
    enum ofputil_frag_handling frag;
    unsigned int slow_ms; /* Between two messages that it sends; 0: none. */
    long long int next;

    /* What the test wants instead; true: the message has been dealt with.  'n' is n_adds. */
    bool (*script)(struct fake_switch *fake, enum ofptype type, const struct ofpbuf *msg);
    /* Called whenever nothing is left to be sent. */
    void (*idle)(struct fake_switch *fake);
    void *aux; /* For these two. */
};

/* Makes a directory for the sockets the run directory: once, first. */
int fake_switch_rundir(void **state);
int fake_switch_rundir_remove(void **state);

void fake_switch_start(struct fake_switch *fake, const char *bridge, uint32_t versions);
void fake_switch_stop(struct fake_switch *fake);
/* Ends the connection. */
void fake_switch_close(struct fake_switch *fake);
/* Goes on. */
void fake_switch_run(struct fake_switch *fake);
void fake_switch_wait(struct fake_switch *fake);

/* Sends a message; a list of them; an error about the message with 'xid'. */
void fake_switch_send(struct fake_switch *fake, struct ofpbuf *msg);
void fake_switch_send_all(struct fake_switch *fake, struct ovs_list *msgs);
void fake_switch_refuse(struct fake_switch *fake, ovs_be32 xid, enum ofperr error);

#endif
