/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests of a port's input; see input.h. */
#include <config.h>

#include "input.h"

#include <string.h>

#include "lib/sha1.h"

static void
add_text(struct sha1_ctx *ctx, const char *text)
{
    /* NULL and "" are not the same. */
    sha1_update(ctx, text ? "=" : "-", 1);
    sha1_update(ctx, text ? text : "", text ? (uint32_t) strlen(text) + 1 : 0);
}

static void
add_tag(struct sha1_ctx *ctx, const struct nwf_tag *tag)
{
    add_text(ctx, tag->key);
    add_text(ctx, tag->value);
}

static void
add_bridge(struct sha1_ctx *ctx, const struct nwf_ovs_bridge *bridge)
{
    const uint8_t settings[] = {
        bridge->secure,
        bridge->out_of_band,
        bridge->mcast_snooping,
        bridge->normal_only,
        bridge->forward_bpdu,
        (uint8_t) (bridge->mac_aging >> 8),
        (uint8_t) bridge->mac_aging,
        bridge->spanning_tree,
        bridge->two_tags,
        bridge->userspace,
    };

    add_text(ctx, bridge->name);
    add_text(ctx, bridge->owner);
    sha1_update(ctx, settings, sizeof settings);
    sha1_update(ctx, bridge->flooded.bits, sizeof bridge->flooded.bits);
    nwf_vec_foreach (tag, &bridge->tags) {
        add_tag(ctx, tag);
    }
}

static void
add_vlan(struct sha1_ctx *ctx, const struct nwf_vlan *vlan)
{
    const uint8_t settings[] = {
        (uint8_t) vlan->mode, (uint8_t) (vlan->tag >> 8),  (uint8_t) vlan->tag,
        vlan->limited,        (uint8_t) (vlan->tpid >> 8), (uint8_t) vlan->tpid,
    };

    sha1_update(ctx, settings, sizeof settings);
    if (vlan->limited) {
        sha1_update(ctx, vlan->trunks, sizeof vlan->trunks);
    }
}

struct nwf_digest
nwf_input_digest(const struct nwf_ovs_bridge *bridge, const struct nwf_ovs_port *port)
{
    const uint8_t settings[] = {
        (uint8_t) (port->ofport >> 8),
        (uint8_t) port->ofport,
        port->normal_only,
        port->bond != NULL,
        port->is_mirror_output,
        port->is_patch,
    };
    uint8_t sha1[SHA1_DIGEST_SIZE];
    struct nwf_digest digest;
    struct sha1_ctx ctx;

    sha1_init(&ctx);
    add_bridge(&ctx, bridge);
    add_text(&ctx, port->name);
    add_text(&ctx, port->bypass);
    add_text(&ctx, port->own_mac);
    sha1_update(&ctx, settings, sizeof settings);
    add_vlan(&ctx, &port->vlan);
    nwf_vec_foreach (tag, &port->tags) {
        if (!nwf_tag_is_note(tag->key)) {
            add_tag(&ctx, tag);
        }
    }
    sha1_final(&ctx, sha1);
    memcpy(digest.bytes, sha1, sizeof digest.bytes);
    return digest;
}
