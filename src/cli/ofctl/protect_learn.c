/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows that the switch adds by itself when it executes a learn action; see protect.h.  Of what
 * such a flow matches only constants are known; the rest comes from the packet, and may be
 * anything. */
#include <config.h>

#include <arpa/inet.h>

#include "openvswitch/meta-flow.h"
#include "protection.h"

#include "lib/byte-order.h"

/* ---- What a learned flow matches. ---- */

/* The constant of a learn action's condition, or zeros where there is none. */
static union mf_subvalue
value_of(const struct ofpact_learn_spec *spec)
{
    union mf_subvalue value = {.u8 = {0}};

    if (spec->src_type == NX_LEARN_SRC_IMMEDIATE) {
        mf_subvalue_from_value(&spec->dst, &value, ofpact_learn_spec_imm(spec));
    }
    return value;
}

/* No flow of ours looks at options of tunnels: without them the match is as wide or wider. */
static bool
is_condition(const struct ofpact_learn_spec *spec)
{
    return spec->dst_type == NX_LEARN_DST_MATCH && !mf_is_tun_metadata(spec->dst.field);
}

/* All that is known of the match; and its mask, of which all is known. */
static void
set_match(const struct ofpact_learn *learn, struct match *known, struct flow_wildcards *mask)
{
    const struct ofpact_learn_spec *spec;
    struct match whole;

    match_init_catchall(known);
    match_init_catchall(&whole);
    OFPACT_LEARN_SPEC_FOR_EACH(spec, learn)
    {
        if (!is_condition(spec)) {
            continue;
        }
        union mf_subvalue value = value_of(spec);
        mf_write_subfield(&spec->dst, &value, &whole);
        if (spec->src_type == NX_LEARN_SRC_IMMEDIATE) {
            mf_write_subfield(&spec->dst, &value, known);
        }
    }
    *mask = whole.wc;
}

/* ---- Actions. ---- */

static void
check_learn(struct ofctl_protection *protection, const struct ofpact_learn *learn)
{
    struct ofctl_addition addition = {
        .table = learn->table_id,
        .priority = learn->priority,
    };

    set_match(learn, &addition.match, &addition.mask);
    ofctl_note_addition(protection, &addition);
    ofctl_note_cookie(protection, ntohll(learn->cookie));
}

bool
ofctl_learns(const struct ofpact *ofpacts, size_t len)
{
    return OFPACT_FIND_TYPE_FLATTENED(ofpacts, LEARN, ofpact_end(ofpacts, len)) != NULL;
}

void
ofctl_protection_check_actions(struct ofctl_protection *protection, const struct ofpact *ofpacts,
                               size_t len)
{
    const struct ofpact_learn *learn;

    if (!protection) {
        return;
    }
    OFPACT_FOR_EACH_TYPE_FLATTENED(learn, LEARN, ofpacts, len)
    {
        check_learn(protection, learn);
    }
}
