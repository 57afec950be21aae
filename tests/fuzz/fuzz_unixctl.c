/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: what ovs-vswitchd answers to its commands, and what is read out of it: limits of
 * conntrack zones, static addresses.
 *
 * An input is a byte, whose parity says what is asked, and answers, each up to a NUL. */
#include <config.h>

#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper.h"
#include "nwf/text.h"
#include "peer.h"

#include "lib/daemon.h"

/* Answers of one input. */
#define ANSWERS_MAX 100

static int
listen_as_vswitchd(void)
{
    peer_rundir();
    set_pidfile("ovs-vswitchd.pid");
    daemonize();
    char *name CLEANUP_FREE = nwf_asprintf("ovs-vswitchd.%ld.ctl", (long) getpid());
    return peer_listen(name);
}

static struct nwf_keeper *
keeper_new(void)
{
    static const struct nwf_keeper_options options = {.timeout_ms = 60000};
    struct nwf_port_config guest = {.name = nwf_strdup("vnet0"), .ofport = 1, .role = NWF_GUEST};
    struct nwf_port_config uplink = {.name = nwf_strdup("eth0"), .ofport = 2, .role = NWF_TRUSTED};
    struct nwf_keeper *k = nwf_zalloc(sizeof *k);

    nwf_plan_init(&k->plan, "br0");
    k->plan.datapath = nwf_strdup("system@ovs-system");
    nwf_plan_add_port(&k->plan, &guest)->zone = NWF_ZONE_FIRST + 1;
    nwf_plan_add_port(&k->plan, &uplink)->role = NWF_TRUSTED;
    k->db = nwf_ovsdb_new("unix:/nowhere", NULL, false); /* It has no rows. */
    k->options = &options;
    k->is_fresh = true;
    return k;
}

static void
keeper_free(struct nwf_keeper *k)
{
    if (k->call) {
        nwf_unixctl_call_free(k->call);
    }
    free(k->limits);
    free(k->fdb);
    nwf_plan_finish(&k->plan);
    nwf_ovsdb_close(k->db);
    free(k);
}

/* Answers the command that is under way, if one is.  The next answer is behind it. */
static void
answer(int listener, const uint8_t **data, size_t *left)
{
    int peer = peer_accept(listener);

    if (peer >= 0) {
        const uint8_t *nul = *left ? memchr(*data, '\0', *left) : NULL;
        size_t size = nul ? (size_t) (nul - *data) : *left;

        peer_drain(peer);
        peer_send(peer, *data, size);
        size += nul != NULL;
        *data += size;
        *left -= size;
        close(peer); /* What was sent can be read. */
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int listener = -1;
    struct nwf_error err = NWF_ERROR_INIT;
    int r;

    if (listener < 0) {
        listener = listen_as_vswitchd();
    }
    if (!size) {
        return 0;
    }
    nwf_step *const step = *data & 1 ? nwf_keeper_remove_static : nwf_keeper_limit_zones;
    struct nwf_keeper *k = keeper_new();
    data++;
    size--;

    for (int i = 0; (r = step(k, &err)) == -EAGAIN && i < ANSWERS_MAX; i++) {
        FUZZ_CHECK(!err.code && k->call);
        answer(listener, &data, &size);
    }
    if (r != -EAGAIN) {
        FUZZ_CHECK(!k->call);
        fuzz_is_ok(r, &err);
    }
    keeper_free(k);
    for (int peer; (peer = peer_accept(listener)) >= 0;) { /* One that nobody has answered. */
        close(peer);
    }
    return 0;
}
