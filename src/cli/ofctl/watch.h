/* SPDX-License-Identifier: Apache-2.0
 *
 * Printing what comes on a connection until told to stop, for monitor and snoop. */
#ifndef NWF_CLI_OFCTL_WATCH_H
#define NWF_CLI_OFCTL_WATCH_H

#include "link.h"

struct ofctl_watch {
    struct ofctl *ofctl;
    const char *target;
    struct vconn *vconn;
    bool answers_echoes;
    bool resumes; /* Packets whose processing the switch has paused. */

    bool is_blocked, is_over;     /* As the control socket has it. */
    ovs_be32 barrier_xid;         /* Of the barrier that someone waits for, */
    struct unixctl_conn *barrier; /* if anyone does. */
};

/* Goes into the background if asked to, and prints every message on stderr until the control
 * socket says "exit". */
void ofctl_watch(struct ofctl_watch *watch);

/* Prints a message and sends it. */
int ofctl_watch_send(struct ofctl_watch *watch, struct ofpbuf *message);

/* The control socket's commands. */
void ofctl_watch_register(struct ofctl_watch *watch);

#endif
