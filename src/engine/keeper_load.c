/* SPDX-License-Identifier: Apache-2.0
 *
 * Large first loads.  ovs-vswitchd reads few messages of a connection at a time and then looks at
 * all ports, so that several connections together load several times as fast as one.
 *
 * What comes over them are the flows of ports that have none yet, a port's in one bundle: its way
 * in is there with its filter, and not before.  The pipeline, and all that connects ports, comes in
 * a bundle before them: until its own are there nothing comes in by a port, and its filter lets
 * nothing through. */
#include <config.h>

#include <errno.h>

#include "keeper.h"
#include "nwf/text.h"

/* Fewer changes than these go over one connection. */
#define LOAD_MIN 4096

#define N_CONNS 8

struct nwf_keeper_load {
    struct nwf_conn *conns[N_CONNS]; /* NULL: done. */
    struct nwf_changes changes[N_CONNS];
};

/* Whether the flow is that of one guest's or quarantined port, which has none yet. */
static bool
is_of_new_port(const struct nwf_keeper *k, const struct nwf_change *change)
{
    uint16_t port = nwf_cookie_port(change->flow->cookie);

    switch (nwf_cookie_kind(change->flow->cookie)) {
    case NWF_COOKIE_CLASSIFY:
    case NWF_COOKIE_FROM_VM:
    case NWF_COOKIE_TO_VM:
    case NWF_COOKIE_DELIVER:
    case NWF_COOKIE_QUARANTINE:
    case NWF_COOKIE_PINNED:
    case NWF_COOKIE_ROUTE:
        return change->kind == NWF_CHANGE_ADD && port && !nwf_image_count(&k->image, port);
    case NWF_COOKIE_FIXED:
    case NWF_COOKIE_TRUSTED:
    case NWF_COOKIE_FLOOD:
    case NWF_COOKIE_PENDING:
    case NWF_COOKIE_GUARD:
    case NWF_COOKIE_LEARNED:
    case NWF_COOKIE_OFFENDER:
        break;
    }
    return false;
}

void
nwf_keeper_plan_load(struct nwf_keeper *k)
{
    if (k->changes.n < LOAD_MIN) {
        return;
    }
    k->load = nwf_zalloc(sizeof *k->load);
    nwf_vec_foreach (change, &k->changes) {
        if (is_of_new_port(k, change)) {
            uint16_t port = nwf_cookie_port(change->flow->cookie);
            nwf_vec_push(&k->load->changes[port % N_CONNS], *change);
        }
    }
}

void
nwf_keeper_begin_load(struct nwf_keeper *k)
{
    struct nwf_keeper_load *load = k->load;

    for (size_t i = 0; i < N_CONNS; i++) {
        if (load->changes[i].n) {
            load->conns[i] =
                nwf_conn_new(k->plan.name, k->options->versions, k->options->timeout_ms);
            nwf_conn_apply(load->conns[i], &load->changes[i]);
        }
    }
}

void
nwf_keeper_end_load(struct nwf_keeper *k)
{
    struct nwf_keeper_load *load = TAKE_PTR(k->load);

    for (size_t i = 0; load && i < N_CONNS; i++) {
        if (load->conns[i]) {
            nwf_conn_free(load->conns[i]);
        }
        nwf_vec_clear(&load->changes[i]);
    }
    free(load);
}

/* What the switch refuses of one connection's part stays out, and others' parts may be in: it is
 * read again. */
static int
take_failure(struct nwf_keeper *k, size_t i, int r, struct nwf_error *err)
{
    const struct nwf_refusals *refusals = nwf_conn_refusals(k->load->conns[i]);

    if (r == -EREMOTEIO && nwf_quarantine_refused(&k->plan, &k->load->changes[i], refusals)) {
        nwf_error_clear(err);
        k->needs_resync = true;
        return -ESTALE;
    }
    return r;
}

int
nwf_keeper_run_load(struct nwf_keeper *k, struct nwf_error *err)
{
    bool done = true;

    for (size_t i = 0; i < N_CONNS; i++) {
        int r = k->load->conns[i] ? nwf_conn_run(k->load->conns[i], err) : 0;

        if (r && r != -EAGAIN) {
            return take_failure(k, i, r, err);
        }
        if (!r && k->load->conns[i]) {
            nwf_conn_free(TAKE_PTR(k->load->conns[i]));
        }
        done &= !r;
    }
    return done ? 0 : -EAGAIN;
}

void
nwf_keeper_wait_for_load(const struct nwf_keeper *k)
{
    for (size_t i = 0; i < N_CONNS; i++) {
        if (k->load->conns[i]) {
            nwf_conn_wait(k->load->conns[i]);
        }
    }
}

void
nwf_keeper_list_rest(const struct nwf_keeper *k, struct nwf_changes *ret)
{
    nwf_vec_foreach (change, &k->changes) {
        if (!k->load || !is_of_new_port(k, change)) {
            nwf_vec_push(ret, *change);
        }
    }
}
