/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the note of a flow on the switch, where somebody else may have written.
 * A stamp that is read is written as it was read. */
#include <config.h>

#include "fuzz.h"

#include <string.h>

#include "nwf/pipeline.h"
#include "nwf/stamp.h"
#include "openvswitch/ofpbuf.h"

/* A flow that has 'actions' and no more. */
static struct nwf_flow
flow_of(const struct ofpbuf *actions)
{
    return (struct nwf_flow){.ofpacts = actions->data, .ofpacts_len = actions->size};
}

static void
put_note(const uint8_t *data, size_t size, struct ofpbuf *actions)
{
    struct ofpact_note *note;

    ofpact_put_NOTE(actions);
    ofpbuf_put(actions, data, size);
    note = actions->header;
    note->length = (unsigned int) size;
    ofpact_finish_NOTE(actions, &note);
}

static void
check(const struct nwf_stamp *stamp)
{
    struct ofpbuf actions;
    struct nwf_stamp again;

    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        FUZZ_CHECK(stamp->n_stages[d] <= NWF_MAX_STAGES);
    }
    ofpbuf_init(&actions, 0);
    nwf_stamp_put(stamp, &actions);
    struct nwf_flow flow = flow_of(&actions);
    FUZZ_CHECK(nwf_stamp_get(&flow, &again));
    FUZZ_CHECK(again.n_flows == stamp->n_flows);
    FUZZ_CHECK(!memcmp(&again.digest, &stamp->digest, sizeof again.digest));
    FUZZ_CHECK(!memcmp(&again.shared, &stamp->shared, sizeof again.shared));
    FUZZ_CHECK(!memcmp(again.n_stages, stamp->n_stages, sizeof again.n_stages));
    FUZZ_CHECK(!memcmp(&again.flood, &stamp->flood, sizeof again.flood));
    FUZZ_CHECK(again.unreached == stamp->unreached);
    ofpbuf_uninit(&actions);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ofpbuf actions;
    struct nwf_stamp stamp;

    /* What fits into an action of OpenFlow. */
    if (size > UINT16_MAX - 64) {
        return 0;
    }
    ofpbuf_init(&actions, 0);
    put_note(data, size, &actions);
    struct nwf_flow flow = flow_of(&actions);
    if (nwf_stamp_get(&flow, &stamp)) {
        check(&stamp);
    }
    ofpbuf_uninit(&actions);
    return 0;
}
