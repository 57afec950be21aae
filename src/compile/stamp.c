/* SPDX-License-Identifier: Apache-2.0
 *
 * Stamps as "note" actions; see nwf/stamp.h. */
#include <config.h>

#include "nwf/stamp.h"

#include <string.h>

#include "nwf-sources.h"
#include "nwf/pipeline.h"
#include "openvswitch/ofpbuf.h"

#include "lib/sha1.h"

#define STAMP_VERSION 4
#define N_VERDICTS (2 * NWF_N_FRAME_KINDS)

/* As it stands in the note.  The switch pads notes to 6 + 8 n bytes. */
struct encoded {
    uint8_t version;
    uint8_t digest[sizeof(struct nwf_digest)];
    uint8_t shared[sizeof(struct nwf_shared_digest)];
    uint8_t n_flows[4];
    uint8_t n_stages[NWF_N_DIRECTIONS];
    uint8_t verdicts[3]; /* Two bits each. */
    uint8_t costs[NWF_N_FRAME_KINDS];
    uint8_t unreached;
    uint8_t zero[2];
};

_Static_assert(sizeof(struct encoded) == 46, "a note that needs no padding");
_Static_assert(N_VERDICTS * 2 <= 3 * 8, "room for the verdicts");

void
nwf_stamp_set_shared(struct nwf_stamp *stamp, const struct nwf_bridge *bridge,
                     const struct nwf_port *port)
{
    const struct nwf_vlan *vlan = &port->vlan;
    uint8_t settings[] = {
        bridge->audit,
        bridge->use_normal,
        bridge->inner_tags,
        bridge->blurred_tags,
        (uint8_t) vlan->mode,
        (uint8_t) (vlan->tag >> 8),
        (uint8_t) vlan->tag,
        vlan->limited,
        (uint8_t) (port->zone >> 8),
        (uint8_t) port->zone,
        stamp->n_stages[NWF_OUT],
        stamp->n_stages[NWF_IN],
        (uint8_t) (port->own_mac >> 8),
        (uint8_t) port->own_mac,
    };
    uint8_t sha1[SHA1_DIGEST_SIZE];
    struct sha1_ctx ctx;

    sha1_init(&ctx);
    /* Another program may have another pipeline. */
    sha1_update(&ctx, NWF_SOURCES_HASH, sizeof NWF_SOURCES_HASH);
    sha1_update(&ctx, settings, sizeof settings);
    /* Flows with this port's number may be those of a port that has gone. */
    if (port->name) {
        sha1_update(&ctx, port->name, (uint32_t) strlen(port->name));
    }
    sha1_update(&ctx, "", 1);
    if (vlan->limited) {
        sha1_update(&ctx, vlan->trunks, sizeof vlan->trunks);
    }
    sha1_update(&ctx, &port->flood, sizeof port->flood);
    nwf_vec_foreach (mac, &port->macs) {
        sha1_update(&ctx, mac->octets, sizeof mac->octets);
    }
    sha1_final(&ctx, sha1);
    memcpy(stamp->shared.bytes, sha1, sizeof stamp->shared.bytes);
}

void
nwf_stamp_put(const struct nwf_stamp *stamp, struct ofpbuf *actions)
{
    const uint8_t *verdicts = &stamp->flood.of[0][0];
    struct encoded e = {.version = STAMP_VERSION};

    memcpy(e.digest, &stamp->digest, sizeof e.digest);
    memcpy(e.shared, &stamp->shared, sizeof e.shared);
    for (int i = 0; i < 4; i++) {
        e.n_flows[i] = (uint8_t) (stamp->n_flows >> (24 - 8 * i));
    }
    memcpy(e.n_stages, stamp->n_stages, sizeof e.n_stages);
    for (int i = 0; i < N_VERDICTS; i++) {
        e.verdicts[i / 4] |= (uint8_t) (verdicts[i] << (i % 4 * 2));
    }

    memcpy(e.costs, stamp->flood.cost, sizeof e.costs);
    e.unreached = stamp->unreached;

    ofpact_put_NOTE(actions);
    ofpbuf_put(actions, &e, sizeof e);
    struct ofpact_note *note = actions->header;
    note->length = sizeof e;
    ofpact_finish_NOTE(actions, &note);
}

static const struct ofpact_note *
find_note(const struct nwf_flow *flow)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, flow->ofpacts, flow->ofpacts_len) {
        if (a->type == OFPACT_NOTE) {
            return ofpact_get_NOTE(a);
        }
    }
    return NULL;
}

bool
nwf_stamp_get(const struct nwf_flow *flow, struct nwf_stamp *ret)
{
    const struct ofpact_note *note = find_note(flow);
    struct nwf_stamp stamp = {.n_flows = 0};
    uint8_t *verdicts = &stamp.flood.of[0][0];
    struct encoded e;

    if (!note || note->length != sizeof e) {
        return false;
    }
    memcpy(&e, note->data, sizeof e);
    memcpy(&stamp.digest, e.digest, sizeof e.digest);
    memcpy(&stamp.shared, e.shared, sizeof e.shared);
    memcpy(stamp.n_stages, e.n_stages, sizeof e.n_stages);
    for (int i = 0; i < 4; i++) {
        stamp.n_flows = stamp.n_flows << 8 | e.n_flows[i];
    }
    for (int i = 0; i < N_VERDICTS; i++) {
        verdicts[i] = e.verdicts[i / 4] >> (i % 4 * 2) & 3;
        if (verdicts[i] > NWF_U_DROP) {
            return false;
        }
    }
    memcpy(stamp.flood.cost, e.costs, sizeof e.costs);
    stamp.unreached = e.unreached;
    for (int i = 0; i < NWF_N_FRAME_KINDS; i++) {
        if (!e.costs[i] || e.costs[i] > NWF_MAX_STAGES) {
            return false;
        }
    }
    if (e.version != STAMP_VERSION || e.unreached >> NWF_N_FRAME_KINDS
        || e.n_stages[NWF_OUT] > NWF_MAX_STAGES || e.n_stages[NWF_IN] > NWF_MAX_STAGES) {
        return false;
    }
    *ret = stamp;
    return true;
}
