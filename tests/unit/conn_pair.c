/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to a fake switch; see conn_pair.h. */
#include <config.h>

#include "support.h"

#include "conn_pair.h"

#include <errno.h>

#include "openvswitch/poll-loop.h"

const uint32_t pair_versions[PAIR_N_VERSIONS] = {OFP13_VERSION, OFP14_VERSION, OFP15_VERSION};

void
pair_start(struct pair *p, uint32_t version, unsigned int timeout_ms)
{
    memset(p, 0, sizeof *p);
    fake_switch_start(&p->fake, "br0", 1u << version);
    p->conn = nwf_conn_new("br0", 1u << version, timeout_ms);
}

void
pair_stop(struct pair *p)
{
    nwf_conn_free(p->conn);
    fake_switch_stop(&p->fake);
    nwf_error_clear(&p->err);
}

int
pair_drive(struct pair *p)
{
    for (;;) {
        fake_switch_run(&p->fake);
        int r = nwf_conn_run(p->conn, &p->err);
        if (r != -EAGAIN) {
            return r;
        }
        fake_switch_wait(&p->fake);
        nwf_conn_wait(p->conn);
        poll_block();
    }
}

void
pair_settle(struct pair *p)
{
    nwf_conn_barrier(p->conn);
    expect_ok(pair_drive(p), &p->err);
}
