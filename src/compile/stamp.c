/* SPDX-License-Identifier: Apache-2.0
 *
 * Stamps as "note" actions; see nwf/stamp.h. */
#include <config.h>

#include "nwf/stamp.h"

#include <string.h>

#include "nwf/pipeline.h"
#include "openvswitch/ofpbuf.h"

#define STAMP_VERSION 2
#define N_VERDICTS (2 * NWF_N_FRAME_KINDS)

/* As it stands in the note.  The switch pads notes to 6 + 8 n bytes. */
struct encoded {
    uint8_t version;
    uint8_t digest[sizeof(struct nwf_digest)];
    uint8_t n_flows[4];
    uint8_t n_stages[NWF_N_DIRECTIONS];
    uint8_t verdicts[3]; /* Two bits each. */
    uint8_t zero[4];
};

_Static_assert(sizeof(struct encoded) == 30, "a note that needs no padding");
_Static_assert(N_VERDICTS * 2 <= 3 * 8, "room for the verdicts");

void
nwf_stamp_put(const struct nwf_stamp *stamp, struct ofpbuf *actions)
{
    const uint8_t *verdicts = &stamp->flood.of[0][0];
    struct encoded e = {.version = STAMP_VERSION};

    memcpy(e.digest, &stamp->digest, sizeof e.digest);
    for (int i = 0; i < 4; i++) {
        e.n_flows[i] = (uint8_t) (stamp->n_flows >> (24 - 8 * i));
    }
    memcpy(e.n_stages, stamp->n_stages, sizeof e.n_stages);
    for (int i = 0; i < N_VERDICTS; i++) {
        e.verdicts[i / 4] |= (uint8_t) (verdicts[i] << (i % 4 * 2));
    }

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
    if (e.version != STAMP_VERSION || e.n_stages[NWF_OUT] > NWF_MAX_STAGES
        || e.n_stages[NWF_IN] > NWF_MAX_STAGES) {
        return false;
    }
    *ret = stamp;
    return true;
}
