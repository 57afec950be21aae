/* SPDX-License-Identifier: Apache-2.0
 *
 * Refusals of changes, by what would be lost; see protect.h. */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nwf/pipeline.h"
#include "openvswitch/dynamic-string.h"
#include "protection.h"

#include "lib/util.h"

/* Ports that a refusal names. */
#define NAMES_MAX 4

/* Behind the bits of a cookie that say whose it is. */
#define MAGIC_SHIFT 40

static int
compare_pointers(const void *a_, const void *b_)
{
    const struct nwf_flow *const *a = a_, *const *b = b_;

    return (*a > *b) - (*a < *b);
}

static void
drop_repeated(struct ofctl_losses *losses)
{
    size_t n = 0;

    qsort(losses->data, losses->n, sizeof losses->data[0], compare_pointers);
    for (size_t i = 0; i < losses->n; i++) {
        if (!i || losses->data[i] != losses->data[i - 1]) {
            losses->data[n++] = losses->data[i];
        }
    }
    losses->n = n;
}

/* " (of vnet0, vnet1 and 3 more)" */
static void
put_ports(const struct ofctl_protection *protection, const struct ofctl_losses *losses,
          struct ds *s)
{
    const struct ofputil_port_map *names =
        ofctl_ports_to_accept(protection->ofctl, protection->target);
    bool seen[UINT16_MAX + 1] = {false};
    size_t n = 0;

    nwf_vec_foreach (flow, losses) {
        uint16_t port = nwf_cookie_port((*flow)->cookie);
        if (!port || seen[port]) {
            continue;
        }
        seen[port] = true;
        if (n++ < NAMES_MAX) {
            ds_put_cstr(s, n > 1 ? ", " : " (of ");
            ofputil_format_port(OFP_PORT_C(port), names, s);
        }
    }
    if (n > NAMES_MAX) {
        ds_put_format(s, " and %zu more", n - NAMES_MAX);
    }
    ds_put_cstr(s, n ? ")" : "");
}

static _Noreturn void
refuse(const struct ofctl_protection *protection, enum ofctl_loss loss, struct ofctl_losses *losses)
{
    static const char *const words[] = {
        [OFCTL_LOSS_DELETED] = "delete",
        [OFCTL_LOSS_CHANGED] = "change",
        [OFCTL_LOSS_REPLACED] = "replace",
        [OFCTL_LOSS_BELOW] = "stand above",
    };
    struct ds s = DS_EMPTY_INITIALIZER;

    drop_repeated(losses);
    qsort(losses->data, losses->n, sizeof losses->data[0], nwf_flow_compare);
    ds_put_format(&s, "%zu flow%s of network filters", losses->n, losses->n > 1 ? "s" : "");
    put_ports(protection, losses, &s);
    ds_put_cstr(&s, ", such as \"");
    nwf_flow_format(losses->data[0], &s);
    ovs_fatal(0, "%s: that would %s %s\"%s; nothing was changed, and --force does it",
              protection->target, words[loss], ds_cstr(&s),
              loss == OFCTL_LOSS_BELOW ? " (tables 3, 210 and 211 are for flows of your own)" : "");
}

static _Noreturn void
refuse_cookie(const struct ofctl_protection *protection)
{
    ovs_fatal(0,
              "%s: that would set cookie %#" PRIx64 " of a flow that is no network filter's, and "
              "cookies %#" PRIx64 "... are theirs; nothing was changed, and --force does it",
              protection->target, protection->taken_cookie, NWF_COOKIE_MAGIC >> MAGIC_SHIFT);
}

void
ofctl_protection_judge(struct ofctl_protection *protection)
{
    for (int loss = 0; protection && loss < OFCTL_N_LOSSES; loss++) {
        if (protection->losses[loss].n) {
            refuse(protection, (enum ofctl_loss) loss, &protection->losses[loss]);
        }
    }
    if (protection && protection->taken_cookie) {
        refuse_cookie(protection);
    }
}
