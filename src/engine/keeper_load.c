/* SPDX-License-Identifier: Apache-2.0
 *
 * Large first loads.  ovs-vswitchd reads few messages of a connection at a time and then looks at
 * all ports, so that several connections together load several times as fast as one.
 *
 * What comes over them are filters' flows of ports that have no flow yet: nothing leads to those.
 * Each port's way in, and all that connects ports, comes in the last bundle, when they are there.
 */
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

/* Whether nothing leads to the flow before its port's way in is there. */
static bool
may_come_first(const struct nwf_keeper *k, const struct nwf_change *change)
{
    enum nwf_cookie_kind kind = nwf_cookie_kind(change->flow->cookie);

    return change->kind == NWF_CHANGE_ADD
           && (kind == NWF_COOKIE_FROM_VM || kind == NWF_COOKIE_TO_VM)
           && !nwf_image_count(&k->image, nwf_cookie_port(change->flow->cookie));
}

void
nwf_keeper_begin_load(struct nwf_keeper *k)
{
    if (k->changes.n < LOAD_MIN) {
        return;
    }
    struct nwf_keeper_load *load = nwf_zalloc(sizeof *load);
    nwf_vec_foreach (change, &k->changes) {
        if (may_come_first(k, change)) {
            nwf_vec_push(&load->changes[nwf_cookie_port(change->flow->cookie) % N_CONNS], *change);
        }
    }
    for (size_t i = 0; i < N_CONNS; i++) {
        if (load->changes[i].n) {
            load->conns[i] =
                nwf_conn_new(k->plan.name, k->options->versions, k->options->timeout_ms);
            nwf_conn_apply(load->conns[i], &load->changes[i]);
        }
    }
    k->load = load;
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

/* Takes out of the changes what has been loaded. */
void
nwf_keeper_list_rest(const struct nwf_keeper *k, struct nwf_changes *ret)
{
    nwf_vec_foreach (change, &k->changes) {
        if (!k->load || !may_come_first(k, change)) {
            nwf_vec_push(ret, *change);
        }
    }
}
