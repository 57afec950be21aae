/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection and the switch at its other end, which does as it is told. */
#ifndef TEST_CONN_PAIR_H
#define TEST_CONN_PAIR_H

#include "fake_switch.h"
#include "nwf/conn.h"

/* Timeouts, ms: enough for what does come, and for what does not. */
#define LONG 10000
#define SHORT 400

struct pair {
    struct fake_switch fake;
    struct nwf_conn *conn;
    struct nwf_error err;
};

/* Starts the switch, called br0, and a connection to it that has yet to be run. */
void pair_start(struct pair *p, uint32_t version, unsigned int timeout_ms);
void pair_stop(struct pair *p);

/* Runs both until the connection's operation has ended; its result. */
int pair_drive(struct pair *p);

/* Runs both until the switch has sent all, and the connection has read it. */
void pair_settle(struct pair *p);

/* What the switch was asked for. */
#define expect_said(P, TEXT) assert_string_equal(ds_cstr(&(P)->fake.said), TEXT)

/* The versions of OpenFlow that a connection may have. */
#define FOR_EACH_VERSION(V)                                                                        \
    for (const uint32_t *V = pair_versions; V < pair_versions + PAIR_N_VERSIONS; V++)
#define PAIR_N_VERSIONS 3
extern const uint32_t pair_versions[PAIR_N_VERSIONS];

#endif
