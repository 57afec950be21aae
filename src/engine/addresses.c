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

int
nwf_plan_macs(const struct nwf_binding *binding, struct nwf_macs *ret, struct nwf_error *err)
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

void
nwf_plan_add_own_mac(struct nwf_plan *plan, const char *text)
{
    struct nwf_mac mac;

    if (text && !nwf_mac_parse(text, &mac, NULL)) {
        nwf_vec_push(&plan->own_macs, mac);
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

static bool
holds(const struct nwf_plan *plan, const struct nwf_mac *mac, uint16_t ofport)
{
    const struct nwf_holder key = {.mac = *mac, .ofport = ofport};

    return plan->holders.n
           && bsearch(&key, plan->holders.data, plan->holders.n, sizeof key, compare_holders);
}

size_t
nwf_plan_own_mac(const struct nwf_binding *binding, const struct nwf_macs *macs)
{
    struct nwf_mac own;
    size_t i = 0;

    if (binding->own_mac && !nwf_mac_parse(binding->own_mac, &own, NULL)) {
        while (i < macs->n && memcmp(&own, &macs->data[i], sizeof own)) {
            i++;
        }
    }
    return i;
}

static void
claim_for_port(const struct nwf_plan *plan, size_t number, struct nwf_claims *claims)
{
    const struct nwf_plan_port *port = &plan->ports.data[number];
    struct nwf_macs macs = {.data = NULL};

    /* A list that is wrong claims nothing: its port is quarantined. */
    if (!nwf_plan_macs(&port->binding, &macs, NULL)) {
        size_t own = nwf_plan_own_mac(&port->binding, &macs);
        for (size_t i = 0; i < macs.n; i++) {
            nwf_vec_push(claims,
                         (struct nwf_claim){
                             .mac = macs.data[i],
                             .vlan = &port->vlan,
                             .port = number,
                             .pinned = i == own,
                             .holds = holds(plan, &macs.data[i], port->ofport),
                             .active = port->old_status && !strcmp(port->old_status, "active"),
                             .ofport = port->ofport,
                         });
        }
    }
    nwf_vec_clear(&macs);
}

static void
refuse(const struct nwf_claim *refused, const struct nwf_claim *owner, void *plan_)
{
    struct nwf_plan *plan = plan_;
    const uint8_t *o = refused->mac.octets;
    char *whose CLEANUP_FREE = owner->fixed ? nwf_strdup("the host's own on this bridge")
                                            : nwf_asprintf("that of %s, in the same VLAN",
                                                           plan->ports.data[owner->port].name);
    char *cause CLEANUP_FREE = nwf_asprintf("address %02x:%02x:%02x:%02x:%02x:%02x is %s", o[0],
                                            o[1], o[2], o[3], o[4], o[5], whose);

    nwf_plan_quarantine(&plan->ports.data[refused->port], cause);
}

void
nwf_plan_settle_addresses(struct nwf_plan *plan)
{
    struct nwf_claims claims = {.data = NULL};

    if (plan->holders.n) {
        qsort(plan->holders.data, plan->holders.n, sizeof plan->holders.data[0], compare_holders);
    }
    nwf_vec_foreach (mac, &plan->own_macs) {
        nwf_vec_push(&claims,
                     (struct nwf_claim){.mac = *mac, .port = plan->ports.n, .fixed = true});
    }
    for (size_t i = 0; i < plan->ports.n; i++) {
        if (plan->ports.data[i].role == NWF_GUEST && plan->ports.data[i].ofport) {
            claim_for_port(plan, i, &claims);
        }
    }
    nwf_claims_judge(&claims, refuse, plan);
    nwf_vec_clear(&claims);
}
