/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a plan that the switch does not take: the guests whose flows are the cause are
 * quarantined, so that one guest's filter does not keep others from theirs.
 *
 * A flow that is refused for what it is tells whose it is.  One that finds its table full does
 * not: it is the first that had no room left, whoever's the others are.  There the guests with
 * the most flows in the table make room, as few of them as will do. */
#include <config.h>

#include "keeper.h"
#include "nwf/text.h"
#include "openvswitch/ofp-errors.h"

/* Guests by their numbers; NULL where none has it. */
static struct nwf_plan_port **
list_guests(struct nwf_plan *plan)
{
    struct nwf_plan_port **guests = nwf_zalloc(0x10000 * sizeof *guests);

    nwf_vec_foreach (port, &plan->ports) {
        if ((*port)->role == NWF_GUEST) {
            guests[(*port)->config.ofport] = *port;
        }
    }
    return guests;
}

/* The guest whose own the flow is, or NULL. */
static struct nwf_plan_port *
owner(struct nwf_plan_port *const *guests, const struct nwf_flow *flow)
{
    nwf_owner number = nwf_owner_of(flow->cookie);

    return number <= UINT16_MAX ? guests[number] : NULL;
}

static bool
blame_owner(struct nwf_plan *plan, struct nwf_plan_port *const *guests,
            const struct nwf_changes *changes, const struct nwf_refusal *refusal)
{
    const struct nwf_change *change = &changes->data[refusal->index];
    struct nwf_plan_port *port = owner(guests, change->flow);

    if (!port || change->kind == NWF_CHANGE_DELETE) {
        return false;
    }
    if (!port->refusal.text) { /* The first of its flows will do. */
        char *text CLEANUP_FREE = nwf_refusal_text(refusal, changes);
        nwf_plan_refuse(plan, port, text);
    }
    return true;
}

/* ---- A table that is full. ---- */

struct share {
    struct nwf_plan_port *port; /* NULL: of no guest that adds to the table. */
    size_t n;                   /* Its flows in the table. */
};

static int
compare_shares(const void *a_, const void *b_)
{
    const struct share *a = a_, *b = b_;

    return a->n != b->n ? (a->n > b->n ? -1 : 1) : 0;
}

static bool
is_addition(const struct nwf_change *change, uint8_t table)
{
    return change->kind == NWF_CHANGE_ADD && change->flow->table == table;
}

static size_t
count_in_table(const struct nwf_flow_set *flows, uint8_t table)
{
    const struct nwf_flow *flow;
    size_t n = 0;

    HMAP_FOR_EACH (flow, node, &flows->flows) {
        n += flow->table == table;
    }
    return n;
}

/* What guests have of the table that add to it, by their numbers and then the most first.  Others
 * keep what they have. */
static struct share *
list_shares(struct nwf_plan_port *const *guests, const struct nwf_plan *plan,
            const struct nwf_changes *changes, uint8_t table)
{
    struct share *shares = nwf_zalloc(0x10000 * sizeof *shares);

    nwf_vec_foreach (change, changes) {
        struct nwf_plan_port *port =
            is_addition(change, table) ? owner(guests, change->flow) : NULL;
        if (port) {
            shares[port->config.ofport].port = port;
        }
    }
    nwf_vec_foreach (part, &plan->parts) {
        nwf_owner number = (*part)->owner;
        if (number <= UINT16_MAX && shares[number].port) {
            shares[number].n = count_in_table(&(*part)->flows, table);
        }
    }
    qsort(shares, 0x10000, sizeof *shares, compare_shares);
    return shares;
}

/* The flows that found no room: the one that was refused, and what would have come behind it. */
static size_t
count_rest(const struct nwf_changes *changes, size_t index, uint8_t table)
{
    size_t n = 0;

    for (size_t i = index; i < changes->n; i++) {
        n += is_addition(&changes->data[i], table);
    }
    return n;
}

/* A quarantined port's flows are one at its way in, and one towards it. */
static bool
make_room(struct nwf_plan *plan, struct nwf_plan_port *const *guests,
          const struct nwf_changes *changes, const struct nwf_refusal *refusal)
{
    uint8_t table = changes->data[refusal->index].flow->table;
    struct share *shares CLEANUP_FREE = list_shares(guests, plan, changes, table);
    size_t needed = count_rest(changes, refusal->index, table), made = 0;
    size_t kept = table == NWF_TABLE_CLASSIFY || table == NWF_TABLE_TO_VM;

    for (const struct share *s = shares; made < needed && s->n > kept; s++) {
        if (!s->port->refusal.text) {
            char *text CLEANUP_FREE =
                nwf_asprintf("the switch refuses: %s: table %u is full, and %zu flows in it are "
                             "this filter's",
                             ofperr_to_string(OFPERR_OFPFMFC_TABLE_FULL), table, s->n);
            nwf_plan_refuse(plan, s->port, text);
        }
        made += s->n - kept;
    }
    return made && made >= needed;
}

/* ---- All of it. ---- */

bool
nwf_quarantine_refused(struct nwf_plan *plan, const struct nwf_changes *changes,
                       const struct nwf_refusals *refusals)
{
    struct nwf_plan_port **guests CLEANUP_FREE = list_guests(plan);

    nwf_vec_foreach (refusal, refusals) {
        bool done = refusal->code == OFPERR_OFPFMFC_TABLE_FULL
                        ? make_room(plan, guests, changes, refusal)
                        : blame_owner(plan, guests, changes, refusal);
        if (!done) {
            return false;
        }
    }
    return refusals->n > 0;
}
