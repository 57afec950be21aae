/* SPDX-License-Identifier: Apache-2.0
 *
 * What a keeper's steps ask the switch, ovs-vswitchd and the database. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "keeper.h"
#include "nwf/text.h"

#include "lib/timeval.h"

void
nwf_keeper_start_clock(struct nwf_keeper *k)
{
    k->deadline = time_msec() + k->options->timeout_ms;
}

int
nwf_keeper_call(struct nwf_keeper *k, const char *command, const char *const *args, size_t n_args,
                char **ret_output, struct nwf_error *err)
{
    char *output = NULL;

    if (!k->call) {
        k->call = nwf_unixctl_call_new(
            &(struct nwf_unixctl_command){"ovs-vswitchd", command, args, n_args},
            k->options->timeout_ms);
    }
    int r = nwf_unixctl_call_run(k->call, &output, err);
    if (r != -EAGAIN) {
        nwf_unixctl_call_free(TAKE_PTR(k->call));
    }
    if (ret_output && !r) {
        *ret_output = output;
    } else {
        free(output);
    }
    return r;
}

int
nwf_keeper_run_conn(struct nwf_keeper *k, struct nwf_error *err)
{
    return nwf_conn_run(k->conn, err);
}

int
nwf_keeper_run_txn(struct nwf_keeper *k, struct nwf_error *err)
{
    int r = nwf_txn_run(k->txn, err);

    if (r == -EAGAIN && time_msec() >= k->deadline) {
        r = nwf_error_set(err, -ETIMEDOUT,
                          "bridge %s: the database, or ovs-vswitchd, did not act on a change "
                          "within %u ms",
                          k->plan.name, k->options->timeout_ms);
    }
    if (r && r != -EAGAIN) {
        k->needs_update_all = true; /* Notes are not what we take them for. */
    }
    if (r == -ESTALE) {
        k->awaits_db = true;
        k->stale_seqno = nwf_txn_seqno(k->txn);
    }
    if (r != -EAGAIN) {
        nwf_txn_free(TAKE_PTR(k->txn));
    }
    return r;
}

void
nwf_keeper_forgive(struct nwf_keeper *k)
{
    k->refused_at = 0;
    nwf_vec_foreach (port, &k->plan.ports) {
        if ((*port)->refusal.text) {
            nwf_error_clear(&(*port)->refusal);
            (*port)->dirty = k->plan.claims_dirty = true;
        }
    }
}

void
nwf_keeper_mark_zones(const struct nwf_keeper *k, uint8_t zones[0x10000])
{
    nwf_vec_foreach (port, &k->plan.ports) {
        uint8_t *users = &zones[(*port)->zone];
        *users = *users ? *users : (*port)->zone != 0;
    }
}

/* Those of the database, and those that it does not show yet. */
void
nwf_keeper_count_zones(struct nwf_keeper *k)
{
    memset(k->host_zones, 0, sizeof k->host_zones);
    nwf_ovsdb_count_zones(k->db, k->host_zones);
    nwf_keeper_mark_zones(k, k->host_zones);
    if (k->options->mark_zones) {
        k->options->mark_zones(k->options->aux, k->host_zones);
    }
}
