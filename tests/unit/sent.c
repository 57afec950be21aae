/* SPDX-License-Identifier: Apache-2.0
 *
 * See sent.h. */
#include <config.h>

#include "sent.h"

#include <stdio.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofpbuf.h"

#include "lib/byte-order.h"

/* A message has no more than 64 kB, and in a bundle some of them are the bundle's. */
#define MESSAGE_MAX 0xff00

static struct ofpbuf *
encode(const struct nwf_flow *flow, enum ofputil_protocol protocol)
{
    struct ofpbuf buffer CLEANUP(ofpbuf_uninit) = {.data = NULL};
    const struct ofputil_flow_mod fm = {
        .match = nwf_flow_match(flow), /* Borrowed. */
        .priority = flow->priority,
        .new_cookie = htonll(flow->cookie),
        .table_id = flow->table,
        .command = OFPFC_ADD,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .ofpacts = nwf_flow_ofpacts(flow, &buffer),
        .ofpacts_len = flow->form->ofpacts_len,
    };

    return ofputil_encode_flow_mod(&fm, protocol);
}

static void
complain(const struct nwf_flow *flow, enum ofperr error, const struct nwf_flow *got)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    nwf_flow_format(flow, &s);
    ds_put_format(&s, "\n  comes back as: %s", error ? ofperr_to_string(error) : "");
    if (got) {
        nwf_flow_format(got, &s);
    }
    fprintf(stderr, "%s\n", ds_cstr(&s));
    ds_destroy(&s);
}

static bool
comes_back_in(const struct nwf_flow *flow, enum ofputil_protocol protocol)
{
    struct ofpbuf ofpacts, *msg = encode(flow, protocol);
    const struct nwf_flow *got = NULL;
    struct ofputil_flow_mod fm;
    struct nwf_flow_set set;
    struct match match;

    nwf_flow_set_init(&set);
    ofpbuf_init(&ofpacts, 0);
    enum ofperr error =
        ofputil_decode_flow_mod(&fm, msg->data, protocol, NULL, NULL, &ofpacts, OFPP_MAX, 255);
    if (!error) {
        const struct ofpbuf actions =
            ofpbuf_const_initializer(fm.ofpacts, (uint32_t) fm.ofpacts_len);
        minimatch_expand(&fm.match, &match);
        got = nwf_flow_set_add(&set, fm.table_id, (uint16_t) fm.priority, ntohll(fm.new_cookie),
                               &match, &actions);
        minimatch_destroy(&fm.match);
    }
    bool good = msg->size < MESSAGE_MAX && got && nwf_flow_set_find(&set, flow)
                && nwf_flow_data_equal(got, flow);
    if (!good) {
        complain(flow, error, got);
    }
    nwf_flow_set_finish(&set);
    ofpbuf_uninit(&ofpacts);
    ofpbuf_delete(msg);
    return good;
}

bool
comes_back(const struct nwf_flow *flow)
{
    return comes_back_in(flow, OFPUTIL_P_OF13_OXM) && comes_back_in(flow, OFPUTIL_P_OF14_OXM)
           && comes_back_in(flow, OFPUTIL_P_OF15_OXM);
}
