/* SPDX-License-Identifier: Apache-2.0
 *
 * The Ethernet addresses of a plan's guests, and what becomes of those that are another's. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "nwf/claims.h"
#include "nwf/text.h"
#include "nwf/value.h"
#include "plan.h"

/* The MAC variable's values as addresses. */
static int
read_macs(const struct nwf_binding *binding, struct nwf_macs *ret, struct nwf_error *err)
{
    const struct nwf_param *param = nwf_params_find(&binding->params, "MAC");

    for (size_t i = 0; param && i < param->values.n; i++) {
        struct nwf_mac mac;
        int r = nwf_mac_parse(param->values.data[i], &mac, err);
        if (!r && (mac.octets[0] & 1)) {
            r = nwf_error_set(err, -EINVAL, "%s is a group address", param->values.data[i]);
        }
        if (r) {
            nwf_error_wrap(err, "variable MAC");
            return r;
        }
        nwf_vec_push(ret, mac);
    }
    return 0;
}

/* Which of the addresses is the guest's own: that of its tag, which MAC need not have, else the
 * first of MAC; macs->n if there is none. */
static size_t
find_own_mac(const struct nwf_binding *binding, struct nwf_macs *macs)
{
    struct nwf_mac own;
    size_t i = 0;

    if (binding->own_mac && !nwf_mac_parse(binding->own_mac, &own, NULL) && !(own.octets[0] & 1)) {
        while (i < macs->n && memcmp(&own, &macs->data[i], sizeof own)) {
            i++;
        }
        if (i == macs->n) {
            nwf_vec_push(macs, own);
        }
    }
    return i;
}

/* A list that is wrong claims nothing: its port is quarantined. */
void
nwf_plan_read_addresses(struct nwf_plan_port *port)
{
    nwf_error_clear(&port->mac_error);
    nwf_vec_clear(&port->facts.macs);
    port->facts.own_mac = 0;
    if (port->config.role != NWF_GUEST) {
        return;
    }
    if (read_macs(&port->config.binding, &port->facts.macs, &port->mac_error)) {
        nwf_vec_clear(&port->facts.macs);
        return;
    }
    port->facts.own_mac = find_own_mac(&port->config.binding, &port->facts.macs);
}

/* ---- Sightings. ---- */

bool
nwf_plan_note_sighting(struct nwf_plan_port *port, const struct nwf_flow *pin)
{
    const struct nwf_macs *macs = &port->facts.macs;

    if (port->facts.own_mac >= macs->n
        || !nwf_is_pin(pin, port->config.ofport, &macs->data[port->facts.own_mac])) {
        return false;
    }
    port->facts.is_sighted = true;
    return true;
}

void
nwf_plan_collect_sightings(struct nwf_plan *plan, const struct nwf_image *image)
{
    nwf_vec_foreach (item, &plan->ports) {
        const struct ovs_list *flows = nwf_image_flows(image, (*item)->config.ofport);
        const struct nwf_flow *flow;

        if (!flows || !(*item)->config.ofport) {
            continue;
        }
        LIST_FOR_EACH (flow, owned, flows) {
            (void) nwf_plan_note_sighting(*item, flow);
        }
    }
}

/* ---- Claims. ---- */

static int
compare_holders(const void *a_, const void *b_)
{
    const struct nwf_holder *a = a_, *b = b_;
    int order = memcmp(&a->mac, &b->mac, sizeof a->mac);

    return order ? order : (int) a->ofport - (int) b->ofport;
}

/* Whether the switch delivers the address to the port in a VLAN that it still has. */
static bool
holds(const struct nwf_plan *plan, const struct nwf_mac *mac, const struct nwf_port_config *config)
{
    const struct nwf_holder key = {.mac = *mac, .ofport = config->ofport};
    const struct nwf_holder *end = plan->holders.data + plan->holders.n;
    const struct nwf_holder *at =
        plan->holders.n
            ? bsearch(&key, plan->holders.data, plan->holders.n, sizeof key, compare_holders)
            : NULL;

    while (at && at > plan->holders.data && !compare_holders(at - 1, &key)) {
        at--;
    }
    for (; at && at < end && !compare_holders(at, &key); at++) {
        if (at->vid < 0 || nwf_vlan_has(&config->vlan, (uint16_t) at->vid)) {
            return true;
        }
    }
    return false;
}

/* Whether the switch has the port's filter.  A quarantined port has none, and yet a delivery in
 * audit mode: if that counted, the next look would give it the address that it was refused. */
static bool
has_filter(const struct nwf_image *image, uint16_t ofport)
{
    const struct ovs_list *flows = nwf_image_flows(image, ofport);
    const struct nwf_flow *flow;

    if (!flows) {
        return false;
    }
    LIST_FOR_EACH (flow, owned, flows) {
        if (nwf_cookie_kind(flow->cookie) == NWF_COOKIE_CLASSIFY) {
            return true;
        }
    }
    return false;
}

static struct nwf_holder
holder_of(const struct nwf_flow *delivery)
{
    struct nwf_holder holder = {.ofport = nwf_cookie_port(delivery->cookie)};
    struct match match;

    nwf_flow_expand_match(delivery, &match);
    memcpy(holder.mac.octets, &match.flow.dl_dst, sizeof holder.mac.octets);
    holder.vid =
        match.wc.masks.regs[NWF_REG_VLAN] ? (int) (match.flow.regs[NWF_REG_VLAN] & 0xfff) : -1;
    return holder;
}

/* By deliveries on the switch, whose cookies name who has the address. */
static void
collect_from_image(struct nwf_plan *plan, const struct nwf_image *image)
{
    const struct ovs_list *flows = nwf_image_flows(image, NWF_OWNER_SHARED);
    const struct nwf_flow *flow;
    uint16_t ofport = 0; /* A port has a delivery for each of its VLANs. */
    bool counts = false;

    if (!flows) {
        return;
    }
    LIST_FOR_EACH (flow, owned, flows) {
        if (nwf_cookie_kind(flow->cookie) != NWF_COOKIE_DELIVER) {
            continue;
        }
        if (nwf_cookie_port(flow->cookie) != ofport) {
            ofport = nwf_cookie_port(flow->cookie);
            counts = has_filter(image, ofport);
        }
        if (counts) {
            nwf_vec_push(&plan->holders, holder_of(flow));
        }
    }
}

/* By what those flows were made from: a port that has another number now is the same port. */
static bool
collect_from_known(struct nwf_plan *plan)
{
    bool any = false;

    nwf_vec_foreach (item, &plan->ports) {
        const struct nwf_plan_port *port = *item;

        any |= port->known.name != NULL;
        if (!port->known.name || port->known.role != NWF_GUEST
            || !nwf_vlan_equals(&port->known.vlan, &port->config.vlan)) {
            continue;
        }
        nwf_vec_foreach (mac, &port->known.macs) {
            nwf_vec_push(
                &plan->holders,
                (struct nwf_holder){.mac = *mac, .ofport = port->config.ofport, .vid = -1});
        }
    }
    return any;
}

void
nwf_plan_collect_holders(struct nwf_plan *plan, const struct nwf_image *image)
{
    plan->holders.n = 0;
    if (!collect_from_known(plan)) { /* Nothing has been computed: the flows are from before. */
        collect_from_image(plan, image);
    }
}

static void
claim_for_port(const struct nwf_plan *plan, size_t number, struct nwf_claims *claims)
{
    const struct nwf_plan_port *port = plan->ports.data[number];
    const char *status = port->notes.status;

    for (size_t i = 0; i < port->facts.macs.n; i++) {
        const struct nwf_mac *mac = &port->facts.macs.data[i];
        nwf_vec_push(claims, (struct nwf_claim){
                                 .mac = *mac,
                                 .vlan = &port->config.vlan,
                                 .port = number,
                                 .pinned = i == port->facts.own_mac,
                                 .holds = holds(plan, mac, &port->config),
                                 .active = status && !strcmp(status, "active"),
                                 .ofport = port->config.ofport,
                             });
    }
}

static void
refuse(const struct nwf_claim *refused, const struct nwf_claim *owner, void *plan_)
{
    struct nwf_plan *plan = plan_;
    const uint8_t *o = refused->mac.octets;
    char *whose CLEANUP_FREE = owner->fixed
                                   ? nwf_strdup("the host's own on this bridge")
                                   : nwf_asprintf("that of %s, in the same VLAN",
                                                  plan->ports.data[owner->port]->config.name);

    nwf_error_set(&plan->ports.data[refused->port]->claim, -EINVAL,
                  "address %02x:%02x:%02x:%02x:%02x:%02x is %s", o[0], o[1], o[2], o[3], o[4], o[5],
                  whose);
}

static void
collect_claims(const struct nwf_plan *plan, struct nwf_claims *claims)
{
    for (size_t i = 0; i < plan->ports.n; i++) {
        const struct nwf_plan_port *port = plan->ports.data[i];

        if (port->config.has_own_mac) {
            nwf_vec_push(claims, (struct nwf_claim){.mac = port->config.own_mac,
                                                    .port = plan->ports.n,
                                                    .fixed = true});
        }
        if (port->config.role == NWF_GUEST && port->config.ofport && !port->is_duplicate
            && !port->refusal.text) {
            claim_for_port(plan, i, claims);
        }
    }
}

static bool
says_the_same(const struct nwf_error *a, const struct nwf_error *b)
{
    return a->text && b->text ? !strcmp(a->text, b->text) : a->text == b->text;
}

void
nwf_plan_judge_claims(struct nwf_plan *plan)
{
    struct nwf_error *before CLEANUP_FREE = nwf_zalloc((plan->ports.n + 1) * sizeof *before);
    struct nwf_claims claims = {.data = NULL};

    if (plan->holders.n) {
        qsort(plan->holders.data, plan->holders.n, sizeof plan->holders.data[0], compare_holders);
    }
    collect_claims(plan, &claims);
    for (size_t i = 0; i < plan->ports.n; i++) {
        before[i] = plan->ports.data[i]->claim;
        plan->ports.data[i]->claim = (struct nwf_error){.text = NULL};
    }
    nwf_claims_judge(&claims, refuse, plan);
    for (size_t i = 0; i < plan->ports.n; i++) {
        struct nwf_plan_port *port = plan->ports.data[i];
        port->dirty |= !says_the_same(&before[i], &port->claim);
        nwf_error_clear(&before[i]);
    }
    nwf_vec_clear(&claims);
}
