/* SPDX-License-Identifier: Apache-2.0
 *
 * A keeper's part in the host's kernel, where guests are routed: what is there for a guest comes
 * when its flows are in force, and goes before they do.
 *
 * The kernel answers at once, so that nothing here waits. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "host_settings.h"
#include "keeper.h"
#include "nwf/text.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "routes.h"

#include "lib/timeval.h"

VLOG_DEFINE_THIS_MODULE(nwf_keeper_host);

/* How often settings and routers are looked at. */
#define LOOK_MS 1000

/* Guests whose items are made before anybody else has a turn. */
#define OWNERS_AT_ONCE 256

/* The name of the bridge as the owner of items. */
#define BRIDGE_OWNER ""

static bool
same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* Takes the error, which may be none, for that of the bridge. */
static void
set_host_error(struct nwf_keeper *k, struct nwf_error *err)
{
    if (!same_text(k->plan.host_error.text, err->text)) {
        k->host_news = true;
        if (err->text) {
            VLOG_WARN("bridge %s: %s", k->plan.name, nwf_error_text(err));
        }
    }
    nwf_error_clear(&k->plan.host_error);
    k->plan.host_error = *err;
    memset(err, 0, sizeof *err);
}

/* ---- Life. ---- */

void
nwf_keeper_close_host(struct nwf_keeper *k)
{
    k->plan.host = NULL;
    nwf_keeper_forget_around(k);
    if (k->host) {
        nwf_host_close(TAKE_PTR(k->host));
    }
}

/* Guests are told apart from the host's own addresses from now on, and all say what they want. */
static void
open_host(struct nwf_keeper *k)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (time_msec() < k->host_look_at) {
        return;
    }
    k->host_look_at = time_msec() + LOOK_MS;
    int r = nwf_host_open(k->plan.name, &k->host, &err);
    if (!r) {
        nwf_host_set_uplink(k->host, nwf_plan_wire(&k->plan));
        r = nwf_host_run(k->host, &err);
    }
    if (r) {
        set_host_error(k, &err);
        nwf_keeper_close_host(k);
        return;
    }
    k->plan.host = k->host;
    k->plan.claims_dirty = k->host_is_stale = true;
    k->host_is_told = false;
    k->host_seqno = nwf_host_seqno(k->host);
    nwf_vec_foreach (port, &k->plan.ports) {
        (*port)->reroute = true;
    }
}

/* Whether the kernel has, or is to have, something for the bridge. */
static bool
is_concerned(const struct nwf_keeper *k)
{
    return nwf_plan_is_host_routed(&k->plan) || (k->plan.host_note && !k->needs_note);
}

void
nwf_keeper_look_at_host(struct nwf_keeper *k)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (!is_concerned(k) || (k->host && k->options->once)) {
        return;
    }
    if (!k->host) {
        open_host(k);
        return;
    }
    nwf_host_set_uplink(k->host, nwf_plan_wire(&k->plan));
    if (nwf_host_run(k->host, &err)) {
        set_host_error(k, &err);
        nwf_keeper_close_host(k);
        return;
    }
    if (k->host_seqno != nwf_host_seqno(k->host)) {
        k->host_seqno = nwf_host_seqno(k->host);
        k->plan.claims_dirty = k->host_is_stale = true;
        k->needs_update = true; /* The bridge's address may be that of a device that has changed. */
    }
}

bool
nwf_keeper_has_host_work(const struct nwf_keeper *k)
{
    return k->host && !k->options->once
           && (nwf_host_is_dirty(k->host) || k->host_is_stale || k->needs_note);
}

void
nwf_keeper_wait_for_host(const struct nwf_keeper *k)
{
    if (k->state == NWF_K_HOST) {
        poll_immediate_wake();
    }
    if (k->state != NWF_K_IDLE || k->options->once || !is_concerned(k)) {
        return;
    }
    poll_timer_wait_until(k->host_look_at);
    if (k->host) {
        nwf_host_wait(k->host);
    }
    if (k->announce_at) {
        poll_timer_wait_until(k->announce_at);
    }
}

/* ---- Owners. ---- */

static void
set_unrouted(struct nwf_plan_port *port, const char *cause)
{
    if (!same_text(port->unrouted.text, cause)) {
        nwf_error_clear(&port->unrouted);
        if (cause) {
            nwf_error_set(&port->unrouted, -EHOSTUNREACH, "%s", cause);
        }
        port->has_report = true;
    }
}

static void
list_items(const struct nwf_keeper *k, const struct nwf_plan_port *port, struct nwf_host_items *ret,
           const char **ret_cause)
{
    memset(ret, 0, sizeof *ret);
    *ret_cause = NULL;
    if (nwf_plan_is_host_routed(&k->plan)) {
        nwf_plan_list_routes(&k->plan, port, ret, ret_cause);
    }
}

static void
tell_port(struct nwf_keeper *k, struct nwf_plan_port *port)
{
    struct nwf_host_items items;
    const char *cause;

    list_items(k, port, &items, &cause);
    nwf_host_want(k->host, port->config.name, &items);
    port->has_routes = items.n > 0;
    port->reroute = false;
    set_unrouted(port, cause ? cause : nwf_host_error(k->host, port->config.name)->text);
    nwf_vec_clear(&items);
}

static void
drop_lost_owners(struct nwf_keeper *k)
{
    nwf_host_begin_owners(k->host);
    nwf_host_keep_owner(k->host, BRIDGE_OWNER);
    nwf_vec_foreach (port, &k->plan.ports) {
        nwf_host_keep_owner(k->host, (*port)->config.name);
    }
    nwf_host_end_owners(k->host);
    k->plan.has_lost_ports = false;
}

static void
tell_bridge(struct nwf_keeper *k)
{
    struct nwf_host_items items = {.data = NULL};

    if (nwf_plan_is_host_routed(&k->plan)) {
        k->bridge_has_ipv6 = nwf_plan_bridge_has_ipv6(&k->plan);
        nwf_plan_list_bridge_items(&k->plan, k->host, &items);
    }
    nwf_host_want(k->host, BRIDGE_OWNER, &items);
    nwf_vec_clear(&items);
    k->host_is_stale = false;
}

static void
tell_all(struct nwf_keeper *k)
{
    nwf_vec_foreach (port, &k->plan.ports) {
        if ((*port)->reroute) {
            tell_port(k, *port);
        }
    }
    if (k->plan.has_lost_ports) {
        drop_lost_owners(k);
    }
    if (k->host_is_stale) {
        tell_bridge(k);
    }
    k->host_is_told = true;
    nwf_host_set_complete(k->host);
}

/* ---- WITHDRAW. ---- */

static int
withdraw_port(struct nwf_keeper *k, const struct nwf_plan_port *port, struct nwf_error *err)
{
    struct nwf_host_items items;
    const char *cause;

    list_items(k, port, &items, &cause);
    int r = nwf_host_withdraw(k->host, port->config.name, &items, err);
    nwf_vec_clear(&items);
    return r;
}

/* A route that the kernel keeps leads to a guest that is shut: that is no reason to leave another
 * one open. */
int
nwf_keeper_withdraw(struct nwf_keeper *k, struct nwf_error *err)
{
    if (!k->host || !k->host_is_told) {
        return 0;
    }
    if (k->plan.has_lost_ports) {
        drop_lost_owners(k);
        if (nwf_host_remove_unwanted(k->host, err)) {
            nwf_keeper_warn_of(k, err);
        }
    }
    nwf_vec_foreach (port, &k->plan.ports) {
        if ((*port)->reroute && withdraw_port(k, *port, err)) {
            nwf_keeper_warn_of(k, err);
        }
    }
    return 0;
}

/* ---- The end. ---- */

/* Guests are not routed any more. */
static void
give_back(struct nwf_keeper *k)
{
    struct nwf_error err = NWF_ERROR_INIT;

    if (nwf_host_remove_all(k->host, &err)) {
        nwf_keeper_warn_of(k, &err);
    }
    if (k->plan.host_note && nwf_host_settings_restore(k->plan.host_note, &err)) {
        nwf_keeper_warn_of(k, &err);
    }
    k->needs_note = k->plan.host_note != NULL;
    set_host_error(k, &err);
    nwf_keeper_close_host(k);
}

/* The bridge has gone: so has its device, and all that was on it. */
void
nwf_keeper_lose_host(struct nwf_keeper *k)
{
    char *note CLEANUP_FREE = NULL;
    struct nwf_error err = NWF_ERROR_INIT;

    nwf_keepsake_forget(k->plan.name);
    if (!k->host) {
        return;
    }
    (void) nwf_keeper_find_note(k, &note);
    if (nwf_host_remove_all(k->host, &err)) {
        nwf_keeper_warn_of(k, &err);
    }
    if (note && nwf_host_settings_restore(note, &err)) {
        nwf_keeper_warn_of(k, &err);
    }
}

int
nwf_sync_remove_host(const char *bridge, const char *uplink, const char *note,
                     struct nwf_error *err)
{
    struct nwf_host *host CLEANUP(nwf_host_cleanup) = NULL;
    int r;

    if ((r = nwf_host_open(bridge, &host, err))) {
        return r;
    }
    nwf_host_set_uplink(host, uplink);
    if ((r = nwf_host_run(host, err)) || (r = nwf_host_remove_all(host, err))) {
        return r;
    }
    return note ? nwf_host_settings_restore(note, err) : 0;
}

/* ---- HOST. ---- */

static void
note_news(const char *owner, void *k_)
{
    struct nwf_keeper *k = k_;
    struct nwf_plan_port *port = nwf_plan_find_port(&k->plan, owner);
    const struct nwf_error *error = nwf_host_error(k->host, owner);

    if (port && !strcmp(port->config.name, owner)) {
        set_unrouted(port, error->text);
    }
}

/* What the bridge itself lacks is why the rest does not work, whatever else is wrong. */
static void
judge_bridge(struct nwf_keeper *k, struct nwf_error *err)
{
    const char *uplink = k->plan.routed.uplink;
    const struct nwf_error *error = nwf_host_error(k->host, BRIDGE_OWNER);

    if (!uplink) {
        return; /* That says what its tags lack. */
    }
    if (!nwf_plan_find_uplink(&k->plan) && !nwf_host_device(k->host, uplink)) {
        nwf_error_clear(err);
        nwf_error_set(err, -ENODEV, "the uplink %s: there is no such device now", uplink);
    } else if (k->plan.routed.via == NWF_VIA_FLOWS && !nwf_plan_find_uplink(&k->plan)) {
        nwf_error_clear(err);
        nwf_error_set(err, -ENODEV, "the uplink %s is not on the bridge: nothing is routed",
                      uplink);
    } else if (error->text) {
        nwf_error_clear(err);
        nwf_error_set(err, error->code, "%s", error->text);
    }
}

/* False: there is more to do. */
static bool
do_work(struct nwf_keeper *k)
{
    struct nwf_error err = NWF_ERROR_INIT;
    bool is_done;

    tell_all(k);
    is_done = nwf_host_apply(k->host, OWNERS_AT_ONCE, &err);
    if (err.text) {
        nwf_keeper_warn_of(k, &err);
    }
    nwf_host_each_news(k->host, note_news, k);
    if (is_done) {
        nwf_keeper_apply_settings(k, &err);
        judge_bridge(k, &err);
        set_host_error(k, &err);
        nwf_keeper_announce_addresses(k);
        nwf_keeper_look_for_obstacles(k);
    }
    return is_done;
}

/* Routes lead to guests whose flows are in force: where that is in doubt none is made. */
int
nwf_keeper_host(struct nwf_keeper *k, struct nwf_error *err)
{
    (void) err;
    if (!k->host || k->options->dry_run || k->doubt.text) {
        return 0;
    }
    if (!nwf_plan_is_host_routed(&k->plan)) {
        give_back(k);
        return 0;
    }
    nwf_host_set_uplink(k->host, nwf_plan_wire(&k->plan));
    return do_work(k) ? 0 : -EAGAIN;
}

/* What is to be looked at though nobody tells of it. */
static bool
is_time(struct nwf_keeper *k)
{
    bool is_due =
        time_msec() >= k->host_look_at || (k->announce_at && time_msec() >= k->announce_at);

    if (is_due) {
        k->host_look_at = time_msec() + LOOK_MS;
    }
    return is_due;
}

/* While all flows are in force. */
void
nwf_keeper_do_host_work(struct nwf_keeper *k)
{
    if (!k->host || !k->host_is_told || k->options->once || !nwf_plan_is_host_routed(&k->plan)) {
        return;
    }
    bool is_due = is_time(k);
    if (is_due) {
        nwf_host_look_for_gateways(k->host, nwf_plan_wire(&k->plan));
        nwf_keeper_ask_routers(k);
        k->host_is_stale |= k->bridge_has_ipv6 != nwf_plan_bridge_has_ipv6(&k->plan);
    }
    if (is_due || nwf_keeper_has_host_work(k)) {
        (void) do_work(k);
    }
}
