/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to the live engine; see nwf/live.h.
 *
 * Who asks has written to the database before, and we may not have heard of it yet: so a request
 * begins with a transaction, which comes back behind all that was written before it. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "live.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"

#include "lib/timeval.h"

enum phase { TICKET_BEGIN, TICKET_ASK, TICKET_SETTLE, TICKET_DONE };

/* What a bridge's counts were when the request came. */
struct start {
    char *bridge;
    struct nwf_keeper_counts counts;
};

struct nwf_ticket {
    struct nwf_live *live;
    char *bridge, *port;
    bool resync;
    enum phase phase;
    long long int since;
    struct nwf_txn *txn;
    NWF_VEC(struct start) starts;
    struct ds reply;
    int exit;
};

struct nwf_ticket *
nwf_live_request(struct nwf_live *live, const char *bridge, const char *port, bool resync)
{
    struct nwf_ticket *ticket = nwf_zalloc(sizeof *ticket);

    ticket->live = live;
    ticket->since = time_msec();
    ticket->bridge = bridge ? nwf_strdup(bridge) : NULL;
    ticket->port = port ? nwf_strdup(port) : NULL;
    ticket->resync = resync;
    ds_init(&ticket->reply);
    nwf_vec_foreach (keeper, &live->keepers) {
        nwf_vec_push(&ticket->starts, (struct start){nwf_strdup(nwf_keeper_bridge(*keeper)),
                                                     *nwf_keeper_counts(*keeper)});
    }
    nwf_vec_push(&live->tickets, ticket);
    return ticket;
}

void
nwf_ticket_free(struct nwf_ticket *ticket)
{
    struct nwf_live *live = ticket->live;
    size_t kept = 0;

    nwf_vec_foreach (other, &live->tickets) {
        if (*other != ticket) {
            live->tickets.data[kept++] = *other;
        }
    }
    live->tickets.n = kept;
    if (ticket->txn) {
        nwf_txn_free(ticket->txn);
    }
    nwf_vec_foreach (start, &ticket->starts) {
        free(start->bridge);
    }
    nwf_vec_clear(&ticket->starts);
    ds_destroy(&ticket->reply);
    free(ticket->bridge);
    free(ticket->port);
    free(ticket);
}

/* ---- What it is about. ---- */

static bool
is_about(const struct nwf_ticket *ticket, const struct nwf_keeper *keeper)
{
    const struct nwf_plan *plan = nwf_keeper_plan(keeper);

    return (!ticket->bridge || !strcmp(ticket->bridge, nwf_keeper_bridge(keeper)))
           && (!ticket->port || nwf_plan_find_port(plan, ticket->port));
}

/* How long an error may last, such as that of a switch which restarts, before whoever asks is told
 * of it; milliseconds. */
#define TRANSIENT_MS 3000

/* Whether the keeper has come as far as it will. */
static bool
is_through(const struct nwf_ticket *ticket, const struct nwf_keeper *keeper)
{
    return nwf_keeper_is_settled(keeper) || nwf_keeper_is_failing(keeper, TRANSIENT_MS)
           || (nwf_keeper_error(keeper)->text && time_msec() >= ticket->since + TRANSIENT_MS);
}

/* ---- The reply. ----
 *
 * Lines that begin with "!" are errors, those with "!!" of a whole bridge; those that begin with
 * "?" are warnings. */

static void
complain(struct nwf_ticket *ticket, const char *name, const char *cause)
{
    char *clean CLEANUP_FREE = nwf_text_clean(name, NWF_ERROR_MAX);

    ds_put_format(&ticket->reply, "!%s: %s\n", clean, cause);
    ticket->exit = 1;
}

static size_t
count_role(const struct nwf_plan *plan, enum nwf_port_role role)
{
    size_t n = 0;

    nwf_vec_foreach (port, &plan->ports) {
        n += (*port)->role == role;
    }
    return n;
}

static void
reply_of_bridge(struct nwf_ticket *ticket, const struct nwf_keeper *keeper)
{
    const struct nwf_plan *plan = nwf_keeper_plan(keeper);
    struct nwf_keeper_counts now = *nwf_keeper_counts(keeper), before = {.n_flows = 0};

    nwf_vec_foreach (start, &ticket->starts) {
        before = strcmp(start->bridge, plan->name) ? before : start->counts;
    }
    if (ticket->port) {
        const struct nwf_plan_port *port = nwf_plan_find_port(plan, ticket->port);
        ds_put_format(&ticket->reply, "%s: %s: %u flows: ", plan->name, ticket->port,
                      port->size.n_flows + 1);
    } else {
        ds_put_format(&ticket->reply, "%s: %zu flows: ", plan->name, now.n_flows);
    }
    ds_put_format(&ticket->reply, "%zu added, %zu changed, %zu removed",
                  now.n_added - before.n_added, now.n_replaced - before.n_replaced,
                  now.n_deleted - before.n_deleted);
    if (!ticket->port) {
        ds_put_format(&ticket->reply, "; %zu guests, %zu quarantined, %zu trusted",
                      count_role(plan, NWF_GUEST), count_role(plan, NWF_QUARANTINED),
                      count_role(plan, NWF_TRUSTED));
    }
    ds_put_char(&ticket->reply, '\n');
}

/* As "sync" does: of a port only what concerns it, and of guests that floods do not reach only
 * where one asks for them. */
static void
complain_of_ports(struct nwf_ticket *ticket, const struct nwf_plan *plan)
{
    nwf_vec_foreach (item, &plan->ports) {
        const struct nwf_plan_port *port = *item;
        const char *name = port->config.name;
        const struct nwf_error *error = nwf_plan_port_error(port);

        if (ticket->port && strcmp(ticket->port, name)) {
            continue;
        }
        if (error->text && (ticket->port || !nwf_plan_is_unreached(port))) {
            complain(ticket, name, error->text);
        } else if (ticket->port && port->role == NWF_TRUSTED && port->config.binding.filter) {
            complain(ticket, name, NWF_NOT_FILTERED);
        }
    }
}

/* Guests that are named if a whole crowd is unwell for one reason. */
#define NAMED_MAX 8

static void
complain_of_floods(struct nwf_ticket *ticket, const struct nwf_plan *plan)
{
    struct ds names CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    size_t n = 0;

    nwf_vec_foreach (port, &plan->ports) {
        if (nwf_plan_is_unreached(*port) && n++ < NAMED_MAX) {
            ds_put_format(&names, "%s%s", n > 1 ? ", " : "", (*port)->config.name);
        }
    }
    if (n) {
        ds_put_format(&ticket->reply,
                      "!bridge %s: %zu guests get no flooded frames of some kind (see their "
                      "status), the bridge's filters have more stages than one frame can visit: "
                      "%s%s\n",
                      plan->name, n, ds_cstr(&names), n > NAMED_MAX ? ", ..." : "");
        ticket->exit = 1;
    }
}

static void
warn_of_tag(const char *key, const char *value, const char *meaning, void *ticket_)
{
    struct nwf_ticket *ticket = ticket_;

    ds_put_format(&ticket->reply, "?bridge: %s=\"%.40s\" %s\n", key, value, meaning);
}

static void
warn_of_tags(struct nwf_ticket *ticket, const char *name)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};

    nwf_ovsdb_bare_bridges(ticket->live->db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (!strcmp(bridge->name, name)) {
            nwf_bridge_config_doubts(bridge->tags.data, bridge->tags.n, warn_of_tag, ticket);
        }
    }
}

static void
complain_of_bridge(struct nwf_ticket *ticket, const struct nwf_plan *plan)
{
    if (plan->no_limits) {
        ds_put_format(&ticket->reply,
                      "?%s: one guest can fill the table of connections: it has no limits: %s\n",
                      plan->name, plan->no_limits);
    }
    if (plan->host_advice) {
        ds_put_format(&ticket->reply, "?%s: %s\n", plan->name, plan->host_advice);
    }
    if (nwf_plan_error(plan)->text) {
        ds_put_format(&ticket->reply, "!%s: %s\n", plan->name,
                      nwf_error_text(nwf_plan_error(plan)));
        ticket->exit = 1;
    }
    if (!ticket->port) {
        warn_of_tags(ticket, plan->name);
        complain_of_floods(ticket, plan);
    }
}

static void
complain_of_unfiltered(const char *port, const char *bridge, void *ticket)
{
    char *cause CLEANUP_FREE = nwf_asprintf("it has a filter, and bridge %s is not managed; see "
                                            "ovs-nwfilter manage",
                                            bridge);

    complain(ticket, port, cause);
}

static bool
has_bridge(struct nwf_ovsdb *db, const char *name)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};

    nwf_ovsdb_bare_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (!strcmp(bridge->name, name)) {
            return true;
        }
    }
    return false;
}

static void
reply(struct nwf_ticket *ticket)
{
    const struct nwf_error *broken = &ticket->live->policies.broken;
    bool any = false;

    nwf_vec_foreach (keeper, &ticket->live->keepers) {
        if (!is_about(ticket, *keeper)) {
            continue;
        }
        any = true;
        if (nwf_keeper_error(*keeper)->text) {
            ds_put_format(&ticket->reply, "!!%s\n", nwf_keeper_error(*keeper)->text);
            ticket->exit = 1;
        } else {
            reply_of_bridge(ticket, *keeper);
            complain_of_ports(ticket, nwf_keeper_plan(*keeper));
            complain_of_bridge(ticket, nwf_keeper_plan(*keeper));
        }
    }
    if (ticket->port && !any) {
        complain(ticket, ticket->port, "no managed bridge has it as a port");
    } else if (ticket->bridge && !any) {
        complain(ticket, ticket->bridge,
                 has_bridge(ticket->live->db, ticket->bridge)
                     ? "not managed; see ovs-nwfilter manage"
                     : "no such bridge");
    }
    if (!ticket->port && !ticket->bridge) {
        const struct nwf_unfiltered unfiltered = {complain_of_unfiltered, ticket, true};
        (void) nwf_sync_unmanaged(ticket->live->db, &ticket->live->sources, &unfiltered);
    }
    if (broken->text && !ticket->port) {
        ds_put_format(&ticket->reply, "!%s\n", broken->text);
        ticket->exit = 1;
    }
}

/* ---- Running. ---- */

static void
fail(struct nwf_ticket *ticket, const struct nwf_error *err)
{
    ds_put_format(&ticket->reply, "!%s\n", nwf_error_text(err));
    ticket->exit = 1;
    ticket->phase = TICKET_DONE;
}

static void
ask(struct nwf_ticket *ticket)
{
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_txn_run(ticket->txn, &err);

    if (r == -EAGAIN) {
        return;
    }
    nwf_txn_free(TAKE_PTR(ticket->txn));
    if (r) {
        fail(ticket, &err);
        nwf_error_clear(&err);
        return;
    }
    ticket->live->is_overdue = true; /* It is looked at once more before the answer. */
    ticket->phase = TICKET_SETTLE;
    poll_immediate_wake();
}

static void
settle(struct nwf_ticket *ticket)
{
    if (ticket->live->is_overdue || ticket->live->restoring) {
        return;
    }
    nwf_vec_foreach (keeper, &ticket->live->keepers) {
        if (is_about(ticket, *keeper) && ticket->resync) {
            nwf_keeper_resync(*keeper);
        }
    }
    if (ticket->resync) {
        ticket->resync = false;
        return;
    }
    nwf_vec_foreach (keeper, &ticket->live->keepers) {
        /* Which port is where may be part of what is not settled. */
        if ((ticket->port || is_about(ticket, *keeper)) && !is_through(ticket, *keeper)) {
            return;
        }
    }
    reply(ticket);
    ticket->phase = TICKET_DONE;
}

void
nwf_ticket_run(struct nwf_ticket *ticket)
{
    if (!ticket->live->is_read) {
        return;
    }
    if (ticket->phase == TICKET_BEGIN) {
        ticket->txn = nwf_txn_round_trip(ticket->live->db);
        ticket->phase = TICKET_ASK;
    }
    if (ticket->phase == TICKET_ASK) {
        ask(ticket);
    } else if (ticket->phase == TICKET_SETTLE) {
        settle(ticket);
    }
}

void
nwf_ticket_wait(const struct nwf_ticket *ticket)
{
    if (ticket->txn) {
        nwf_txn_wait(ticket->txn);
    } else if (ticket->phase == TICKET_SETTLE && ticket->live->is_overdue) {
        poll_immediate_wake();
    } else if (ticket->phase == TICKET_SETTLE && time_msec() < ticket->since + TRANSIENT_MS) {
        poll_timer_wait_until(ticket->since + TRANSIENT_MS);
    }
}

bool
nwf_ticket_is_done(const struct nwf_ticket *ticket, struct ds *ret_reply, int *ret_exit)
{
    if (ticket->phase != TICKET_DONE) {
        return false;
    }
    ds_put_cstr(ret_reply, ds_cstr_ro(&ticket->reply));
    *ret_exit = ticket->exit;
    return true;
}
