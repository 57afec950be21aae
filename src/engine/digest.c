/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests; see digest.h.  Whatever changes a guest's own flows has to be in here, the
 * compiler included. */
#include <config.h>

#include "digest.h"

#include <string.h>

#include "nwf-sources.h"
#include "nwf/text.h"

#include "lib/sha1.h"

struct nwf_filter_digest {
    const struct nwf_filter *filter;
    uint8_t sha1[SHA1_DIGEST_SIZE];
};

void
nwf_digests_clear(struct nwf_digests *digests)
{
    nwf_vec_clear(digests);
}

static void
add_text(void *ctx, const char *data, size_t size)
{
    sha1_update(ctx, data, (uint32_t) size);
    sha1_update(ctx, "", 1);
}

static void
add_params(struct sha1_ctx *ctx, const struct nwf_params *params)
{
    nwf_vec_foreach (param, &params->list) {
        add_text(ctx, param->name, strlen(param->name));
        nwf_vec_foreach (value, &param->values) {
            add_text(ctx, *value, strlen(*value));
        }
        add_text(ctx, "", 0); /* Values and names do not run together. */
    }
}

static const uint8_t *
filter_digest(struct nwf_digests *digests, struct nwf_store *store, const struct nwf_filter *filter)
{
    struct nwf_filter_digest fresh = {.filter = filter};
    struct sha1_ctx ctx;

    nwf_vec_foreach (known, digests) {
        if (known->filter == filter) {
            return known->sha1;
        }
    }
    sha1_init(&ctx);
    nwf_store_closure(store, filter, add_text, &ctx);
    sha1_final(&ctx, fresh.sha1);
    nwf_vec_push(digests, fresh);
    return digests->data[digests->n - 1].sha1;
}

struct nwf_digest
nwf_digest_port(struct nwf_digests *digests, struct nwf_store *store,
                const struct nwf_bridge *bridge, const struct nwf_plan_port *port,
                const struct nwf_filter *filter)
{
    uint8_t settings[] = {
        bridge->audit,
        bridge->use_normal,
        bridge->inner_tags,
        bridge->blurred_tags,
        (uint8_t) (port->ofport >> 8),
        (uint8_t) port->ofport,
        (uint8_t) port->vlan.mode,
        (uint8_t) (port->vlan.tag >> 8),
        (uint8_t) port->vlan.tag,
        port->vlan.limited,
        (uint8_t) (port->zone >> 8),
        (uint8_t) port->zone,
    };
    uint8_t sha1[SHA1_DIGEST_SIZE];
    struct nwf_digest digest;
    struct sha1_ctx ctx;

    sha1_init(&ctx);
    add_text(&ctx, NWF_SOURCES_HASH, strlen(NWF_SOURCES_HASH));
    sha1_update(&ctx, settings, sizeof settings);
    add_text(&ctx, port->name ? port->name : "", port->name ? strlen(port->name) : 0);
    if (port->vlan.limited) {
        sha1_update(&ctx, port->vlan.trunks, sizeof port->vlan.trunks);
    }
    sha1_update(&ctx, filter_digest(digests, store, filter), SHA1_DIGEST_SIZE);
    add_params(&ctx, &port->binding.params);
    /* It says which of MAC is the guest's own, which the stamp tells of. */
    if (port->binding.own_mac) {
        add_text(&ctx, port->binding.own_mac, strlen(port->binding.own_mac));
    }
    sha1_final(&ctx, sha1);
    memcpy(digest.bytes, sha1, sizeof digest.bytes);
    return digest;
}
